"""What simple models reach, as level lines in the plot of the loss: below them a network has learned something."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pyqtgraph as pg
from PySide6.QtCore import Qt

from .chart import Chart, number
from .look import Look


class BaselineLines:
    """Dashed level lines with their names at the right. They never change what part of the loss is in sight."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._lines: list[pg.InfiniteLine] = []
        self._log = False
        self.values: dict[str, float] = {}

    def put(self, values: Mapping[str, float]) -> None:
        """Show these; what is shown already stays as it is."""
        if dict(values) == self.values:
            return
        for line in self._lines:
            self._chart.removeItem(line)
        self.values = dict(values)
        self._lines = []
        for name, value in self.values.items():
            how = {"position": 0.98, "anchors": [(1, 1), (1, 1)], "movable": False}
            line = pg.InfiniteLine(angle=0, movable=False, label=f"{name} {number(value)}", labelOpts=how)
            self._chart.addItem(line, ignoreBounds=True)
            self._lines.append(line)
        self.set_log(self._log)
        self.set_look(self._chart.look)

    def set_log(self, on: bool) -> None:
        self._log = on
        for line, value in zip(self._lines, self.values.values(), strict=True):
            line.setVisible(not on or value > 0)
            line.setPos(math.log10(value) if on and value > 0 else value)

    def set_look(self, look: Look) -> None:
        for line in self._lines:
            line.setPen(pg.mkPen(look.faint, width=1, style=Qt.PenStyle.DotLine))
            line.label.setColor(look.faint)
