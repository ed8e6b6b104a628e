"""How far the reading of a large file is, with a button that stops it; what is read at once is read without a word."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from ..background import Background
from ..theme import SPACE

SHOWN_AFTER_MS = 400
_LOOK_MS = 60
_STEPS = 1000


class ReadingBar(QWidget):
    """Follows a Background by itself. Signals: stopped() when a person has called the reading off."""

    stopped = Signal()

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(8)
        self.progress.setAccessibleName("How much of the file has been read")
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Stop reading; nothing is changed")
        self.stop_button.clicked.connect(self._stop)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(self.progress, 1)
        row.addWidget(self.stop_button)
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(self._follow)
        self._late = QTimer(self, singleShot=True, interval=SHOWN_AFTER_MS)
        self._late.timeout.connect(self._appear)
        self.hide()

    def begin(self) -> None:
        """The background has been asked."""
        if self.isHidden():
            self._late.start()

    def end(self) -> None:
        """It has answered, or its answer was forgotten."""
        self._late.stop()
        self._timer.stop()
        self.hide()

    def _appear(self) -> None:
        if self._background.waiting:
            self._follow()
            self.show()
            self._timer.start()

    def _follow(self) -> None:
        if not self._background.waiting:
            self.end()
            return
        share = self._background.watch.share
        self.progress.setRange(0, 0 if share is None else _STEPS)
        if share is not None:
            self.progress.setValue(round(share * _STEPS))

    def _stop(self) -> None:
        self._background.forget()
        self.end()
        self.stopped.emit()
