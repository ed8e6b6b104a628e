"""The whole drawing in a corner of the canvas, where it is larger than the view: press or drag to look elsewhere."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from ...design.design import Graph
from .. import theme
from .view import CanvasView

WIDTH, HEIGHT, EDGE, MARGIN = 200, 130, 12, 6
REFRESH_MS = 100
"""At most ten looks a second at what has changed."""


class Minimap(QWidget):
    """Nodes in the colours of their families, frames, and the rectangle that the view shows.

    The drawing is painted once and kept until graph, theme or screen are others. Turned off, it follows nothing.
    """

    def __init__(self, view: CanvasView) -> None:
        super().__init__(view)  # not in the viewport, whose children are moved when it scrolls
        self.view = view
        self.setObjectName("minimap")
        self.setFixedSize(WIDTH, HEIGHT)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setToolTip("Drag to look elsewhere")
        self.wanted = True
        self.drawn = 0
        """How often the drawing was painted anew."""
        self._graph: Graph | None = None
        self._bounds = QRectF()
        self._picture: tuple[object, QPixmap] | None = None
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self._refresh)
        session = view.session
        for signal in (
            *(session.designChanged, session.opened, session.focus.trailChanged, view.zoomChanged),
            *(view.horizontalScrollBar().valueChanged, view.verticalScrollBar().valueChanged),
            theme.changes().changed,
        ):
            signal.connect(self._soon)
        view.installEventFilter(self)
        self.hide()

    def turn(self, on: bool) -> None:
        """Show it where the drawing is larger than the view, or never."""
        self.wanted = on
        self._refresh() if on else self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._soon()
        return super().eventFilter(watched, event)

    def _soon(self) -> None:
        if self.wanted and not self._timer.isActive():
            self._timer.start()

    def _refresh(self) -> None:
        if not self.wanted or not self.view.isVisible():
            return
        graph = self.view.canvas.graph
        if graph is not self._graph:
            self._graph, self._bounds = graph, self.view.canvas.bounds()
        larger = not self._bounds.isEmpty() and not self.seen().contains(self._bounds)
        port = self.view.viewport().geometry()
        fits = port.width() > 2 * WIDTH and port.height() > 2 * HEIGHT
        self.move(port.right() - WIDTH - EDGE, port.bottom() - HEIGHT - EDGE)
        self.setVisible(larger and fits)
        self.raise_()
        self.update()

    def seen(self) -> QRectF:
        """What the view shows, in scene units."""
        port = self.view.viewport().rect()
        return QRectF(self.view.at(port.topLeft()), self.view.at(port.bottomRight()))

    def _scale(self) -> float:
        room = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        return min(room.width() / self._bounds.width(), room.height() / self._bounds.height())

    def to_map(self, at: QPointF) -> QPointF:
        return QRectF(self.rect()).center() + (at - self._bounds.center()) * self._scale()

    def to_scene(self, at: QPointF) -> QPointF:
        return self._bounds.center() + (at - QRectF(self.rect()).center()) / self._scale()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme.current()
        digest = (id(self._graph), t.name, self.devicePixelRatioF())
        if self._picture is None or self._picture[0] != digest:
            self._picture = (digest, self._draw())
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture[1])
        seen = self.seen()
        shown = QRectF(self.to_map(seen.topLeft()), self.to_map(seen.bottomRight()))
        painter.setPen(QPen(t.color("accent"), 1.5))
        painter.setBrush(t.color("accent", 0.10))
        painter.drawRect(shown.intersected(QRectF(self.rect()).adjusted(1, 1, -1, -1)))

    def _draw(self) -> QPixmap:
        self.drawn += 1
        t, ratio = theme.current(), self.devicePixelRatioF()
        made = QPixmap(self.size() * ratio)
        made.setDevicePixelRatio(ratio)
        made.fill(t.color("surface"))
        painter = QPainter(made)
        canvas = self.view.canvas
        painter.setPen(t.color("border"))
        painter.drawRect(0, 0, WIDTH - 1, HEIGHT - 1)
        for frame in canvas.frames.values():
            colour = t.family(frame.frame.color) if frame.frame.color else t.color("border")
            painter.setPen(colour)
            colour.setAlphaF(0.15)
            painter.setBrush(colour)
            painter.drawRect(QRectF(self.to_map(frame.rect().topLeft()), self.to_map(frame.rect().bottomRight())))
        painter.setPen(Qt.PenStyle.NoPen)
        for node in canvas.nodes.values():
            body = node.body()
            at = self.to_map(body.center())
            width, height = max(body.width() * self._scale(), 2.0), max(body.height() * self._scale(), 2.0)
            painter.setBrush(t.family(node.look.family) if node.look.known else t.color("faint"))
            painter.drawRect(QRectF(at.x() - width / 2, at.y() - height / 2, width, height))
        painter.end()
        return made

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._look(event.position())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._look(event.position())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def _look(self, at: QPointF) -> None:
        middle = QPointF(self.view.viewport().rect().center())
        self.view.pan((middle - self.view.viewportTransform().map(self.to_scene(at))).toPoint())
        self.update()
