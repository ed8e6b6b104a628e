"""What comes from another design or a file takes nobody's name, and what is equal is not doubled."""

from __future__ import annotations

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.design.bringing import bring, bring_variables
from rnnstudio.design.cell_file import save_cell
from rnnstudio.design.design import CellDefinition, Design, frozen
from rnnstudio.design.edits import Compound


def cell(name: str, inner: str = "", note: str = "") -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    s.add("mid", "cell" if inner else "Tanh", at=(1, 0), params={"cell": inner} if inner else {}, input="x")
    s.add("h", "CellOutput", at=(2, 0), input="mid")
    return CellDefinition(name, s.graph(), doc=note)


def brought(cells: dict[str, CellDefinition], design: Design):
    found = bring(cells, design)
    return found, Compound(tuple(found.edits)).apply(design)


def test_a_changed_cell_of_a_taken_name_comes_under_another():
    design = Design(cells=frozen({"LSTM": cell("LSTM")}))
    found, after = brought({"LSTM": cell("LSTM", note="changed")}, design)
    assert found.renamed == {"LSTM": "LSTM_2"}
    assert after.cells["LSTM"] == design.cells["LSTM"]
    assert after.cells["LSTM_2"].doc == "changed"
    assert after.cells["LSTM_2"].name == "LSTM_2"


def test_equal_cells_are_shared_also_with_one_that_was_renamed_before():
    design = Design(cells=frozen({"LSTM": cell("LSTM")}))
    changed = {"LSTM": cell("LSTM", note="changed")}
    _, once = brought(changed, design)
    again, twice = brought(changed, once)
    assert again.edits == []
    assert again.renamed == {"LSTM": "LSTM_2"}
    assert twice == once
    assert brought({"LSTM": cell("LSTM")}, design)[0].edits == []


def test_cells_inside_follow_and_so_do_those_around_them():
    theirs = {"Outer": cell("Outer", inner="Inner"), "Inner": cell("Inner", note="changed")}
    design = Design(cells=frozen({"Outer": cell("Outer", inner="Inner"), "Inner": cell("Inner")}))
    found, after = brought(theirs, design)
    assert found.renamed == {"Inner": "Inner_2", "Outer": "Outer_2"}, "equal to the eye, but another is inside"
    assert after.cells["Outer_2"].graph.nodes["mid"].params["cell"] == "Inner_2"
    assert after.cells["Outer"].graph.nodes["mid"].params["cell"] == "Inner"


def test_a_variable_of_another_value_comes_under_another_name():
    added, renamed = bring_variables({"hidden": 64, "depth": 2, "rate": 1}, {"hidden": 32, "depth": 2})
    assert added == {"hidden_2": 64, "rate": 1}
    assert renamed == {"hidden": "hidden_2"}
    assert bring_variables({"hidden": 64}, {"hidden": 32, "hidden_2": 64}) == ({}, {"hidden": "hidden_2"})


def test_python_brings_a_cell_file_without_taking_a_name(tmp_path):
    drawing = rnnstudio.new()
    lstm = standard().cells["LSTM"]
    drawing.bring(lstm)
    save_cell(lstm.replace(doc="changed"), tmp_path / "mine.rnncell")
    assert drawing.bring(tmp_path / "mine.rnncell") == "LSTM_2"
    assert drawing.bring(tmp_path / "mine.rnncell") == "LSTM_2"
    assert set(drawing.design.cells) == {"LSTM", "LSTM_2"}
    assert drawing.design.cells["LSTM"] == lstm
