"""A whole loop over trees as one autograd function: hoisted products, levels, and one product per weight gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .function import kept_for_another
from .multiply import Multiply
from .table_rows import add_rows, take_or_zero, take_rows
from .together import Stacks
from .tree_buffers import TreeBuffers, TreeGradients, Words, allocate, gradients, missing_row
from .tree_hoisted import bias_gradients, project, read_gradients, weight_gradients
from .tree_inputs import Inputs
from .tree_plan import TreePlan
from .tree_rows import TreeRows


class LevelLoop(Protocol):
    """The two loops over the levels of a forest, made for one plan."""

    name: str
    multiply: Multiply
    in_place: bool
    """Whether backward may be given one buffer as both TreeBuffers.slots and TreeGradients.slots."""

    def inputs(self, words: frozenset[str]) -> Inputs | None:
        """What it adds to the pre-activations itself, when these reads are rows of tables; None: nothing."""

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
    """One call. like: gives dtype and device. words: see TreeBuffers. padded: reads that are [places, width], with
    padding; all others have a row for every node; those of `words` are the whole table.
    """

    plan: TreePlan
    names: TreeNames
    loop: LevelLoop
    stacks: Stacks
    rows: TreeRows
    like: Tensor
    words: Mapping[str, Words]
    padded: frozenset[str]

    def stacked(self, weights: Mapping[str, Tensor]) -> dict[tuple[int, int], Tensor]:
        """W of each product of a stage."""
        return {
            (level, i): self.stacks.of(product, weights)
            for level, stage in enumerate(self.plan.stages)
            for i, product in enumerate(stage.products)
        }

    def at_nodes(self, name: str, x: Tensor) -> Tensor:
        """A read with a row for every node, or for every word."""
        if name in self.words:
            present = self.words[name].present
            return take_rows(x, present, x.new_empty(len(present), x.shape[1]))
        if name not in self.padded:
            return x
        return take_rows(x, self.rows.lies, x.new_empty(self.rows.nodes, x.shape[1]))

    def placed(self, x: Tensor) -> Tensor:
        """[nodes, width] → [places, width], zero at padding."""
        return take_or_zero(x, self.rows.node, x.new_empty(self.rows.size * self.rows.batch, x.shape[1]))


def run_tree_loop(job: TreeJob, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """Yields [places, width] by name, zero at padding. tensors: as job.names says."""
    outs = _TreeLoop.apply(job, *tensors)  # type: ignore[no-untyped-call]
    return dict(zip((name for name, _ in job.plan.form.yields), outs, strict=True))


class _TreeLoop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, job: TreeJob, *tensors: Tensor) -> tuple[Tensor, ...]:
        plan = job.plan
        given, vectors, missing, weights, biases = job.names.split(tensors)
        reads = {name: job.at_nodes(name, x) for name, x in given.items()}
        b = allocate(plan, job.rows, job.like, reads, vectors, missing, job.stacked(weights), job.words)
        b.multiply = job.loop.multiply
        b.inputs, b.biases = job.loop.inputs(frozenset(job.words)), biases
        project(b, weights, biases, job.stacks)
        job.loop.forward(b)
        outs = []
        for name, _ in plan.form.yields:
            kind, key = plan.outputs[name]
            outs.append(job.placed(b.memories[int(key)][: job.rows.nodes] if kind == "memory" else b.yields[name]))
        ctx.job, ctx.buffers = job, b
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        return tuple(outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *douts: Tensor | None) -> tuple[Tensor | None, ...]:
        job: TreeJob = ctx.job
        form = job.plan.form
        tensors = ctx.saved_tensors  # says so when they have changed, or are not kept for a second time
        b: TreeBuffers = ctx.buffers
        again = kept_for_another()
        if not again:
            ctx.buffers = None
        _, _, _, weights, biases = job.names.split(tensors)
        wanted = job.names.split(ctx.needs_input_grad[1:])
        given = {name: None if g is None else g.contiguous() for (name, _), g in zip(form.yields, douts, strict=True)}
        d = gradients(b, given, overwrite=job.loop.in_place and not again)
        job.loop.backward(b, d)
        dweights = weight_gradients(b, d, weights, wanted[3])
        read_gradients(b, d, weights, wanted[0], job.stacks)
        dbiases = bias_gradients(b, d, biases, wanted[4])
        reads = {name: x for name, x in d.reads.items() if wanted[0][name]}
        reads |= {name: job.placed(reads[name]) for name in job.padded if name in reads}
        for name in reads.keys() & job.words.keys():
            table = tensors[job.names.reads.index(name)]
            reads[name] = add_rows(torch.zeros_like(table), job.words[name].present, reads[name])
        found: list[Tensor | None] = [reads.get(name) for name in job.names.reads]
        found += [d.vectors[name] if wanted[1][name] else None for name in job.names.vectors]
        found += [_missing_gradient(b, d, path) if wanted[2][path] else None for path in job.names.missing]
        found += [dweights.get(name) for name in job.names.weights]
        found += [dbiases.get(path) for path in job.names.biases]
        return (None, *found)


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
