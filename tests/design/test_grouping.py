"""Cells made of drawn nodes and taken apart: the network stays the same, and everything can be taken back."""

from __future__ import annotations

import pytest
import torch

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check
from rnnstudio.design.design import Design, Frame, Pin, Var, Wire, frozen
from rnnstudio.design.edits import SetFrames, SetParam, SetShared
from rnnstudio.design.errors import StudioError
from rnnstudio.design.grouping import RenameCell, group, ungroup
from rnnstudio.design.owning import own_copies
from rnnstudio.design.storage import dumps


def drawn() -> Design:
    """x → Linear → Tanh, beside it a memory that runs through a Delay; both added and read."""
    made = rnnstudio.new("net")
    made.variable("hidden", 6)
    x = made.add("FeatureInput", "features", size=4)
    hidden = made.add("Tanh", "squash", input=made.add("Linear", "map", units=Var("hidden"), input=x))
    before = made.add("Delay", "before")
    state = made.add("Add", "state", a=hidden, b=before)
    made.connect(state, "before")
    made.add("Output", "y", input=made.add("Linear", "readout", units=2, input=state))
    return made.design


def result(design: Design) -> torch.Tensor:
    """With weights that depend on nothing but their order in the program."""
    network = rnnstudio.build(design)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name in sorted(network.weights, key=lambda path: (path.split(".")[-2:], path)):
            network.weights[name].copy_(torch.rand(network.weights[name].shape, generator=generator) - 0.5)
        return network({"inputs": torch.linspace(-1, 1, 40).reshape(2, 5, 4)}).outputs["y"]


@pytest.mark.parametrize(
    "keys",
    [("map",), ("map", "squash"), ("before", "state"), ("map", "squash", "before", "state")],
)
def test_a_group_computes_the_same_and_so_does_what_it_is_taken_apart_into(keys: tuple[str, ...]) -> None:
    design = drawn()
    expected = result(design)
    edit, key = group(design, "", keys)
    grouped = edit.apply(design)
    assert not [d for d in check(grouped, standard()).diagnostics if d.severity == "error"]
    assert set(grouped.graph.nodes) == set(design.graph.nodes) - set(keys) | {key}
    assert torch.allclose(result(grouped), expected)
    back, names = ungroup(grouped, "", key)
    apart = back.apply(grouped)
    assert set(names) == set(keys)
    assert torch.allclose(result(apart), expected)
    assert set(apart.graph.wires) == set(design.graph.wires)
    assert dumps(edit.inverse(design).apply(grouped)) == dumps(design)


def test_variables_become_the_cells_own_and_are_handed_on() -> None:
    edit, key = group(drawn(), "", ("map", "squash"))
    made = edit.apply(drawn())
    cell = made.cells["Cell"]
    assert dict(cell.params) == {"hidden": 6}
    assert made.graph.nodes[key].params["hidden"] == Var("hidden")
    assert {n.kind for n in cell.graph.nodes.values()} == {"Linear", "Tanh", "CellInput", "CellOutput"}
    assert [n.id for n in cell.graph.nodes.values() if n.kind == "CellInput"] == ["x"]
    apart, _ = ungroup(SetParam(key, "hidden", 9).apply(made), "", key)
    assert apart.apply(SetParam(key, "hidden", 9).apply(made)).graph.nodes["map"].params["units"] == 9


def test_a_source_read_twice_is_one_input_and_a_result_read_twice_one_output() -> None:
    made = rnnstudio.new("net")
    x = made.add("FeatureInput", "features", size=3)
    both = made.add("Multiply", "both", a=made.add("Tanh", "one", input=x), b=made.add("Sigmoid", "two", input=x))
    made.add("Output", "y", input=both)
    made.add("Output", "z", input=both)
    edit, key = group(made.design, "", ("one", "two", "both"))
    found = edit.apply(made.design)
    assert {str(w) for w in found.graph.wires} == {
        f"features.out → {key}.x",
        f"{key}.y → y.input",
        f"{key}.y → z.input",
    }


def test_ports_of_an_open_cell_cannot_be_grouped() -> None:
    lstm = standard().cells["LSTM"]
    design = Design(cells=frozen({"LSTM": lstm}))
    with pytest.raises(StudioError, match="is a port of this cell"):
        group(design, "LSTM", ("x", "f"))
    with pytest.raises(StudioError, match="Nothing is selected"):
        group(design, "LSTM", ())


def test_gates_grouped_inside_the_lstm_leave_it_the_same() -> None:
    made = rnnstudio.new("net")
    x = made.add("FeatureInput", "features", size=3)
    made.add("Output", "y", input=made.add("LSTM", "lstm", units=5, x=x))
    design = made.design
    edit, _ = group(design, "LSTM", ("kept", "written", "memory", "c_before"))
    grouped = edit.apply(design)
    assert not [d for d in check(grouped, standard()).diagnostics if d.severity == "error"]
    one, two = rnnstudio.build(design, seed=3), rnnstudio.build(grouped, seed=3)
    assert set(one.weights) == set(two.weights)
    fields = {"inputs": torch.randn(2, 7, 3)}
    assert torch.allclose(one(fields).outputs["y"], two(fields).outputs["y"], atol=1e-6)


def test_a_unique_copy_is_not_followed_by_the_others() -> None:
    made = rnnstudio.new("net")
    x = made.add("FeatureInput", "features", size=3)
    first = made.add("LSTM", "first", units=5, x=x)
    made.add("LSTM", "second", units=5, x=first)
    design = made.design
    edit, _ = own_copies(design, ["LSTM"], standard().draws, standard().cells, ("", "second"))
    apart = edit.apply(design)
    assert apart.graph.nodes["first"].params["cell"] == "LSTM"
    assert apart.graph.nodes["second"].params["cell"] == "LSTM_2"
    assert apart.cells["LSTM_2"].graph == apart.cells["LSTM"].graph
    assert Wire(Pin("first", "h"), Pin("second", "x")) in apart.graph.wires


def test_a_renamed_cell_is_followed_by_its_nodes_in_every_graph() -> None:
    design = drawn()
    inner, key = group(design, "", ("map", "squash"))
    once = inner.apply(design)
    outer, _ = group(once, "", (key, "state"))
    twice = outer.apply(once)
    renamed = RenameCell("Cell", "Encoder").apply(twice)
    assert set(renamed.cells) == {"Encoder", "Cell2"}
    assert renamed.cells["Encoder"].name == "Encoder"
    assert renamed.cells["Cell2"].graph.nodes[key].params["cell"] == "Encoder"
    assert torch.allclose(result(renamed), result(twice))
    with pytest.raises(StudioError, match="called “Cell2” already"):
        RenameCell("Encoder", "Cell2").apply(renamed)


def test_a_frame_around_what_is_grouped_goes_along() -> None:
    design = drawn()
    node = design.graph.nodes["map"]
    design = SetFrames((Frame("f", "Encoder", node.x - 5, node.y - 5, 10, 10),)).apply(design)
    edit, key = group(design, "", ("map", "squash"))
    made = edit.apply(design)
    assert made.graph.frames == ()
    assert [f.title for f in made.cells["Cell"].graph.frames] == ["Encoder"]
    back, _ = ungroup(made, "", key)
    assert [f.title for f in back.apply(made).graph.frames] == ["Encoder"]


def test_shared_weights_are_not_taken_apart() -> None:
    design = drawn()
    edit, key = group(design, "", ("map", "squash"))
    with pytest.raises(StudioError, match="shares its weights"):
        ungroup(SetShared(key, "tied").apply(edit.apply(design)), "", key)
    with pytest.raises(StudioError, match="is no cell"):
        ungroup(design, "", "map")
