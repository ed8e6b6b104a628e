"""What is added finds room: nothing lands on anything, its wire is straight, and one step takes it all back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from rnnstudio.design import storage
from rnnstudio.design.design import Node, Pin, Wire
from rnnstudio.design.edits import AddNode, Connect, MoveNodes, RemoveNodes
from tests.studio.window.hands import LEFT, Hands

READ = Wire(Pin("lstm", "h"), Pin("readout", "input"))


def overlaps(hands: Hands) -> list[tuple[str, str]]:
    bodies = [(key, item.body()) for key, item in hands.view.canvas.nodes.items()]
    return [(a, b) for i, (a, one) in enumerate(bodies) for b, other in bodies[:i] if one.intersects(other)]


def straight(hands: Hands, line: Wire) -> bool:
    canvas = hands.view.canvas
    out = canvas.nodes[line.source.node].port_place(False, line.source.port)
    return out.y() == canvas.nodes[line.target.node].port_place(True, line.target.port).y()


def middle_of(hands: Hands, line: Wire) -> QPoint:
    return hands.where(hands.view.canvas.wires[line].path.pointAtPercent(0.5))


@pytest.mark.parametrize(
    ("offer", "key", "port"),
    [("kind:Tanh", "tanh", "input"), ("cell:GRU", "gru", "x"), ("kind:Linear", "linear", "input")],
)
def test_what_is_dropped_on_a_wire_stands_on_its_line(hands, offer: str, key: str, port: str):
    hands.session.do(MoveNodes({"readout": (hands.graph.nodes["readout"].x, 70.0)}))
    hands.view.frame_all()
    file = storage.dumps(hands.session.design)
    hands.drop(offer, middle_of(hands, READ))
    assert straight(hands, Wire(READ.source, Pin(key, port)))
    assert overlaps(hands) == []
    hands.session.undo()
    assert storage.dumps(hands.session.design) == file


def test_a_node_that_is_dragged_into_a_wire_stands_on_its_line(hands):
    hands.session.do(AddNode(Node("squash", "Tanh", x=100.0, y=300.0)))
    hands.view.frame_all()
    hands.drag(hands.node("squash"), middle_of(hands, READ))
    assert straight(hands, Wire(READ.source, Pin("squash", "input")))
    assert overlaps(hands) == []


def test_what_a_fix_inserts_lies_on_nothing_and_on_its_line(hands, qtbot):
    session, nodes = hands.session, hands.graph.nodes
    tokens = Wire(Pin("characters", "out"), Pin("lstm", "x"))
    session.do(RemoveNodes(("embedding",)))
    session.do(Connect(tokens))
    session.do(MoveNodes({"characters": (nodes["lstm"].x - 130.0, nodes["lstm"].y + 40.0)}))
    assert overlaps(hands) == []
    hands.window.show_dock("problems")
    problems = hands.window.problems
    file = storage.dumps(session.design)

    def row():
        return next(r for r in problems.rows if r.diagnostic.code == "TokensWhereFeaturesBelong")

    qtbot.waitUntil(lambda: any(r.diagnostic.code == "TokensWhereFeaturesBelong" for r in problems.rows))
    qtbot.waitUntil(lambda: row().button is not None)
    QTest.mouseClick(row().button, LEFT)
    assert tokens not in hands.graph.wires
    (made,) = set(hands.graph.nodes) - {"characters", "lstm", "readout", "target", "loss"}
    assert hands.graph.nodes[made].kind == "Embedding"
    assert straight(hands, Wire(Pin("characters", "out"), Pin(made, "input")))
    assert overlaps(hands) == []
    session.undo()
    assert storage.dumps(session.design) == file


def test_the_port_of_a_node_lies_where_a_wire_was_let_go(hands):
    rect = hands.view.canvas.bounds()
    at = hands.where(QPointF(rect.center().x() - 40, rect.bottom() + 60))
    for begin, is_input, word, port in (
        ("lstm.h", False, "dropout", "dropout.input"),
        ("lstm.h0", True, "linear", "linear.out"),
    ):
        hands.drag(hands.port(begin, is_input), at)
        hands.type(word)
        hands.key(Qt.Key.Key_Return)
        assert (hands.port(port, not is_input) - at).manhattanLength() <= 2 * 10 * hands.view.zoom
        hands.session.undo()
