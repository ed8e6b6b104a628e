"""How a hidden wire is drawn: a short piece at each end, with the name of the other end beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen

from ...design.design import Wire
from .. import theme
from .places import Box, Boxes, Lines
from .shape import LABEL_SIZE, elided, font, text_width

PIECE = 14.0
"""Length of what is seen of the wire at each end."""
HEIGHT, INSIDE, MOST, LEAST = 16.0, 6.0, 90.0, 18.0
"""Of a name's box: its height, the room inside beside the name, the longest name; the narrowest box."""
APART = 2.0
ROWS = (0, *(side * row for row in range(1, 9) for side in (1, -1)))
OUT = (0.0, 22.0, 44.0, 88.0)
"""Where a name is put: so many rows from its port's line, and so far out from the port; the first free place."""
NAMES_FROM = 0.45
"""Zoom from which the names are written."""


def named(name: str) -> str:
    return elided(name, LABEL_SIZE, False, MOST)


def stubs(path: QPainterPath, names: tuple[str, str]) -> tuple[QRectF, ...]:
    """Where the names stand: right of the source's piece, left of the target's; short where the ends are near."""
    if not path.elementCount():
        return ()
    start, end = path.pointAtPercent(0.0), path.pointAtPercent(1.0)
    widths = [text_width(named(name), LABEL_SIZE) + 2 * INSIDE for name in names]
    between = end.x() - start.x() - 2 * PIECE - 2 * APART
    if 0 < between < sum(widths) and abs(end.y() - start.y()) < HEIGHT + APART:
        widths = [max(LEAST, min(width, between / 2)) for width in widths]
    return (
        QRectF(start.x() + PIECE, start.y() - HEIGHT / 2, widths[0], HEIGHT),
        QRectF(end.x() - PIECE - widths[1], end.y() - HEIGHT / 2, widths[1], HEIGHT),
    )


def placed(
    wires: Iterable[tuple[Wire, QPainterPath, tuple[str, str]]], bodies: Boxes, lines: Lines
) -> Iterator[tuple[Wire, tuple[QRectF, ...]]]:
    """The places of the names at the ends of several hidden wires, one above the other where they share a port.

    bodies: of the nodes, lines: of the wires that are seen; a name moves aside from these as well.
    """
    there = Boxes()
    for wire, path, names in wires:
        found: list[QRectF] = []
        for number, wanted in enumerate(stubs(path, names)):
            away = -1.0 if number else 1.0
            boxes = (wanted.translated(away * out, row * (HEIGHT + APART)) for out in OUT for row in ROWS)
            free = [box for box in boxes if there.free(_sides(box)) and bodies.free(_sides(box))]
            box = next((box for box in free if lines.free(_sides(box))), free[0] if free else wanted)
            there.add(f"{wire} {number}", _sides(box))
            found.append(box)
        yield wire, tuple(found)


def _sides(box: QRectF) -> Box:
    return box.left(), box.top(), box.right(), box.bottom()


def pieces(path: QPainterPath, boxes: tuple[QRectF, ...]) -> tuple[QLineF, QLineF]:
    """What is seen of the wire: from the ports to the names."""
    start, end = path.pointAtPercent(0.0), path.pointAtPercent(1.0)
    return (
        QLineF(start, QPointF(boxes[0].left(), boxes[0].center().y())),
        QLineF(QPointF(boxes[1].right(), boxes[1].center().y()), end),
    )


def grasp(path: QPainterPath, boxes: tuple[QRectF, ...]) -> QPainterPath:
    """Where it can be taken: at its two ends."""
    found = QPainterPath()
    if boxes:
        for box, piece in zip(boxes, pieces(path, boxes), strict=True):
            found.addRect(box.adjusted(-2, -APART / 2, 2, APART / 2))
            found.addRect(QRectF(piece.p1(), piece.p2()).normalized().adjusted(0, -APART, 0, APART))
    found.setFillRule(Qt.FillRule.WindingFill)
    return found


def crossing(path: QPainterPath, boxes: tuple[QRectF, ...], stroke: QLineF) -> QPointF | None:
    """Where a straight line crosses what is seen of it; None: nowhere."""
    for box, piece in zip(boxes, pieces(path, boxes), strict=True):
        for line in (piece, QLineF(box.topLeft(), box.bottomRight()), QLineF(box.bottomLeft(), box.topRight())):
            how, where = stroke.intersects(line)
            if how == QLineF.IntersectionType.BoundedIntersection:
                return where
    return None


def paint(
    painter: QPainter,
    path: QPainterPath,
    boxes: tuple[QRectF, ...],
    names: tuple[str, str],
    pen: QPen,
    lit: bool,
    zoom: float,
) -> None:
    """Both ends; while it is lit up, where it runs as well, thin."""
    t = theme.current()
    if lit:
        thin = QPen(pen.color(), 1.4, Qt.PenStyle.DashLine)
        painter.setPen(thin)
        painter.drawPath(path)
    painter.setPen(pen)
    for line in pieces(path, boxes) if boxes else ():
        painter.drawLine(line)
    if zoom < NAMES_FROM:
        return
    painter.setFont(font(LABEL_SIZE))
    for box, name in zip(boxes, names, strict=True):
        painter.setPen(QPen(pen.color(), 1.8 if lit else 1.0))
        painter.setBrush(t.color("raised" if not lit else "selected"))
        painter.drawRoundedRect(box, HEIGHT / 2, HEIGHT / 2)
        painter.setPen(t.color("text" if lit else "muted"))
        shown = elided(name, LABEL_SIZE, False, min(MOST, box.width() - 2 * INSIDE + 1))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)
