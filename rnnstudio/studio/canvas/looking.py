"""The window onto the drawing: where one looks, how near, and the ground behind it."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent, QShowEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QGraphicsItem, QGraphicsView, QWidget

from ...design.history import Change
from .. import theme
from ..session import Session
from .scene import CanvasScene
from .shape import GRID
from .stretch import Stretch

SMALLEST, LARGEST = 0.08, 4.0
READABLE = 0.7
"""Zoom at which names can be read well; a cell opens no smaller."""


class Looking(QGraphicsView):
    """Each drawing remembers where it was looked at. Signal: zoomChanged(float)."""

    zoomChanged = Signal(float)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.canvas = CanvasScene(session)
        self.setScene(self.canvas)
        self.setObjectName("canvas")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.SmartViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState, False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        # Room to pan in every direction; nothing is drawn for it.
        self.setSceneRect(-100_000, -100_000, 200_000, 200_000)
        self.stretch = Stretch(self)
        self._pointer = QPoint(-1, -1)
        self._reframe = True
        self._places: dict[str, tuple[float, QPointF]] = {}
        self._shown = session.focus.graph
        session.focus.renamed.connect(self._rename_place)
        session.focus.trailChanged.connect(self._change_graph)
        session.focus.revealRequested.connect(self.reveal)
        session.opened.connect(self._opened)
        session.designChanged.connect(self._follow)
        theme.changes().changed.connect(self._redress)

    def _redress(self) -> None:
        self.stretch.rest()
        self.canvas.update()
        self.viewport().update()

    @property
    def zoom(self) -> float:
        return self.transform().m11()

    def set_zoom(self, zoom: float, about: QPointF | None = None) -> None:
        """Zoom with the point `about` (in the viewport, its middle by default) staying where it is."""
        zoom = min(max(zoom, SMALLEST), LARGEST)
        self._reframe = False
        if zoom != self.zoom:
            self.stretch.begin()
        about = about if about is not None else QPointF(self.viewport().rect().center())
        fixed = self.at(about)
        self.resetTransform()
        self.scale(zoom, zoom)
        self._put(fixed, about)
        self.zoomChanged.emit(zoom)

    def _put(self, scene: QPointF, where: QPointF) -> None:
        """Scroll so that a point of the scene is at a point of the viewport."""
        now = self.viewportTransform().map(scene)
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() + round(now.x() - where.x()))
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() + round(now.y() - where.y()))

    def at(self, where: QPoint | QPointF) -> QPointF:
        """The point of the scene under a point of the viewport."""
        inverse, _ = self.viewportTransform().inverted()
        return inverse.map(QPointF(where))

    def pan(self, by: QPoint) -> None:
        self._reframe = False
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() - by.x())
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() - by.y())

    def middle(self) -> QPointF:
        return self.at(self.viewport().rect().center())

    def pointer(self) -> QPointF:
        """The scene point under the mouse, or the middle of the view when the mouse is elsewhere."""
        inside = self.viewport().rect().contains(self._pointer)
        return self.at(self._pointer) if inside else self.middle()

    def frame(self, rect: QRectF, largest: float = 1.25) -> None:
        """Show a rectangle of the scene, with a margin, no larger than `largest`."""
        area = self.viewport().rect()
        if rect.isEmpty() or area.width() < 40 or area.height() < 40:
            self.set_zoom(1.0)
            self._put(rect.center(), QPointF(area.center()))
            return
        rect = rect.adjusted(-40, -40, 40, 40)
        zoom = min(area.width() / rect.width(), area.height() / rect.height(), largest)
        self.set_zoom(zoom)
        self._put(rect.center(), QPointF(area.center()))

    def look_at(self, scene: QPointF) -> None:
        """Bring a point of the scene to the middle of the view, at the zoom there is."""
        self._reframe = False
        self._put(scene, QPointF(self.viewport().rect().center()))

    def frame_all(self) -> None:
        self.frame(self.canvas.bounds())

    def frame_selection(self) -> None:
        """The selected nodes, or everything when none is."""
        self.frame(self.canvas.bounds(self.session.focus.nodes))

    def reveal(self) -> None:
        """Bring the selection into view, without moving when it is there already and readable."""
        keys = self.session.focus.nodes
        keys = keys or tuple({k for w in self.session.focus.wires for k in (w.source.node, w.target.node)})
        rect = self.canvas.bounds(keys)
        seen = QRectF(self.at(QPoint(0, 0)), self.at(self.viewport().rect().bottomRight()))
        if keys and not (seen.contains(rect) and self.zoom >= 0.5):
            self.frame(rect, largest=max(min(self.zoom, 1.25), 0.8))

    def show_whole(self, key: str | None) -> None:
        """Move the view as little as shows all of a node."""
        item = self.canvas.nodes.get(key or "")
        if item is not None:
            self.show_item(item)

    def show_item(self, item: QGraphicsItem) -> None:
        """Move the view as little as shows a thing of the canvas, as much of it as there is room for."""
        self._reframe = False
        self.ensureVisible(item.sceneBoundingRect(), 12, 12)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor; a touch pad's two fingers, which give pixels, pan. Shift scrolls sideways."""
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.pan(QPoint(event.angleDelta().y() or event.angleDelta().x(), 0))
        elif not event.pixelDelta().isNull() and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.pan(event.pixelDelta())
        else:
            self.set_zoom(self.zoom * 1.0015 ** event.angleDelta().y(), event.position())
        event.accept()

    # Which drawing is shown

    def _opened(self) -> None:
        self._places.clear()
        self._shown = self.session.focus.graph
        self._reframe = True

    def _follow(self, change: Change) -> None:
        self.stretch.rest()
        if change.edit is None:
            self._frame_when_laid_out()

    def _change_graph(self) -> None:
        """Each drawing remembers where it was looked at."""
        self.stretch.rest()
        self._places[self._shown] = (self.zoom, self.middle())
        self._shown = self.session.focus.graph
        if self._shown in self._places:
            zoom, middle = self._places[self._shown]
            self.set_zoom(zoom)
            self._put(middle, QPointF(self.viewport().rect().center()))
        else:
            self.frame_all()
            if self.zoom < READABLE and self.session.focus.graph:
                self._read_from_the_left()

    def _read_from_the_left(self) -> None:
        """A cell that does not fit opens at a size at which one reads it, with what comes in in view."""
        area, rect = self.viewport().rect(), self.canvas.bounds()
        self.set_zoom(READABLE)
        x = rect.left() + min(area.width() / READABLE, rect.width() + 80) / 2 - 40
        self._put(QPointF(x, rect.center().y()), QPointF(area.center()))

    def _rename_place(self, _old: str, new: str) -> None:
        """The same drawing under another name is looked at from where it was."""
        self._places[new] = (self.zoom, self.middle())

    def _frame_when_laid_out(self) -> None:
        """A drawing that was just opened fits the view, whatever size it gets, until the person looks elsewhere."""
        if self._reframe and self.isVisible() and self.canvas.nodes:
            self.frame_all()
            self._reframe = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._frame_when_laid_out()

    def resizeEvent(self, event: QResizeEvent) -> None:
        before = event.oldSize() if event.oldSize().isValid() else event.size()
        middle = self.at(QPointF(before.width() / 2, before.height() / 2))
        super().resizeEvent(event)
        self._put(middle, QPointF(self.viewport().rect().center()))
        self._frame_when_laid_out()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.stretch.paint():
            super().paintEvent(event)

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        t = theme.current()
        rect = QRectF(rect)
        painter.fillRect(rect, t.color("canvas"))
        zoom = self.zoom
        step = GRID * 2
        while step * zoom < 14:
            step *= 5
        pen = QPen(t.color("grid"), 0)
        pen.setWidthF(max(1.0, 1.6 * min(zoom, 1.5)) / zoom)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        left, top = floor(rect.left() / step) * step, floor(rect.top() / step) * step
        columns, rows = ceil(rect.width() / step) + 2, ceil(rect.height() / step) + 2
        if columns * rows < 20_000:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.drawPoints(_dots(step, columns, rows).translated(left, top))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)


@lru_cache(maxsize=8)
def _dots(step: float, columns: int, rows: int) -> QPolygonF:
    return QPolygonF([QPointF(i * step, j * step) for i in range(columns) for j in range(rows)])
