"""torch.nn's own recurrent kernels (cuDNN on a GPU) for the loops that are one of its layers."""

from __future__ import annotations

import torch
from torch import Tensor

from ..compiler.program import Gate, Kernel, Scan, State
from .context import Context
from .primitives import flip
from .reference import first_state
from .rows import Rows, rows_of


def declines(scan: Scan, context: Context) -> str:
    """Why the kernel cannot serve this run, or ""."""
    if context.record is not None:
        return "a probe needs every value inside the loop"
    if scan.kernel is None:
        return scan.why_not
    if context.ends and scan.kernel.cell is not None and scan.forward and context.ragged(scan.axis):
        return "examples of different lengths end with different memories"
    return ""


def run_kernel(scan: Scan, kernel: Kernel, values: dict[str, Tensor], context: Context) -> None:
    """Run a recognised loop. The input's projection is the kernel's own; a backward loop reads a reversed input."""
    x = values[kernel.source]
    axes = next(op.signal.axes for op in scan.projections if op.inputs[0] == kernel.source)
    rows = rows_of(tuple(axis for axis in axes if axis != scan.axis), context)
    if not scan.forward:
        x = flip(x, scan.axis, axes, context)
    weights = _weights(kernel, context)
    first = {state.source: _first(scan, state, rows, values, context) for state in scan.states}
    h0 = first[kernel.hidden]
    x = rows.join(x, axes, (scan.axis,)).contiguous()
    cell: Tensor | None = None
    if kernel.kind == "lstm":
        assert kernel.cell is not None
        states = (h0, first[kernel.cell])
        out, hidden, cell = torch.lstm(x, states, weights, True, 1, 0.0, context.training, False, False)
    else:
        function = {"gru": torch.gru, "rnn_tanh": torch.rnn_tanh, "rnn_relu": torch.rnn_relu}[kernel.kind]
        out, hidden = function(x, h0, weights, True, 1, 0.0, context.training, False, False)
    if scan.forward and context.ends:
        if context.ragged(scan.axis):
            hidden = _last(out, rows.join(context.lengths_of(scan.axis), ()))
        for state in scan.states:
            final = hidden if state.source == kernel.hidden else cell
            assert final is not None
            context.final[state.delay] = rows.split(final.detach(), ("k", *state.signal.axes), ("k",))
    inner = next(state.signal.axes for state in scan.states if state.source == kernel.hidden)
    place = scan.dims[kernel.hidden]
    axes = (*inner[:place], scan.axis, *inner[place:])
    out = rows.split(out, axes, (scan.axis,))
    values[kernel.hidden] = out if scan.forward else flip(out, scan.axis, axes, context)


def _weights(kernel: Kernel, context: Context) -> list[Tensor]:
    """W_ih, W_hh, b_ih, b_hh with the gates stacked in torch's order."""
    gates = kernel.gates
    w_x = context.weight(tuple(g.weight_x for g in gates))
    w_h = context.weight(tuple(g.weight_h for g in gates))
    parts = [w_x, w_h, _bias(gates, "bias_x", context, w_x), _bias(gates, "bias_h", context, w_x)]
    if context.device.type != "cuda":
        return parts
    # cuDNN wants them in one piece of memory, in this order, and would copy them together itself, with a warning.
    whole = torch.cat([part.reshape(-1) for part in parts])
    pieces = torch.split(whole, [part.numel() for part in parts])
    return [piece.view(part.shape) for piece, part in zip(pieces, parts, strict=True)]


def _bias(gates: tuple[Gate, ...], which: str, context: Context, like: Tensor) -> Tensor:
    rows = [like.shape[0] // len(gates)] * len(gates)
    bias = context.bias(tuple(getattr(g, which) for g in gates), rows)
    return bias if bias is not None else like.new_zeros(like.shape[0])


def _first(scan: Scan, state: State, rows: Rows, values: dict[str, Tensor], context: Context) -> Tensor:
    carried = context.carried(state.delay)
    if carried is None or not scan.forward:
        carried = first_state(state, values, context).unsqueeze(0)
    return rows.join(carried, ("k", *state.signal.axes), ("k",)).contiguous()


def _last(out: Tensor, lengths: Tensor) -> Tensor:
    return out.gather(0, (lengths - 1)[None, :, None].expand(1, out.shape[1], out.shape[2]))
