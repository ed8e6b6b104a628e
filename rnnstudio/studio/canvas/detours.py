"""The way a wire takes around nodes that stand between its ends: straight pieces, the shortest with few corners.

Dijkstra's shortest path over the lines beside the nodes near by. Values in, values out: no Qt.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf

from .places import Box, Boxes, Line, Point

APART = 10.0
"""How far a wire keeps from the nodes that it goes around, where there is room."""
PORTS = 8.0
"""How much further from their sides, where other wires come in."""
LEAST = 5.0
"""How far at least."""
STUB = 20.0
"""How far a wire goes straight out of a port before it turns."""
CORNER = 40.0
"""A corner costs as much as so much of a way."""
BESIDE = 7.0
"""How far two wires stay apart that run the same way."""
ALONG = 3.0
"""Running on another wire costs so many times its length."""
REACHES = (50.0, 240.0)
"""How far around its ends a wire looks for a way: near first, as most are."""
MOST = 60
"""Nodes that are looked at; more near by, and the wire runs straight."""

Way = list[Point]
Spans = list[tuple[float, float]]


def detour(
    start: Point,
    end: Point,
    boxes: Boxes,
    own: Sequence[str] = (),
    taken: Sequence[Line] = (),
    out: Point = (1.0, 0.0),
    into: Point = (1.0, 0.0),
) -> Way | None:
    """The corners of a way from start to end that touches no box; None where none is found.

    own: names of the two nodes it belongs to: it goes around them as well, but for the pieces at their ports.
    taken: pieces of other wires that it keeps from. out, into: the direction it leaves and comes in by.
    """
    first = (start[0] + STUB * out[0], start[1] + STUB * out[1])
    last = (end[0] - STUB * into[0], end[1] - STUB * into[1])
    for reach in REACHES:
        around = around_ends(start, end, reach)
        names = boxes.near(around)
        if len(names) > MOST:
            return None
        near = [line for line in taken if lies_in(line, around)]
        way = _within(start, end, first, last, around, boxes, sorted(names), own, near, out, into)
        if way is not None:
            return way
    return None


def around_ends(start: Point, end: Point, reach: float) -> Box:
    """The rectangle in which a way is looked for."""
    return (
        *(min(start[0], end[0]) - reach, min(start[1], end[1]) - reach),
        *(max(start[0], end[0]) + reach, max(start[1], end[1]) + reach),
    )


def lies_in(line: Line, box: Box) -> bool:
    x1, y1, x2, y2 = line
    return max(x1, x2) > box[0] and min(x1, x2) < box[2] and max(y1, y2) > box[1] and min(y1, y2) < box[3]


def _within(
    start: Point,
    end: Point,
    first: Point,
    last: Point,
    around: Box,
    boxes: Boxes,
    names: Sequence[str],
    own: Sequence[str],
    taken: Sequence[Line],
    out: Point,
    into: Point,
) -> Way | None:
    """A way that keeps within a rectangle."""
    for apart, beside in ((APART, APART + PORTS), (APART, APART), (LEAST, LEAST), (2.0, 2.0)):
        near = [_grown(boxes.by_name[name], beside, apart) for name in names]
        if any(_inside(point, near) for point in (first, last)):
            continue
        ends = ((*start, *first), (*last, *end))
        if boxes.behind(ends, own) is not None:
            return None
        found = _shortest(first, last, near, around, taken, out, into)
        if found is not None:
            return _plain([start, *found, end])
    return None


def _grown(box: Box, dx: float, dy: float) -> Box:
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def _inside(point: Point, near: Sequence[Box]) -> bool:
    return any(b[0] < point[0] < b[2] and b[1] < point[1] < b[3] for b in near)


class _Grid:
    """The lines one may run along: through the ends, beside every node, and beside wires that run there."""

    def __init__(self, first: Point, last: Point, near: Sequence[Box], around: Box, taken: Sequence[Line]) -> None:
        xs, ys = {first[0], last[0]}, {first[1], last[1]}
        for left, top, right, bottom in near:
            xs |= {left, right}
            ys |= {top, bottom}
        self._upright = [(x1, min(y1, y2), max(y1, y2)) for x1, y1, x2, y2 in taken if x1 == x2]
        self._level = [(y1, min(x1, x2), max(x1, x2)) for x1, y1, x2, y2 in taken if x1 != x2]
        for x, _, _ in self._upright:
            xs |= {x - BESIDE, x + BESIDE}
        for y, _, _ in self._level:
            ys |= {y - BESIDE, y + BESIDE}
        self.xs = sorted(x for x in xs if around[0] <= x <= around[2])
        self.ys = sorted(y for y in ys if around[1] <= y <= around[3])
        self._near = near
        self._rows: dict[int, tuple[Spans, Spans]] = {}
        self._columns: dict[int, tuple[Spans, Spans]] = {}

    def at(self, point: Point) -> tuple[int, int]:
        return bisect_left(self.xs, point[0]), bisect_left(self.ys, point[1])

    def cost(self, column: int, row: int, dx: int, dy: int) -> float:
        """Of the step to a neighbour; inf where a node stands in the way."""
        xs, ys = self.xs, self.ys
        if dx:
            one, other = xs[column], xs[column + dx]
            blocked, along = self._row(row)
        else:
            one, other = ys[row], ys[row + dy]
            blocked, along = self._column(column)
        low, high = (one, other) if one < other else (other, one)
        for a, b in blocked:
            if a < high and low < b:
                return inf
        length = high - low
        for a, b in along:
            length += ALONG * max(0.0, min(b, high) - max(a, low))
        return length

    def _row(self, row: int) -> tuple[Spans, Spans]:
        """What stands in a row, and the wires that run along it, as spans of x."""
        if row not in self._rows:
            y = self.ys[row]
            along = [(a, b) for at, a, b in self._level if abs(at - y) < BESIDE - 1]
            self._rows[row] = [(b[0], b[2]) for b in self._near if b[1] < y < b[3]], along
        return self._rows[row]

    def _column(self, column: int) -> tuple[Spans, Spans]:
        """What stands in a column, and the wires that run along it, as spans of y."""
        if column not in self._columns:
            x = self.xs[column]
            along = [(a, b) for at, a, b in self._upright if abs(at - x) < BESIDE - 1]
            self._columns[column] = [(b[1], b[3]) for b in self._near if b[0] < x < b[2]], along
        return self._columns[column]


_STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def _shortest(
    first: Point,
    last: Point,
    near: Sequence[Box],
    around: Box,
    taken: Sequence[Line],
    out: Point,
    into: Point,
) -> Way | None:
    grid = _Grid(first, last, near, around, taken)
    begin, goal = grid.at(first), grid.at(last)
    heading = (round(out[0]), round(out[1]))
    arriving = (round(into[0]), round(into[1]))
    State = tuple[int, int, int, int]
    start: State = (*begin, *heading)
    best: dict[State, float] = {start: 0.0}
    before: dict[State, State] = {}
    queue: list[tuple[float, float, State]] = [(0.0, 0.0, start)]
    while queue:
        _, so_far, here = heappop(queue)
        if so_far > best[here]:
            continue
        column, row, hx, hy = here
        if (column, row) == goal and (hx, hy) == arriving:
            return _back(grid, before, here)
        if (column, row) == goal and (hx, hy) != (-arriving[0], -arriving[1]):
            turned: State = (column, row, *arriving)
            _offer(queue, best, before, here, turned, so_far + CORNER, 0.0)
        for dx, dy in _STEPS:
            if (dx, dy) == (-hx, -hy):
                continue
            if not (0 <= column + dx < len(grid.xs) and 0 <= row + dy < len(grid.ys)):
                continue
            cost = grid.cost(column, row, dx, dy) + (CORNER if (dx, dy) != (hx, hy) else 0.0)
            if cost < inf:
                there: State = (column + dx, row + dy, dx, dy)
                left = abs(grid.xs[there[0]] - last[0]) + abs(grid.ys[there[1]] - last[1])
                _offer(queue, best, before, here, there, so_far + cost, left)
    return None


def _offer(
    queue: list[tuple[float, float, tuple[int, int, int, int]]],
    best: dict[tuple[int, int, int, int], float],
    before: dict[tuple[int, int, int, int], tuple[int, int, int, int]],
    here: tuple[int, int, int, int],
    there: tuple[int, int, int, int],
    cost: float,
    left: float,
) -> None:
    if cost < best.get(there, inf):
        best[there] = cost
        before[there] = here
        heappush(queue, (cost + left, cost, there))


def _back(
    grid: _Grid, before: dict[tuple[int, int, int, int], tuple[int, int, int, int]], state: tuple[int, int, int, int]
) -> Way:
    way = [(grid.xs[state[0]], grid.ys[state[1]])]
    while state in before:
        state = before[state]
        way.append((grid.xs[state[0]], grid.ys[state[1]]))
    return way[::-1]


def _plain(way: Way) -> Way:
    """Without points that are no corners."""
    kept: Way = [way[0]]
    for before, here, after in zip(way, way[1:], way[2:], strict=False):
        if here == before:
            continue
        straight = (before[0] == here[0] == after[0]) or (before[1] == here[1] == after[1])
        if not straight:
            kept.append(here)
    kept.append(way[-1])
    return kept
