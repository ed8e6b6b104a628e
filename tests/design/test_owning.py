"""Copies of library cells, who follows them, and the way back."""

from __future__ import annotations

import pytest

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.design.cell_file import dumps_cell, loads_cell, loads_cells
from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetTitle
from rnnstudio.design.grouping import RenameCell
from rnnstudio.design.owning import inner_cells, own_copies, restored, stem, used_by, users

CATALOG = standard()


def two_lstms() -> Design:
    made = rnnstudio.new("net")
    x = made.add("FeatureInput", "x", size=3)
    first = made.add("LSTM", "lstm", units=4, x=x)
    made.add("BidirectionalLSTM", "both", units=4, x=made.add("LSTM", "lstm2", units=4, x=first))
    return made.design


def test_users_are_counted_in_the_drawing_and_in_cells() -> None:
    design = two_lstms()
    assert set(users(design, "LSTM")) == {
        *(("", "lstm"), ("", "lstm2")),
        *(("BidirectionalLSTM", "forward"), ("BidirectionalLSTM", "backward")),
    }
    assert used_by(design, "LSTM") == "used by 4 nodes"
    assert used_by(design, "BidirectionalLSTM") == "used by 1 node"


def test_a_copy_is_followed_by_the_designs_nodes_and_not_by_library_cells() -> None:
    design = two_lstms()
    edit, names = own_copies(design, ["LSTM"], CATALOG.draws, CATALOG.cells)
    after = edit.apply(design)
    assert names == {"LSTM": "LSTM_2"}
    assert users(after, "LSTM_2") == [("", "lstm"), ("", "lstm2")]
    assert {graph for graph, _ in users(after, "LSTM")} == {"BidirectionalLSTM"}
    assert after.cells["LSTM_2"].graph == design.cells["LSTM"].graph
    assert CATALOG.draws(after.cells["BidirectionalLSTM"])


def test_a_library_cell_that_nothing_uses_any_longer_goes() -> None:
    made = rnnstudio.new("net")
    made.add("GRU", "gru", x=made.add("FeatureInput", "x", size=3))
    edit, _ = own_copies(made.design, ["GRU"], CATALOG.draws)
    assert set(edit.apply(made.design).cells) == {"GRU_2"}


def test_a_copy_for_one_node_leaves_the_others_with_the_library() -> None:
    design = two_lstms()
    edit, _ = own_copies(design, ["LSTM"], CATALOG.draws, only=("", "lstm2"))
    after = edit.apply(design)
    assert after.graph.nodes["lstm"].params["cell"] == "LSTM"
    assert after.graph.nodes["lstm2"].params["cell"] == "LSTM_2"


def test_a_cell_inside_a_library_cell_is_copied_with_it() -> None:
    design = two_lstms()
    edit, names = own_copies(design, ["BidirectionalLSTM", "LSTM"], CATALOG.draws)
    after = edit.apply(design)
    inside = after.cells[names["BidirectionalLSTM"]].graph.nodes
    assert inside["forward"].params["cell"] == inside["backward"].params["cell"] == "LSTM_2"


def test_restoring_brings_the_library_back_for_every_node() -> None:
    design = two_lstms()
    edit, _ = own_copies(design, ["LSTM"], CATALOG.draws)
    copied = edit.apply(design)
    after = restored(copied, "LSTM_2", CATALOG.cells["LSTM"]).apply(copied)
    assert "LSTM_2" not in after.cells
    assert after.graph.nodes == design.graph.nodes


@pytest.mark.parametrize(
    ("name", "first"), [("LSTM_2", "LSTM"), ("LSTM", "LSTM"), ("My_cell", "My_cell"), ("_2", "_2")]
)
def test_the_name_of_which_a_copys_is_a_numbered_one(name: str, first: str) -> None:
    assert stem(name) == first


def test_titles_that_were_the_cells_name_follow_a_new_one() -> None:
    design = SetTitle("lstm2", "LSTM").apply(two_lstms())
    after = RenameCell("LSTM", "Memory").apply(design)
    assert after.graph.nodes["lstm"].title == "Memory"
    assert after.graph.nodes["lstm2"].title == "Memory"
    assert SetTitle("lstm", "mine").apply(design).graph.nodes["lstm"].title == "mine"
    again = RenameCell("Memory", "Lstm").apply(after)
    assert again.graph.nodes["lstm"].title == ""


def test_a_title_that_a_person_gave_stays() -> None:
    design = SetTitle("lstm", "the reader").apply(two_lstms())
    assert RenameCell("LSTM", "Memory").apply(design).graph.nodes["lstm"].title == "the reader"


def test_a_cell_file_holds_the_cells_inside_and_opens_as_before() -> None:
    design = two_lstms()
    edit, _ = own_copies(design, ["BidirectionalLSTM", "LSTM"], CATALOG.draws)
    after = edit.apply(design)
    cell = after.cells["BidirectionalLSTM_2"]
    inner = list(inner_cells(after, cell.name))
    assert [c.name for c in inner] == ["LSTM_2"]
    text = dumps_cell(cell, inner)
    assert dumps_cell(*_split(text)) == text
    assert loads_cell(text).extra == {}
    plain = dumps_cell(CATALOG.cells["GRU"])
    assert "cells" not in plain
    assert len(loads_cells(plain)) == 1


def _split(text: str):
    first, *inner = loads_cells(text)
    return first, inner
