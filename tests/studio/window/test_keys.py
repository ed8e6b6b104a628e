"""The table of commands, the user's keys over it, and the window in which they are changed."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from rnnstudio.studio.keys.dialog import ShortcutsDialog
from rnnstudio.studio.keys.keymap import Keymap, keymap, types_something, written
from rnnstudio.studio.keys.table import COMMANDS, FIXED_KEYS, PRESETS
from rnnstudio.studio.window import MainWindow
from tests.studio.window.hands import CTRL, NONE, SHIFT, Hands


@pytest.fixture(autouse=True)
def keys_as_they_come(qapp, fresh_user_folders) -> None:
    keymap().load()


@pytest.fixture
def dialog(hands: Hands) -> ShortcutsDialog:
    hands.window.shortcuts_action.trigger()
    found = hands.window.shortcuts
    assert found is not None
    return found


def back(hands: Hands) -> None:
    """From the window of shortcuts to the canvas."""
    hands.window.activateWindow()
    hands.view.setFocus()
    QApplication.processEvents()


def choose(dialog: ShortcutsDialog, name: str) -> None:
    dialog.search.clear()
    QTest.keyClicks(dialog.search, COMMANDS[name].plain)
    QApplication.processEvents()
    dialog.tree.setCurrentItem(dialog._rows[name])


@pytest.mark.parametrize("preset", PRESETS)
def test_no_two_commands_of_a_preset_have_one_key(qapp, preset):
    given: dict[str, str] = {}
    for name, command in COMMANDS.items():
        for key in PRESETS[preset].get(name, command.keys):
            assert written(key), f"{key!r} of {name} is no key"
            assert written(key) == key, "keys are written as they are stored"
            assert key not in FIXED_KEYS, name
            assert key not in given, f"{key} of {name} and of {given[key]}"
            given[key] = name
    assert set(PRESETS[preset]) <= set(COMMANDS)


def test_every_command_of_the_table_is_an_action_of_the_window(window: MainWindow):
    assert all(name in window.acts for name in COMMANDS)
    for name in COMMANDS:
        action = window.acts[name]
        shown = action.shortcut().toString(QKeySequence.SequenceFormat.PortableText)
        assert not COMMANDS[name].keys or shown in COMMANDS[name].keys


def test_a_key_that_types_something_works_on_the_canvas_alone(hands):
    assert [
        types_something(key) for key in ("W", "Shift+A", "Tab", "1", "Del", "F5", "Shift+F5", "Ctrl+G", "Alt+Left")
    ] == [*(True, True, True, True, True, False, False, False, False)]
    keymap().give("train", ("T",))
    keymap().give("theme", ("Q", "Ctrl+Alt+Q"))
    asked = []
    hands.window.train_action.triggered.connect(lambda: asked.append("train"))
    hands.window.theme_action.triggered.connect(lambda: asked.append("theme"))
    field = hands.window.palette_panel.edit
    field.setFocus()
    hands.type("tq")
    assert (field.text(), asked) == ("tq", [])
    hands.key(Qt.Key.Key_Q, CTRL | Qt.KeyboardModifier.AltModifier)
    assert asked == ["theme"], "a key that types nothing works from everywhere"
    hands.view.setFocus()
    hands.key(Qt.Key.Key_Q)
    hands.key(Qt.Key.Key_T)
    assert asked == ["theme", "theme", "train"]
    hands.window.banner.hide()


def test_letters_typed_as_a_name_on_the_canvas_stay_letters(hands):
    hands.session.focus.select(("readout",))
    hands.key(Qt.Key.Key_F2)
    before = hands.session.design
    QTest.keyClicks(hands.window.focusWidget(), "wf1")
    hands.key(Qt.Key.Key_D, CTRL)
    hands.key(Qt.Key.Key_Delete)
    assert hands.session.design is before, "no command got a key of the name"
    hands.key(Qt.Key.Key_Return)
    assert "wf1" in hands.graph.nodes


def test_a_key_is_changed_kept_and_reset(hands, dialog):
    choose(dialog, "group")
    dialog.new_key.setFocus()
    QTest.keyClick(dialog.new_key, Qt.Key.Key_J, CTRL)
    assert hands.window.acts["group"].shortcut().toString() == "Ctrl+J"
    assert "Ctrl+J" in hands.window.acts["group"].toolTip()
    back(hands)
    hands.session.focus.select(("embedding", "lstm"))
    hands.key(Qt.Key.Key_G, CTRL)
    assert "embedding" in hands.graph.nodes, "the old key is free"
    hands.key(Qt.Key.Key_J, CTRL)
    assert "cell" in hands.graph.nodes
    assert Keymap().keys("group") == ("Ctrl+J",), "the next start finds it"
    assert json.loads(str(QSettings().value("keys/own"))) == {"group": ["Ctrl+J"]}
    dialog.reset_button.click()
    assert hands.window.acts["group"].shortcut().toString() == "Ctrl+G"
    assert json.loads(str(QSettings().value("keys/own"))) == {}


def test_a_second_key_and_no_key(hands, dialog):
    choose(dialog, "tidy")
    QTest.keyClick(dialog.more_key, Qt.Key.Key_F9)
    assert keymap().keys("tidy") == ("Ctrl+L", "F9")
    dialog.none_button.click()
    assert keymap().keys("tidy") == ()
    assert hands.window.tidy_action.shortcuts() == []
    assert hands.window.tidy_action.toolTip().endswith("columns")
    dialog.reset_all_button.click()
    assert keymap().keys("tidy") == ("Ctrl+L",)


def test_a_conflict_is_told_and_nothing_taken_until_one_says_so(hands, dialog):
    choose(dialog, "find")
    QTest.keyClick(dialog.new_key, Qt.Key.Key_G, CTRL)
    assert "Group into a cell" in dialog.told.text()
    assert (keymap().keys("find"), keymap().keys("group")) == (("Ctrl+F",), ("Ctrl+G",))
    dialog.take_button.click()
    assert (keymap().keys("find"), keymap().keys("group")) == (("Ctrl+G",), ())
    choose(dialog, "group")
    dialog.reset_button.click()
    assert (keymap().keys("find"), keymap().keys("group")) == ((), ("Ctrl+G",)), "what is reset takes its key back"
    choose(dialog, "find")
    dialog.reset_button.click()
    assert keymap().keys("find") == ("Ctrl+F",)


def test_a_fixed_key_is_refused_with_its_reason(dialog):
    choose(dialog, "find")
    QTest.keyClick(dialog.new_key, Qt.Key.Key_Space)
    assert "fixed" in dialog.told.text()
    assert keymap().keys("find") == ("Ctrl+F",)


def test_commands_are_found_by_name_and_by_pressing_their_key(dialog):
    QTest.keyClicks(dialog.search, "ungr")
    assert dialog.shown() == ["ungroup"]
    dialog.search.clear()
    assert dialog.shown() == list(COMMANDS)
    dialog.by_key.setFocus()
    QTest.keyClick(dialog.by_key, Qt.Key.Key_Tab)
    assert dialog.shown() == ["add"]
    QTest.keyClick(dialog.by_key, Qt.Key.Key_F12, CTRL)
    assert dialog.shown() == []
    assert "free" in dialog.told.text()
    QTest.keyClick(dialog.by_key, Qt.Key.Key_Escape)
    assert dialog.shown() == list(COMMANDS)
    QTest.keyClicks(dialog.search, "right drag")
    assert dialog.shown() == [], "what the mouse does is shown beside them, and cannot be changed"
    assert not dialog.tree.topLevelItem(dialog.tree.topLevelItemCount() - 1).isHidden()


def test_a_preset_changes_the_keys_that_no_person_chose(hands, dialog):
    keymap().give("move_up", ("Ctrl+F8",))
    dialog.preset.textActivated.emit("Arrows walk")
    assert keymap().keys("walk_right") == ("Right",)
    assert keymap().keys("move_right") == ("Ctrl+Right",)
    assert keymap().keys("move_up") == ("Ctrl+F8",)
    assert Keymap().preset == "Arrows walk"
    back(hands)
    hands.session.focus.select(("embedding",))
    hands.key(Qt.Key.Key_Right)
    assert hands.session.focus.nodes == ("lstm",)
    dialog.preset.textActivated.emit("rnnstudio")
    assert keymap().keys("walk_right") == ("Alt+Right",)


@pytest.mark.parametrize(
    "stored", ["", "{", "[]", '{"nobody": ["F7"], "group": "x", "find": [3]}', '{"group": ["Space"]}']
)
def test_settings_that_are_damaged_leave_the_table(qapp, stored):
    QSettings().setValue("keys/own", stored)
    QSettings().setValue("keys/preset", "of another version")
    found = Keymap()
    assert found.keys("group") in (("Ctrl+G",), ())
    assert found.keys("save") == ("Ctrl+S",)
    assert found.preset == "rnnstudio"


def test_a_persons_key_goes_before_a_new_commands_own(qapp):
    QSettings().setValue("keys/own", json.dumps({"group": ["W"]}))
    found = Keymap()
    assert (found.keys("group"), found.keys("wire")) == (("W",), ())


def test_the_help_shows_the_keys_as_they_are(hands):
    keymap().give("add", ("Ctrl+Alt+N",))
    hands.window.keys_action.trigger()
    box = hands.window.findChild(QMessageBox)
    assert "Ctrl+Alt+N" in box.text()
    assert "Alt+Click" in box.text()
    box.close()


def test_the_shortcuts_have_a_key_and_one_window(hands):
    hands.key(Qt.Key.Key_Slash, CTRL)
    first = hands.window.shortcuts
    assert first is not None
    assert first.isVisible()
    first.close()
    back(hands)
    hands.key(Qt.Key.Key_Slash, CTRL)
    assert hands.window.shortcuts is first
    assert first.isVisible()


def test_keys_work_wherever_the_keyboard_is(hands):
    """Ctrl+E, F5 and the like: from a field, a list, the code, a panel that floats."""
    pressed = []
    for name in ("export", "train", "tidy", "undo", "save", "find", "open", "shortcuts"):
        action = hands.window.acts[name]
        action.triggered.disconnect()
        action.setEnabled(True)
        action.triggered.connect(lambda _=False, name=name: pressed.append(name))
    window = hands.window
    window.docks["problems"].setFloating(True)
    QApplication.processEvents()
    window.show_dock("code")
    for widget in (window.view, window.palette_panel.edit, window.palette_panel.tree, window.code, window.problems):
        window.activateWindow()
        widget.window().activateWindow()
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.setFocus()
        QApplication.processEvents()
        pressed.clear()
        for key, held in (
            *((Qt.Key.Key_E, CTRL), (Qt.Key.Key_F5, NONE), (Qt.Key.Key_L, CTRL), (Qt.Key.Key_Z, CTRL)),
            *((Qt.Key.Key_S, CTRL), (Qt.Key.Key_F, CTRL), (Qt.Key.Key_O, CTRL), (Qt.Key.Key_Slash, CTRL)),
        ):
            QTest.keyClick(widget, key, held)
        assert pressed == ["export", "train", "tidy", "undo", "save", "find", "open", "shortcuts"], widget


def test_shift_keeps_a_letter_and_is_part_of_a_sign(dialog):
    choose(dialog, "find")
    QTest.keyClick(dialog.new_key, Qt.Key.Key_B, SHIFT)
    assert keymap().keys("find") == ("Shift+B",)
    QTest.keyClick(dialog.new_key, Qt.Key.Key_Question, SHIFT)
    assert keymap().keys("find") == ("?",)
