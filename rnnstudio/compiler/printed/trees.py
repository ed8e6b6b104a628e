"""The printed form of trees: their nodes by height, the loop over them, and what reads children or the root."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ...catalog.primitives import Op
from ...catalog.trees import CHILDREN
from ...design.signals import Tokens
from ..program import Region, Scan, region_ops, scans_of
from .weights import one_mask, shared_masks
from .writer import Form, Writer, one

HELPERS = {
    "Forest": '''\
class Forest:
    """Trees of a batch by parents [batch, nodes] (-1: root); nodes are ordered by height, leaves first."""

    def __init__(self, parents, lengths):
        self.given = parents, lengths
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

    def need(self, children, loop):
        """Raise ValueError where a node has more children than a loop has places for."""
        for kids in self.below:
            if len(kids) > children:
                raise ValueError(f"a node has {len(kids)} children but {loop} reads {children} of a node")

    def of(self, examples):
        """The trees of these examples, in this order."""
        parents, lengths = self.given
        return Forest(parents[examples], None if lengths is None else lengths[examples.to(lengths.device)])

    def most(self, first, last):
        """The largest number of children among some nodes, at least 1."""
        return max(1, *(len(kids) for kids in self.below[first:last]))

    def lengths(self, lengths, first, last, children):
        """Lengths for a run in which some nodes are the batch: those of their examples, and along their children."""
        own = {k: v[self.example[first:last].to(v.device)] for k, v in (lengths or {}).items()}
        return {**own, children: torch.tensor([len(kids) for kids in self.below[first:last]])}

    def by_height(self, x, dim):
        """[..., batch, width] with nodes at dim -> [..., ranks, width] (of tokens without the width)."""
        at = x.dim() - (3 if x.is_floating_point() else 2)
        return x.movedim(dim, at).flatten(at, at + 1).index_select(at, self.place)

    def by_node(self, levels, dim):
        """Levels [..., n, width] -> [..., batch, width] with nodes at dim; padding holds zeros. Tokens: no width."""
        at = levels[0].dim() - (2 if levels[0].is_floating_point() else 1)
        x = torch.cat(levels, at)
        whole = x.new_zeros(*x.shape[:at], self.size * self.batch, *x.shape[at + 1 :]).index_copy(at, self.place, x)
        return whole.unflatten(at, (self.size, self.batch)).movedim(at, dim)

    def children(self, done, first, last, missing, *sizes, slot=None):
        """What the children of some nodes gave, [children, *sizes, n, width], or of one child [*sizes, n, width]."""
        below = torch.cat([*done, missing.expand(*sizes, 1, -1)], -2)
        empty, most = below.shape[-2] - 1, max(self.most(first, last), slot + 1 if slot is not None else 1)
        rows = [kids + [empty] * (most - len(kids)) for kids in self.below[first:last]]
        table = torch.tensor(rows, device=below.device)
        if slot is not None:
            return below.index_select(-2, table[:, slot])
        return below.index_select(-2, table.T.flatten()).unflatten(-2, (most, last - first)).movedim(-3, 0)

    def root(self, x, dim):
        """The value at each tree's root, [..., batch, width]."""
        x = x.movedim(dim, x.dim() - 3).flatten(-3, -2)
        return x.index_select(x.dim() - 2, self.roots)
''',
}


Inner = Callable[[Writer, Sequence[Region]], Iterator[str]]
"""Prints the regions of a loop's body."""


def tree_loop(w: Writer, scan: Scan, inner: Inner) -> Iterator[str]:
    """A loop over a tree behind its projections: inside it, the batch is all nodes of one height."""
    forest = w.forest(scan.axis)
    if scan.ordered_children:
        yield f'{forest}.need({scan.ordered_children}, "{scan.name}")'
    yield from shared_masks(w, region_ops(scan.body), w.anything())
    ranks: dict[str, str] = {}
    for read in scan.reads:
        ranks[read.name] = w.variable(f"ranks of {read.name} over {scan.axis}", f"{read.name}_by_height")
        yield f"{ranks[read.name]} = {forest}.by_height({w.variable(read.name)}, {read.dim})"
    kept = list(dict.fromkeys([*(state.source for state in scan.states), *scan.yields]))
    lists = {name: w.variable(f"levels of {name} over {scan.axis}", f"{name}_levels") for name in kept}
    for steps in lists.values():
        yield f"{steps} = []"
    first, last = (w.variable(f"{end} rank of {scan.axis}", end) for end in ("first", "last"))
    yield f"for {first}, {last} in {forest}.levels:"
    yield from (f"    {line}".rstrip() for line in _level(w, scan, ranks, lists, inner))
    for name in scan.yields:
        yield f"{w.variable(name)} = {forest}.by_node({lists[name]}, {scan.dims[name]})"


def _level(w: Writer, scan: Scan, ranks: Mapping[str, str], lists: Mapping[str, str], inner: Inner) -> Iterator[str]:
    forest, children = w.forest(scan.axis), scan.axis + CHILDREN
    first, last = (w.variable(f"{end} rank of {scan.axis}") for end in ("first", "last"))
    saved, outer = dict(w.names), (w.batch, w.lengths, w.loops)
    example = w.variable(f"example of {scan.axis}", f"{forest}_example")
    yield f"{example} = {forest}.example[{first}:{last}]"
    yield f"{w.axes[children]} = {forest}.most({first}, {last})"
    lengths = w.variable(f"lengths in {scan.axis}", f"{forest}_lengths")
    yield f'{lengths} = {forest}.lengths({w.lengths}, {first}, {last}, "{children}")'
    w.batch, w.lengths = f"{last} - {first}", lengths
    for name, variable in ranks.items():
        behind = "" if isinstance(w.program.signals[name].content, Tokens) else ", :"
        here = w.anew(f"{w.names[name]}_n")
        yield f"{here} = {variable}[..., {first}:{last}{behind}]"
        w.names[name] = here
    for name, dim in _of_the_example(w, scan):
        here = w.anew(f"{w.names[name]}_n")
        yield f"{here} = {w.names[name]}.index_select({dim}, {example})"
        w.names[name] = here
    for axis in _other_trees(scan):
        here = w.anew(f"{w.forest(axis)}_n")
        yield f"{here} = {w.forest(axis)}.of({example})"
        w.names[f"forest of {axis}"] = here
    w.loops = {}
    for axis, (t, valid) in outer[2].items():
        here = w.anew(f"{valid}_n")
        yield f"{here} = None if {valid} is None else {valid}[:, {example}]"
        w.loops[axis] = (t, here)
    for state in scan.states:
        further = [a for a in state.signal.axes if a != state.children]
        call = _call(w, scan.axis, f"{lists[state.source]}, {first}, {last}", state.weight, state.signal.width, further)
        how = {"sum": ").sum(0)", "slot": f", slot={state.slot})", "each": ")"}[state.how]
        yield f"{w.variable(state.delay)} = {call}{how}"
    yield from inner(w, scan.body)
    for name, steps in lists.items():
        yield f"{steps}.append({w.names[name]})"
    w.batch, w.lengths, w.loops = outer
    w.names |= {key: variable for key, variable in saved.items() if w.names[key] != variable}


def _of_the_example(w: Writer, scan: Scan) -> Iterator[tuple[str, int]]:
    """What every node of a tree reads of its example: values without the tree's axis, masks for all nodes."""
    yield from scan.constants.items()
    yield from ((key, -2) for op in region_ops(scan.body) if (key := one_mask(op)) in w.names)


def _other_trees(scan: Scan) -> list[str]:
    """Other trees that the body of a loop reads."""
    ops = (op.attrs["axis"] for op in region_ops(scan.body) if op.kind in ("children", "root"))
    return list(dict.fromkeys((*ops, *(inner.axis for inner in scans_of(scan.body) if inner.tree))))


def _call(w: Writer, axis: str, nodes: str, weight: str | None, width: int, further: Sequence[str]) -> str:
    """The beginning of a call of Forest.children."""
    missing = w.parameter(weight) if weight else w.zeros(width)
    return f"{w.forest(axis)}.children({', '.join((nodes, missing, *(w.axes[a] for a in further)))}"


def _children(w: Writer, op: Op, a: list[str]) -> str:
    """Children outside of every loop over their tree."""
    axis, how, axes = op.attrs["axis"], op.attrs["how"], op.signal.axes
    forest, dim = w.forest(axis), axes.index(axis)
    nodes = f"[{forest}.by_height({a[0]}, {dim})], 0, len({forest}.place)"
    call = _call(w, axis, nodes, op.attrs["weight"], op.signal.width, [other for other in axes if other != axis])
    call += {"sum": ").sum(0)", "slot": f", slot={op.attrs['slot']})"}[how]
    return f"{forest}.by_node([{call}], {dim})"


def _root(w: Writer, op: Op, a: list[str]) -> str:
    axis = op.attrs["axis"]
    return f"{w.forest(axis)}.root({a[0]}, {op.attrs['axes'].index(axis)})"


PRINTED: dict[str, Form] = {"children": one(_children), "root": one(_root)}
