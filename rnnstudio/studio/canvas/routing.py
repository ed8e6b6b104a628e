"""The way a wire takes: a curve when it runs forward; around the nodes, on a lane of its own, when it runs back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
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


def reach_of(start: QPointF, end: QPointF) -> float:
    """How far the curve of a wire that runs forward pulls to the right at its source, and to the left at its target."""
    return min(max(abs(end.x() - start.x()) * 0.5, 28.0), 160.0)


def forward(start: QPointF, end: QPointF) -> QPainterPath:
    path = QPainterPath(start)
    reach = reach_of(start, end)
    path.cubicTo(QPointF(start.x() + reach, start.y()), QPointF(end.x() - reach, end.y()), end)
    return path


Lanes = Sequence[tuple[float, float, float]]


class Obstacles:
    """The rectangles wires go around. Those of a thousand nodes are searched at once."""

    def __init__(self, rects: Iterable[QRectF]) -> None:
        edges = np.array([(r.left(), r.right(), r.top(), r.bottom()) for r in rects], dtype=float).reshape(-1, 4)
        self._left, self._right, self._top, self._bottom = np.ascontiguousarray(edges.T)

    def between(self, left: float, right: float) -> list[tuple[float, float]]:
        """(top, bottom) of those that reach into what lies between two x."""
        found = (self._right > left) & (self._left < right)
        return list(zip(self._top[found].tolist(), self._bottom[found].tolist(), strict=True))

    def beside(self, top: float, bottom: float, left: float, right: float) -> list[tuple[float, float]]:
        """(left, right) of those that reach into what lies between two y, near a span of x."""
        found = (self._bottom > top) & (self._top < bottom) & (self._right > left) & (self._left < right)
        return list(zip(self._left[found].tolist(), self._right[found].tolist(), strict=True))


def lane(start: QPointF, end: QPointF, obstacles: Obstacles, taken: Lanes, apart: Iterable[QRectF] = ()) -> float:
    """The y at which a wire runs back without crossing a node; the shortest way of all that are free.

    taken: (left, right, y) of lanes other wires run on. apart: frames that neither end stands in.
    Time: n log n in the obstacles between its ends.
    """
    left, right = end.x() - STUB, start.x() + STUB
    blocked = [(top - MARGIN, bottom + MARGIN) for top, bottom in obstacles.between(left - 4, right + 4)]
    across = [frame for frame in apart if frame.right() > left - 4 and frame.left() < right + 4]
    blocked += [(frame.top() - MARGIN, frame.bottom() + MARGIN) for frame in across]
    blocked += [(y - LANE, y + LANE) for a, b, y in taken if b > left and a < right]
    merged: list[list[float]] = []
    for top, bottom in sorted(blocked):
        if merged and top < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], bottom)
        else:
            merged.append([top, bottom])
    middle = (start.y() + end.y()) / 2
    free = [y for y in (middle, start.y(), end.y()) if not _blocked(y, merged)]
    free += [edge for interval in merged for edge in interval]  # apart from each other as they are, all are free
    # A lane below is preferred a little: captions and titles are read from above.
    return min(free, key=lambda y: abs(y - start.y()) + abs(y - end.y()) + (12.0 if y < middle else 0.0))


def _blocked(y: float, merged: Sequence[Sequence[float]]) -> bool:
    at = bisect_left(merged, y, key=lambda interval: interval[1])
    return at < len(merged) and merged[at][0] < y < merged[at][1]


def leg(x: float, top: float, bottom: float, outward: float, obstacles: Obstacles, taken: Lanes) -> float:
    """The x at which a wire turns towards its lane: `x`, or further `outward` (−1 left, 1 right) past obstacles.

    taken: (top, bottom, x) of other wires' turns. Gives up, back at `x`, where the way out is too long.
    """
    top, bottom = min(top, bottom), max(top, bottom)
    reach = FURTHEST + 7
    beside = obstacles.beside(top, bottom, x - reach, x + reach)
    near = [(left - 7, right + 7) for left, right in beside]
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
    corners = (QPointF(right, start.y()), QPointF(right, y), QPointF(left, y), QPointF(left, end.y()))
    return rounded([start, *corners, end])


def rounded(points: Sequence[QPointF]) -> QPainterPath:
    """Straight pieces from point to point, the corners rounded."""
    path = QPainterPath(points[0])
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        a, b = corner - before, after - corner
        length_a, length_b = abs(a.x()) + abs(a.y()), abs(b.x()) + abs(b.y())
        radius = min(CORNER, length_a / 2, length_b / 2)
        if radius < 0.5:
            path.lineTo(corner)
            continue
        path.lineTo(corner - a * (radius / length_a))
        path.quadTo(corner, corner + b * (radius / length_b))
    path.lineTo(points[-1])
    return path
