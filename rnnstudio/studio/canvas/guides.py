"""Guides while nodes are dragged: wired ports fall in line with each other, edges and middles with neighbours.

A port comes first, since its wire is straight then; of others the nearest counts. The lines that hold are shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from ...design.design import Frame
from .. import theme

if TYPE_CHECKING:
    from .scene import CanvasScene

PULL = 7.0
"""How near a thing must come to a guide to fall onto it, in pixels of the screen."""
NEIGHBOURS = 320.0
"""Nodes further away than this give no guides, in scene units."""
BEYOND = 12.0
"""How far a guide is drawn beyond what it holds together."""
EXACT = 0.01
"""What is not further apart than this lies in line."""
Sides: TypeAlias = npt.NDArray[np.float64]
"""Left, right, top and bottom of several rectangles, one a row."""


class Guides:
    """For one drag: of what moves, and of all that stays. `keys` and `frames` move."""

    def __init__(self, scene: CanvasScene, keys: Collection[str], frames: Iterable[Frame] = ()) -> None:
        moved = set(keys)
        self._box = QRectF()
        still: list[tuple[float, float, float, float]] = []
        for key, item in scene.nodes.items():
            rect = item.shape_.rect.translated(item.pos())
            if key in moved:
                self._box = self._box.united(rect)
            else:
                still.append((rect.left(), rect.right(), rect.top(), rect.bottom()))
        for frame in frames:
            self._box = self._box.united(QRectF(frame.x, frame.y, frame.width, frame.height))
        self._still = np.array(still, dtype=float).reshape(-1, 4)
        self._ports: list[tuple[QPointF, QPointF]] = []
        """Of each wire between what moves and what stays: the port that moves, and the one that stays."""
        for wire in scene.wires:
            begin, end = wire.source.node in moved, wire.target.node in moved
            if begin != end:
                ends = (
                    scene.nodes[wire.source.node].port_place(False, wire.source.port),
                    scene.nodes[wire.target.node].port_place(True, wire.target.port),
                )
                self._ports.append(ends if begin else (ends[1], ends[0]))

    def snap(self, by: QPointF, reach: float) -> tuple[QPointF, list[QLineF]]:
        """The nearest shift to `by` at which something falls in line, within `reach`; and the guides that hold then.

        Without a guide it lies on whole units, so that files stay readable.
        """
        box = self._box.translated(by)
        near = self._near(box)
        wired = [other.y() - port.y() - by.y() for port, other in self._ports]
        down, right = _pull(wired, reach), _pull(_apart(box, near, 0), reach)
        if down is None:
            down = _pull(_apart(box, near, 2), reach)
        dx = right if right is not None else round(box.left()) - box.left()
        dy = down if down is not None else round(box.top()) - box.top()
        settled = by + QPointF(dx, dy)
        return settled, self._holding(settled, near, down is not None, right is not None)

    def _near(self, box: QRectF) -> Sides:
        """Left, right, top and bottom of what stays near a box."""
        left, right, top, bottom = self._still.T
        return self._still[
            (right > box.left() - NEIGHBOURS)
            & (left < box.right() + NEIGHBOURS)
            & (bottom > box.top() - NEIGHBOURS)
            & (top < box.bottom() + NEIGHBOURS)
        ]

    def _holding(self, by: QPointF, near: Sides, down: bool, right: bool) -> list[QLineF]:
        """All lines that hold at a shift, each once."""
        box = self._box.translated(by)
        found: dict[tuple[float, bool], QLineF] = {}

        def hold(line: QLineF) -> None:
            level = line.y1() == line.y2()
            key = round(line.y1() if level else line.x1(), 1), level
            found[key] = _joined(found[key], line) if key in found else line

        for port, other in self._ports if down else ():
            if abs(other.y() - port.y() - by.y()) < EXACT:
                hold(QLineF(QPointF(port.x() + by.x(), other.y()), other))
        for first in (*((0,) if right else ()), *((2,) if down else ())):
            apart = _apart(box, near, first).reshape(3, -1)
            for at, number in zip(*np.nonzero(np.abs(apart) < EXACT), strict=True):
                left, right_, top, bottom = near[number].tolist()
                its = QRectF(left, top, right_ - left, bottom - top)
                both = its.united(box).adjusted(-BEYOND, -BEYOND, BEYOND, BEYOND)
                if first == 0:
                    x = (its.left(), its.center().x(), its.right())[at]
                    hold(QLineF(x, both.top(), x, both.bottom()))
                else:
                    y = (its.top(), its.center().y(), its.bottom())[at]
                    hold(QLineF(both.left(), y, both.right(), y))
        return list(found.values())


def _apart(box: QRectF, near: Sides, first: int) -> Sides:
    """How far the three lines of a box (low, middle, high) lie from those of others. first: 0 across, 2 downwards."""
    low, high = (box.left(), box.right()) if first == 0 else (box.top(), box.bottom())
    lows, highs = near[:, first], near[:, first + 1]
    return np.concatenate([lows - low, (lows + highs - low - high) / 2, highs - high])


def _pull(apart: Sequence[float] | Sides, reach: float) -> float | None:
    """The shift to the nearest guide, None where none is within reach."""
    values = np.asarray(apart, dtype=float)
    if not values.size:
        return None
    nearest = float(values[np.argmin(np.abs(values))])
    return nearest if abs(nearest) <= reach else None


def _joined(one: QLineF, other: QLineF) -> QLineF:
    xs = sorted((one.x1(), one.x2(), other.x1(), other.x2()))
    ys = sorted((one.y1(), one.y2(), other.y1(), other.y2()))
    return QLineF(xs[0], ys[0], xs[-1], ys[-1])


class GuideLines(QGraphicsItem):
    """The guides that hold now, thin over everything. Owner: the gesture that drags."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[QLineF] = []
        self.setZValue(9)

    def show_lines(self, lines: list[QLineF]) -> None:
        if lines != self.lines:
            self.prepareGeometryChange()
            self.lines = lines
            self.update()

    def boundingRect(self) -> QRectF:
        rect = QRectF()
        for line in self.lines:
            rect = rect.united(QRectF(line.p1(), line.p2()).normalized().adjusted(-3, -3, 3, 3))
        return rect

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        pen = QPen(theme.current().color("accent"), 1.2)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawLines(self.lines)
