"""Library cells of an earlier studio are the library's still; changed ones under their names are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.editions import renamed
from rnnstudio.catalog.taking import library_cell
from rnnstudio.design.design import Design, Node, Var, frozen
from rnnstudio.design.edits import Compound, Disconnect, MoveNodes, SetParam
from rnnstudio.design.storage import dumps, load, loads

HERE = Path(__file__).parent
CATALOG = standard()


def earlier() -> Design:
    """Every cell of the library as the studio drew it before its gates had the names of the equations."""
    return load(HERE / "old_library.rnn")


def changed(design: Design, cell: str) -> Design:
    """The design with its cell computing something else."""
    return Disconnect((design.cells[cell].graph.wires[0],), cell).apply(design)


@pytest.mark.parametrize("name", sorted(CATALOG.cells))
def test_an_earlier_drawing_is_the_librarys_cell(name: str) -> None:
    cell = earlier().cells[name]
    assert CATALOG.draws(cell)
    assert not CATALOG.draws(changed(earlier(), name).cells[name])


def test_what_is_moved_or_titled_is_the_same_and_what_has_another_parameter_is_not() -> None:
    design = earlier()
    moved = MoveNodes({"memory": (5.0, 7.0)}, "LSTM").apply(design)
    assert CATALOG.draws(moved.cells["LSTM"])
    one_unit = SetParam("forget_sum", "units", 1, "LSTM").apply(design)
    assert not CATALOG.draws(one_unit.cells["LSTM"])


def test_an_earlier_file_opens_with_what_it_holds() -> None:
    text = (HERE / "old_library.rnn").read_text(encoding="utf-8")
    assert dumps(loads(text)) == text


@pytest.mark.parametrize("name", ["LSTM", "GRU", "PeepholeLSTM", "ChildSumTreeLSTM"])
def test_its_nodes_get_the_names_of_the_equations(name: str) -> None:
    there = earlier().cells[name]
    assert set(renamed(there).graph.nodes) == set(CATALOG.cells[name].graph.nodes)


def test_an_earlier_lstm_gives_the_numbers_of_todays() -> None:
    def net(cells: dict) -> Design:
        made = rnnstudio.new("net")
        x = made.add("FeatureInput", "x", size=3)
        made.add("Output", "y", input=made.add("LSTM", "lstm", units=4, x=x))
        return made.design.replace(cells=frozen({**made.design.cells, **cells}))

    old, new = (rnnstudio.build(net(c), seed=1) for c in ({"LSTM": earlier().cells["LSTM"]}, {}))
    names = {"forget_sum": "W_f", "input_sum": "W_i", "candidate_sum": "W_g", "output_sum": "W_o"}
    with torch.no_grad():
        for path, weight in old.weights.items():
            cell, node, last = path.split(".")
            new.weights[f"{cell}.{names[node]}.{last}"].copy_(weight)
    fields = {"inputs": torch.randn(2, 5, 3)}
    torch.testing.assert_close(old(fields).outputs["y"], new(fields).outputs["y"])


def test_a_changed_cell_makes_room_for_the_librarys_and_its_nodes_follow() -> None:
    design = changed(earlier(), "LSTM")
    edits, moved = library_cell(CATALOG, design, "LSTM")
    after = Compound(tuple(edits)).apply(design)
    assert moved == {"LSTM": "LSTM_2"}
    assert after.cells["LSTM"] == CATALOG.cells["LSTM"]
    assert after.cells["LSTM_2"].graph == design.cells["LSTM"].graph
    node = next(n for n in after.graph.nodes.values() if n.params["cell"] == "LSTM_2")
    assert node.id == next(n.id for n in design.graph.nodes.values() if n.params["cell"] == "LSTM")


def test_an_earlier_drawing_is_used_and_none_is_brought_beside_it() -> None:
    assert library_cell(CATALOG, earlier(), "BidirectionalLSTM") == ([], {})


def test_every_node_of_a_gated_cell_is_named_as_in_its_formula() -> None:
    for name, gates in (("LSTM", "figo"), ("GRU", "zr"), ("PeepholeLSTM", "figo"), ("ChildSumTreeLSTM", "figo")):
        cell = CATALOG.cells[name]
        for gate in gates:
            assert f"W_{gate}" in cell.formula
            node = cell.graph.nodes[f"W_{gate}"]
            assert node.kind == "Linear"
            assert node.title.startswith(f"W_{gate} x + U_{gate} h") or name == "ChildSumTreeLSTM"
            assert cell.graph.nodes[gate].kind in ("Sigmoid", "Tanh")


def test_a_parameter_that_reads_a_variable_counts() -> None:
    cell = CATALOG.cells["LSTM"]
    nodes = {**cell.graph.nodes, "W_f": Node("W_f", "Linear", frozen({"units": Var("units"), "terms": 2}))}
    assert not CATALOG.draws(cell.replace(graph=cell.graph.replace(nodes=frozen(nodes))))
