"""Where the short form of a wire's shape is written: beside the wire, on no node, no other label and no wire.

Numbers in, answers out: no Qt. A wire beside which there is no room has no label; it tells its shape when pointed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from ...design.design import Wire
from .places import Box, Boxes, Lines, Point, lines_of

HEIGHT = 15.0
GAP = 3.0
"""Between a label and its wire."""
FAR = 14.0
"""How far a label may reach beyond its wire, to the sides."""
ALONG = (0.5, 0.38, 0.62, 0.28, 0.72, 0.18, 0.82)
"""Where along the wire room is sought, in this order."""
STEEP = 0.7
"""A wire that climbs more than so much per unit has its label to the side."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A label: its texts with their widths, the best first, and the wires it may stand at, as points along each."""

    texts: tuple[tuple[str, float], ...]
    wires: tuple[tuple[Wire, Sequence[Point]], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A label with its place."""

    wire: Wire
    text: str
    box: Box


def placed(wanted: Iterable[Wanted], bodies: Boxes, lines: Lines) -> Iterator[Written | None]:
    """For each label its place, None where there is no room; later ones make way for those before them.

    bodies: what no label may touch. lines: all wires.
    """
    there = Boxes()
    for number, label in enumerate(wanted):
        found = next(
            (
                Written(wire, text, box)
                for text, width in label.texts
                for wire, points in label.wires
                for box in _candidates(points, width)
                if bodies.free(box) and there.free(box) and lines.free(box)
            ),
            None,
        )
        if found is not None:
            there.add(str(number), found.box)
        yield found


def _candidates(points: Sequence[Point], width: float) -> Iterator[Box]:
    """Boxes beside a wire, the best first."""
    if len(points) < 2:
        return
    left, right = min(x for x, _ in points) - FAR, max(x for x, _ in points) + FAR
    for place, slope in _along(points, ALONG):
        x, y = place
        level = abs(slope) < STEEP
        beside = (
            ((x - width / 2, y - HEIGHT - GAP), (x - width / 2, y + GAP))
            if level
            else ((x + GAP + 2, y - HEIGHT / 2), (x - width - GAP - 2, y - HEIGHT / 2))
        )
        for box_left, top in beside:
            if box_left >= left and box_left + width <= right:
                yield box_left, top, box_left + width, top + HEIGHT


def _along(points: Sequence[Point], fractions: Sequence[float]) -> Iterator[tuple[Point, float]]:
    """Points at fractions of a way's length, and how steep it is there."""
    lengths = [hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
    whole = sum(lengths)
    for fraction in fractions:
        left = fraction * whole
        for (x1, y1, x2, y2), length in zip(lines_of(points), lengths, strict=True):
            if left <= length and length > 0:
                part = left / length
                dx, dy = x2 - x1, y2 - y1
                yield (x1 + part * dx, y1 + part * dy), abs(dy) / max(abs(dx), 1e-6)
                break
            left -= length
