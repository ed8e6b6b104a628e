"""The parts of a step that are no products and pointwise graph: attention over another axis, tokens, statistics.

They run step by step in plain torch inside of the fused loop, by the operations of the reference; the way back is that
of `adjoints`. One `PlainRun` serves one forward and backward of a loop.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...catalog.primitives import Op
from ...compiler.program import Scan
from ...design.signals import Signal
from ..context import Context
from ..primitives import run_op
from .adjoints import ADJOINTS, STEPS
from .plain_form import Plain, weights_of

if TYPE_CHECKING:
    from .glance_run import GlanceRun
    from .pick_run import PickRun


class PlainRun:
    """The plain stages of one run of a loop.

    keep: whether there will be a way back. signals: of what is made outside. outputs: [time, batch, width] by name.
    arriving: the gradients of outputs, filled by the loop. constants: what is made outside and has no time.
    drawn: for operations that draw random numbers, what they drew for all steps.
    filled, machine: results by name, and what runs the stages, of a loop that does not run by `forward` and `backward`.
    """

    def __init__(
        self,
        plain: Plain,
        scan: Scan,
        signals: Mapping[str, Signal],
        context: Context,
        drawn: Mapping[str, Tensor],
        *,
        keep: bool,
    ) -> None:
        self.plain = plain
        self.scan = scan
        self.drawn = drawn
        self.keep = keep
        self.context = copy.copy(context)
        self.context.depth = context.depth + 1
        self.context.steps = dict(context.steps)
        self.context.record = None
        self.outputs: dict[str, Tensor] = {}
        self.arriving: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}
        self.constants: dict[str, Tensor] = {}
        self.filled: dict[str, Tensor] = {}
        self.machine: list[GlanceRun | PickRun] = []
        self._places = {
            name: signals[name].axes.index(scan.axis) if scan.axis in signals[name].axes else -1
            for name in plain.outside
        }
        self.reads: dict[str, tuple[Tensor, ...]] = {}
        self._tape: list[dict[str, Tensor]] = []
        self._graphs: dict[tuple[int, str], tuple[Tensor, list[Tensor]]] = {}
        self._produced = {op.name for stage in plain.stages for op in stage.ops}

    def begin(
        self, outside: Mapping[str, Tensor], weights: Mapping[str, Tensor], steps: int, batch: int, like: Tensor
    ) -> None:
        """Before the first step. outside, weights: tensors by name, without their graph."""
        self.weights = {path: w.detach().requires_grad_() for path, w in weights.items()}
        self.context.weights = {**self.context.weights, **self.weights}
        self.context._joined = {}
        for name, x in outside.items():
            if self._places[name] < 0:
                self.constants[name] = x.detach()
            else:
                self.reads[name] = x.detach().unbind(self._places[name])
        self.outputs = {
            name: like.new_empty(steps, batch, width) for stage in self.plain.stages for name, width in stage.outputs
        }
        self._tape = [{} for _ in range(steps)]

    def forward(self, number: int, t: int, inputs: Mapping[int, Tensor]) -> None:
        """One stage at step t. inputs: what it reads of the step, by the number of the node."""
        stage, values = self.plain.stages[number], self._tape[t]
        self.context.steps[self.scan.axis] = t
        self.context.drawn = {name: x[t] for name, x in self.drawn.items()}
        for name, nodes in stage.inputs:
            pieces = [inputs[node.number] for node in nodes]
            values[name] = pieces[0] if len(pieces) == 1 else torch.cat(pieces, -1)
        buffers = {values[name].untyped_storage().data_ptr() for name, _ in stage.inputs}
        for op in stage.ops:
            given = tuple(self._value(name, t) for name in op.inputs)
            if self.keep and op.kind not in ADJOINTS:
                # What a stage reads are rows of buffers that later steps write into: what is kept of them, or of a
                # view of them, is a copy.
                rows = [x.clone() if x.untyped_storage().data_ptr() in buffers else x for x in given]
                leaves = [x.detach().requires_grad_(x.is_floating_point()) for x in rows]
                with torch.enable_grad():
                    out = run_op(op, tuple(leaves), self.context)
                if out.requires_grad:
                    self._graphs[t, op.name] = (out, leaves)
                values[op.name] = out.detach()
            else:
                values[op.name] = run_op(op, given, self.context)
        for name, _ in stage.outputs:
            self.outputs[name][t].copy_(values[name])

    def _value(self, name: str, t: int) -> Tensor:
        found = self._tape[t].get(name)
        if found is None:
            found = self.constants[name] if name in self.constants else self.reads[name][t]
        return found

    def yielded(self, name: str) -> Tensor:
        """All steps of a result, as it is read outside."""
        if name in self.filled:
            return self.filled[name]
        return torch.stack([values[name] for values in self._tape], self.scan.dims[name])

    def tokens(self, delay: str) -> Tensor:
        """[time, batch]: all steps of the next value of a state that is a token."""
        name = self.plain.tokens[delay]
        return self.filled[name] if name in self.filled else torch.stack([values[name] for values in self._tape])

    def begin_back(self, douts: Mapping[str, Tensor | None], wanted: Mapping[str, bool]) -> None:
        """Before the way back. douts: gradients of `yields`; wanted: of what is made outside and of weights."""
        self._douts = {n: g.unbind(self.scan.dims[n]) for n, g in douts.items() if g is not None}
        self._wanted = wanted
        self.arriving = {name: torch.zeros_like(x) for name, x in self.outputs.items()}
        self._adjoint: dict[str, Tensor] = {}
        self._added: dict[str, Tensor] = {}
        self._steps: dict[str, list[Tensor | None]] = {name: [None] * len(x) for name, x in self.reads.items()}
        self._later: dict[str, list[tuple[str, Tensor, Tensor]]] = {}

    def backward(self, number: int, t: int) -> dict[int, Tensor]:
        """One stage back at step t: the gradient of its inputs so far, by the number of the node."""
        if number == len(self.plain.stages) - 1:
            self._adjoint = {name: g[t] for name, g in self._douts.items()}
        stage, adjoint = self.plain.stages[number], self._adjoint
        self.context.steps[self.scan.axis] = t
        for name, _ in stage.outputs:
            self._give(name, self.arriving[name][t], t)
        for op in reversed(stage.ops):
            d = adjoint.pop(op.name, None)
            if d is not None:
                self._back(op, d, t)
        found: dict[int, Tensor] = {}
        for name, nodes in stage.inputs:
            whole = adjoint.get(name)
            if whole is None:
                whole = torch.zeros_like(self._tape[t][name])
            parts = [whole] if len(nodes) == 1 else torch.split(whole, [node.width for node in nodes], -1)
            found |= {node.number: part for node, part in zip(nodes, parts, strict=True)}
        return found

    def _back(self, op: Op, d: Tensor, t: int) -> None:
        rule = ADJOINTS.get(op.kind)
        if rule is None:
            if (t, op.name) not in self._graphs:
                return
            out, leaves = self._graphs[t, op.name]
            real = [i for i, x in enumerate(leaves) if x.requires_grad]
            paths = [path for path in weights_of(op) if self._wanted.get(path)]
            ends = [*(leaves[i] for i in real), *(self.weights[path] for path in paths)]
            found = torch.autograd.grad(out, ends, d, allow_unused=True, retain_graph=True)
            for i, g in zip(real, found, strict=False):
                self._give(op.inputs[i], g, t)
            for path, g in zip(paths, found[len(real) :], strict=True):
                if g is not None:
                    self.add_weight(path, g)
            return
        inputs = [self._value(name, t) for name in op.inputs]
        own = rule(self, op, inputs, self._tape[t][op.name], d)
        for name, part in zip(op.inputs, own, strict=True):
            self._give(name, part, t)

    def _give(self, name: str, g: Tensor | None, t: int) -> None:
        if g is None:
            return
        if name in self.reads and name not in self._tape[t]:
            before = self._steps[name][t]
            self._steps[name][t] = g if before is None else before + g
        elif name in self.constants and name not in self._tape[t]:
            if self._wanted.get(name):
                self._accumulate(name, g)
        else:
            self._adjoint[name] = self._adjoint[name] + g if name in self._adjoint else g

    def arrived(self, name: str) -> Tensor | None:
        """The gradient of one of `yields`, steps first."""
        parts = self._douts.get(name)
        return None if parts is None else torch.stack(list(parts))

    def add(self, name: str, gradient: Tensor) -> None:
        """Adds to the gradient of what is made outside, or of a weight."""
        if self._wanted.get(name):
            self._accumulate(name, gradient)

    def add_weight(self, path: str, gradient: Tensor) -> None:
        """Adds to the gradient of a weight."""
        self.add(path, gradient)

    def _accumulate(self, name: str, gradient: Tensor) -> None:
        if name in self._added:
            self._added[name].add_(gradient)
        else:
            self._added[name] = gradient.clone(memory_format=torch.contiguous_format)

    def later(self, name: str, equation: str, a: Tensor, b: Tensor) -> bool:
        """Keeps a product for the gradient of a constant until all steps are done; False for what is no constant."""
        if name not in self.constants or name in self._produced:
            return False
        if self._wanted.get(name):
            self._later.setdefault(name, []).append((equation, a, b))
        return True

    def gradients(self) -> dict[str, Tensor]:
        """By name of what is made outside, or path of a weight, after the last step back."""
        for name, kept in self._later.items():
            for equation in dict.fromkeys(e for e, _, _ in kept):
                left = torch.stack([a for e, a, _ in kept if e == equation])
                right = torch.stack([b for e, _, b in kept if e == equation])
                sides, result = equation.split("->")
                one, two = sides.split(",")
                part = torch.einsum(f"{STEPS}{one},{STEPS}{two}->{result}", left, right).flatten(-2)
                self._added[name] = self._added[name].add_(part) if name in self._added else part
        found = dict(self._added)
        for name, parts in self._steps.items():
            if self._wanted.get(name) and any(part is not None for part in parts):
                like = next(part for part in parts if part is not None)
                whole = [torch.zeros_like(like) if part is None else part for part in parts]
                found[name] = torch.stack(whole, self._places[name])
        return found
