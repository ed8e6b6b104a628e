"""Guides while nodes are dragged: ports, edges and middles fall in line, and Alt leaves them free."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from rnnstudio.design import storage
from rnnstudio.design.design import Node, Pin, Wire
from rnnstudio.design.edits import AddNode, Connect, MoveNodes
from rnnstudio.studio.canvas.guides import PULL, GuideLines
from tests.studio.window.hands import LEFT, Hands

ALT = Qt.KeyboardModifier.AltModifier
READ = Wire(Pin("lstm", "h"), Pin("readout", "input"))


def alone(hands: Hands) -> None:
    """The LSTM and its readout, one far away from the other, at 100 %."""
    hands.session.do(MoveNodes({"lstm": (0.0, 0.0), "readout": (300.0, 41.0)}))
    far = {key: (-2000.0, 900.0 + 200 * i) for i, key in enumerate(("characters", "embedding", "target", "loss"))}
    hands.session.do(MoveNodes(far))
    hands.view.set_zoom(1.0)
    hands.view.look_at(QPointF(150, 0))


def lines(hands: Hands) -> list:
    """The guides on the canvas."""
    return [line for item in hands.view.canvas.items() if isinstance(item, GuideLines) for line in item.lines]


def drag(hands: Hands, key: str, by: QPointF, keys=Qt.KeyboardModifier.NoModifier) -> None:
    """As far as the last move; the button stays down."""
    begin = hands.node(key)
    hands.press(begin, LEFT, keys)
    end = begin + QPoint(round(by.x() * hands.view.zoom), round(by.y() * hands.view.zoom))
    for i in range(1, 6):
        hands.glide(begin + (end - begin) * i / 5, keys)


def drop(hands: Hands, key: str, by: QPointF, keys=Qt.KeyboardModifier.NoModifier) -> None:
    at = hands.node(key)
    drag(hands, key, by, keys)
    hands.release(at + QPoint(round(by.x() * hands.view.zoom), round(by.y() * hands.view.zoom)), LEFT, keys)


def heights(hands: Hands) -> tuple[float, float]:
    canvas = hands.view.canvas
    return canvas.nodes["lstm"].port_place(False, "h").y(), canvas.nodes["readout"].port_place(True, "input").y()


def test_a_wired_port_falls_in_line_and_its_wire_is_straight(hands):
    alone(hands)
    out, into = heights(hands)
    wanted = out - into
    assert abs(wanted) > 2 * PULL
    drag(hands, "readout", QPointF(37, wanted + 5))
    shown = lines(hands)
    assert any(line.y1() == line.y2() == heights(hands)[0] for line in shown)
    hands.release(hands.node("readout"))
    out, into = heights(hands)
    assert out == into
    path = hands.view.canvas.wires[READ].path
    assert path.boundingRect().height() < 0.01
    assert lines(hands) == []
    hands.session.undo()
    assert heights(hands) != (out, into)


def test_alt_leaves_it_where_the_hand_is(hands):
    alone(hands)
    out, into = heights(hands)
    wanted = round(out - into) + 5
    drag(hands, "readout", QPointF(37, wanted), ALT)
    assert lines(hands) == []
    hands.release(hands.node("readout"), LEFT, ALT)
    assert hands.graph.nodes["readout"].y == 41.0 + wanted
    assert hands.graph.nodes["readout"].x == 337.0


def test_out_of_reach_of_every_guide_it_lies_where_the_hand_is(hands):
    alone(hands)
    hands.session.do(MoveNodes({"readout": (900.0, 700.0)}))
    hands.view.look_at(QPointF(900, 700))
    drop(hands, "readout", QPointF(33, 27))
    assert (hands.graph.nodes["readout"].x, hands.graph.nodes["readout"].y) == (933.0, 727.0)


def test_edges_and_middles_fall_in_line_with_neighbours(hands):
    alone(hands)
    hands.session.do(AddNode(Node("squash", "Tanh", x=150.0, y=200.0)))
    canvas = hands.view.canvas
    middle = canvas.nodes["readout"].shape_.rect.translated(canvas.nodes["readout"].pos()).center().x()
    drag(hands, "squash", QPointF(middle - 150 - 4, 20))
    assert [line for line in lines(hands) if line.x1() == line.x2() == middle]
    hands.release(hands.node("squash"))
    assert canvas.nodes["squash"].pos().x() == middle
    rect = canvas.nodes["readout"].shape_.rect.translated(canvas.nodes["readout"].pos())
    before = canvas.nodes["lstm"].shape_.rect
    drop(hands, "lstm", QPointF(0, rect.top() - before.top() + 3 - hands.graph.nodes["lstm"].y))
    after = canvas.nodes["lstm"].shape_.rect.translated(canvas.nodes["lstm"].pos())
    assert heights(hands)[0] == heights(hands)[1] or after.top() == rect.top()


def test_all_that_is_selected_falls_in_line_as_one(hands):
    alone(hands)
    hands.session.do(AddNode(Node("squash", "Tanh", x=480.0, y=150.0)))
    hands.session.do(Connect(Wire(Pin("readout", "out"), Pin("squash", "input"))))
    hands.session.focus.select(("readout", "squash"))
    out, into = heights(hands)
    drop(hands, "readout", QPointF(20, out - into - 5))
    assert heights(hands)[0] == heights(hands)[1]
    nodes = hands.graph.nodes
    assert (nodes["squash"].x - nodes["readout"].x, nodes["squash"].y - nodes["readout"].y) == (180.0, 109.0)


def test_near_means_near_on_the_screen(hands):
    alone(hands)
    out, into = heights(hands)
    hands.view.set_zoom(3.0)
    hands.view.look_at(QPointF(300, 30))
    drop(hands, "readout", QPointF(0, out - into + 5))
    assert heights(hands)[0] != heights(hands)[1], "5 units are 15 pixels here"
    drop(hands, "readout", QPointF(0, -4))
    assert heights(hands)[0] == heights(hands)[1]


def test_escape_takes_the_guides_and_the_drag_back(hands):
    alone(hands)
    file = storage.dumps(hands.session.design)
    out, into = heights(hands)
    drag(hands, "readout", QPointF(37, out - into + 5))
    assert lines(hands)
    hands.key(Qt.Key.Key_Escape)
    assert lines(hands) == []
    assert storage.dumps(hands.session.design) == file
    assert hands.view.canvas.nodes["readout"].pos() == QPointF(300, 41)
    hands.release(hands.node("readout"))
