"""Runs a scan of a program by a fused loop: collects what it reads, applies it, hands out what it yields."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ...catalog.primitives import Op
from ...compiler.program import Scan
from ...design.signals import Signal
from ..context import Context, Watch
from ..primitives import run_op
from ..reference import first_state
from ..rows import Rows, rows_of
from .expressions import reachable
from .function import Job, Names, TimeLoop, names_of, run_loop
from .plan import Plan


class FusedLoop:
    """A plan with the order of its tensors, made once for a scan."""

    def __init__(self, scan: Scan, plan: Plan, embeds: Mapping[str, Op], signals: Mapping[str, Signal]) -> None:
        self.scan = scan
        self.signals = signals
        self.plan = plan
        self.names: Names = names_of(plan)
        stores = [s.node for stage in plan.stages for s in (*stage.stores, *stage.back_stores)]
        direct = {node.data[0] for node in reachable(stores) if node.op == "read"}
        self.embeds = {name: op for name, op in embeds.items() if name in self.names.reads and name not in direct}

    def run(self, loop: TimeLoop, values: dict[str, Tensor], context: Context) -> None:
        """Add the scan's yields to `values` and its final states to the context."""
        scan, plan, form = self.scan, self.plan, self.plan.form
        for op in form.before:
            values[op.name] = run_op(op, tuple(values[name] for name in op.inputs), context)
        steps, rows = context.sizes[scan.axis], rows_of(form.further, context)
        lead = (scan.axis,)
        masks = self._masks(steps, rows, context)
        tensors: list[Tensor] = []
        tokens = self._tokens(values, rows, context)
        for name in self.names.reads:
            if name in tokens:
                tensors.append(context.weight(self.embeds[name].attrs["weight"]))
                continue
            x = masks[name] if name in masks else rows.join(values[name], self._axes(name), lead)
            tensors.append(x.contiguous())
        for name in self.names.vectors:
            if name in form.parameters:
                tensors.append(context.weight(form.parameters[name]))
            else:
                x = masks[name] if name in masks else rows.join(values[name], self._axes(name))
                tensors.append(x.expand(rows.count, -1).contiguous())
        for state in scan.states:
            carried = context.carried(state.delay)
            axes = ("k", *state.signal.axes)
            if carried is not None and scan.forward:
                tensors.append(rows.join(carried.to(context.dtype), axes, ("k",)))
            else:
                first = rows.join(first_state(state, values, context), state.signal.axes)
                tensors.append(first.expand(abs(state.k), -1, -1))
        tensors += [context.weight(path) for path in (*self.names.weights, *self.names.biases)]
        valid = rows.join(context.mask(scan.axis), lead, lead).to(context.dtype).contiguous() if plan.ragged else None
        states: dict[str, Tensor] = {}
        watch = self._watch(rows, context)
        found = run_loop(Job(plan, self.names, loop, steps, rows.count, valid, tokens, states, watch), tensors)
        values.update((name, rows.split(x, self._axes(name), lead)) for name, x in found.items())
        if scan.forward and context.ends:
            lengths = rows.join(context.lengths_of(scan.axis), ()) if plan.ragged else None
            for state in scan.states:
                last = _last(states[state.delay], abs(state.k), lengths)
                context.final[state.delay] = rows.split(last, ("k", *state.signal.axes), ("k",))
        states.clear()

    def _watch(self, rows: Rows, context: Context) -> Watch | None:
        """Where the way back leaves its part of the context's watch; None: nobody looks, or not at loops in a loop."""
        if context.watch is None or context.depth:
            return None
        own: Watch = []

        def norms() -> dict[str, Tensor]:
            found = {delay: x for ask in own for delay, x in ask().items()}
            if not rows.further:
                return found
            apart = {delay: x.reshape(len(x), -1, rows.batch) for delay, x in found.items()}
            return {delay: torch.linalg.vector_norm(x, dim=1) for delay, x in apart.items()}

        context.watch.append(norms)
        return own

    def _axes(self, name: str) -> tuple[str, ...]:
        return self.signals[name].axes

    def _tokens(self, values: Mapping[str, Tensor], rows: Rows, context: Context) -> dict[str, Tensor]:
        """Inputs that are embeddings whose table has fewer rows than the input has: their tokens, [time · batch].

        Not on a GPU, where sums over equal tokens have no fixed order.
        """
        if context.device.type != "cpu":
            return {}
        found = {}
        for name, op in self.embeds.items():
            tokens = rows.join(values[op.inputs[0]], op.signal.axes, (self.scan.axis,))
            if 2 * context.weight(op.attrs["weight"]).shape[0] <= tokens.numel():
                found[name] = tokens.reshape(-1)
        return found

    def _masks(self, steps: int, rows: Rows, context: Context) -> dict[str, Tensor]:
        """Dropout masks, scaled: of every step, or one for all steps."""
        found: Mapping[str, Tensor]
        found = {}
        for op in self.plan.form.masks:
            axes, inner = op.signal.axes, (context.batch, op.signal.width)
            if op.attrs["every_step"]:
                shape = (steps, *(context.sizes[axis] for axis in axes), *inner)
                ones = torch.ones(shape, dtype=context.dtype, device=context.device)
                lead = (self.scan.axis,)
                found[f"{op.name}/mask"] = rows.join(F.dropout(ones, op.attrs["rate"]), (*lead, *axes), lead)
                continue
            like = torch.empty(inner, dtype=context.dtype, device=context.device)
            found[f"{op.name}/mask"] = rows.join(context.one_mask(op.name, op.attrs["rate"], like), ())
        return dict(found)


def _last(history: Tensor, k: int, lengths: Tensor | None) -> Tensor:
    """[k, rows, width]: the last k values of a state, of each row at its own end. lengths: [rows]."""
    if lengths is None:
        return history[history.shape[0] - k :].clone()
    places = torch.arange(k, device=history.device)[:, None] + lengths[None, :]
    return history.gather(0, places[:, :, None].expand(k, *history.shape[1:]))
