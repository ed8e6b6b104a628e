"""Rare classes that count little: said in words below the parts, and weighted with one click."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from rnnstudio.compiler.class_weights import Weighing, weighings

from ..session import Session
from ..theme import SPACE
from .forms import note


class ClassWeights(QWidget):
    """A line and a button for each loss of the design whose classes differ much in number, or that weighs them."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.rows: list[_Row] = []
        self._yes_or_no: Mapping[str, tuple[int, int]] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE // 2)
        session.designChanged.connect(self.follow)
        self.hide()

    def put(self, yes_or_no: Mapping[str, tuple[int, int]]) -> None:
        """yes_or_no: see weighings; what the file that is shown says."""
        self._yes_or_no = yes_or_no
        self.follow()

    def follow(self) -> None:
        """Show what the design's losses weigh now."""
        found = weighings(self.session.design, self.session.catalog, self._yes_or_no)
        wanted = [weighing for weighing in found if weighing.now or weighing.uneven]
        if [row.weighing for row in self.rows] != wanted:
            for row in self.rows:
                self._layout.removeWidget(row)
                row.deleteLater()
            self.rows = [_Row(self.session, weighing) for weighing in wanted]
            for row in self.rows:
                self._layout.addWidget(row)
        self.setVisible(bool(self.rows))


class _Row(QWidget):
    def __init__(self, session: Session, weighing: Weighing) -> None:
        super().__init__()
        self.weighing = weighing
        self.words: QLabel = note(weighing.told())
        self.button = QPushButton("Count all alike" if weighing.now else "Weigh rare classes")
        self.button.setToolTip(
            "Let every example count alike again (can be undone)"
            if weighing.now
            else "Let each class count as much as the others, by the counts of the training part (can be undone)"
        )
        self.button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(lambda: session.do(weighing.edit(on=not weighing.now)))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.words, 1)
        row.addWidget(self.button)
