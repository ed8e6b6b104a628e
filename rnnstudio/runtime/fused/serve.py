"""Runs a scan of a program by a fused loop: collects what it reads, applies it, hands out what it yields."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ...catalog.primitives import Op
from ...compiler.program import Map, Scan
from ...design.signals import Signal
from ..context import Context, Watch
from ..reference import first_state, run_map
from ..rows import Rows, rows_of
from .drawn import draw_steps
from .expressions import reachable
from .function import Job, Names, TimeLoop, names_of, run_loop
from .plain import PlainRun
from .plan import Plan
from .together import Stacks, lay


class FusedLoop:
    """A plan with the order of its tensors, made once for a scan."""

    def __init__(self, scan: Scan, plan: Plan, embeds: Mapping[str, Op], signals: Mapping[str, Signal]) -> None:
        self.scan = scan
        self.signals = signals
        self._states = {state.delay: state for state in scan.states}
        self.plan = plan
        self.names: Names = names_of(plan)
        self._stacks = Stacks(plan)
        self._laid = False
        self._zeros: dict[str, tuple[object, Tensor]] = {}
        stores = [s.node for stage in plan.stages for s in (*stage.stores, *stage.back_stores)]
        direct = {node.data[0] for node in reachable(stores) if node.op == "read"}
        self.embeds = {name: op for name, op in embeds.items() if name in self.names.reads and name not in direct}

    def run(self, loop: TimeLoop, values: dict[str, Tensor], context: Context) -> None:
        """Add the scan's yields to `values` and its final states to the context."""
        scan, plan, form = self.scan, self.plan, self.plan.form
        self._laid = self._laid or lay(plan, context.weights)
        run_map(Map(form.before), values, context)
        steps, rows = context.sizes[scan.axis], rows_of(form.further, context)
        lead = (scan.axis,)
        drawn = draw_steps(scan, context)
        masks = self._masks(drawn, rows, context) | self._mapped(values, rows, context)
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
        starts: dict[str, Tensor] = {}
        for made in form.states:
            if made.delay in form.embedded:
                tensors.append(self._first_rows(made.delay, starts, values, context))
                continue
            state = self._states[made.delay]
            carried = context.carried(state.delay)
            axes = ("k", *state.signal.axes)
            if carried is not None and scan.forward:
                tensors.append(rows.join(carried.to(context.dtype), axes, ("k",)))
            elif state.given is None and state.weight is None:
                tensors.append(self._nothing(made.delay, (abs(state.k), rows.count, state.signal.width), context))
            else:
                first = rows.join(first_state(state, values, context), state.signal.axes)
                tensors.append(first.expand(abs(state.k), -1, -1).contiguous())
        tensors += [values[name] for name in self.names.outside]
        tensors += [context.weight(path) for path in (*self.names.plain, *self.names.weights, *self.names.biases)]
        valid = rows.join(context.mask(scan.axis), lead, lead).to(context.dtype).contiguous() if plan.ragged else None
        states: dict[str, Tensor] = {}
        watch = self._watch(rows, context)
        keep = torch.is_grad_enabled()
        plain = PlainRun(form.plain, scan, self.signals, context, drawn, keep=keep) if form.plain else None
        sizes = (steps, rows.count)
        job = Job(plan, self.names, loop, self._stacks, *sizes, valid, tokens, states, watch, plain)
        found = run_loop(job, tensors)
        values.update((name, rows.split(x, self._axes(name), lead)) for name, x in found.items())
        if scan.forward and context.ends:
            lengths = rows.join(context.lengths_of(scan.axis), ()) if plan.ragged else None
            if plain is not None:
                for delay, start in starts.items():
                    history = torch.cat([start, plain.tokens(delay)])
                    context.final[delay] = _last(history[..., None], len(start), lengths)[..., 0]
            for state in scan.states:
                if state.delay not in states:
                    continue
                last = _last(states[state.delay], abs(state.k), lengths)
                context.final[state.delay] = rows.split(last, ("k", *state.signal.axes), ("k",))
        states.clear()

    def _nothing(self, delay: str, shape: tuple[int, ...], context: Context) -> Tensor:
        """Zeros that a state starts with, which nobody writes to. The last ones are kept."""
        wanted = (shape, context.dtype, context.device, torch.is_inference_mode_enabled())
        known = self._zeros.get(delay)
        if known is None or known[0] != wanted:
            known = self._zeros[delay] = wanted, torch.zeros(shape, dtype=context.dtype, device=context.device)
        return known[1]

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

    def _mapped(self, values: Mapping[str, Tensor], rows: Rows, context: Context) -> dict[str, Tensor]:
        """Vectors that are maps of other vectors, by name."""
        found: dict[str, Tensor] = {}
        for m in self.plan.form.maps:
            weight = context.weight(m.weight)[m.rows[0] : m.rows[1], m.columns[0] : m.columns[1]]
            x = values[m.source][..., m.start : m.start + weight.shape[1]]
            bias = None if m.bias is None else context.weight(m.bias)[m.rows[0] : m.rows[1]]
            found[m.name] = rows.join(F.linear(x, weight, bias), self._axes(m.source))
        return found

    def _first_rows(self, delay: str, starts: dict[str, Tensor], values: dict[str, Tensor], context: Context) -> Tensor:
        """[k, batch, width]: the rows of a table for the first tokens, which go into `starts`."""
        state, embed = self.plan.form.embedded[delay]
        tokens = context.carried(state.delay) if self.scan.forward else None
        if tokens is None:
            tokens = first_state(state, values, context).expand(abs(state.k), -1)
        starts[state.delay] = tokens
        return F.embedding(tokens, context.weight(embed.attrs["weight"]))

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

    def _masks(self, drawn: Mapping[str, Tensor], rows: Rows, context: Context) -> dict[str, Tensor]:
        """Dropout masks, scaled: of every step, or one for all steps; 1 where a choice is for its first input."""
        found: dict[str, Tensor] = {}
        lead = (self.scan.axis,)
        for op in self.plan.form.masks:
            if op.name in drawn:
                mask = drawn[op.name] if op.kind == "dropout" else drawn[op.name].to(context.dtype)[..., None]
                found[f"{op.name}/mask"] = rows.join(mask, (*lead, *op.signal.axes), lead)
                continue
            like = torch.empty(context.batch, op.signal.width, dtype=context.dtype, device=context.device)
            found[f"{op.name}/mask"] = rows.join(context.one_mask(op.name, op.attrs["rate"], like), ())
        return found


def _last(history: Tensor, k: int, lengths: Tensor | None) -> Tensor:
    """[k, rows, width]: the last k values of a state, of each row at its own end. lengths: [rows]."""
    if lengths is None:
        return history[history.shape[0] - k :].clone()
    places = torch.arange(k, device=history.device)[:, None] + lengths[None, :]
    return history.gather(0, places[:, :, None].expand(k, *history.shape[1:]))
