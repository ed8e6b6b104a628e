"""The tensors that a loop works on, and where in them each step's rows lie. One set serves one forward and backward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .multiply import BY_TORCH, Multiply
from .plain import PlainRun
from .plan import Plan
from .stages import Place


@dataclass(slots=True)
class Buffers:
    """Shapes are [time, batch, width] unless said otherwise.

    slots: all pre-activations, [time, batch, plan.columns], rows plan.stride apart. bias: [plan.columns], of those
    slots whose bias is not in there already (plan.floating), or None. states: [time + k, batch, width]: what a step
    reads lies at `before(k)`, what it makes at `after(k)`, in the order of time even when the loop runs backward.
    vectors: [batch, width] or, for a parameter, [width]. valid: [time, batch], 1 where a step is the row's own.
    weights: W of each product of a stage, stacked: [size, width], by (stage, number).
    tokens: reads that are rows of a table, [time · batch] int64: in `reads` stands the table, [rows, width].
    plain: the plain stages of this run. multiply: makes the products over all steps.
    """

    plan: Plan
    steps: int
    batch: int
    slots: Tensor
    saved: list[Tensor]
    states: dict[str, Tensor]
    yields: dict[str, Tensor]
    sources: list[Tensor]
    reads: Mapping[str, Tensor]
    vectors: Mapping[str, Tensor]
    weights: Mapping[tuple[int, int], Tensor]
    valid: Tensor | None
    delays: dict[str, int] = field(default_factory=dict)
    tokens: Mapping[str, Tensor] = field(default_factory=dict)
    bias: Tensor | None = None
    plain: PlainRun | None = None
    multiply: Multiply = BY_TORCH

    def before(self, k: int) -> int:
        return 0 if self.plan.form.forward else k

    def after(self, k: int) -> int:
        return k if self.plan.form.forward else 0

    def read_states(self, delay: str) -> Tensor:
        """What every step reads of a state, [time, batch, width]."""
        return self.states[delay].narrow(0, self.before(self.delays[delay]), self.steps)

    def new_states(self, delay: str) -> Tensor:
        """What every step makes of a state, [time, batch, width]."""
        return self.states[delay].narrow(0, self.after(self.delays[delay]), self.steps)

    def at(self, place: Place, start: int, width: int) -> Tensor:
        """[time, batch, width] of what is kept at a place."""
        kind, key = place
        if kind == "slot":
            assert isinstance(key, int)
            return self.slots.narrow(2, self.plan.offsets[key] + start, width)
        if isinstance(key, int):
            whole = self.saved[key] if kind == "saved" else self.sources[key]
        else:
            whole = self.new_states(key) if kind == "state" else self.yields[key]
        return whole.narrow(2, start, width)


@dataclass(slots=True)
class Gradients:
    """What the way back reads and fills. douts: of yields, None where nothing depends on one.

    slots: like Buffers.slots. initial: gradient of the states before the first step, [k, batch, width].
    vectors: [batch, width]; reads: [time, batch, width]; both start at zero.
    """

    douts: Mapping[str, Tensor | None]
    slots: Tensor
    initial: dict[str, Tensor]
    vectors: dict[str, Tensor]
    reads: dict[str, Tensor]
    bias: Tensor | None = None
    """[plan.columns]: slots summed over all rows, where the loop has done so."""
    later: dict[str, Tensor] | None = None
    """When asked for: by delay, [time, batch, width], what reaches a state's new value from the steps that read it."""
    tables: dict[tuple[str, int], Tensor] = field(default_factory=dict)
    """By table and first column: gradients of the products of tables."""


def slot_rows(plan: Plan, steps: int, batch: int, like: Tensor) -> Tensor:
    """Uninitialised pre-activations or their gradients, [time, batch, plan.columns], rows plan.stride apart."""
    shape, strides = (steps, batch, plan.columns), (batch * plan.stride, plan.stride, 1)
    return torch.empty_strided(shape, strides, dtype=like.dtype, device=like.device)


def allocate(
    plan: Plan,
    steps: int,
    batch: int,
    like: Tensor,
    reads: Mapping[str, Tensor],
    vectors: Mapping[str, Tensor],
    weights: Mapping[tuple[int, int], Tensor],
    valid: Tensor | None,
) -> Buffers:
    """Uninitialised buffers for one run. `like` gives dtype and device."""

    def rows(width: int, more: int = 0) -> Tensor:
        return torch.empty(steps + more, batch, width, dtype=like.dtype, device=like.device)

    widths = {name: node.width for name, node in plan.form.yields}
    return Buffers(
        plan=plan,
        steps=steps,
        batch=batch,
        slots=slot_rows(plan, steps, batch, like),
        saved=[rows(width) for width in plan.saved],
        states={s.delay: rows(s.width, s.k) for s in plan.form.states},
        yields={name: rows(widths[name]) for name, place in plan.outputs.items() if place[0] == "yield"},
        sources=[rows(width) for width in plan.sources],
        reads=reads,
        vectors=vectors,
        weights=weights,
        valid=valid,
        delays={s.delay: s.k for s in plan.form.states},
    )
