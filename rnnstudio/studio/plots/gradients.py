"""How large gradients are: of each parameter over the run, and of the state at each step of one example."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from rnnstudio.training.events import QUANTILES, Probed

from ..live import Live
from .chart import Chart, Facts, LivePlot, number, set_pen
from .look import Look, mixed

TOTAL = "all parameters together"
VANISHED, EXPLODED = 1e-3, 1e3
"""‖∂L_T/∂h‖ at the first steps over that at the last: it vanishes below the first, explodes above the second."""
STRIP_BINS = 300


class GradientPlot(QWidget):
    """Two views: norms of parameters over the steps of the run, and ‖∂L/∂h_t‖ against t."""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.parameters = ParameterPlot(live)
        self.through_time = TimePlot(live)
        self.tabs = QTabBar()
        self.tabs.setExpanding(False)
        for place, (title, tip) in enumerate(
            (
                ("Parameters", "Norm of each parameter's gradient over the steps of the run"),
                (
                    "Through time",
                    "Norm of a loss's gradient by the state at each step t, of the example that Gates shows. "
                    "Last step: of the last step's loss alone, which has to come back through all steps. "
                    "All steps: of the whole loss, which asks something of each step directly; "
                    "its band: 80 % of the batch, dots: the batch's median",
                ),
            )
        ):
            self.tabs.addTab(title)
            self.tabs.setTabToolTip(place, tip)
        # Tabs and the shown plot's own controls stand in one row: docks below the canvas are low.
        headers, plots = QStackedWidget(), QStackedWidget()
        headers.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for plot in (self.parameters, self.through_time):
            headers.addWidget(plot.header)
            plots.addWidget(plot)
        self.tabs.currentChanged.connect(headers.setCurrentIndex)
        self.tabs.currentChanged.connect(plots.setCurrentIndex)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 6, 0)
        row.addWidget(self.tabs)
        row.addWidget(headers, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(plots, 1)


class ParameterPlot(LivePlot):
    """One line a parameter, on a logarithmic axis; a strip on top marks where gradients were clipped."""

    empty_text = "Press Train to see how large the gradient of each parameter is."

    MEASURES = (
        ("Gradient norm", 1, "‖gradient‖"),
        ("Update ÷ weight", 3, "‖update‖ ÷ ‖weight‖"),
        ("Weight norm", 2, "‖weight‖"),
    )

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(live, parent)
        self.measure = QComboBox()
        for title, _, _ in self.MEASURES:
            self.measure.addItem(title)
        self.measure.currentIndexChanged.connect(self._measure_chosen)
        self.facts = Facts()
        self.header = QWidget()
        header = QHBoxLayout(self.header)
        header.setContentsMargins(0, 2, 0, 2)
        header.addWidget(self.measure)
        header.addWidget(self.facts, 1)
        self.strip = Chart()
        self.strip.setFixedHeight(12)
        for side in ("left", "bottom"):
            self.strip.hideAxis(side)
        self.strip.setMouseEnabled(False, False)
        self.strip.hideButtons()
        self.strip.getViewBox().setDefaultPadding(0.0)
        self.strip.setToolTip("Where gradients were clipped: the brighter, the more of the steps")
        self.marks = pg.ImageItem(axisOrder="row-major")
        self.strip.addItem(self.marks)
        self.chart = Chart("‖gradient‖", "step")
        self.chart.setLogMode(y=True)
        self.strip.follow_steps_of(self.chart)
        charts = QWidget()
        column = QVBoxLayout(charts)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.strip)
        column.addWidget(self.chart, 1)
        self.legend = QListWidget()
        self.legend.setToolTip("Untick a parameter to hide its line; select it to bring it forward")
        self.legend.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.legend.setIconSize(QSize(12, 12))
        self.legend.setFrameShape(QListWidget.Shape.NoFrame)
        self.legend.itemChanged.connect(self._ticked)
        self.legend.currentItemChanged.connect(self._emphasise)
        self.splitter = QSplitter()
        self.splitter.addWidget(charts)
        self.splitter.addWidget(self.legend)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([520, 240])
        self.rows.addWidget(self.splitter, 1)
        self._lines: dict[str, pg.PlotDataItem] = {}
        self._hidden: set[str] = set()
        self._known: tuple[object, ...] = ()
        self.chart.follow_look(self._set_look)
        self.chart.getViewBox().sigResized.connect(self._align)

    def _align(self) -> None:
        left = self.chart.getAxis("left").width()
        self.strip.getPlotItem().setContentsMargins(left, 1, 1, 1)

    def has_something(self) -> bool:
        return len(self.live.curves) > 0

    def draw(self) -> None:
        curves = self.live.curves
        known = (curves, curves.parameters)
        if known != self._known:
            self._known = known
            self._rebuild(curves.parameters)
        column = self.MEASURES[self.measure.currentIndex()][1]
        for path, line in self._lines.items():
            if path in self._hidden:
                continue
            if path == TOTAL:
                values = curves.gradient_norm if column == 1 else np.empty(0)
                steps = curves.step if column == 1 else np.empty(0)
            else:
                series = curves.norms(path)
                steps, values = series[0], series[column]
            # Of a short training there may have been one look: a line of one point would be none.
            line.setSymbol("o" if len(values) == 1 else None)
            line.setData(steps, positive(values))
        self._draw_strip()

    def _draw_strip(self) -> None:
        curves = self.live.curves
        clipped = curves.clipped
        bins = min(STRIP_BINS, len(clipped))
        edges = np.linspace(0, len(clipped), bins + 1).astype(np.int64)[:-1]
        share = np.add.reduceat(clipped, edges) / np.maximum(np.diff(np.append(edges, len(clipped))), 1)
        self.marks.setImage(share[None, :].astype(np.float32), autoLevels=False, levels=(0.0, 1.0))
        first, last = float(curves.step[0]), float(curves.step[-1])
        self.marks.setRect(QRectF(first, 0, max(last - first, 1.0), 1))
        self.strip.setYRange(0, 1, padding=0)
        times = int(clipped.sum())
        share_clipped = f"clipped in {times:,} of {len(clipped):,} steps ({times / len(clipped):.0%})"
        self.facts.say(share_clipped if times else f"never clipped in {len(clipped):,} steps")

    def _rebuild(self, parameters: tuple[str, ...]) -> None:
        for line in self._lines.values():
            self.chart.removeItem(line)
        self._lines = {path: self.chart.line() for path in (TOTAL, *parameters)}
        self._hidden &= set(self._lines)
        self.legend.blockSignals(True)
        self.legend.clear()
        for path in self._lines:
            item = QListWidgetItem(path)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if path in self._hidden else Qt.CheckState.Checked)
            item.setToolTip(path)
            self.legend.addItem(item)
        self.legend.blockSignals(False)
        self._set_look(self.chart.look)

    def _set_look(self, look: Look) -> None:
        never, seldom = mixed(look.text, look.background, 0.06), mixed(look.bad, look.background, 0.35)
        self.marks.setLookupTable(pg.ColorMap([0.0, 0.001, 1.0], [never, seldom, look.bad]).getLookupTable(nPts=256))
        current = self.legend.currentItem()
        chosen = current.text() if current is not None else ""
        self.legend.blockSignals(True)
        for place, (path, line) in enumerate(self._lines.items()):
            colour = look.text if path == TOTAL else look.colour(place - 1)
            # Past the colours there are, the same ones come again, dashed and then dotted.
            styles = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
            style = styles[max(place - 1, 0) // len(look.series) % 3]
            strong = path == chosen or (path == TOTAL and not chosen)
            set_pen(line, pg.mkPen(colour, width=2.4 if strong else 1.2, style=style))
            line.setSymbolBrush(colour)
            line.setSymbolPen(None)
            line.setSymbolSize(8 if strong else 5)
            line.setZValue(10 if strong else 0)
            line.setVisible(path not in self._hidden)
            self.legend.item(place).setIcon(swatch(colour))
        self.legend.blockSignals(False)

    def _ticked(self, item: QListWidgetItem) -> None:
        if item.checkState() == Qt.CheckState.Checked:
            self._hidden.discard(item.text())
        else:
            self._hidden.add(item.text())
        self._set_look(self.chart.look)
        self.refresh()

    def _emphasise(self) -> None:
        self._set_look(self.chart.look)

    def _measure_chosen(self, index: int) -> None:
        self.chart.title_axis("left", self.MEASURES[index][2])
        self.chart.show_all()
        self.refresh()


class TimePlot(LivePlot):
    """‖∂L_T/∂h_t‖ of the last step's loss against t: the newest example strong, the last few fading. Beside it the
    total ‖∂L/∂h_t‖, with a band of 80 % of its batch, where that is known.
    """

    empty_text = "Press Train to see whether gradients vanish or explode on their way back through time."

    LAST, ALL = "last step's loss", "all steps' losses"

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(live, parent)
        self.chooser = QComboBox()
        self.chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.chooser.setToolTip("The state h whose gradient is shown")
        self.chooser.activated.connect(self._chosen)
        self.verdict = Facts()
        self.header = QWidget()
        header = QHBoxLayout(self.header)
        header.setContentsMargins(0, 2, 0, 2)
        header.addWidget(self.chooser)
        header.addWidget(self.verdict, 1)
        self.chart = Chart("‖gradient by h_t‖", "step t")
        self.chart.setLogMode(y=True)
        self.rows.addWidget(self.chart, 1)
        self._lines: list[pg.PlotDataItem] = []
        self._total = self.chart.line()
        self._edges = [self.chart.line() for _ in QUANTILES]
        self._band = pg.FillBetweenItem(self._edges[0], self._edges[-1])
        self.chart.addItem(self._band)
        self._drawn: tuple[Probed, ...] = ()
        self._cursor: QPointF | None = None
        self.chart.follow_look(self._set_look)
        self.chart.follow_cursor(self._point)

    def _probes(self) -> tuple[Probed, ...]:
        return tuple(probe for probe in self.live.curves.probes if probe.end_gradients)

    def has_something(self) -> bool:
        return bool(self._probes())

    @property
    def state(self) -> str:
        return self.chooser.currentText()

    def draw(self) -> None:
        probes = self._probes()
        if probes == self._drawn:
            return
        self._drawn = probes
        states = list(probes[-1].end_gradients)
        if [self.chooser.itemText(place) for place in range(self.chooser.count())] != states:
            before = self.state
            self.chooser.clear()
            self.chooser.addItems(states)
            self.chooser.setCurrentIndex(max(self.chooser.findText(before), 0))
        self._draw_state()

    def _chosen(self) -> None:
        self._draw_state()
        self.chart.show_all()

    def _draw_state(self) -> None:
        series = [last for probe in self._drawn if (last := self._last(probe)) is not None]
        while len(self._lines) < len(series):
            self._lines.append(self.chart.line())
            self._set_look(self.chart.look)
        # Line 0 is the newest.
        for place, line in enumerate(self._lines):
            values = series[-1 - place] if place < len(series) else np.empty(0, np.float32)
            line.setData(np.arange(len(values)), positive(values))
            # What is 0 has no place on this axis: where only one step is above it, a line would show nothing.
            line.setSymbol("o" if place == 0 and np.count_nonzero(values > 0) == 1 else None)
        total = self._drawn[-1].state_gradients.get(self.state, np.empty(0, np.float32))
        self._total.setData(np.arange(len(total)), positive(total))
        self._draw_band()
        self._tell()

    def _draw_band(self) -> None:
        batch = self._batch()
        shown = (np.isfinite(batch) & (batch > 0)).all(0)
        for edge, values in zip(self._edges, batch, strict=True):
            edge.setData(np.flatnonzero(shown), values[shown].astype(np.float64))

    def _last(self, probe: Probed) -> npt.NDArray[np.floating] | None:
        """[time] of ‖∂L_T/∂h_t‖ of the chosen state."""
        return probe.end_gradients.get(self.state)

    def _batch(self) -> npt.NDArray[np.floating]:
        """The newest batch's quantiles, [3, time]; no steps where there are none."""
        return self._drawn[-1].batch_gradients.get(self.state, np.empty((len(QUANTILES), 0), np.float32))

    def _set_look(self, look: Look) -> None:
        for place, line in enumerate(self._lines):
            share = 1.0 if place == 0 else max(0.55 - 0.07 * place, 0.12)
            set_pen(line, pg.mkPen(mixed(look.colour(0), look.background, share), width=2.4 if place == 0 else 1.0))
            line.setSymbolBrush(look.colour(0))
            line.setSymbolPen(None)
            line.setSymbolSize(8)
            line.setZValue(-place)
        set_pen(self._total, pg.mkPen(look.colour(1), width=1.6, style=Qt.PenStyle.DashLine))
        self._total.setZValue(-0.5)
        faint = mixed(look.text, look.background, 0.5)
        for edge in self._edges:
            set_pen(edge, pg.mkPen(None))
            edge.setZValue(-30)
        set_pen(self._edges[1], pg.mkPen(faint, width=1, style=Qt.PenStyle.DotLine))
        self._band.setBrush(QBrush(mixed(look.text, look.background, 0.12)))
        self._band.setZValue(-40)
        # Under the axis: lines may be anywhere in the chart, and would run through a legend there.
        names = ((look.colour(0), f"━ {self.LAST}"), (look.colour(1), f"┅ {self.ALL}"))
        spans = (f'<span style="color:{colour.name()}">{name}</span>' for colour, name in names)
        self.chart.title_axis("bottom", " &nbsp; ".join(["step t", *spans]))
        self._tell()

    def _point(self, place: QPointF | None) -> None:
        self._cursor = place
        self._tell()

    def _tell(self) -> None:
        if not self._drawn:
            return
        probe = self._drawn[-1]
        last, total = self._last(probe), probe.state_gradients.get(self.state)
        if last is None or total is None:
            return
        if self._cursor is not None and 0 <= round(self._cursor.x()) < len(last):
            self._tell_step(round(self._cursor.x()), last, total)
            return
        kind, text = verdict(last[::-1] if self.state in probe.backward else last)
        look = self.chart.look
        colour = {"steady": look.good, "none": look.text}.get(kind, look.bad)
        head = f'<b style="color:{colour.name()}">{text[0]}</b>'
        brief = {"steady": "arrives"}.get(kind, kind)
        self.verdict.say(
            f"{head} {text[1]}",
            f"{head} {text[1].partition(' over')[0]}",
            head.replace(":</b>", "</b>"),
            f'<b style="color:{colour.name()}">{brief}</b>',
        )

    def _tell_step(self, step: int, last: npt.NDArray[np.floating], total: npt.NDArray[np.floating]) -> None:
        brief = f"t = {step} · last step's loss <b>{number(float(last[step]))}</b>"
        here = f"{brief} · all steps' losses <b>{number(float(total[step]))}</b>" if step < len(total) else brief
        batch = self._batch()
        if step < batch.shape[1]:
            low, middle, high = (number(float(x)) for x in batch[:, step])
            self.verdict.say(f"{here}, of the batch: median {middle}, 80 % in {low} … {high}", here, brief)
        else:
            self.verdict.say(here, brief)


def positive(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """What can stand on a logarithmic axis; the rest is a gap."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan).astype(np.float64)


def verdict(norms: npt.NDArray[np.floating]) -> tuple[str, tuple[str, str]]:
    """What ‖∂L_T/∂h_t‖ [time], in the order of the loop, does from the last step back to the first: "vanishes",
    "explodes", "steady" or "none", in words.

    The first twentieth of the steps (geometric mean, so that one odd step does not decide) is compared with the last
    step that L_T reads. A state that is read every k steps is 0 between: such gaps are no end of the way.
    """
    steps = len(norms)
    if not np.isfinite(norms).all():
        return "explodes", ("Not finite:", "the gradient has overflowed.")
    if steps < 2:
        return "none", ("One step:", "there is no way back through time to follow.")
    there = np.flatnonzero(norms > 0)
    if not len(there):
        return "none", ("No gradient:", "the last step's loss does not depend on this state.")
    first, last = int(there[0]), int(there[-1])
    part = max(steps // 20, 1)
    gap = int(np.diff(there).max()) if len(there) > 1 else 1
    if first >= max(part, gap):
        if first == last:
            return "vanishes", (
                "The gradient vanishes:",
                f"it reaches the last step alone over {steps} steps, a factor of 0 a step.",
            )
        a_step = float(norms[first] / norms[last]) ** (1 / (last - first))
        told = f"0 beyond {last - first} steps back over {steps} steps, a factor of {a_step:.3f} a step up to there."
        return "vanishes", ("The gradient vanishes:", told)
    early = there[there < max(part, first + 1)]
    ratio = float(np.exp(np.log(norms[early].astype(np.float64)).mean())) / float(norms[last])
    a_step = ratio ** (1 / max(last - float(early.mean()), 1))
    told = f"first ÷ last = {number(ratio)} over {steps} steps, a factor of {a_step:.3f} a step."
    if ratio < VANISHED:
        return "vanishes", ("The gradient vanishes:", told)
    if ratio > EXPLODED:
        return "explodes", ("The gradient explodes:", told)
    return "steady", ("The gradient arrives:", told)


def swatch(colour: QColor) -> QIcon:
    """A small square of one colour for lists."""
    pixmap = QPixmap(24, 24)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(QColor(0, 0, 0, 0))
    painter = QPainter(pixmap)
    painter.fillRect(1, 4, 10, 4, QBrush(colour))
    painter.end()
    return QIcon(pixmap)
