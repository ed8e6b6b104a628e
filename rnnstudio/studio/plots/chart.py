"""What all plots share: a chart in the window's colours, an empty state in words, drawing only while visible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QFont, QFontMetrics, QMouseEvent, QPen, QResizeEvent, QShowEvent, QTextDocument
from PySide6.QtWidgets import QLabel, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from ..live import Live
from .look import Look, current_look


class Line(pg.PlotDataItem):  # type: ignore[misc]  # pyqtgraph has no types
    """A curve over ascending x, whose extent along x is that of all its points.

    pyqtgraph takes that of the points it draws, which are fewer where the chart is narrow and depend on the range
    shown: range and points then went back and forth for ever, and the event loop never came back from painting.
    """

    def dataBounds(
        self, ax: int, frac: float = 1.0, orthoRange: tuple[float, float] | None = None
    ) -> tuple[float, float] | tuple[None, None]:
        x, _ = self.getOriginalDataset()
        if ax == 1 or x is None or not len(x):
            found: tuple[float, float] | tuple[None, None] = super().dataBounds(ax, frac, orthoRange)
            return found
        return float(x[0]), float(x[-1])


class Values(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """The left axis. On a logarithmic one only as many numbers of a decade are written as there is room for."""

    ROOM = 20.0
    """Pixels that a number takes."""

    def logTickValues(
        self, minVal: float, maxVal: float, size: float, stdTicks: list[tuple[float, list[float]]]
    ) -> list[tuple[float | None, list[float]]]:
        decade = size / max(maxVal - minVal, 1e-9)
        choices = (tuple(range(1, 10)), (1, 2, 5), (1, 3), (1,))
        wanted = [numbers for numbers in choices if decade * _closest(numbers) >= self.ROOM]
        exponents = np.arange(np.floor(minVal), np.ceil(maxVal) + 1)
        if not wanted:  # less than one number a decade
            return [(spacing, ticks) for spacing, ticks in stdTicks if spacing * decade >= self.ROOM]
        ticks = [float(e + np.log10(n)) for e in exponents for n in wanted[0]]
        return [(None, [tick for tick in ticks if minVal <= tick <= maxVal])]


def _closest(numbers: tuple[int, ...]) -> float:
    """The smallest distance between neighbours, in decades, when they are repeated in every decade."""
    return float(np.diff(np.log10([*numbers, 10])).min())


class Chart(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A pyqtgraph plot in the palette's colours. The wheel zooms, a drag moves, a double-click shows all again."""

    def __init__(self, left: str = "", bottom: str = "", widest: str = "0.00000") -> None:
        """widest: the longest text beside the left axis; its width is fixed, so that nothing jumps as numbers grow."""
        super().__init__(enableMenu=False, axisItems={"left": Values("left")})
        self._widest = widest
        self._titles = {"left": left, "bottom": bottom}
        self._on_look: list[Callable[[Look], None]] = []
        self.look = current_look()
        self.setFrameShape(self.Shape.NoFrame)
        # pyqtgraph makes a menu of its own that nothing here opens; with a parent it goes when the chart goes.
        menu = self.getPlotItem().ctrlMenu
        menu.setParent(self, menu.windowFlags())
        self._apply_look()

    def follow_look(self, apply: Callable[[Look], None]) -> None:
        """Call `apply` now and after every change of the palette."""
        self._on_look.append(apply)
        apply(self.look)

    def line(self, colour: int | None = None, *, width: float = 1.6, name: str | None = None) -> pg.PlotDataItem:
        """A curve that stays fast with very many points: only what is visible, its peaks kept, is drawn."""
        item = Line(name=name, antialias=True, autoDownsampleFactor=0.5)
        self.addItem(item)
        # After addItem, which sets the plot's own choice (all points). One highest and one lowest value every 2 pixels.
        item.setDownsampling(auto=True, method="peak")
        item.setClipToView(True)
        if colour is not None:
            self.follow_look(lambda look: set_pen(item, pg.mkPen(look.colour(colour), width=width)))
        return item

    def legend(self, *, columns: int = 1) -> pg.LegendItem:
        """A legend in the upper right corner whose text follows the look; it has no background that would hide data."""
        legend = pg.LegendItem(offset=(-12, 4), verSpacing=-4, horSpacing=10, colCount=columns)
        legend.setParentItem(self.getViewBox())

        def apply(look: Look) -> None:
            legend.setLabelTextColor(look.text)
            for _, label in legend.items:
                label.setText(label.text, color=look.text)

        self.follow_look(apply)
        return legend

    def follow_steps_of(self, leader: Chart) -> None:
        """Show the same stretch of the x axis as another chart (a pyqtgraph link would push back and stop it)."""
        self.disableAutoRange(axis="x")
        self.setMouseEnabled(x=False)
        leader.getViewBox().sigXRangeChanged.connect(lambda _box, span: self.setXRange(*span, padding=0))

    def follow_cursor(self, told: Callable[[QPointF | None], None]) -> None:
        """Call `told` with the place under the mouse in the plot's units, and with None when it leaves."""
        self._cursor_told = told
        self.scene().sigMouseMoved.connect(self._moved)

    def _moved(self, place: QPointF) -> None:
        box = self.getViewBox()
        inside = box.sceneBoundingRect().contains(place)
        self._cursor_told(box.mapSceneToView(place) if inside else None)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        if hasattr(self, "_cursor_told"):
            self._cursor_told(None)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.show_all()
        super().mouseDoubleClickEvent(event)

    def show_all(self) -> None:
        self.getPlotItem().enableAutoRange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange) and hasattr(self, "look"):
            self.look = current_look()
            self._apply_look()
            for apply in self._on_look:
                apply(self.look)

    def _apply_look(self) -> None:
        look = self.look
        self.setBackground(look.background)
        small = QFont(self.font())
        small.setPointSizeF(max(self.font().pointSizeF() - 1, 7.0))
        metrics = QFontMetrics(small)
        for side, title in self._titles.items():
            axis = self.getAxis(side)
            axis.setPen(QPen(look.grid, 1))
            axis.setTextPen(look.faint)
            axis.setTickFont(small)
            axis.setStyle(tickLength=4, tickTextOffset=4, maxTickLevel=1, autoExpandTextSpace=True)
            if title:
                axis.setLabel(title, color=look.faint.name(), **{"font-size": f"{small.pointSizeF():.1f}pt"})
            # 0.004 beside the axis, never 4 with (x0.001) in the title: no size of value has a prefix.
            axis.setSIPrefixEnableRanges(((-1.0, -1.0),))
            axis.enableAutoSIPrefix(False)
        for_title = metrics.height() + 2 if self._titles["left"] else 0
        self.getAxis("left").setWidth(metrics.horizontalAdvance(self._widest) + for_title + 12)
        grid = 40 if look.dark else 30
        for side in self._titles:
            self.getAxis(side).setGrid(grid)

    def title_axis(self, side: str, title: str) -> None:
        """Write another title beside an axis; "" takes it away."""
        self._titles[side] = title
        if title:
            self._apply_look()
        else:
            self.getAxis(side).showLabel(False)


def set_pen(item: pg.PlotDataItem, pen: QPen) -> None:
    """Give a line its pen. Solid ones are painted piece by piece: Qt strokes a jagged path of 1,400 points and width 2
    in 280 ms, its pieces in 3.
    """
    item.setPen(pen)
    item.curve.setSegmentedLineMode("on" if pen.style() == Qt.PenStyle.SolidLine else "off")


class Facts(QLabel):
    """A line of rich text that says as much as there is room for."""

    def __init__(self) -> None:
        super().__init__()
        self._versions: tuple[str, ...] = ()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def say(self, *versions: str) -> None:
        """Show the first version that fits, or the last. The longest comes first."""
        if versions != self._versions:
            self._versions = versions
            self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if not self._versions:
            return
        document = QTextDocument()
        document.setDefaultFont(self.font())
        document.setDocumentMargin(0)
        for version in self._versions:
            document.setHtml(version)
            if document.idealWidth() <= self.width():
                break
        self.setText(version)
        self.setToolTip("" if version is self._versions[0] else self._versions[0])


class LivePlot(QWidget):
    """Base of the plots: says in words what will be here until there is something, and draws only while visible.

    Subclasses lay themselves out in `self.body` and give `draw()` and `has_something()`.
    """

    empty_text = ""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.live = live
        self._stale = True
        self._stack = QStackedLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._empty = QLabel(self.empty_text)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setMargin(24)
        self._empty.setProperty("role", "muted")
        self.body = QWidget()
        self.rows = QVBoxLayout(self.body)
        self.rows.setContentsMargins(6, 4, 6, 4)
        self.rows.setSpacing(4)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.body)
        live.drawn.connect(self.refresh)
        live.curvesReplaced.connect(self.refresh)

    def refresh(self) -> None:
        """Draw what is new, now if it can be seen, else when it is next shown."""
        if not self.isVisible():
            self._stale = True
            return
        self._stale = False
        something = self.has_something()
        self._stack.setCurrentWidget(self.body if something else self._empty)
        if something:
            self.draw()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.refresh()

    def has_something(self) -> bool:
        raise NotImplementedError

    def draw(self) -> None:
        raise NotImplementedError


def number(value: float) -> str:
    """A measured value in at most seven characters."""
    if not np.isfinite(value):
        return "–" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e5 or size < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{value:.{4 if size < 1 else 3 if size < 100 else 1 if size < 1000 else 0}f}".replace("-", "−")
