"""Edits: what each does, what each refuses, and that everything can be taken back byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.design import Design, Node, Pin, Var, Wire, frozen
from rnnstudio.design.edits import (
    AddNode,
    Compound,
    Connect,
    Disconnect,
    Edit,
    MoveNodes,
    RemoveCell,
    RemoveNodes,
    RenameNode,
    SetCell,
    SetParam,
    SetTraining,
    SetVariable,
)
from rnnstudio.design.errors import StudioError
from rnnstudio.design.history import Change, Document, difference
from rnnstudio.design.storage import dumps, loads
from tests.design.changes import edits, simple_edits, start


@settings(max_examples=150, deadline=None)
@given(simple_edits)
def test_an_edit_and_its_inverse_leave_the_same_bytes(edit: Edit) -> None:
    before = start()
    try:
        after = edit.apply(before)
    except StudioError:
        assert dumps(before) == dumps(start())
        return
    assert dumps(edit.inverse(before).apply(after)) == dumps(before)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(edits, st.sampled_from(("", "", "drag"))), max_size=25))
def test_undo_all_and_redo_all_restore_the_file_byte_for_byte(sequence: list[tuple[Edit, str]]) -> None:
    document = Document(start())
    files = [dumps(document.design)]
    for edit, merge in sequence:
        before = document.design
        try:
            document.do(edit, merge=merge)
        except StudioError:
            assert document.design is before
        files.append(dumps(document.design))
    last = files[-1]
    steps = 0
    while document.undo():
        steps += 1
        assert dumps(document.design) in files
    assert dumps(document.design) == files[0]
    assert not document.dirty
    for _ in range(steps):
        assert document.redo()
    assert not document.redo()
    assert dumps(document.design) == last


@settings(max_examples=60, deadline=None)
@given(st.lists(edits, max_size=20))
def test_what_was_edited_is_read_back_as_it_was_written(sequence: list[Edit]) -> None:
    document = Document(start())
    for edit in sequence:
        try:
            document.do(edit)
        except StudioError:
            continue
    text = dumps(document.design)
    again = loads(text)
    assert dumps(again) == text
    assert again.graph.nodes == document.design.graph.nodes
    assert set(again.graph.wires) == set(document.design.graph.wires)
    assert again.cells.keys() == document.design.cells.keys()
    assert again.data == document.design.data


def test_a_drag_of_many_moves_is_undone_in_one_step() -> None:
    document = Document(start())
    document.do(SetVariable("hidden", 8))
    for x in range(30):
        document.do(MoveNodes({"a": (x, 2.0 * x)}), merge="drag a")
    document.seal()
    document.do(MoveNodes({"a": (99.0, 0.0)}), merge="drag a")
    assert document.design.graph.nodes["a"].x == 99.0
    document.undo()
    assert (document.design.graph.nodes["a"].x, document.design.graph.nodes["a"].y) == (29.0, 58.0)
    document.undo()
    assert document.design.graph.nodes["a"].x == 0.0
    assert document.design.variables["hidden"] == 8
    document.redo()
    assert document.design.graph.nodes["a"].x == 29.0


def test_a_new_edit_forgets_what_was_undone() -> None:
    document = Document(start())
    document.do(SetVariable("hidden", 8))
    document.undo()
    assert document.redo_title == "Set hidden"
    document.do(SetVariable("hidden", 9))
    assert not document.redo()
    assert document.design.variables["hidden"] == 9


def test_watchers_see_each_change_with_before_and_after() -> None:
    document = Document(start())
    seen: list[Change] = []
    end = document.subscribe(seen.append)
    edit = RenameNode("a", "renamed")
    document.do(edit)
    document.undo()
    end()
    document.do(SetVariable("hidden", 5))
    assert seen[0].edit is edit
    assert [("renamed" in c.before.graph.nodes, "renamed" in c.after.graph.nodes) for c in seen] == [
        (False, True),
        (True, False),
    ]


def test_a_document_is_dirty_until_it_is_saved_and_clean_again_when_undone_to_there() -> None:
    document = Document(start())
    document.do(SetVariable("hidden", 5))
    assert document.dirty
    document.saved()
    assert not document.dirty
    document.do(SetVariable("hidden", 6))
    document.undo()
    assert not document.dirty


def test_an_edit_that_does_not_fit_says_why_and_changes_nothing() -> None:
    document = Document(start())
    before = document.design
    taken = Wire(Pin("c", "out"), Pin("b", "x"))
    for edit, why in (
        (AddNode(Node("a", "Tanh")), "“a”"),
        (AddNode(Node("no good", "Tanh")), "“no good”"),
        (AddNode(Node("a.b", "Tanh")), "“a.b”"),
        (AddNode(Node("t", "Tanh"), "Nowhere"), "“Nowhere”"),
        (RemoveNodes(("missing",)), "“missing”"),
        (Connect(Wire(Pin("missing", "out"), Pin("b", "x"))), "“missing”"),
        (Connect(taken, replace=False), "b.x is connected already"),
        (Disconnect((taken,)), "c.out → b.x"),
        (RenameNode("a", "b"), "“b”"),
        (RenameNode("a", "3x"), "“3x”"),
        (SetVariable("hidden", None), "still read by b"),
        (RemoveCell("GRU"), "used by b"),
        (Compound((SetVariable("hidden", 5), RemoveNodes(("missing",)))), "“missing”"),
    ):
        with pytest.raises(StudioError, match=why):
            document.do(edit)
        assert document.design is before
    assert document.undo_title == ""


def test_a_wire_to_a_taken_input_replaces_the_wire_there() -> None:
    design = Connect(Wire(Pin("c", "out"), Pin("b", "x"))).apply(start())
    assert [str(w) for w in design.graph.wires_into("b")] == ["c.out → b.x"]


def test_a_renamed_node_keeps_its_wires_and_its_place_in_the_drawing() -> None:
    design = RenameNode("b", "encoder").apply(start())
    assert list(design.graph.nodes) == ["a", "encoder", "c"]
    assert {str(w) for w in design.graph.wires} == {"a.out → encoder.x", "encoder.h → c.input"}


def test_a_port_of_a_cell_keeps_its_wires_outside_when_it_is_renamed() -> None:
    design = RenameNode("x", "signal", "GRU").apply(start())
    assert "a.out → b.signal" in {str(w) for w in design.graph.wires}
    assert "signal.out → W.input" in {str(w) for w in design.cells["GRU"].graph.wires}


def test_removing_a_node_takes_its_wires_along() -> None:
    design = RemoveNodes(("b",)).apply(start())
    assert design.graph.wires == ()


def test_a_parameter_set_to_nothing_goes_back_to_its_default() -> None:
    design = SetParam("a", "size", None).apply(start())
    assert "size" not in design.graph.nodes["a"].params
    design = SetTraining({"epochs": 3}).apply(design)
    assert SetTraining({"epochs": None}).apply(design).training == {}


def test_a_cell_inside_a_cell_cannot_be_removed() -> None:
    inner = standard().cells["RNN"]
    holder = inner.replace(
        name="Holder",
        graph=inner.graph.replace(nodes=frozen({"n": Node("n", "cell", frozen({"cell": "RNN"}))}), wires=()),
    )
    design = SetCell(holder).apply(start())
    with pytest.raises(StudioError, match="used by n"):
        RemoveCell("RNN").apply(design)


def test_the_difference_of_two_graphs_names_just_what_changed() -> None:
    before = start()
    after = Compound(
        (
            AddNode(Node("d", "Tanh")),
            SetParam("a", "size", 5),
            RemoveNodes(("c",)),
            Connect(Wire(Pin("b", "h"), Pin("d", "input"))),
        )
    ).apply(before)
    found = difference(before.graph, after.graph)
    assert [n.id for n in found.added] == ["d"]
    assert [n.id for n in found.removed] == ["c"]
    assert [n.id for n in found.changed] == ["a"]
    assert [str(w) for w in found.wires_added] == ["b.h → d.input"]
    assert [str(w) for w in found.wires_removed] == ["b.h → c.input"]
    assert difference(before.graph, start().graph.replace(nodes=before.graph.nodes)).empty


def test_every_edit_has_a_title_for_the_menu() -> None:
    assert SetVariable("hidden", 3).title == "Set hidden"
    assert RemoveNodes(("a", "b")).title == "Delete 2 nodes"
    assert Compound((SetVariable("hidden", 3),)).title == "Set hidden"
    assert Compound(()).title == "Nothing"
    assert Connect(Wire(Pin("a", "out"), Pin("b", "x"))).title == "Connect"


def test_a_design_is_a_value_that_nothing_can_change() -> None:
    design = start()
    with pytest.raises(TypeError):
        design.variables["hidden"] = 9  # type: ignore[index]
    with pytest.raises(TypeError):
        design.graph.nodes["a"].params["size"] = 9  # type: ignore[index]
    with pytest.raises(AttributeError):
        design.name = "other"  # type: ignore[misc]
    assert Design().graph.nodes == {}
    assert str(Var("hidden")) == "hidden"
