"""torch.nn's own recurrent kernels (cuDNN on a GPU) for the loops that are one of its layers."""

from __future__ import annotations

import torch
from torch import Tensor

from ..compiler.program import Gate, Kernel, Scan
from .context import Context
from .primitives import flip
from .reference import first_state


def declines(scan: Scan, context: Context) -> str:
    """Why the kernel cannot serve this run, or ""."""
    if context.record is not None:
        return "a probe needs every value inside the loop"
    if scan.kernel is None:
        return scan.why_not
    if context.keep_state and scan.kernel.cell is not None and scan.forward and context.ragged(scan.axis):
        return "examples of different lengths end with different memories"
    return ""


def run_kernel(scan: Scan, kernel: Kernel, values: dict[str, Tensor], context: Context) -> None:
    """Run a recognised loop. The input's projection is the kernel's own; a backward loop reads a reversed input."""
    x = values[kernel.source]
    axes = (scan.axis,)
    if not scan.forward:
        x = flip(x, scan.axis, axes, context)
    weights = _weights(kernel, context)
    first = {state.source: _first(scan, state.source, values, context) for state in scan.states}
    h0 = first[kernel.hidden]
    x = x.contiguous()
    cell: Tensor | None = None
    if kernel.kind == "lstm":
        assert kernel.cell is not None
        states = (h0, first[kernel.cell])
        out, hidden, cell = torch.lstm(x, states, weights, True, 1, 0.0, context.training, False, False)
    else:
        function = {"gru": torch.gru, "rnn_tanh": torch.rnn_tanh, "rnn_relu": torch.rnn_relu}[kernel.kind]
        out, hidden = function(x, h0, weights, True, 1, 0.0, context.training, False, False)
    if not scan.forward:
        out = flip(out, scan.axis, axes, context)
    values[kernel.hidden] = out
    if scan.forward and context.keep_state:
        if context.ragged(scan.axis):
            hidden = _last(out, scan.axis, context)
        for state in scan.states:
            final = hidden if state.source == kernel.hidden else cell
            assert final is not None
            context.final[state.delay] = final.detach()


def _weights(kernel: Kernel, context: Context) -> list[Tensor]:
    """W_ih, W_hh, b_ih, b_hh with the gates stacked in torch's order."""
    gates = kernel.gates
    w_x = context.weight(tuple(g.weight_x for g in gates))
    w_h = context.weight(tuple(g.weight_h for g in gates))
    return [w_x, w_h, _bias(gates, "bias_x", context, w_x), _bias(gates, "bias_h", context, w_x)]


def _bias(gates: tuple[Gate, ...], which: str, context: Context, like: Tensor) -> Tensor:
    rows = [like.shape[0] // len(gates)] * len(gates)
    bias = context.bias(tuple(getattr(g, which) for g in gates), rows)
    return bias if bias is not None else like.new_zeros(like.shape[0])


def _first(scan: Scan, source: str, values: dict[str, Tensor], context: Context) -> Tensor:
    state = next(s for s in scan.states if s.source == source)
    carried = context.state.get(state.delay)
    if carried is not None and scan.forward:
        return carried.contiguous()
    return first_state(state, values, context).unsqueeze(0).contiguous()


def _last(out: Tensor, axis: str, context: Context) -> Tensor:
    index = (context.lengths_of(axis) - 1)[None, :, None].expand(1, context.batch, out.shape[-1])
    return out.gather(0, index)
