"""A whole loop over trees as one autograd function: hoisted products, levels, and one product per weight gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .hoisted import stack
from .tree_buffers import TreeBuffers, TreeGradients, allocate, gradients, missing_row
from .tree_hoisted import bias_gradients, project, read_gradients, weight_gradients
from .tree_plan import TreePlan
from .tree_rows import TreeRows


class LevelLoop(Protocol):
    """The two loops over the levels of a forest, made for one plan."""

    name: str

    def forward(self, b: TreeBuffers) -> None: ...

    def backward(self, b: TreeBuffers, d: TreeGradients) -> None: ...


@dataclass(frozen=True, slots=True)
class TreeNames:
    """The order in which tensors are given to the function, and gradients come back."""

    reads: tuple[str, ...]
    vectors: tuple[str, ...]
    missing: tuple[str, ...]
    weights: tuple[str, ...]
    biases: tuple[str, ...]

    def split(self, tensors: Sequence[Any]) -> tuple[dict[str, Any], ...]:
        """Five mappings, in the order of the fields."""
        found, at = [], 0
        for names in (self.reads, self.vectors, self.missing, self.weights, self.biases):
            found.append(dict(zip(names, tensors[at : at + len(names)], strict=True)))
            at += len(names)
        return tuple(found)


def tree_names(plan: TreePlan) -> TreeNames:
    form = plan.form
    pieces = [piece for slot in form.slots for piece in slot.pieces]
    return TreeNames(
        reads=tuple(form.reads),
        vectors=tuple(form.vectors),
        missing=tuple(dict.fromkeys(s.missing for s in form.states if s.missing is not None)),
        weights=tuple(dict.fromkeys(p.weight for p in pieces)),
        biases=tuple(dict.fromkeys(path for slot in form.slots for path, _, _ in slot.biases)),
    )


@dataclass(frozen=True, slots=True)
class TreeJob:
    """One call. like: gives dtype and device. tokens: see TreeBuffers."""

    plan: TreePlan
    names: TreeNames
    loop: LevelLoop
    rows: TreeRows
    like: Tensor
    tokens: Mapping[str, Tensor]


def run_tree_loop(job: TreeJob, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """Yields [nodes, width] by name. tensors: as job.names says."""
    outs = _TreeLoop.apply(job, *tensors)  # type: ignore[no-untyped-call]
    return dict(zip((name for name, _ in job.plan.form.yields), outs, strict=True))


def _stacked(plan: TreePlan, weights: Mapping[str, Tensor]) -> dict[tuple[int, int], Tensor]:
    return {
        (level, i): stack(product, weights)
        for level, stage in enumerate(plan.stages)
        for i, product in enumerate(stage.products)
    }


class _TreeLoop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, job: TreeJob, *tensors: Tensor) -> tuple[Tensor, ...]:
        plan = job.plan
        reads, vectors, missing, weights, biases = job.names.split(tensors)
        stacked = _stacked(plan, weights)
        b = allocate(plan, job.rows, job.like, reads, vectors, missing, stacked, job.tokens)
        project(b, weights, biases)
        job.loop.forward(b)
        outs = []
        for name, _ in plan.form.yields:
            kind, key = plan.outputs[name]
            outs.append(b.memories[int(key)][: job.rows.nodes] if kind == "memory" else b.yields[name])
        ctx.job = job
        ctx.set_materialize_grads(False)
        ctx.stacked = {key: w for key, w in stacked.items() if not any(w is x for x in tensors)}
        ctx.names = (tuple(b.children), tuple(b.yields))
        kept = (*b.slots, *b.saved, *b.memories, *b.children.values(), *b.yields.values(), *b.sources)
        ctx.save_for_backward(*tensors, *kept)
        return tuple(out.view_as(out) for out in outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *douts: Tensor | None) -> tuple[Tensor | None, ...]:
        job: TreeJob = ctx.job
        plan, form = job.plan, job.plan.form
        kept = list(ctx.saved_tensors)
        count = len(ctx.needs_input_grad) - 1
        tensors = kept[:count]
        reads, vectors, _, weights, biases = job.names.split(tensors)
        wanted = job.names.split(ctx.needs_input_grad[1:])
        stacked = {**(_stacked(plan, weights) if len(ctx.stacked) < _products(plan) else {}), **ctx.stacked}
        children, yields = ctx.names
        sizes = (2, len(plan.saved), len(form.memories), len(children), len(yields), len(plan.sources))
        parts, at = [], count
        for size in sizes:
            parts.append(kept[at : at + size])
            at += size
        b = TreeBuffers(
            plan=plan,
            rows=job.rows,
            slots=(parts[0][0], parts[0][1]),
            saved=parts[1],
            memories=parts[2],
            children=dict(zip(children, parts[3], strict=True)),
            yields=dict(zip(yields, parts[4], strict=True)),
            sources=parts[5],
            reads=reads,
            vectors=vectors,
            weights=stacked,
            tokens=job.tokens,
        )
        given = {name: None if g is None else g.contiguous() for (name, _), g in zip(form.yields, douts, strict=True)}
        d = gradients(b, given)
        job.loop.backward(b, d)
        dweights = weight_gradients(b, d, weights, wanted[3])
        read_gradients(b, d, weights, wanted[0])
        dbiases = bias_gradients(b, d, biases, wanted[4])
        found: list[Tensor | None] = [d.reads.get(name) if wanted[0][name] else None for name in job.names.reads]
        found += [d.vectors[name] if wanted[1][name] else None for name in job.names.vectors]
        found += [_missing_gradient(b, d, path) if wanted[2][path] else None for path in job.names.missing]
        found += [dweights.get(name) for name in job.names.weights]
        found += [dbiases.get(path) for path in job.names.biases]
        return (None, *found)


def _products(plan: TreePlan) -> int:
    return sum(len(stage.products) for stage in plan.stages)


def _missing_gradient(b: TreeBuffers, d: TreeGradients, path: str) -> Tensor:
    """[width]: what reaches the weight that stands for children that are not there."""
    total: Tensor | None = None
    for state in b.plan.form.states:
        if state.missing == path:
            row = missing_row(b.plan, state.delay, b.rows.nodes)
            without = torch.from_numpy((b.rows.child_at(state.slot, row) == row).nonzero()[0])
            part = d.children[state.delay].index_select(0, without.to(d.slots[0].device)).sum(0)
            total = part if total is None else total + part
    assert total is not None
    return total
