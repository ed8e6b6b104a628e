"""What is wrong with a file, a line for each problem, as high as it must be."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from rnnstudio.data.problems import Problem

from ..theme import current
from .forms import sentence

_MOST_HEIGHT = 180


class ProblemList(QListWidget):
    """Signal: chosen(Problem) when a person clicks on one. Hidden while there is none."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.itemClicked.connect(lambda item: self.chosen.emit(item.data(Qt.ItemDataRole.UserRole)))
        self.hide()

    def put(self, problems: Sequence[Problem]) -> None:
        self.clear()
        theme = current()
        for problem in problems:
            item = QListWidgetItem(f"{'●' if problem.severity == 'error' else '▲'}  {sentence(str(problem))}")
            item.setForeground(theme.severity(problem.severity))
            item.setData(Qt.ItemDataRole.UserRole, problem)
            item.setToolTip(f"{problem}\nClick to see the cell" if problem.line else str(problem))
            self.addItem(item)
        self.setVisible(bool(problems))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        width = max(self.viewport().width() - 12, 120)
        metrics = QFontMetrics(self.font())
        whole = 0
        for row in range(self.count()):
            item = self.item(row)
            flags = int(Qt.TextFlag.TextWordWrap.value)
            height = metrics.boundingRect(0, 0, width - 8, 10_000, flags, item.text()).height() + 8
            item.setSizeHint(QSize(width, height))
            whole += height
        self.setFixedHeight(min(whole + 6, _MOST_HEIGHT))
