"""The start screen: what was open last, every pattern of the field, the examples, and six answers that draw another.

It lies over the window's canvas and panels. Arrows go from card to card, letters search, Enter takes, Esc leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...loading import Loaded
from .. import theme
from ..icons import icon
from .card import PICTURE, Card, CardGrid
from .compose_page import ComposePage
from .subjects import Offer, examples, patterns, recent_files
from .thumbnails import Drawn, Thumbnails

WIDEST = 1260
"""Of the content: beyond, lines of cards are too long to be looked over."""
NARROW = 880
"""Below, as at 200 %, the buttons and the search have the title's room."""
SCROLL_BAR = 11
"""Its width in the theme: what stands above the cards is as wide as they are."""
ACROSS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
DOWN = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


class StartScreen(QFrame):
    """Signals: fileChosen(Path), exampleChosen(Path), drawnChosen(Drawn), openWanted(), left().

    recent: tells the files opened last, when it is shown.
    """

    fileChosen = Signal(object)
    exampleChosen = Signal(object)
    drawnChosen = Signal(object)
    openWanted = Signal()
    left = Signal()

    def __init__(self, plugins: Loaded, recent: Callable[[], list[Path]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("start")
        self.plugins = plugins
        self._recent = recent
        self._offers: dict[str, Offer] = {}
        self.thumbnails = Thumbnails(plugins, PICTURE, self)
        self.thumbnails.ready.connect(self._put)
        self.notices = QVBoxLayout()
        """Where the window's messages stand while the screen covers their place."""
        self.search = QLineEdit(placeholderText="Search patterns, examples and files", clearButtonEnabled=True)
        self.search.setAccessibleName("search")
        self.search.textChanged.connect(self._filter)
        self.search.installEventFilter(self)
        self.recent_grid, self.pattern_grid, self.example_grid = CardGrid(), CardGrid(), CardGrid()
        self.grids = (self.recent_grid, self.pattern_grid, self.example_grid)
        self._heads: dict[CardGrid, QLabel] = {}
        self.nothing = QLabel("Nothing is called so. Search for another word.")
        self.nothing.setProperty("role", "muted")
        self.compose_page = ComposePage(plugins, self)
        self.compose_page.chosen.connect(self.drawnChosen)
        self.compose_page.back.connect(self._leave_compose)
        self.pages = QStackedWidget()
        self.pages.addWidget(self._first_page())
        self.pages.addWidget(self.compose_page)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(self.notices)
        box.addWidget(self.pages, 1)
        theme.changes().changed.connect(self._redress)
        self.hide()

    # Building

    def _first_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._centred(self._head(), 26, 16, right=SCROLL_BAR))
        inside = QWidget()
        box = QVBoxLayout(inside)
        box.setContentsMargins(0, 0, 0, 28)
        box.setSpacing(10)
        for grid, words in zip(self.grids, ("Opened last", "Patterns of the field", "Examples"), strict=True):
            head = QLabel(words)
            head.setProperty("role", "section")
            self._heads[grid] = head
            box.addWidget(head)
            box.addWidget(grid)
            box.addSpacing(12)
        box.addWidget(self.nothing)
        box.addStretch(1)
        self.area = QScrollArea(widgetResizable=True)
        self.area.setObjectName("startScroll")
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._centred(inside, 0, 0))
        column.addWidget(self.area, 1)
        return page

    def _head(self) -> QWidget:
        self.title = title = QLabel("Begin a network")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.7)
        font.setWeight(font.Weight.DemiBold)
        title.setFont(font)
        self.compose_button = self._button("Compose…", self._compose, "Six answers, and it is drawn")
        self.empty_button = self._button("Empty drawing", self.leave, "Draw from nothing (Esc)")
        self.open_button = self._button("Open…", self.openWanted.emit, "Open a design (Ctrl+O)")
        self._dress_buttons()
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(title)
        row.addStretch(1)
        self.search.setMinimumWidth(150)
        self.search.setMaximumWidth(340)
        row.addWidget(self.search, 3)
        for button in (self.compose_button, self.open_button, self.empty_button):
            row.addWidget(button)
        return head

    def _button(self, words: str, do: Callable[[], object], tip: str) -> QPushButton:
        button = QPushButton(words)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _=False: do())
        return button

    @staticmethod
    def _centred(inside: QWidget, top: int, bottom: int, right: int = 0) -> QWidget:
        inside.setMaximumWidth(WIDEST)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(28, top, 28 + right, bottom)
        row.addStretch(1)
        row.addWidget(inside, 1000)
        row.addStretch(1)
        return holder

    def _dress_buttons(self) -> None:
        for button, name in ((self.compose_button, "tidy"), (self.open_button, "open"), (self.empty_button, "new")):
            button.setIcon(icon(name))

    # What is there

    def refresh(self) -> None:
        """Show what there is now; pictures follow while the person rests."""
        found = (recent_files(self._recent()), patterns(), examples())
        self._offers = {offer.subject.key: offer for offers in found for offer in offers}
        for grid, offers in zip(self.grids, found, strict=True):
            cards = []
            for offer in offers:
                card = Card(offer.subject.key, offer.title, offer.says, grid)
                if offer.path is not None:
                    card.setToolTip(f"{offer.says}\n{offer.path}" if offer.says else str(offer.path))
                card.clicked.connect(lambda _=False, offer=offer: self._take(offer))
                card.installEventFilter(self)
                cards.append(card)
            grid.put(cards)
        self._filter()
        self._ask()

    def _ask(self) -> None:
        self.thumbnails.ask([offer.subject for offer in self._offers.values()], self.devicePixelRatioF())

    def _redress(self) -> None:
        self._dress_buttons()
        if self.isVisible():
            self._ask()

    @property
    def cards(self) -> list[Card]:
        """All that are to be seen, in order."""
        return [card for grid in self.grids for card in grid.shown]

    def card(self, key: str) -> Card:
        return next(card for grid in self.grids for card in grid.cards if card.key == key)

    def _put(self, key: str, image: object) -> None:
        for grid in self.grids:
            for card in grid.cards:
                if card.key == key:
                    card.put(image)  # type: ignore[arg-type]

    def _filter(self) -> None:
        words = self.search.text().casefold().split()
        for grid in self.grids:
            for card in grid.cards:
                card.setVisible(card.matches(words))
            grid.arrange()
            for part in (grid, self._heads[grid]):
                part.setVisible(bool(grid.shown))
        self.nothing.setVisible(not self.cards)

    # What is taken

    def _take(self, offer: Offer) -> None:
        if offer.pattern is not None:
            drawn = self.thumbnails.drawn.get(offer.subject.key)
            if drawn is None:
                QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
                try:
                    drawn = offer.subject.make(self.plugins.catalog)
                finally:
                    QApplication.restoreOverrideCursor()
            self.drawnChosen.emit(drawn)
        elif offer.subject.key.startswith("example:"):
            self.exampleChosen.emit(offer.path)
        else:
            self.fileChosen.emit(offer.path)

    def _compose(self) -> None:
        self.pages.setCurrentWidget(self.compose_page)
        self.compose_page.begin()

    def _leave_compose(self) -> None:
        self.pages.setCurrentIndex(0)
        self.compose_button.setFocus()

    def leave(self) -> None:
        """To the empty drawing."""
        self.hide()
        self.left.emit()

    # Keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._key(watched, event)
        if event.type() == QEvent.Type.FocusIn and isinstance(watched, Card):
            self.area.ensureWidgetVisible(watched, 0, 24)
        return super().eventFilter(watched, event)

    def _key(self, watched: QObject, event: QKeyEvent) -> bool:
        """Arrows between cards, Enter in the field takes the first, a letter on a card goes to the field."""
        cards, key = self.cards, event.key()
        if isinstance(watched, Card):
            if key in ACROSS or key in DOWN:
                self._step(watched, key)
                return True
            if event.text().strip() and event.text().isprintable() and key != Qt.Key.Key_Space:
                self.search.setFocus()
                self.search.insert(event.text())
                return True
        elif watched is self.search and cards:
            if key == Qt.Key.Key_Down:
                cards[0].setFocus(Qt.FocusReason.TabFocusReason)
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.search.text().strip():
                cards[0].click()
                return True
        return False

    def _step(self, card: Card, key: int) -> None:
        """To the next card in that direction: across lines sideways, to the same column up and down."""
        cards = self.cards
        if key in ACROSS:
            place = cards.index(card) + ACROSS[key]  # type: ignore[index]
            if 0 <= place < len(cards):
                cards[place].setFocus(Qt.FocusReason.TabFocusReason)
            return
        here = card.mapTo(self, card.rect().center())
        way = DOWN[key]  # type: ignore[index]

        def far(other: Card) -> tuple[int, int]:
            there = other.mapTo(self, other.rect().center())
            return (there.y() - here.y()) * way, abs(there.x() - here.x())

        further = [other for other in cards if far(other)[0] > 4]
        if further:
            min(further, key=far).setFocus(Qt.FocusReason.TabFocusReason)
        elif way < 0:
            self.search.setFocus(Qt.FocusReason.TabFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._leave_compose() if self.pages.currentWidget() is self.compose_page else self.leave()
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab stays on the screen: what it covers is not to be reached.

        (Qt's own chain is not asked: PySide takes what it answers for children of who asks, and deletes them so.)
        """
        stops = [widget for widget in self._stops() if widget.isVisible() and widget.isEnabled()]
        now = QApplication.focusWidget()
        if stops:
            place = stops.index(now) + (1 if next else -1) if now in stops else 0
            reason = Qt.FocusReason.TabFocusReason if next else Qt.FocusReason.BacktabFocusReason
            stops[place % len(stops)].setFocus(reason)
        return True

    def _stops(self) -> list[QWidget]:
        notices = self.notices.itemAt(0)
        strips = notices.widget() if notices is not None else None
        told: list[QWidget] = [] if strips is None else [*strips.findChildren(QToolButton)]
        if self.pages.currentWidget() is self.compose_page:
            return [*told, *self.compose_page.stops]
        return [*told, self.search, self.compose_button, self.open_button, self.empty_button, *self.cards]

    # Life

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.pages.setCurrentIndex(0)
        self.search.clear()
        self.refresh()
        self.search.setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.title.setVisible(event.size().width() >= NARROW)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.thumbnails.stop()
        self.compose_page.stop()


__all__ = ["Drawn", "StartScreen"]
