"""What is predicted beside what is true: one step ahead along the validation part, and by a decoder left to itself."""

from __future__ import annotations

import html
from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from rnnstudio.design.recipe import with_digits
from rnnstudio.training.events import Answered, Forecast

from ..live import Live
from .chart import Chart, Facts, LivePlot, number, set_pen
from .look import Look


class ForecastPlot(LivePlot):
    """The newest forecast of the validation part: what was, and what was predicted one horizon before."""

    steps = "step of the validation part"
    empty_text = "Press Train to see forecasts against the truth, after each validation."

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(live, parent)
        self.chooser = _chooser("The column to look at", self._chosen)
        self.facts = Facts()
        header = self.header = QHBoxLayout()
        header.addWidget(self.chooser)
        header.addWidget(self.facts, 1)
        self.rows.addLayout(header)
        self.chart = Chart("value", self.steps)
        self.truth = self.chart.line()
        self.prediction = self.chart.line()
        self.legend = self.chart.legend(columns=2)
        self.legend.addItem(self.truth, "truth")
        self.legend.addItem(self.prediction, "prediction")
        self.rows.addWidget(self.chart, 1)
        self._forecast: Forecast | None = None
        self._cursor: QPointF | None = None
        self.chart.follow_look(self._set_look)
        self.chart.follow_cursor(self._point)

    def has_something(self) -> bool:
        return bool(self.live.curves.forecasts)

    def newest(self) -> Forecast:
        """What is to be drawn; the same object while nothing is new."""
        return self.live.curves.forecasts[-1]

    def draw(self) -> None:
        newest = self.newest()
        if newest is self._forecast:
            return
        if self._forecast is None or newest.columns != self._forecast.columns:
            before = self.chooser.currentText()
            self.chooser.clear()
            self.chooser.addItems(newest.columns)
            self.chooser.setCurrentIndex(max(self.chooser.findText(before), 0))
            self.chooser.setVisible(len(newest.columns) > 1)
            self.chart.show_all()
        self._forecast = newest
        self._draw_column()

    def _chosen(self) -> None:
        self._draw_column()
        self.chart.show_all()

    def _draw_column(self) -> None:
        found = self._forecast
        if found is None:
            return
        column = max(self.chooser.currentIndex(), 0)
        steps = np.arange(len(found.truth))
        self.truth.setData(steps, found.truth[:, column])
        self.prediction.setData(steps, found.prediction[:, column])
        if found.columns:
            self.chart.title_axis("left", found.columns[column])
        self._label_steps(found)
        self._tell()

    def _label_steps(self, found: Forecast) -> None:
        axis = self.chart.getAxis("bottom")
        if not found.labels:
            axis.setTicks(None)
            return
        every = max(len(found.labels) // 8, 1)
        axis.setTicks([[(step, found.labels[step]) for step in range(0, len(found.labels), every)]])
        self.chart.title_axis("bottom", "")

    def _set_look(self, look: Look) -> None:
        set_pen(self.truth, pg.mkPen(look.faint, width=1.6))
        set_pen(self.prediction, pg.mkPen(look.colour(0), width=2))

    def _point(self, place: QPointF | None) -> None:
        self._cursor = place
        self._tell()

    def _tell(self) -> None:
        found = self._forecast
        if found is None:
            return
        column = max(self.chooser.currentIndex(), 0)
        truth, prediction = found.truth[:, column], found.prediction[:, column]
        if self._cursor is not None and 0 <= round(self._cursor.x()) < len(truth):
            step = round(self._cursor.x())
            label = html.escape(found.labels[step]) if step < len(found.labels) else f"step {step}"
            spread = float(np.nanstd(truth))
            self.facts.say(
                f"{label} · truth <b>{_shown(float(truth[step]), spread)}</b>"
                f" · prediction <b>{_shown(float(prediction[step]), spread)}</b>"
            )
            return
        error = float(np.sqrt(np.nanmean((truth - prediction) ** 2)))
        self.facts.say(
            f"after step {found.step:,} · root mean square error <b>{number(error)}</b>",
            f"root mean square error <b>{number(error)}</b>",
        )


class SequencePlot(ForecastPlot):
    """The newest sequences of numbers that an encoder–decoder wrote on its own predictions, one example at a time."""

    steps = "step of the sequence"
    empty_text = "Press Train to see the sequences that a decoder of numbers writes by itself, after each validation."

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(live, parent)
        self.examples = _chooser("The example of the validation part to look at", self._another)
        self.header.insertWidget(0, self.examples)
        self._shown: tuple[Answered, int, Forecast] | None = None

    def has_something(self) -> bool:
        return bool(self.live.curves.answers)

    def newest(self) -> Forecast:
        answered = self.live.curves.answers[-1]
        if self.examples.count() != len(answered.truth):
            self.examples.clear()
            self.examples.addItems([f"example {i + 1}" for i in range(len(answered.truth))])
        example = max(self.examples.currentIndex(), 0)
        if self._shown is None or self._shown[0] is not answered or self._shown[1] != example:
            self._shown = (answered, example, _example(answered, example))
        return self._shown[2]

    def _another(self) -> None:
        self.draw()
        self.chart.show_all()


def _shown(value: float, spread: float) -> str:
    """A number of a series; with more digits where its offset is large beside what changes in it."""
    return with_digits(value, spread) if spread and 1000 * spread < abs(value) < np.inf else number(value)


def _chooser(hint: str, chosen: Callable[[], None]) -> QComboBox:
    box = QComboBox()
    box.setToolTip(hint)
    box.activated.connect(chosen)
    return box


def _example(answered: Answered, example: int) -> Forecast:
    """One example of it without what lies behind its end."""
    own = ~np.isnan(answered.truth[example]).all(-1)
    truth, prediction = answered.truth[example][own], answered.prediction[example][own]
    return Forecast(answered.step, answered.seconds, truth, prediction, answered.columns)
