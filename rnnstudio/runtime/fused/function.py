"""A whole loop as one autograd function: hoisted input products, time loops, and one product per weight gradient."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .buffers import Buffers, Gradients, allocate, slot_rows
from .hoisted import bias_gradients, project, read_gradients, weight_gradients
from .multiply import Multiply, Results
from .plain import PlainRun
from .plan import Plan
from .through_time import state_norms
from .together import Stacks


class TimeLoop(Protocol):
    """The two loops over time, made for one plan."""

    name: str
    adds_bias: bool
    """Whether it adds the biases of hoisted products (Buffers.bias) and sums up their gradient (Gradients.bias)."""
    in_place: bool
    """Whether backward may be given one buffer as both Buffers.slots and Gradients.slots."""
    multiply: Multiply

    def forward(self, b: Buffers) -> None: ...

    def backward(self, b: Buffers, d: Gradients) -> None: ...


@dataclass(frozen=True, slots=True)
class Names:
    """The order in which tensors are given to the function, and gradients come back."""

    reads: tuple[str, ...]
    vectors: tuple[str, ...]
    states: tuple[str, ...]
    outside: tuple[str, ...]
    plain: tuple[str, ...]
    weights: tuple[str, ...]
    biases: tuple[str, ...]

    def split(self, tensors: Sequence[Any]) -> tuple[dict[str, Any], ...]:
        """Seven mappings, in the order of the fields. outside, plain: what plain stages read, and their weights."""
        inside = (self.reads, self.vectors, self.states)
        some = iter(tensors)
        return tuple(
            dict(zip(names, some, strict=False))  # names first: one too many would be taken and lost
            for names in (*inside, self.outside, self.plain, self.weights, self.biases)
        )


def names_of(plan: Plan) -> Names:
    form = plan.form
    pieces = [piece for slot in form.slots for piece in slot.pieces]
    return Names(
        reads=tuple(form.reads),
        vectors=tuple(form.vectors),
        states=tuple(s.delay for s in form.states),
        outside=form.plain.outside if form.plain else (),
        plain=form.plain.weights if form.plain else (),
        weights=tuple(dict.fromkeys(p.weight for p in pieces)),
        biases=tuple(dict.fromkeys(path for slot in form.slots for path, _, _ in slot.biases)),
    )


@dataclass(frozen=True, slots=True)
class Job:
    """One call: the loop, its size, and which rows are valid when ([time, batch] of the loop's dtype, or None).

    tokens: see Buffers.tokens. history: filled with all values of each state, [time + k, batch, width], no gradient.
    watch: backward adds to it what tells ‖∂L/∂h_t‖ of the loop's states, [time, batch] by delay.
    """

    plan: Plan
    names: Names
    loop: TimeLoop
    stacks: Stacks
    steps: int
    batch: int
    valid: Tensor | None
    tokens: Mapping[str, Tensor]
    history: dict[str, Tensor]
    watch: list[Callable[[], dict[str, Tensor]]] | None = None
    plain: PlainRun | None = None

    def fixed(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """The last of its tensors: weights and biases."""
        return tensors[len(tensors) - len(self.names.weights) - len(self.names.biases) :]

    def repeated(self, way: Hashable, moving: Sequence[Tensor]) -> tuple[Hashable, list[Tensor]]:
        """Key and tensors for `Multiply.call`. moving: all tensors besides the fixed ones and what the loop keeps."""
        given = [*moving, *([] if self.valid is None else [self.valid])]
        if self.plain is not None or self.watch is not None or self.tokens:
            return None, given
        if not all(x.is_contiguous() for x in given):
            return None, given
        return (way, self.steps, self.batch), given


def run_loop(job: Job, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """Yields [time, batch, width] by name. tensors: as job.names says; initial states are [k, batch, width]."""
    outs = _Loop.apply(job, *tensors)  # type: ignore[no-untyped-call]
    more = job.plain.plain.yields if job.plain is not None else ()
    return dict(zip((*(name for name, _ in job.plan.form.yields), *more), outs, strict=True))


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, job: Job, *tensors: Tensor) -> tuple[Tensor, ...]:
        fixed = job.fixed(tensors)
        moving = tensors[: len(tensors) - len(fixed)]
        stacked: dict[tuple[int, int], Tensor] = {}

        def work(multiply: Multiply) -> Results:
            return _forward(job, tensors, stacked, multiply)

        key, given = job.repeated("forward", moving)
        made = job.loop.multiply.call(key, given, fixed, work)
        count = len(job.plan.form.yields) + (len(job.plain.plain.yields) if job.plain is not None else 0)
        kept = made[count + 1 :]
        outs = [out.view_as(out) if any(out is x for x in kept) else out for out in made[:count] if out is not None]
        ctx.job, ctx.bias = job, made[count]
        ctx.set_materialize_grads(False)
        ctx.stacked = {key: w for key, w in stacked.items() if not any(w is x for x in tensors)}
        ctx.save_for_backward(*tensors, *kept)
        first = 1 + len(job.plan.saved)
        job.history.update(zip(job.names.states, kept[first:], strict=False))  # type: ignore[arg-type]
        ctx.mark_non_differentiable(*(out for out in outs if not out.is_floating_point()))
        return tuple(outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *douts: Tensor | None) -> tuple[Tensor | None, ...]:
        job: Job = ctx.job
        saved: list[Tensor] = list(ctx.saved_tensors)
        count = len(ctx.needs_input_grad) - 1
        tensors, kept = saved[:count], saved[count:]
        kept[0] = _with_gaps(job, kept[0])
        fixed = job.fixed(tensors)
        overwrite = job.loop.in_place and job.watch is None and not kept_for_another()
        yields = job.plan.form.yields
        given = [None if g is None else g.contiguous() for g in douts[: len(yields)]]
        there = tuple(g is not None for g in given)
        moving = [*tensors[: count - len(fixed)], *(g for g in given if g is not None)]

        def work(multiply: Multiply) -> Results:
            back = _Back(given, douts[len(yields) :], ctx.needs_input_grad[1:], overwrite)
            return _backward(job, tensors, kept, ctx.stacked, ctx.bias, back, multiply)

        key, own = job.repeated(("backward", ctx.needs_input_grad, there, overwrite), moving)
        made = job.loop.multiply.call(key, [*own, *kept], fixed, work)
        return (None, *made)


def _forward(
    job: Job, tensors: Sequence[Tensor], stacked: dict[tuple[int, int], Tensor], multiply: Multiply
) -> Results:
    """The yields; the bias; and for the way back: slots, saved, all values of the states, yields, sources.

    stacked: is filled with the weights of the stages.
    """
    plan = job.plan
    reads, vectors, initial, outside, own, weights, biases = job.names.split(tensors)
    for level, stage in enumerate(plan.stages):
        for i, product in enumerate(stage.products):
            stacked[level, i] = job.stacks.of(product, weights)
    some = next(iter(initial.values()))
    b = allocate(plan, job.steps, job.batch, some, reads, vectors, stacked, job.valid)
    b.tokens, b.multiply = job.tokens, multiply
    bias = job.stacks.bias(biases, some)
    if job.loop.adds_bias:
        b.bias = bias
    project(b, weights, bias, job.stacks)
    for state in plan.form.states:
        first = b.states[state.delay].narrow(0, 0 if plan.form.forward else job.steps, state.k)
        if initial[state.delay].is_contiguous():
            multiply.sum_rows(initial[state.delay].view(1, -1), first.view(-1))
        else:
            first.copy_(initial[state.delay])
    if job.plain is not None:
        b.plain = job.plain
        job.plain.begin(outside, own, job.steps, job.batch, some)
    job.loop.forward(b)
    multiply.finish()
    outs: list[Tensor] = []
    for name, _ in plan.form.yields:
        kind, place = plan.outputs[name]
        if kind == "yield":
            outs.append(b.yields[name])
        else:
            outs.append(b.new_states(str(place)) if kind == "state" else b.read_states(str(place)))
    if job.plain is not None:
        outs += [job.plain.yielded(name) for name in job.plain.plain.yields]
    histories = [b.states[s.delay] for s in plan.form.states]
    return [*outs, b.bias, b.slots, *b.saved, *histories, *b.yields.values(), *b.sources]


def _with_gaps(job: Job, slots: Tensor) -> Tensor:
    """The pre-activations with their rows as far apart as loops have them: a hook for saved tensors may have copied
    them without the gaps.
    """
    made = slot_rows(job.plan, job.steps, job.batch, slots) if slots.stride(1) != job.plan.stride else slots
    return slots if made is slots else made.copy_(slots)


@dataclass(frozen=True, slots=True)
class _Back:
    """What the way back begins with: gradients of the yields, those of plain stages, and which gradients are wanted.

    overwrite: the gradients of the pre-activations take these' place.
    """

    douts: Sequence[Tensor | None]
    plain: Sequence[Tensor | None]
    wanted: Sequence[bool]
    overwrite: bool


def _backward(
    job: Job,
    tensors: Sequence[Tensor],
    kept: Sequence[Tensor],
    own: Mapping[tuple[int, int], Tensor],
    bias: Tensor | None,
    back: _Back,
    multiply: Multiply,
) -> Results:
    """The gradient of each tensor, or None. kept: from slots on, as `_forward` gives it. own: weights made in there."""
    plan, form = job.plan, job.plan.form
    reads, vectors, _, _, _, weights, biases = job.names.split(tensors)
    wanted = job.names.split(back.wanted)
    slots, kept = kept[0], kept[1:]
    n, m = len(plan.saved), len(plan.saved) + len(form.states)
    made = [name for name, place in plan.outputs.items() if place[0] == "yield"]
    b = Buffers(
        plan=plan,
        steps=job.steps,
        batch=job.batch,
        slots=slots,
        saved=list(kept[:n]),
        states=dict(zip(job.names.states, kept[n:m], strict=True)),
        yields=dict(zip(made, kept[m : m + len(made)], strict=True)),
        sources=list(kept[m + len(made) :]),
        reads=reads,
        vectors=vectors,
        weights={
            (level, i): own[level, i] if (level, i) in own else job.stacks.of(product, weights)
            for level, stage in enumerate(plan.stages)
            for i, product in enumerate(stage.products)
        },
        valid=job.valid,
        delays={s.delay: s.k for s in form.states},
        tokens=job.tokens,
        bias=bias,
        plain=job.plain,
        multiply=multiply,
    )
    if job.plain is not None:
        names = job.plain.plain.yields
        job.plain.begin_back(dict(zip(names, back.plain, strict=True)), {**wanted[3], **wanted[4]})
    inside = {s.place[1] for stage in plan.stages for s in stage.back_stores if s.place[0] == "dread"}
    d = Gradients(
        douts={name: g for (name, _), g in zip(form.yields, back.douts, strict=True)},
        slots=slots if back.overwrite else slot_rows(plan, job.steps, job.batch, slots),
        initial={},
        vectors={name: slots.new_zeros(job.batch, width) for name, width in form.vectors.items()},
        reads={name: torch.zeros_like(reads[name]) for name in form.reads if name in inside},
        later={} if job.watch is not None else None,
    )
    job.loop.backward(b, d)
    if job.watch is not None:
        job.watch.append(lambda: state_norms(b, d))
    dweights = weight_gradients(b, d, weights, wanted[5])
    dplain = {}
    if job.plain is not None:
        multiply.finish()
        dplain = job.plain.gradients()
    read_gradients(b, d, weights, wanted[0], job.stacks)
    found: Results = [d.reads.get(name) if wanted[0][name] else None for name in job.names.reads]
    for name in job.names.vectors:
        whole = d.vectors[name]
        if vectors[name].dim() == 1:
            whole = whole[0] if len(whole) == 1 else whole.sum(0)
        found.append(whole if wanted[1][name] else None)
    found += [d.initial[name] if wanted[2][name] else None for name in job.names.states]
    found += [dplain.get(name) for name in (*job.names.outside, *job.names.plain)]
    found += [dweights.get(name) for name in job.names.weights]
    found += bias_gradients(b, d, biases, wanted[6], job.stacks)
    multiply.finish()
    return found


def kept_for_another() -> bool:
    """Whether the graph that autograd is going back through is to be kept (retain_graph)."""
    asked = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return asked is None or bool(asked())
