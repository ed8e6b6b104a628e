"""The way a wire takes: a curve when it runs forward; around the nodes, on a lane of its own, when it runs back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

STUB = 20.0
"""How far a wire that runs back goes straight before it turns."""
MARGIN = 14.0
LANE = 10.0
"""Distance between two wires that run back beside each other."""
CORNER = 12.0
FURTHEST = 150.0
"""How far out of its way a wire goes to turn past a node."""


def runs_back(start: QPointF, end: QPointF) -> bool:
    return end.x() < start.x() + 12.0


def forward(start: QPointF, end: QPointF) -> QPainterPath:
    path = QPainterPath(start)
    reach = min(max(abs(end.x() - start.x()) * 0.5, 28.0), 160.0)
    path.cubicTo(QPointF(start.x() + reach, start.y()), QPointF(end.x() - reach, end.y()), end)
    return path


Lanes = Sequence[tuple[float, float, float]]


def lane(start: QPointF, end: QPointF, obstacles: Iterable[QRectF], taken: Lanes) -> float:
    """The y at which a wire runs back without crossing a node; the shortest way of all that are free.

    taken: (left, right, y) of lanes other wires run on. Time: n log n in the obstacles.
    """
    left, right = end.x() - STUB, start.x() + STUB
    blocked = [
        (r.top() - MARGIN, r.bottom() + MARGIN) for r in obstacles if r.right() > left - 4 and r.left() < right + 4
    ]
    blocked += [(y - LANE, y + LANE) for a, b, y in taken if b > left and a < right]
    merged: list[list[float]] = []
    for top, bottom in sorted(blocked):
        if merged and top < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], bottom)
        else:
            merged.append([top, bottom])
    middle = (start.y() + end.y()) / 2
    wanted = [middle, start.y(), end.y(), *(edge for interval in merged for edge in interval)]
    free = [y for y in wanted if not any(top < y < bottom for top, bottom in merged)]
    # A lane below is preferred a little: captions and titles are read from above.
    return min(free, key=lambda y: abs(y - start.y()) + abs(y - end.y()) + (6.0 if y < middle else 0.0))


def leg(x: float, top: float, bottom: float, outward: float, obstacles: Iterable[QRectF], taken: Lanes) -> float:
    """The x at which a wire turns towards its lane: `x`, or further `outward` (−1 left, 1 right) past obstacles.

    taken: (top, bottom, x) of other wires' turns. Gives up, back at `x`, where the way out is too long.
    """
    top, bottom = min(top, bottom), max(top, bottom)
    near = [(r.left() - 7, r.right() + 7) for r in obstacles if r.bottom() > top and r.top() < bottom]
    near += [(other - 6, other + 6) for a, b, other in taken if b > top and a < bottom]
    here = x
    for _ in range(12):
        blocking = [(left, right) for left, right in near if left < here < right]
        if not blocking:
            return here
        here = min(left for left, _ in blocking) if outward < 0 else max(right for _, right in blocking)
        if abs(here - x) > FURTHEST:
            break
    return x


def backward(start: QPointF, end: QPointF, y: float, right: float, left: float) -> QPainterPath:
    """Out of the source, down at `right`, along the lane at `y`, up at `left`, into the target; corners rounded."""
    points = [start, QPointF(right, start.y()), QPointF(right, y), QPointF(left, y), QPointF(left, end.y()), end]
    path = QPainterPath(start)
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        a, b = corner - before, after - corner
        length_a, length_b = abs(a.x()) + abs(a.y()), abs(b.x()) + abs(b.y())
        radius = min(CORNER, length_a / 2, length_b / 2)
        if radius < 0.5:
            path.lineTo(corner)
            continue
        path.lineTo(corner - a * (radius / length_a))
        path.quadTo(corner, corner + b * (radius / length_b))
    path.lineTo(end)
    return path
