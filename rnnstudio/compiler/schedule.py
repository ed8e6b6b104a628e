"""Primitives in an order of execution: strongly connected components become loops over one axis, all else runs once.

What a loop reads from outside lies before it by construction, so the linear maps of its inputs are hoisted; those of
one source are joined into one product (`join`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import networkx as nx

from ..catalog.primitives import Op
from ..catalog.trees import CHILDREN
from ..design.signals import Real, Signal
from .flatten import Flat
from .loops import STATEFUL, ImpossibleLoop, axes_to_try, refuse_impossible
from .program import Map, Program, Read, Region, Scan, State
from .recognise import recognise


def schedule(
    name: str,
    flat: Flat,
    axes: Mapping[str, str],
    trees: Iterable[str] = (),
    copies: Mapping[str, str] = MappingProxyType({}),
    cut: str = "",
) -> Program:
    """The program of a flattened drawing. `axes`: drawing's axis → data's axis; `trees`: those that are trees.

    copies, cut: see Program.
    """
    signals = {i.name: i.signal for i in flat.inputs} | {op.name: op.signal for op in flat.ops}
    wanted = {*flat.outputs.values(), *(loss.value for loss in flat.losses), *(loss.prediction for loss in flat.losses)}
    regions = _Scheduler(signals).regions(flat.ops, wanted)
    return Program(
        name=name,
        inputs=flat.inputs,
        parameters=flat.parameters,
        regions=join(regions),
        losses=flat.losses,
        outputs=MappingProxyType(dict(flat.outputs)),
        signals=MappingProxyType(signals),
        axes=MappingProxyType(dict(axes)),
        trees=tuple(trees),
        copies=MappingProxyType(dict(copies)),
        cut=cut,
    )


class _Scheduler:
    def __init__(self, signals: Mapping[str, Signal]) -> None:
        self.signals = signals

    def regions(self, ops: Sequence[Op], wanted: set[str]) -> tuple[Region, ...]:
        """Regions of some ops in order. `wanted`: values read outside them."""
        by_name = {op.name: op for op in ops}
        graph = nx.DiGraph()
        graph.add_nodes_from(by_name)
        for op in ops:
            graph.add_edges_from((source, op.name) for source in op.inputs if source in by_name)
        graph.add_edges_from(_around_children(ops, graph))
        place = {op.name: i for i, op in enumerate(ops)}
        blocks = nx.condensation(graph)
        order = list(
            nx.lexicographical_topological_sort(blocks, key=lambda b: min(place[n] for n in blocks.nodes[b]["members"]))
        )
        readers: dict[str, set[str]] = {}
        for op in ops:
            for source in op.inputs:
                readers.setdefault(source, set()).add(op.name)
        regions: list[Region] = []
        pending: list[Op] = []
        for block in order:
            members = blocks.nodes[block]["members"]
            if len(members) == 1 and not graph.has_edge(*(tuple(members) * 2)):
                pending.append(by_name[next(iter(members))])
                continue
            inside = [op for op in ops if op.name in members]
            outside = {name for name in members if name in wanted or readers.get(name, set()) - members}
            projections = _projections(inside, pending, readers, wanted)
            pending = [op for op in pending if op not in projections]
            if pending:
                regions.append(Map(tuple(pending)))
                pending = []
            regions.append(self._loop(inside, outside, projections))
        if pending:
            regions.append(Map(tuple(pending)))
        return tuple(regions)

    def _loop(self, ops: list[Op], outside: set[str], projections: tuple[Op, ...]) -> Scan:
        """The loop along the first of its axes that can be the outer one. Raises ImpossibleLoop when none can."""
        impossible: ImpossibleLoop | None = None
        for axis in axes_to_try(ops):
            try:
                refuse_impossible(ops, axis)
                return self._scan(ops, axis, outside, projections)
            except ImpossibleLoop as error:
                impossible = impossible or error
        assert impossible is not None
        raise impossible

    def _scan(self, ops: list[Op], axis: str, outside: set[str], projections: tuple[Op, ...]) -> Scan:
        here = [op for op in ops if op.kind in STATEFUL and op.attrs["axis"] == axis]
        tree = here[0].kind == "children"
        forward = tree or here[0].attrs["k"] > 0
        states = tuple(_state(op, axis) for op in here)
        taken = {op.name for op in here}
        body = [_one_step(op, axis) for op in ops if op.name not in taken]
        members = {op.name for op in ops}
        reads: dict[str, Read] = {}
        constants: dict[str, int] = {}
        for sources in (*(op.inputs for op in body), *((state.source,) for state in states)):
            for source in sources:
                if source in members:
                    continue
                axes = self.signals[source].axes
                if axis in axes:
                    reads[source] = Read(source, axes.index(axis))
                else:
                    constants[source] = len(axes)
        yields = tuple(op.name for op in body if op.name in outside)
        late = tuple(op.name for op in here if op.name in outside)
        kept = {*yields, *(state.source for state in states)}
        inside = {name for op in body for name in (op.name, *op.inputs)}
        scan = Scan(
            name=_loop_name(here),
            axis=axis,
            forward=forward,
            projections=projections,
            states=states,
            reads=tuple(reads.values()),
            body=_Scheduler({n: _without(self.signals[n], axis) for n in inside}).regions(body, kept),
            yields=(*yields, *late),
            dims=MappingProxyType({n: self.signals[n].axes.index(axis) for n in (*yields, *late)}),
            constants=MappingProxyType(constants),
            tree=tree,
        )
        kernel, why_not = recognise(scan, self.signals)
        return replace(scan, kernel=kernel, why_not=why_not)


def _projections(
    inside: Sequence[Op], pending: Sequence[Op], readers: Mapping[str, set[str]], wanted: set[str]
) -> tuple[Op, ...]:
    """The linear maps before a loop that nothing but the steps of the loop read."""
    members = {op.name for op in inside}
    initial = {source for op in inside if op.kind == "delay" for source in op.inputs[1:]}
    read = {source for op in inside for source in op.inputs} - initial
    return tuple(
        op
        for op in pending
        if op.kind == "linear" and op.name in read and op.name not in wanted and readers[op.name] <= members
    )


def _state(op: Op, axis: str) -> State:
    attrs = op.attrs
    if op.kind == "children":
        signal = _without(op.signal, axis)
        each = axis + CHILDREN if attrs["how"] == "each" else ""
        start = "learned" if attrs["weight"] else "zero"
        return State(
            op.name,
            op.inputs[0],
            1,
            signal,
            start,
            attrs["weight"],
            how=attrs["how"],
            slot=attrs["slot"],
            beyond=attrs["beyond"],
            children=each,
        )
    given = op.inputs[1] if attrs["initial"] == "wire" else None
    signal = _without(op.signal, axis)
    return State(
        op.name, op.inputs[0], attrs["k"], signal, attrs["initial"], attrs["weight"], given, attrs.get("first", 0)
    )


def _without(signal: Signal, axis: str) -> Signal:
    return Signal(tuple(a for a in signal.axes if a != axis), signal.content)


def _around_children(ops: Sequence[Op], graph: nx.DiGraph) -> list[tuple[str, str]]:
    """Edges that make a loop of what lies between the children of a node, each along an axis, and their pooling.

    That axis has another length at every node, so it exists inside a loop over the tree only.
    """
    edges: list[tuple[str, str]] = []
    begins = {op.name: op.attrs["axis"] + CHILDREN for op in ops if op.kind == "children" and op.attrs["how"] == "each"}
    for axis in dict.fromkeys(begins.values()):
        along = {op.name for op in ops if axis in op.signal.axes}
        ends = {op.name for op in ops if op.name not in along and along.intersection(op.inputs)}
        below: dict[str, set[str]] = {}
        for begin in (name for name, own in begins.items() if own == axis):
            below[begin] = nx.descendants(graph, begin)
            edges += [(end, begin) for end in ends & below[begin]]
        # A value repeated along the children (to meet them) comes from none of them, and belongs to the same loop.
        lone = along - set(begins) - set().union(*below.values())
        for name in lone:
            meets = nx.descendants(graph, name) & along
            edges += [(begin, name) for begin, after in below.items() if meets & after]
    return edges


def _one_step(op: Op, axis: str) -> Op:
    """The operation as one step of a loop over `axis` sees it."""
    attrs = {
        key: tuple(a for a in value if a != axis) if key in ("axes", "axes2", "present") else value
        for key, value in op.attrs.items()
    }
    return replace(op, signal=_without(op.signal, axis), attrs=attrs)


def _loop_name(delays: Sequence[Op]) -> str:
    """The path that all states of a loop begin with: `encoder.lstm`."""
    paths = [op.node.split(".") for op in delays]
    common = []
    for parts in zip(*(p[:-1] for p in paths), strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return ".".join(common) or delays[0].node


def join(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Linear maps of one source become one product; each of them is then a slice of it."""
    out: list[Region] = []
    for region in regions:
        if isinstance(region, Map):
            out.append(Map(_join_ops(region.ops)))
        else:
            out.append(replace(region, projections=_join_ops(region.projections), body=join(region.body)))
    return tuple(out)


def _join_ops(ops: Sequence[Op]) -> tuple[Op, ...]:
    groups: dict[str, list[Op]] = {}
    for op in ops:
        if op.kind == "linear":
            groups.setdefault(op.inputs[0], []).append(op)
    firsts = {group[0].name: group for group in groups.values() if len(group) > 1}
    grouped = {op.name for group in firsts.values() for op in group}
    out: list[Op] = []
    for op in ops:
        group = firsts.get(op.name)
        if group is None:
            if op.name not in grouped:
                out.append(op)
            continue
        width = sum(member.signal.width for member in group)
        name = f"{op.name}/joined"
        weights = tuple(member.attrs["weight"] for member in group)
        biases = tuple(member.attrs["bias"] for member in group)
        signal = Signal(op.signal.axes, Real(width))
        out.append(Op(name, "linear", op.inputs, signal, op.node, {"weight": weights, "bias": biases}))
        start = 0
        for member in group:
            stop = start + member.signal.width
            out.append(replace(member, kind="slice", inputs=(name,), attrs={"start": start, "stop": stop}))
            start = stop
    return tuple(out)
