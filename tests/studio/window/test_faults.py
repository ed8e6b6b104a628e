"""Faults that hands once found on the canvas, each for its whole kind."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.design.design import Pin, Wire
from rnnstudio.design.edits import MoveNodes
from tests.studio.window.hands import CTRL, LEFT, Hands

RIGHT = Qt.MouseButton.RightButton


def body(hands: Hands, key: str) -> list[QPointF]:
    """Nine places all over a node."""
    item = hands.view.canvas.nodes[key]
    rect = item.shape_.rect.translated(item.pos())
    return [
        QPointF(rect.left() + rect.width() * x, rect.top() + rect.height() * y)
        for x in (0.3, 0.5, 0.7)
        for y in (0.15, 0.5, 0.85)
    ]


@pytest.mark.parametrize("zoom", [0.3, 0.6, 1.0, 2.0])
def test_a_click_on_a_node_selects_that_node_however_close_others_are(hands, zoom):
    """It once took a port of the neighbour within 11 pixels, and with it the neighbour, which Delete then removed."""
    item, other = hands.view.canvas.nodes["readout"], hands.view.canvas.nodes["lstm"]
    gap = (item.shape_.rect.width() + other.shape_.rect.width()) / 2 + 2
    hands.session.do(MoveNodes({"readout": (other.pos().x() + gap, other.pos().y())}))
    hands.view.set_zoom(zoom)
    for key in ("readout", "lstm"):
        for place in body(hands, key):
            hands.view._put(place, QPointF(300, 300))
            hands.session.focus.select()
            hands.click(hands.where(place))
            assert hands.session.focus.nodes == (key,), place
            marked = [k for k, n in hands.view.canvas.nodes.items() if n.selected]
            assert marked == [key]
    before = set(hands.graph.nodes)
    hands.key(Qt.Key.Key_Delete)
    assert before - set(hands.graph.nodes) == {"lstm"}


@pytest.mark.parametrize("keep", ["lstm.h", "readout.out", "embedding.out"])
def test_a_box_begun_beside_a_wire_leaves_it(hands, keep):
    line = next(w for w in hands.graph.wires if str(w.source) == keep)
    path = hands.view.canvas.wires[line].path
    before = hands.session.design
    for part in (0.35, 0.5, 0.65):
        for aside in (4, 6, 9):
            at = hands.where(path.pointAtPercent(part)) + QPoint(0, aside)
            hands.drag(at, at + QPoint(70, 90))
            assert hands.session.design is before
            assert hands.view.quick_add is None


def test_a_dragged_node_passes_over_others(hands):
    canvas = hands.view.canvas
    begin = hands.node("characters")
    hands.drag(begin, hands.node("lstm"), release=False)
    held, under = canvas.nodes["characters"], canvas.nodes["lstm"]
    assert canvas.items(under.pos() + QPointF(0, under.shape_.rect.top() + 8)).index(held) < canvas.items(
        under.pos() + QPointF(0, under.shape_.rect.top() + 8)
    ).index(under)
    hands.key(Qt.Key.Key_Escape)
    hands.release(begin)
    assert held.zValue() == under.zValue()


def test_a_gesture_whose_release_went_elsewhere_ends_with_the_next_move(hands):
    begin = hands.node("embedding")
    hands.drag(begin, begin + QPoint(0, 80), release=False)
    QTest.mouseRelease(hands.window.palette_panel, LEFT)
    hands.move(begin + QPoint(40, 120))
    assert hands.view.gesture is None
    assert hands.view.canvas.nodes["embedding"].pos() == QPointF(
        hands.graph.nodes["embedding"].x, hands.graph.nodes["embedding"].y
    )


@pytest.mark.parametrize(
    ("key", "held"),
    [
        *((Qt.Key.Key_Z, CTRL), (Qt.Key.Key_D, CTRL), (Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier)),
        *((Qt.Key.Key_G, CTRL), (Qt.Key.Key_L, CTRL), (Qt.Key.Key_Backspace, Qt.KeyboardModifier.NoModifier)),
    ],
)
@pytest.mark.parametrize("what", ["node", "wire", "box", "stroke"])
def test_a_gesture_lets_go_when_the_drawing_changes_under_it(hands, what, key, held):
    """A wire that was drawn while Ctrl+D made a node looked for the ports of a node that it did not know."""
    hands.session.focus.enter("LSTM", "lstm")
    hands.window.acts["make_editable"].trigger()
    hands.view.frame_all()
    name = next(k for k, n in hands.graph.nodes.items() if n.kind == "Multiply")
    hands.session.focus.select((name,))
    corner = hands.screen.rect().bottomRight() - QPoint(20, 20)
    begin, button, keys = {
        "node": (hands.node(name), LEFT, Qt.KeyboardModifier.NoModifier),
        "wire": (hands.port(f"{name}.out", False), LEFT, Qt.KeyboardModifier.NoModifier),
        "box": (QPoint(8, 8), LEFT, Qt.KeyboardModifier.ShiftModifier),
        "stroke": (QPoint(8, 8), RIGHT, CTRL),
    }[what]
    hands.drag(begin, corner, button, keys, release=False)
    hands.key(key, held)
    changed = hands.session.design
    hands.move(corner - QPoint(50, 50))
    hands.release(corner - QPoint(50, 50), button, keys)
    if hands.view.quick_add is not None:
        hands.key(Qt.Key.Key_Escape)
    canvas = hands.view.canvas
    assert hands.session.design is changed or what in ("node", "stroke")
    assert set(canvas.nodes) == set(hands.graph.nodes)
    assert set(hands.session.focus.nodes) <= set(hands.graph.nodes)
    assert {*canvas.nodes.values(), *canvas.wires.values(), *canvas.frames.values()} == set(canvas.items())
    assert all(item.refused is None for item in canvas.nodes.values())
    assert all(item.isVisible() for item in canvas.wires.values())


def test_a_name_being_typed_is_left_when_its_node_goes(hands):
    hands.drop("kind:Tanh", QPoint(60, 60))
    hands.session.focus.select(("tanh",))
    hands.key(Qt.Key.Key_F2)
    hands.type("squash")
    hands.session.undo()
    QApplication.processEvents()
    assert "tanh" not in hands.graph.nodes
    assert hands.view.renaming is None
    assert hands.view.hasFocus()


def test_a_search_for_what_fits_closes_when_its_port_goes(hands):
    hands.drop("kind:Dropout", QPoint(60, 60))
    hands.drag(hands.port("dropout.out", False), QPoint(300, 60))
    assert hands.view.quick_add is not None
    hands.key(Qt.Key.Key_Z, CTRL)
    assert "dropout" not in hands.graph.nodes, "an empty field has nothing of its own to take back"
    assert hands.view.quick_add is None


def test_pasting_from_an_empty_clipboard_does_nothing(hands, qapp):
    qapp.clipboard().clear()
    before = hands.session.design
    hands.key(Qt.Key.Key_V, CTRL)
    hands.key(Qt.Key.Key_V, CTRL | Qt.KeyboardModifier.ShiftModifier)
    assert hands.session.design is before
    assert not hands.window.banner.isVisible()


def test_a_cell_is_left_though_the_node_it_was_entered_by_is_gone(hands):
    hands.drop("cell:GRU", QPoint(60, 60))
    hands.session.focus.select(("gru",))
    hands.key(Qt.Key.Key_D, CTRL)
    hands.session.focus.select(("gru2",))
    hands.key(Qt.Key.Key_Return)
    assert hands.session.focus.graph == "GRU"
    hands.key(Qt.Key.Key_Z, CTRL)
    assert "gru2" not in hands.session.design.graph.nodes
    hands.key(Qt.Key.Key_Backspace)
    assert hands.session.focus.graph == ""
    assert set(hands.session.focus.nodes) <= set(hands.graph.nodes)


def test_going_to_a_panel_by_keys_breaks_nothing_when_its_form_is_made_anew(hands):
    """PySide took the widget after the inspector, the canvas's, for a part of the form, and for deleted with it."""
    hands.key(Qt.Key.Key_3, CTRL)
    hands.session.focus.select(("lstm",))
    QApplication.processEvents()
    hands.session.focus.select(("loss",))
    hands.session.do(MoveNodes({"loss": (10.0, 10.0)}))
    assert hands.window.empty.under.width() > 0
    assert Wire(Pin("lstm", "h"), Pin("readout", "input")) in hands.graph.wires


def test_undoing_a_new_cell_from_within_shows_every_node_once(hands):
    """The change that takes the shown cell away also brings back nodes of the graph that is shown then."""
    hands.session.focus.select(("embedding", "lstm"))
    hands.key(Qt.Key.Key_G, CTRL)
    hands.key(Qt.Key.Key_Return)
    assert hands.session.focus.graph == "Cell"
    hands.key(Qt.Key.Key_Z, CTRL)
    canvas = hands.view.canvas
    assert hands.session.focus.graph == ""
    assert {*canvas.nodes.values(), *canvas.wires.values(), *canvas.frames.values()} == set(canvas.items())
