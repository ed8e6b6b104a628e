"""What hands from other node editors know: menus, strokes, boxes that add and take away, names typed in place."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from rnnstudio.design import storage
from rnnstudio.design.design import Pin, Wire
from rnnstudio.design.edits import MoveNodes
from rnnstudio.studio.canvas.node_item import NO_PORTS_BELOW
from rnnstudio.studio.canvas.rename import RenameField
from tests.studio.window.hands import CTRL, LEFT, NONE, SHIFT, Hands

ALT, RIGHT = Qt.KeyboardModifier.AltModifier, Qt.MouseButton.RightButton


def wire(source: str, target: str) -> Wire:
    return Wire(Pin(*source.split(".")), Pin(*target.split(".")))


def nothing(hands: Hands) -> QPoint:
    rect = hands.view.canvas.bounds()
    return hands.where(QPointF(rect.center().x() - 40, rect.bottom() + 60))


def middle_of(hands: Hands, line: Wire) -> QPoint:
    return hands.where(hands.view.canvas.wires[line].path.pointAtPercent(0.5))


def menu_at(hands: Hands, at: QPoint) -> QMenu:
    hands.press(at, RIGHT)
    hands.release(at, RIGHT)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def entries(menu: QMenu) -> dict[str, str]:
    """Titles with their keys."""
    found = {}
    for action in menu.actions():
        title, _, key = action.text().replace("&", "").partition("\t")
        if title:
            found[title] = key or action.shortcut().toString()
    menu.close()
    return found


def test_a_right_click_shows_what_can_be_done_with_its_key(hands):
    node = entries(menu_at(hands, hands.node("lstm")))
    assert hands.session.focus.nodes == ("lstm",)
    assert {"Open the cell", "Rename", "Duplicate", "Delete", "Group into a cell", "Replace with…"} <= set(node)
    assert (node["Rename"], node["Duplicate"], node["Delete"], node["Group into a cell"]) == (
        *("F2", "Ctrl+D"),
        *("Del", "Ctrl+G"),
    )
    port = entries(menu_at(hands, hands.port("lstm.h", False)))
    assert port["Break its wires"] == "Alt+Click"
    line = entries(menu_at(hands, middle_of(hands, wire("lstm.h", "readout.input"))))
    assert hands.session.focus.wires == (wire("lstm.h", "readout.input"),)
    assert {"Put a node in…", "Delete"} <= set(line)
    canvas = entries(menu_at(hands, nothing(hands)))
    assert canvas["Add a node…"] == "Tab"
    assert {"Paste", "Select all", "Tidy", "Zoom to fit"} <= set(canvas)


def test_a_menu_of_several_aligns_and_keeps_the_selection(hands):
    hands.click(hands.node("readout"))
    hands.click(hands.node("target"), keys=SHIFT)
    menu = menu_at(hands, hands.node("target"))
    assert set(hands.session.focus.nodes) == {"readout", "target"}
    assert any(action.text() == "Align" for action in menu.actions())
    menu.close()
    hands.window.align_actions[0].trigger()
    rects = [
        hands.view.canvas.nodes[k].shape_.rect.translated(hands.view.canvas.nodes[k].pos())
        for k in ("readout", "target")
    ]
    assert rects[0].left() == rects[1].left()
    hands.window.undo_action.trigger()


def test_the_menu_key_asks_for_the_menu_of_the_selection(hands):
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_Menu)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert "Open the cell" in entries(menu)


def test_the_right_button_pans_without_a_menu(hands):
    begin = nothing(hands)
    before = hands.view.at(QPoint(0, 0))
    hands.drag(begin, begin + QPoint(80, 0), button=RIGHT)
    assert abs((before - hands.view.at(QPoint(0, 0))).x() * hands.view.zoom - 80) < 3
    assert QApplication.activePopupWidget() is None


def test_a_name_is_typed_where_the_node_stands(hands):
    hands.click(hands.node("readout"))
    hands.key(Qt.Key.Key_F2)
    field = hands.window.focusWidget()
    assert isinstance(field, RenameField)
    assert field.selectedText() == "readout"
    QTest.keyClicks(field, "scores")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert "scores" in hands.graph.nodes
    assert wire("scores.out", "loss.prediction") in hands.graph.wires
    assert hands.session.focus.nodes == ("scores",)
    hands.key(Qt.Key.Key_F2)
    field = hands.window.focusWidget()
    QTest.keyClicks(field, "never")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert "scores" in hands.graph.nodes
    assert hands.view.hasFocus()


def test_a_name_that_can_be_none_in_python_becomes_the_title(hands):
    before = hands.session.design
    hands.double_click(hands.node("readout"))
    field = hands.window.focusWidget()
    QTest.keyClicks(field, "W h + b")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert hands.graph.nodes["readout"].title == "W h + b"
    hands.window.undo_action.trigger()
    assert hands.session.design == before


def test_home_shows_everything(hands):
    hands.click(hands.node("loss"))
    hands.key(Qt.Key.Key_F)
    hands.key(Qt.Key.Key_Home)
    assert all(hands.screen.rect().contains(hands.node(key)) for key in hands.graph.nodes)


def test_a_box_adds_with_shift_and_takes_away_with_ctrl(hands):
    hands.click(hands.node("characters"))
    rect = hands.view.canvas.bounds(["readout", "target", "loss"]).adjusted(-12, -12, 12, 12)
    corners = hands.where(rect.topLeft()), hands.where(rect.bottomRight())
    hands.drag(*corners, keys=SHIFT)
    assert set(hands.session.focus.nodes) == {"characters", "readout", "target", "loss"}
    hands.drag(*corners, keys=CTRL)
    assert set(hands.session.focus.nodes) == {"characters"}


def test_a_box_begun_on_the_middle_of_a_wire_leaves_the_wire(hands):
    begin = middle_of(hands, wire("lstm.h", "readout.input"))
    before = hands.session.design
    hands.drag(begin, begin + QPoint(60, 90))
    assert hands.session.design is before
    assert hands.view.quick_add is None


def test_alt_and_a_click_break_a_wire_or_all_at_a_port(hands):
    hands.click(middle_of(hands, wire("lstm.h", "readout.input")), keys=ALT)
    assert wire("lstm.h", "readout.input") not in hands.graph.wires
    hands.window.undo_action.trigger()
    hands.drag(hands.port("lstm.h", False), nothing(hands))
    hands.type("dropout")
    hands.key(Qt.Key.Key_Return)
    count = len(hands.graph.wires)
    hands.click(hands.port("lstm.h", False), keys=ALT)
    assert len(hands.graph.wires) == count - 2
    assert not any(w.source == Pin("lstm", "h") for w in hands.graph.wires)
    hands.window.undo_action.trigger()
    assert len(hands.graph.wires) == count


def test_a_stroke_cuts_every_wire_it_crosses_in_one_step(hands):
    first, second = wire("characters.out", "embedding.input"), wire("embedding.out", "lstm.x")
    a, b = middle_of(hands, first), middle_of(hands, second)
    before = hands.graph.wires
    hands.press(a - QPoint(0, 40), RIGHT, CTRL)
    for place in (a + QPoint(0, 40), b + QPoint(0, 40), b - QPoint(0, 40)):
        hands.move(place)
    assert hands.view.canvas.wires[first].target_of_drop
    hands.release(b - QPoint(0, 40), RIGHT, CTRL)
    assert set(before) - set(hands.graph.wires) >= {first, second}
    assert QApplication.activePopupWidget() is None
    hands.window.undo_action.trigger()
    assert hands.graph.wires == before


@pytest.mark.parametrize("zoom", [0.25, 0.5, 1.0])
def test_the_middle_of_a_small_node_is_the_node_and_no_port(hands, zoom):
    hands.drop("kind:Tanh", nothing(hands))
    hands.view.set_zoom(zoom)
    item = hands.view.canvas.nodes["tanh"]
    hands.session.focus.select()
    at = hands.where(item.pos())
    hands.click(at)
    assert hands.session.focus.nodes == ("tanh",)
    wires = hands.graph.wires
    hands.drag(at, at + QPoint(30, 30))
    assert hands.graph.wires == wires
    assert hands.view.quick_add is None
    assert hands.graph.nodes["tanh"].x > item.pos().x() - 1


def test_ports_too_small_to_be_seen_take_no_press(hands):
    hands.view.set_zoom(NO_PORTS_BELOW * 0.8)
    at = hands.port("lstm.h", False)
    before = hands.session.design
    hands.drag(at - QPoint(1, 0), at + QPoint(40, 60), release=False)
    assert hands.view.canvas.nodes["readout"].refused is None
    hands.key(Qt.Key.Key_Escape)
    hands.release(at)
    assert hands.session.design is before


def test_a_click_on_a_port_selects_its_node(hands):
    hands.click(hands.node("characters"))
    hands.click(hands.port("loss.prediction", True))
    assert hands.session.focus.nodes == ("loss",)


def test_the_selection_becomes_a_cell_and_is_taken_apart_again(hands):
    hands.click(hands.node("embedding"))
    hands.click(hands.node("lstm"), keys=SHIFT)
    before = storage.dumps(hands.session.design)
    hands.key(Qt.Key.Key_G, CTRL)
    assert hands.session.focus.nodes == ("cell",)
    assert {"characters", "cell", "readout", "target", "loss"} == set(hands.graph.nodes)
    assert hands.session.errors == ()
    hands.double_click(hands.node("cell"))
    assert hands.session.focus.graph == "Cell"
    hands.key(Qt.Key.Key_Escape)
    hands.key(Qt.Key.Key_G, CTRL | SHIFT)
    assert set(hands.session.focus.nodes) == {"embedding", "lstm"}
    assert hands.session.errors == ()
    hands.window.undo_action.trigger()
    hands.window.undo_action.trigger()
    assert storage.dumps(hands.session.design) == before


def test_what_comes_back_in_the_same_step_cannot_be_one_cell(hands):
    hands.click(hands.node("embedding"))
    hands.click(hands.node("readout"), keys=SHIFT)
    before = hands.session.design
    hands.key(Qt.Key.Key_G, CTRL)
    assert hands.session.design is before
    assert "cannot be one cell" in hands.window.banner.what.text()
    assert "lstm" in hands.window.banner.more.text()


def test_a_dropped_node_replaces_another_and_keeps_its_wires(hands):
    hands.drop("cell:GRU", hands.where(hands.view.canvas.nodes["lstm"].pos()))
    assert "lstm" not in hands.graph.nodes
    assert {wire("embedding.out", "gru.x"), wire("gru.h", "readout.input")} <= set(hands.graph.wires)
    assert hands.graph.nodes["gru"].params["units"].name == "hidden"
    hands.window.undo_action.trigger()
    assert "lstm" in hands.graph.nodes


def test_replace_with_offers_what_takes_a_wire_over(hands):
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_R, CTRL)
    popup = hands.view.quick_add
    offered = {popup.list.item(i).text() for i in range(popup.list.count())}
    assert {"GRU", "RNN"} <= offered
    assert "Character input" not in offered
    hands.type("gru")
    hands.key(Qt.Key.Key_Return)
    assert wire("gru.h", "readout.input") in hands.graph.wires


def test_alt_drops_a_node_beside_the_wire_it_lies_on(hands):
    at = middle_of(hands, wire("lstm.h", "readout.input"))
    from PySide6.QtCore import QByteArray, QMimeData

    from rnnstudio.studio.offers import MIME

    mime = QMimeData()
    mime.setData(MIME, QByteArray(b"kind:Dropout"))
    copy = Qt.DropAction.CopyAction
    QApplication.sendEvent(hands.screen, QDragEnterEvent(at, copy, mime, LEFT, ALT))
    QApplication.sendEvent(hands.screen, QDropEvent(QPointF(at), copy, mime, LEFT, ALT))
    assert "dropout" in hands.graph.nodes
    assert wire("lstm.h", "readout.input") in hands.graph.wires


def overlaps(hands: Hands) -> list[tuple[str, str]]:
    bodies = [(key, item.body()) for key, item in hands.view.canvas.nodes.items()]
    return [(a, b) for i, (a, one) in enumerate(bodies) for b, other in bodies[:i] if one.intersects(other)]


def test_what_is_spliced_duplicated_pasted_or_offered_lands_on_nothing(hands):
    assert overlaps(hands) == []
    for line in (
        wire("lstm.h", "readout.input"),
        wire("embedding.out", "lstm.x"),
        wire("readout.out", "loss.prediction"),
    ):
        hands.drop("cell:LSTM" if "lstm" in str(line) else "kind:Tanh", middle_of(hands, line))
        assert overlaps(hands) == [], line
    hands.window.select_all_action.trigger()
    hands.key(Qt.Key.Key_D, CTRL)
    assert overlaps(hands) == []
    hands.key(Qt.Key.Key_C, CTRL)
    hands.key(Qt.Key.Key_V, CTRL)
    assert overlaps(hands) == []
    for _ in range(3):
        hands.window.palette_panel.chosen.emit(hands.window.palette_panel.tree.topLevelItem(0).child(0).data(0, 0x100))
    assert overlaps(hands) == []


def test_the_port_of_an_offered_node_comes_to_lie_where_the_wire_was_let_go(hands):
    at = nothing(hands)
    hands.drag(hands.port("lstm.h", False), at)
    hands.type("dropout")
    hands.key(Qt.Key.Key_Return)
    assert (hands.port("dropout.input", True) - at).manhattanLength() <= 2 * 10 * hands.view.zoom


def test_an_empty_cell_is_added_and_drawn(hands):
    hands.window.cell_actions.new.trigger()
    assert hands.graph.nodes["cell"].params["cell"] == "Cell"
    hands.window.cell_actions.open.trigger()
    assert set(hands.graph.nodes) == {"x", "h"}


def test_a_cell_of_several_nodes_is_made_unique_for_one(hands):
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_D, CTRL)
    hands.window.cell_actions.unique.trigger()
    assert hands.graph.nodes["lstm"].params["cell"] == "LSTM"
    assert hands.graph.nodes["lstm2"].params["cell"] == "LSTM_2"


def test_nodes_are_distributed_evenly(hands):
    for key in ("characters", "embedding", "lstm"):
        hands.click(hands.node(key), keys=SHIFT if key != "characters" else NONE)
    hands.session.do(MoveNodes({"embedding": (40.0, 0.0)}))
    hands.window.distribute_actions[0].trigger()
    boxes = [hands.view.canvas.nodes[k] for k in ("characters", "embedding", "lstm")]
    rects = [b.shape_.rect.translated(b.pos()) for b in boxes]
    assert rects[1].left() - rects[0].right() == pytest.approx(rects[2].left() - rects[1].right(), abs=1)


def test_a_stroke_with_shift_joins_wires_of_one_source_in_a_reroute_point(hands):
    hands.drag(hands.port("lstm.h", False), nothing(hands) + QPoint(60, 40))
    hands.type("dropout")
    hands.key(Qt.Key.Key_Return)
    first, second = wire("lstm.h", "readout.input"), wire("lstm.h", "dropout.input")
    a, b = middle_of(hands, first), middle_of(hands, second)
    before = storage.dumps(hands.session.design)
    hands.press(a - QPoint(0, 30), RIGHT, SHIFT)
    for place in (a + QPoint(0, 10), b - QPoint(0, 10), b + QPoint(0, 30)):
        hands.move(place)
    hands.release(b + QPoint(0, 30), RIGHT, SHIFT)
    assert {
        wire("lstm.h", "reroute.input"),
        wire("reroute.out", "readout.input"),
        wire("reroute.out", "dropout.input"),
    } <= set(hands.graph.wires)
    assert hands.session.errors == ()
    assert hands.view.canvas.signal_at(Pin("reroute", "out"), False).text() == "[batch, time, 32]"
    hands.view.grab()
    hands.window.undo_action.trigger()
    assert storage.dumps(hands.session.design) == before


def test_a_double_click_on_a_wire_puts_a_point_there_that_is_moved(hands):
    hands.double_click(middle_of(hands, wire("lstm.h", "readout.input")))
    assert hands.graph.nodes["reroute"].kind == "Reroute"
    item = hands.view.canvas.nodes["reroute"]
    at = hands.where(item.pos())
    hands.drag(at, at + QPoint(0, 60))
    assert hands.graph.nodes["reroute"].y > 30
    assert wire("reroute.out", "readout.input") in hands.graph.wires
