"""What the data panel offers where a design's file is gone: the place where it was found, or to look for it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from rnnstudio.data.whereabouts import MissingFileError

from ..theme import SPACE
from .forms import note


class MissingFileRow(QWidget):
    """A line of what was found, and buttons; hidden while nothing is missing.

    Signals: found(path) when a person takes the place that is offered; sought() for another.
    """

    found = Signal(Path)
    sought = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.error: MissingFileError | None = None
        self.told = note("")
        self.take_button = QPushButton("Relink")
        self.take_button.clicked.connect(self._take)
        self.find_button = QPushButton("Find it …")
        self.find_button.setToolTip("Say where the file is now; the design keeps its inputs and targets")
        self.find_button.clicked.connect(self.sought)
        buttons = QHBoxLayout()
        for button in (self.take_button, self.find_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(self.told)
        column.addLayout(buttons)
        self.hide()

    @property
    def name(self) -> str:
        """Of the file that is gone, without its folder."""
        return Path(self.error.where).name if self.error is not None else ""

    def put(self, error: MissingFileError | None) -> None:
        """Offer what was found; None: nothing is missing."""
        self.error = error
        self.setVisible(error is not None)
        if error is None:
            return
        place = self._offered()
        self.take_button.setVisible(place is not None)
        if place is None:
            self.told.setText("It was sought beside the design and where it was. Bring it back, or say where it is.")
        elif error.same:
            self.told.setText(f"The same file, by its content, lies here:\n{place}")
            self.take_button.setText("Relink")
            self.take_button.setToolTip("The design reads it from there (can be undone)")
        else:
            self.told.setText(f"A file of this name with other content lies here:\n{place}")
            self.take_button.setText("Look at it")
            self.take_button.setToolTip("Read it as the design reads its own; nothing changes until you use it")
        self.take_button.setDefault(place is not None)

    def _offered(self) -> Path | None:
        assert self.error is not None
        return next(iter((*self.error.same, *self.error.alike)), None)

    def _take(self) -> None:
        if self.error is not None and (place := self._offered()) is not None:
            self.found.emit(place)
