"""The ways of all wires of a scene: straight on as a curve where nothing stands between, else around the nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

from .detours import REACHES, Way, around_ends, detour, lies_in
from .places import Box, Boxes, Line, Point, lines_of
from .routing import forward, reach_of, rounded

STEP = 12.0
"""Points of a curve that are looked at lie about so far apart."""


@dataclass(frozen=True, slots=True)
class Known:
    """A way around nodes (None: there is none), and all that it depends on besides its ends."""

    near: tuple[tuple[str, Box], ...]
    taken: tuple[Line, ...]
    way: Way | None


Ways = dict[tuple[Point | str, ...], Known]
"""By the ends of a wire and the nodes it belongs to."""


class Wayfinder:
    """For the wires of one layout; the ways it has given keep apart from each other.

    before: ways that were found for an earlier layout; they hold where nothing near them has changed.
    """

    def __init__(self, bodies: Iterable[tuple[str, QRectF]], before: Ways | None = None) -> None:
        self._boxes = Boxes((key, (r.left(), r.top(), r.right(), r.bottom())) for key, r in bodies)
        self._taken: list[Line] = []
        self._before = before or {}
        self._found: Ways = {}

    def known(self) -> Ways:
        """The ways around nodes that were found."""
        return self._found

    def forward(self, start: QPointF, end: QPointF, own: Sequence[str]) -> QPainterPath:
        """From an output to an input right of it. own: the nodes it belongs to."""
        if self._boxes.behind(lines_of(curve(start, end)), own) is None:
            return forward(start, end)
        return self._around(start, end, own) or forward(start, end)

    def instead_of(self, path: QPainterPath, start: QPointF, end: QPointF, own: Sequence[str]) -> QPainterPath:
        """A path that was found otherwise, where it touches no node; else a way around them."""
        points = [(p.x(), p.y()) for polygon in path.toSubpathPolygons() for p in polygon.toList()]
        if self.clear(points, own):
            self.take(points)
            return path
        return self._around(start, end, own) or path

    def clear(self, points: Sequence[Point], own: Sequence[str] = ()) -> bool:
        """Whether a wire along these points touches no node but its own."""
        return self._boxes.behind(lines_of(points), own) is None

    def take(self, points: Sequence[Point]) -> None:
        """Others shall keep apart from the straight pieces of a way."""
        self._taken += [line for line in lines_of(points) if line[0] == line[2] or line[1] == line[3]]

    def _around(self, start: QPointF, end: QPointF, own: Sequence[str]) -> QPainterPath | None:
        begin, goal = (start.x(), start.y()), (end.x(), end.y())
        around = around_ends(begin, goal, REACHES[-1])
        near = tuple((name, self._boxes.by_name[name]) for name in sorted(self._boxes.near(around)))
        taken = tuple(line for line in self._taken if lies_in(line, around))
        known = self._before.get((begin, goal, *own))
        if known is not None and known.near == near and known.taken == taken:
            way = known.way
        else:
            way = detour(begin, goal, self._boxes, own, taken)
        self._found[(begin, goal, *own)] = Known(near, taken, way)
        if way is None:
            return None
        self.take(way)
        return rounded([QPointF(x, y) for x, y in way])


def curve(start: QPointF, end: QPointF) -> list[Point]:
    """Points along the curve that `forward` draws."""
    x0, y0, x3, y3 = start.x(), start.y(), end.x(), end.y()
    reach = reach_of(start, end)
    x1, x2 = x0 + reach, x3 - reach
    count = max(4, int((abs(x3 - x0) + abs(y3 - y0)) / STEP))
    points = []
    for i in range(count + 1):
        t = i / count
        s = 1.0 - t
        a, b, c, d = s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t
        points.append((a * x0 + b * x1 + c * x2 + d * x3, (a + b) * y0 + (c + d) * y3))
    return points
