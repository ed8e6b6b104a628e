"""What gates and states do along the time of one example: an image, time × unit, and how open the gates are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from rnnstudio.training.events import Array, Probed

from ..live import Live
from .chart import Chart, Facts, LivePlot, number
from .curves import shown_tokens
from .look import Look

CLOSED, OPEN = 0.1, 0.9
"""Gates below and above these count as closed and open (FIELD.md, what must be visible)."""
BINS = 40


class GatePlot(LivePlot):
    """One node of the newest probe as [time, unit]; gates on 0 … 1, everything else on −1 … 1 (or wider, if it is)."""

    empty_text = "Press Train to see what gates and states do, step by step of an example."

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(live, parent)
        self._probe: Probed | None = None
        self._choices: tuple[tuple[str, bool], ...] = ()
        self._cursor: QPointF | None = None
        self.chooser = QComboBox()
        self.chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.chooser.setMinimumContentsLength(14)
        self.chooser.setToolTip("The gate, state or candidate to look at")
        self.chooser.activated.connect(self._chosen)
        self.facts = Facts()
        header = QHBoxLayout()
        header.addWidget(self.chooser)
        header.addWidget(self.facts, 1)
        self.rows.addLayout(header)

        self.chart = Chart("unit", "step t")
        self.chart.showGrid(x=False, y=False)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.chart.addItem(self.image)
        self.chart.getViewBox().setDefaultPadding(0.0)
        self.chart.getViewBox().invertY(True)
        self.bar = Chart(widest="−1.0")
        self.bar.setFixedWidth(QFontMetrics(self.font()).horizontalAdvance("−1.0") + 34)
        self.bar.hideAxis("bottom")
        self.bar.setMouseEnabled(False, False)
        self.bar.hideButtons()
        self.bar.getViewBox().setDefaultPadding(0.0)
        self.bar.setToolTip("The colours, and how often each value occurs")
        self.scale = pg.ImageItem(axisOrder="row-major")
        self.bar.addItem(self.scale)
        self.histogram = Chart()
        self.histogram.setFixedWidth(96)
        self.histogram.hideAxis("bottom")
        self.histogram.hideAxis("left")
        self.histogram.setMouseEnabled(False, False)
        self.histogram.hideButtons()
        self.histogram.getViewBox().setDefaultPadding(0.0)
        self.histogram.setToolTip("How often each value occurs in this example")
        self.counts = pg.BarGraphItem(x0=[0.0], y0=[0.0], width=[0.0], height=[1.0])
        self.histogram.addItem(self.counts)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.chart, 1)
        row.addWidget(self.bar)
        row.addWidget(self.histogram)
        self.rows.addLayout(row, 1)
        self.chart.follow_look(self._set_look)
        self.chart.follow_cursor(self._point)
        self.chart.sigRangeChanged.connect(self._label_steps)
        # The colours stand level with the image whatever the axis below it needs.
        self.chart.getViewBox().sigResized.connect(self._align)
        live.curvesReplaced.connect(self._forget)

    def _forget(self) -> None:
        self._probe = None

    def has_something(self) -> bool:
        return any(probe.values for probe in self.live.curves.probes)

    def draw(self) -> None:
        newest = next(probe for probe in reversed(self.live.curves.probes) if probe.values)
        if newest is self._probe:
            return
        self._probe = newest
        gates = [path for path in newest.values if path in newest.gates]
        others = [path for path in newest.values if path not in newest.gates]
        choices = tuple((path, path in newest.gates) for path in gates + others)
        if choices != self._choices:
            before = self.node
            self._choices = choices
            self.chooser.clear()
            for path, gate in choices:
                self.chooser.addItem(f"{path}  (gate)" if gate else path, path)
            widest = max(QFontMetrics(self.chooser.font()).horizontalAdvance(path) for path, _ in choices)
            self.chooser.view().setMinimumWidth(widest + 90)
            self.chooser.setCurrentIndex(max(self.chooser.findData(before), 0))
        self._draw_node()

    @property
    def node(self) -> str:
        """The path of the node shown; "" before there is one."""
        return self.chooser.currentData() or ""

    def choose(self, path: str) -> None:
        """Show this node, if the example has it."""
        place = self.chooser.findData(path)
        if place >= 0:
            self.chooser.setCurrentIndex(place)
            self._draw_node()

    def _chosen(self) -> None:
        self._draw_node()
        self.chart.show_all()

    def _values(self) -> Array | None:
        return None if self._probe is None else self._probe.values.get(self.node)

    def _range(self, values: Array) -> tuple[float, float]:
        assert self._probe is not None
        if self.node in self._probe.gates:
            return 0.0, 1.0
        finite = values[np.isfinite(values)]
        widest = max(1.0, float(np.abs(finite).max())) if finite.size else 1.0
        return -widest, widest

    def _draw_node(self) -> None:
        values = self._values()
        if values is None or self._probe is None:
            return
        steps, units = values.shape
        low, high = self._range(values)
        gate = self.node in self._probe.gates
        look = self.chart.look
        colours = look.gates if gate else look.states
        self.image.setImage(values.T, autoLevels=False, levels=(low, high))
        self.image.setRect(QRectF(0, 0, steps, units))
        self.image.setColorMap(colours)
        ramp = np.linspace(low, high, 128, dtype=np.float32)[:, None]
        self.scale.setImage(ramp, autoLevels=False, levels=(low, high))
        self.scale.setColorMap(colours)
        self.scale.setRect(QRectF(0, low, 1, high - low))
        self.bar.setXRange(0, 1, padding=0)
        self.bar.setYRange(low, high, padding=0)
        counts, edges = np.histogram(values[np.isfinite(values)], BINS, (low, high))
        share = counts / max(counts.max(), 1)
        centres = (edges[:-1] + edges[1:]) / 2
        brushes = colours.map((centres - low) / (high - low), mode="qcolor")
        self.counts.setOpts(
            x0=np.zeros(BINS), width=share, y0=edges[:-1], height=np.diff(edges), brushes=brushes, pens=None, pen=None
        )
        self.histogram.setXRange(0, 1.05, padding=0)
        self.histogram.setYRange(low, high, padding=0)
        self.chart.setLimits(xMin=0, xMax=steps, yMin=0, yMax=units)
        self._label_steps()
        self._tell()

    def _align(self) -> None:
        bottom = self.chart.getAxis("bottom").height()
        for beside in (self.bar, self.histogram):
            beside.getPlotItem().setContentsMargins(0, 0, 0, bottom)

    def _label_steps(self) -> None:
        """Tokens under the steps they belong to; words under theirs where letters have no room of their own."""
        axis = self.chart.getAxis("bottom")
        tokens = () if self._probe is None else self._probe.tokens
        if not any(tokens):
            axis.setTicks(None)
            return
        (first, last), _ = self.chart.viewRange()
        a_step = self.chart.getViewBox().width() / max(last - first, 1e-9)
        letters = QFontMetrics(axis.style["tickFont"] or self.font())
        low, high = max(int(first), 0), min(int(np.ceil(last)), len(tokens))
        texts = list(shown_tokens(tokens))
        singles = [(step, step + 1, texts[step]) for step in range(low, high)]
        fits = all(letters.horizontalAdvance(text) + 2 < a_step for _, _, text in singles)
        ticks, taken = [], -np.inf
        for start, end, text in singles if fits else words_of(tokens, low, high):
            middle, half = (start + end) / 2, letters.horizontalAdvance(text) / 2 + 2
            if middle * a_step - half >= taken:
                ticks.append((middle, text))
                taken = middle * a_step + half
        axis.setTicks([ticks])

    def _set_look(self, look: Look) -> None:
        self.image.setBorder(None)
        self._draw_node()

    def _point(self, place: QPointF | None) -> None:
        self._cursor = place
        self._tell()

    def _tell(self) -> None:
        """The header: the value under the cursor, else how the values lie."""
        values = self._values()
        if values is None or self._probe is None:
            return
        steps, units = values.shape
        if self._cursor is not None and 0 <= self._cursor.x() < steps and 0 <= self._cursor.y() < units:
            step, unit = int(self._cursor.x()), int(self._cursor.y())
            tokens = list(shown_tokens(self._probe.tokens))
            token = f" <b>“{_escaped(tokens[step])}”</b>" if step < len(tokens) and tokens[step] else ""
            self.facts.say(f"t = {step}{token} · unit {unit} · <b>{number(float(values[step, unit]))}</b>")
            return
        when = f" · step {self._probe.step:,}"
        if self.node in self._probe.gates:
            closed, opened = fractions(values)
            full = f"<b>{closed:.0%}</b> closed (below {CLOSED}) · <b>{opened:.0%}</b> open (above {OPEN})"
            self.facts.say(full + when, full, f"<b>{closed:.0%}</b> &lt; {CLOSED} · <b>{opened:.0%}</b> &gt; {OPEN}")
        else:
            mean = f"mean {number(float(np.nanmean(values)))}"
            self.facts.say(f"{units} units · {mean}{when}", mean)


def fractions(gates: Array) -> tuple[float, float]:
    """Shares of gate values below 0.1 and above 0.9."""
    finite = gates[np.isfinite(gates)]
    if not finite.size:
        return 0.0, 0.0
    return float((finite < CLOSED).mean()), float((finite > OPEN).mean())


def words_of(tokens: Sequence[str], low: int, high: int) -> list[tuple[int, int, str]]:
    """(first step, step behind the last, text) of each word among tokens[low:high]; a long token is a word itself."""
    words: list[tuple[int, int, str]] = []
    joins = False
    for step in range(low, high):
        token = tokens[step]
        if not token.strip():
            joins = False
        elif len(token) == 1 and joins:
            start, _, text = words[-1]
            words[-1] = (start, step + 1, text + token)
        else:
            words.append((step, step + 1, token))
            joins = len(token) == 1
    return words


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
