"""Loops over a tree: one run of the body for all nodes of one height in the whole mini-batch, leaves first.

Values may have further axes beside the tree's, sequences or other trees: inside the loop "the batch" is the nodes of
one height, and everything else keeps its axes in front of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..catalog.primitives import Op
from ..compiler.program import Map, Scan, State
from .context import Context
from .forest import Forest
from .primitives import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_tree(scan: Scan, values: dict[str, Tensor], context: Context) -> None:
    """The loop over a tree by the reference. Inside it a "batch" is all nodes of one height."""
    from .reference import run_map, run_regions

    context.draw_shared_masks(scan)
    run_map(Map(scan.projections), values, context)
    forest = context.forest(scan.axis)
    reads = {read.name: by_rank(values[read.name], read.dim, forest) for read in scan.reads}
    outer = {name: values[name] for name in scan.constants}
    done: dict[str, list[Tensor]] = {state.source: [] for state in scan.states}
    collected: dict[str, list[Tensor]] = {name: [] for name in scan.yields}
    for first, last in forest.levels:
        table, arity = forest.children_of(first, last)
        inner = context.level(scan.axis, forest, first, last, {s.children: (table, arity) for s in scan.states})
        step = {name: x.narrow(batch_dim(x), first, last - first) for name, x in reads.items()}
        example = forest.example[first:last]
        for name, x in outer.items():
            step[name] = x.index_select(scan.constants[name], example)
        for state in scan.states:
            below = children(state, done[state.source], table, arity, inner)
            step[state.delay] = below if inner.looking is None else inner.looking.read(state, below, inner)
        run_regions(scan.body, step, inner)
        for name, steps in done.items():
            steps.append(step[name])
        for name, steps in collected.items():
            steps.append(step[name])
    for name, steps in collected.items():
        values[name] = by_node(steps, scan.dims[name], forest)


def children(state: State, done: Sequence[Tensor], table: Tensor, arity: Tensor, context: Context) -> Tensor:
    """What the children of some nodes gave: [*axes, n, width] summed or of one slot, [children, *axes, n, width] each.

    done: the values of the levels below, [*axes, ranks, width]; table [n, most], arity [n]: see Forest.children_of.
    """
    count, most = table.shape
    if not done:
        sizes = [most if axis == state.children else context.sizes[axis] for axis in state.signal.axes]
        return _missing(state, context).expand(*sizes, count, state.signal.width)
    below = torch.cat(list(done), -2) if len(done) > 1 else done[0]
    rank = below.dim() - 2
    if state.how == "sum":
        node, slot = torch.nonzero(table >= 0, as_tuple=True)
        total = below.new_zeros(*below.shape[:rank], count, below.shape[-1])
        each = below.index_select(rank, table[node, slot].to(below.device))
        return total.index_add(rank, node.to(below.device), each)
    empty = _missing(state, context).expand(*below.shape[:rank], 1, below.shape[-1])
    if state.how == "slot" and state.slot >= most:
        return empty.expand(*below.shape[:rank], count, below.shape[-1])
    everything = torch.cat([below, empty], rank)
    rows = torch.where(table < 0, below.shape[rank], table).to(below.device)
    if state.how == "slot":
        return everything.index_select(rank, rows[:, state.slot])
    each = everything.index_select(rank, rows.T.flatten())
    return each.reshape(*below.shape[:rank], most, count, below.shape[-1]).movedim(rank, 0)


def _missing(state: State, context: Context) -> Tensor:
    """[width]: what a child that is not there gives."""
    if state.weight is not None:
        return context.weight(state.weight)
    return torch.zeros(state.signal.width, device=context.device, dtype=context.dtype)


def batch_dim(x: Tensor) -> int:
    """The place of the batch in a value: [*axes, batch, width] of features, [*axes, batch] of tokens."""
    return x.dim() - (2 if x.is_floating_point() else 1)


def by_rank(x: Tensor, dim: int, forest: Forest) -> Tensor:
    """[…, batch, width] with nodes at `dim` → […, ranks, width] (of tokens without the width)."""
    rank = batch_dim(x) - 1
    return x.movedim(dim, rank).flatten(rank, rank + 1).index_select(rank, forest.place)


def by_node(steps: Sequence[Tensor], dim: int, forest: Forest) -> Tensor:
    """Values by level […, n, width] → […, batch, width] with nodes at `dim`; padding holds zeros. Tokens: no width."""
    rank = batch_dim(steps[0])
    x = torch.cat(list(steps), rank)
    shape = (*x.shape[:rank], forest.size * forest.batch, *x.shape[rank + 1 :])
    whole = x.new_zeros(shape).index_copy(rank, forest.place, x)
    return whole.reshape(*x.shape[:rank], forest.size, forest.batch, *x.shape[rank + 1 :]).movedim(rank, dim)


def _children_everywhere(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """Children outside of every loop over their tree, summed or of one slot: of values that are all known already."""
    axis = op.attrs["axis"]
    forest = context.forest(axis)
    dim = op.signal.axes.index(axis)
    table, arity = forest.children_of(0, forest.nodes)
    state = State(op.name, "", 1, op.signal, weight=op.attrs["weight"], how=op.attrs["how"], slot=op.attrs["slot"])
    return by_node([children(state, [by_rank(inputs[0], dim, forest)], table, arity, context)], dim, forest)


def _root(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    forest = context.forest(op.attrs["axis"])
    x = inputs[0]
    rank = x.dim() - 3
    return x.movedim(op.attrs["axes"].index(op.attrs["axis"]), rank).flatten(rank, -2).index_select(rank, forest.roots)


OPERATIONS["children"] = _children_everywhere
OPERATIONS["root"] = _root
