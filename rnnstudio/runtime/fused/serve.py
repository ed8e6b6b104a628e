"""Runs a scan of a program by a fused loop: collects what it reads, applies it, hands out what it yields."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ...catalog.primitives import Op
from ...compiler.program import Scan
from ..context import Context
from ..primitives import run_op
from ..reference import first_state
from .expressions import reachable
from .function import Job, Names, TimeLoop, names_of, run_loop
from .plan import Plan


class FusedLoop:
    """A plan with the order of its tensors, made once for a scan."""

    def __init__(self, scan: Scan, plan: Plan, embeds: Mapping[str, Op]) -> None:
        self.scan = scan
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
        steps, batch = context.sizes[scan.axis], context.batch
        masks = self._masks(steps, context)
        tensors: list[Tensor] = []
        tokens = self._tokens(values, context)
        for name in self.names.reads:
            if name in tokens:
                tensors.append(context.weight(self.embeds[name].attrs["weight"]))
                continue
            tensors.append((masks[name] if name in masks else values[name]).contiguous())
        for name in self.names.vectors:
            if name in form.parameters:
                tensors.append(context.weight(form.parameters[name]))
            else:
                tensors.append(masks[name] if name in masks else values[name].expand(batch, -1).contiguous())
        for state in scan.states:
            carried = context.state.get(state.delay)
            if carried is not None and scan.forward:
                tensors.append(carried.to(context.dtype))
            else:
                tensors.append(first_state(state, values, context).expand(abs(state.k), -1, -1))
        tensors += [context.weight(path) for path in (*self.names.weights, *self.names.biases)]
        valid = context.mask(scan.axis).to(context.dtype).contiguous() if plan.ragged else None
        states: dict[str, Tensor] = {}
        values.update(run_loop(Job(plan, self.names, loop, steps, batch, valid, tokens, states), tensors))
        if scan.forward and context.keep_state:
            for state in scan.states:
                context.final[state.delay] = _last(states[state.delay], abs(state.k), scan.axis, context, plan.ragged)
        states.clear()

    def _tokens(self, values: Mapping[str, Tensor], context: Context) -> dict[str, Tensor]:
        """Inputs that are embeddings whose table has fewer rows than the input has: their tokens, [time · batch].

        Not on a GPU, where sums over equal tokens have no fixed order.
        """
        if context.device.type != "cpu":
            return {}
        found = {}
        for name, op in self.embeds.items():
            tokens = values[op.inputs[0]]
            if 2 * context.weight(op.attrs["weight"]).shape[0] <= tokens.numel():
                found[name] = tokens.reshape(-1)
        return found

    def _masks(self, steps: int, context: Context) -> dict[str, Tensor]:
        """Dropout masks, scaled: of every step, or one for all steps."""
        found: Mapping[str, Tensor]
        found = {}
        for op in self.plan.form.masks:
            every = bool(op.attrs["every_step"])
            shape = (steps, context.batch, op.signal.width) if every else (context.batch, op.signal.width)
            ones = torch.ones(shape, dtype=context.dtype, device=context.device)
            if every:
                found[f"{op.name}/mask"] = F.dropout(ones, op.attrs["rate"])
                continue
            if op.name not in context.dropout_masks:
                context.dropout_masks[op.name] = F.dropout(ones, op.attrs["rate"])
            found[f"{op.name}/mask"] = context.dropout_masks[op.name]
        return dict(found)


def _last(history: Tensor, k: int, axis: str, context: Context, ragged: bool) -> Tensor:
    """[k, batch, width]: the last k values of a state, of each row at its own end."""
    if not ragged:
        return history[history.shape[0] - k :].clone()
    places = torch.arange(k, device=history.device)[:, None] + context.lengths_of(axis)[None, :]
    return history.gather(0, places[:, :, None].expand(k, context.batch, history.shape[2]))
