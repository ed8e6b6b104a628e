"""A whole loop as one autograd function: hoisted input products, time loops, and one product per weight gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from .buffers import Buffers, Gradients, allocate
from .plan import Plan
from .stages import Product


class TimeLoop(Protocol):
    """The two loops over time, made for one plan."""

    name: str

    def forward(self, b: Buffers) -> None: ...

    def backward(self, b: Buffers, d: Gradients) -> None: ...


@dataclass(frozen=True, slots=True)
class Names:
    """The order in which tensors are given to the function, and gradients come back."""

    reads: tuple[str, ...]
    vectors: tuple[str, ...]
    states: tuple[str, ...]
    weights: tuple[str, ...]
    biases: tuple[str, ...]

    def split(self, tensors: Sequence[Any]) -> tuple[dict[str, Any], ...]:
        """Five mappings, in the order of the fields."""
        found, at = [], 0
        for names in (self.reads, self.vectors, self.states, self.weights, self.biases):
            found.append(dict(zip(names, tensors[at : at + len(names)], strict=True)))
            at += len(names)
        return tuple(found)


def names_of(plan: Plan) -> Names:
    form = plan.form
    pieces = [piece for slot in form.slots for piece in slot.pieces]
    return Names(
        reads=tuple(form.reads),
        vectors=tuple(form.vectors),
        states=tuple(s.delay for s in form.states),
        weights=tuple(dict.fromkeys(p.weight for p in pieces)),
        biases=tuple(dict.fromkeys(path for slot in form.slots for path, _, _ in slot.biases)),
    )


@dataclass(frozen=True, slots=True)
class Job:
    """One call: the loop, its size, and which rows are valid when ([time, batch] of the loop's dtype, or None)."""

    plan: Plan
    names: Names
    loop: TimeLoop
    steps: int
    batch: int
    valid: Tensor | None


def run_loop(job: Job, tensors: Sequence[Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Yields [time, batch, width] by name, and all values of each state [time + k, batch, width], detached.

    tensors: as job.names says; initial states are [k, batch, width].
    """
    outs = _Loop.apply(job, *tensors)  # type: ignore[no-untyped-call]
    yields = [name for name, _ in job.plan.form.yields]
    found = dict(zip(yields, outs[: len(yields)], strict=True))
    return found, dict(zip(job.names.states, outs[len(yields) :], strict=True))


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, job: Job, *tensors: Tensor) -> tuple[Tensor, ...]:
        plan = job.plan
        reads, vectors, initial, weights, biases = job.names.split(tensors)
        stacked = {
            (level, i): stack(product, weights)
            for level, stage in enumerate(plan.stages)
            for i, product in enumerate(stage.products)
        }
        some = tensors[-1]
        b = allocate(plan, job.steps, job.batch, some, reads, vectors, stacked, job.valid)
        project(b, weights, biases)
        for state in plan.form.states:
            first = 0 if plan.form.forward else job.steps
            b.states[state.delay].narrow(0, first, state.k).copy_(initial[state.delay])
        job.loop.forward(b)
        outs = []
        for name, _ in plan.form.yields:
            kind, key = plan.outputs[name]
            if kind == "yield":
                outs.append(b.yields[name])
            else:
                outs.append(b.new_states(str(key)) if kind == "state" else b.read_states(str(key)))
        histories = [b.states[s.delay] for s in plan.form.states]
        ctx.job = job
        ctx.set_materialize_grads(False)
        ctx.stacked = {key: w for key, w in stacked.items() if not any(w is x for x in tensors)}
        ctx.save_for_backward(*tensors, b.slots, *b.saved, *histories, *b.yields.values(), *b.sources)
        ctx.yield_names = tuple(b.yields)
        outs = [out.view_as(out) for out in outs]
        seen = [h.detach() for h in histories]
        ctx.mark_non_differentiable(*seen)
        return (*outs, *seen)

    @staticmethod
    def backward(ctx: Any, *douts: Tensor | None) -> tuple[Tensor | None, ...]:
        job: Job = ctx.job
        plan, form = job.plan, job.plan.form
        kept = list(ctx.saved_tensors)
        count = len(ctx.needs_input_grad) - 1
        tensors, kept = kept[:count], kept[count:]
        reads, vectors, _, weights, biases = job.names.split(tensors)
        wanted = job.names.split(ctx.needs_input_grad[1:])
        slots, kept = kept[0], kept[1:]
        n, m = len(plan.saved), len(form.states)
        stacked = {
            (level, i): ctx.stacked[level, i] if (level, i) in ctx.stacked else stack(product, weights)
            for level, stage in enumerate(plan.stages)
            for i, product in enumerate(stage.products)
        }
        b = Buffers(
            plan=plan,
            steps=job.steps,
            batch=job.batch,
            slots=slots,
            saved=kept[:n],
            states=dict(zip(job.names.states, kept[n : n + m], strict=True)),
            yields=dict(zip(ctx.yield_names, kept[n + m : n + m + len(ctx.yield_names)], strict=True)),
            sources=kept[n + m + len(ctx.yield_names) :],
            reads=reads,
            vectors=vectors,
            weights=stacked,
            valid=job.valid,
            delays={s.delay: s.k for s in form.states},
        )
        given = {name: None if g is None else g.contiguous() for (name, _), g in zip(form.yields, douts, strict=False)}
        inside = {s.place[1] for stage in plan.stages for s in stage.back_stores if s.place[0] == "dread"}
        d = Gradients(
            douts=given,
            slots=torch.empty_like(slots),
            initial={},
            vectors={name: slots.new_zeros(job.batch, width) for name, width in form.vectors.items()},
            reads={name: torch.zeros_like(reads[name]) for name in form.reads if name in inside},
        )
        job.loop.backward(b, d)
        dweights = weight_gradients(b, d, weights, wanted[3])
        found: list[Tensor | None] = []
        read_gradients(b, d, weights, wanted[0])
        found += [d.reads.get(name) if wanted[0][name] else None for name in job.names.reads]
        for name in job.names.vectors:
            whole = d.vectors[name]
            found.append((whole.sum(0) if vectors[name].dim() == 1 else whole) if wanted[1][name] else None)
        found += [d.initial[name] if wanted[2][name] else None for name in job.names.states]
        found += [dweights.get(name) for name in job.names.weights]
        found += bias_gradients(b, d, biases, wanted[4])
        return (None, *found)


def stack(product: Product, weights: Mapping[str, Tensor]) -> Tensor:
    """W of a product, [size, width]: its pieces one below the other."""
    blocks = [_block(weights[p.weight], p.rows, p.columns) for p in product.pieces]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


def _block(weight: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """Rows of a vector, or rows and columns of a matrix."""
    if rows != (0, weight.shape[0]):
        weight = weight[rows[0] : rows[1]]
    return weight if weight.dim() == 1 or columns == (0, weight.shape[1]) else weight[:, columns[0] : columns[1]]


def project(b: Buffers, weights: Mapping[str, Tensor], biases: Mapping[str, Tensor]) -> None:
    """The linear maps of all inputs at all steps, and the biases, into the pre-activations."""
    plan = b.plan
    flat = b.slots.view(b.steps * b.batch, plan.columns)
    bias = stacked_bias(plan, biases, flat)
    filled: list[tuple[int, int]] = []
    for product in plan.projections:
        target = flat.narrow(1, product.offset, product.size)
        weight = stack(product, weights).t()
        source = _flat_read(b, product)
        if product.accumulate:
            target.addmm_(source, weight)
        elif bias is None:
            torch.mm(source, weight, out=target)
        else:
            torch.addmm(bias.narrow(0, product.offset, product.size), source, weight, out=target)
        filled.append((product.offset, product.offset + product.size))
    for number, slot in enumerate(plan.form.slots):
        at = plan.offsets[number]
        if slot.biases and bias is not None and not any(a <= at < e for a, e in filled):
            flat.narrow(1, at, slot.width).copy_(bias.narrow(0, at, slot.width))


def stacked_bias(plan: Plan, biases: Mapping[str, Tensor], like: Tensor) -> Tensor | None:
    """[columns]: the sum of each slot's biases, zero where there is none; None when there are none at all."""
    if not biases:
        return None
    order = sorted(range(len(plan.form.slots)), key=plan.offsets.__getitem__)
    blocks, more = [], []
    for number in order:
        slot = plan.form.slots[number]
        firsts = [_block(biases[path], (first, last), (0, 0)) for path, first, last in slot.biases]
        blocks.append(firsts[0] if firsts else like.new_zeros(slot.width))
        more += [(plan.offsets[number], x) for x in firsts[1:]]
    whole = torch.cat(blocks)
    for at, x in more:
        whole.narrow(0, at, len(x)).add_(x)
    return whole


def _flat_read(b: Buffers, product: Product) -> Tensor:
    x = b.reads[str(product.source[1])]
    return x.reshape(b.steps * b.batch, x.shape[2]).narrow(1, product.start, product.width)


def _flat_source(b: Buffers, product: Product) -> Tensor:
    kind, key = product.source
    if kind == "read":
        return _flat_read(b, product)
    whole = b.read_states(str(key)) if kind == "state" else b.sources[int(key)]
    return whole.reshape(b.steps * b.batch, whole.shape[2]).narrow(1, product.start, product.width)


def weight_gradients(
    b: Buffers, d: Gradients, weights: Mapping[str, Tensor], wanted: Mapping[str, bool]
) -> dict[str, Tensor]:
    """Gradient of every wanted weight: one product over all steps for each product of the plan."""
    flat = d.slots.view(b.steps * b.batch, b.plan.columns)
    found: dict[str, Tensor] = {}
    for product in (*b.plan.projections, *(p for stage in b.plan.stages for p in stage.products)):
        if not any(wanted[piece.weight] for piece in product.pieces):
            continue
        part = torch.mm(flat.narrow(1, product.offset, product.size).t(), _flat_source(b, product))
        at = 0
        for piece in product.pieces:
            rows = piece.rows[1] - piece.rows[0]
            block = part.narrow(0, at, rows)
            at += rows
            if not wanted[piece.weight]:
                continue
            weight = weights[piece.weight]
            if piece.weight not in found and block.shape == weight.shape:
                found[piece.weight] = block
                continue
            if piece.weight not in found:
                found[piece.weight] = torch.zeros_like(weight)
            _block(found[piece.weight], piece.rows, piece.columns).add_(block)
    return found


def read_gradients(b: Buffers, d: Gradients, weights: Mapping[str, Tensor], wanted: Mapping[str, bool]) -> None:
    """Adds to d.reads what reaches the inputs through their linear maps."""
    flat = d.slots.view(b.steps * b.batch, b.plan.columns)
    for product in b.plan.projections:
        name = str(product.source[1])
        if not wanted[name]:
            continue
        weight, columns = stack(product, weights), flat.narrow(1, product.offset, product.size)
        whole = b.reads[name]
        if name not in d.reads and product.width == whole.shape[2]:
            d.reads[name] = torch.mm(columns, weight).view(whole.shape)
            continue
        if name not in d.reads:
            d.reads[name] = torch.zeros_like(whole)
        target = d.reads[name].view(b.steps * b.batch, whole.shape[2])
        target.narrow(1, product.start, product.width).addmm_(columns, weight)


def bias_gradients(
    b: Buffers, d: Gradients, biases: Mapping[str, Tensor], wanted: Mapping[str, bool]
) -> list[Tensor | None]:
    if not any(wanted.values()):
        return [None] * len(biases)
    flat = d.slots.view(b.steps * b.batch, b.plan.columns)
    total = torch.mm(flat.new_ones(1, len(flat)), flat)[0]  # faster than a sum over rows
    found: dict[str, Tensor] = {}
    for number, slot in enumerate(b.plan.form.slots):
        part = total.narrow(0, b.plan.offsets[number], slot.width)
        for i, (path, first, last) in enumerate(slot.biases):
            if not wanted[path]:
                continue
            if path not in found and last - first == biases[path].shape[0]:
                found[path] = part.clone() if i else part  # no two gradients share memory
                continue
            if path not in found:
                found[path] = torch.zeros_like(biases[path])
            found[path][first:last] += part
    return [found.get(path) for path in biases]
