"""A loop step by step under autograd: the oracle that every faster lowering is compared with."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor

from ..catalog.primitives import Op
from ..compiler.program import Map, Region, Scan, State
from ..design.errors import StudioError, lacks_memory
from ..design.signals import Tokens
from .context import Context, Done
from .primitives import run_op
from .trees import run_tree


def run_regions(regions: tuple[Region, ...], values: dict[str, Tensor], context: Context) -> None:
    """Run regions in order by the reference (loops inside a loop by what serves); results go into `values`."""
    for region in regions:
        if isinstance(region, Map):
            run_map(region, values, context)
        elif context.depth == 0 or context.run_loop is None or not context.run_loop(region, values, context):
            (run_tree if region.tree else run_scan)(region, values, context)


def run_map(region: Map, values: dict[str, Tensor], context: Context) -> None:
    parts: dict[tuple[str, int, int], Tensor] = {}
    for op in region.ops:
        part = parts.get((op.inputs[0], op.attrs["start"], op.attrs["stop"])) if op.kind == "slice" else None
        inputs = tuple(values[name] for name in op.inputs)
        if context.looking is not None and (cut := context.looking.reads(op, values, context)) is not None:
            inputs, part = cut, None
        values[op.name] = part if part is not None else _run(op, inputs, context)
        if context.looking is not None:
            values[op.name] = context.looking.held(op, values[op.name], context)
        if context.done is not None:
            steps = {**context.steps, **context.heights}
            context.done.append(Done(op, inputs, values[op.name], steps, context))
        if op.kind == "linear" and not isinstance(op.attrs["weight"], str):
            parts |= _parts(op, values[op.name], context)
        if context.record is not None:
            context.record.setdefault(op.name, []).append(values[op.name])


def _run(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """One operation. Raises StudioError, with its node, when there is no memory for what it gives."""
    try:
        return run_op(op, inputs, context)
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        remedy = "Make batch size, chunk or units smaller."
        raise StudioError("There is not enough memory for its values", where=op.node, remedy=remedy) from error


def _parts(op: Op, joined: Tensor, context: Context) -> dict[tuple[str, int, int], Tensor]:
    """The slices of a joined product, by their columns, cut at once: the gradient of each alone fills a whole."""
    rows = [len(context.weights[path]) for path in op.attrs["weight"]]
    stops = list(accumulate(rows))
    cut = zip(stops, rows, torch.split(joined, rows, -1), strict=True)
    return {(op.name, stop - size, stop): part for stop, size, part in cut}


def run_scan(scan: Scan, values: dict[str, Tensor], context: Context) -> None:
    """The loop: every step reads its slices and the states, runs the body, and moves the states on.

    At padded steps a state stays what it was, so that a forward loop ends with each example's own last state and a
    backward loop begins at each example's own last step.
    """
    context.draw_shared_masks(scan)
    run_map(Map(scan.projections), values, context)
    size = context.sizes[scan.axis]
    slices = {read.name: values[read.name].unbind(read.dim) for read in scan.reads}
    history = {state.delay: _start(state, values, context, scan) for state in scan.states}
    valid = context.mask(scan.axis) if context.ragged(scan.axis) else None
    collected: dict[str, list[Tensor]] = {name: [] for name in scan.yields}
    step_values = dict(values)
    context.depth += 1
    for t in range(size) if scan.forward else range(size - 1, -1, -1):
        for name, parts in slices.items():
            step_values[name] = parts[t]
        context.steps[scan.axis] = t
        for state in scan.states:
            before = history[state.delay][0]
            step_values[state.delay] = (
                before if context.looking is None else context.looking.read(state, before, context)
            )
        run_regions(scan.body, step_values, context)
        for name in scan.yields:
            collected[name].append(step_values[name])
        for state in scan.states:
            old = history[state.delay]
            new = [*old[1:], step_values[state.source]]
            if valid is not None:
                own = valid[t].reshape([1] * len(state.signal.axes) + [context.batch] + _inner(state))
                new = [torch.where(own, a, b) for a, b in zip(new, old, strict=True)]
            history[state.delay] = new
    context.depth -= 1
    context.steps.pop(scan.axis, None)
    for name, steps in collected.items():
        if not scan.forward:
            steps.reverse()
        values[name] = torch.stack(steps, scan.dims[name])
    for state in scan.states:
        if scan.forward and context.depth == 0:
            context.final[state.delay] = torch.stack(history[state.delay]).detach()


def _inner(state: State) -> list[int]:
    """The shape of a mask behind the batch: a 1 for the width, nothing for tokens."""
    return [] if isinstance(state.signal.content, Tokens) else [1]


def _start(state: State, values: dict[str, Tensor], context: Context, scan: Scan) -> list[Tensor]:
    """The |k| values before the first step, the oldest first."""
    steps = abs(state.k)
    carried = context.state.get(state.delay)
    if carried is not None and scan.forward and context.depth == 0:
        return list(carried.unbind(0))
    return [first_state(state, values, context)] * steps


def first_state(state: State, values: dict[str, Tensor], context: Context) -> Tensor:
    """The initial state of one step, [*axes, batch, width]."""
    shape = context.shape_of(state.signal)
    if state.given is not None:
        return values[state.given].expand(shape)
    if state.weight is not None:
        return context.weight(state.weight).expand(shape)
    if isinstance(state.signal.content, Tokens):
        return torch.full(shape, state.first, device=context.device, dtype=torch.int64)
    return torch.zeros(shape, device=context.device, dtype=context.dtype)
