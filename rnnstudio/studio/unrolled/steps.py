"""A drawing unrolled: each of its parts once for every step, states as links from step to step. No Qt, no torch.

What a Delay, a Feedback, a reroute point or the border of an opened cell is in the folded drawing is a link here: a
Delay of k steps joins a part at step t − k with one at step t. A cell that is not opened is one part, and what it
remembers is a link to itself at the next step. The same weights serve at all steps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...catalog.catalog import CELL, REROUTE, Catalog
from ...catalog.renaming import RenameAxis
from ...compiler.check import Checked
from ...compiler.muting import without_muted
from ...compiler.resolve import cell_params, cell_ports, resolve, variables_of
from ...design.design import MAIN, Design, Graph, Node, Wire

ONCE = -1
"""The step of a part that has no steps."""
POOLS = ("Mean", "Max", "Sum", "Last", "First")


@dataclass(frozen=True, slots=True)
class Part:
    """What stands at every step of `axis` ("" for what has no steps).

    path: of the node, through the cells it lies in ("lstm.f"); graph: the drawing it belongs to; block: the path
    of the opened cell around it, "" in the design's own drawing. shared: its weights are those of every step.
    """

    path: str
    graph: str
    node: Node
    axis: str
    block: str = ""
    shared: bool = False
    value: str = ""
    """The path of the node whose value it shows: of a closed cell the one that makes its first output."""


@dataclass(frozen=True, slots=True)
class Link:
    """From a part at a step to a part at a step. kind:

    "plain"; "state" (through a Delay, or what a closed cell remembers; k steps on); "start" (what a state is before the
    first step: the source is empty); "free" (a prediction fed back), "forced" (the truth in its place); "attention"
    (every step of another axis); "pool" (every step into one); "child" (from a child to its node).
    names: what travels on it, of a closed cell's states.
    """

    source: str
    source_step: int
    port: str
    target: str
    target_step: int
    target_port: str
    kind: str = "plain"
    k: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unrolled:
    """sizes: axis → its steps; order: the axes as they stand from left to right; parents: of a tree's nodes."""

    parts: tuple[Part, ...]
    links: tuple[Link, ...]
    sizes: Mapping[str, int]
    order: tuple[str, ...]
    parents: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    cells: tuple[str, ...] = ()
    """Paths of the cells that can be opened or are."""

    def part(self, path: str) -> Part:
        return next(part for part in self.parts if part.path == path)


@dataclass(frozen=True, slots=True)
class _Source:
    path: str
    port: str
    shift: int = 0
    kind: str = "plain"


@dataclass(slots=True)
class _Place:
    """A graph as it is used at one place."""

    name: str
    graph: Graph
    prefix: str
    variables: Mapping[str, Any]
    outer: _Place | None = None
    node: Node | None = None
    inner: dict[str, _Place] = field(default_factory=dict)
    feeds: dict[tuple[str, str], Wire] = field(default_factory=dict)


def unroll(
    checked: Checked,
    catalog: Catalog,
    sizes: Mapping[str, int],
    opened: Collection[str] = (),
    parents: Mapping[str, Sequence[int]] | None = None,
) -> Unrolled:
    """A checked design over so many steps of each of its axes (an axis that is not named has four).

    opened: paths of cells whose drawing stands at each step. parents: tree axis → each node's parent, −1 at the root.
    """
    return _Unroller(checked, catalog, sizes, frozenset(opened), parents or {}).run()


class _Unroller:
    def __init__(
        self,
        checked: Checked,
        catalog: Catalog,
        sizes: Mapping[str, int],
        opened: frozenset[str],
        parents: Mapping[str, Sequence[int]],
    ) -> None:
        self.checked = checked
        self.design: Design = without_muted(checked.design, catalog)  # as what is trained
        self.catalog = catalog
        self.opened = opened
        self.parents = {axis: tuple(own) for axis, own in parents.items()}
        self.sizes = dict(sizes)
        self.parts: dict[str, Part] = {}
        self.places: dict[str, _Place] = {}
        self.links: list[Link] = []
        self.cells: list[str] = []
        self.copies: dict[str, str] = {}

    def run(self) -> Unrolled:
        root = self._place(MAIN, self.design.graph, "", variables_of(self.design), None, None)
        self._collect(root)
        axes = tuple(dict.fromkeys(part.axis for part in self.parts.values() if part.axis))
        for axis in axes:
            if self.design.axis(axis).kind == "tree":
                self.parents.setdefault(axis, (4, 3, 3, 4, -1)[: max(self.sizes.get(axis, 5), 1)])
                self.sizes[axis] = len(self.parents[axis])
            self.sizes.setdefault(axis, 4)
        for part in self.parts.values():
            self._join(part)
        sizes = {axis: self.sizes[axis] for axis in axes}
        trees = {axis: own for axis, own in self.parents.items() if axis in sizes}
        return Unrolled(tuple(self.parts.values()), tuple(self.links), sizes, axes, trees, tuple(self.cells))

    # What stands there

    def _place(
        self,
        name: str,
        graph: Graph,
        prefix: str,
        variables: Mapping[str, Any],
        outer: _Place | None,
        node: Node | None,
    ) -> _Place:
        here = _Place(name, graph, prefix, variables, outer, node)
        here.feeds = {(w.target.node, w.target.port): w for w in graph.wires}
        return here

    def _collect(self, place: _Place) -> None:
        for node in place.graph.nodes.values():
            path = place.prefix + node.id
            if node.kind == CELL:
                cell = self.design.cells.get(str(node.params.get("cell", "")))
                if cell is None:
                    continue
                self.cells.append(path)
                values, _ = resolve(node, cell_params(cell), place.variables)
                inner = self._place(cell.name, cell.graph, f"{path}.", values, place, node)
                place.inner[node.id] = inner
                if path in self.opened:
                    self._collect(inner)
                    continue
            elif self._is_a_link(node):
                continue
            kind = self.catalog.of(node)
            shared = node.kind == CELL or (kind is not None and kind.family == "Layers" and kind.name not in _PLAIN)
            axis = self._axis_of(place, node)
            value = self._value_of(place, node)
            self.parts[path] = Part(path, place.name, node, axis, place.prefix.rstrip("."), shared, value)
            self.places[path] = place

    def _value_of(self, place: _Place, node: Node) -> str:
        if node.kind != CELL:
            return place.prefix + node.id
        inner = place.inner[node.id]
        outputs = cell_ports(self.design.cells[str(node.params["cell"])])[1]
        return self._made(inner, outputs[0].name, "input") if outputs else ""

    def _made(self, place: _Place, node: str, port: str) -> str:
        """The path of the primitive node that feeds an input, into cells that are not opened, too; "" for none."""
        wire = place.feeds.get((node, port))
        if wire is None:
            return ""
        source = place.graph.nodes[wire.source.node]
        if source.kind == REROUTE:
            return self._made(place, source.id, "input")
        if source.kind == CELL:
            cell = self.design.cells.get(str(source.params.get("cell", "")))
            if cell is None:
                return ""
            inner = self._place(cell.name, cell.graph, f"{place.prefix}{source.id}.", place.variables, place, source)
            return self._made(inner, wire.source.port, "input")
        if source.kind == "CellInput":
            if place.outer is None or place.node is None:
                return ""
            return self._made(place.outer, place.node.id, source.id)
        return place.prefix + source.id

    def _is_a_link(self, node: Node) -> bool:
        kind = self.catalog.of(node)
        if kind is None:
            return True
        return kind.family == "Cell" or node.kind == REROUTE or bool(kind.late_ports)

    def _signal_axes(self, graph: str, node: str, port: str) -> tuple[str, ...]:
        signal = self.checked.signals.get((graph, node, port))
        return signal.axes if signal is not None else ()

    def _axis_of(self, place: _Place, node: Node) -> str:
        """Along what a node stands at every step: an axis of what it gives, of what it reads where it gives nothing."""
        kind = self.catalog.of(node)
        if node.kind == RenameAxis.name:
            axes = self._read_axes(place, node)
            given = self._signal_axes(place.name, node.id, "out")
            for new in given:
                if new not in axes and axes:
                    self.copies[new] = axes[0]
            return axes[0] if axes else ""
        outputs = [p.name for p in kind.output_ports(self._params(place, node))] if kind is not None else []
        if node.kind == CELL:
            cell = self.design.cells[str(node.params["cell"])]
            outputs = [n.id for n in cell.graph.nodes.values() if n.kind == "CellOutput"]
        for port in outputs:
            if axes := self._signal_axes(place.name, node.id, port):
                return self._root(axes[0])
        if not outputs:
            axes = self._read_axes(place, node)
            return self._root(axes[0]) if axes else ""
        return ""

    def _root(self, axis: str) -> str:
        return self.copies.get(axis, axis)

    def _read_axes(self, place: _Place, node: Node) -> tuple[str, ...]:
        for (target, _), wire in place.feeds.items():
            if target == node.id:
                axes = self._signal_axes(place.name, wire.source.node, wire.source.port)
                if axes:
                    return axes
        return ()

    def _params(self, place: _Place, node: Node) -> dict[str, Any]:
        kind = self.catalog.of(node)
        return resolve(node, kind.params, place.variables)[0] if kind is not None else {}

    # What is joined

    def _sources(
        self,
        place: _Place,
        node: str,
        port: str,
        shift: int = 0,
        kind: str = "plain",
        seen: frozenset[Any] = frozenset(),
    ) -> Iterator[_Source]:
        """What feeds an input, through reroute points, cell borders and Delays."""
        wire = place.feeds.get((node, port))
        if wire is None or (key := (place.prefix, node, port)) in seen:
            return
        seen = seen | {key}
        source = place.graph.nodes[wire.source.node]
        if source.kind == REROUTE:
            yield from self._sources(place, source.id, "input", shift, kind, seen)
        elif source.kind == CELL and place.prefix + source.id in self.opened and source.id in place.inner:
            yield from self._sources(place.inner[source.id], wire.source.port, "input", shift, kind, seen)
        elif source.kind == "CellInput":
            if place.outer is not None and place.node is not None:
                yield from self._sources(place.outer, place.node.id, source.id, shift, kind, seen)
        elif source.kind == "Delay":
            k = int(self._params(place, source)["k"])
            yield from self._sources(place, source.id, "input", shift + k, "state", seen)
        elif source.kind == "Feedback":
            yield from self._sources(place, source.id, "prediction", shift + 1, "free", seen)
            yield from self._sources(place, source.id, "target", shift + 1, "forced", seen)
        elif source.kind == "Children":
            params = self._params(place, source)
            slot = int(params["slot"]) if params["how"] == "slot" else -1
            yield from self._sources(place, source.id, "input", slot, "child", seen)
        else:
            yield _Source(place.prefix + source.id, wire.source.port, shift, kind)

    def _join(self, part: Part) -> None:
        place, node = self.places[part.path], part.node
        kind = self.catalog.of(node)
        if node.kind == CELL:
            inputs = [
                n.id for n in self.design.cells[str(node.params["cell"])].graph.nodes.values() if n.kind == "CellInput"
            ]
            self._remembered(part, place.inner[node.id])
        else:
            assert kind is not None
            inputs = [p.name for p in kind.input_ports(self._params(place, node))]
        for port in inputs:
            for source in self._sources(place, node.id, port):
                if source.path in self.parts:
                    self._connect(self.parts[source.path], source, part, port)

    def _connect(self, source: Part, how: _Source, target: Part, port: str) -> None:
        def link(s: int, t: int, kind: str) -> None:
            self.links.append(Link(how.path, s, how.port, target.path, t, port, kind, how.shift))

        steps = range(self.sizes[target.axis]) if target.axis else (ONCE,)
        if how.kind == "child":
            for t in steps:
                children = [n for n, parent in enumerate(self.parents.get(target.axis, ())) if parent == t]
                chosen = children if how.shift < 0 else children[how.shift : how.shift + 1]
                for s in chosen:
                    link(s, t, "child")
            return
        if not source.axis:
            for t in steps:
                link(ONCE, t, how.kind)
            return
        size = self.sizes[source.axis]
        if not target.axis:
            for s in self._pooled(target.node, source.axis, size):
                link(s, ONCE, "pool")
            return
        if source.axis != target.axis or target.node.kind in ("Attention", "WeightedSum", "Match"):
            whole = source.axis != target.axis or port in ("keys", "values")
            for t in steps:
                for s in range(size) if whole else (t,):
                    if self._seen(target.node, s, t):
                        link(s, t, "attention" if whole else how.kind)
            return
        for t in steps:
            for s in self._read_at(target, t, size):
                s -= how.shift
                if 0 <= s < size:
                    link(s, t, how.kind)
                elif how.kind != "forced":
                    self.links.append(Link("", ONCE, "", target.path, t, port, "start", how.shift))

    def _seen(self, node: Node, s: int, t: int) -> bool:
        return s <= t if bool(node.params.get("causal", False)) else True

    def _pooled(self, node: Node, axis: str, size: int) -> Sequence[int]:
        if node.kind == "Last":
            return (size - 1,)
        if node.kind == "First":
            return (0,)
        if node.kind == "Root":
            return tuple(n for n, parent in enumerate(self.parents.get(axis, ())) if parent < 0)
        return range(size)

    def _read_at(self, target: Part, t: int, size: int) -> Sequence[int]:
        """Which steps of an input a part reads at step t."""
        if target.node.kind == "Reverse":
            return (size - 1 - t,)
        if target.node.kind == "Taps":
            params = self._params(self.places[target.path], target.node)
            return [t - i * int(params["gap"]) for i in range(int(params["taps"])) if t - i * int(params["gap"]) >= 0]
        return (t,)

    # What a closed cell remembers

    def _remembered(self, part: Part, inner: _Place) -> None:
        """Links from a closed cell to itself: one for each number of steps that its Delays bridge, or its children."""
        if not part.axis:
            return
        found: dict[tuple[str, int], list[str]] = {}
        for kind, k, name in self._states(inner):
            found.setdefault((kind, k), []).append(name)
        size = self.sizes[part.axis]
        for (kind, k), names in found.items():
            told = tuple(dict.fromkeys(names))
            for t in range(size):
                if kind == "child":
                    for child, parent in enumerate(self.parents.get(part.axis, ())):
                        if parent == t:
                            self.links.append(Link(part.path, child, "", part.path, t, "", "child", 0, told))
                elif 0 <= t - k < size:
                    self.links.append(Link(part.path, t - k, "", part.path, t, "", "state", k, told))
                else:
                    self.links.append(Link("", ONCE, "", part.path, t, "", "start", k, told))

    def _states(self, place: _Place) -> Iterator[tuple[str, int, str]]:
        """(kind, steps, name) of what a cell and those inside it remember; a state that is an output has its name."""
        for node in place.graph.nodes.values():
            if node.kind == "Delay":
                yield "state", int(self._params(place, node)["k"]), self._called(place, node)
            elif node.kind == "Children":
                yield "child", 0, self._called(place, node)
            elif node.kind == CELL:
                cell = self.design.cells.get(str(node.params.get("cell", "")))
                if cell is not None:
                    values, _ = resolve(node, cell_params(cell), place.variables)
                    yield from self._states(
                        self._place(cell.name, cell.graph, f"{place.prefix}{node.id}.", values, place, node)
                    )

    def _called(self, place: _Place, node: Node) -> str:
        wire = place.feeds.get((node.id, "input"))
        if wire is None:
            return node.id
        for other in place.graph.wires:
            if other.source == wire.source and place.graph.nodes[other.target.node].kind == "CellOutput":
                return other.target.node
        return wire.source.node


_PLAIN = ("Dropout", "Residual", REROUTE)
"""Of the layers, those without weights."""
