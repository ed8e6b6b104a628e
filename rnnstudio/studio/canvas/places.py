"""What lies where on the canvas, looked up by squares: rectangles of nodes, and the lines that wires run along.

Numbers in, answers out: no Qt. A question costs about as much as there is near the place asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import floor, hypot

SQUARE = 64.0
"""Side of a square of the look-up, in scene units: about a node."""

Box = tuple[float, float, float, float]
"""left, top, right, bottom."""
Point = tuple[float, float]
Line = tuple[float, float, float, float]
"""x and y of its two ends."""


def meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def crosses(line: Line, box: Box) -> bool:
    """Whether a straight line has a point within a box (Liang and Barsky 1984)."""
    x, y = line[0], line[1]
    dx, dy = line[2] - x, line[3] - y
    begin, end = 0.0, 1.0
    for step, low, high in ((dx, box[0] - x, box[2] - x), (dy, box[1] - y, box[3] - y)):
        if step == 0.0:
            if low >= 0.0 or high <= 0.0:
                return False
            continue
        first, last = (low / step, high / step) if step > 0 else (high / step, low / step)
        begin, end = max(begin, first), min(end, last)
        if begin >= end:
            return False
    return True


def lines_of(points: Sequence[Point]) -> Iterator[Line]:
    """The straight pieces between points."""
    for (x1, y1), (x2, y2) in pairwise(points):
        yield x1, y1, x2, y2


class Boxes:
    """Boxes by name."""

    def __init__(self, boxes: Iterable[tuple[str, Box]] = ()) -> None:
        self.by_name: dict[str, Box] = {}
        self._squares: dict[tuple[int, int], list[str]] = {}
        for name, box in boxes:
            self.add(name, box)

    def add(self, name: str, box: Box) -> None:
        self.by_name[name] = box
        for square in _squares(box):
            self._squares.setdefault(square, []).append(name)

    def near(self, box: Box) -> set[str]:
        """Names of the boxes that meet a box."""
        found: set[str] = set()
        for square in _squares(box):
            for name in self._squares.get(square, ()):
                if name not in found and meet(self.by_name[name], box):
                    found.add(name)
        return found

    def free(self, box: Box) -> bool:
        """Whether nothing meets a box."""
        by_name = self.by_name
        return not any(meet(by_name[name], box) for square in _squares(box) for name in self._squares.get(square, ()))

    def behind(self, lines: Iterable[Line], apart: Sequence[str] = ()) -> str | None:
        """The first box that one of the lines runs through, `apart` from some; None where none is in the way."""
        for line in lines:
            for square in _squares(_around(line)):
                for name in self._squares.get(square, ()):
                    if name not in apart and crosses(line, self.by_name[name]):
                        return name
        return None


class Lines:
    """Straight pieces of wires."""

    def __init__(self) -> None:
        self._squares: dict[tuple[int, int], list[Line]] = {}

    def add(self, lines: Iterable[Line]) -> None:
        for line in lines:
            for piece in _short(line):
                for square in _squares(_around(piece)):
                    self._squares.setdefault(square, []).append(piece)

    def free(self, box: Box) -> bool:
        """Whether no line runs through a box."""
        return not any(crosses(line, box) for square in _squares(box) for line in self._squares.get(square, ()))


def _around(line: Line) -> Box:
    x1, y1, x2, y2 = line
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _short(line: Line) -> Iterator[Line]:
    """A line in pieces no longer than two squares: a slanting one lies in few of the squares of its rectangle."""
    x1, y1, x2, y2 = line
    count = max(1, int(hypot(x2 - x1, y2 - y1) / (2 * SQUARE)) + 1)
    dx, dy = (x2 - x1) / count, (y2 - y1) / count
    for i in range(count):
        yield x1 + i * dx, y1 + i * dy, x1 + (i + 1) * dx, y1 + (i + 1) * dy


def _squares(box: Box) -> Iterator[tuple[int, int]]:
    left, top, right, bottom = (floor(side / SQUARE) for side in box)
    for column in range(left, right + 1):
        for row in range(top, bottom + 1):
            yield column, row
