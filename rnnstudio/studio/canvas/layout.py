"""Tidy: a layered layout (Sugiyama et al. 1981) in which wires through time run back.

Values in, values out: no Qt. Time: about n · layers for a graph of n nodes; the usual drawing takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAP_Y = 30.0
SWEEPS = 10


@dataclass(frozen=True, slots=True)
class Edge:
    """A wire: its two nodes, the heights of its ports above or below the nodes' middles, the room its text needs."""

    source: str
    target: str
    source_dy: float = 0.0
    target_dy: float = 0.0
    label: float = 0.0
    late: bool = False
    """Through time: it may run back."""


def tidy(sizes: Mapping[str, tuple[float, float]], edges: Sequence[Edge]) -> dict[str, tuple[float, float]]:
    """The middle of every node. `sizes`: node → (width, height). The first layer stands at x = 0."""
    if not sizes:
        return {}
    forward = _without_cycles(sizes, [e for e in edges if not e.late and e.source != e.target])
    layer = _layers(sizes, forward)
    columns, links = _with_dummies(layer, forward)
    _order(columns, links)
    ys = _heights(columns, links, sizes)
    xs = _columns_x(columns, sizes, layer, forward)
    return {key: (xs[layer[key]], round(ys[key] / 10) * 10) for key in sizes}


def _without_cycles(sizes: Mapping[str, tuple[float, float]], edges: Sequence[Edge]) -> list[Edge]:
    """Edges less those that close a cycle, found depth first, without recursion."""
    leaving: dict[str, list[Edge]] = {key: [] for key in sizes}
    for each in edges:
        leaving[each.source].append(each)
    kept: list[Edge] = []
    state: dict[str, int] = {}
    for root in sizes:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(leaving[root]))]
        while stack:
            key, rest = stack[-1]
            edge: Edge | None = next(rest, None)
            if edge is None:
                state[key] = 2
                stack.pop()
            elif state.get(edge.target) != 1:
                kept.append(edge)
                if edge.target not in state:
                    state[edge.target] = 1
                    stack.append((edge.target, iter(leaving[edge.target])))
    return kept


def _layers(sizes: Mapping[str, tuple[float, float]], edges: Sequence[Edge]) -> dict[str, int]:
    """Longest path from the left; then what begins a path moves right, beside its first reader."""
    entering: dict[str, int] = dict.fromkeys(sizes, 0)
    leaving: dict[str, list[str]] = {key: [] for key in sizes}
    fed: set[str] = set()
    for edge in edges:
        entering[edge.target] += 1
        leaving[edge.source].append(edge.target)
        fed.add(edge.target)
    layer = dict.fromkeys(sizes, 0)
    ready = [key for key, count in entering.items() if count == 0]
    order: list[str] = []
    while ready:
        key = ready.pop()
        order.append(key)
        for target in leaving[key]:
            layer[target] = max(layer[target], layer[key] + 1)
            entering[target] -= 1
            if entering[target] == 0:
                ready.append(target)
    for key in reversed(order):
        if key not in fed and leaving[key]:
            layer[key] = min(layer[target] for target in leaving[key]) - 1
    return layer


Link = tuple[str, str, float, float]


def _with_dummies(layer: Mapping[str, int], edges: Sequence[Edge]) -> tuple[list[list[str]], list[Link]]:
    """Columns of node ids, and links between neighbouring columns; a long edge gets dummies on its way."""
    columns: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for key, at in layer.items():
        columns[at].append(key)
    links: list[Link] = []
    for number, edge in enumerate(edges):
        before, dy = edge.source, edge.source_dy
        for at in range(layer[edge.source] + 1, layer[edge.target]):
            dummy = f"\0{number}/{at}"
            columns[at].append(dummy)
            links.append((before, dummy, dy, 0.0))
            before, dy = dummy, 0.0
        links.append((before, edge.target, dy, edge.target_dy))
    return columns, links


def _neighbours(links: Sequence[Link]) -> tuple[dict[str, list[Link]], dict[str, list[Link]]]:
    into: dict[str, list[Link]] = {}
    out: dict[str, list[Link]] = {}
    for link in links:
        out.setdefault(link[0], []).append(link)
        into.setdefault(link[1], []).append(link)
    return into, out


def _order(columns: list[list[str]], links: Sequence[Link]) -> None:
    """Fewer crossings: each column sorted by the middle of its neighbours, to and fro."""
    into, out = _neighbours(links)
    for sweep in range(SWEEPS):
        rightward = sweep % 2 == 0
        for column in columns if rightward else reversed(columns):
            rank = {key: i for c in columns for i, key in enumerate(c)}

            def middle(key: str, rank: dict[str, int] = rank, rightward: bool = rightward) -> float:
                near = into.get(key, []) if rightward else out.get(key, [])
                if not near:
                    return float(rank[key])
                places = [rank[a] + da / 1000 if rightward else rank[b] + db / 1000 for a, b, da, db in near]
                return sum(places) / len(near)

            column.sort(key=middle)


def _heights(
    columns: list[list[str]], links: Sequence[Link], sizes: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """y of every node: as near as order and gaps allow to where its wires would run straight."""
    into, out = _neighbours(links)
    ys: dict[str, float] = {}
    half = {key: (sizes[key][1] / 2 if key in sizes else 2.0) for column in columns for key in column}
    for column in columns:
        y = 0.0
        for key in column:
            ys[key] = y + half[key]
            y += 2 * half[key] + GAP_Y
        for key in column:
            ys[key] -= (y - GAP_Y) / 2
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = []
            for key in column:
                near = [ys[a] + da - db for a, _, da, db in into.get(key, [])]
                near += [ys[b] + db - da for _, b, da, db in out.get(key, [])]
                wanted.append(sum(near) / len(near) if near else ys[key])
            for key, y in zip(column, _spread(column, wanted, half), strict=True):
                ys[key] = y
    return ys


def _spread(column: Sequence[str], wanted: Sequence[float], half: Mapping[str, float]) -> list[float]:
    """The least change (in squares) of `wanted` that keeps the order and the gaps: pool adjacent violators."""
    offsets: list[float] = []
    y = 0.0
    for i, key in enumerate(column):
        if i:
            y += half[column[i - 1]] + half[key] + GAP_Y
        offsets.append(y)
    blocks: list[list[float]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        blocks.append([want - offset, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value, count = blocks.pop()
            before, number = blocks[-1]
            blocks[-1] = [(before * number + value * count) / (number + count), number + count]
    flat = [value for value, count in blocks for _ in range(int(count))]
    return [value + offset for value, offset in zip(flat, offsets, strict=True)]


def _columns_x(
    columns: list[list[str]], sizes: Mapping[str, tuple[float, float]], layer: Mapping[str, int], edges: Sequence[Edge]
) -> list[float]:
    """The middle of each column: gaps wide enough for the texts on the wires between neighbours."""
    widths = [max((sizes[k][0] for k in column if k in sizes), default=0.0) for column in columns]
    xs: list[float] = []
    x = 0.0
    for i, width in enumerate(widths):
        if i:
            label = max((e.label for e in edges if layer[e.source] == i - 1 and layer[e.target] == i), default=0.0)
            x += widths[i - 1] / 2 + width / 2 + max(70.0, min(label + 44.0, 190.0))
        xs.append(round(x / 10) * 10.0)
        x = xs[-1]
    return xs
