"""One example from inside: every value of the drawing at every step, and what the loss asks of it.

The network is run by the reference, step by step under autograd, without dropout; nothing of the network changes, and
no random state. What is shown of a value v_t:

- total: ∂L/∂v_t through all later steps, L being the network's whole loss of this one example (or another value that
  was asked for);
- direct: the part of it that stays within the step: what passes through a state into the next step is left out. In a
  loop over a tree "the next step" is the parent node.

Their sum over a sequence obeys ∂L/∂h_t = direct_t + Σ … as in Goodfellow, Bengio and Courville, Deep Learning, 10.2.2.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..catalog.primitives import Op
from ..compiler.program import Loss, Program, State, parents_field, region_ops
from ..design.errors import StudioError
from ..design.signals import Content, Tokens
from .context import Context, Done
from .cutting import Cut, Wires, put, within
from .trees import by_node

if TYPE_CHECKING:
    from .network import Fields, Lengths, Network


@dataclass(frozen=True, slots=True)
class Hold:
    """A value that is held while one looks: of the node `path`, at `unit` (None: every one) and at `step` of the
    innermost loop around it, over a tree the number of the node (None: everywhere)."""

    path: str
    value: float
    unit: int | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Instead of the loss: the gradient of this value, at `unit` (None: the sum of all) and `step` (None: all)."""

    path: str
    unit: int | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What one example is inside.

    values: path → [*axes, width] of features, [*axes] of tokens. A path is that of a drawn node; of a Delay or of
    Children: what the loop reads of the step before.
    axes: path → the names of its axes, the order of the dimensions. gates: paths of sigmoids.
    total, direct: path → the shape of its value; without those that no gradient reaches.
    loss: L; steps: node of a loss → [*axes] of what each place gives to it, before its mean.
    left_out: paths of nodes in loops within loops over trees, and of what each child of a node has for itself.
    weights: path of an attention → [queries, keys]: how much of each key's value each query takes (the mean of heads).
    """

    values: dict[str, Tensor]
    axes: dict[str, tuple[str, ...]]
    gates: tuple[str, ...]
    total: dict[str, Tensor]
    direct: dict[str, Tensor]
    loss: float
    steps: dict[str, Tensor]
    left_out: tuple[str, ...] = ()
    predictions: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)


def look(
    network: Network,
    fields: Fields,
    lengths: Lengths | None = None,
    state: Fields | None = None,
    *,
    gradients: bool = True,
    of: Asked | None = None,
    holds: Sequence[Hold] = (),
    cuts: Sequence[Cut] = (),
) -> Look:
    """Look at the first example of a batch. Raises StudioError for a path, wire, unit or step that is not there."""
    fields, lengths, state = alone(network.program, fields, lengths, state)
    known = {op.node: op.signal.content for op in region_ops(network.program.regions)}
    known |= {
        state.delay.split("/")[0]: state.signal.content for scan in network.program.scans() for state in scan.states
    }
    for asked in (*holds, *((of,) if of is not None else ())):
        _known(asked, known)
    wires = Wires(network.program, cuts)
    seen = _Run(network, fields, state, holds, wires)
    values, axes, left_out = seen.arranged(lambda done: done.value.detach())
    for asked in (*holds, *((of,) if of is not None else ())):
        _has_step(asked, values, axes)
    for cut in cuts:
        _cut_has_step(cut, values, axes)
    total: dict[str, Tensor] = {}
    direct: dict[str, Tensor] = {}
    if gradients:
        total = seen.gradients(seen.asked(of))
        within = _Run(network, fields, state, holds, wires, apart=True)
        direct = within.gradients(within.asked(of))
    program = network.program
    ops = {op.name: op for op in region_ops(program.regions)}
    gates = tuple(dict.fromkeys(op.node for op in ops.values() if op.kind == "sigmoid" and op.node in values))
    loss = float(seen.total.detach()) if seen.total is not None else float("nan")
    predictions = {item.node: _squeezed(seen.values[item.prediction].detach()) for item in program.losses}
    each = {item.node: x for item in program.losses if (x := _each(item, ops, seen.values)) is not None}
    return Look(values, axes, gates, total, direct, loss, each, left_out, predictions, seen.weights())


def alone(
    program: Program, fields: Fields, lengths: Lengths | None, state: Fields | None
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Fields, lengths and state of the first example of a batch, at its own length."""
    own = {axis: value[:1] for axis, value in (lengths or {}).items()}
    one = {name: value[:1] for name, value in fields.items()}
    for item in program.inputs:
        for place, axis in enumerate(item.signal.axes):
            length = own.get(program.axes[axis])
            if length is not None and item.field in one:
                one[item.field] = one[item.field].narrow(place + 1, 0, int(length[0]))
    for axis in program.trees:
        length, name = own.get(program.axes[axis]), parents_field(program.axes[axis])
        if length is not None and name in one:
            one[name] = one[name].narrow(1, 0, int(length[0]))
    first = {n: x.narrow(x.dim() - 2 if x.is_floating_point() else -1, 0, 1) for n, x in (state or {}).items()}
    return one, own, first


class _Run:
    """One run with all of its values. apart: no gradient passes from step to step."""

    def __init__(
        self,
        network: Network,
        fields: Fields,
        state: Fields,
        holds: Sequence[Hold],
        wires: Wires,
        *,
        apart: bool = False,
    ) -> None:
        self.program = network.program
        twin = copy.copy(network)  # runs every loop by the reference; no tensor is another
        twin.reference = True
        self.done: list[Done] = []
        # A gradient reaches the states of a frozen loop, too, when everything real is a part of the graph.
        with torch.enable_grad():
            weights = {p: w if w.requires_grad else _leaf(w) for p, w in network.weights.items()}
            leaves = {name: _leaf(x) for name, x in fields.items()}
            wanted = tuple(loss.value for loss in self.program.losses) or tuple(self.program.outputs.values())
            also = tuple(loss.prediction for loss in self.program.losses)
            self.values, self.context = twin._run(
                leaves,
                {},
                state,
                (*wanted, *also),
                training=False,
                weights=weights,
                done=self.done,
                looking=_Looking(self.program, holds, wires, apart),
            )
            self.total = twin._total(self.values) if self.program.losses else None
        self.places = _places(self.done)

    def arranged(self, what: Any) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]], tuple[str, ...]]:
        """path → its values over all steps, the axes of each, and the paths that cannot be told apart."""
        found: dict[str, Tensor] = {}
        axes: dict[str, tuple[str, ...]] = {}
        left_out: list[str] = []
        for item in self.program.inputs:
            if item.name in self.values:
                found[item.name] = _squeezed(self.values[item.name].detach())
                axes[item.name] = item.signal.axes
        for path, done in self.places.items():
            whole = _whole([what(one) for one in done], done, self.program, self.context)
            if whole is None:
                left_out.append(path)
                continue
            found[path], axes[path] = whole
        return found, axes, tuple(left_out)

    def weights(self) -> dict[str, Tensor]:
        """What each attention takes of what; see Look."""
        found: dict[str, Tensor] = {}
        by_node: dict[str, list[Done]] = {}
        for one in self.done:
            if one.op.kind == "softmax_axis" and one.op.name != one.op.node:
                by_node.setdefault(one.op.node, []).append(one)
        for path, done in by_node.items():
            whole = _whole([one.value.detach() for one in done], done, self.program, self.context)
            if whole is not None and len(whole[1]) == 2:
                found[path] = whole[0].mean(-1)
        return found

    def gradients(self, of: Tensor | None) -> dict[str, Tensor]:
        """path → ∂of/∂value."""
        inputs = {
            item.name: self.values[item.name]
            for item in self.program.inputs
            if item.name in self.values and self.values[item.name].requires_grad
        }
        leaves = [one for done in self.places.values() for one in done if one.value.requires_grad]
        if of is None or not of.requires_grad:
            return {}
        asked = [*inputs.values(), *(one.value for one in leaves)]
        grads = torch.autograd.grad(of, asked, allow_unused=True)
        found: dict[str, Tensor] = {}
        for name, grad in zip(inputs, grads, strict=False):
            if grad is not None:
                found[name] = _squeezed(grad)
        of_done = {id(one): grad for one, grad in zip(leaves, grads[len(inputs) :], strict=True)}
        for path, done in self.places.items():
            own = [of_done.get(id(one)) for one in done]
            if all(grad is None for grad in own):
                continue
            parts = [torch.zeros_like(one.value) if g is None else g for g, one in zip(own, done, strict=True)]
            whole = _whole(parts, done, self.program, self.context)
            if whole is not None:
                found[path] = whole[0]
        return found

    def asked(self, of: Asked | None) -> Tensor | None:
        """What is differentiated."""
        if of is None:
            return self.total
        done = self.places.get(of.path)
        whole = _whole([one.value for one in done], done, self.program, self.context) if done else None
        if whole is None:
            return None
        part = whole[0] if of.step is None else whole[0][of.step]
        return part.sum() if of.unit is None else part[..., of.unit].sum()


class _Looking:
    """Values that are held, wires that are cut, and states that are read where one can see them."""

    def __init__(self, program: Program, holds: Sequence[Hold], wires: Wires, apart: bool) -> None:
        self._apart, self._wires = apart, wires
        finals = {op.node: op.name for op in region_ops(program.regions)}
        self._holds: dict[str, list[Hold]] = {}
        for hold in holds:
            self._holds.setdefault(finals.get(hold.path, hold.path), []).append(hold)

    def reads(self, op: Op, values: Mapping[str, Tensor], context: Context) -> tuple[Tensor, ...] | None:
        """What an operation reads where a wire to it is cut; None where none is."""
        return self._wires.reads(op, values, context)

    def held(self, op: Op, value: Tensor, context: Context) -> Tensor:
        """A value as it is held, else as it is; a tensor of its own (dropout that is off hands on what it read)."""
        value = value.view_as(value)
        if not (holds := self._holds.get(op.name)):
            return value
        value = value.clone()
        for hold in holds:
            put(value, hold.value, hold.unit, hold.step, context)
        return value

    def read(self, state: State, value: Tensor, context: Context) -> Tensor:
        """What a loop reads of the step before, as a value of its own, which gradients pass or do not."""
        if value.is_floating_point():
            apart = self._apart or not value.requires_grad
            value = value.detach().requires_grad_() if apart else value.view_as(value)
        op = Op(state.delay, "delay", (state.source,), state.signal, state.delay.split("/")[0])
        value = self.held(op, value, context)
        if context.done is not None and state.how != "each":
            context.done.append(Done(op, (), value, {**context.steps, **context.heights}, context))
        return value


def _leaf(x: Tensor) -> Tensor:
    return x.detach().requires_grad_() if x.is_floating_point() else x


def _squeezed(x: Tensor) -> Tensor:
    """[*axes, batch, width] of one example without the batch; of tokens [*axes, batch]; a loss as it is."""
    if x.dim() == 0:
        return x
    return x.squeeze(x.dim() - 2 if x.is_floating_point() else -1)


def _places(done: Sequence[Done]) -> dict[str, list[Done]]:
    """path → what was done last for that node at each step: its output."""
    last: dict[str, str] = {}
    for one in done:
        last[one.op.node] = one.op.name
    found: dict[str, list[Done]] = {}
    for one in done:
        if last[one.op.node] == one.op.name:
            found.setdefault(one.op.node, []).append(one)
    return found


def _whole(
    parts: Sequence[Tensor], done: Sequence[Done], program: Program, context: Context
) -> tuple[Tensor, tuple[str, ...]] | None:
    """The value of all steps, and its axes: those of the loops first, the outermost first. None: trees within loops."""
    around = tuple(done[0].steps)
    trees = [axis for axis in around if axis in program.trees]
    inner = done[0].op.signal.axes
    if not around:
        return _squeezed(parts[0]), inner
    if trees:
        if len(around) > 1 or any(axis not in program.axes for axis in inner):  # along a node's own children
            return None
        order = sorted(range(len(parts)), key=lambda i: done[i].steps[around[0]])
        return _squeezed(by_node([parts[i] for i in order], 0, context.forest(around[0]))), (*around, *inner)
    sizes = [1 + max(one.steps[axis] for one in done) for axis in around]
    whole = parts[0].new_zeros((*sizes, *_squeezed(parts[0]).shape))
    for part, one in zip(parts, done, strict=True):
        whole[tuple(one.steps[axis] for axis in around)] = _squeezed(part)
    return whole, (*around, *inner)


def _each(loss: Loss, ops: Mapping[str, Op], values: Mapping[str, Tensor]) -> Tensor | None:
    """[*axes] of a loss that is a mean over places."""
    mean = ops[loss.value]
    if mean.kind != "average":
        return None
    return values[mean.inputs[0]].detach().squeeze(-1).squeeze(-1)


def _known(asked: Hold | Asked, known: Mapping[str, Content]) -> None:
    content = known.get(asked.path)
    if content is None:
        near = ", ".join(list(known)[:6])
        raise StudioError(
            f"There is no value “{asked.path}” in this drawing, or nothing depends on it", remedy=f"There are {near} …"
        )
    if isinstance(content, Tokens):
        raise StudioError(f"“{asked.path}” carries tokens", remedy="Ask for a value of numbers.")
    if asked.unit is not None and not 0 <= asked.unit < content.width:
        raise StudioError(f"“{asked.path}” has the units 0 to {content.width - 1}, and no unit {asked.unit}")


def _cut_has_step(cut: Cut, values: Mapping[str, Tensor], axes: Mapping[str, tuple[str, ...]]) -> None:
    if cut.step is None:
        return
    steps = max((len(values[path]) for path in values if within(path, cut.target) and axes[path]), default=0)
    if not 0 <= cut.step < steps:
        known = f"the steps 0 to {steps - 1}" if steps else "no steps"
        raise StudioError(f"“{cut.target}” has {known}, and no step {cut.step}")


def _has_step(asked: Hold | Asked, values: Mapping[str, Tensor], axes: Mapping[str, tuple[str, ...]]) -> None:
    if asked.path not in values:
        raise StudioError(f"“{asked.path}” lies in loops within loops and cannot be told apart step by step")
    if asked.step is None:
        return
    steps = values[asked.path].shape[0] if axes[asked.path] else 0
    if not 0 <= asked.step < steps:
        known = f"the steps 0 to {steps - 1}" if steps else "no steps"
        raise StudioError(f"“{asked.path}” has {known}, and no step {asked.step}")
