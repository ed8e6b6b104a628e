"""How a muted node looks: faded behind a dashed outline, with the way that what comes in takes straight through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen

from .. import theme
from ..theme import RADIUS
from .shape import Shape

FADED = 0.34
"""Opacity of the node itself."""
WAY = 2.4
HATCH = 9.0
"""Distance between the strokes that fill it, in scene units."""


def paint_under(painter: QPainter, shape: Shape) -> None:
    """The ground: the canvas's own, so that nothing shines through."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.current().color("canvas"))
    painter.drawRoundedRect(shape.rect, RADIUS, RADIUS)


def paint_over(
    painter: QPainter,
    shape: Shape,
    passing: Iterable[tuple[str, str]],
    contents: Mapping[tuple[bool, str], str],
    zoom: float,
) -> None:
    """Strokes all over it, as over what is deleted, and the ways through in the colour of what passes."""
    t = theme.current()
    rect = shape.rect
    painter.save()
    area = QPainterPath()
    radius = min(rect.width(), rect.height()) / 2 if shape.compact else float(RADIUS)
    area.addRoundedRect(rect, radius, radius)
    painter.setClipPath(area, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(t.color("muted", 0.35), max(1.0, 0.8 / max(zoom, 0.05))))
    step = max(HATCH, 4.0 / max(zoom, 0.05))
    x = rect.left() - rect.height()
    while x < rect.right():
        painter.drawLine(QPointF(x, rect.bottom()), QPointF(x + rect.height(), rect.top()))
        x += step
    painter.restore()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for out, into in passing:
        if into in shape.inputs and out in shape.outputs:
            painter.setPen(QPen(t.color(contents.get((True, into), "any")), max(WAY, 1.2 / max(zoom, 0.05))))
            painter.drawPath(way(shape.inputs[into], shape.outputs[out]))


def way(begin: QPointF, end: QPointF) -> QPainterPath:
    """From an input to an output of one node."""
    path = QPainterPath(begin)
    middle = (begin.x() + end.x()) / 2
    path.cubicTo(QPointF(middle, begin.y()), QPointF(middle, end.y()), end)
    return path
