"""Cells over trees against hand-written ones: forward and backward of embedding and layer, 25 trees of 20 to 50 nodes.

As in Tai et al. 2015 the child-sum Tree-LSTM runs over trees with a word at every node (dependency trees, here with up
to four children a node), the binary one over trees with words at the leaves alone (constituency trees); so do the
pooling cell (the largest of what the children say) and the recursive neural tensor network (Socher et al. 2013).

`recursion`: one node after the other, as published code does it. `levels`: all nodes of one height of the mini-batch at
once under autograd, written with care: joined matrices, words of all nodes mapped at once (of leaves alone where only
leaves have one), index_select for children, index_add for sums. All get the structure of the trees ready made, ours too
its index tables, which it makes once for a forest. Ratios are times of the others divided by ours: how much faster ours
is. DGL's own batching of the cell's messages is timed where it is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rnnstudio.compiler.program import Map, Scan
from rnnstudio.runtime.context import Context
from rnnstudio.runtime.forest import Forest
from rnnstudio.runtime.fused.loops import TORCH
from rnnstudio.runtime.network import Network
from rnnstudio.runtime.put_off import Values, look_up_later, split
from rnnstudio.runtime.reference import run_map
from rnnstudio.runtime.trees import run_tree
from tests.bench.bench_cells import machine_codes
from tests.bench.side_by_side import keep_memory, machine, medians
from tests.runtime.fused.cells import Draw
from tests.runtime.fused.tree_cells import forest_of, max_pooled, random_trees, tree_program

TREES, SIZES, WORDS = 25, (64, 160, 256), 2000
COLUMNS = ("recursion", "levels", "DGL", "vectors", "matrix unit", "torch function", "reference")


@dataclass(frozen=True)
class Level:
    """Nodes first … last − 1; edges: child and place of the parent in the level; left, right: the two children.

    table: the edges of each node, side by side, filled up with the number of edges.
    """

    first: int
    last: int
    child: Tensor
    parent: Tensor
    left: Tensor
    right: Tensor
    table: Tensor


class OfWords(nn.Module):
    """What every cell has: a table of words, and the map of a word's vector to all that a node needs of it."""

    def __init__(self, units: int, mapped: int) -> None:
        super().__init__()
        self.units = units
        self.words = nn.Embedding(WORDS, units)
        self.x = nn.Linear(units, mapped)


class ChildSum(OfWords):
    """Tai et al. 2015, section 3.1, with a word at every node."""

    def __init__(self, units: int) -> None:
        super().__init__(units, 4 * units)
        self.iou = nn.Linear(units, 3 * units, bias=False)
        self.forget = nn.Linear(units, units, bias=False)

    def node(self, x: Tensor, states: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        iou, f = self.x(x).split((3 * self.units, self.units))
        if not states:
            i, o, u = iou.chunk(3)
            c = torch.sigmoid(i) * torch.tanh(u)
            return torch.sigmoid(o) * torch.tanh(c), c
        h, c = (torch.stack(parts) for parts in zip(*states, strict=True))
        i, o, u = (iou + self.iou(h.sum(0))).chunk(3)
        kept = (torch.sigmoid(f + self.forget(h)) * c).sum(0)
        c = torch.sigmoid(i) * torch.tanh(u) + kept
        return torch.sigmoid(o) * torch.tanh(c), c

    def levels(self, words: Tensor, levels: Sequence[Level]) -> Tensor:
        units = self.units
        mapped = self.x(self.words(words))
        h = c = mapped.new_empty(0, units)
        for level in levels:
            iou, f = mapped[level.first : level.last].split((3 * units, units), 1)
            if not level.first:
                i, o, u = iou.chunk(3, 1)
                c_new = torch.sigmoid(i) * torch.tanh(u)
            else:
                n = level.last - level.first
                h_child, c_child = h.index_select(0, level.child), c.index_select(0, level.child)
                total = h.new_zeros(n, units).index_add(0, level.parent, h_child)
                gate = torch.sigmoid(f.index_select(0, level.parent) + self.forget(h_child))
                kept = h.new_zeros(n, units).index_add(0, level.parent, gate * c_child)
                i, o, u = (iou + self.iou(total)).chunk(3, 1)
                c_new = torch.sigmoid(i) * torch.tanh(u) + kept
            h_new = torch.sigmoid(o) * torch.tanh(c_new)
            h, c = torch.cat([h, h_new]), torch.cat([c, c_new])
        return h


class Binary(OfWords):
    """Tai et al. 2015, section 3.2, for two children, with words at the leaves."""

    def __init__(self, units: int) -> None:
        super().__init__(units, 3 * units)
        self.h = nn.Linear(2 * units, 5 * units)

    def node(self, x: Tensor, states: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        if not states:
            i, o, u = self.x(x).chunk(3)
            c = torch.sigmoid(i) * torch.tanh(u)
            return torch.sigmoid(o) * torch.tanh(c), c
        (h_left, c_left), (h_right, c_right) = states
        left, right, i, o, u = self.h(torch.cat([h_left, h_right])).chunk(5)
        c = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(left) * c_left + torch.sigmoid(right) * c_right
        return torch.sigmoid(o) * torch.tanh(c), c

    def levels(self, words: Tensor, levels: Sequence[Level]) -> Tensor:
        h = c = self.x.weight.new_empty(0, self.units)
        for level in levels:
            if not level.first:
                i, o, u = self.x(self.words(words[: level.last])).chunk(3, 1)
                c_new = torch.sigmoid(i) * torch.tanh(u)
            else:
                both = torch.cat([h.index_select(0, level.left), h.index_select(0, level.right)], 1)
                left, right, i, o, u = self.h(both).chunk(5, 1)
                c_new = torch.sigmoid(i) * torch.tanh(u)
                c_new = c_new + torch.sigmoid(left) * c.index_select(0, level.left)
                c_new = c_new + torch.sigmoid(right) * c.index_select(0, level.right)
            h_new = torch.sigmoid(o) * torch.tanh(c_new)
            h, c = torch.cat([h, h_new]), torch.cat([c, c_new])
        return h


class Rntn(OfWords):
    """Socher et al. 2013, with words at the leaves."""

    def __init__(self, units: int) -> None:
        super().__init__(units, units)
        self.h = nn.Linear(2 * units, units)
        self.tensor = nn.Linear(2 * units, units * 2 * units, bias=False)
        nn.init.uniform_(self.tensor.weight, -0.5 / units, 0.5 / units)  # larger ones grow from level to level

    def node(self, x: Tensor, states: Sequence[tuple[Tensor]]) -> tuple[Tensor]:
        if not states:
            return (torch.tanh(self.x(x)),)
        both = torch.cat([states[0][0], states[1][0]])
        return (torch.tanh(self.h(both) + self.tensor(both).view(self.units, -1) @ both),)

    def levels(self, words: Tensor, levels: Sequence[Level]) -> Tensor:
        h = torch.tanh(self.x(self.words(words[: levels[0].last])))
        for level in levels[1:]:
            both = torch.cat([h.index_select(0, level.left), h.index_select(0, level.right)], 1)
            products = self.tensor(both).view(len(both), self.units, -1) @ both.unsqueeze(2)
            h = torch.cat([h, torch.tanh(self.h(both) + products.squeeze(2))])
        return h


class MaxPooled(OfWords):
    """The pooling aggregator of Hamilton et al. 2017, with a word at every node."""

    def __init__(self, units: int) -> None:
        super().__init__(units, units)
        self.said = nn.Linear(units, units)
        self.h = nn.Linear(units, units, bias=False)

    def node(self, x: Tensor, states: Sequence[tuple[Tensor]]) -> tuple[Tensor]:
        total = self.x(x)
        if states:
            said = torch.relu(self.said(torch.stack([state for (state,) in states])))
            total = total + self.h(said.amax(0))
        return (torch.tanh(total),)

    def levels(self, words: Tensor, levels: Sequence[Level]) -> Tensor:
        mapped = self.x(self.words(words))
        h = torch.tanh(mapped[: levels[0].last])
        for level in levels[1:]:
            said = torch.relu(self.said(h.index_select(0, level.child)))
            every = torch.cat([said, said.new_full((1, self.units), -torch.inf)]).index_select(0, level.table.flatten())
            most = every.view(*level.table.shape, -1).amax(1)
            h = torch.cat([h, torch.tanh(mapped[level.first : level.last] + self.h(most))])
        return h


Cell = ChildSum | Binary | Rntn | MaxPooled


@dataclass(frozen=True)
class Setup:
    """A drawing, the module that does the same, whether only leaves have words (and nodes two children), widths."""

    drawn: str | Draw
    module: Callable[[int], Cell]
    leaves_only: bool
    sizes: Sequence[int]


CELLS: dict[str, Setup] = {
    "ChildSumTreeLSTM": Setup("ChildSumTreeLSTM", ChildSum, False, SIZES),
    "BinaryTreeLSTM": Setup("BinaryTreeLSTM", Binary, True, SIZES),
    "RNTN": Setup("RNTN", Rntn, True, (32, 64, 128)),
    "max pooled": Setup(max_pooled, MaxPooled, False, SIZES),
}


def recursion(cell: Cell, children: Sequence[Sequence[int]], roots: Sequence[int], words: Tensor) -> Tensor:
    """[nodes, units] by rank, node by node from each root."""
    inputs = cell.words(words).unbind(0)
    found: list[Any] = [None] * len(children)

    def run(node: int) -> tuple[Tensor, ...]:
        states: list[Any] = [run(child) for child in children[node]]
        made: tuple[Tensor, ...] = cell.node(inputs[node], states)
        found[node] = made[0]
        return made

    for root in roots:
        run(root)
    return torch.stack(found)


def with_dgl(cell: ChildSum, forest: Forest, words: Tensor) -> Callable[[], Tensor]:
    """The child-sum cell as messages along the edges of a DGL graph, level by level as DGL orders them."""
    dgl = importlib.import_module("dgl")
    child = torch.arange(forest.nodes)[forest.parent >= 0]
    graph = dgl.graph((child, forest.parent[child]), num_nodes=forest.nodes)
    units = cell.units

    def message(edges: Any) -> dict[str, Tensor]:
        gate = torch.sigmoid(edges.dst["f"] + cell.forget(edges.src["h"]))
        return {"h": edges.src["h"], "kept": gate * edges.src["c"]}

    def reduce(nodes: Any) -> dict[str, Tensor]:
        return {"iou": nodes.data["iou"] + cell.iou(nodes.mailbox["h"].sum(1)), "kept": nodes.mailbox["kept"].sum(1)}

    def apply(nodes: Any) -> dict[str, Tensor]:
        i, o, u = nodes.data["iou"].chunk(3, 1)
        c = torch.sigmoid(i) * torch.tanh(u) + nodes.data["kept"]
        return {"h": torch.sigmoid(o) * torch.tanh(c), "c": c}

    def run() -> Tensor:
        iou, f = cell.x(cell.words(words)).split((3 * units, units), 1)
        zeros = iou.new_zeros(forest.nodes, units)
        graph.ndata.update({"iou": iou, "f": f, "h": zeros, "c": zeros, "kept": zeros})
        dgl.prop_nodes_topo(graph, message, reduce, apply_node_func=apply)
        found: Tensor = graph.ndata.pop("h")
        return found

    return run


def levels_of(forest: Forest) -> list[Level]:
    found = []
    for first, last in forest.levels:
        table = torch.from_numpy(forest.children[first:last])
        parent, slot = (table >= 0).nonzero(as_tuple=True)
        left, right = table[:, 0].contiguous(), table[:, -1].contiguous()
        edges = torch.full_like(table, len(parent))
        edges[parent, slot] = torch.arange(len(parent))
        edges = edges[:, : max(1, int((table >= 0).sum(1).max()))].contiguous()
        found.append(Level(first, last, table[parent, slot], parent, left, right, edges))
    return found


def ours(
    drawn: str | Draw, units: int, forest: Forest, words: Tensor, given: Tensor, lowering: str = ""
) -> Callable[[], None]:
    """One forward and backward of embedding and loop, as the network runs them. words: [nodes, batch].

    lowering: the one to run on, or as in training the one that wins the contest.
    """
    made = tree_program(drawn, units, inputs=units, words=WORDS)
    net = Network(made)
    scan = next(region for region in made.regions if isinstance(region, Scan))
    first = made.regions.index(scan)
    before = [(region, later) for region, later in split(made.regions, scan.yields)[:first] if isinstance(region, Map)]
    net.set_lowering_choices({scan.name: lowering} if lowering else {})

    def run() -> None:
        net.zero_grad()
        context = Context(
            net.weights,
            {"tree": forest.size},
            {},
            forest.batch,
            training=True,
            state={},
            device=words.device,
            dtype=given.dtype,
            forests={"tree": forest},
        )
        values = Values({"word": words})
        for region, later in before:
            run_map(region, values, context)
            look_up_later(later, values, context)
        if not net.loops.run(scan, values, context):
            run_tree(scan, values, context)
        values[scan.yields[0]].backward(given)

    return run


def by_hand(way: Callable[[], Tensor], module: nn.Module, given: Tensor) -> Callable[[], None]:
    def run() -> None:
        module.zero_grad()
        way().backward(given)

    return run


def vocabulary(forest: Forest, leaves_only: bool) -> Tensor:
    """[nodes, batch]: words as often as Zipf's law says; where only leaves have one, 0 stands for none."""
    g = torch.Generator().manual_seed(1)
    often = 1.0 / torch.arange(1, WORDS)
    words = 1 + torch.multinomial(often, forest.size * forest.batch, replacement=True, generator=g)
    if leaves_only:
        words[forest.place[forest.levels[0][1] :]] = 0
    return words.view(forest.size, forest.batch)


def ways_of(name: str, units: int) -> tuple[Forest, dict[str, Callable[[], None]]]:
    """Everything that is timed for one cell and width."""
    binary, drawn = CELLS[name].leaves_only, CELLS[name].drawn
    forest = forest_of(random_trees(TREES, 20, 50, 2 if binary else 4, random.Random(0)))
    structure = levels_of(forest)
    words = vocabulary(forest, binary)
    flat = words.flatten()[forest.place]
    given = torch.randn(forest.size, forest.batch, units)
    own = given.flatten(0, 1)[forest.place]
    children = [[k for k in row if k >= 0] for row in forest.children.tolist()]
    roots = (forest.parent < 0).nonzero()[:, 0].tolist()
    cell = CELLS[name].module(units)
    recursive, levelled = partial(recursion, cell, children, roots, flat), partial(cell.levels, flat, structure)
    torch.testing.assert_close(recursive(), levelled())
    ways = {
        "ours": ours(drawn, units, forest, words, given),
        **{on: ours(drawn, units, forest, words, given, lowering) for on, lowering in machine_codes().items()},
        "recursion": by_hand(recursive, cell, own),
        "levels": by_hand(levelled, cell, own),
        "torch function": ours(drawn, units, forest, words, given, TORCH),
        "reference": ours(drawn, units, forest, words, given, "reference"),
    }
    if isinstance(cell, ChildSum) and importlib.util.find_spec("dgl") is not None:
        messages = with_dgl(cell, forest, flat)
        torch.testing.assert_close(messages(), levelled())
        ways["DGL"] = by_hand(messages, cell, own)
    return forest, ways


def rows() -> Iterator[tuple[str, int, Forest, dict[str, float]]]:
    """For each cell and width the seconds of ours, and how many times that the others take."""
    for name in CELLS:
        for units in CELLS[name].sizes:
            forest, ways = ways_of(name, units)
            times = medians(ways)
            yield name, units, forest, {way: t / times["ours"] if way != "ours" else t for way, t in times.items()}


def main() -> None:
    keep_memory()
    print(machine())
    print("forward and backward; times of the others / ours; median of 7 interleaved rounds")
    if importlib.util.find_spec("dgl") is None:
        print("DGL: not installed")
    head = " ".join(f"{c:>14}" for c in COLUMNS)
    print(f"{'threads':>7} {'cell':>17} {'nodes':>5} {'levels':>6} {'H':>4} {'ms of ours':>10} {head}")
    threads = torch.get_num_threads()
    try:
        for count in sorted({1, min(2, threads)}):
            torch.set_num_threads(count)
            for name, units, forest, found in rows():
                cells = " ".join(f"{found[c]:>14.2f}" if c in found else f"{'–':>14}" for c in COLUMNS)
                size = f"{forest.nodes:>5} {len(forest.levels):>6} {units:>4}"
                print(f"{count:>7} {name:>17} {size} {found['ours'] * 1000:>10.2f} {cells}", flush=True)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
