"""One line above the settings: what Train begins with. Its details unfold; the other choice is one click away."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..live import Live
from ..theme import SPACE, monospace
from .forms import Combo, note

LINES = 8


class BeginningLine(QWidget):
    """Hidden while there is no run whose weights could be taken, and while a training goes on."""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.live = live
        self.beginning = live.beginning
        self.line = note("")
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details_button = QToolButton()
        self.details_button.setText("Details")
        self.details_button.setToolTip("Each weight that is kept, new or dropped")
        self.details_button.setCheckable(True)
        self.details_button.setAutoRaise(True)
        self.details_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.other_button = QPushButton()
        self.other_button.clicked.connect(lambda: self.beginning.choose(not self.beginning.keeps))
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setFont(monospace())
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.widened = QCheckBox("Resized weights keep their part")
        self.widened.setToolTip("A weight that has become larger or smaller keeps the part that both sizes have")
        self.widened.clicked.connect(lambda on: self.beginning.take_as(widened=on))
        self.words = Combo(
            ("Keep words that no longer occur", "keep"),
            ("Drop words that no longer occur", "drop"),
            tip="Rows of embeddings and readouts move with their word; new words begin as initialised",
        )
        self.words.activated.connect(lambda: self.beginning.take_as(words=self.words.currentData()))
        self.scaling = Combo(
            ("Scale numbers as the run's were", "run"),
            ("Scale numbers by this data", "data"),
            tip="Whose mean and deviation the columns are scaled with",
        )
        self.scaling.activated.connect(lambda: self.beginning.take_as(scaling=self.scaling.currentData()))
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE // 2)
        buttons.addWidget(self.details_button)
        buttons.addStretch(1)
        buttons.addWidget(self.other_button)
        self.fold = QWidget()
        inner = QVBoxLayout(self.fold)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(SPACE // 2)
        for widget in (self.details, self.widened, self.words, self.scaling):
            inner.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE // 2)
        layout.addWidget(self.line)
        layout.addLayout(buttons)
        layout.addWidget(self.fold)
        self.details_button.toggled.connect(self._show)
        self.beginning.changed.connect(self._show)
        live.stateChanged.connect(self._show)
        self._show()

    def _show(self) -> None:
        beginning = self.beginning
        start, found = beginning.start, beginning.found
        self.setVisible(start is not None and not self.live.alive)
        if start is None:
            return
        name, keeps = Path(start.run).name, beginning.keeps
        if keeps and found is not None:
            self.line.setText(f"Train begins with the weights of {name}: {found.summary()}.")
        elif keeps:
            self.line.setText(f"Train begins with the weights of {name} that fit. {beginning.why_not}".strip())
        elif found is not None and not found.fits:
            self.line.setText(f"Train starts afresh: no weight of {name} fits this drawing.")
        else:
            self.line.setText("Train starts afresh, with new weights.")
        fits = found is None or found.fits
        self.other_button.setText("Start afresh" if keeps else "Keep weights")
        self.other_button.setToolTip(
            "Begin with new weights"
            if keeps
            else f"Begin with the weights of {name}: {found.summary() if found is not None else 'those that fit'}"
        )
        self.other_button.setEnabled(fits)
        self.details_button.setVisible(found is not None)
        is_open = self.details_button.isChecked() and found is not None
        self.details_button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.fold.setVisible(is_open)
        if found is None or not is_open:
            return
        lines = [f"{start.which} checkpoint, step {found.step:,}", *found.lines()[1:]]
        self.details.setPlainText("\n".join(lines))
        height = QFontMetrics(self.details.font()).lineSpacing()
        self.details.setFixedHeight(height * min(len(lines) + 1, LINES) + 2 * SPACE)
        sized = any(len(fate.before) == len(fate.shape) > 0 for fate in found.of("new")) or start.widened
        self.widened.setVisible(sized)
        self.widened.setChecked(start.widened)
        self.words.setVisible(any(item.absent or item.dropped for item in found.words) or start.words == "drop")
        self.words.put(start.words)
        self.scaling.setVisible(any("Scaling of" in line for line in found.notes) or start.scaling == "data")
        self.scaling.put(start.scaling)
