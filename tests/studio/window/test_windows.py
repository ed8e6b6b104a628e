"""Several windows in one process, each with a design, undo, worker and recovery copy of its own; none leaks."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.design import storage
from rnnstudio.design.edits import SetName
from rnnstudio.studio import recovery
from rnnstudio.studio.app import _unforeseen, open_window
from rnnstudio.studio.window import CANCEL, DISCARD, SAVE, MainWindow
from rnnstudio.studio.windows import windows
from tests.studio.window.hands import CTRL, SHIFT, Hands, language_model


def buried() -> None:
    """What was closed is taken apart, as the event loop would do it."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()
    gc.collect()


def answering(window: MainWindow, unsaved: str = DISCARD) -> MainWindow:
    window.ask_unsaved = lambda: unsaved
    window.ask_training = lambda closing: "stop"
    window.ask_file = lambda saving: None
    return window


@pytest.fixture
def another(hands: Hands) -> Iterator[Callable[[], MainWindow]]:
    """Opens a further window from the first one by its key."""

    def made() -> MainWindow:
        before = windows().open
        hands.window.activateWindow()
        QTest.keyClick(hands.view, Qt.Key.Key_N, CTRL | SHIFT)
        QApplication.processEvents()
        (window,) = set(windows().open) - set(before)
        return answering(window)

    yield made
    for window in windows().open:
        if window is not hands.window:
            window.ask_unsaved = lambda: DISCARD
            window.close()
    buried()


def test_a_new_window_has_a_design_an_undo_and_a_copy_of_its_own(hands, another):
    first, second = hands.window, another()
    assert second is not first
    assert second.isVisible()
    assert second.session.design.graph.nodes == {}
    assert second.pos() != first.pos()
    assert first.screen().availableGeometry().contains(second.frameGeometry())
    second.session.do(SetName("second"))
    first.session.do(SetName("first"))
    QTest.keyClick(second.view, Qt.Key.Key_Z, CTRL)
    assert (first.session.design.name, second.session.design.name) == ("first", "untitled")
    second.session.do(SetName("second"))
    assert first.autosave.file != second.autosave.file
    assert first.autosave.write()
    assert second.autosave.write()
    assert {storage.loads(file.read_text().partition("\n")[2]).name for file in recovery.folder().glob("*.rnn")} == {
        *("first", "second")
    }
    assert first.live.fill() is not second.live.fill(), "each trains by a worker of its own"
    assert second.close()
    assert windows().open == (first,)
    assert first.isVisible()
    assert len(list(recovery.folder().glob("*.rnn"))) == 1, "the other one's copy stays"


def test_a_closed_window_is_freed(hands, another):
    second = another()
    second.session.new(language_model())
    second.live.fill()
    second.shortcuts_action.trigger()
    second.going.to_panel("inspector")
    second.session.focus.enter("LSTM", "lstm")
    QTest.keyClick(second.view, Qt.Key.Key_Tab)
    QApplication.processEvents()
    parts = (
        second,
        second.session,
        second.view,
        second.view.canvas,
        second.inspector,
        second.live,
        second.session.document,
    )
    left = [weakref.ref(part) for part in parts]
    del parts
    second.close()
    del second
    buried()
    alive = [ref() for ref in left if ref() is not None]
    held = {type(one).__name__: [type(holder).__name__ for holder in gc.get_referrers(one)][:8] for one in alive}
    assert not held


def test_the_same_file_is_open_once(hands, another, tmp_path):
    path = tmp_path / "model.rnn"
    storage.save(language_model(), path)
    assert hands.window.open(path)
    second = another()
    assert second.open(path), "it brings the first window to the front"
    assert second.session.path is None
    assert windows().front() is hands.window
    assert hands.window.open_beside(path)
    assert len(windows().open) == 2


def test_opened_beside_a_design_gets_a_window_an_empty_one_is_used(hands, tmp_path, another):
    for name in ("one", "two"):
        storage.save(language_model(), tmp_path / f"{name}.rnn")
    assert hands.window.open(tmp_path / "one.rnn")
    assert hands.window.open_beside(tmp_path / "two.rnn")
    assert [w.session.path.name for w in sorted(windows().open, key=lambda w: w.number)] == ["one.rnn", "two.rnn"]
    empty = another()
    storage.save(language_model(), tmp_path / "three.rnn")
    assert empty.open_beside(tmp_path / "three.rnn")
    assert empty.session.path.name == "three.rnn"
    assert not hands.window.open_beside(tmp_path / "four.rnn")
    assert len(windows().open) == 3, "what cannot be opened leaves no empty window"
    assert hands.window.banner.isVisible()


def test_quitting_asks_for_each_unsaved_window_and_a_no_keeps_all(hands, another, tmp_path):
    first, second, third = hands.window, another(), another()
    asked: list[str] = []

    def answer(window: MainWindow, how: str) -> Callable[[], str]:
        return lambda: asked.append(window.session.design.name) or how

    first.session.new(language_model())
    second.session.do(SetName("second"))
    third.session.do(SetName("third"))
    second.ask_unsaved, third.ask_unsaved = answer(second, CANCEL), answer(third, DISCARD)
    first.quit_action.trigger()
    assert asked == ["third", "second"]
    assert set(windows().open) == {first, second, third}
    asked.clear()
    second.ask_unsaved, second.ask_file = answer(second, SAVE), lambda saving: tmp_path / "second.rnn"
    first.quit_action.trigger()
    assert sorted(asked) == ["second", "third"]
    assert windows().open == ()
    assert storage.load(tmp_path / "second.rnn").name == "second"
    assert not list(recovery.folder().glob("*.rnn"))


def test_what_is_copied_in_one_window_is_pasted_in_another(hands, another):
    hands.session.focus.select(("embedding", "lstm"))
    hands.key(Qt.Key.Key_C, CTRL)
    second = another()
    second.start.hide()
    QTest.keyClick(second.view, Qt.Key.Key_V, CTRL)
    design = second.session.design
    assert set(design.graph.nodes) == {"embedding", "lstm"}
    assert [str(w) for w in design.graph.wires] == ["embedding.out → lstm.x"] or len(design.graph.wires) == 1
    assert set(design.cells) == {"LSTM"}
    assert design.variables == {"hidden": 32}


def test_the_menu_lists_the_windows_and_a_key_goes_round(hands, another):
    second = another()
    second.session.do(SetName("second"))
    menu = next(a.menu() for a in hands.window.menuBar().actions() if a.text() == "&Window")
    menu.aboutToShow.emit()
    titles = [a.text() for a in menu.actions()]
    assert titles[-2:] == ["model", "second"]
    menu.actions()[-1].trigger()
    assert windows().front() is second
    second.acts["next_window"].trigger()
    assert windows().front() is hands.window
    second.close()
    menu.aboutToShow.emit()
    assert [a.text() for a in menu.actions()][-1] == "model"


def test_the_keys_and_the_theme_are_common_to_all_windows(hands, another):
    from rnnstudio.studio.keys.keymap import keymap

    second = another()
    keymap().give("tidy", ("F9",))
    assert hands.window.tidy_action.shortcut().toString() == second.tidy_action.shortcut().toString() == "F9"
    dark = hands.window.theme_action.isChecked()
    hands.window.theme_action.trigger()
    assert second.theme_action.isChecked() is not dark
    hands.window.theme_action.trigger()
    keymap().reset_all()


def test_an_unforeseen_error_is_told_in_front_and_keeps_every_design(hands, another, capsys):
    second = another()
    second.session.do(SetName("second"))
    hands.session.do(SetName("first"))
    second.come_forward()
    _unforeseen(ZeroDivisionError, ZeroDivisionError("by zero"), None)
    assert "ZeroDivisionError" in second.banner.what.text()
    assert not hands.window.banner.isVisible()
    assert len(list(recovery.folder().glob("*.rnn"))) == 2
    assert "by zero" in capsys.readouterr().err


def test_each_design_of_the_command_line_gets_a_window(qapp, tmp_path):
    storage.save(language_model(), tmp_path / "one.rnn")
    opened = [answering(open_window(tmp_path / "one.rnn")), answering(open_window("char-lm"))]
    assert [w.session.design.name for w in windows().open] == ["model", opened[1].session.design.name]
    for window in opened:
        window.close()
    opened.clear()
    del window
    buried()
    assert Path(tmp_path / "one.rnn").exists()
