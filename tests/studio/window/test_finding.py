"""Finding one's way: F1 on a node, Ctrl+F, marks on cells with something wrong inside, messages that name nodes."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox

from rnnstudio.design.design import MAIN
from rnnstudio.design.edits import Disconnect
from rnnstudio.design.errors import StudioError
from tests.studio.window.hands import CTRL


def told(hands) -> str:
    box = hands.window.findChild(QMessageBox)
    text = box.text()
    box.close()
    return text


def test_f1_tells_formula_shapes_and_literature_of_the_selected_node(hands):
    hands.session.focus.select(("readout",))
    hands.window.help_action.trigger()
    text = told(hands)
    assert "W x" in text
    assert "[batch, time, 32]" in text
    assert "[batch, time, 27]" in text


def test_f1_on_a_cell_gives_its_source(hands, qapp):
    hands.session.focus.select(("lstm",))
    hands.window.help_action.trigger()
    text = told(hands)
    assert "Hochreiter" in text
    assert "<b>units</b></td><td>hidden</td>" in text


def test_f1_on_nothing_gives_the_keys(hands):
    hands.session.focus.select()
    hands.window.help_action.trigger()
    assert "Ctrl+F" in told(hands)


def test_ctrl_f_goes_to_a_node_in_a_cell(hands, qapp):
    hands.window.find_action.trigger()
    qapp.processEvents()
    hands.type("forget_sum")
    hands.key(Qt.Key.Key_Return)
    assert hands.session.focus.graph == "LSTM"
    assert hands.session.focus.nodes == ("forget_sum",)
    hands.window.find_action.trigger()
    hands.type("readout")
    hands.key(Qt.Key.Key_Return)
    assert hands.session.focus.graph == MAIN
    assert hands.session.focus.nodes == ("readout",)
    assert hands.window.find_action.shortcut().toString() == "Ctrl+F"


def test_a_cell_with_an_error_inside_is_marked_where_it_is_used(hands, qtbot):
    session, item = hands.session, hands.view.canvas.nodes["lstm"]
    assert item.severity == ""
    wire = next(w for w in session.design.cells["LSTM"].graph.wires if w.target.node == "forget")
    session.do(Disconnect((wire,), "LSTM"))
    qtbot.waitUntil(lambda: item.severity == "error")
    session.undo()
    qtbot.waitUntil(lambda: item.severity == "")


def test_a_message_leaves_a_nodes_name_as_it_is(hands, qtbot):
    hands.session.do(Disconnect(tuple(w for w in hands.graph.wires if w.source.node == "target")))
    qtbot.waitUntil(lambda: len(hands.window.problems.rows) > 1)
    told = [row.accessibleName() for row in hands.window.problems.rows]
    assert any(text.startswith("target leads to no loss") for text in told)


def test_a_new_run_closes_the_error_of_the_last_one_but_no_offer(window):
    window.show_error(StudioError("the training process was ended"))
    window.banner.forget_error()
    assert not window.banner.isVisible()
    window.banner.offer("Recover?", "There is a copy.", "Recover", lambda: None, lambda: None)
    window.banner.forget_error()
    assert window.banner.isVisible()


def test_ctrl_f_is_left_by_escape(hands):
    hands.window.find_action.trigger()
    hands.key(Qt.Key.Key_Escape, CTRL)
    assert hands.view.quick_add is None
