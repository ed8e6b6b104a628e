"""The start screen as a person meets it: cards with pictures, mouse and keyboard, composing, and the way past it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rnnstudio.compiler import check, compile_design
from rnnstudio.design import storage
from rnnstudio.design.edits import SetName, SetTraining
from rnnstudio.proposals.composing import ASKED, DATA, GIVEN, Composition, fitting
from rnnstudio.proposals.patterns import PATTERNS
from rnnstudio.studio import theme
from rnnstudio.studio.canvas.overlay import EmptyState
from rnnstudio.studio.places import gallery
from rnnstudio.studio.start import thumbnails
from rnnstudio.studio.start.card import Card
from rnnstudio.studio.start.screen import StartScreen
from rnnstudio.studio.window import CANCEL, MainWindow
from tests.studio.window.hands import CTRL, NONE, Hands, language_model

LEFT = Qt.MouseButton.LeftButton
KEY = Qt.Key


@pytest.fixture(autouse=True)
def own_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins without kept pictures."""
    monkeypatch.setattr(thumbnails, "folder", lambda: tmp_path)


@pytest.fixture
def start(window: MainWindow) -> StartScreen:
    """The start screen, over an empty drawing."""
    QSettings().remove("recent")
    window.start.show()
    QApplication.processEvents()
    assert window.start.screen is not None
    return window.start.screen


def focused() -> object:
    return QApplication.focusWidget()


def press(key: Qt.Key, keys: Qt.KeyboardModifier = NONE) -> None:
    QTest.keyClick(QApplication.focusWidget(), key, keys)
    QApplication.processEvents()


def write(text: str) -> None:
    QTest.keyClicks(QApplication.focusWidget(), text)
    QApplication.processEvents()


def click(widget) -> None:
    QTest.mouseClick(widget, LEFT)
    QApplication.processEvents()


def pixels(card: Card) -> set[int]:
    """The colours that its picture has."""
    image = card.image
    assert image is not None
    return {image.pixel(x, y) for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}


def test_every_pattern_and_example_stands_there_with_a_sentence_and_gets_a_picture(start, qtbot: QtBot):
    assert [card.key for card in start.pattern_grid.cards] == [f"pattern:{item.name}" for item in PATTERNS]
    assert len(start.example_grid.cards) == len(gallery()) >= 2
    assert all(card.says for card in start.cards)
    assert start.recent_grid.isHidden(), "nothing was opened yet"
    qtbot.waitUntil(lambda: not start.thumbnails.busy)
    assert all(len(pixels(card)) > 3 for card in start.cards)


def test_pictures_are_kept_and_made_for_each_theme(start, qtbot: QtBot, tmp_path: Path, window):
    start.search.setText("one to one")
    qtbot.waitUntil(lambda: not start.thumbnails.busy)
    kept = set(tmp_path.glob("*.png"))
    assert len(kept) == len(PATTERNS) + len(gallery())
    before = pixels(start.card("pattern:attention"))
    start.hide()
    window.start.show()
    assert start.card("pattern:attention").image is not None, "at once, from the disk"
    assert not start.thumbnails.busy
    was = theme.current()
    try:
        theme.apply(theme.LIGHT if was.dark else theme.DARK)
        qtbot.waitUntil(lambda: not start.thumbnails.busy)
        assert len(set(tmp_path.glob("*.png"))) == 2 * len(kept)
        assert pixels(start.card("pattern:attention")) != before
    finally:
        theme.apply(was)


@pytest.mark.parametrize("item", PATTERNS, ids=lambda item: item.name)
def test_a_click_on_a_pattern_opens_it_ready_to_be_trained(window, start, item):
    start.search.setText(item.title)
    click(start.card(f"pattern:{item.name}"))
    assert not start.isVisible()
    assert window.session.design.name == item.name
    assert window.session.checked.diagnostics == ()
    assert window.session.path is None
    assert not window.session.dirty
    assert window.focusWidget() is window.view
    area = window.view.viewport().rect()
    for node in window.view.canvas.nodes.values():
        assert area.contains(window.view.viewportTransform().mapRect(node.sceneBoundingRect()).toRect()), node.key


def test_by_keys_alone_a_pattern_is_found_and_trained(window, start, qtbot: QtBot, tmp_path: Path):
    assert focused() is start.search
    write("adding many")
    assert start.cards == []
    assert start.nothing.isVisible()
    press(KEY.Key_A, CTRL)
    write("teacher forcing")
    assert [card.key for card in start.cards] == ["pattern:output-to-hidden"]
    press(KEY.Key_Return)
    assert window.session.design.name == "output-to-hidden"
    training = {**window.session.design.training, "threads": 1}
    assert window.session.do(SetTraining(training))
    assert window.session.save_as(tmp_path / "mine.rnn")
    live = window.live.fill()
    press(KEY.Key_F5)
    qtbot.waitUntil(lambda: len(live.curves) >= 3)
    window.stop_action.trigger()
    qtbot.waitUntil(lambda: live.state == "idle")


def test_arrows_go_from_card_to_card_and_letters_back_to_the_search(start):
    press(KEY.Key_Down)
    cards = start.cards
    assert focused() is cards[0]
    press(KEY.Key_Right)
    assert focused() is cards[1]
    press(KEY.Key_Down)
    columns = start.pattern_grid.columns()
    assert focused() is cards[1 + columns]
    press(KEY.Key_Left)
    press(KEY.Key_Up)
    assert focused() is cards[0]
    press(KEY.Key_Up)
    assert focused() is start.search
    press(KEY.Key_Down)
    write("x")
    assert focused() is start.search
    assert start.search.text() == "x"


def test_a_card_reached_by_keys_is_scrolled_into_view_and_taken_with_enter(window, start):
    window.resize(720, 420)
    QApplication.processEvents()
    press(KEY.Key_Down)
    for _ in range(15):
        press(KEY.Key_Right)
    card = focused()
    assert card is start.cards[15]
    seen = start.area.viewport().rect()
    assert seen.contains(card.mapTo(start.area.viewport(), card.rect().center()))
    press(KEY.Key_Return)
    assert window.session.design.name == PATTERNS[15].name


def test_tab_stays_on_the_screen(window, start):
    seen = set()
    for _ in range(60):
        press(KEY.Key_Tab)
        assert start.isAncestorOf(focused())
        seen.add(focused())
    assert {start.search, start.compose_button, start.open_button, start.empty_button} < seen
    press(KEY.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    assert start.isAncestorOf(focused())


def test_escape_leaves_to_an_empty_drawing(window, start):
    press(KEY.Key_Escape)
    assert not start.isVisible()
    assert window.session.design.graph.nodes == {}
    assert window.empty.isVisible()
    assert window.focusWidget() is window.view
    assert not start.thumbnails.busy, "nothing is made for a screen that is not seen"
    press(KEY.Key_Tab)
    assert window.view.quick_add is not None


def test_new_asks_for_unsaved_work_before_it_begins(hands: Hands):
    window = hands.window
    window.session.do(SetName("changed"))
    window.ask_unsaved = lambda: CANCEL
    hands.key(KEY.Key_N, CTRL)
    assert window.session.design.name == "changed"
    assert not window.start.visible
    window.ask_unsaved = lambda: "discard"
    hands.key(KEY.Key_N, CTRL)
    assert window.start.visible
    assert window.session.design.graph.nodes == {}


def test_files_opened_last_come_first_and_open_as_they_are(window, start, tmp_path: Path, qtbot: QtBot):
    for name in ("older", "newer"):
        storage.save(language_model().replace(name=name), tmp_path / f"{name}.rnn")
        assert window.open(tmp_path / f"{name}.rnn")
    (tmp_path / "older.rnn").rename(tmp_path / "moved.rnn")
    window.begin()
    assert [card.title for card in start.recent_grid.cards] == ["newer"], "a file that is gone is not shown"
    card = start.cards[0]
    assert str(tmp_path) in card.toolTip()
    qtbot.waitUntil(lambda: not start.thumbnails.busy)
    assert len(pixels(card)) > 3
    press(KEY.Key_Down)
    press(KEY.Key_Return)
    assert window.session.path == (tmp_path / "newer.rnn").resolve()


def test_a_file_that_cannot_be_opened_is_told_over_the_screen(window, start, tmp_path: Path, qtbot: QtBot):
    path = tmp_path / "broken.rnn"
    storage.save(language_model(), path)
    window.open(path)
    path.write_text("{")
    window.begin()
    qtbot.waitUntil(lambda: not start.thumbnails.busy)
    assert start.cards[0].image is None
    click(start.cards[0])
    assert start.isVisible()
    assert window.banner.isVisible()
    assert start.isAncestorOf(window.banner)
    press(KEY.Key_Escape)
    assert not start.isAncestorOf(window.banner)


def test_the_screen_covers_canvas_and_panels_whatever_the_window_s_size(window, start):
    for size in ((1500, 950), (760, 500), (1200, 700)):
        window.resize(*size)
        QApplication.processEvents()
        box = start.geometry()
        assert box.width() == window.width()
        assert box.top() == window.tools.geometry().bottom() + 1
        assert box.bottom() + 1 == window.height() - window.statusBar().height()
        for card in start.pattern_grid.cards:
            assert card.geometry().right() <= start.pattern_grid.width()
            assert card.width() >= 264


def test_on_the_empty_drawing_no_selection_box_sticks_to_the_mouse(window, qtbot: QtBot):
    """A press on what lies over the canvas began a box there, whose end nobody told the canvas."""
    hands = Hands(window)
    assert isinstance(window.empty, EmptyState)
    click(window.empty.start_button)
    assert window.start.visible
    screen = window.start.screen
    click(screen.card(f"example:{gallery()[0]}"))
    assert window.view.gesture is None
    assert window.session.design.graph.nodes
    # A box that was begun on the drawing before ends with it.
    hands.press(window.view.viewport().rect().center() + window.view.viewport().rect().topLeft())
    window.session.new(language_model())
    assert window.view.gesture is None
    hands.move(window.view.viewport().rect().center())
    assert window.session.focus.nodes == ()


# --- composing


@pytest.fixture
def compose(start: StartScreen, qtbot: QtBot):
    with qtbot.waitSignal(start.compose_page.drew):
        click(start.compose_button)
    return start.compose_page


def choose(page, box, words: str, qtbot: QtBot) -> None:
    """By the arrow keys, on the real box."""
    box.setFocus()
    wanted = next(row for row in range(box.count()) if box.itemText(row).startswith(words))
    assert box.currentIndex() != wanted
    with qtbot.waitSignal(page.drew):
        while box.currentIndex() != wanted:
            before = box.currentIndex()
            QTest.keyClick(box, KEY.Key_Down if before < wanted else KEY.Key_Up)
            assert box.currentIndex() != before
    QApplication.processEvents()


def test_what_is_composed_is_seen_while_one_chooses(window, compose, qtbot: QtBot):
    first = compose.picture.image
    assert first is not None
    choose(compose, compose.asked, "another", qtbot)
    assert compose.picture.image != first
    assert compose.attention.isEnabled()
    assert "task:reversal" in compose.says.text()
    without = set(compose.drawn.design.cells)
    choose(compose, compose.attention, "at every", qtbot)
    assert any(node.kind == "Attention" for node in compose.drawn.design.graph.nodes.values())
    choose(compose, compose.cell, "GRU", qtbot)
    assert "AttentionDecoder" in set(compose.drawn.design.cells) - without
    choose(compose, compose.direction, "both", qtbot)
    assert "BidirectionalGRU" in compose.drawn.design.cells
    choose(compose, compose.layers, "2", qtbot)
    cells = [n for n in compose.drawn.design.graph.nodes.values() if n.params.get("cell") == "BidirectionalGRU"]
    assert len(cells) == 2
    compose.draw_button.setFocus()
    press(KEY.Key_Return)
    assert not window.start.visible
    assert window.session.checked.diagnostics == ()


def test_what_does_not_go_together_is_grey_and_told(compose, qtbot: QtBot):
    choose(compose, compose.given, "one vector", qtbot)
    assert compose.composition.asked == "class"
    assert not compose.direction.isEnabled()
    assert "One vector has no direction." in compose.note.text()
    model = compose.asked.model()
    free = {compose.asked.itemData(row) for row in range(compose.asked.count()) if model.item(row).isEnabled()}
    assert free == {asked for given, asked in DATA if given == "vector"}
    choose(compose, compose.given, "a tree", qtbot)
    assert compose.composition.cell == "ChildSumTreeLSTM"


def test_taken_before_it_is_drawn_it_is_taken_when_it_is(window, compose, qtbot: QtBot):
    QTest.keyClick(compose.cell, KEY.Key_Up)
    with qtbot.waitSignal(window.session.opened):
        click(compose.draw_button)
    assert "RNN" in window.session.design.cells


def test_escape_goes_back_from_composing(window, start, compose):
    press(KEY.Key_Escape)
    assert start.isVisible()
    assert focused() is start.compose_button
    press(KEY.Key_Escape)
    assert not start.isVisible()


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("asked", ASKED)
def test_every_answer_leads_to_a_drawing_without_a_remark(window, given, asked):
    from rnnstudio.gallery import compose as drawn

    catalog = window.session.catalog
    for other in ({}, {"both_ways": True, "attention": True, "depth": 2, "cell": "PeepholeLSTM"}):
        made = fitting(Composition(given, asked, **other))
        assert made.given == given
        design, _ = drawn(made, catalog)
        assert check(design, catalog).diagnostics == ()
        assert compile_design(design, catalog).losses
