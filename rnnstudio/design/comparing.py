"""By what two designs differ: what was added, removed, changed and moved, in each drawing. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .design import MAIN, Design, Frame, Graph, Node, Value, Var, Wire, frozen


@dataclass(frozen=True)
class DrawingDifference:
    """Of one graph, from one design to the other. changed: node → what of it, in words; moved: to another place."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moved: tuple[str, ...] = ()
    wires_added: tuple[Wire, ...] = ()
    wires_removed: tuple[Wire, ...] = ()
    frames: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        nodes = self.added or self.removed or self.changed or self.moved
        return bool(nodes or self.wires_added or self.wires_removed or self.frames)

    def lines(self) -> Iterator[tuple[str, str]]:
        """Each difference in words, with the node it is of ("" of none)."""
        for key in self.added:
            yield f"{key} added", key
        for key in self.removed:
            yield f"{key} removed", key
        for key, what in self.changed.items():
            yield f"{key}: {'; '.join(what)}", key
        for wire in self.wires_added:
            yield f"wire {wire} added", wire.target.node
        for wire in self.wires_removed:
            yield f"wire {wire} removed", wire.target.node
        for key in self.moved:
            yield f"{key} moved", key
        for title in self.frames:
            yield f"frame “{title}” changed", ""


@dataclass(frozen=True)
class Difference:
    """Of two designs. drawings: those that differ: MAIN or a cell's name → how; cells_added, cells_removed: by name.

    settings: what else differs, a line each: the design's name, variables, axes, data, training.
    """

    drawings: Mapping[str, DrawingDifference]
    cells_added: tuple[str, ...]
    cells_removed: tuple[str, ...]
    settings: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.drawings or self.cells_added or self.cells_removed or self.settings)


def compare(before: Design, after: Design) -> Difference:
    """What was done to `before` to make it `after`. Time: linear in their size."""
    drawings = {MAIN: compare_drawings(before.graph, after.graph)}
    for name in before.cells:
        if name in after.cells:
            drawings[name] = compare_drawings(before.cells[name].graph, after.cells[name].graph)
    return Difference(
        {name: found for name, found in drawings.items() if found},
        tuple(name for name in after.cells if name not in before.cells),
        tuple(name for name in before.cells if name not in after.cells),
        tuple(_settings(before, after)),
    )


def compare_drawings(before: Graph, after: Graph) -> DrawingDifference:
    """The same of two drawings. Nodes are one where their ids are."""
    both = [key for key in before.nodes if key in after.nodes]
    changed = {key: tuple(_of_node(before.nodes[key], after.nodes[key])) for key in both}
    old, new = set(before.wires), set(after.wires)
    return DrawingDifference(
        tuple(key for key in after.nodes if key not in before.nodes),
        tuple(key for key in before.nodes if key not in after.nodes),
        {key: what for key, what in changed.items() if what},
        tuple(key for key in both if _place(before.nodes[key]) != _place(after.nodes[key])),
        tuple(wire for wire in after.wires if wire not in old),
        tuple(wire for wire in before.wires if wire not in new),
        tuple(_frames({f.id: f for f in before.frames}, {f.id: f for f in after.frames})),
    )


def _place(node: Node) -> tuple[float, float]:
    return node.x, node.y


def _of_node(before: Node, after: Node) -> Iterator[str]:
    if before.kind != after.kind:
        yield f"{before.kind} became {after.kind}"
    if before.title != after.title:
        yield f"title “{before.title}” became “{after.title}”"
    yield from _values(before.params, after.params)
    if before.shared != after.shared:
        yield f"weights shared as “{after.shared}”" if after.shared else "weights no longer shared"
    if before.extra != after.extra:
        yield "what this version does not know"


def _values(before: Mapping[str, Value], after: Mapping[str, Value]) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield f"{name} {_said(before[name])} taken back"
        elif name not in before:
            yield f"{name} = {_said(after[name])}"
        elif before[name] != after[name]:
            yield f"{name} {_said(before[name])} → {_said(after[name])}"


def _said(value: object) -> str:
    if isinstance(value, Var):
        return value.name
    if isinstance(value, float):
        return f"{value:g}"
    return f"“{value}”" if isinstance(value, str) else str(value)


def _frames(before: Mapping[str, Frame], after: Mapping[str, Frame]) -> Iterator[str]:
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            yield (after.get(key) or before[key]).title


def _settings(before: Design, after: Design) -> Iterator[str]:
    if before.name != after.name:
        yield f"name: “{before.name}” → “{after.name}”"
    if before.doc != after.doc:
        yield "description"
    yield from (f"variable {line}" for line in _values(before.variables, after.variables))
    for name in dict.fromkeys((*before.axes, *after.axes)):
        if before.axes.get(name) != after.axes.get(name):
            yield f"axis {name}"
    if before.data != after.data:
        one, other = (d.data.path if d.data is not None else "none" for d in (before, after))
        yield f"data: {one} → {other}" if one != other else "data: how it is read"
    yield from (f"training: {line}" for line in _values(before.training, after.training))
    for name, cell in after.cells.items():
        if name in before.cells:
            own = before.cells[name]
            yield from (f"cell {name}: {line}" for line in _values(own.params, cell.params))
            if (own.doc, own.formula, own.source) != (cell.doc, cell.formula, cell.source):
                yield f"cell {name}: its words"


def united(before: Graph, after: Graph) -> Graph:
    """Both drawings in one: `after`, with the nodes and wires that are in `before` alone where they stood."""
    nodes = {**{key: node for key, node in before.nodes.items() if key not in after.nodes}, **after.nodes}
    new = set(after.wires)
    wires = (*after.wires, *(wire for wire in before.wires if wire not in new))
    return after.replace(nodes=frozen(nodes), wires=wires)
