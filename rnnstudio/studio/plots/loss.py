"""The loss while it falls: training and validation, the learning rate below it, other runs beside it."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from ..live import Live
from .baseline_lines import BaselineLines
from .chart import Chart, Facts, LivePlot, number, set_pen
from .curves import Curves
from .look import Look, mixed


class LossPlot(LivePlot):
    """Training loss (raw faint, smoothed strong), validation points, one colour a run.

    The axis is in nats a place where the loss is a cross-entropy; the header reads the values at the cursor, with
    perplexity e^L and bits L / ln 2.
    """

    empty_text = "Press Train to see the loss fall."

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(live, parent)
        self.chart = Chart("loss", "step")
        self.rates = Chart("learning rate", "step")
        self.rates.follow_steps_of(self.chart)
        self.rates.setMaximumHeight(120)
        self.rates.hide()
        self.readout = Facts()
        self.log_button = self._toggle("log", "Logarithmic loss axis")
        self.log_button.toggled.connect(self._set_log)
        self.rate_button = self._toggle("learning rate", "Show the learning rate below")
        self.rate_button.toggled.connect(self._show_rates)
        header = QHBoxLayout()
        header.setSpacing(4)
        header.addWidget(self.readout, 1)
        header.addWidget(self.log_button)
        header.addWidget(self.rate_button)
        self.rows.addLayout(header)
        self.rows.addWidget(self.chart, 1)
        self.rows.addWidget(self.rates)
        self.legend = self.chart.legend(columns=2)
        self._cursor_line = pg.InfiniteLine(angle=90, movable=False)
        self._cursor_line.hide()
        self.chart.addItem(self._cursor_line, ignoreBounds=True)
        self.baselines = BaselineLines(self.chart)
        self._runs: list[_RunLines] = []
        self._cursor: float | None = None
        self.chart.follow_look(self._set_look)
        self.chart.follow_cursor(self._point)

    def _toggle(self, text: str, tip: str) -> QCheckBox:
        button = QCheckBox(text)
        button.setToolTip(tip)
        return button

    def has_something(self) -> bool:
        return any(len(curves) for curves in self.live.shown_runs())

    def draw(self) -> None:
        runs = self.live.shown_runs()
        if [lines.curves for lines in self._runs] != runs:
            self._rebuild(runs)
        for lines in self._runs:
            lines.update()
        told = runs[0].baselines if runs else None
        self.baselines.put(told.values if told is not None else {})
        unit = "nats" if any(curves.gives_perplexity for curves in runs) else ""
        title = f"loss ({unit})" if unit else "loss"
        if self.chart._titles["left"] != title:
            self.chart.title_axis("left", title)
        self._tell()

    def _rebuild(self, runs: list[Curves]) -> None:
        for lines in self._runs:
            lines.remove()
        several = len(runs) > 1
        self._runs = [_RunLines(self, curves, place, several) for place, curves in enumerate(runs)]

    def _set_log(self, on: bool) -> None:
        self.chart.setLogMode(y=on)
        self.baselines.set_log(on)
        self.chart.show_all()

    def _show_rates(self, on: bool) -> None:
        self.rates.setVisible(on)
        self.chart.title_axis("bottom", "" if on else "step")
        for lines in self._runs:
            lines.update()

    def _set_look(self, look: Look) -> None:
        self._cursor_line.setPen(pg.mkPen(look.faint, width=1, style=Qt.PenStyle.DashLine))
        self.baselines.set_look(look)
        for lines in self._runs:
            lines.set_look(look)

    def _point(self, place: QPointF | None) -> None:
        self._cursor = None if place is None else place.x()
        self._cursor_line.setVisible(place is not None)
        if place is not None:
            self._cursor_line.setPos(place.x())
        self._tell()

    def _tell(self) -> None:
        """Writes the header: the values at the cursor, or the newest."""
        if not self._runs:
            return
        curves = self._runs[0].curves
        if not len(curves):
            return
        steps = curves.step
        at = len(steps) - 1
        if self._cursor is not None:
            at = int(np.clip(np.searchsorted(steps, self._cursor), 0, len(steps) - 1))
        loss = float(curves.smooth_loss[at])
        seen = int(np.searchsorted(curves.validation_step, steps[at], side="right"))
        value = float(curves.validation_loss[seen - 1]) if seen else None
        versions = []
        for detail in (units, perplexity, lambda *_: ""):
            parts = [f"step <b>{int(steps[at]):,}</b>", f"loss <b>{number(loss)}</b>{detail(curves, loss)}"]
            if value is not None:
                parts.append(f"validation <b>{number(value)}</b>{detail(curves, value)}")
            versions.append(" · ".join(parts))
        self.readout.say(*versions)


def units(curves: Curves, loss: float) -> str:
    """The loss as perplexity and bits, where it is a cross-entropy."""
    if not curves.gives_perplexity or not math.isfinite(loss) or loss > 50:
        return ""
    return f" (perplexity {number(math.exp(loss))}, {loss / math.log(2):.2f} bits)"


def perplexity(curves: Curves, loss: float) -> str:
    """The loss as perplexity alone."""
    return f" (e^L {number(math.exp(loss))})" if units(curves, loss) else ""


class _RunLines:
    """The items of one run."""

    def __init__(self, plot: LossPlot, curves: Curves, place: int, several: bool) -> None:
        self.plot = plot
        self.curves = curves
        self.place = place
        name = f"{curves.name}: " if several and curves.name else ""
        self.raw = plot.chart.line()
        self.raw.setZValue(-10 + place)
        self.validation = pg.PlotDataItem(pxMode=True, antialias=True)
        self.smooth = plot.chart.line()
        plot.chart.addItem(self.validation)
        self.rate = plot.rates.line()
        for item in (self.validation,):
            item.setLogMode(False, plot.log_button.isChecked())
        plot.legend.addItem(self.smooth, f"{name}training")
        plot.legend.addItem(self.validation, f"{name}validation")
        self.set_look(plot.chart.look)

    def set_look(self, look: Look) -> None:
        # A run alone: validation in the second colour. Runs side by side: a colour a run, its validation dashed.
        colour = look.colour(self.place)
        several = len(self.plot.live.shown_runs()) > 1
        other = colour if several else look.colour(1)
        set_pen(self.raw, pg.mkPen(mixed(colour, look.background, 0.42), width=1))
        set_pen(self.smooth, pg.mkPen(colour, width=2))
        set_pen(self.rate, pg.mkPen(colour, width=1.6))
        self.validation.setPen(pg.mkPen(other, width=1.4, style=Qt.PenStyle.DashLine))
        self.validation.setSymbol("o")
        self.validation.setSymbolSize(7)
        edge = pg.mkPen(look.background, width=1)
        self.validation.setSymbolBrush(other)
        self.validation.setSymbolPen(edge)
        # The legend shows the points' own style, which follows the item's only once there are points.
        self.validation.scatter.setBrush(other)
        self.validation.scatter.setPen(edge)

    def update(self) -> None:
        curves = self.curves
        self.raw.setData(curves.step, curves.loss)
        self.smooth.setData(curves.step, curves.smooth_loss)
        self.validation.setData(curves.validation_step, curves.validation_loss)
        if self.plot.rates.isVisibleTo(self.plot.body):
            self.rate.setData(curves.step, curves.learning_rate)

    def remove(self) -> None:
        for item in (self.smooth, self.validation):
            self.plot.legend.removeItem(item)
        for item in (self.raw, self.smooth, self.validation):
            self.plot.chart.removeItem(item)
        self.plot.rates.removeItem(self.rate)
