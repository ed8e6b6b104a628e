"""How much a drawing comes to when its cells are opened: counted over the cells, before anything goes down into them.

Seven kilobytes can stand for a million nodes, where each cell holds two of the one before. A cell that is used often is
counted once, so that the count costs as much as the file is long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import networkx as nx

from ...catalog.catalog import CELL
from ...design.design import MAIN, Design, Graph
from .run import Run

MOST_NODES = 50_000
"""Nodes of a drawing, those of its cells counted as often as they are used. Checking so many takes some seconds."""
DEEPEST = 50
"""Cells inside one another. The library's reach 3."""
MOST_WAYS = 1_000
"""Ways through cells that contain one another which are followed to the end, so that the rest is checked as well."""


@dataclass(frozen=True, slots=True)
class _Size:
    nodes: int
    depth: int


def fits(run: Run) -> bool:
    """Whether the drawing may be looked into. Where not, the cell at which it becomes too large is reported."""
    design = run.design
    if not _followable(run):
        return False
    sizes: dict[str, _Size] = {}
    for name in _inner_first(design):
        size = _size(design.cells[name].graph, sizes)
        sizes[name] = size
        if size.depth > DEEPEST:
            text = f"cells lie {size.depth} deep in one another at “{name}”, where {DEEPEST} are allowed"
            run.report("CellsTooDeep", "error", f"{text}: draw some of them into one", MAIN, _users(design, name))
            return False
        if size.nodes > MOST_NODES:
            text = f"the cell “{name}” comes to {size.nodes:,} nodes with all the cells in it, more than {MOST_NODES:,}"
            run.report("TooManyNodes", "error", f"{text}: take some cells out of it", MAIN, _users(design, name))
            return False
    whole = _size(design.graph, sizes)
    if whole.nodes > MOST_NODES:
        text = f"the drawing comes to {whole.nodes:,} nodes with all its cells, more than {MOST_NODES:,}"
        run.report("TooManyNodes", "error", f"{text}: take some cells out of it", MAIN)
        return False
    return True


def _followable(run: Run) -> bool:
    """Whether cells that contain one another are few. Where not, every node that holds one of its kind is reported."""
    design = run.design
    holds = nx.MultiDiGraph()
    for name in _inner_first(design):
        for node in design.cells[name].graph.nodes.values():
            if node.kind == CELL and node.params.get(CELL) in design.cells:
                holds.add_edge(name, str(node.params[CELL]), node.id)
    followable = True
    for ring in nx.strongly_connected_components(holds):
        within = holds.subgraph(ring)
        if len(ring) == 1 or prod(count for _, count in within.out_degree()) <= MOST_WAYS:
            continue
        followable = False
        for outer, inner, node in within.edges(keys=True):
            text = f"the cell “{inner}” contains “{outer}”, and so itself: delete it from this drawing"
            run.report("CellInItself", "error", text, outer, (node,))
    return followable


def _size(graph: Graph, sizes: Mapping[str, _Size]) -> _Size:
    nodes, depth = 0, 0
    for node in graph.nodes.values():
        inner = sizes.get(str(node.params.get(CELL, ""))) if node.kind == CELL else None
        nodes += inner.nodes if inner is not None else 1
        depth = max(depth, inner.depth + 1 if inner is not None else 0)
    return _Size(nodes, depth)


def _inner_first(design: Design) -> list[str]:
    """The cells that the drawing uses, each after those in it. A cell within itself comes once; check tells of it."""
    order: list[str] = []
    seen: set[str] = set()
    stack = [(name, False) for name in _used(design.graph, design)]
    while stack:
        name, ready = stack.pop()
        if ready:
            order.append(name)
        elif name not in seen:
            seen.add(name)
            stack.append((name, True))
            stack += [(inner, False) for inner in _used(design.cells[name].graph, design) if inner not in seen]
    return order


def _used(graph: Graph, design: Design) -> list[str]:
    names = dict.fromkeys(str(node.params.get(CELL, "")) for node in graph.nodes.values() if node.kind == CELL)
    return [name for name in names if name in design.cells]


def _users(design: Design, name: str) -> tuple[str, ...]:
    """The nodes of the design's own graph that lead to a cell."""
    found = []
    for node in design.graph.nodes.values():
        todo, seen = [str(node.params.get(CELL, ""))] if node.kind == CELL else [], set()
        while todo:
            cell = todo.pop()
            if cell in seen or cell not in design.cells:
                continue
            seen.add(cell)
            todo += _used(design.cells[cell].graph, design)
        if name in seen:
            found.append(node.id)
    return tuple(found[:5])
