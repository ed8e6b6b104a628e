"""Nothing is overwritten or deleted unasked: files that others write, copies of killed windows, failed saves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.design import storage
from rnnstudio.design.design import Design, Node, Var, frozen
from rnnstudio.design.edits import (
    AddNode,
    Compound,
    RemoveNodes,
    SetData,
    SetName,
    SetParam,
    SetTraining,
    SetVariable,
)
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.studio import recovery
from rnnstudio.studio.canvas.overlay import Banner
from rnnstudio.studio.places import gallery
from rnnstudio.studio.window import CANCEL, STOP, MainWindow
from rnnstudio.studio.windows import windows as all_windows
from tests.soak import windows
from tests.studio.window.hands import CTRL, LEFT, Hands, language_model


@pytest.fixture
def saved(hands: Hands, tmp_path: Path) -> Path:
    """The design's own file, open in the window and unchanged."""
    path = tmp_path / "mine.rnn"
    storage.save(language_model(), path)
    assert hands.window.open(path)
    return path


@pytest.fixture
def other(qapp):
    """A second window."""
    made = MainWindow()
    made.ask_unsaved = lambda: "discard"
    made.show()
    yield made
    made.close()
    made.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qapp.processEvents()


def press(strip: Banner, words: str) -> None:
    button = next(b for b in strip.choices if b.text() == words)
    QTest.mouseClick(button, LEFT)
    QApplication.processEvents()


def come_back(window: MainWindow) -> None:
    """The person turns to the window again."""
    window.activateWindow()
    QApplication.sendEvent(window, QEvent(QEvent.Type.ActivationChange))


def save_key(hands: Hands) -> None:
    hands.key(Qt.Key.Key_S, CTRL)


def by_another(path: Path, name: str = "theirs") -> bytes:
    """Another program writes the design."""
    design = language_model().replace(name=name)
    storage.save(design, path)
    return path.read_bytes()


def test_a_save_never_overwrites_what_another_program_wrote(hands, saved):
    hands.session.do(SetName("ours"))
    theirs = by_another(saved)
    save_key(hands)
    assert saved.read_bytes() == theirs
    assert hands.session.dirty
    strip = hands.window.elsewhere_strip
    assert strip.isVisible()
    assert "mine.rnn" in strip.what.text()
    assert "name" in strip.more.text(), "what changed is told"
    assert [b.text() for b in strip.choices] == ["Reload", "Compare", "Keep mine", "Save as…"]


def test_equal_time_and_size_do_not_hide_another_content(hands, saved):
    before = saved.stat()
    theirs = saved.read_bytes().replace(b'"model"', b'"modem"')
    with saved.open("r+b") as file:
        file.write(theirs)
    os.utime(saved, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert saved.stat().st_mtime_ns == before.st_mtime_ns
    assert saved.stat().st_size == before.st_size
    assert saved.stat().st_ino == before.st_ino
    hands.session.do(SetName("ours"))
    save_key(hands)
    assert saved.read_bytes() == theirs


def test_a_change_that_is_taken_back_is_no_longer_asked_about(hands, saved):
    ours = saved.read_bytes()
    by_another(saved)
    come_back(hands.window)
    assert hands.window.elsewhere_strip.isVisible()
    saved.write_bytes(ours)
    come_back(hands.window)
    assert not hands.window.elsewhere_strip.isVisible()


def test_a_touch_is_no_change(hands, saved):
    os.utime(saved)
    come_back(hands.window)
    assert not hands.window.elsewhere_strip.isVisible()
    hands.session.do(SetName("ours"))
    save_key(hands)
    assert storage.load(saved).name == "ours"


def test_keep_mine_saves_over_it(hands, saved):
    hands.session.do(SetName("ours"))
    by_another(saved)
    save_key(hands)
    press(hands.window.elsewhere_strip, "Keep mine")
    assert storage.load(saved).name == "ours"
    assert not hands.session.dirty
    assert not hands.window.elsewhere_strip.isVisible()
    hands.session.do(SetName("ours again"))
    save_key(hands)
    assert storage.load(saved).name == "ours again"


def test_reload_takes_theirs_and_asks_for_unsaved_work(hands, saved):
    hands.session.do(SetName("ours"))
    by_another(saved)
    come_back(hands.window)
    asked = []
    hands.window.ask_drop = lambda: asked.append(True) or False
    press(hands.window.elsewhere_strip, "Reload")
    assert asked
    assert hands.session.design.name == "ours"
    assert hands.window.elsewhere_strip.isVisible(), "the question is still open"
    hands.window.ask_drop = lambda: True
    press(hands.window.elsewhere_strip, "Reload")
    assert hands.session.design.name == "theirs"
    assert not hands.session.dirty


def compared(hands, saved, qtbot):
    """The person changed a node, another program others; the comparison is open."""
    hands.session.do(SetParam("embedding", "units", 24))
    design = Compound((RemoveNodes(("target",)), AddNode(Node("more", "Tanh", x=40, y=300)))).apply(language_model())
    storage.save(design, saved)
    come_back(hands.window)
    press(hands.window.elsewhere_strip, "Compare")
    dialog = hands.window.elsewhere.dialog
    qtbot.waitUntil(dialog.isVisible)
    return dialog


def test_what_differs_is_drawn_and_told(hands, saved, qtbot):
    dialog = compared(hands, saved, qtbot)
    assert {key: mark.data(0) for key, mark in dialog.marks.items()} == {
        "more": "good",
        "target": "error",
        "embedding": "warning",
    }
    assert set(dialog.scene.nodes) == {*language_model().graph.nodes, "more"}
    assert {item.severity for item in dialog.scene.nodes.values()} == {""}, "both in one is not judged"
    told = [dialog.list.item(row).text() for row in range(dialog.list.count())]
    assert "more only in the file" in told
    assert "target only here" in told
    assert "embedding: units 24 → 16" in told
    dialog.list.setCurrentRow(told.index("target only here"))
    QTest.keyClick(dialog.list, Qt.Key.Key_Return)
    assert dialog.scene.session.focus.nodes == ("target",)
    assert hands.session.focus.nodes != ("target",)
    QTest.mouseClick(dialog.close_button, LEFT)
    assert hands.window.elsewhere_strip.isVisible(), "the question is still open"
    assert hands.session.design.graph.nodes["embedding"].params["units"] == 24


def test_from_the_comparison_theirs_is_taken_or_mine_kept(hands, saved, qtbot):
    dialog = compared(hands, saved, qtbot)
    QTest.mouseClick(dialog.keep_button, LEFT)
    assert storage.load(saved).graph.nodes["embedding"].params["units"] == 24
    assert not hands.session.dirty
    assert not hands.window.elsewhere_strip.isVisible()
    dialog = compared(hands, saved, qtbot) if hands.session.do(SetParam("embedding", "units", 8)) else None
    hands.window.ask_drop = lambda: True
    QTest.mouseClick(dialog.reload_button, LEFT)
    assert "more" in hands.session.design.graph.nodes
    assert not hands.session.dirty


def test_cells_that_differ_are_compared_inside(hands, saved, qtbot):
    hands.session.document.do(SetParam("W_f", "bias", False, "LSTM"))  # as an older file may have it
    by_another(saved)
    come_back(hands.window)
    press(hands.window.elsewhere_strip, "Compare")
    dialog = hands.window.elsewhere.dialog
    assert "name: “model” → “theirs”" in dialog.settings.text()
    dialog.drawings.setFocus()
    QTest.keyClick(dialog.drawings, Qt.Key.Key_Down)
    assert dialog.drawings.currentData() == "LSTM"
    assert set(dialog.marks) == {"W_f"}
    dialog.reject()


def test_save_as_leaves_theirs(hands, saved, tmp_path):
    hands.session.do(SetName("ours"))
    theirs = by_another(saved)
    come_back(hands.window)
    hands.window.ask_file = lambda saving: tmp_path / "second.rnn"
    press(hands.window.elsewhere_strip, "Save as…")
    assert saved.read_bytes() == theirs
    assert storage.load(tmp_path / "second.rnn").name == "ours"


def test_a_deleted_design_is_not_made_again_unasked(hands, saved):
    hands.session.do(SetName("ours"))
    saved.unlink()
    save_key(hands)
    assert not saved.exists()
    assert [b.text() for b in hands.window.elsewhere_strip.choices] == ["Keep mine", "Save as…"]
    press(hands.window.elsewhere_strip, "Keep mine")
    assert storage.load(saved).name == "ours"


def test_one_file_in_two_windows(hands, saved, other):
    """As a window of another process has it: this one shows a file once."""
    assert other.session.open(saved)
    hands.session.do(SetName("first"))
    assert hands.window.save()
    other.session.do(SetName("second"))
    assert not other.save()
    assert storage.load(saved).name == "first"
    assert other.elsewhere_strip.isVisible()
    assert "unsaved changes here, too" in other.elsewhere_strip.more.text()


def test_a_change_is_told_once_when_the_window_is_turned_to(hands, saved):
    by_another(saved)
    come_back(hands.window)
    strip = hands.window.elsewhere_strip
    assert strip.isVisible()
    QTest.mouseClick(strip.button, LEFT)
    come_back(hands.window)
    assert not strip.isVisible(), "put off until the next change or save"
    by_another(saved, "theirs again")
    come_back(hands.window)
    assert strip.isVisible()


def test_a_failed_save_as_leaves_everything(hands, saved, tmp_path):
    (tmp_path / "data.txt").write_text("some text")
    hands.session.do(SetData(DataRecipe("text", "data.txt")))
    before = hands.session.design, hands.window.windowTitle(), hands.window._recent()
    undo = hands.session.document.undo_title
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    hands.window.ask_file = lambda saving: not_a_folder / "new.rnn"
    hands.key(Qt.Key.Key_S, CTRL | Qt.KeyboardModifier.ShiftModifier)
    assert hands.window.banner.isVisible()
    assert (hands.session.design, hands.window.windowTitle(), hands.window._recent()) == before
    assert hands.session.design is before[0]
    assert hands.session.path == saved
    assert hands.session.base_folder == tmp_path
    assert hands.session.dirty
    assert hands.window.isWindowModified()
    assert hands.session.document.undo_title == undo


def test_an_ending_that_was_added_is_asked_about_where_such_a_file_is(hands, saved, tmp_path):
    taken = tmp_path / "taken.rnn"
    theirs = by_another(taken)
    hands.window.ask_file = lambda saving: tmp_path / "taken"
    hands.window.ask_replace = lambda path: False
    assert not hands.window.save_as()
    assert taken.read_bytes() == theirs
    assert hands.session.path == saved


# Copies


def killed(name: str, path: Path | None = None, design=None) -> Path:
    """The copy of a window that was killed with unsaved work."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    note = {"path": str(path or ""), "base": str(Path.cwd()), "stands": None, "pid": gone.pid, "since": "then"}
    file = recovery.folder() / f"{gone.pid}-{name}.rnn"
    body = storage.dumps(design or language_model().replace(name=name))
    file.write_text(json.dumps(note) + "\n" + body)
    return file


@pytest.fixture
def two(window):
    """Two windows with unsaved work were killed, the second last."""
    first, second = killed("first"), killed("second")
    os.utime(first, (1_000, 1_000))
    os.utime(second, (2_000, 2_000))
    yield first, second
    for file in (first, second):
        file.unlink(missing_ok=True)


def test_every_lost_window_is_offered_by_name_and_time(window, two):
    window.offer_recovery()
    strip = window.left_strip
    assert "second" in strip.what.text()
    assert "1970-01-01" in strip.more.text()
    assert "1 more" in strip.more.text()
    press(strip, "Later")
    assert "first" in strip.what.text()
    press(strip, "Later")
    assert not strip.isVisible()
    assert all(file.exists() for file in two)


def test_closing_the_strip_deletes_nothing(window, two):
    window.offer_recovery()
    QTest.mouseClick(window.left_strip.button, LEFT)
    assert all(file.exists() for file in two)
    assert len(recovery.left_behind()) == 2


def test_a_copy_is_refused_by_its_name_alone(window, two):
    first, second = two
    window.offer_recovery()
    press(window.left_strip, "Refuse “second”")
    assert not second.exists()
    assert first.exists()
    assert "first" in window.left_strip.what.text()


def test_what_is_taken_over_is_kept_without_a_gap(window, two):
    second = two[1]
    window.offer_recovery()
    press(window.left_strip, "Recover")
    assert window.session.design.name == "second"
    assert window.session.dirty
    assert not second.exists()
    assert '"second"' in window.autosave.file.read_text(), "its own copy was written before the other went"


def test_every_lost_window_gets_a_window_again(window, two):
    """Nothing is asked and nothing let go: what is open stays open."""
    first, second = two
    window.ask_unsaved = lambda: CANCEL
    window.offer_recovery()
    press(window.left_strip, "Recover")
    press(window.left_strip, "Recover")
    (other,) = set(all_windows().open) - {window}
    assert (window.session.design.name, other.session.design.name) == ("second", "first")
    assert window.session.dirty
    assert other.session.dirty
    assert not first.exists()
    assert not second.exists()
    assert recovery.left_behind() == [], "each is kept by its window"
    assert len(list(recovery.folder().glob("*.rnn"))) == 2
    window.ask_unsaved = other.ask_unsaved = lambda: "discard"
    other.close()


def test_a_copy_that_cannot_be_kept_again_stays(window, two, monkeypatch):
    """As on a full disk: the copy of this window's own cannot be written."""
    second = two[1]
    window.autosave.file = window.autosave.file / "no folder" / "copy.rnn"
    window.recover(recovery.left_behind()[0])
    assert window.session.design.name == "second"
    assert second.exists()


def test_copies_of_living_windows_are_not_offered(hands):
    hands.session.do(SetName("alive"))
    hands.window.autosave.write()
    assert hands.window.autosave.file.exists()
    code = "from rnnstudio.studio import recovery; print([left.name for left in recovery.left_behind()])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "alive" not in told.stdout
    assert hands.window.autosave.file.exists()


def test_another_process_of_the_same_number_does_not_hide_a_copy(hands):
    """The number of a killed window was given to another process since."""
    file = killed("lost")
    head, _, body = file.read_text().partition("\n")
    file.write_text(json.dumps({**json.loads(head), "pid": os.getpid(), "since": "long ago"}) + "\n" + body)
    assert [left.name for left in recovery.left_behind()] == ["lost"]
    file.unlink()


def test_a_recovered_copy_does_not_overwrite_a_file_changed_since(window, tmp_path):
    path = tmp_path / "mine.rnn"
    storage.save(language_model(), path)
    file = killed("lost", path)
    head, _, body = file.read_text().partition("\n")
    file.write_text(json.dumps({**json.loads(head), "stands": "0" * 64}) + "\n" + body)
    before = path.read_bytes()
    window.offer_recovery()
    press(window.left_strip, "Recover")
    assert not window.save()
    assert path.read_bytes() == before
    assert window.elsewhere_strip.isVisible()


def test_a_few_kills_and_two_writers_lose_nothing():
    """The whole of it: `make soak`."""
    done, failures = windows.trials(3, seed=1)
    assert done == 3
    assert not failures


# Cells and variables that are pasted


def lstm_changed(design: Design) -> Design:
    cell = design.cells["LSTM"]
    nodes = {**cell.graph.nodes}
    key = next(k for k, n in nodes.items() if n.kind not in ("CellInput", "CellOutput"))
    nodes[key] = nodes[key].replace(title="changed")
    return design.replace(cells=frozen({"LSTM": cell.replace(graph=cell.graph.replace(nodes=frozen(nodes)))}))


def test_a_changed_cell_is_pasted_beside_the_one_of_its_name(hands):
    """Case 13: another LSTM, and another value of `hidden`."""
    theirs = lstm_changed(language_model()).replace(variables=frozen({"hidden": 64, "unused": 1}))
    hands.session.new(theirs)
    hands.view.frame_all()
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_C, CTRL)
    hands.session.new(language_model())
    hands.view.frame_all()
    hands.view.setFocus()
    hands.key(Qt.Key.Key_V, CTRL)
    design = hands.session.design
    pasted = design.graph.nodes["lstm2"]
    assert pasted.params["cell"] == "LSTM_2"
    assert pasted.params["units"] == Var("hidden_2")
    assert design.variables == {"hidden": 32, "hidden_2": 64}
    assert design.cells["LSTM_2"].graph.nodes == theirs.cells["LSTM"].graph.nodes
    assert design.cells["LSTM"] == language_model().cells["LSTM"]
    assert "“LSTM” came as “LSTM_2”" in hands.window.statusBar().currentMessage()
    hands.key(Qt.Key.Key_V, CTRL)
    assert set(hands.session.design.cells) == {"LSTM", "LSTM_2"}, "equal ones are shared"
    assert set(hands.session.design.variables) == {"hidden", "hidden_2"}


# Trainings, settings, other documents


def test_a_setting_that_cannot_be_stops_train_and_is_named(hands):
    hands.window.live.fill()
    panel = hands.window.docks["training"].widget()
    for name, typed in (("learning_rate", "1000000"), ("epochs", ""), ("batch_size", "many"), ("threads", "-3")):
        field = panel.form.inputs[name]
        before = hands.session.design
        hands.window.show_dock("training")
        panel.form.advanced.set_open(True)
        field.setFocus()
        field.selectAll()
        QTest.keyClick(field, Qt.Key.Key_Backspace)
        QTest.keyClicks(field, typed)
        hands.window.train_action.trigger()
        assert hands.window.live.live.state == "idle"
        assert panel.form.labels[name].text() in hands.window.banner.what.text()
        assert field.property("wrong")
        assert field.text() == typed, "what was typed is still there to be corrected"
        assert hands.session.design is before
        QTest.keyClick(field, Qt.Key.Key_Escape)
        assert not field.property("wrong")


def test_another_document_clears_what_was_typed_and_looked_at(hands, tmp_path, qtbot):
    text = tmp_path / "fox.txt"
    text.write_text("the quick brown fox " * 200)
    hands.window.live.fill()
    data = hands.window.docks["data"].widget()
    with qtbot.waitSignal(data.looked):
        data.open_file(text)
    data.split_form.train.setValue(40)
    field = hands.window.docks["training"].widget().form.inputs["epochs"]
    field.setText("none")
    field.finish()
    hands.window.new()
    assert data.preview is None
    assert not data.details.isVisibleTo(data)
    assert field.text() != "none"
    assert not field.property("wrong")


def test_options_the_design_does_not_have_stop_train(hands, tmp_path, qtbot):
    text = tmp_path / "fox.txt"
    text.write_text("the quick brown fox " * 200)
    live = hands.window.live.fill()
    data = hands.window.docks["data"].widget()
    with qtbot.waitSignal(data.looked):
        data.open_file(text)
    data.use()
    with qtbot.waitSignal(data.looked):
        data.split_form.train.setValue(40)
    assert not live.train()
    assert "does not use yet" in hands.window.banner.what.text()


@pytest.fixture
def training(hands, tmp_path, qtbot):
    """A run that would take for ever."""
    text = tmp_path / "fox.txt"
    text.write_text("the quick brown fox jumps over the lazy dog " * 200)
    hands.window.open_example(next(path for path in gallery() if path.parent.name == "char-lm"))
    live = hands.window.live.fill()
    data = hands.window.docks["data"].widget()
    with qtbot.waitSignal(data.looked):
        data.open_file(text)
    data.use()
    small = {"epochs": 100_000, "batch_size": 4, "chunk": 20, "threads": 1, "probe_seconds": 0.05}
    hands.session.do(SetTraining(small))
    assert hands.window.save_as(tmp_path / "fox.rnn")
    assert live.train(), hands.window.banner.what.text()
    qtbot.waitUntil(lambda: live.state == "running" and len(live.curves) > 0)
    return live


def test_closing_or_leaving_asks_while_a_training_runs(hands, training, qtbot):
    asked = []
    hands.window.ask_training = lambda closing: asked.append(closing) or CANCEL
    assert not hands.window.close()
    assert not hands.window.new()
    assert asked == [True, False]
    assert training.state == "running"
    hands.window.ask_training = lambda closing: STOP
    assert hands.window.new()
    qtbot.waitUntil(lambda: training.state == "idle")
    assert training.curves.folder is None, "the new design has no run"
    panel = hands.window.docks["training"].widget()
    assert panel.status.text() == "Ready"
    assert not panel.place.text()


def test_a_run_of_another_drawing_is_told_and_both_ways_are_offered(hands, training, qtbot):
    folder, design = training.run_folder, hands.session.design
    training.stop()
    qtbot.waitUntil(lambda: training.state == "idle")
    hands.session.do(SetVariable("hidden", 7))
    training.go_on(folder)
    strip = hands.window.resume_strip
    qtbot.waitUntil(strip.isVisible)
    assert training.state == "idle"
    assert folder.name in strip.what.text()
    assert [b.text() for b in strip.choices] == ["Open its drawing and resume", "New run with this drawing"]
    press(strip, "Open its drawing and resume")
    qtbot.waitUntil(lambda: training.state == "running")
    assert training.run_folder == folder
    assert hands.session.design.variables == design.variables
