"""‖∂L/∂h_t‖ of the states of loops: the total, through all later steps. A hook on a fused loop's output would see only
what the loss asks of each step directly. And ‖∂L_T/∂h_t‖, of the last step's loss alone: `of_the_end`.

Two ways to the total: `by_autograd` goes through a reference loop that has recorded every step; `of_batch` reads what
fused loops left behind on the way back of an ordinary training step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ..compiler.program import Loss, Map, Program, Scan, State, region_ops
from .context import Watch


def by_autograd(program: Program, total: Tensor | None, record: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    """Path of a state → [time], of one example. total: its loss; record: all values of all steps, in its graph."""
    if total is None:
        return {}
    return _reaching(total, [found for found in _states(program) if found[1].source in record], record)


def of_the_end(
    program: Program,
    values: Mapping[str, Tensor],
    record: Mapping[str, list[Tensor]],
    roots: Mapping[str, int],
) -> dict[str, Tensor]:
    """Path of a state → [time] of ‖∂L_T/∂h_t‖, of one example. L_T: what the last step gives to the loss L, last in the
    order of the state's own loop: step 0 of a reversed loop, the root of a tree.

    L asks something of every step directly, which hides what has come back through the steps; L_T has to come that way.
    States of a loop along whose axis no loss has steps are left out: their L_T is L. values, record: of a run with
    gradients; the graph is kept. roots: the root's node by tree axis.
    """
    found: dict[str, Tensor] = {}
    states = [found for found in _states(program) if found[1].source in record]
    for axis, forward in dict.fromkeys((scan.axis, scan.forward) for scan, _, _ in states):
        last = roots.get(axis, -1 if forward else 0)
        ends = [_end(program, loss, values, axis, last) for loss in program.losses]
        if all(own is None for own in ends):
            continue
        total = sum(
            loss.weight * (values[loss.value] if own is None else own)
            for loss, own in zip(program.losses, ends, strict=True)
        )
        assert isinstance(total, Tensor)
        own_states = [state for state in states if (state[0].axis, state[0].forward) == (axis, forward)]
        found |= _reaching(total, own_states, record)
    return found


def _end(program: Program, loss: Loss, values: Mapping[str, Tensor], axis: str, last: int) -> Tensor | None:
    """What the place `last` of an axis gives to a loss of one example, or None where the loss has no such axis."""
    mean = next(op for op in region_ops(program.regions) if op.name == loss.value)
    if mean.kind == "average" and axis in mean.attrs["axes"]:
        each = values[mean.inputs[0]]
        count = values[mean.inputs[1]].sum() if len(mean.inputs) == 2 else each.numel()
        return each.select(mean.attrs["axes"].index(axis), last).sum() / count
    axes = program.signals[loss.prediction].axes
    prediction = values[loss.prediction]
    if axis not in axes or not prediction.requires_grad:
        return None
    # A loss of all steps at once (CTC): what it asks of the prediction at that step.
    (asked,) = torch.autograd.grad(values[loss.value], prediction, retain_graph=True)
    place = axes.index(axis)
    return (prediction.select(place, last) * asked.select(place, last)).sum()


def _reaching(
    total: Tensor, states: Sequence[tuple[Scan, State, str]], record: Mapping[str, list[Tensor]]
) -> dict[str, Tensor]:
    """Path of a state → [time]: the norm of the gradient of `total`; the graph is kept."""
    leaves = [x for _, state, _ in states for x in record[state.source] if x.requires_grad]
    if not total.requires_grad or not leaves:
        return {}
    grads = iter(torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True))
    found: dict[str, Tensor] = {}
    for scan, state, path in states:
        norms = []
        for x in record[state.source]:
            grad = next(grads) if x.requires_grad else None
            norms.append(grad.norm() if grad is not None else x.new_zeros(()))
        found[path] = torch.stack(norms if scan.forward else norms[::-1]).detach()
    return found


def backward_states(program: Program) -> tuple[str, ...]:
    """The paths of states whose loops run from the last step to the first."""
    return tuple(path for scan, _, path in _states(program) if not scan.forward)


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
