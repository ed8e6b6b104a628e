"""What the model writes or forecasts while it learns."""

from __future__ import annotations

import html

from PySide6.QtCore import QEvent
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QFrame, QTabWidget, QTextBrowser, QWidget

from rnnstudio.training.events import Sampled

from ..live import Live
from ..plots.chart import LivePlot
from ..plots.forecasts import ForecastPlot, SequencePlot
from ..theme import current


class SamplesPanel(QTabWidget):
    """Three tabs: texts the model wrote, newest on top; forecasts against the truth; sequences of numbers that a
    decoder wrote. What arrives first is shown, and of such a decoder its sequences.
    """

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.texts = TextSamples(live)
        self.forecasts = ForecastPlot(live)
        self.sequences = SequencePlot(live)
        self.setDocumentMode(True)
        self.addTab(self.texts, "Texts")
        self.addTab(self.forecasts, "Forecast")
        self.addTab(self.sequences, "Sequences")
        self._live = live
        live.sampled.connect(self._sampled)
        live.forecast.connect(self._forecast)
        live.answered.connect(lambda _: self._turn_to(self.sequences, len(live.curves.answers)))

    def _sampled(self, sample: Sampled) -> None:
        if not sample.numbers:
            self._turn_to(self.texts, len(self._live.curves.samples))

    def _forecast(self) -> None:
        if not self._live.curves.answers:  # of pictures that wait for the window the newest alone comes, in any order
            self._turn_to(self.forecasts, len(self._live.curves.forecasts))

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
    temperature = "on its own predictions" if sample.numbers else temperature
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
