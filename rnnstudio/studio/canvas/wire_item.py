"""One wire on the canvas. Its path is kept until an end moves; the short form of its shape is written beside it."""

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
from . import hidden_wires
from .shape import LABEL_SIZE, font, text_width

LABELS_FROM = 0.6
"""Zoom from which shapes are written on wires; a wire under the pointer shows its own at any zoom."""
GRASP = 14.0


class WireItem(QGraphicsRectItem):
    """`wire` is None for the one being drawn. `text` is its shape; `short`, `middle`: short forms of it.

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
        self.middle = ""
        self.written = ""
        """The short form where it stands beside this wire; of a source's wires at most one has it."""
        self.state = False
        """Whether it carries the state of a loop from step to step."""
        self.hidden = False
        """Whether only its ends are drawn, until it is pointed at or selected."""
        self.ends_named: tuple[str, str] = ("", "")
        """What is written at its ends while it is hidden: who reads it, and where it comes from."""
        self._stubs: tuple[QRectF, ...] = ()
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
        self._box: QRectF | None = None
        """Where the short form stands."""
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self.setZValue(1)

    def route(self, path: QPainterPath) -> None:
        """Run along `path` from now on. What was written beside it is gone until it is written anew."""
        if path == self.path:
            return
        self.path = path
        self.written, self._box = "", None
        self._stubs = hidden_wires.stubs(path, self.ends_named) if self.hidden else ()
        self._lie_anew()

    def hide_as(self, hidden: bool, names: tuple[str, str]) -> None:
        """Be drawn by the ends alone, with these names at them; or whole."""
        if (hidden, names) != (self.hidden, self.ends_named):
            self.hidden, self.ends_named = hidden, names
            self._stubs = hidden_wires.stubs(self.path, names) if hidden else ()
            self._lie_anew()

    def place_stubs(self, boxes: tuple[QRectF, ...]) -> None:
        """Where the names at the ends of a hidden wire stand, when all of the drawing is known."""
        if boxes != self._stubs:
            self._stubs = boxes
            self._lie_anew()

    def write(self, text: str, box: QRectF | None) -> None:
        """Write the short form of its shape in a box, or nothing."""
        if (text, box) != (self.written, self._box):
            self.written, self._box = text, box
            self._lie_anew()

    def _lie_anew(self) -> None:
        self._grasp = None
        self.setRect(self._measure())
        self.update()

    def stubs(self) -> tuple[QRectF, ...]:
        """Of a hidden wire: where the names at its ends are written, the source's first."""
        return self._stubs

    def stub_at(self, at: QPointF) -> bool | None:
        """Whether a point lies on the target's end of a hidden wire (True) or the source's (False); None: on none."""
        if not self.hidden or not self.shape().contains(at):
            return None
        start, end = self.path.pointAtPercent(0.0) - at, self.path.pointAtPercent(1.0) - at
        return hypot(end.x(), end.y()) < hypot(start.x(), start.y())

    def points(self) -> list[tuple[float, float]]:
        """Points along it, near enough to each other that straight lines between them are the wire."""
        return [(p.x(), p.y()) for polygon in self.path.toSubpathPolygons() for p in polygon.toList()]

    def texts(self, inside: bool) -> tuple[str, ...]:
        """Short forms of its shape, the best first. inside: of a cell, where one thinks of one step."""
        return (self.short,) if inside or self.middle == self.short else (self.middle, self.short)

    def plain(self) -> WireItem:
        """The same along the same path, without the marks of a hand or of the check: for a picture."""
        made = WireItem(self.wire)
        made.content, made.text, made.short, made.state = self.content, self.text, self.short, self.state
        made.route(self.path)
        made.hide_as(self.hidden, self.ends_named)
        made.place_stubs(self._stubs)
        made.write(self.written, self._box)
        return made

    def mark(self, **values: Any) -> None:
        changed = False
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)
                changed = True
        if changed:
            if self.text and not {"text", "hovered", "selected"}.isdisjoint(values):
                self.setRect(self._measure())
            self.setZValue(3 if self.hovered else 1.5 if self.selected else 1)
            self.update()

    def _measure(self) -> QRectF:
        rect = self.path.controlPointRect().adjusted(-8, -8, 8, 8)
        for stub in self._stubs:
            rect = rect.united(stub.adjusted(-4, -4, 4, 4))
        if self._box is not None:
            rect = rect.united(self._box)
        if self.text and (self.hovered or self.selected):
            rect = rect.united(self.label_box(self.text).adjusted(-2, -2, 2, 2))
        return rect

    def label_box(self, label: str) -> QRectF:
        """Where a text is written: the short form in its place, the whole shape around there, above its wire."""
        if label == self.written and self._box is not None:
            return self._box
        width = text_width(label, LABEL_SIZE) + 10
        middle = self.path.pointAtPercent(0.5) if self.path.elementCount() else QPointF()
        at = self._box.center() if self._box is not None else QPointF(middle.x(), middle.y() - 11)
        return QRectF(at.x() - width / 2, at.y() - 8.5, width, 17)

    def shape(self) -> QPainterPath:
        if self._grasp is None and self.hidden:
            self._grasp = hidden_wires.grasp(self.path, self._stubs)
        elif self._grasp is None:
            stroker = QPainterPathStroker()
            stroker.setWidth(GRASP)
            self._grasp = stroker.createStroke(self.path)
        return self._grasp

    def end_near(self, at: QPointF, reach: float) -> bool | None:
        """Whether the end within `reach` of a point is the target's (True) or the source's (False); None: neither."""
        start, end = self.path.pointAtPercent(0.0) - at, self.path.pointAtPercent(1.0) - at
        to_start, to_end = hypot(start.x(), start.y()), hypot(end.x(), end.y())
        if self.hidden or min(to_start, to_end) > min(reach, self.path.length() / 3):
            return None
        return to_end <= to_start

    def crossing(self, stroke: QLineF) -> QPointF | None:
        """Where a straight line crosses the wire; None: nowhere."""
        if self.hidden:  # the part that is not seen is not cut
            return hidden_wires.crossing(self.path, self._stubs, stroke)
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
        if not self.hidden and (self.severity or self.selected or self.target_of_drop):
            glow = t.color("accent") if not self.severity else t.severity(self.severity)
            glow.setAlphaF(0.25)
            painter.setPen(QPen(glow, width + 6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPath(self.path)
        pen = QPen(color, max(width, 0.9 / max(zoom, 0.05)), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
        if self.wire is None or (self.content == "any" and not self.severity and not self.state):
            pen.setDashPattern([3.0, 2.4])
        if self.hidden:
            lit = self.hovered or self.selected or self.target_of_drop
            hidden_wires.paint(painter, self.path, self._stubs, self.ends_named, pen, lit, zoom)
        else:
            painter.setPen(pen)
            painter.drawPath(self.path)
        label = self.label(zoom)
        if label:
            self._paint_label(painter, label, zoom)

    def label(self, zoom: float) -> str:
        """The text that is written at this zoom: the short form where it has a place, the whole shape when lit up."""
        if self.text and (self.hovered or self.selected):
            return self.text
        return self.written if zoom >= LABELS_FROM else ""

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
