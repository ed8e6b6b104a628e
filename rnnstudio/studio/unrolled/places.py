"""Where the parts of an unrolled drawing stand: steps from left to right, layers from below to above, as in textbooks.

A part has one row in all columns, so that a state runs level and stacked layers are rows. An opened cell keeps the
arrangement of its own drawing in each column. A tree stands as a tree, leaves below. Values in, values out: no Qt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...catalog.catalog import CELL
from .steps import ONCE, Link, Part, Unrolled

BOX = (116.0, 48.0)
SMALL = (42.0, 36.0)
"""Width and height of a part, and of one inside an opened cell that has a symbol."""
GAP_X, GAP_Y = 56.0, 30.0
"""Between columns, and between rows."""
INNER = 0.62
"""How much closer the parts of an opened cell stand than in its own drawing."""
MARGIN = 22.0
"""Around what an opened cell holds."""
MOST = 16
"""Steps of an axis that are shown; what is left folds into one column."""

Key = tuple[str, int]
"""(path, step)."""


@dataclass(frozen=True, slots=True)
class Box:
    """x, y: the middle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Block:
    """An opened cell at one step."""

    path: str
    step: int
    left: float
    top: float
    width: float
    height: float


@dataclass(slots=True)
class Places:
    """boxes: those that are shown; blocks: opened cells around them; more: (axis, x, how many steps) that are folded;
    columns: axis → shown steps with the middle of their column.
    """

    boxes: dict[Key, Box] = field(default_factory=dict)
    width: float = BOX[0]
    """Of the widest column."""
    blocks: list[Block] = field(default_factory=list)
    more: list[tuple[str, float, int]] = field(default_factory=list)
    columns: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    top: float = 0.0
    bottom: float = 0.0


def shown_steps(size: int, cursor: int = 0, most: int = MOST) -> tuple[int, ...]:
    """The steps of an axis that are shown: all, or those about the cursor, and the last where there is room."""
    if size <= most:
        return tuple(range(size))
    wide = most - 1 if most >= 8 else most
    begin = min(max(cursor - wide // 2, 0), size - wide)
    shown = range(begin, begin + wide)
    return (*shown, size - 1) if most >= 8 and shown[-1] < size - 2 else tuple(shown)


def place(unrolled: Unrolled, cursor: int = 0, most: int = MOST) -> Places:
    """Where everything stands. cursor: a step that has to be seen."""
    return _Placer(unrolled, cursor, most).run()


class _Placer:
    def __init__(self, unrolled: Unrolled, cursor: int, most: int) -> None:
        self.all = unrolled
        self.cursor = cursor
        self.most = most
        self.found = Places()
        self.units: dict[str, list[Part]] = {}
        for part in unrolled.parts:
            self.units.setdefault(self._unit(part), []).append(part)

    def _unit(self, part: Part) -> str:
        """What moves as one: a part of the design's own drawing, or the outermost opened cell around it."""
        return part.block.split(".")[0] if part.block else part.path

    def run(self) -> Places:
        sizes = {unit: self._size(parts) for unit, parts in self.units.items()}
        self.found.width = max((width for width, _ in sizes.values()), default=BOX[0])
        rows = self._rows()
        heights = [max(sizes[unit][1] for unit in row) for row in rows]
        middles: dict[str, float] = {}
        y = 0.0
        for row, height in zip(rows, heights, strict=True):
            for unit in row:
                middles[unit] = y - height / 2
            y -= height + GAP_Y
        self.found.top, self.found.bottom = y + GAP_Y, 0.0
        x = 0.0
        before, groups, after = self._groups()
        x = self._once(before, sizes, middles, x)
        for axis in groups:
            units = [unit for unit in self.units if self._axis(unit) == axis]
            if axis in self.all.parents:
                x = self._tree(axis, units, sizes, middles, x)
            else:
                x = self._sequence(axis, units, sizes, middles, x)
        self._once(after, sizes, middles, x)
        return self.found

    def _axis(self, unit: str) -> str:
        """The axis a unit is repeated along."""
        return next((part.axis for part in self.units[unit] if part.axis), "")

    # Rows

    def _rows(self) -> list[list[str]]:
        """Units from below to above: each above what it reads in the same step; targets above their losses."""
        unit_of = {part.path: self._unit(part) for part in self.all.parts}
        below: dict[str, set[str]] = {unit: set() for unit in self.units}
        for link in self.all.links:
            if link.source and link.kind in ("plain", "attention", "pool"):
                source, target = unit_of[link.source], unit_of[link.target]
                if source != target:
                    below[target].add(source)
        targets = {unit for unit, parts in self.units.items() if parts[0].node.kind in ("TokenTarget", "FeatureTarget")}
        layer: dict[str, int] = {}

        def depth(unit: str, around: frozenset[str] = frozenset()) -> int:
            if unit not in layer:
                own = [u for u in below[unit] if u not in around and u not in targets]
                layer[unit] = 1 + max((depth(u, around | {unit}) for u in own), default=-1)
            return layer[unit]

        for unit in self.units:
            depth(unit)
        for unit in targets:
            readers = [layer[u] for u, sources in below.items() if unit in sources and u not in targets]
            layer[unit] = max(readers, default=layer[unit]) + 1
        highest = max(layer.values(), default=0)
        rows: list[list[str]] = []
        for number in range(highest + 1):
            here = [unit for unit in self.units if layer[unit] == number]
            by_axis: dict[str, list[str]] = {}
            for unit in sorted(here, key=lambda u: (-self.units[u][0].node.y, u)):
                by_axis.setdefault(self._axis(unit), []).append(unit)
            for place in range(max((len(units) for units in by_axis.values()), default=0)):
                rows.append([units[place] for units in by_axis.values() if place < len(units)])
        return rows

    # Columns

    def _groups(self) -> tuple[list[str], list[str], list[str]]:
        """Units without steps that stand in front, axes from left to right, units without steps behind."""
        unit_of = {part.path: self._unit(part) for part in self.all.parts}
        axis_of = {part.path: self._axis(unit_of[part.path]) for part in self.all.parts}
        first: dict[str, set[str]] = {axis: set() for axis in self.all.order}
        reads: set[str] = set()
        for link in self.all.links:
            if not link.source:
                continue
            source, target = axis_of[link.source], axis_of[link.target]
            if source and target and source != target:
                first[target].add(source)
            if source and not target:
                reads.add(unit_of[link.target])
        grown = True
        while grown:
            grown = False
            for link in self.all.links:
                if link.source and unit_of[link.source] in reads and not axis_of[link.target]:
                    grown = grown or unit_of[link.target] not in reads
                    reads.add(unit_of[link.target])
        order: list[str] = []
        waiting = list(self.all.order)
        while waiting:
            ready = [axis for axis in waiting if not (first[axis] - set(order) - {axis})] or waiting[:1]
            order.append(ready[0])
            waiting.remove(ready[0])
        once = [unit for unit in self.units if not self._axis(unit)]
        behind = {unit for unit in once if unit in reads}
        told = {u for u in once if self.units[u][0].node.kind in ("TokenTarget", "FeatureTarget") and behind}
        front = [unit for unit in once if unit not in behind | told]
        return front, order, [unit for unit in once if unit in behind | told]

    def _once(
        self, units: Sequence[str], sizes: Mapping[str, tuple[float, float]], middles: Mapping[str, float], x: float
    ) -> float:
        if not units:
            return x
        width = max(sizes[unit][0] for unit in units)
        for unit in units:
            self._put(unit, ONCE, x + width / 2, middles[unit])
        return x + width + GAP_X

    def _sequence(
        self,
        axis: str,
        units: Sequence[str],
        sizes: Mapping[str, tuple[float, float]],
        middles: Mapping[str, float],
        x: float,
    ) -> float:
        width = max(sizes[unit][0] for unit in units)
        size = self.all.sizes[axis]
        last = -1
        columns = self.found.columns.setdefault(axis, [])
        for step in shown_steps(size, self.cursor, self.most):
            if step > last + 1:
                self.found.more.append((axis, x + GAP_X / 2, step - last - 1))
                x += 2.2 * GAP_X
            for unit in units:
                self._put(unit, step, x + width / 2, middles[unit])
            columns.append((step, x + width / 2))
            x += width + GAP_X
            last = step
        if last < size - 1:
            self.found.more.append((axis, x + GAP_X / 2, size - 1 - last))
            x += 2 * GAP_X
        return x + GAP_X

    def _tree(
        self,
        axis: str,
        units: Sequence[str],
        sizes: Mapping[str, tuple[float, float]],
        middles: Mapping[str, float],
        x: float,
    ) -> float:
        """Leaves side by side in the order of their nodes, every other node above the middle of its children."""
        parents = self.all.parents[axis]
        children: dict[int, list[int]] = {}
        for node, parent in enumerate(parents):
            children.setdefault(parent, []).append(node)
        width = max(sizes[unit][0] for unit in units)
        top = max(middles[unit] + sizes[unit][1] / 2 for unit in units)
        low = min(middles[unit] - sizes[unit][1] / 2 for unit in units)
        storey = top - low + 2.4 * GAP_Y
        at: dict[int, tuple[float, int]] = {}
        order: list[int] = []
        stack = list(reversed(children.get(-1, [])))
        while stack:
            node = stack.pop()
            order.append(node)
            stack += reversed(children.get(node, []))
        for node in order:
            if not children.get(node):
                at[node] = (x + width / 2, 0)
                x += width + GAP_X / 2
        for node in reversed(order):
            if below := children.get(node):
                own = [at[child] for child in below]
                at[node] = (sum(place for place, _ in own) / len(own), 1 + max(height for _, height in own))
        columns = self.found.columns.setdefault(axis, [])
        for node, (middle, height) in sorted(at.items()):
            for unit in units:
                self._put(unit, node, middle, middles[unit] - height * storey)
            columns.append((node, middle))
            self.found.top = min(self.found.top, low - height * storey)
        return x + GAP_X

    # A part, or an opened cell, at one step

    def _size(self, parts: Sequence[Part]) -> tuple[float, float]:
        if not parts[0].block:
            return BOX
        spread = self._spread(parts)
        left = min(x - w / 2 for x, _, w, _ in spread.values())
        right = max(x + w / 2 for x, _, w, _ in spread.values())
        top = min(y - h / 2 for _, y, _, h in spread.values())
        bottom = max(y + h / 2 for _, y, _, h in spread.values())
        return right - left + 2 * MARGIN, bottom - top + 2 * MARGIN + 10.0

    def _spread(self, parts: Sequence[Part]) -> dict[str, tuple[float, float, float, float]]:
        """path → (x, y, width, height) about the middle of the cell's own drawing, made closer."""
        found = {}
        for part in parts:
            depth = part.block.count(".")
            width, height = SMALL if part.node.kind != CELL and _has_symbol(part) else (BOX[0] * 0.86, BOX[1])
            found[part.path] = (part.node.x * INNER, (part.node.y + 14.0 * depth) * INNER, width, height)
        middle_x = (min(x for x, _, _, _ in found.values()) + max(x for x, _, _, _ in found.values())) / 2
        middle_y = (min(y for _, y, _, _ in found.values()) + max(y for _, y, _, _ in found.values())) / 2
        return {path: (x - middle_x, y - middle_y, w, h) for path, (x, y, w, h) in found.items()}

    def _put(self, unit: str, step: int, x: float, y: float) -> None:
        parts = self.units[unit]
        if not parts[0].block:
            self.found.boxes[unit, step] = Box(x, y, *BOX)
            return
        spread = self._spread(parts)
        width, height = self._size(parts)
        self.found.blocks.append(Block(unit, step, x - width / 2, y - height / 2, width, height))
        for part in parts:
            dx, dy, w, h = spread[part.path]
            self.found.boxes[part.path, step if part.axis else ONCE] = Box(x + dx, y + dy + 5.0, w, h)


def _has_symbol(part: Part) -> bool:
    return part.node.kind in _SYMBOLS


_SYMBOLS = frozenset(
    ("Sigmoid", "Tanh", "Relu", "Add", "Multiply", "Subtract", "Divide", "OneMinus", "Maximum", "Minimum", "Concat")
)


def visible(links: Sequence[Link], places: Places) -> list[Link]:
    """Links whose ends are both shown; those that begin before the first step, too."""
    return [
        link
        for link in links
        if (link.target, link.target_step) in places.boxes
        and (not link.source or (link.source, link.source_step) in places.boxes)
    ]
