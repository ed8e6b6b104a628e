"""What the model writes or forecasts while it learns."""

from __future__ import annotations

import html

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QTabWidget,
    QTextBrowser,
    QWidget,
)

from rnnstudio.training.events import Forecast, Sampled

from ..live import Live
from ..plots.chart import Chart, Facts, LivePlot, number, set_pen
from ..plots.look import Look
from ..theme import current


class SamplesPanel(QTabWidget):
    """Two tabs: texts the model wrote, newest on top, and forecasts against the truth. What arrives first is shown."""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.texts = TextSamples(live)
        self.forecasts = ForecastPlot(live)
        self.setDocumentMode(True)
        self.addTab(self.texts, "Texts")
        self.addTab(self.forecasts, "Forecast")
        self._live = live
        live.sampled.connect(lambda _: self._turn_to(self.texts, len(live.curves.samples)))
        live.forecast.connect(lambda _: self._turn_to(self.forecasts, len(live.curves.forecasts)))

    def _turn_to(self, tab: QWidget, arrived: int) -> None:
        if arrived == 1:
            self.setCurrentWidget(tab)


class TextSamples(LivePlot):
    """Each sample with its step, prompt and temperature; the prompt stands out. Of an encoder–decoder what it read,
    what it wrote, and what is true.
    """

    empty_text = "Press Train to read what the network writes, after each validation."

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(live, parent)
        self.browser = QTextBrowser()
        self.browser.setFrameShape(QFrame.Shape.NoFrame)
        self.browser.setOpenLinks(False)
        self.browser.document().setDocumentMargin(8)
        self.rows.setContentsMargins(0, 0, 0, 0)
        self.rows.addWidget(self.browser)
        self._written: list[Sampled] = []

    def has_something(self) -> bool:
        return bool(self.live.curves.samples)

    def draw(self) -> None:
        samples = list(self.live.curves.samples)
        known = self._written[-1] if self._written else None
        place = next((i for i in range(len(samples) - 1, -1, -1) if samples[i] is known), None)
        if place is None:
            self._rewrite()
            return
        for sample in samples[place + 1 :]:
            self._put_on_top(sample)
        self._written = samples

    def _rewrite(self) -> None:
        self._written = list(self.live.curves.samples)
        self.browser.setHtml("".join(_as_html(sample) for sample in reversed(self._written)))

    def _put_on_top(self, sample: Sampled) -> None:
        """Without moving what a person is reading further down."""
        bar = self.browser.verticalScrollBar()
        before, height = bar.value(), bar.maximum()
        cursor = QTextCursor(self.browser.document())
        cursor.movePosition(QTextCursor.MoveOperation.Start)
        cursor.insertHtml(_as_html(sample) + "<p></p>")
        bar.setValue(before + bar.maximum() - height if before else 0)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_written"):
            self._rewrite()


def _as_html(sample: Sampled) -> str:
    theme = current()
    temperature = "most likely tokens" if sample.temperature == 0 else f"temperature {sample.temperature:g}"
    head = f"step {sample.step:,} · {temperature}"
    prompt, text, truth = (html.escape(x).replace("\n", "<br>") for x in (sample.prompt, sample.text, sample.truth))
    if truth:
        rows = (("read", f'<b style="color:{theme.accent}">{prompt}</b>'), ("written", text), ("true", truth))
        told = "<br>".join(f'<span style="color:{theme.muted}">{name}</span> {value}' for name, value in rows)
    else:
        told = f'<b style="color:{theme.accent}">{prompt}</b>{text}'
    return (
        f'<p style="color:{theme.muted}; margin-top:4px; margin-bottom:2px">{head}</p>'
        f'<p style="white-space:pre-wrap; margin-top:0; margin-bottom:12px; color:{theme.text}">{told}</p>'
    )


class ForecastPlot(LivePlot):
    """The newest forecast of the validation part: what was, and what was predicted one horizon before."""

    empty_text = "Press Train to see forecasts against the truth, after each validation."

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(live, parent)
        self.chooser = QComboBox()
        self.chooser.setToolTip("The column to look at")
        self.chooser.activated.connect(self._chosen)
        self.facts = Facts()
        header = QHBoxLayout()
        header.addWidget(self.chooser)
        header.addWidget(self.facts, 1)
        self.rows.addLayout(header)
        self.chart = Chart("value", "step of the validation part")
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

    def draw(self) -> None:
        newest = self.live.curves.forecasts[-1]
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
            self.facts.say(
                f"{label} · truth <b>{number(float(truth[step]))}</b>"
                f" · prediction <b>{number(float(prediction[step]))}</b>"
            )
            return
        error = float(np.sqrt(np.nanmean((truth - prediction) ** 2)))
        self.facts.say(
            f"after step {found.step:,} · root mean square error <b>{number(error)}</b>",
            f"root mean square error <b>{number(error)}</b>",
        )
