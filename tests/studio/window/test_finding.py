"""Finding one's way: F1 on a node, Ctrl+F, marks on cells with something wrong inside, messages that name nodes."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.design import MAIN, Design
from rnnstudio.design.edits import Disconnect, SetData, SetParam, SetTitle
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.studio.offers import offers, search
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
    assert "<b>Units</b></td><td>hidden</td>" in text


def test_f1_on_nothing_gives_the_keys(hands):
    hands.session.focus.select()
    hands.window.help_action.trigger()
    assert "Ctrl+F" in told(hands)


def test_ctrl_f_goes_to_a_node_in_a_cell(hands, qapp):
    hands.window.find_action.trigger()
    qapp.processEvents()
    hands.type("W_f")
    hands.key(Qt.Key.Key_Return)
    assert hands.session.focus.graph == "LSTM"
    assert hands.session.focus.nodes == ("W_f",)
    hands.window.find_action.trigger()
    hands.type("readout")
    hands.key(Qt.Key.Key_Return)
    assert hands.session.focus.graph == MAIN
    assert hands.session.focus.nodes == ("readout",)
    assert hands.window.find_action.shortcut().toString() == "Ctrl+F"


def test_a_cell_with_an_error_inside_is_marked_where_it_is_used(hands, qtbot):
    session, item = hands.session, hands.view.canvas.nodes["lstm"]
    assert item.severity == ""
    own = hands.view.commands.cells.copy_of("LSTM")
    wire = next(w for w in session.design.cells[own].graph.wires if w.target.node == "f")
    assert session.do(Disconnect((wire,), own))
    item = hands.view.canvas.nodes["lstm"]
    qtbot.waitUntil(lambda: item.severity == "missing")
    hands.window.train_action.trigger()
    qtbot.waitUntil(lambda: item.severity == "error")
    session.undo()
    qtbot.waitUntil(lambda: item.severity == "")


def test_a_message_leaves_a_nodes_name_as_it_is(hands, qtbot):
    hands.session.do(Disconnect(tuple(w for w in hands.graph.wires if w.source.node == "target")))
    qtbot.waitUntil(lambda: len(hands.window.problems.rows) > 1)
    told = [row.accessibleName() for row in hands.window.problems.rows]
    assert any(text.startswith("target leads to no loss") for text in told)


def test_a_message_leaves_a_nodes_title_as_it_is(hands, qtbot):
    hands.session.do(SetTitle("characters", "letters"))
    hands.session.do(SetParam("characters", "size", None))
    qtbot.waitUntil(lambda: bool(hands.window.problems.rows))
    told = [row.accessibleName() for row in hands.window.problems.rows]
    assert any(text.startswith("letters: the size of") for text in told), told


def test_the_place_of_a_problem_tells_a_nodes_title_too(hands, qtbot):
    hands.session.do(SetTitle("loss", "How wrong"))
    hands.session.do(SetParam("readout", "units", 3))
    qtbot.waitUntil(lambda: bool(hands.session.errors) and len(hands.window.problems.rows) == 1)
    labels = [label.text() for label in hands.window.problems.rows[0].findChildren(QLabel)]
    assert "loss (How wrong) · prediction" in labels


def test_a_drawing_that_cannot_be_trained_is_told_once(hands, qtbot):
    hands.session.do(SetParam("readout", "units", 3))
    told = []
    hands.session.failed.connect(told.append)
    live = hands.window.live.fill()
    hands.session.do(SetData(DataRecipe("text", "text.txt")))
    assert not live.train()
    assert "loss: the prediction scores 3 tokens" in told[0].what
    assert told[0].where == ""


def test_a_size_that_only_data_tells_leads_to_the_data(hands, qtbot):
    hands.session.do(SetParam("characters", "size", None))
    qtbot.waitUntil(lambda: any(row.load for row in hands.window.problems.rows))
    next(row.load for row in hands.window.problems.rows if row.load).click()
    qtbot.waitUntil(lambda: hands.window.docks["data"].widget().isVisible())


def test_an_empty_drawing_counts_no_problems(window):
    window.session.new()
    assert window.docks["problems"].windowTitle() == "Problems"


def test_a_new_run_closes_the_error_of_the_last_one_but_no_offer(window):
    window.show_error(StudioError("the training process was ended"))
    window.banner.forget_error()
    assert not window.banner.isVisible()
    window.banner.offer("Recover?", "There is a copy.", ("Recover", lambda: None))
    assert window.banner.property("offer"), "an offer looks like an error"
    window.banner.forget_error()
    assert window.banner.isVisible()
    window.show_error(StudioError("something else"))
    assert not window.banner.property("offer")


def test_ctrl_f_is_left_by_escape(hands):
    hands.window.find_action.trigger()
    hands.key(Qt.Key.Key_Escape, CTRL)
    assert hands.view.quick_add is None


@pytest.mark.parametrize(
    ("typed", "first"),
    [("lst", "LSTM"), ("att", "Attention"), ("soft", "Softmax"), ("gru", "GRU"), ("lin", "Linear"), ("lsm", "LSTM")],
)
def test_a_search_ranks_the_whole_its_beginning_a_word_and_a_part(typed: str, first: str) -> None:
    found = [offer.title for offer in search(typed, offers(standard(), Design()))]
    assert found[0] == first
    titled = [typed in title.lower() for title in found]
    assert titled == sorted(titled, reverse=True), "other names come behind titles"


def test_what_is_selected_on_the_canvas_is_shown_in_the_inspector(hands):
    hands.window.show_dock("problems")
    hands.click(hands.node("lstm"))
    QApplication.processEvents()
    assert not hands.window.inspector.visibleRegion().isEmpty()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("readout", ("", "readout")),
        ("cross-entropy", ("", "loss")),
        ("Embedding", ("", "embedding")),
        ("units hidden", ("", "lstm")),
        ("units 16", ("", "embedding")),
        ("size 27", ("", "target")),
        ("hidden", ("", "lstm")),
        ("W_f", ("LSTM", "W_f")),
    ],
)
def test_ctrl_f_finds_by_name_kind_and_parameter(hands, typed, found):
    hands.key(Qt.Key.Key_F, CTRL)
    hands.type(typed)
    hands.key(Qt.Key.Key_Return)
    assert (hands.session.focus.graph, *hands.session.focus.nodes) == found
