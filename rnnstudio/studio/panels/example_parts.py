"""Where everything stands in the picture of the first examples: chips, tags below them, padding, windows, trees, plots.

Values in, values out: from examples, a font's metrics and a width to a list of parts, which the widget paints. What an
axis holds stands in columns, a step each: the token, and below it what else belongs to the same step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QPointF, QRectF

from rnnstudio.data.preview import ExampleView, FieldView
from rnnstudio.data.vocabulary import UNKNOWN

EXAMPLES = 4
LINES = 3
"""Lines of chips that one axis of an example may take."""
PADDING = 12
"""Padded steps that are drawn one by one."""
MOST_NODES = 60
CURVES = 6


@dataclass(frozen=True)
class Chip:
    """A token, a class, a padded step. kind: "token", "class", "padding"; number: of the token; tip: more about it."""

    rect: QRectF
    text: str
    kind: str
    number: int = 0
    tip: str = ""


@dataclass(frozen=True)
class Words:
    """A piece of text in a role of the theme. strong: a heading."""

    rect: QRectF
    text: str
    role: str = "muted"
    strong: bool = False


@dataclass(frozen=True)
class Line:
    """kind: "branch" of a tree, "window": where a training window ends, "rule": between examples."""

    start: QPointF
    end: QPointF
    kind: str


@dataclass(frozen=True)
class Curve:
    """Numbers along an axis. values: [steps] as the model sees them; place: of its colour; dashed: a target."""

    rect: QRectF
    values: tuple[float, ...]
    steps: int
    place: int
    dashed: bool


@dataclass
class Picture:
    """parts from bottom to top, and the height they take."""

    parts: list[Chip | Words | Line | Curve] = field(default_factory=list)
    height: float = 0.0

    def chips(self, kind: str) -> list[Chip]:
        return [part for part in self.parts if isinstance(part, Chip) and part.kind == kind]

    def lines(self, kind: str) -> list[Line]:
        return [part for part in self.parts if isinstance(part, Line) and part.kind == kind]


def picture_of(
    examples: Sequence[ExampleView],
    width: float,
    line: float,
    text_width: Callable[[str], float],
    window: int = 0,
) -> Picture:
    """The first examples below each other. line: height of a line of text; window: steps of a training window, 0: the
    examples stay whole."""
    shown = examples[:EXAMPLES]
    longest: dict[str, int] = {}
    for example in shown:
        for view in example.fields:
            if view.spec.axis is not None:
                longest[view.spec.axis] = max(longest.get(view.spec.axis, 0), view.length)
    picture = Picture()
    pen = _Pen(picture, width, line, text_width, longest if len(shown) > 1 else {}, window)
    for place, example in enumerate(shown):
        if place:
            pen.rule()
        pen.example(example)
    picture.height = pen.y
    return picture


class _Pen:
    def __init__(
        self,
        picture: Picture,
        width: float,
        line: float,
        text_width: Callable[[str], float],
        longest: dict[str, int],
        window: int,
    ) -> None:
        self.parts = picture.parts
        self.width = width
        self.line = line
        self.text_width = text_width
        self.longest = longest
        self.window = window
        self.chip = line + 4
        self.gap = max(2.0, line * 0.15)
        self.y = 0.0

    def rule(self) -> None:
        self.y += self.gap * 2
        self.parts.append(Line(QPointF(0, self.y), QPointF(self.width, self.y), "rule"))
        self.y += self.gap * 2

    def example(self, example: ExampleView) -> None:
        self._head(example)
        axes = list(dict.fromkeys(v.spec.axis for v in example.fields if v.spec.axis is not None))
        for axis in axes:
            along = [v for v in example.fields if v.spec.axis == axis]
            tree = next((v for v in along if v.spec.content == "parents"), None)
            tokens = [v for v in along if v.spec.content == "tokens"]
            numbers = [v for v in along if v.spec.content == "real"]
            if tree is not None:
                self._tree(tree, tokens)
            elif tokens:
                self._steps(axis, tokens)
            if numbers:
                self._curves(axis, numbers)
        for view in example.fields:
            if view.spec.axis is None and view.spec.content == "real":
                self._vector(view)

    def _head(self, example: ExampleView) -> None:
        """Its name or line, and the classes of the whole beside it."""
        name = example.name if not example.line or not example.name.isdigit() else ""
        told = " · ".join(filter(None, (name, f"line {example.line}" if example.line else ""))) or "all of it"
        classes = [v for v in example.fields if v.spec.axis is None and v.spec.content == "tokens"]
        room = self.width
        for view in reversed(classes):
            text = view.pieces[0] if view.pieces else ""
            width = min(self.text_width(text) + self.line * 0.8, self.width / 2)
            room -= width
            box = QRectF(room, self.y, width, self.chip)
            number = int(view.values)
            self.parts.append(Chip(box, text, "class", number, f"{view.spec.name}: {text} (class {number})"))
            caption = self.text_width(view.spec.name) + self.gap * 2
            room -= caption
            self.parts.append(Words(QRectF(room, self.y, caption, self.chip), view.spec.name))
            room -= self.gap
        self.parts.append(Words(QRectF(0, self.y, max(room - self.gap, 0), self.chip), told, "text", strong=True))
        self.y += self.chip + self.gap

    def _caption(self, axis: str, views: Sequence[FieldView]) -> None:
        names = ", ".join(_called(view) for view in views)
        length = max(view.length for view in views)
        steps = f"{length:,} step{'s' if length != 1 else ''}"
        text = f"{names} · {steps} along {axis}"
        self.parts.append(Words(QRectF(0, self.y, self.width, self.line), text))
        self.y += self.line + 1

    def _steps(self, axis: str, views: Sequence[FieldView]) -> None:
        """A column for each step, its token on top; wrapped, and cut where there are too many."""
        self._caption(axis, views)
        stack = self.chip * len(views) + 1
        x, used = 0.0, 1
        steps = max(len(view.pieces) for view in views)
        for step in range(steps):
            width = max(self._wide(view.pieces[step]) for view in views if step < len(view.pieces))
            width = min(width, self.width)
            if x + width > self.width:
                if used == LINES:
                    self._more(x, views[0].length - step)
                    self.y += stack + self.gap
                    return
                x, used = 0.0, used + 1
                self.y += stack + self.gap
            if self.window and step and step % self.window == 0:
                at = x - self.gap / 2
                self.parts.append(Line(QPointF(at, self.y - 1), QPointF(at, self.y + stack), "window"))
            for row, view in enumerate(views):
                if step < len(view.pieces):
                    box = QRectF(x, self.y + row * self.chip, width, self.chip - 1)
                    self.parts.append(_token(box, view, step))
            x += width + self.gap
        if steps < views[0].length:
            self._more(x, views[0].length - steps)
        else:
            self._padding(x, axis, views[0].length, stack)
        self.y += stack + self.gap

    def _wide(self, text: str) -> float:
        return max(self.text_width(text) + self.line * 0.5, self.line * 0.9)

    def _more(self, x: float, count: int) -> None:
        """How many steps are not shown, over the last chips where there is no room beside them."""
        text = f"… {count:,} more"
        width = self.text_width(text) + self.line * 0.5
        left = min(x, self.width - width)
        self.parts[:] = [
            part
            for part in self.parts
            if not (isinstance(part, Chip) and part.rect.right() > left and part.rect.top() >= self.y)
        ]
        self.parts.append(Words(QRectF(left, self.y, width, self.chip), text))

    def _padding(self, x: float, axis: str, length: int, stack: float) -> None:
        """What a batch of these examples fills up the shorter ones with."""
        lacking = self.longest.get(axis, length) - length
        wide = self.line * 0.9
        for place in range(min(lacking, PADDING)):
            if x + wide > self.width:
                return
            tip = f"padding: in a batch with the longest of these, {lacking} steps that never count"
            self.parts.append(Chip(QRectF(x, self.y, wide, stack - 2), "", "padding", place, tip))
            x += wide + self.gap
        if lacking > PADDING and x + self.line * 3 < self.width:
            self.parts.append(Words(QRectF(x, self.y, self.width - x, self.chip), f"+ {lacking - PADDING}", "faint"))

    def _vector(self, view: FieldView) -> None:
        names = view.spec.columns or tuple(str(n) for n in range(view.spec.size))
        numbers = view.pieces[0].split(", ") if view.pieces else []
        told = ", ".join(f"{name} {value}" for name, value in zip(names[:12], numbers[:12], strict=False))
        more = f", … {len(names) - 12} more" if len(names) > 12 else ""
        self.parts.append(Words(QRectF(0, self.y, self.width, self.line), f"{_called(view)}: {told}{more}", "text"))
        self.y += self.line + self.gap

    def _curves(self, axis: str, views: Sequence[FieldView]) -> None:
        """Each column as a curve over the steps, targets dashed, in one frame."""
        self._caption(axis, views)
        box = QRectF(0, self.y, self.width, self.line * 4)
        steps = max(len(view.values) for view in views)
        place = 0
        legend: list[tuple[str, int]] = []
        for view in views:
            dashed = view.spec.role == "target"
            for column in range(min(view.spec.size, CURVES)):
                values = np.asarray(view.values, float).reshape(len(view.values), -1)[:, column]
                self.parts.append(Curve(box, tuple(values.tolist()), steps, place, dashed))
                names = view.spec.columns or (view.spec.name,) * view.spec.size
                legend.append((f"{names[column]}{' →' if dashed else ''}", place))
                place += 1
            if self.window and steps > self.window:
                for at in range(self.window, steps, self.window):
                    x = box.left() + box.width() * at / max(steps - 1, 1)
                    self.parts.append(Line(QPointF(x, box.top()), QPointF(x, box.bottom()), "window"))
        self.y += box.height() + 2
        x = 0.0
        for text, number in legend:
            width = self.text_width(text) + self.line * 1.4
            if x + width > self.width:
                x = 0.0
                self.y += self.line
            self.parts.append(Words(QRectF(x, self.y, width, self.line), text, f"series {number}"))
            x += width
        self.y += self.line + self.gap

    def _tree(self, tree: FieldView, views: Sequence[FieldView]) -> None:
        """The nodes level by level, each above its children; what belongs to it stands in it."""
        self._caption(tree.spec.axis or "", views or (tree,))
        parents = [int(parent) for parent in np.asarray(tree.values).tolist()][:MOST_NODES]
        if tree.length > MOST_NODES:
            text = f"A tree of {tree.length:,} nodes: too many for this picture."
            self.parts.append(Words(QRectF(0, self.y, self.width, self.line), text, "faint"))
            self.y += self.line + self.gap
            return
        places, depths = arranged(parents)
        wide = max((self._wide(piece) for view in views for piece in view.pieces), default=self.chip)
        columns = 1 + max(places, default=0.0)
        across = min(wide + self.gap * 2, self.width / columns)
        stack = self.chip * max(len(views), 1)
        level = stack + self.line
        top = self.y

        def middle(node: int) -> QPointF:
            return QPointF((places[node] + 0.5) * across, top + depths[node] * level + stack / 2)

        # Most treebanks have words at the leaves alone: above them stands what else is known.
        inner = frozenset(parents)
        known = [
            [v for v in views if n < len(v.pieces) and not (v.pieces[n] == UNKNOWN and n in inner)]
            for n in range(len(parents))
        ]
        for node, parent in enumerate(parents):
            if parent >= 0:
                ends = [QPointF(0, self.chip * max(len(known[n]), 1) / 2) for n in (parent, node)]
                self.parts.append(Line(middle(parent) + ends[0], middle(node) - ends[1], "branch"))
        for node, said in enumerate(known):
            at = middle(node)
            high = at.y() - self.chip * len(said) / 2
            for row, view in enumerate(said):
                own = min(self._wide(view.pieces[node]), max(across - 2, self.line * 0.6))
                box = QRectF(at.x() - own / 2, high + row * self.chip, own, self.chip - 1)
                self.parts.append(_token(box, view, node))
            if not said:
                side = self.line * 0.5
                box = QRectF(at.x() - side / 2, at.y() - side / 2, side, side)
                self.parts.append(Chip(box, "", "token", 0, f"node {node}"))
        self.y = top + (1 + max(depths, default=0)) * level


def arranged(parents: Sequence[int]) -> tuple[list[float], list[int]]:
    """Of each node its place across and its depth: leaves side by side in their order, each node amid its children."""
    children: list[list[int]] = [[] for _ in parents]
    roots: list[int] = []
    for node, parent in enumerate(parents):
        (children[parent] if 0 <= parent < len(parents) else roots).append(node)
    places, depths = [0.0] * len(parents), [0] * len(parents)
    free = 0.0
    todo = [(root, False) for root in reversed(roots)]
    while todo:
        node, done = todo.pop()
        if done:
            places[node] = (places[children[node][0]] + places[children[node][-1]]) / 2
        elif not children[node]:
            places[node], free = free, free + 1
        else:
            todo.append((node, True))
            for child in reversed(children[node]):
                depths[child] = depths[node] + 1
                todo.append((child, False))
    return places, depths


def _token(box: QRectF, view: FieldView, step: int) -> Chip:
    number = int(np.asarray(view.values).reshape(-1)[step])
    kind = "class" if view.spec.counts else "token"
    return Chip(box, view.pieces[step], kind, number, f"{view.spec.name}, step {step}: {view.pieces[step]} ({number})")


def _called(view: FieldView) -> str:
    ahead = f" ({view.spec.shift} ahead)" if view.spec.shift else ""
    return f"{view.spec.name}{ahead}"
