"""‖∂L/∂h_t‖ of the states of loops: the total, through all later steps. A hook on a fused loop's output would see only
what the loss asks of each step directly.

Two ways to it: `by_autograd` goes through a reference loop that has recorded every step; `of_batch` reads what fused
loops left behind on the way back of an ordinary training step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ..compiler.program import Map, Program, Scan, State, region_ops
from .context import Watch


def by_autograd(program: Program, total: Tensor | None, record: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    """Path of a state → [time], of one example. total: its loss; record: all values of all steps, in its graph."""
    if total is None or not total.requires_grad:
        return {}
    states = [found for found in _states(program) if found[1].source in record]
    leaves = [x for _, state, _ in states for x in record[state.source] if x.requires_grad]
    if not leaves:
        return {}
    grads = iter(torch.autograd.grad(total, leaves, allow_unused=True))
    found: dict[str, Tensor] = {}
    for scan, state, path in states:
        norms = []
        for x in record[state.source]:
            grad = next(grads) if x.requires_grad else None
            norms.append(grad.norm() if grad is not None else x.new_zeros(()))
        found[path] = torch.stack(norms if scan.forward else norms[::-1]).detach()
    return found


def of_batch(program: Program, watch: Watch, lengths: Mapping[str, Tensor], batch: int) -> dict[str, Tensor]:
    """Path of a state → [time, batch]; L: each example's own mean loss, as if it were alone in its batch. NaN at steps
    that an example does not have.

    watch: of one run with gradients, whose weights have not changed since. lengths: by the data's axis. Empty where
    a loop has run on a lowering that leaves nothing, and where the losses are not plain means over the same places.
    """
    norms = {delay: x for ask in watch for delay, x in ask().items()}
    own = _own_places(program, lengths, batch)
    states = list(_states(program))
    if own is None or not all(state.delay in norms for _, state, _ in states):
        return {}
    factor = own.sum() / own.clamp(min=1)
    found: dict[str, Tensor] = {}
    for scan, state, path in states:
        x = norms[state.delay]
        found[path] = x * factor.to(x)
        if program.axes[scan.axis] in lengths:
            padded = torch.arange(len(x))[:, None] >= lengths[program.axes[scan.axis]].cpu()
            found[path].masked_fill_(padded.to(x.device), math.nan)
    return found


def _states(program: Program) -> Iterator[tuple[Scan, State, str]]:
    """The states of the outer loops that are made in them, with the path of the node that makes them."""
    nodes = {op.name: op.node for op in region_ops(program.regions)}
    for scan in program.regions:
        if isinstance(scan, Scan):
            made = {op.name for region in scan.body if isinstance(region, Map) for op in region.ops}
            yield from ((scan, state, nodes[state.source]) for state in scan.states if state.source in made)


def _own_places(program: Program, lengths: Mapping[str, Tensor], batch: int) -> Tensor | None:
    """[batch] in proportion to how many places of each example the loss is a mean over."""
    ops = {op.name: op for op in region_ops(program.regions)}
    means = [ops[loss.value] for loss in program.losses]
    if any(op.kind != "average" or len(op.inputs) > 1 for op in means):
        return None
    if len({tuple(sorted(op.attrs["axes"])) for op in means}) != 1:
        return None
    own = torch.ones(batch, dtype=torch.int64)
    for axis in means[0].attrs["axes"]:
        data = program.axes[axis]
        if data in lengths:
            own = own * lengths[data].cpu()
    return own
