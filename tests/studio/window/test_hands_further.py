"""Further habits of hands: frames in frames and by keys, boxes with wires and frames, points typed as their wires."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from rnnstudio.design import storage
from rnnstudio.design.design import Frame, Node, Pin, Wire
from rnnstudio.design.edits import AddNode, MoveNodes, SetFrames
from rnnstudio.studio import theme
from tests.studio.window.hands import CTRL, LEFT, SHIFT, Hands

ALT, RIGHT = Qt.KeyboardModifier.AltModifier, Qt.MouseButton.RightButton
READ = Wire(Pin("lstm", "h"), Pin("readout", "input"))


def wire(source: str, target: str) -> Wire:
    return Wire(Pin(*source.split(".")), Pin(*target.split(".")))


def middle_of(hands: Hands, line: Wire) -> QPoint:
    return hands.where(hands.view.canvas.wires[line].path.pointAtPercent(0.5))


def title_of(hands: Hands, key: str) -> QPoint:
    frame = hands.view.canvas.frames[key].frame
    return hands.where(QPointF(frame.x + frame.width / 2, frame.y + 13))


def around(hands: Hands, *keys: str, by: float = 40.0) -> tuple[float, float, float, float]:
    rect = hands.view.canvas.bounds(keys).adjusted(-by, -by, by, by)
    return rect.x(), rect.y(), rect.width(), rect.height()


def box(hands: Hands, *keys: str, held=Qt.KeyboardModifier.NoModifier, by: float = 30.0) -> None:
    """A selection box drawn around nodes."""
    rect = hands.view.canvas.bounds(keys).adjusted(-by, -by, by, by)
    hands.drag(hands.where(rect.topLeft()), hands.where(rect.bottomRight()), keys=held)


# Frames


def test_a_frame_carries_frames_and_points_in_it(hands):
    hands.double_click(middle_of(hands, READ))
    point = next(k for k, n in hands.graph.nodes.items() if n.kind == "Reroute")
    inner = Frame("inner", "inner", *around(hands, "readout", point))
    hands.session.do(SetFrames((inner,)))
    outer = Frame("outer", "outer", *around(hands, "lstm", "readout", by=110.0))
    hands.session.do(SetFrames((outer, inner)))
    hands.view.frame_all()
    before = storage.dumps(hands.session.design)
    places = {k: (n.x, n.y) for k, n in hands.graph.nodes.items()}
    at = title_of(hands, "outer")
    hands.drag(at, at + QPoint(0, 70), keys=ALT)
    frames = {f.id: f for f in hands.graph.frames}
    by = frames["outer"].y - outer.y
    assert by > 20
    assert frames["inner"].y - inner.y == by
    moved = {k for k, n in hands.graph.nodes.items() if n.y - places[k][1] == by}
    assert moved >= {"lstm", "readout", point}
    hands.key(Qt.Key.Key_Z, CTRL)
    assert storage.dumps(hands.session.design) == before


def test_a_frame_is_renamed_by_f2_and_deleted_by_its_menu(hands):
    hands.session.do(SetFrames((Frame("a", "old", *around(hands, "lstm")),)))
    hands.click(title_of(hands, "a"))
    hands.key(Qt.Key.Key_F2)
    hands.type("gates")
    hands.key(Qt.Key.Key_Return)
    assert hands.graph.frames[0].title == "gates"
    at = title_of(hands, "a")
    hands.press(at, RIGHT)
    hands.release(at, RIGHT)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    entries = {a.text().replace("&", "").partition("\t")[0]: a for a in menu.actions()}
    assert {"Rename", "Select what stands in it", "Colour", "Delete"} <= set(entries)
    entries["Select what stands in it"].trigger()
    assert hands.session.focus.nodes == ("lstm",)
    hands.click(title_of(hands, "a"))
    entries["Delete"].trigger()
    menu.close()
    assert hands.graph.frames == ()
    assert "lstm" in hands.graph.nodes


def test_a_frame_falls_in_line_with_neighbours(hands):
    hands.session.do(SetFrames((Frame("a", "", *around(hands, "lstm")),)))
    hands.view.set_zoom(1.0)
    hands.view.look_at(hands.view.canvas.nodes["lstm"].pos())
    other = hands.view.canvas.nodes["embedding"].shape_.rect.translated(hands.view.canvas.nodes["embedding"].pos())
    at = title_of(hands, "a")
    frame = hands.graph.frames[0]
    hands.drag(at, at + QPoint(0, round(other.top() - frame.y) + 3))
    nodes = hands.graph.nodes
    straight = hands.view.canvas.nodes["lstm"].port_place(True, "x").y()
    out = hands.view.canvas.nodes["embedding"].port_place(False, "out").y()
    assert hands.graph.frames[0].y == other.top() or straight == out
    assert nodes["lstm"].y != 0


# Boxes


def test_a_box_with_shift_adds_wires_and_frames_and_with_ctrl_takes_them_away(hands):
    hands.session.do(SetFrames((Frame("a", "", *around(hands, "readout", by=20.0)),)))
    hands.click(hands.node("characters"))
    box(hands, "lstm", "readout", held=SHIFT, by=34.0)
    focus = hands.session.focus
    assert set(focus.nodes) == {"characters", "lstm", "readout"}
    assert focus.wires == (READ,)
    assert focus.frames == ("a",)
    box(hands, "readout", held=CTRL, by=34.0)
    assert set(focus.nodes) == {"characters", "lstm"}
    assert focus.frames == ()
    assert focus.wires == (READ,), "the wire does not lie in that box as a whole"
    box(hands, "lstm", "readout", held=CTRL, by=34.0)
    assert focus.nodes == ("characters",)
    assert focus.wires == ()


def test_escape_during_a_box_brings_the_selection_back(hands):
    hands.click(hands.node("characters"))
    rect = hands.view.canvas.bounds(["readout"]).adjusted(-30, -30, 30, 30)
    hands.drag(hands.where(rect.topLeft()), hands.where(rect.bottomRight()), release=False)
    assert hands.session.focus.nodes == ("readout",)
    hands.key(Qt.Key.Key_Escape)
    assert hands.session.focus.nodes == ("characters",)
    hands.release(hands.where(rect.bottomRight()))
    assert len([i for i in hands.view.canvas.items() if i.zValue() == 10]) == 0


# Reroute points


def test_a_point_is_typed_like_its_wire_and_takes_only_what_its_wire_takes(hands):
    hands.double_click(middle_of(hands, wire("characters.out", "embedding.input")))
    canvas = hands.view.canvas
    canvas.take(hands.session.checked)
    point = next(k for k, n in hands.graph.nodes.items() if n.kind == "Reroute")
    assert canvas.nodes[point].contents[False, "out"] == "tokens"
    assert canvas.wires[wire(f"{point}.out", "embedding.input")].content == "tokens"
    reasons = canvas.reasons(Pin(point, "out"), False)
    assert (True, "input") in reasons["readout"]
    assert (True, "input") not in reasons["embedding"]
    before = hands.graph.wires
    hands.drag(hands.port(f"{point}.out", False), hands.port("readout.input", True))
    assert hands.graph.wires == before
    assert hands.session.checked.ok


def test_a_stroke_through_wires_of_two_sources_makes_a_point_for_each(hands):
    a, b = (middle_of(hands, w) for w in (wire("embedding.out", "lstm.x"), READ))
    hands.press(a - QPoint(0, 30), RIGHT, SHIFT)
    for place in (a + QPoint(0, 30), b + QPoint(0, 30), b - QPoint(0, 30)):
        hands.move(place)
    hands.release(b - QPoint(0, 30), RIGHT, SHIFT)
    points = [k for k, n in hands.graph.nodes.items() if n.kind == "Reroute"]
    assert len(points) == 2
    assert hands.session.checked.ok
    hands.key(Qt.Key.Key_Delete)
    assert not any(k in hands.graph.nodes for k in points)


# Drops


def test_alt_keeps_a_dragged_node_out_of_the_wire_it_is_dropped_on(hands):
    hands.session.do(AddNode(Node("squash", "Tanh", x=100.0, y=300.0)))
    hands.view.frame_all()
    begin, end = hands.node("squash"), middle_of(hands, READ)
    hands.press(begin, LEFT, ALT)
    for i in range(1, 6):
        hands.glide(begin + (end - begin) * i / 5, ALT)
    assert not hands.view.canvas.wires[READ].target_of_drop
    hands.release(end, LEFT, ALT)
    assert READ in hands.graph.wires
    hands.session.undo()
    hands.drag(hands.node("squash"), end)
    assert READ not in hands.graph.wires


def test_a_node_without_matching_ports_replaces_nothing(hands):
    hands.drop("kind:TokenInput", hands.where(hands.view.canvas.nodes["lstm"].pos()))
    assert "lstm" in hands.graph.nodes
    assert READ in hands.graph.wires


def test_replace_with_stands_in_the_menu_and_offers_cells_of_the_library(hands):
    at = hands.node("lstm")
    hands.press(at, RIGHT)
    hands.release(at, RIGHT)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    action = next(a for a in menu.actions() if a.text().replace("&", "") == "Replace with…")
    assert action.shortcut().toString() == "Ctrl+R"
    menu.close()
    action.trigger()
    hands.type("peephole")
    QTest.keyClick(hands.window.focusWidget(), Qt.Key.Key_Return)
    (made,) = [n for n in hands.graph.nodes.values() if n.params.get("cell") == "PeepholeLSTM"]
    assert wire("embedding.out", f"{made.id}.x") in hands.graph.wires
    assert wire(f"{made.id}.h", "readout.input") in hands.graph.wires


# Tidy a part


def test_what_lies_before_is_tidied_and_the_rest_stays(hands):
    nodes = hands.graph.nodes
    hands.session.do(MoveNodes({"characters": (-900.0, 500.0), "embedding": (-700.0, -350.0)}))
    places = {k: (n.x, n.y) for k, n in hands.graph.nodes.items()}
    hands.session.focus.select(("lstm",))
    hands.key(Qt.Key.Key_BracketLeft, CTRL)
    after = {k: (n.x, n.y) for k, n in hands.graph.nodes.items()}
    assert {k for k in after if after[k] != places[k]} == {"characters", "embedding"}
    assert after["characters"][0] < after["embedding"][0] < after["lstm"][0]
    canvas = hands.view.canvas
    out, into = canvas.nodes["embedding"].port_place(False, "out"), canvas.nodes["lstm"].port_place(True, "x")
    assert abs(out.y() - into.y()) <= 10
    hands.key(Qt.Key.Key_Z, CTRL)
    assert {k: (n.x, n.y) for k, n in hands.graph.nodes.items()} == places
    assert nodes.keys() == after.keys()


def test_what_lies_behind_is_tidied_and_lands_on_nothing(hands):
    hands.session.do(MoveNodes({"readout": (100.0, 700.0), "loss": (-200.0, 900.0)}))
    hands.session.do(AddNode(Node("other", "Tanh", x=hands.graph.nodes["lstm"].x + 190.0, y=0.0)))
    before = hands.graph.nodes["lstm"]
    hands.session.focus.select(("lstm",))
    hands.key(Qt.Key.Key_BracketRight, CTRL)
    nodes = hands.graph.nodes
    assert (nodes["lstm"].x, nodes["lstm"].y) == (before.x, before.y)
    assert nodes["lstm"].x < nodes["readout"].x < nodes["loss"].x
    bodies = [item.body() for item in hands.view.canvas.nodes.values()]
    assert not any(a.intersects(b) for i, a in enumerate(bodies) for b in bodies[:i])


def test_tidying_says_when_there_is_nothing_to_tidy(hands):
    before = hands.session.design
    hands.session.focus.select(("characters",))
    hands.key(Qt.Key.Key_BracketLeft, CTRL)
    assert hands.session.design is before
    assert "Nothing lies before" in hands.window.statusBar().currentMessage()


def test_the_selection_alone_is_tidied(hands):
    hands.session.do(MoveNodes({"lstm": (300.0, 240.0), "readout": (200.0, -160.0)}))
    others = {k: (n.x, n.y) for k, n in hands.graph.nodes.items() if k not in ("lstm", "readout", "loss")}
    hands.session.focus.select(("lstm", "readout", "loss"))
    hands.key(Qt.Key.Key_L, CTRL)
    nodes = hands.graph.nodes
    assert nodes["lstm"].x < nodes["readout"].x < nodes["loss"].x
    assert all((nodes[k].x, nodes[k].y) == place for k, place in others.items() if k != "target")


# The state's line


def near(one: QColor, other: QColor) -> bool:
    """As alike as a line's middle is to its colour, its edges being smoothed."""
    return max(abs(a - b) for a, b in zip(one.getRgb()[:3], other.getRgb()[:3], strict=True)) <= 16


def test_the_states_line_has_a_colour_of_its_own(hands):
    hands.session.focus.enter("LSTM", "lstm")
    hands.view.frame_all()
    canvas, graph = hands.view.canvas, hands.graph
    states = {w for w, item in canvas.wires.items() if item.state}
    delays = {k for k, n in graph.nodes.items() if n.kind == "Delay"}
    assert {w for w in graph.wires if w.source.node in delays} <= states
    assert {w for w in graph.wires if w.target.node in delays and w.target.port == "input"} <= states
    straight = [w for w in states if w.source.node not in delays and w.target.node not in delays]
    kinds = {graph.nodes[w.target.node].kind for w in straight}
    assert kinds == {"Add", "CellOutput", "Tanh"}, "scaled by the forget gate, added to, given, and read"
    assert not any(graph.nodes[w.source.node].kind == "Sigmoid" for w in states)
    for look in (theme.DARK, theme.LIGHT):
        theme.apply(look)
        colour = theme.current().color("state")
        others = [theme.current().color(role) for role in ("real", "tokens", "loss", "any", "accent", "error")]
        assert colour not in others
        line = next(w for w in straight if graph.nodes[w.target.node].kind == "CellOutput")
        canvas.mark_selection()
        at = hands.where(canvas.wires[line].path.pointAtPercent(0.5))
        image = hands.screen.grab().toImage()
        found = [image.pixelColor(at + QPoint(0, dy)) for dy in range(-3, 4)]
        assert any(near(colour, pixel) for pixel in found)
        assert not any(near(theme.current().color("real"), pixel) for pixel in found)
