"""What lies over the canvas without stopping work: messages, what to do when it is empty."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRect, Qt, Signal
from PySide6.QtGui import QMoveEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from ...design.errors import StudioError
from .. import theme
from ..icons import icon
from ..session import Session

Choice = tuple[str, Callable[[], object]]
"""The words on a button, and what it does."""


class Banner(QFrame):
    """An error for people: what, where, what to do; or an offer with a button for each choice.

    It stays until it is closed, a choice is taken, or another one comes. Closing it does nothing but close it.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.mark = QLabel()
        self.what = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.more = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.more.setProperty("role", "muted")
        for label in (self.what, self.more):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = QToolButton(autoRaise=True)
        self.button.setAccessibleName("close the message")
        self.button.clicked.connect(self.hide)
        self.choices: list[QToolButton] = []
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.what)
        words.addWidget(self.more)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(6)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(10)
        row.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addLayout(self._buttons)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        self._dress()
        theme.changes().changed.connect(self._dress)
        self.hide()

    def show_error(self, error: StudioError) -> None:
        self._tell(error, ())

    def offer(self, what: str, more: str, *choices: Choice) -> None:
        """Offer something, with a button for each choice; the first is the one that loses nothing."""
        self._tell(StudioError(what, remedy=more), choices)

    def forget_error(self) -> None:
        """Close a message that is about what was before; an offer stays."""
        if not self.choices:
            self.hide()

    def _tell(self, error: StudioError, choices: tuple[Choice, ...]) -> None:
        self.what.setText(error.what[:1].upper() + error.what[1:] + ("" if error.what.endswith("?") else "."))
        more = "  ".join(part for part in (error.where, error.remedy) if part)
        self.more.setText(more)
        self.more.setVisible(bool(more))
        for old in self.choices:
            old.hide()
            old.deleteLater()
        self.choices = [self._choice(*choice) for choice in choices]
        self._look(offer=bool(choices))
        self.show()

    def _choice(self, words: str, do: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setText(words)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._buttons.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)

        def take() -> None:
            self.hide()  # before: what is done may have the next thing to offer
            do()

        button.clicked.connect(take)
        return button

    def _look(self, *, offer: bool) -> None:
        """An offer is no error."""
        self.setProperty("offer", offer)
        self.style().unpolish(self)
        self.style().polish(self)
        self._dress()

    def _dress(self) -> None:
        picture = "hint" if self.property("offer") else "error"
        self.mark.setPixmap(icon(picture, picture).pixmap(20, 20))
        self.button.setIcon(icon("close", "muted"))


class EmptyState(QWidget):
    """Shown while the design has no node: what to do next, and the way to patterns and examples.

    `parent` is the canvas's viewport: what this does not take itself (drops, double-clicks, the wheel) goes there.
    """

    startWanted = Signal()

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.session = session
        self.under = parent
        parent.installEventFilter(self)
        title = QLabel("Draw a network")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.8)
        font.setWeight(font.Weight.DemiBold)
        title.setFont(font)
        text = QLabel(
            "Drag a node from the palette, or press Tab and type its name.\nWires go from port to port; "
            "let one go on nothing, and what fits is offered.\n"
            "Or drop a data file here: the Data panel shows it, and draws a network for it.",
            wordWrap=True,
        )
        text.setMaximumWidth(560)
        text.setProperty("role", "muted")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.start_button = QPushButton("Begin with a pattern or an example…")
        self.start_button.setToolTip("Every pattern of the field, and what ships with the studio")
        self.start_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.start_button.clicked.connect(self.startWanted)
        box = QVBoxLayout(self)
        box.setSpacing(14)
        box.addStretch(2)
        box.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        words = QHBoxLayout()
        words.addStretch(1)
        words.addWidget(text, 1000)
        words.addStretch(1)
        box.addLayout(words)
        box.addSpacing(10)
        box.addWidget(self.start_button, 0, Qt.AlignmentFlag.AlignHCenter)
        box.addStretch(3)
        session.designChanged.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        empty = not self.session.design.graph.nodes and not self.session.design.cells
        self.setVisible(empty)
        self._cover()

    def _cover(self) -> None:
        self.setGeometry(QRect(0, 0, self.under.width(), self.under.height()))

    def moveEvent(self, _event: QMoveEvent) -> None:
        self._cover()  # a viewport that scrolls takes its children along

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.parent() and event.type() == QEvent.Type.Resize:
            self._cover()
        return super().eventFilter(watched, event)
