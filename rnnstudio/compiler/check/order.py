"""In which order the nodes of a graph are computed within one step, and the loops that have none."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx

from ...catalog.catalog import CELL, Catalog
from ...design.design import CellDefinition, Design, Graph
from ..reach import reached
from .memory import Drawn
from .run import Run


def order_of(run: Run, graph_name: str, graph: Graph, drawn: dict[str, Drawn]) -> list[str]:
    """Nodes so that each comes after what it reads in the same step."""
    waiting: dict[str, int] = {}
    readers: dict[str, list[str]] = {key: [] for key in drawn}
    for key, item in drawn.items():
        sources = {source for port, (source, _) in item.feeds.items() if port not in item.late}
        waiting[key] = len(sources)
        for source in sources:
            readers[source].append(key)
    ready = [key for key, count in waiting.items() if count == 0]
    order: list[str] = []
    while ready:
        key = ready.pop()
        order.append(key)
        for reader in readers[key]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    if len(order) < len(drawn):
        stuck = nx.DiGraph((s, r) for s, rs in readers.items() for r in rs)
        for group in nx.strongly_connected_components(stuck):
            if len(group) > 1 or any(stuck.has_edge(n, n) for n in group):
                _loop_without_delay(run, graph_name, graph, drawn, sorted(group))
        done = set(order)
        order += [key for key in drawn if key not in done]
    _mixed_directions(run, graph_name, drawn)
    return order


def _loop_without_delay(run: Run, graph_name: str, graph: Graph, drawn: dict[str, Drawn], group: list[str]) -> None:
    members = set(group)
    wires = [w for w in graph.wires if w.source.node in members and w.target.node in members]
    wires = [w for w in wires if w.target.port not in drawn[w.target.node].late]
    for key in group:
        drawn[key].broken = True
    names = ", ".join(drawn[key].node.label for key in group)
    run.report(
        "LoopWithoutDelay",
        "error",
        f"{names} form{'s' if len(group) == 1 else ''} a loop within one step: put a Delay into it",
        graph_name,
        group,
        wires,
    )


def _mixed_directions(run: Run, graph_name: str, drawn: dict[str, Drawn]) -> None:
    delays = {key: item.params.get("k", 0) for key, item in drawn.items() if item.node.kind == "Delay"}
    if not (any(k > 0 for k in delays.values()) and any(k < 0 for k in delays.values())):
        return
    # What a Feedback or Children reads lies at another step, too: a loop through one need not run both ways at once.
    everything = nx.DiGraph(
        (source, key)
        for key, item in drawn.items()
        for port, (source, _) in item.feeds.items()
        if key in delays or port not in item.late
    )
    for group in nx.strongly_connected_components(everything):
        both = sorted(key for key in group if key in delays)
        axes = {drawn[key].params.get("axis", "") for key in both}
        if len(axes) == 1 and {delays[key] > 0 for key in both} == {True, False}:
            text = (
                "one loop has delays of both directions: "
                "it could run neither forward nor backward, so give them one direction"
            )
            run.report("MixedDirections", "error", text, graph_name, both)


def late_inputs(
    cell: CellDefinition, design: Design, catalog: Catalog, known: dict[str, tuple[str, ...]] | None = None
) -> tuple[str, ...]:
    """The inputs of a cell that reach none of its outputs within one step: a loop through them has its Delay inside.

    known: what was found for cells by name; a cell within itself counts as having no such input.
    """
    known = {} if known is None else known
    waiting, open_ = [cell], set()
    while waiting:  # those inside come first; without recursion, however deep they lie in one another
        one = waiting[-1]
        inner = [design.cells.get(str(n.params.get("cell", ""))) for n in one.graph.nodes.values() if n.kind == CELL]
        before = [c for c in inner if c is not None and c.name not in known and c.name not in open_]
        open_.add(one.name)
        if before:
            waiting += before
            continue
        waiting.pop()
        if one.name not in known:
            known[one.name] = _late(one, design, catalog, known)
    return known[cell.name]


def _late(
    cell: CellDefinition, design: Design, catalog: Catalog, known: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    graph = cell.graph
    forward: dict[str, list[str]] = {}
    for wire in graph.wires:
        node = graph.nodes.get(wire.target.node)
        if node is None:
            continue
        late: tuple[str, ...] = ()
        if node.kind == CELL:
            late = known.get(str(node.params.get("cell", "")), ())
        elif (kind := catalog.of(node)) is not None:
            late = kind.late_ports
        if wire.target.port not in late:
            forward.setdefault(wire.source.node, []).append(wire.target.node)
    found = []
    for node in graph.nodes.values():
        if node.kind != "CellInput":
            continue
        after = reached([node.id], forward)
        if not any(graph.nodes[key].kind == "CellOutput" for key in after if key in graph.nodes):
            found.append(node.id)
    return tuple(found)
