"""What only the flattened drawing tells: loops that no order of steps can run, and weights that clash.

To flatten a large drawing at every edit would cost too much. A loop lies within one strongly connected part of the
drawing, so a part that has been proved once stays proved while its nodes and what they read stay the same: after an
edit only the parts it touched are flattened. When one cannot be proved alone, the whole drawing's answer counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..catalog.catalog import CELL, Catalog
from ..catalog.node import Context, NodeKind, Param, Params, Port, Signals
from ..design.design import CellDefinition, Design, Graph, Node, Pin, Wire, frozen
from ..design.errors import StudioError
from ..design.signals import Signal
from .flatten import Flat, flatten
from .resolve import Variables
from .schedule import schedule
from .sharing import Clash

Found = Mapping[tuple[str, str], Signal | None]
"""The signal of each (node, port) of the design's own graph."""

Feeds = Mapping[str, Mapping[str, tuple[str, str]]]
"""For each node of the design's own graph: input port → (node, port) that feeds it."""

_OWN = Catalog.__module__.rpartition(".")[0]
"""The package whose kinds are known to do at a step what they say."""

FEW = 4
"""Parts are proved alone while they have at most one in so many nodes of the drawing (or ALWAYS nodes)."""
ALWAYS = 40


class _Given(NodeKind):
    """Stands for what a part of a drawing reads from the rest."""

    name = title = "given"
    family = "Data"
    doc = "A signal from outside."
    outputs = (Port("out", "", "any"),)
    params = (Param("field", "field", ""), Param("signal", "signal", None))

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        return {"out": params["signal"]}


_GIVEN = _Given()


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a part was when it was proved; it holds while all of this is the same."""

    nodes: tuple[Node, ...]
    reads: tuple[tuple[str, str, Signal | None], ...]
    cells: Mapping[str, CellDefinition]
    variables: Variables
    context: Context

    def holds(self, other: _Proof) -> bool:
        return (
            len(self.nodes) == len(other.nodes)
            and all(a is b or _means_the_same(a, b) for a, b in zip(self.nodes, other.nodes, strict=True))
            and self.reads == other.reads
            and self.cells.keys() == other.cells.keys()
            and all(cell is other.cells[name] for name, cell in self.cells.items())
            and (self.variables is other.variables or self.variables == other.variables)
            and (self.context is other.context or self.context == other.context)
        )


def _means_the_same(one: Node, other: Node) -> bool:
    """Whether two nodes differ at most in what is only seen: place and title."""
    return (one.id, one.kind, one.shared) == (other.id, other.kind, other.shared) and one.params == other.params


class Proofs:
    """Remembers which parts of a design can run. Owner: the Checker."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._with_given = catalog.with_kinds((_GIVEN,))
        self._proved: dict[tuple[str, ...], _Proof] = {}
        self._graph: tuple[tuple[Wire, ...], tuple[str, ...]] = ((), ())
        self._parts: tuple[tuple[str, ...], ...] = ()
        self._clashes: dict[tuple[str, ...], tuple[Clash, ...]] = {}

    @property
    def clashes(self) -> tuple[Clash, ...]:
        """Nodes of the design proved last that share weights and set them differently."""
        return tuple(dict.fromkeys(clash for found in self._clashes.values() for clash in found))

    def _note(self, flat: Flat, parts: Iterable[tuple[str, ...]]) -> None:
        """Remember the clashes of the parts that were flattened."""
        for part in parts:
            inside = set(part)
            self._clashes[part] = tuple(
                c for c in flat.clashes if inside.issuperset(node.partition(".")[0] for node in c.nodes)
            )

    def problem(
        self, design: Design, found: Found, feeds: Feeds, live: set[str], variables: Variables, context: Context
    ) -> StudioError | None:
        """Why the design cannot run, or None. It has passed every other check; `live`: nodes that lead to an end."""
        parts = self._connected(design, feeds)
        wanted = {part: self._proof(design, part, found, feeds, variables, context) for part in parts}
        shared = _sharing(design.graph)
        if shared:
            wanted[shared] = self._proof(design, shared, found, feeds, variables, context)
        changed = [p for p, proof in wanted.items() if p not in self._proved or not self._proved[p].holds(proof)]
        open_parts = [p for p in changed if p == shared or not self._one_plain_loop(design, p)]
        self._proved = {part: wanted[part] for part in wanted if part not in set(open_parts)}
        self._clashes = {part: found for part, found in self._clashes.items() if part in wanted}
        keys = {key for part in open_parts for key in part}
        if not keys:
            return None
        if len(keys) < len(design.graph.nodes) and len(keys) <= max(ALWAYS, len(design.graph.nodes) // FEW):
            try:
                flat = flatten(self._alone(design, keys, found, feeds), self._with_given)
                schedule("", flat, {}, ())
            except StudioError:
                pass  # the whole drawing may tell otherwise: what leads nowhere is not computed
            else:
                unsure = _unsure(flat, parts)
                if not unsure:
                    self._note(flat, open_parts)
                    self._proved |= {part: wanted[part] for part in open_parts}
                    return None
        try:
            flat = flatten(design, self.catalog)
            schedule("", flat, {}, ())
        except StudioError as error:
            return error
        unsure = _unsure(flat, parts)
        self._note(flat, wanted)
        made = {op.node.partition(".")[0] for op in flat.ops}
        for part, proof in wanted.items():
            # What only a forced Feedback reads leads to an end in the drawing, and yet is not computed.
            stateful = {key for key in part if self._keeps_a_state(design.graph.nodes[key])}
            if live.issuperset(part) and made.issuperset(stateful) and not unsure.intersection(part):
                self._proved[part] = proof
        return None

    def _keeps_a_state(self, node: Node) -> bool:
        kind = self.catalog.of(node)
        return node.kind == CELL or (kind is not None and bool(kind.late_ports))

    def _one_plain_loop(self, design: Design, part: tuple[str, ...]) -> bool:
        """Whether a part is a loop along one axis in one direction, of nodes that look at one step: it can run."""
        ways = set()
        for key in part:
            node = design.graph.nodes[key]
            kind = self.catalog.of(node)
            if kind is None or not type(kind).__module__.startswith(_OWN):
                return False
            if kind.name == "Delay":
                k = node.params.get("k", 1)
                inside = (w.target.port == "initial" and w.source.node in part for w in design.graph.wires_into(key))
                if not isinstance(k, int) or any(inside):
                    return False
                ways.add((node.params.get("axis"), k > 0))
            elif kind.family not in ("Pointwise", "Layers") or node.params.get("axis"):
                return False
        return len(ways) == 1

    def _connected(self, design: Design, feeds: Feeds) -> tuple[tuple[str, ...], ...]:
        """The strongly connected parts of the main graph, each in drawing order."""
        graph = (design.graph.wires, tuple(design.graph.nodes))
        if graph[0] is not self._graph[0] or graph[1] != self._graph[1]:
            place = {key: i for i, key in enumerate(design.graph.nodes)}
            found = strongly_connected({key: [s for s, _ in feeds[key].values()] for key in feeds})
            self._parts = tuple(tuple(sorted(part, key=place.__getitem__)) for part in found)
            self._graph = graph
        return self._parts

    def _proof(
        self, design: Design, part: tuple[str, ...], found: Found, feeds: Feeds, variables: Variables, context: Context
    ) -> _Proof:
        nodes = tuple(design.graph.nodes[key] for key in part)
        reads = tuple((key, port, found.get(source)) for key in part for port, source in feeds[key].items())
        cells: dict[str, CellDefinition] = {}
        for node in nodes:
            if node.kind == CELL:
                cells |= cells_within(design, str(node.params["cell"]))
        return _Proof(nodes, reads, cells, variables, context)

    def _alone(self, design: Design, keys: set[str], found: Found, feeds: Feeds) -> Design:
        """The design with only these nodes; what they read from others is given, and all their results are wanted."""
        nodes: dict[str, Node] = {key: node for key, node in design.graph.nodes.items() if key in keys}
        wires = [w for w in design.graph.wires if w.source.node in keys and w.target.node in keys]
        given: dict[tuple[str, str], str] = {}
        for key in keys:
            for port, source in feeds[key].items():
                if source[0] not in keys:
                    name = given.setdefault(source, f"given {len(given)}")
                    wires.append(Wire(Pin(name, "out"), Pin(key, port)))
        for source, name in given.items():
            nodes[name] = Node(name, _GIVEN.name, frozen({"field": name, "signal": found[source]}))
        results = [source for source in found if source[0] in keys and found[source] is not None]
        for number, (key, port) in enumerate(results):
            name = f"result {number}"
            nodes[name] = Node(name, "Output")
            wires.append(Wire(Pin(key, port), Pin(name, "input")))
        return design.replace(graph=Graph(frozen(nodes), tuple(wires)))


def cells_within(design: Design, name: str) -> dict[str, CellDefinition]:
    """The cell of that name and all inside it; names without a definition are left out."""
    found: dict[str, CellDefinition] = {}
    todo = [name]
    while todo:
        key = todo.pop()
        cell = design.cells.get(key)
        if cell is not None and key not in found:
            found[key] = cell
            todo += [str(node.params.get("cell", "")) for node in cell.graph.nodes.values() if node.kind == CELL]
    return found


def _sharing(graph: Graph) -> tuple[str, ...]:
    """The nodes whose weights might be another node's."""
    names = {node.shared for node in graph.nodes.values() if node.shared}
    return tuple(key for key, node in graph.nodes.items() if node.shared or key in names) if names else ()


def _unsure(flat: Flat, parts: Iterable[tuple[str, ...]]) -> set[str]:
    """Nodes of which what holds alone may not hold in the whole: parts with loops over several axes, where the order
    counts, and everything where the children of a tree's nodes have an axis of their own, which reaches further."""
    axes: dict[str, set[str]] = {}
    for op in flat.ops:
        if op.kind == "children" and op.attrs["how"] == "each":
            return {key for part in parts for key in part}
        if op.kind in ("delay", "children"):
            axes.setdefault(op.node.partition(".")[0], set()).add(op.attrs["axis"])
    if len({axis for some in axes.values() for axis in some}) < 2:
        return set()
    return {key for part in parts if len({axis for own in part for axis in axes.get(own, ())}) > 1 for key in part}


def strongly_connected(reads: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Groups of nodes that reach each other (Tarjan 1972), without recursion. reads: node → the nodes it reads."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    for start in reads:
        if start in index:
            continue
        index[start] = low[start] = len(index)
        stack.append(start)
        waiting.add(start)
        work: list[tuple[str, Any]] = [(start, iter(reads[start]))]
        while work:
            key, following = work[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    waiting.add(other)
                    work.append((other, iter(reads[other])))
                    break
                if other in waiting:
                    low[key] = min(low[key], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == index[key]:
                    group: list[str] = []
                    while not group or group[-1] != key:
                        group.append(stack.pop())
                        waiting.discard(group[-1])
                    yield group
