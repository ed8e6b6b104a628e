"""The inspector's form: what is typed becomes an edit, or says why not."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.design.design import Design, Node, Pin, Var, Wire, frozen
from rnnstudio.design.edits import AddNode, Connect, SetParam, SetShared
from rnnstudio.studio.panels.axis_form import AxisForm
from rnnstudio.studio.panels.design_form import DesignForm
from rnnstudio.studio.panels.fields import MIXED, NumberField
from rnnstudio.studio.panels.node_form import NodeForm
from tests.studio.window.hands import SHIFT, Hands


def form(hands: Hands) -> NodeForm:
    found = hands.window.inspector.form
    assert isinstance(found, NodeForm)
    return found


def number(hands: Hands, name: str) -> NumberField:
    field = form(hands).fields[name]
    assert isinstance(field, NumberField)
    return field


def type_into(edit, text: str) -> None:
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)
    QApplication.processEvents()


def test_a_number_is_set_and_undone(hands):
    hands.click(hands.node("readout"))
    type_into(number(hands, "units").edit, "64")
    assert hands.graph.nodes["readout"].params["units"] == 64
    hands.window.undo_action.trigger()
    assert hands.graph.nodes["readout"].params["units"] == 27
    assert number(hands, "units").edit.text() == "27"


def test_a_variables_name_is_a_value_and_is_resolved(hands):
    hands.click(hands.node("readout"))
    field = number(hands, "units")
    type_into(field.edit, "hidden")
    assert hands.graph.nodes["readout"].params["units"] == Var("hidden")
    assert field.resolved.text() == "= 32"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("0", "at least 1"), ("nosuch", "no variable"), ("1.5", "whole number"), ("12 px", "whole number"), ("", "whole")],
)
def test_wrong_input_says_why_and_changes_nothing(hands, text, reason):
    hands.click(hands.node("readout"))
    before = hands.session.design
    field = number(hands, "units")
    if text:
        type_into(field.edit, text)
    else:
        field.edit.lineEdit().clear()
        QTest.keyClick(field.edit, Qt.Key.Key_Return)
    assert hands.session.design is before
    assert field.reason.isVisible()
    assert reason in field.reason.text()


def test_nobody_is_asked_for_what_changes_nothing(hands):
    hands.click(hands.node("readout"))
    fields = form(hands).fields
    assert fields["init"].isVisibleTo(form(hands))
    assert not fields["init2"].isVisibleTo(form(hands))
    hands.session.do(SetParam("readout", "terms", 2))
    assert form(hands).fields["init2"].isVisibleTo(form(hands))
    assert not form(hands).fields["density"].isVisibleTo(form(hands))
    hands.session.do(SetParam("readout", "init", "spectral_radius"))
    assert form(hands).fields["density"].isVisibleTo(form(hands))


def test_steps_of_a_number_undo_as_one(hands):
    hands.click(hands.node("readout"))
    edit = number(hands, "units").edit
    edit.setFocus()
    for _ in range(4):
        QTest.keyClick(edit, Qt.Key.Key_Up)
    assert hands.graph.nodes["readout"].params["units"] == 31
    hands.window.undo_action.trigger()
    assert hands.graph.nodes["readout"].params["units"] == 27


def test_the_default_is_not_written_into_the_file(hands):
    hands.click(hands.node("readout"))
    type_into(number(hands, "units").edit, "128")
    assert "units" not in hands.graph.nodes["readout"].params


def test_a_node_is_renamed_and_stays_selected(hands):
    hands.click(hands.node("readout"))
    type_into(form(hands).name.edit, "scores")
    assert "scores" in hands.graph.nodes
    assert hands.session.focus.nodes == ("scores",)
    assert any(w.source.node == "scores" for w in hands.graph.wires)
    assert form(hands).name.edit.text() == "scores"


@pytest.mark.parametrize("text", ["loss", "two words", "1st"])
def test_a_name_that_cannot_be_is_refused(hands, text):
    hands.click(hands.node("readout"))
    before = hands.session.design
    type_into(form(hands).name.edit, text)
    assert hands.session.design is before
    assert form(hands).name.reason.isVisible()


def test_a_tick_and_a_choice_are_edits(hands):
    hands.click(hands.node("readout"))
    fields = form(hands).fields
    box = fields["bias"].box
    assert isinstance(box, QCheckBox)
    box.click()
    assert hands.graph.nodes["readout"].params["bias"] is False
    combo = fields["init"].box
    combo.setCurrentText("orthogonal")
    combo.activated.emit(combo.currentIndex())
    assert hands.graph.nodes["readout"].params["init"] == "orthogonal"


def test_several_nodes_show_and_set_what_they_have_in_common(hands):
    hands.drop("kind:Linear", hands.where(hands.view.canvas.bounds().center() + QPointF(0, 260)))
    hands.click(hands.node("linear"))
    hands.click(hands.node("readout"), keys=SHIFT)
    field = number(hands, "units")
    assert field.value is MIXED
    type_into(field.edit, "48")
    assert {hands.graph.nodes[k].params["units"] for k in ("linear", "readout")} == {48}
    hands.window.undo_action.trigger()
    assert hands.graph.nodes["readout"].params["units"] == 27


def test_a_cells_own_parameters_are_set_at_its_node(hands):
    hands.click(hands.node("lstm"))
    type_into(number(hands, "forget_bias").edit, "2.5")
    assert hands.graph.nodes["lstm"].params["forget_bias"] == 2.5


def test_the_ports_show_their_shapes(hands):
    hands.click(hands.node("lstm"))
    assert "[batch, time, 32]" in form(hands).ports.text()
    assert "optional" in form(hands).ports.text()


def test_variables_are_added_changed_and_removed(hands):
    hands.click(hands.where(hands.view.canvas.bounds().bottomLeft()) + hands.view.viewport().rect().center() / 6)
    design_form = hands.window.inspector.form
    assert isinstance(design_form, DesignForm)
    design_form.new_name.setText("width = 12")
    QTest.keyClick(design_form.new_name, Qt.Key.Key_Return)
    assert hands.session.design.variables["width"] == 12
    field = design_form.values["width"]
    assert isinstance(field, NumberField)
    type_into(field.edit, "13")
    assert hands.session.design.variables["width"] == 13
    design_form._set("width", None, False)
    assert "width" not in hands.session.design.variables
    # One that is read is not removed, and the reason is told.
    design_form._set("hidden", None, False)
    assert "hidden" in hands.session.design.variables
    assert "still read" in hands.window.banner.what.text()


def test_changing_a_variable_changes_the_shapes_on_the_wires(hands):
    hands.session.focus.select()
    design_form = hands.window.inspector.form
    assert isinstance(design_form, DesignForm)
    type_into(design_form.values["hidden"].edit, "48")
    hands.view.canvas.take(hands.session.checked)
    assert any(item.text == "[batch, time, 48]" for item in hands.view.canvas.wires.values())


def test_how_an_axis_runs_is_an_edit(hands):
    hands.session.focus.select()
    design_form = hands.window.inspector.form
    assert isinstance(design_form, DesignForm)
    form = design_form._boxes["time"]
    form.carry.setCurrentIndex(1)
    form.carry.activated.emit(1)
    assert hands.session.design.axis("time").carry is True
    form.chunk.setValue(35)
    assert hands.session.design.axis("time").chunk == 35
    form.kind.setCurrentIndex(1)
    form.kind.activated.emit(1)
    assert hands.session.design.axis("time").kind == "tree"
    assert not form.chunk.isVisibleTo(form)
    hands.session.undo()
    assert form.kind.currentData() == "sequence"


def test_a_tree_lstm_is_drawn_anew_for_another_number_of_children(hands):
    hands.session.new()
    offer = next(o for o in hands.window.palette_panel.offers() if o.title == "N-ary Tree-LSTM")
    hands.view.add_offer(offer, QPointF(0, 0))
    (name,) = hands.graph.nodes
    hands.click(hands.node(name))
    type_into(number(hands, "units").edit, "7")
    type_into(number(hands, "children").edit, "5")
    node = hands.graph.nodes[name]
    assert dict(node.params) == {"cell": "NaryTreeLSTM5", "units": 7}
    assert list(hands.session.design.cells) == ["NaryTreeLSTM5"]
    assert number(hands, "children").edit.text() == "5"
    hands.session.focus.enter("NaryTreeLSTM5", name)
    slots = {n.params["slot"] for n in hands.graph.nodes.values() if n.kind == "Children"}
    assert slots == {0, 1, 2, 3, 4}
    hands.session.focus.leave()
    hands.session.undo()
    assert list(hands.session.design.cells) == ["BinaryTreeLSTM"]


def test_a_number_of_children_that_cannot_be_drawn_is_refused_at_the_field(hands):
    hands.session.new()
    offer = next(o for o in hands.window.palette_panel.offers() if o.title == "N-ary Tree-LSTM")
    hands.view.add_offer(offer, QPointF(0, 0))
    (name,) = hands.graph.nodes
    hands.click(hands.node(name))
    before = hands.session.design
    type_into(number(hands, "children").edit, "0")
    assert hands.session.design is before


def test_who_shares_the_weights_and_whose_settings_hold_is_told(hands, qtbot):
    session = hands.session
    session.do(AddNode(Node("tied", "Linear", frozen({"units": 65}), 900, 300, shared="readout")))
    session.do(Connect(Wire(Pin("lstm", "h"), Pin("tied", "input"))))
    session.do(AddNode(Node("result", "Output", x=1100, y=300)))
    session.do(Connect(Wire(Pin("tied", "out"), Pin("result", "input"))))
    session.do(SetParam("tied", "units", session.design.graph.nodes["readout"].params["units"]))
    session.focus.select(("tied",))
    qtbot.waitUntil(lambda: form(hands).sharing.text() == "Shared with readout")
    session.do(SetParam("tied", "frozen", True))
    qtbot.waitUntil(lambda: "only tied freezes them" in form(hands).sharing.text())
    session.do(SetShared("tied", ""))
    qtbot.waitUntil(lambda: not form(hands).sharing.isVisible())


def test_a_second_name_of_an_axis_has_no_settings_of_its_own(hands):
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": 4})
    s.add("again", "RenameAxis", at=(1, 1), input="x")
    s.add("look", "Attention", at=(2, 0), params={"score": "dot", "causal": True}, query="x", keys="again")
    s.add("y", "Output", at=(3, 0), input="look")
    hands.window.session.new(Design(graph=s.graph()))
    QApplication.processEvents()
    design_form = hands.window.inspector.form
    assert isinstance(design_form, DesignForm)
    shown = [form.name for form in design_form.findChildren(AxisForm) if form.isVisibleTo(design_form)]
    assert shown == ["time"]
