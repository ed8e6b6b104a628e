"""The torch operations of attention: softmax over an axis, scores, weighted sums; and padding made harmless."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..catalog.primitives import Op, contract_equation, match_equation
from .context import Context
from .transfer import to_device


def _blank(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """Padding along some axes (the axis of a loop too, at its present step) replaced by a number."""
    x = inputs[0]
    for axis in op.attrs["over"]:
        own = context.own(axis, op.attrs["axes"])
        if own is not None:
            x = x.masked_fill(~own, op.attrs["fill"])
    return x


def _softmax_axis(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    axes, axis = op.attrs["axes"], op.attrs["axis"]
    x, dim = inputs[0], axes.index(axis)
    if not context.ragged(axis):
        return torch.softmax(x, dim)
    own = context.mask_like(axis, axes)
    # The least finite number instead of −∞: an example without any step gives zeros, not NaN.
    weights = torch.softmax(x.masked_fill(~own, torch.finfo(x.dtype).min), dim)
    return weights.masked_fill(~own, 0.0)


def _log_softmax_axis(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    axes, axis = op.attrs["axes"], op.attrs["axis"]
    x, dim = inputs[0], axes.index(axis)
    if not context.ragged(axis):
        return torch.log_softmax(x, dim)
    own = context.mask_like(axis, axes)
    return torch.log_softmax(x.masked_fill(~own, torch.finfo(x.dtype).min), dim).masked_fill(~own, 0.0)


def _hide_ahead(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """In a loop over `until` its present step counts."""
    x, axes, until, fill = inputs[0], op.attrs["axes"], op.attrs["until"], op.attrs["fill"]
    here = _steps(x, axes.index(until)) if until in axes else context.steps[until]
    ahead = _steps(x, axes.index(op.attrs["axis"])) > here
    return x.masked_fill(ahead, torch.finfo(x.dtype).min if fill is None else fill)


def _steps(x: Tensor, dim: int) -> Tensor:
    """The numbers of the steps along dim, shaped to broadcast over x."""
    shape = [1] * x.dim()
    shape[dim] = x.shape[dim]
    return torch.arange(x.shape[dim], device=x.device).reshape(shape)


def _rename(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return inputs[0]


def _heads(x: Tensor, heads: int) -> Tensor:
    """[..., width] → [..., heads, width / heads]."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


def _match(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    equation = match_equation(op.attrs["axes"], op.attrs["axes2"], op.signal.axes)
    query, keys = (_heads(x, op.attrs["heads"]) for x in inputs)
    return torch.einsum(equation, query, keys)


def _contract(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    equation = contract_equation(op.attrs["axes"], op.attrs["axes2"], op.signal.axes)
    return torch.einsum(equation, inputs[0], _heads(inputs[1], op.attrs["heads"])).flatten(-2)


def _fold(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    x = inputs[0]
    return x.sum(-1, keepdim=True) if op.attrs["how"] == "sum" else x.mean(-1, keepdim=True)


def _clock(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """[axis, batch, width]: 1 where a unit's period divides the step's number. The number goes on between chunks.

    It reads nothing, so it never stands inside a loop.
    """
    axis, periods = op.attrs["axis"], op.attrs["periods"]
    size, width = context.sizes[axis], op.signal.width
    every = to_device(torch.tensor(periods), context.device).repeat_interleave(width // len(periods))
    before = context.state.get(op.name)
    start = torch.zeros(context.batch, 1, device=context.device, dtype=torch.int64)
    if before is not None:
        start = before[0].round().to(torch.int64)
    step = torch.arange(size, device=context.device)[:, None, None] + start
    context.final[op.name] = (start + context.lengths_of(axis)[:, None]).to(context.dtype)[None]
    return (step % every == 0).to(context.dtype)


def _step_number(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """[axis, batch, 1]: the number of each step, which goes on between chunks. Like a clock, never inside a loop."""
    start = context.state.get(op.name)
    begin = torch.zeros(1, context.batch, 1, device=context.device, dtype=context.dtype) if start is None else start
    step = torch.arange(context.sizes[op.attrs["axis"]], device=context.device)[:, None, None].to(context.dtype)
    context.final[op.name] = begin + context.lengths_of(op.attrs["axis"])[None, :, None].to(context.dtype)
    return begin + step


OPERATIONS: dict[str, Callable[[Op, tuple[Tensor, ...], Context], Tensor]] = {
    "blank": _blank,
    "softmax_axis": _softmax_axis,
    "log_softmax_axis": _log_softmax_axis,
    "hide_ahead": _hide_ahead,
    "rename": _rename,
    "match": _match,
    "contract": _contract,
    "fold": _fold,
    "clock": _clock,
    "step_number": _step_number,
}
