"""What two designs differ by, in words and by place."""

from __future__ import annotations

from rnnstudio.design.comparing import compare, compare_drawings, united
from rnnstudio.design.design import MAIN, Design, Frame, Node, Pin, Var, Wire, frozen
from rnnstudio.design.edits import (
    AddNode,
    Compound,
    Connect,
    Disconnect,
    Edit,
    MoveNodes,
    RemoveNodes,
    SetFrames,
    SetName,
    SetParam,
    SetTitle,
    SetTraining,
    SetVariable,
)
from tests.studio.window.hands import language_model

BEFORE = language_model()


def after(*edits: Edit) -> Design:
    return Compound(tuple(edits)).apply(BEFORE)


def test_a_design_does_not_differ_from_itself() -> None:
    assert not compare(BEFORE, BEFORE)
    assert not compare(BEFORE, language_model())


def test_nodes_and_wires_are_told_by_name() -> None:
    wire = Wire(Pin("lstm", "h"), Pin("readout", "input"))
    made = after(
        AddNode(Node("drop", "Dropout", frozen({"rate": 0.5}))),
        Disconnect((wire,)),
        Connect(Wire(Pin("lstm", "h"), Pin("drop", "input"))),
        Connect(Wire(Pin("drop", "out"), Pin("readout", "input"))),
        SetParam("embedding", "units", 24),
        SetParam("lstm", "forget_bias", 2.0),
        SetTitle("loss", "what it costs"),
        MoveNodes({"target": (5.0, 5.0)}),
    )
    found = compare(BEFORE, made)
    drawing = found.drawings[MAIN]
    assert drawing.added == ("drop",)
    assert drawing.removed == ()
    assert drawing.changed == {
        "embedding": ("units 16 → 24",),
        "lstm": ("forget_bias = 2",),
        "loss": ("title “” became “what it costs”",),
    }
    assert drawing.moved == ("target",)
    assert drawing.wires_removed == (wire,)
    assert len(drawing.wires_added) == 2
    told = dict(drawing.lines())
    assert told["drop added"] == "drop"
    assert told["wire lstm.h → readout.input removed"] == "readout"
    back = compare(made, BEFORE).drawings[MAIN]
    assert (back.removed, back.added) == (("drop",), ())
    assert set(back.wires_added) == {wire}


def test_a_removed_node_takes_its_wires_along() -> None:
    drawing = compare(BEFORE, after(RemoveNodes(("loss",)))).drawings[MAIN]
    assert drawing.removed == ("loss",)
    assert {wire.target.node for wire in drawing.wires_removed} == {"loss"}


def test_what_is_no_drawing_is_told_too() -> None:
    made = after(
        SetName("mine"),
        SetVariable("hidden", 64),
        SetTraining({"epochs": 3}),
        SetFrames((Frame("f", "all of it", 0, 0, 10, 10),)),
    )
    found = compare(BEFORE, made)
    assert found.settings == ("name: “model” → “mine”", "variable hidden 32 → 64", "training: epochs = 3")
    assert found.drawings[MAIN].frames == ("all of it",)


def test_cells_are_compared_inside_and_as_a_whole() -> None:
    changed = after(SetParam("W_f", "bias", False, "LSTM"))
    assert compare(BEFORE, changed).drawings["LSTM"].changed == {"W_f": ("bias = False",)}
    without = BEFORE.replace(cells=frozen({}))
    assert compare(BEFORE, without).cells_removed == ("LSTM",)
    assert compare(without, BEFORE).cells_added == ("LSTM",)
    cell = BEFORE.cells["LSTM"]
    other = BEFORE.replace(cells=frozen({"LSTM": cell.replace(params=frozen({"units": 12, "forget_bias": Var("b")}))}))
    assert "cell LSTM: units 128 → 12" in compare(BEFORE, other).settings


def test_both_in_one_holds_every_node_and_wire_of_either() -> None:
    made = after(RemoveNodes(("target",)), AddNode(Node("more", "Tanh")))
    both = united(BEFORE.graph, made.graph)
    assert set(both.nodes) == {*BEFORE.graph.nodes, "more"}
    assert set(both.wires) == {*BEFORE.graph.wires, *made.graph.wires}
    assert compare_drawings(made.graph, both).added == ("target",)
