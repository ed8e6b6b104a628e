"""The printed form of trees: their nodes by height, the loop over them, and what reads children or the root."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ...catalog.primitives import Op
from ...catalog.trees import CHILDREN
from ..program import Region, Scan
from .writer import Form, Writer, one

HELPERS = {
    "Forest": '''\
class Forest:
    """Trees of a batch by parents [batch, nodes] (-1: root); nodes are ordered by height, leaves first."""

    def __init__(self, parents, lengths):
        self.batch, self.size = parents.shape
        count = [self.size] * self.batch if lengths is None else lengths.tolist()
        up = [row[:n] for row, n in zip(parents.tolist(), count)]
        height = [[0] * n for n in count]
        for example, row in enumerate(up):
            for node in range(len(row)):
                above, steps = row[node], 1
                while above >= 0:
                    height[example][above] = max(height[example][above], steps)
                    above, steps = row[above], steps + 1
        order = sorted((h, e, n) for e, row in enumerate(height) for n, h in enumerate(row))
        rank = {(e, n): i for i, (_, e, n) in enumerate(order)}
        self.below = [[] for _ in order]
        for e, row in enumerate(up):
            for n, above in enumerate(row):
                if above >= 0:
                    self.below[rank[e, above]].append(rank[e, n])
        heights = [h for h, _, _ in order]
        cuts = [i for i, h in enumerate(heights) if i == 0 or h != heights[i - 1]] + [len(order)]
        self.levels = list(zip(cuts, cuts[1:]))
        device = parents.device
        self.example = torch.tensor([e for _, e, _ in order], device=device)
        self.place = torch.tensor([n * self.batch + e for _, e, n in order], device=device)
        self.roots = torch.tensor([row.index(-1) * self.batch + e for e, row in enumerate(up)], device=device)

    def most(self, first, last):
        """The largest number of children among some nodes, at least 1."""
        return max(1, *(len(kids) for kids in self.below[first:last]))

    def lengths(self, lengths, first, last, axis):
        """Lengths for a run in which some nodes are the batch: those of their examples, and their children."""
        own = {k: v[self.example[first:last].cpu()] for k, v in (lengths or {}).items() if k != axis}
        return {**own, axis + "_children": torch.tensor([len(kids) for kids in self.below[first:last]])}

    def by_height(self, x, dim):
        """[..., nodes, batch, width] with nodes at dim -> [..., ranks, width]."""
        x = x.movedim(dim, x.dim() - 3).flatten(-3, -2)
        return x.index_select(x.dim() - 2, self.place)

    def by_node(self, x, dim):
        """[..., ranks, width] -> [..., nodes, batch, width] with nodes at dim; padding holds zeros."""
        at = x.dim() - 2
        whole = x.new_zeros(*x.shape[:at], self.size * self.batch, x.shape[-1]).index_copy(at, self.place, x)
        return whole.reshape(*x.shape[:at], self.size, self.batch, x.shape[-1]).movedim(at, dim)

    def children(self, done, first, last, missing, slot=None):
        """What the children of some nodes gave, [children, n, width], or of one child [n, width]."""
        below = torch.cat([*done, missing[None].to(done[0].dtype) if done else missing[None]])
        empty, most = len(below) - 1, self.most(first, last)
        rows = [kids + [empty] * (most - len(kids)) for kids in self.below[first:last]]
        table = torch.tensor(rows, device=below.device)
        if slot is None:
            return below[table.T]
        return below[table[:, slot]] if slot < most else missing.expand(last - first, -1)

    def root(self, x, dim):
        """The value at each tree's root, [..., batch, width]."""
        x = x.movedim(dim, x.dim() - 3).flatten(-3, -2)
        return x.index_select(x.dim() - 2, self.roots)
''',
}


def tree_loop(w: Writer, scan: Scan, inner: Callable[[Writer, Sequence[Region]], Iterator[str]]) -> Iterator[str]:
    """A loop over a tree behind its projections: inside it, the batch is all nodes of one height.

    inner: prints the regions of the loop's body.
    """
    forest = w.forest(scan.axis)
    ranks: dict[str, str] = {}
    for read in scan.reads:
        ranks[read.name] = w.variable(f"ranks of {read.name}", f"{read.name}_by_height")
        yield f"{ranks[read.name]} = {forest}.by_height({w.variable(read.name)}, {read.dim})"
    kept = list(dict.fromkeys([*(state.source for state in scan.states), *scan.yields]))
    lists = {name: w.variable(f"levels of {name}", f"{name}_levels") for name in kept}
    for steps in lists.values():
        yield f"{steps} = []"
    yield f"for first, last in {forest}.levels:"
    yield from (f"    {line}".rstrip() for line in _level(w, scan, ranks, lists, inner))
    for name in scan.yields:
        yield f"{w.variable(name)} = {forest}.by_node(torch.cat({lists[name]}, -2), {scan.dims[name]})"


def _level(
    w: Writer,
    scan: Scan,
    ranks: Mapping[str, str],
    lists: Mapping[str, str],
    inner: Callable[[Writer, Sequence[Region]], Iterator[str]],
) -> Iterator[str]:
    forest = w.forest(scan.axis)
    saved, outer = dict(w.names), (w.batch, w.lengths)
    w.batch, w.lengths = "last - first", f"{forest}_lengths"
    yield f"{w.axes[scan.axis + CHILDREN]} = {forest}.most(first, last)"
    yield f'{w.lengths} = {forest}.lengths(lengths, first, last, "{w.data_axis(scan.axis)}")'
    for name, variable in ranks.items():
        here = w.names[name] = f"{w.names[name]}_n"
        yield f"{here} = {variable}[..., first:last, :]"
    for name, dim in scan.constants.items():
        here = f"{w.names[name]}_n"
        yield f"{here} = {w.names[name]}.index_select({dim}, {forest}.example[first:last])"
        w.names[name] = here
    for state in scan.states:
        missing = w.parameter(state.weight) if state.weight else w.zeros(state.signal.width)
        call = f"{forest}.children({lists[state.source]}, first, last, {missing}"
        how = {"sum": ").sum(0)", "slot": f", {state.slot})", "each": ")"}[state.how]
        yield f"{w.variable(state.delay)} = {call}{how}"
    yield from inner(w, scan.body)
    for name, steps in lists.items():
        yield f"{steps}.append({w.names[name]})"
    w.batch, w.lengths = outer
    for name in (*ranks, *scan.constants):
        w.names[name] = saved[name]


def _children(w: Writer, op: Op, a: list[str]) -> str:
    """Children outside of every loop."""
    axis, how = op.attrs["axis"], op.attrs["how"]
    forest, dim = w.forest(axis), op.signal.axes.index(axis)
    missing = w.parameter(op.attrs["weight"]) if op.attrs["weight"] else w.zeros(op.signal.width)
    call = f"{forest}.children([{forest}.by_height({a[0]}, {dim})], 0, len({forest}.place), {missing}"
    call += {"sum": ").sum(0)", "slot": f", {op.attrs['slot']})"}[how]
    return f"{forest}.by_node({call}, {dim})"


def _root(w: Writer, op: Op, a: list[str]) -> str:
    axis = op.attrs["axis"]
    return f"{w.forest(axis)}.root({a[0]}, {op.attrs['axes'].index(axis)})"


PRINTED: dict[str, Form] = {"children": one(_children), "root": one(_root)}
