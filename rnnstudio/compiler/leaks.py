"""Whether a prediction reads what it should predict: then training looks splendid and the model is worth nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..catalog.catalog import CELL, Catalog
from ..design.design import MAIN, CellDefinition, Design, Graph, Var
from ..design.recipe import FieldSpec
from ..design.signals import Signal

EARLIEST, EVERYWHERE = 8, -1000
"""Steps back that are told apart, and the place of what reads the whole axis."""

TURNS = 8
"""Ever earlier ways to one node that are followed before it counts as read everywhere."""


@dataclass(frozen=True, slots=True)
class Leak:
    """The prediction of `loss` reads, by the way over `path`, what its target says.

    later: the target is what comes later in another field, which a mere reproduction would not be after.
    ahead: it reads later steps of `field`, an input, and the target must be told from what stands before.
    whole: it does so only by values that are one for all steps of the target, or attends to another axis, as in an
    autoencoder: the code of the whole sequence, which a decoder reproduces it from.
    """

    loss: str
    path: tuple[str, ...]
    field: str
    later: bool
    whole: bool = False
    ahead: bool = False


def leaks(
    graph: Graph,
    design: Design,
    catalog: Catalog,
    params: Mapping[str, Mapping[str, Any]],
    signals: Mapping[tuple[str, str, str], Signal],
) -> Iterator[Leak]:
    """Every loss of the main graph whose prediction depends on its own target.

    A path is followed backwards with the number of steps it reads earlier: a Delay of k adds k, Feedback adds 1, what
    reads a whole axis (a pool, Reverse, a loop that runs backward) may read anything. signals: of the design's ports.
    """
    fields: Mapping[str, FieldSpec] = design.data.readable if design.data is not None else {}
    feeds = _feeds(graph)
    by_axis: dict[str, tuple[_Ahead, Mapping[str, Sequence[tuple[str, int]]]]] = {}
    for node in graph.nodes.values():
        kind = catalog.of(node)
        if kind is None or kind.family != "Losses":
            continue
        prediction, target = feeds.get(node.id, {}).get("prediction"), feeds.get(node.id, {}).get("target")
        if prediction is None or target is None or target not in params:
            continue
        wanted = str(params[target].get("field", ""))
        spec = fields.get(wanted)
        shift = (spec.shift_of, spec.shift) if spec is not None and spec.shift_of else ("", 0)
        along = _axis(params[target], spec)
        if along not in by_axis:
            ahead = _Ahead(design, catalog, along)
            by_axis[along] = ahead, _reads(graph, catalog, params, feeds, ahead)
        ahead, reads = by_axis[along]
        hit = _Hit(wanted, shift)
        if not _leaks(reads, params, prediction, hit):
            if spec is not None and spec.causal:
                yield from _looks_ahead(
                    node.id, fields, reads, (graph, catalog, params, feeds, ahead, prediction), along
                )
            continue
        found = _search(graph, catalog, params, feeds, ahead, prediction, hit)
        if found is None:
            continue
        step_by_step = _along(graph, catalog, signals, along)
        direct = _search(graph, catalog, params, step_by_step, ahead, prediction, hit)
        yield Leak(node.id, direct or found, wanted, later=bool(shift[0]), whole=direct is None)


@dataclass(frozen=True, slots=True)
class _Hit:
    """A field that is read too early: the target itself, or the one it is later read of."""

    target: str
    shift: tuple[str, int]

    def __call__(self, field: str, earlier: int) -> bool:
        return bool(field) and (
            (field == self.target and earlier <= 0) or (field == self.shift[0] and earlier <= -self.shift[1])
        )


@dataclass(frozen=True, slots=True)
class _HitAhead:
    """A field along the axis of a target, of which a later step is read."""

    fields: frozenset[str]

    def __call__(self, field: str, earlier: int) -> bool:
        return field in self.fields and earlier < 0


def _looks_ahead(
    loss: str,
    fields: Mapping[str, FieldSpec],
    reads: Mapping[str, Sequence[tuple[str, int]]],
    where: tuple[Graph, Catalog, Mapping[str, Mapping[str, Any]], Mapping[str, Mapping[str, str]], _Ahead, str],
    along: str,
) -> Iterator[Leak]:
    """Of a target that must be told from what stands before it: the way by which a later step is read."""
    graph, catalog, params, feeds, ahead, prediction = where
    hit = _HitAhead(frozenset(spec.name for spec in fields.values() if spec.role == "input" and spec.axis == along))
    if not _leaks(reads, params, prediction, hit):
        return
    found = _search(graph, catalog, params, feeds, ahead, prediction, hit)
    if found is not None:
        yield Leak(loss, found, str(params[found[0]].get("field", "")), later=False, ahead=True)


def _reads(
    graph: Graph,
    catalog: Catalog,
    params: Mapping[str, Mapping[str, Any]],
    feeds: Mapping[str, Mapping[str, str]],
    ahead: _Ahead,
) -> dict[str, list[tuple[str, int]]]:
    """For each node: the nodes it reads, each with how many steps earlier."""
    found: dict[str, list[tuple[str, int]]] = {}
    for key, ports in feeds.items():
        node = graph.nodes.get(key)
        if node is None:
            continue
        kind = catalog.of(node)
        own = params.get(key, {})
        if kind is not None and not (kind.late_ports or kind.shape_only or kind.whole_ports(own, ahead.along)):
            found[key] = [(source, 0) for source in ports.values()]
            continue
        shape_only = kind.shape_only if kind is not None else ()
        found[key] = [(s, ahead.offset(node, port, own)) for port, s in ports.items() if port not in shape_only]
    return found


def _leaks(
    reads: Mapping[str, Sequence[tuple[str, int]]],
    params: Mapping[str, Mapping[str, Any]],
    start: str,
    hit: _Hit | _HitAhead,
) -> bool:
    """Whether `start` may read a field too early, by the earliest way to each node. False is certain."""
    return any(hit(str(params.get(key, {}).get("field", "")), now) for key, now in _earliest(reads, [start]).items())


def _earliest(reads: Mapping[str, Sequence[tuple[str, int]]], starts: Sequence[str]) -> dict[str, int]:
    """For each node that some of `starts` read: how many steps earlier at least (below 0: ahead)."""
    earliest = dict.fromkeys(starts, 0)
    times: dict[str, int] = {}
    todo = list(starts)
    while todo:
        key = todo.pop()
        now = earliest[key]
        for source, offset in reads.get(key, ()):
            moved = now + offset if offset else now
            moved = EVERYWHERE if moved < EVERYWHERE else min(moved, EARLIEST)
            if moved < earliest.get(source, EARLIEST + 1):
                times[source] = times.get(source, 0) + 1
                # A loop that reads ahead comes round again and again, each time further ahead.
                earliest[source] = moved if times[source] <= TURNS else EVERYWHERE
                todo.append(source)
    return earliest


def _search(
    graph: Graph,
    catalog: Catalog,
    params: Mapping[str, Mapping[str, Any]],
    feeds: Mapping[str, Mapping[str, str]],
    ahead: _Ahead,
    start: str,
    hit: _Hit | _HitAhead,
) -> tuple[str, ...] | None:
    """The nodes from the field that is read too early to `start`, or None."""
    seen: set[tuple[str, int]] = set()
    came: dict[tuple[str, int], tuple[str, int] | None] = {(start, 0): None}
    todo = [(start, 0)]
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        key, earlier = place
        node = graph.nodes.get(key)
        if node is None:
            continue
        field = str(params.get(key, {}).get("field", ""))
        if hit(field, earlier):
            path: list[str] = []
            step: tuple[str, int] | None = place
            while step is not None:
                path.append(step[0])
                step = came[step]
            return tuple(path)
        kind = catalog.of(node)
        for port, source in feeds.get(key, {}).items():
            if kind is not None and port in kind.shape_only:
                continue
            moved = max(EVERYWHERE, min(earlier + ahead.offset(node, port, params.get(key, {})), EARLIEST))
            following = (source, moved)
            if following not in seen:
                came.setdefault(following, place)
                todo.append(following)
    return None


class _Ahead:
    """How many steps earlier, along one axis, a node reads one of its inputs."""

    def __init__(self, design: Design, catalog: Catalog, along: str) -> None:
        self.design = design
        self.catalog = catalog
        self.along = along
        self._cells: dict[tuple[Any, ...], Mapping[str, int]] = {}
        """What was found for a cell with certain values of its variables."""

    def offset(self, node: Any, port: str, params: Mapping[str, Any]) -> int:
        if node.kind == CELL:
            cell = self.design.cells.get(str(node.params.get("cell", "")))
            return self._inside(cell, params).get(port, 0) if cell is not None else 0
        kind = self.catalog.of(node)
        if kind is None:
            return 0
        if port in kind.whole_ports(params, self.along):
            return EVERYWHERE
        if port not in kind.late_ports:
            return 0
        k = params.get("k", 1)
        return k if isinstance(k, int) else 1

    def _inside(self, cell: CellDefinition, given: Mapping[str, Any]) -> Mapping[str, int]:
        """How many steps earlier at least the outputs of a cell with these parameters read each of its inputs."""
        variables = {name: given.get(name, default) for name, default in cell.params.items()}
        place = (cell.name, *variables.items())
        if place not in self._cells:
            self._cells[place] = {}
            nodes = cell.graph.nodes
            feeds = _feeds(cell.graph)
            params = {key: _with(node.params, variables) for key, node in nodes.items()}
            reads = _reads(cell.graph, self.catalog, params, feeds, self)
            found = _earliest(reads, [key for key, node in nodes.items() if node.kind == "CellOutput"])
            inputs = (key for key, node in nodes.items() if node.kind == "CellInput")
            self._cells[place] = {key: found[key] for key in inputs if key in found}
        return self._cells[place]


def _with(params: Mapping[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters as drawn in a cell, with the cell's variables replaced where they are known."""
    return {name: variables.get(v.name, v) if isinstance(v, Var) else v for name, v in params.items()}


def _axis(params: Mapping[str, Any], spec: FieldSpec | None) -> str:
    """The axis of a target; "" when it has none."""
    if spec is not None and not spec.axis:
        return ""
    return str(params.get("axis") or (spec.axis if spec is not None else ""))


def _along(
    graph: Graph, catalog: Catalog, signals: Mapping[tuple[str, str, str], Signal], along: str
) -> dict[str, dict[str, str]]:
    """As `_feeds`, without the wires whose value does not go along with the target's steps: it has no axis (a code), or
    those of other inputs alone (what is attended to)."""
    kinds = {key: catalog.of(node) for key, node in graph.nodes.items()}
    data = {key for key, kind in kinds.items() if kind is not None and kind.family == "Data"}
    given = [signal.axes for (where, key, _), signal in signals.items() if where == MAIN and key in data]
    others = {axis for axes in given for axis in axes} - {along}
    feeds: dict[str, dict[str, str]] = {}
    for wire in graph.wires:
        signal = signals.get((MAIN, wire.source.node, wire.source.port))
        if not along or signal is None or not others.issuperset(signal.axes):
            feeds.setdefault(wire.target.node, {})[wire.target.port] = wire.source.node
    return feeds


def _feeds(graph: Graph) -> dict[str, dict[str, str]]:
    """For each node: input port → the node it is wired to."""
    feeds: dict[str, dict[str, str]] = {}
    for wire in graph.wires:
        feeds.setdefault(wire.target.node, {})[wire.target.port] = wire.source.node
    return feeds
