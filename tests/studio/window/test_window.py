"""Files, problems, panels and looks of the whole window."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QCheckBox, QLabel

from rnnstudio.design import storage
from rnnstudio.design.design import Pin, Wire
from rnnstudio.design.edits import Connect, Disconnect, SetName
from rnnstudio.studio import recovery, theme
from rnnstudio.studio.offers import MIME
from rnnstudio.studio.places import gallery
from rnnstudio.studio.window import CANCEL, DISCARD, SAVE, MainWindow
from tests.studio.window.hands import NONE, Hands, language_model, thousand_nodes

COPY = Qt.DropAction.CopyAction


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.rnn"
    storage.save(language_model(), path)
    return path


def test_an_empty_window_says_what_to_do_and_leads_to_examples(window, qapp):
    assert window.empty.isVisible()
    QTest.mouseClick(window.empty.start_button, Qt.MouseButton.LeftButton)
    qapp.processEvents()
    card = window.start.screen.card(f"example:{gallery()[0]}")
    QTest.mouseClick(card, Qt.MouseButton.LeftButton)
    qapp.processEvents()
    assert window.session.design.graph.nodes
    assert not window.empty.isVisible()
    assert window.session.path is None
    assert window.session.checked.ok


@pytest.mark.parametrize("path", gallery(), ids=lambda path: path.parent.name)
def test_every_example_is_drawn_in_full_view(window, qapp, path):
    window.open_example(path)
    qapp.processEvents()
    area = window.view.viewport().rect()
    for item in window.view.canvas.nodes.values():
        corner = window.view.viewportTransform().mapRect(item.sceneBoundingRect())
        assert area.contains(corner.toRect()), item.key


def test_save_writes_and_the_title_tells(hands, tmp_path):
    window = hands.window
    assert "model[*]" in window.windowTitle()
    hands.session.do(SetName("renamed"))
    assert window.isWindowModified()
    window.ask_file = lambda saving: tmp_path / "saved"
    window.save_action.trigger()
    assert storage.load(tmp_path / "saved.rnn").name == "renamed"
    assert not window.isWindowModified()
    assert "saved.rnn" in window.windowTitle()
    hands.window.undo_action.trigger()
    assert window.isWindowModified()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"format": 999}', b"\xff\xfe\x00binary", b'{"format": 1, "graph": {"nodes": {"a": 3}}}'],
    ids=["empty", "cut off", "of the future", "binary", "damaged"],
)
def test_a_damaged_file_is_one_clear_error_and_harms_nothing(hands, tmp_path, content):
    path = tmp_path / "bad.rnn"
    path.write_bytes(content)
    before = hands.session.document
    assert not hands.window.open(path)
    assert hands.session.document is before
    assert len(hands.view.canvas.nodes) == 6
    assert hands.window.banner.isVisible()
    assert "bad.rnn" in hands.window.banner.more.text()
    hands.window.banner.button.click()
    assert not hands.window.banner.isVisible()


def test_unsaved_changes_are_asked_about(hands, file):
    window, session = hands.window, hands.session
    session.do(SetName("changed"))
    window.ask_unsaved = lambda: CANCEL
    assert not window.open(file)
    assert not window.close()
    assert session.design.name == "changed"
    saved = file.with_name("mine.rnn")
    window.ask_unsaved = lambda: SAVE
    window.ask_file = lambda saving: saved
    assert window.open(file)
    assert storage.load(saved).name == "changed"
    session.do(SetName("again"))
    window.ask_unsaved = lambda: DISCARD
    window.new_action.trigger()
    assert session.design.name == "untitled"


def test_a_design_dropped_onto_the_window_opens(hands, file):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    at, copy, left, none = QPoint(50, 50), COPY, Qt.MouseButton.LeftButton, NONE
    enter = QDragEnterEvent(at, copy, mime, left, none)
    QApplication.sendEvent(hands.screen, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(hands.screen, QDropEvent(QPointF(at), copy, mime, left, none))
    assert hands.session.path == file.resolve()
    hands.window.recent_menu.aboutToShow.emit()
    assert "model.rnn" in hands.window.recent_menu.actions()[0].text()


def test_data_dropped_onto_the_window_are_looked_at(hands, tmp_path, qtbot):
    path = tmp_path / "own.txt"
    path.write_text("the cat sat on the mat. " * 200, encoding="utf-8")
    before = hands.session.design
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    at = QPoint(50, 50)
    enter = QDragEnterEvent(at, COPY, mime, Qt.MouseButton.LeftButton, NONE)
    QApplication.sendEvent(hands.screen, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(hands.screen, QDropEvent(QPointF(at), COPY, mime, Qt.MouseButton.LeftButton, NONE))
    panel = hands.window.live.panels["data"]
    qtbot.waitUntil(lambda: panel.preview is not None and panel.use_button.isEnabled())
    assert panel.isVisible()
    assert hands.session.design is before, "looking changes nothing"


def test_the_pause_button_shows_what_it_will_do(hands):
    action = hands.window.pause_action
    pause = action.icon().pixmap(20, 20).toImage()
    hands.window.live.show_state("paused")
    assert action.text() == "&Resume"
    assert action.icon().pixmap(20, 20).toImage() != pause
    hands.window.live.show_state("running")
    assert action.icon().pixmap(20, 20).toImage() == pause


@pytest.mark.parametrize("colours", [theme.DARK, theme.LIGHT], ids=lambda t: t.name)
def test_an_unticked_box_stands_out(qapp, colours):
    """WCAG 2.2, 1.4.11: the border of a control has a contrast of 3 : 1 at least to what is around it."""
    before = theme.current()
    theme.apply(colours)
    box = QCheckBox()
    try:
        box.setAutoFillBackground(True)
        box.resize(40, 24)
        image = box.grab().toImage()
        around = luminance(image.pixelColor(36, 12))
        found = [luminance(image.pixelColor(x, 12)) for x in range(20)]
        contrast = max((max(a, around) + 0.05) / (min(a, around) + 0.05) for a in found)
        assert contrast >= 3
    finally:
        box.close()
        box.deleteLater()
        theme.apply(before)


@pytest.mark.parametrize("colours", [theme.DARK, theme.LIGHT], ids=lambda t: t.name)
def test_a_panels_title_buttons_stand_out(window, qapp, colours):
    before = theme.current()
    theme.apply(colours)
    try:
        qapp.processEvents()
        for button in window.docks["palette"].findChildren(QAbstractButton, "qt_dockwidget_closebutton"):
            image = button.grab().toImage()
            found = [luminance(image.pixelColor(x, y)) for x in range(image.width()) for y in range(image.height())]
            assert (max(found) + 0.05) / (min(found) + 0.05) >= 4.5
    finally:
        theme.apply(before)


def luminance(color: QColor) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color.getRgbF()[:3]]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def test_a_problem_leads_to_its_place_and_is_fixed(hands, qtbot):
    session = hands.session
    session.do(Disconnect((Wire(Pin("embedding", "out"), Pin("lstm", "x")),)))
    session.do(Connect(Wire(Pin("characters", "out"), Pin("readout", "input"))))
    panel = hands.window.problems
    code = "TokensWhereFeaturesBelong"
    qtbot.waitUntil(lambda: any(row.button is not None for row in panel.rows if row.diagnostic.code == code))
    row = next(row for row in panel.rows if row.diagnostic.code == code)
    hands.window.show_dock("problems")
    session.focus.enter("LSTM", "lstm")
    QTest.mouseClick(row, Qt.MouseButton.LeftButton, pos=row.rect().topLeft() + row.rect().center() / 8)
    assert session.focus.graph == ""
    assert session.focus.nodes == ("readout",)
    assert row.button is not None
    row.button.click()
    inserted = next(n for n in session.design.graph.nodes.values() if n.kind == "Embedding" and n.id != "embedding")
    assert Wire(Pin(inserted.id, "out"), Pin("readout", "input")) in session.design.graph.wires
    hands.window.undo_action.trigger()
    assert inserted.id not in session.design.graph.nodes


def test_a_loop_without_delay_is_highlighted_and_one_click_mends_it(hands, qtbot):
    hands.session.new()
    for kind, x in (("Linear", 0), ("Tanh", 200)):
        hands.view.add_offer(next(o for o in hands.window.palette_panel.offers() if o.name == kind), QPointF(x, 0))
    hands.session.do(Connect(Wire(Pin("linear", "out"), Pin("tanh", "input"))))
    hands.session.do(Connect(Wire(Pin("tanh", "out"), Pin("linear", "input"))))
    panel = hands.window.problems
    code = "LoopWithoutDelay"
    qtbot.waitUntil(lambda: any(row.button is not None for row in panel.rows if row.diagnostic.code == code))
    assert all(item.severity == "error" for item in hands.view.canvas.wires.values())
    next(row for row in panel.rows if row.diagnostic.code == "LoopWithoutDelay").button.click()
    assert "delay" in hands.session.design.graph.nodes
    qtbot.waitUntil(lambda: not any(row.diagnostic.code == "LoopWithoutDelay" for row in panel.rows))


def test_the_status_bar_counts(hands, qtbot):
    qtbot.waitUntil(lambda: "parameters" in hands.window.status.cost.text())
    hands.session.do(Disconnect((Wire(Pin("lstm", "h"), Pin("readout", "input")),)))
    qtbot.waitUntil(lambda: hands.window.status.check.text() == "not finished")
    hands.window.train_action.trigger()
    qtbot.waitUntil(lambda: "problem" in hands.window.status.check.text().split("·")[0])
    hands.window.docks["problems"].hide()
    hands.window.status.check.click()
    assert hands.window.docks["problems"].isVisible()


def test_the_code_panel_shows_what_a_drawing_means(hands, qtbot):
    code = hands.window.code
    hands.window.show_dock("code")
    qtbot.waitUntil(lambda: "class " in code.text.toPlainText())
    code.tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: "class " not in code.text.toPlainText() and bool(code.text.toPlainText()))
    hands.session.do(Disconnect((Wire(Pin("lstm", "h"), Pin("readout", "input")),)))
    qtbot.waitUntil(lambda: "not connected" in code.note.text())


def test_both_themes_dress_everything(hands, qapp):
    for wanted in (theme.DARK, theme.LIGHT, theme.DARK):
        theme.apply(wanted)
        qapp.processEvents()
        image = hands.view.grab().toImage()
        assert image.pixelColor(3, image.height() - 3).name() == wanted.canvas
    theme.apply(theme.LIGHT)


def test_the_layout_is_remembered_and_reset(hands, qapp):
    hands.window.docks["palette"].hide()
    hands.window.close()
    again = MainWindow()
    again.show()
    qapp.processEvents()
    assert not again.docks["palette"].isVisible()
    again.reset_action.trigger()
    assert again.docks["palette"].isVisible()
    again.close()
    again.deleteLater()


def test_a_small_screen_leaves_the_drawing_room(hands, qapp):
    window = hands.window
    window.resize(712, 410)
    window.reset_action.trigger()
    qapp.processEvents()
    assert window.height() <= 410
    assert window.view.width() >= 300
    assert not window.docks["palette"].isVisible()
    assert window.docks["training"] in window.tabifiedDockWidgets(window.docks["inspector"])
    assert not window.inspector.visibleRegion().isEmpty()
    window.resize(1440, 900)
    window.reset_action.trigger()
    qapp.processEvents()
    assert window.docks["palette"].isVisible()
    assert window.docks["training"] not in window.tabifiedDockWidgets(window.docks["inspector"])


def test_every_panel_is_there_and_torch_is_not():
    """In a process of its own: others may have imported torch here."""
    code = (
        "import sys; from rnnstudio.studio.app import open_window, application; app = application();"
        "w = open_window('char-lm'); app.processEvents(); w.live.fill(); app.processEvents();"
        "assert len(w.live.panels) == 7, w.live.panels; assert w.session.design.graph.nodes;"
        "w.close(); assert 'torch' not in sys.modules;"
        "from rnnstudio.studio.background import all_ended; assert all_ended(300)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_crash_leaves_a_copy_that_is_offered(hands, qapp):
    hands.session.do(SetName("precious"))
    hands.window.autosave.write()
    copy = hands.window.autosave.file
    assert copy.exists()
    # As if the process had been killed: the copy names one that is gone.
    head, _, body = copy.read_text().partition("\n")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    note = {**json.loads(head), "pid": gone.pid}
    copy.with_name("crashed.rnn").write_text(json.dumps(note) + "\n" + body)
    found = recovery.left_behind()
    assert [left.design.name for left in found] == ["precious"]
    hands.session.new()
    hands.window.recover(found[0])
    assert hands.session.design.name == "precious"
    assert hands.session.dirty
    assert len(hands.view.canvas.nodes) == 6
    assert recovery.left_behind() == []
    hands.window.close()
    assert not copy.exists()


def test_half_a_copy_is_passed_over(hands):
    (recovery.folder() / "broken.rnn").write_text('{"pid": 1')
    assert recovery.left_behind() == []


def test_saving_into_another_folder_keeps_the_data_found(window, tmp_path):
    example = next(path for path in gallery() if path.parent.name == "char-lm")
    window.open_example(example)
    recipe = window.session.design.data
    assert recipe is not None
    assert window.save_as(tmp_path / "mine.rnn")
    moved = storage.load(tmp_path / "mine.rnn").data
    assert moved is not None
    assert (tmp_path / moved.path).resolve() == (example.parent / recipe.path).resolve()


def test_a_thousand_nodes_can_be_seen_and_chosen(window, qapp):
    """How long they take is printed by `make bench ARGS=window`."""
    window.session.new(thousand_nodes())
    qapp.processEvents()
    window.view.grab()
    Hands(window).click(Hands(window).node("n500"))
    window.session.new()


def test_an_empty_canvas_takes_what_is_dropped_double_clicked_and_typed(window, qapp):
    """The first thing a person does happens in front of the words that tell it."""
    hands, label = Hands(window), window.empty.findChildren(QLabel)[0]
    assert window.focusWidget() is window.view
    hands.key(Qt.Key.Key_Tab)
    assert window.view.quick_add is not None
    window.view.cancel()
    middle = QPointF(label.rect().center())
    QTest.mouseDClick(label, Qt.MouseButton.LeftButton, NONE, middle.toPoint())
    assert window.view.quick_add is not None
    window.view.cancel()
    window.empty.move(30, 20)
    assert window.empty.geometry() == window.view.viewport().rect()
    mime = QMimeData()
    mime.setData(MIME, b"kind:Linear")
    enter = QDragEnterEvent(middle.toPoint(), COPY, mime, Qt.MouseButton.LeftButton, NONE)
    QApplication.sendEvent(label, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(label, QDropEvent(middle, COPY, mime, Qt.MouseButton.LeftButton, NONE))
    assert list(window.session.design.graph.nodes) == ["linear"]
    window.new()
    assert window.focusWidget() is window.view
