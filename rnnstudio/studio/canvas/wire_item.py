"""One wire on the canvas. Its path is kept until an end moves; its shape text is written where there is room."""

from __future__ import annotations

from itertools import pairwise
from math import hypot
from typing import Any

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPainterPathStroker, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from ...design.design import Wire
from ...design.signals import Signal
from .. import theme
from .shape import LABEL_SIZE, font, text_width

LABELS_FROM = 0.6
"""Zoom from which shapes are written on wires; a wire under the pointer shows its own at any zoom."""
GRASP = 14.0


class WireItem(QGraphicsRectItem):
    """`wire` is None for the one being drawn. `text` and `short` are its shape, in full and as the last number only.

    Its rectangle is what it may paint on; Qt reads it without asking Python, thousands of times for every picture.
    """

    def __init__(self, wire: Wire | None) -> None:
        super().__init__()
        self.wire = wire
        self.signal: Signal | None = None
        """What the check last found of its source."""
        self.content = "any"
        self.text = ""
        self.short = ""
        self.first = True
        """Whether this is the wire of its source on which the shape is written; the others show it when hovered."""
        self.selected = False
        self.hovered = False
        self.severity = ""
        self.state = False
        """Whether it is the line of a state (canvas/states.py): that has a colour of its own."""
        self.target_of_drop = False
        self.path = QPainterPath()
        self.ends: tuple[QPointF, QPointF] | None = None
        """Where it was routed from and to; the same ends need no new path."""
        self._grasp: QPainterPath | None = None
        self._middle = QPointF()
        self._room = 0.0
        self._level = True
        self._top = 0.0
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self.setZValue(1)

    def route(self, path: QPainterPath, label_at: QPointF | None = None, room: float | None = None) -> None:
        """Run along `path` from now on. `label_at`, `room`: where the text goes and how wide it may be."""
        if path == self.path:
            return
        self.path = path
        self._grasp = None
        first, last = path.elementAt(0), path.elementAt(path.elementCount() - 1)
        self._middle = label_at if label_at is not None else path.pointAtPercent(0.5)
        self._room = abs(last.x - first.x) - 16.0 if room is None else room
        self._level = label_at is not None or abs(last.y - first.y) < 60.0
        self._top = self._middle.y() if label_at is not None else min(first.y, last.y)
        self.setRect(self._measure())
        self.update()

    def plain(self) -> WireItem:
        """The same along the same path, without the marks of a hand or of the check: for a picture."""
        made = WireItem(self.wire)
        made.content, made.text, made.short, made.first = self.content, self.text, self.short, self.first
        made.state = self.state
        made.route(self.path, self._middle, self._room)
        made._level, made._top = self._level, self._top
        return made

    def mark(self, **values: Any) -> None:
        changed = False
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)
                changed = True
        if changed:
            if "text" in values:
                self.setRect(self._measure())
            self.setZValue(3 if self.hovered else 1.5 if self.selected else 1)
            self.update()

    def _measure(self) -> QRectF:
        rect = self.path.controlPointRect().adjusted(-8, -8, 8, 8)
        if self.text:
            rect = rect.united(self.label_box(self.text).adjusted(-2, -2, 2, 2))
        return rect

    def label_box(self, label: str) -> QRectF:
        """Beside the wire, never on it: above where it runs level, to the right of it where it climbs or falls."""
        width = text_width(label, LABEL_SIZE) + 10
        box = QRectF(self._middle.x() - width / 2, self._top - 19, width, 17)
        if not self._level:
            steep = self.path.elementCount() and self.path.angleAtPercent(0.5) % 180 < 90
            box.moveTo(self._middle.x() + 6, self._middle.y() + (2 if steep else -19))
        return box

    def shape(self) -> QPainterPath:
        if self._grasp is None:
            stroker = QPainterPathStroker()
            stroker.setWidth(GRASP)
            self._grasp = stroker.createStroke(self.path)
        return self._grasp

    def end_near(self, at: QPointF, reach: float) -> bool | None:
        """Whether the end within `reach` of a point is the target's (True) or the source's (False); None: neither."""
        start, end = self.path.pointAtPercent(0.0) - at, self.path.pointAtPercent(1.0) - at
        to_start, to_end = hypot(start.x(), start.y()), hypot(end.x(), end.y())
        if min(to_start, to_end) > min(reach, self.path.length() / 3):
            return None
        return to_end <= to_start

    def crossing(self, stroke: QLineF) -> QPointF | None:
        """Where a straight line crosses the wire; None: nowhere."""
        near = QRectF(stroke.p1(), stroke.p2()).normalized().adjusted(-1, -1, 1, 1)
        if not self.path.controlPointRect().adjusted(-1, -1, 1, 1).intersects(near):
            return None
        kind = QLineF.IntersectionType.BoundedIntersection
        points = [point for polygon in self.path.toSubpathPolygons() for point in polygon.toList()]
        for a, b in pairwise(points):
            how, where = stroke.intersects(QLineF(a, b))
            if how == kind:
                return where
        return None

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        t = theme.current()
        zoom = painter.worldTransform().m11()
        color = t.color("state" if self.state else self.content)
        width = 2.6 if self.state else 2.0
        if self.severity in ("error", "warning"):
            color = t.severity(self.severity)
            width = 2.6
        if self.selected or self.target_of_drop:
            color = t.color("accent")
        if self.hovered or self.selected or self.target_of_drop:
            width = 3.2
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.severity or self.selected or self.target_of_drop:
            glow = t.color("accent") if not self.severity else t.severity(self.severity)
            glow.setAlphaF(0.25)
            painter.setPen(QPen(glow, width + 6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPath(self.path)
        pen = QPen(color, max(width, 0.9 / max(zoom, 0.05)), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
        if self.wire is None or (self.content == "any" and not self.severity and not self.state):
            pen.setDashPattern([3.0, 2.4])
        painter.setPen(pen)
        painter.drawPath(self.path)
        label = self.label(zoom)
        if label:
            self._paint_label(painter, label, zoom)

    def label(self, zoom: float) -> str:
        """The text that is written at this zoom: the whole shape where it fits, else its last part, else nothing."""
        if not self.text:
            return ""
        if self.hovered or self.selected:
            return self.text
        if zoom < LABELS_FROM or not self.first:
            return ""
        if text_width(self.text, LABEL_SIZE) + 12 <= self._room:
            return self.text
        return self.short if text_width(self.short, LABEL_SIZE) + 12 <= self._room else ""

    def _paint_label(self, painter: QPainter, label: str, zoom: float) -> None:
        t = theme.current()
        painter.setFont(font(LABEL_SIZE))
        box = self.label_box(label)
        if self.hovered or self.selected:  # it may lie on others then
            painter.setPen(QPen(t.color("border"), 0.8))
            painter.setBrush(t.color("canvas", 0.94))
            painter.drawRoundedRect(box, 5, 5)
        painter.setPen(t.color("text") if self.hovered or self.selected else t.color("muted"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)
