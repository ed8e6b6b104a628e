"""All of the work on the canvas without a mouse: walking, wiring, panels and back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMenu

from rnnstudio.design import storage
from rnnstudio.design.design import MAIN, Frame, Pin, Wire
from rnnstudio.design.edits import Connect, Disconnect, SetFrames
from rnnstudio.studio.going import CANVAS
from rnnstudio.studio.keys.keymap import keymap
from tests.studio.window.hands import CTRL, SHIFT, Hands

ALT = Qt.KeyboardModifier.AltModifier
LEFT, RIGHT, UP, DOWN = Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down


@pytest.fixture(autouse=True)
def keys_as_they_come(qapp, fresh_user_folders) -> None:
    keymap().load()


def wire(source: str, target: str) -> Wire:
    return Wire(Pin(*source.split(".")), Pin(*target.split(".")))


def offered(hands: Hands) -> list[str]:
    popup = hands.view.quick_add
    assert popup is not None
    return [popup.list.item(i).text() for i in range(popup.list.count())]


# Walking


def test_arrows_walk_along_the_wires_and_back(hands):
    for way, key in ((RIGHT, "characters"), (RIGHT, "embedding"), (RIGHT, "lstm"), (RIGHT, "readout"), (RIGHT, "loss")):
        hands.key(way, ALT)
        assert hands.session.focus.nodes == (key,)
    hands.key(RIGHT, ALT)
    assert hands.session.focus.nodes == ("loss",), "it feeds nothing"
    assert "Nothing" in hands.window.statusBar().currentMessage()
    hands.key(LEFT, ALT)
    assert hands.session.focus.nodes == ("readout",)
    hands.key(DOWN, ALT)
    assert hands.session.focus.nodes == ("target",), "of those that feed the loss, the one below"
    hands.key(RIGHT, ALT)
    hands.key(LEFT, ALT)
    assert hands.session.focus.nodes == ("target",), "back to where one came from"


def test_walking_with_shift_keeps_what_is_selected(hands):
    hands.session.focus.select(("embedding",))
    hands.key(RIGHT, ALT | SHIFT)
    hands.key(RIGHT, ALT | SHIFT)
    assert hands.session.focus.nodes == ("embedding", "lstm", "readout")
    hands.key(Qt.Key.Key_G, CTRL)
    assert "cell" in hands.graph.nodes


def test_walking_brings_into_view(hands):
    hands.view.set_zoom(2.0)
    hands.session.focus.select(("characters",))
    for _ in range(4):
        hands.key(RIGHT, ALT)
        item = hands.view.canvas.nodes[hands.session.focus.nodes[0]]
        seen = hands.view.mapFromScene(item.sceneBoundingRect()).boundingRect()
        assert hands.screen.rect().adjusted(-30, -30, 30, 30).contains(seen)


def test_page_keys_go_through_every_node_wire_and_frame(hands):
    hands.session.do(SetFrames((Frame("frame1", "Memory", 0, -200, 300, 400),), MAIN))
    found: list[object] = []
    count = len(hands.graph.nodes) + len(hands.graph.wires) + 1
    for _ in range(count):
        hands.key(Qt.Key.Key_PageDown)
        focus = hands.session.focus
        (thing,) = (*focus.nodes, *focus.wires, *focus.frames)
        found.append(thing)
    assert len(set(found)) == count
    assert set(found) == {*hands.graph.nodes, *hands.graph.wires, "frame1"}
    hands.key(Qt.Key.Key_PageUp)
    assert hands.session.focus.wires == (found[-2],)


def test_a_wire_is_deleted_and_its_menu_opened_by_keys(hands):
    hands.session.focus.select(("loss",))
    hands.key(Qt.Key.Key_PageDown)
    (first,) = hands.session.focus.wires
    hands.key(Qt.Key.Key_F10, SHIFT)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert "Put a node in…" in [a.text() for a in menu.actions()]
    menu.close()
    hands.key(Qt.Key.Key_Delete)
    assert first not in hands.graph.wires


def test_a_frame_moves_by_keys_with_what_stands_in_it(hands):
    hands.session.focus.select(("embedding", "lstm"))
    hands.key(Qt.Key.Key_F, CTRL | SHIFT)
    hands.key(Qt.Key.Key_Return)
    (frame,) = hands.graph.frames
    assert hands.session.focus.frames == (frame.id,)
    before = storage.dumps(hands.session.design)
    x = hands.graph.nodes["lstm"].x
    for _ in range(2):
        hands.key(RIGHT)
    assert hands.graph.frames[0].x == frame.x + 20
    assert hands.graph.nodes["lstm"].x == x + 20
    assert hands.graph.nodes["readout"].x == hands.session.design.graph.nodes["readout"].x
    hands.window.undo_action.trigger()
    assert storage.dumps(hands.session.design) == before


# Wiring


def test_a_wire_is_drawn_by_choosing_a_port_and_typing_the_other(hands):
    hands.session.do(Disconnect((wire("lstm.h", "readout.input"),), MAIN))
    hands.session.focus.select(("lstm",))
    hands.key(Qt.Key.Key_W)
    assert offered(hands)[:3] == ["h   (output)", "c   (output)", "x   (input)"]
    hands.key(DOWN)
    hands.key(UP)
    hands.key(Qt.Key.Key_Return)
    assert offered(hands)[0] == "readout · input", "what fits and is free comes first"
    hands.type("readout")
    assert hands.view.canvas.nodes["characters"].refused is not None
    hands.key(Qt.Key.Key_Return)
    assert wire("lstm.h", "readout.input") in hands.graph.wires
    assert hands.view.quick_add is None
    assert hands.view.hasFocus()
    assert hands.session.focus.nodes == ("lstm",)
    assert all(item.refused is None for item in hands.view.canvas.nodes.values())
    assert hands.session.document.undo_title


def test_a_port_is_chosen_by_its_name_and_an_input_is_fed(hands):
    hands.session.focus.select(("readout",))
    hands.key(Qt.Key.Key_W)
    hands.type("inp")
    hands.key(Qt.Key.Key_Return)
    hands.type("lstm.c")
    hands.key(Qt.Key.Key_Return)
    assert [w for w in hands.graph.wires if w.target == Pin("readout", "input")] == [wire("lstm.c", "readout.input")]


def test_what_does_not_fit_comes_last_says_why_and_cannot_be_chosen(hands):
    hands.session.focus.select(("lstm",))
    hands.key(Qt.Key.Key_W)
    hands.key(Qt.Key.Key_Return)
    titles = offered(hands)
    assert titles.index("readout · input") < titles.index("loss · target")
    before = hands.session.design
    hands.type("target")
    popup = hands.view.quick_add
    assert popup.list.currentItem().text() == "loss · target"
    assert "tokens" in popup.doc.text()
    hands.key(Qt.Key.Key_Return)
    assert hands.view.quick_add is popup
    assert hands.session.design is before
    hands.key(Qt.Key.Key_Escape)
    assert hands.view.quick_add is None
    assert hands.session.design is before
    assert hands.session.focus.nodes == ("lstm",)
    assert all(item.refused is None for item in hands.view.canvas.nodes.values())
    assert {type(i).__name__ for i in hands.view.canvas.items() if getattr(i, "wire", 1) is None} == set()


def test_the_wire_that_enter_would_draw_is_seen_and_backspace_leads_back(hands):
    hands.session.focus.select(("lstm",))
    hands.key(Qt.Key.Key_W)
    hands.key(Qt.Key.Key_Return)

    def drawn() -> list[object]:
        return [i for i in hands.view.canvas.items() if getattr(i, "wire", 1) is None]

    assert len(drawn()) == 1
    end = drawn()[0].path.pointAtPercent(1.0)
    hands.key(DOWN)
    assert drawn()[0].path.pointAtPercent(1.0) != end
    hands.key(Qt.Key.Key_Backspace)
    assert offered(hands)[0] == "h   (output)"
    hands.key(Qt.Key.Key_Escape)
    assert drawn() == []
    assert hands.view.hasFocus()


def test_a_wire_is_taken_off_and_a_new_node_wired_by_keys(hands):
    hands.session.focus.select(("readout",))
    hands.key(Qt.Key.Key_W)
    hands.type("input")
    hands.key(Qt.Key.Key_Return)
    hands.type("no wire")
    hands.key(Qt.Key.Key_Return)
    assert wire("lstm.h", "readout.input") not in hands.graph.wires
    hands.session.focus.select(("lstm",))
    hands.key(Qt.Key.Key_W)
    hands.key(Qt.Key.Key_Return)
    hands.type("new node")
    hands.key(Qt.Key.Key_Return)
    hands.type("dropout")
    hands.key(Qt.Key.Key_Return)
    assert wire("lstm.h", "dropout.input") in hands.graph.wires
    assert all(item.refused is None for item in hands.view.canvas.nodes.values())


def test_a_network_is_drawn_by_keys_alone(hands):
    hands.key(Qt.Key.Key_N, CTRL)
    assert hands.session.design.graph.nodes == {}
    hands.view.setFocus()
    for name in ("token input", "embedding", "gru"):
        hands.key(Qt.Key.Key_Tab)
        hands.type(name)
        hands.key(Qt.Key.Key_Return)
    first, second, third = hands.graph.nodes
    for source, port, target in ((first, "out", second), (second, "out", third)):
        hands.session.focus.select((source,))
        hands.key(Qt.Key.Key_W)
        hands.type(port)
        hands.key(Qt.Key.Key_Return)
        hands.type(target)
        hands.key(Qt.Key.Key_Return)
    assert [(w.source.node, w.target.node) for w in hands.graph.wires] == [(first, second), (second, third)]
    hands.key(Qt.Key.Key_L, CTRL)
    hands.key(Qt.Key.Key_A, CTRL)
    hands.key(Qt.Key.Key_D, CTRL)
    assert len(hands.graph.nodes) == 6


# Panels


def test_f6_goes_round_all_that_is_seen_and_back(hands):
    window = hands.window
    hands.view.setFocus()
    went = []
    for _ in range(12):
        hands.key(Qt.Key.Key_F6)
        went.append(window.going.where())
        assert window.going.ring.isVisible()
        if went[-1] == CANVAS:
            break
    assert went[-1] == CANVAS
    assert len(went) == len(set(went)) > 3
    assert {"palette", "inspector", "training"} <= set(went)
    hands.key(Qt.Key.Key_F6, SHIFT)
    assert window.going.where() == went[-2]
    hands.key(Qt.Key.Key_Escape)
    assert hands.view.hasFocus()
    hands.click(hands.node("lstm"))
    assert not window.going.ring.isVisible(), "the mouse needs no line"


@pytest.mark.parametrize(
    ("digit", "panel"),
    [
        ("2", "palette"),
        ("3", "inspector"),
        ("4", "problems"),
        ("5", "data"),
        ("6", "code"),
        ("7", "training"),
        ("8", "loss"),
        ("9", "runs"),
    ],
)
def test_ctrl_and_a_digit_show_a_panel_and_give_it_the_keyboard(hands, digit, panel):
    window = hands.window
    window.docks[panel].hide()
    hands.key(Qt.Key(ord(digit)), CTRL)
    assert window.going.where() == panel
    assert not window.docks[panel].widget().visibleRegion().isEmpty()
    assert window.docks[panel].isAncestorOf(QApplication.focusWidget())
    hands.key(Qt.Key.Key_1, CTRL)
    assert hands.view.hasFocus()


def test_a_panel_remembers_the_field_one_was_in(hands):
    hands.key(Qt.Key.Key_2, CTRL)
    tree = hands.window.palette_panel.tree
    tree.setFocus()
    hands.key(Qt.Key.Key_1, CTRL)
    hands.key(Qt.Key.Key_2, CTRL)
    assert tree.hasFocus()


def test_all_of_the_ways_are_in_the_view_menu_with_their_keys(hands):
    view = next(a.menu() for a in hands.window.menuBar().actions() if a.text() == "&View")
    go = next(a.menu() for a in view.actions() if a.text() == "&Go to")
    shown = {a.text().replace("&", ""): a.shortcut().toString() for a in go.actions()}
    assert shown["Next panel"] == "F6"
    assert shown["Go to the canvas"] == "Ctrl+1"
    assert shown["Go to the inspector"] == "Ctrl+3"


def test_undo_in_a_field_reaches_the_drawing_once_the_field_has_nothing_left(hands):
    hands.session.do(Connect(wire("lstm.c", "readout.input"), MAIN))
    field = hands.window.palette_panel.edit
    field.setFocus()
    hands.type("ab")
    hands.key(Qt.Key.Key_Z, CTRL)
    assert field.text() == ""
    assert wire("lstm.c", "readout.input") in hands.graph.wires
    hands.key(Qt.Key.Key_Z, CTRL)
    assert wire("lstm.h", "readout.input") in hands.graph.wires
    field.setFocus()
    field.setText("")
    hands.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert wire("lstm.c", "readout.input") in hands.graph.wires
    assert hands.window.undo_action.isEnabled()
