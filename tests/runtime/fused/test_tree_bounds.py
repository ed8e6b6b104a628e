"""Generated code of tree loops touches nothing outside of its buffers: canaries stand on both sides of every one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rnnstudio.compiler.program import Map, Program, Scan
from rnnstudio.runtime.fused.table_rows import add_rows, take_or_zero, take_rows
from rnnstudio.runtime.fused.together import Stacks
from rnnstudio.runtime.fused.tree_buffers import TreeBuffers, TreeGradients, allocate, gradients
from rnnstudio.runtime.fused.tree_form import tree_form
from rnnstudio.runtime.fused.tree_function import tree_names
from rnnstudio.runtime.fused.tree_hoisted import project
from rnnstudio.runtime.fused.tree_machine import TreeMachineLoop
from rnnstudio.runtime.fused.tree_plan import TreePlan, tree_plan
from rnnstudio.runtime.fused.tree_rows import TreeRows
from rnnstudio.runtime.fused.tree_torch import TreeTorchLoop
from rnnstudio.runtime.fused.tree_weights import with_blocks

from .cells import network
from .test_bounds import CANARY, WIDTHS, Guarded, target, with_vectors
from .tree_cells import DRAWN, chain, forest_of, star, tree_program

NAMES = ("child-sum", "learned missing", "reset", "weighted children", "wide", "rntn", "pooled", "attentive")
TREES = [chain(4), star(6), [-1], [1, 2, -1, 2, 1], [-1, 0, 0, 1, 1, 2, 2]]


class RowGuard(Guarded):
    def gapped(self, x: Tensor) -> Tensor:
        """Like x, pre-activations, with canaries between its rows too where they lie apart."""
        whole = self.like(x.new_full((x.shape[0], x.stride(0)), CANARY))
        inside = whole[:, : x.shape[1]]
        inside.copy_(x)
        self.between.append(whole[:, x.shape[1] :])
        return inside


class GuardedLoop(TreeMachineLoop):
    """Machine code whose scratch memory has canaries too."""

    guard: RowGuard

    def room(self, like: Tensor, *shape: int) -> Tensor:
        return self.guard.like(super().room(like, *shape))


def plan_of(made: Program) -> TreePlan:
    scan = next(region for region in made.regions if isinstance(region, Scan))
    maps = [region for region in made.regions if isinstance(region, Map)]
    weights = {op.name: str(op.attrs["weight"]) for m in maps for op in m.ops if op.kind == "parameter"}
    return tree_plan(tree_form(scan, made.signals, weights, training=False))


def guarded(guard: RowGuard, b: TreeBuffers) -> None:
    """Put every buffer between canaries."""
    b.slots = tuple(guard.gapped(x) for x in b.slots)
    b.saved, b.memories, b.sources = ([guard.like(x) for x in some] for some in (b.saved, b.memories, b.sources))
    b.children, b.yields, b.reads, b.vectors = (
        {name: guard.like(x) for name, x in some.items()} for some in (b.children, b.yields, b.reads, b.vectors)
    )
    b.biases = {path: guard.like(x.detach()) for path, x in b.biases.items()}


def guarded_gradients(guard: RowGuard, d: TreeGradients) -> None:
    d.slots = tuple(guard.gapped(x) for x in d.slots)
    d.carries, d.sources = ([guard.like(x) for x in some] for some in (d.carries, d.sources))
    d.children, d.vectors, d.reads, d.douts = (
        {name: guard.like(x) for name, x in some.items()} for some in (d.children, d.vectors, d.reads, d.douts)
    )


@pytest.mark.parametrize(("name", "width", "vectors"), with_vectors(NAMES))
def test_levels(name: str, width: int, vectors: str) -> None:
    check_levels(
        name,
        width,
        lambda plan: GuardedLoop(plan, torch.float32, target(vectors), team=width % 2 == 0),
        torch.float32,
        1e-4,
    )


def check_levels(
    name: str, width: int, loop_of: Callable[[TreePlan], GuardedLoop], dtype: torch.dtype, tolerance: float
) -> None:
    """A loop leaves its canaries alone and agrees with plain torch, to `tolerance` of each tensor's largest number."""
    made = tree_program(DRAWN[name], width)
    plan = plan_of(made)
    net = network(made, dtype)
    with torch.no_grad():
        for weight in net.weights.values():  # wide bilinear maps would make rounding errors grow from level to level
            weight.mul_(0.5)
    weights = with_blocks(plan.form.blocks, net.weights)
    names, rows, stacks = tree_names(plan), TreeRows(forest_of(TREES)), Stacks(plan)
    loop = loop_of(plan)
    g = torch.Generator().manual_seed(width)
    counts = {n: rows.edges if n in plan.spaces.reads else rows.nodes for n in plan.form.reads}
    reads = {n: torch.randn(counts[n], w, generator=g, dtype=dtype) for n, w in plan.form.reads.items()}
    parameters = {n: weights[plan.form.parameters[n]].detach() for n in names.vectors}
    stacked = {
        (i, j): stacks.of(p, weights).detach()
        for i, stage in enumerate(plan.stages)
        for j, p in enumerate(stage.products)
    }
    douts = {}
    for n, node in plan.form.yields:
        douts[n] = torch.full((rows.size * rows.batch, node.width), torch.nan, dtype=dtype)  # padding is not read
        douts[n][rows.lies] = torch.randn(rows.nodes, node.width, generator=g, dtype=dtype)
    loop.guard = guard = RowGuard()
    found = []
    for runner in (loop, TreeTorchLoop(plan)):
        missing = {path: weights[path].detach() for path in names.missing}
        b = allocate(plan, rows, torch.empty(0, dtype=dtype), dict(reads), dict(parameters), missing, stacked, {})
        b.inputs, b.biases = runner.inputs(frozenset()), {path: weights[path] for path in names.biases}
        with torch.no_grad():
            project(b, weights, {path: weights[path] for path in names.biases}, stacks)
            if runner is loop:
                guarded(guard, b)
            runner.forward(b)
            d = gradients(b, dict(douts))
            if runner is loop:
                guarded_gradients(guard, d)
            runner.backward(b, d)
        leaves = {n: rows.leaves if n in plan.inner else 0 for n in range(len(plan.form.slots))}
        result = {f"memory {i}": x for i, x in enumerate(b.memories)} | {f"d{n}": x for n, x in d.vectors.items()}
        result |= {f"slot {n}": d.whole(plan, ("dslot", n))[first:] for n, first in leaves.items()}
        found.append(result)
    guard.check()
    for key, x in found[0].items():
        wanted = found[1][key]
        scale = max(1.0, float(wanted.abs().max()))
        assert float((x - wanted).abs().max()) <= tolerance * scale, key


@pytest.mark.parametrize("width", WIDTHS)
def test_rows_of_a_table(width: int) -> None:
    guard = Guarded()
    table, rows = guard.like(torch.randn(7, width + 3)), guard.like(torch.randn(5, width))
    numbers = torch.tensor([6, 0, 3, 3, 6])
    before = table.clone()
    add_rows(table[:, :width], numbers, rows)
    wanted = before.clone()
    wanted[:, :width].index_add_(0, numbers, rows)
    torch.testing.assert_close(table, wanted)
    into = guard.like(torch.zeros(5, width + 2))
    take_rows(table[:, :width], numbers, into[:, :width])
    assert torch.equal(into[:, :width], table[numbers, :width])
    assert not into[:, width:].any()
    numbers[2], numbers[4] = -1, -7
    take_or_zero(table[:, :width], numbers, into[:, :width])
    assert torch.equal(into[:, :width], torch.where(numbers >= 0, table[numbers, :width].t(), 0.0).t())
    assert not into[:, width:].any()
    guard.check()
