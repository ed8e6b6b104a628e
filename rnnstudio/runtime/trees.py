"""Loops over a tree: one run of the body for all nodes of one height in the whole mini-batch, leaves first."""

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

    run_map(Map(scan.projections), values, context)
    forest = context.forests[scan.axis]
    reads = {read.name: _by_rank(values[read.name], read.dim, forest) for read in scan.reads}
    outer = {name: values[name] for name in scan.constants}
    done: dict[str, list[Tensor]] = {state.source: [] for state in scan.states}
    collected: dict[str, list[Tensor]] = {name: [] for name in scan.yields}
    for first, last in forest.levels:
        table, arity = forest.children_of(first, last)
        inner = context.level(scan.axis, forest, first, last, {_axis_of(s): (table, arity) for s in scan.states})
        step = {name: x.narrow(x.dim() - 2, first, last - first) for name, x in reads.items()}
        example = forest.example[first:last]
        for name, x in outer.items():
            step[name] = x.index_select(scan.constants[name], example)
        for state in scan.states:
            step[state.delay] = children(state, done[state.source], table, arity, context)
        run_regions(scan.body, step, inner)
        for name, steps in done.items():
            steps.append(step[name])
        for name, steps in collected.items():
            steps.append(step[name])
    for name, steps in collected.items():
        values[name] = _by_node(steps, scan.dims[name], forest)


def children(state: State, done: Sequence[Tensor], table: Tensor, arity: Tensor, context: Context) -> Tensor:
    """What the children of some nodes gave: [n, width] summed or of one slot, [children, n, width] of each.

    done: the values of the levels below, by rank. table [n, most], arity [n]: see Forest.children_of.
    """
    count, width = table.shape[0], state.signal.width
    device = context.device
    if not done:
        missing = _missing(state, context)
        shape = (table.shape[1], count, width) if state.how == "each" else (count, width)
        return missing.expand(shape)
    below = torch.cat(list(done)) if len(done) > 1 else done[0]
    if state.how == "sum":
        node, slot = torch.nonzero(table >= 0, as_tuple=True)
        total = below.new_zeros(count, width)
        return total.index_add(0, node.to(device), below.index_select(0, table[node, slot].to(device)))
    everything = torch.cat([below, _missing(state, context).expand(1, width)])
    rows = torch.where(table < 0, below.shape[0], table).to(device)
    if state.how == "slot":
        if state.slot >= table.shape[1]:
            return _missing(state, context).expand(count, width)
        return everything.index_select(0, rows[:, state.slot])
    return everything[rows.T]


def _missing(state: State, context: Context) -> Tensor:
    """[width]: what a child that is not there gives."""
    if state.weight is not None:
        return context.weight(state.weight)
    return torch.zeros(state.signal.width, device=context.device, dtype=context.dtype)


def _axis_of(state: State) -> str:
    return state.children


def _by_rank(x: Tensor, dim: int, forest: Forest) -> Tensor:
    """[…, nodes, batch, width] with nodes at `dim` → […, ranks, width]."""
    x = x.movedim(dim, x.dim() - 3)
    return x.flatten(x.dim() - 3, x.dim() - 2).index_select(x.dim() - 3, forest.place)


def _by_node(steps: Sequence[Tensor], dim: int, forest: Forest) -> Tensor:
    """Values by level […, n, width] → […, nodes, batch, width] with nodes at `dim`; padding holds zeros."""
    x = torch.cat(list(steps), steps[0].dim() - 2)
    rank = x.dim() - 2
    shape = (*x.shape[:rank], forest.size * forest.batch, x.shape[-1])
    whole = x.new_zeros(shape).index_copy(rank, forest.place, x)
    return whole.reshape(*x.shape[:rank], forest.size, forest.batch, x.shape[-1]).movedim(rank, dim)


def _children_everywhere(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """Children outside of every loop: of values that are all known already."""
    axis = op.attrs["axis"]
    forest = context.forests[axis]
    dim = op.signal.axes.index(axis)
    x = _by_rank(inputs[0], dim, forest)
    if x.dim() != 2:
        raise NotImplementedError("children of values with further axes")
    table, arity = forest.children_of(0, forest.nodes)
    state = State(op.name, "", 1, op.signal, weight=op.attrs["weight"], how=op.attrs["how"], slot=op.attrs["slot"])
    return _by_node([children(state, [x], table, arity, context)], dim, forest)


def _root(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    forest = context.forests[op.attrs["axis"]]
    dim = op.attrs["axes"].index(op.attrs["axis"])
    x = inputs[0].movedim(dim, inputs[0].dim() - 3)
    return x.flatten(x.dim() - 3, x.dim() - 2).index_select(x.dim() - 3, forest.roots)


OPERATIONS["children"] = _children_everywhere
OPERATIONS["root"] = _root
