"""A muted node is not there: what comes into it goes out, in the check, in the program, in values and gradients."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check, compile_design
from rnnstudio.compiler.muting import why_not_muted
from rnnstudio.compiler.resolve import ports
from rnnstudio.compiler.units import unscaled
from rnnstudio.design.design import MAIN, Design, Graph, Node, Pin, Wire, frozen
from rnnstudio.design.edits import Compound, Connect, RemoveNodes, SetMuted
from rnnstudio.design.errors import StudioError
from rnnstudio.design.grouping import ungroup
from rnnstudio.design.storage import dumps, load, loads, save
from tests.compiler.checking import errors, found
from tests.conformance.drawings import DRAWINGS, design, features, language_model, regression
from tests.conformance.running import answer, answer_of_source, assert_same_answers, batch_of, network_of, ragged

CATALOG = standard()


def without(drawn: Design, graph: str, key: str) -> Design:
    """The drawing as a person makes it who deletes a node and draws its first input's wire on to all who read it."""
    there = drawn.graph_of(graph)
    node = there.nodes[key]
    inputs, _ = ports(node, drawn, CATALOG.of(node)) or ((), ())
    fed = {w.target.port: w.source for w in there.wires_into(key)}
    source = next(fed[port.name] for port in inputs if port.name in fed)
    wires = [Wire(source, w.target) for w in there.wires_from(key)]
    return Compound((RemoveNodes((key,), graph), *(Connect(w, graph) for w in wires))).apply(drawn)


def mutable(drawn: Design) -> list[tuple[str, str]]:
    """The nodes that may be muted, that something comes into, and that others read."""
    return [
        (graph, node.id)
        for graph in (MAIN, *drawn.cells)
        for node in drawn.graph_of(graph).nodes.values()
        if not why_not_muted(node, drawn.graph_of(graph), drawn, CATALOG)
        and any(drawn.graph_of(graph).wires_into(node.id))
        and any(drawn.graph_of(graph).wires_from(node.id))
    ]


@pytest.mark.parametrize("name", ["lstm", "stacked", "bidirectional", "attention", "grid", "memory read", "tied"])
def test_a_muted_node_gives_the_program_of_the_drawing_without_it(name: str) -> None:
    drawn = DRAWINGS[name]()
    compared = 0
    for graph, key in mutable(drawn):
        muted = SetMuted((key,), True, graph).apply(drawn)
        bare = without(drawn, graph, key)
        assert [(d.code, d.nodes) for d in check(muted, CATALOG).errors] == [
            (d.code, d.nodes) for d in check(bare, CATALOG).errors
        ], (graph, key)
        if not check(bare, CATALOG).errors:
            compared += 1
            assert compile_design(muted, CATALOG).text() == compile_design(bare, CATALOG).text(), (graph, key)
    assert compared >= 2


@pytest.mark.parametrize(
    ("name", "graph", "key"),
    [("stacked", MAIN, "dropout"), ("stacked", MAIN, "high"), ("lstm", "LSTM", ""), ("gru", "GRU", "")],
)
def test_values_and_gradients_are_those_of_the_drawing_without_it(name: str, graph: str, key: str) -> None:
    drawn = DRAWINGS[name]()
    key = key or next(k for k, node in drawn.graph_of(graph).nodes.items() if node.kind == "Tanh")
    muted, bare = SetMuted((key,), True, graph).apply(drawn), without(drawn, graph, key)
    program, other = compile_design(muted, CATALOG), compile_design(bare, CATALOG)
    fields, lengths = batch_of(program), ragged(program)
    reference = answer(network_of(other, reference=True), fields, lengths)
    for made in (network_of(program, reference=True), network_of(program)):
        assert_same_answers(program, answer(made, fields, lengths), reference, lengths)
    weights = network_of(program).weights
    assert_same_answers(program, answer_of_source(program, weights, fields, lengths), reference, lengths)


def test_weights_of_a_muted_node_are_not_counted() -> None:
    s = Sketch()
    features(s)
    s.add("first", "Linear", at=(1, 0), params={"units": 3}, input="inputs")
    s.add("second", "Linear", at=(2, 0), params={"units": 3}, input="first")
    regression(s, "second")
    drawn = design(s, "inputs", "targets")
    names = {p.path for p in compile_design(drawn, CATALOG).parameters}
    muted = {p.path for p in compile_design(SetMuted(("second",), True).apply(drawn), CATALOG).parameters}
    assert names - muted == {"second.weight", "second.bias"}
    assert muted < names


def test_several_muted_in_a_row_pass_on_what_the_first_gets() -> None:
    drawn = DRAWINGS["stacked"]()
    both = SetMuted(("dropout", "high"), True).apply(drawn)
    bare = without(without(drawn, MAIN, "high"), MAIN, "dropout")
    assert compile_design(both, CATALOG).text() == compile_design(bare, CATALOG).text()
    signals = check(both, CATALOG).signals
    assert signals[MAIN, "high", "h"] == signals[MAIN, "dropout", "out"] == signals[MAIN, "low", "h"]


def test_a_muted_loss_is_no_loss() -> None:
    drawn = DRAWINGS["two losses"]()
    kinds = {key: CATALOG.of(node) for key, node in drawn.graph.nodes.items()}
    losses = [key for key, kind in kinds.items() if kind is not None and kind.family == "Losses"]
    muted = SetMuted((losses[0],), True).apply(drawn)
    assert [loss.node for loss in compile_design(muted, CATALOG).losses] == losses[1:]
    found(SetMuted(tuple(losses), True).apply(drawn), "NoLoss")


def test_a_muted_delay_leaves_a_loop_within_one_step() -> None:
    drawn = DRAWINGS["lstm"]()
    cell = drawn.cells["LSTM"].graph
    delay = next(key for key, node in cell.nodes.items() if node.kind == "Delay")
    muted = SetMuted((delay,), True, "LSTM").apply(drawn)
    told = found(muted, "LoopWithoutDelay")
    assert told.graph == "LSTM"
    assert f"{cell.nodes[delay].label} is muted" in told.message
    assert set(told.wires) <= set(cell.wires)
    assert any(wire.source.node == delay for wire in told.wires)
    assert told.fix == SetMuted((delay,), False, "LSTM")
    assert told.fix_title == f"Unmute {cell.nodes[delay].label}"


def test_a_width_that_fits_no_more_is_told_at_the_wire_from_the_muted_node() -> None:
    s = Sketch()
    features(s)
    s.add("wide", "Linear", at=(1, 0), params={"units": 7}, input="inputs")
    s.add("other", "Linear", at=(1, 1), params={"units": 7}, input="inputs")
    s.add("sum", "Add", at=(2, 0), a="wide", b="other")
    regression(s, "sum")
    told = found(SetMuted(("wide",), True).apply(design(s, "inputs", "targets")), "WidthClash")
    assert told.nodes == ("sum",)
    assert "wide is muted" in told.message
    assert told.fix == SetMuted(("wide",), False, MAIN)


def test_what_cannot_pass_is_not_muted_and_told_when_a_file_says_so() -> None:
    drawn = language_model()
    graph = drawn.graph
    assert "takes tokens and gives features" in why_not_muted(graph.nodes["embedding"], graph, drawn, CATALOG)
    assert "nothing comes into text" in why_not_muted(graph.nodes["text"], graph, drawn, CATALOG)
    inside = drawn.cells["LSTM"].graph
    port = next(node for node in inside.nodes.values() if node.kind == "CellInput")
    assert "is a port of this cell" in why_not_muted(port, inside, drawn, CATALOG)
    told = found(SetMuted(("embedding",), True).apply(drawn), "NothingPasses")
    assert told.nodes == ("rec",)
    assert told.port == "x"
    assert told.fix == SetMuted(("embedding",), False, MAIN)


def test_an_input_without_a_wire_is_passed_over() -> None:
    s = Sketch()
    features(s)
    s.add("sum", "Add", at=(1, 0), b="inputs")
    regression(s, "sum")
    drawn = design(s, "inputs", "targets")
    assert any("is not connected" in line for line in errors(drawn))
    assert errors(SetMuted(("sum",), True).apply(drawn)) == []


def test_muted_nodes_in_a_ring_give_nothing() -> None:
    s = Sketch()
    features(s)
    s.add("a", "Tanh", at=(1, 0))
    s.add("b", "Tanh", at=(2, 0), input="a")
    regression(s, "b")
    drawn = Connect(Wire(Pin("b", "out"), Pin("a", "input"))).apply(design(s, "inputs", "targets"))
    found(SetMuted(("a", "b"), True).apply(drawn), "NothingPasses")


def test_data_that_passes_a_muted_node_keeps_its_units() -> None:
    s = Sketch()
    features(s)
    s.add("layer", "Linear", at=(1, 0), params={"units": 2}, input="inputs")
    s.add("truth", "FeatureTarget", at=(1, 1), params={"field": "targets"})
    s.add("between", "Linear", at=(2, 1), params={"units": 2}, input="truth")
    s.add("loss", "BinaryCrossEntropy", at=(3, 0), prediction="layer", target="between")
    drawn = design(s, "inputs", "targets")
    assert dict(unscaled(drawn, CATALOG)) == {}
    assert dict(unscaled(SetMuted(("between",), True).apply(drawn), CATALOG)) == {"targets": frozenset({0, 1})}


def test_a_mute_is_saved_and_taken_back(tmp_path: Path) -> None:
    drawn = DRAWINGS["stacked"]()
    muted = SetMuted(("dropout",), True).apply(drawn)
    save(muted, tmp_path / "muted.rnn")
    assert load(tmp_path / "muted.rnn") == loads(dumps(muted))
    assert load(tmp_path / "muted.rnn").graph.nodes["dropout"].muted
    assert dumps(SetMuted(("dropout",), False).apply(muted)) == dumps(drawn)
    with pytest.raises(StudioError, match="cannot stand there"):
        loads(dumps(muted).replace('"muted": true', '"muted": 1'))


def test_a_library_cell_with_a_muted_node_is_no_library_cell() -> None:
    for cell in CATALOG.cells.values():
        key = next(key for key, node in cell.graph.nodes.items() if node.kind not in ("CellInput", "CellOutput"))
        changed = SetMuted((key,), True, cell.name).apply(Design(cells=frozen({cell.name: cell}))).cells[cell.name]
        assert not CATALOG.draws(changed), cell.name
        assert CATALOG.family_of(changed) is None, cell.name


def test_a_muted_cell_is_not_taken_apart() -> None:
    drawn = SetMuted(("rec",), True).apply(DRAWINGS["lstm"]())
    with pytest.raises(StudioError, match="is muted"):
        ungroup(drawn, MAIN, "rec")


def test_a_mute_on_a_port_of_a_cell_means_nothing() -> None:
    drawn = DRAWINGS["lstm"]()
    ends = tuple(k for k, n in drawn.cells["LSTM"].graph.nodes.items() if n.kind in ("CellInput", "CellOutput"))
    muted = SetMuted(ends, True, "LSTM").apply(drawn)
    assert compile_design(muted, CATALOG).text() == compile_design(drawn, CATALOG).text()


def test_of_an_unknown_kind_nothing_passes() -> None:
    nodes = {"odd": Node("odd", "Nowhere", muted=True), "t": Node("t", "Tanh")}
    drawn = Design(graph=Graph(frozen(nodes), (Wire(Pin("odd", "out"), Pin("t", "input")),)))
    assert found(drawn, "NothingPasses").nodes == ("t",)
    assert "not known here" in why_not_muted(nodes["odd"], drawn.graph, drawn, CATALOG)
