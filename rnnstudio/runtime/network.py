"""The network of a program: parameters, one run over a batch, losses, and a look inside."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..catalog.primitives import Op
from ..compiler.carrying import states_that_go_on
from ..compiler.program import Loss, Map, Program, Region, Scan, parents_field, region_ops
from ..compiler.prune import prune, trees_of, without
from ..design.errors import StudioError
from ..design.signals import Tokens
from .context import Context, Done, Looking, Watch
from .door import Door, Entered
from .forest import Forest
from .fused.loops import Loops
from .initialise import initialise, refuse_too_many
from .looking import alone
from .non_finite import NonFinite, first_backward, first_forward
from .put_off import Values, look_up_later, split
from .reference import run_map, run_scan
from .state_gradients import by_autograd, of_batch, of_the_end
from .transfer import to_device
from .trees import by_node, run_tree

Fields = Mapping[str, Tensor]
"""Data by field: tokens [batch, *axes] int64, features [batch, *axes, width]."""

Lengths = Mapping[str, Tensor]
"""[batch] int64 by the data's axis, on the CPU; an axis without lengths is full."""


@dataclass(frozen=True, slots=True)
class Result:
    """Outputs by name, batch first ([batch, *axes, width]), and the loops' final states, to go on from."""

    outputs: dict[str, Tensor]
    state: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Losses:
    """One batch's losses.

    total: scalar with its graph, the weighted sum of mean losses; places: valid places of the first loss's target.
    parts: each loss by its node; correct: right argmax predictions at valid places, outside of training (None without
    a cross-entropy).
    counts: by loss node, what its mean divides by: places, the sum of their class weights, or examples, so that means
    of several batches can be put together; empty in training.
    state: final states, detached; predictions: by loss node, batch first.
    values: those asked for, by their name in the program, [*axes, batch, width].
    """

    total: Tensor
    places: int
    parts: dict[str, Tensor]
    correct: Tensor | None
    state: dict[str, Tensor]
    predictions: dict[str, Tensor]
    values: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int | Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """The first example of a batch from inside.

    values: node path → [time, unit]; gates: the paths of sigmoids; state_gradients: path of a state → [time] of
    ‖∂L/∂h_t‖, the total through all later steps; end_gradients: of ‖∂L_T/∂h_t‖, see state_gradients.of_the_end.
    """

    values: dict[str, Tensor]
    gates: tuple[str, ...]
    state_gradients: dict[str, Tensor]
    end_gradients: dict[str, Tensor] = field(default_factory=dict)
    loss: float = float("nan")
    order: tuple[str, ...] = field(default=())


class Network(nn.Module):
    """Runs a program. Parameters start from `seed`; each depends on its own path alone.

    `reference=True` runs every loop step by step under autograd instead of by a kernel.
    """

    def __init__(self, program: Program, seed: int = 0, *, reference: bool = False) -> None:
        super().__init__()
        self.program = program
        self.reference = reference
        self._attributes: dict[str, str] = {}
        refuse_too_many(program.parameters)
        for parameter in program.parameters:
            name = parameter.path.replace(".", "__")
            while name in self._attributes.values():
                name += "_"
            self._attributes[parameter.path] = name
            tensor = initialise(parameter, seed)
            if parameter.trainable:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)
        self.progress = 0
        """Optimiser steps so far: what changes while training (teacher forcing) reads it. The trainer sets it."""
        self.loops = Loops(program)
        self._door = Door(program)
        self._going_on: dict[str, frozenset[str]] = {}
        self._pruned: dict[tuple[str, ...], tuple[Region, ...]] = {}
        self._read: dict[tuple[str, ...], set[str]] = {}
        self._split: dict[tuple[str, ...], tuple[tuple[Region, tuple[Op, ...]], ...]] = {}
        ops = {op.name: op for op in region_ops(program.regions)}
        self._means = {loss.node: ops[loss.value] for loss in program.losses}
        self._partial = frozenset(item.name for item in program.inputs if item.partial)

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        """A network of the same program with weights of its own, which runs its loops on the same lowerings."""
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        anew: dict[str, Any] = {"program": self.program, "_means": self._means, "loops": Loops(self.program)}
        anew |= {"_door": Door(self.program), "_going_on": {}, "_pruned": {}, "_read": {}, "_split": {}}
        for name, value in self.__dict__.items():
            twin.__dict__[name] = anew[name] if name in anew else copy.deepcopy(value, memo)
        twin.loops.choose(self.loops.choices)
        twin.loops.experimental_gpu = self.loops.experimental_gpu
        return twin

    @property
    def weights(self) -> dict[str, Tensor]:
        """Every parameter by its path in the drawing, frozen ones too."""
        own: dict[str, Any] = {**self._parameters, **self._buffers}  # ten times faster than getattr for each
        return {path: own[name] if name in own else getattr(self, name) for path, name in self._attributes.items()}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy values in by path. Raises StudioError when names or shapes do not fit."""
        own = self.weights
        missing, extra = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
        if missing or extra:
            what = f"it lacks “{missing[0]}”" if missing else f"it has “{extra[0]}”, which the design has not"
            raise StudioError(f"These weights belong to another design: {what}", remedy="Train it again.")
        with torch.no_grad():
            for path, tensor in own.items():
                if tensor.shape != weights[path].shape:
                    raise StudioError(
                        f"“{path}” has shape {list(weights[path].shape)} in the file but {list(tensor.shape)} here",
                        remedy="Train the changed design again.",
                    )
                tensor.copy_(weights[path])

    def lowerings(self) -> tuple[str, ...]:
        """One line a loop: what it runs on, and why."""
        return self.loops.lines(reference=self.reference)

    def lowering_choices(self) -> dict[str, str]:
        """Loop → lowering, where a contest or `set_lowering_choices` decided: given again, a run computes the same."""
        return dict(self.loops.choices)

    def set_lowering_choices(self, choices: Mapping[str, str]) -> None:
        """Run loops on these lowerings, where they serve. Raises StudioError for a name that is no lowering."""
        self.loops.choose(choices)

    def forward(
        self,
        fields: Fields,
        lengths: Lengths | None = None,
        state: Fields | None = None,
        steps: Mapping[str, int] | None = None,
    ) -> Result:
        """Outputs of the network. `state`: final states of the steps before, to go on from (one step at a time too).

        States go on along the program's `cut` axis alone: loops over other axes begin anew in every call.
        steps: how long the axes are that no field has (a network in mode "free" writes along them).
        """
        names = self.program.outputs
        values, context = self._run(fields, lengths, state, tuple(names.values()), steps=steps)
        outputs = {name: self._batch_first(value, values) for name, value in names.items()}
        return Result(outputs, context.final)

    def losses(
        self,
        fields: Fields,
        lengths: Lengths | None = None,
        state: Fields | None = None,
        *,
        keep_state: bool = True,
        also: tuple[str, ...] = (),
        watch: Watch | None = None,
    ) -> Losses:
        """Losses of a batch. Raises StudioError when the drawing has none or a field is missing.

        keep_state: whether the final states are wanted (without them examples of different lengths run faster).
        also: values of the program, outside of loops, that are wanted with the losses.
        watch: filled by the backward pass, for `state_gradients`.
        """
        if not self.program.losses:
            raise StudioError(
                "The design has no loss", remedy="Connect the prediction to a Cross-entropy or other loss."
            )
        wanted = tuple(name for loss in self.program.losses for name in (loss.value, loss.prediction))
        means = {} if self.training else self._means
        weights = tuple(name for mean in means.values() if mean.kind == "average" for name in mean.inputs[1:])
        wanted = (*wanted, *weights, *also)
        values, context = self._run(fields, lengths, state, wanted, keep_state=keep_state, watch=watch)
        total = self._total(values)
        return Losses(
            total=total,
            places=self._counted(values, context),
            parts={loss.node: values[loss.value].detach() for loss in self.program.losses},
            correct=None if self.training else self._correct(values, context),
            state=context.final,
            predictions={n.node: self._batch_first(n.prediction, values).detach() for n in self.program.losses},
            values={name: values[name] for name in also},
            counts={n.node: self._divisor(n, values, context) for n in self.program.losses if n.node in means},
        )

    def own_lengths(self, lengths: Lengths) -> Lengths:
        """Those of some data whose axis the drawing has; data may have more axes than a drawing reads."""
        axes = self.program.axes.values()
        return {axis: own for axis, own in lengths.items() if axis in axes}

    def begin_anew(self, state: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
        """A carried state in which the examples `rows`, [batch] bool, are at the beginning again.

        A state that begins with a value from a wire stays as it is: only a run knows that value.
        """
        if rows.dtype != torch.bool or rows.dim() != 1:
            raise StudioError(
                f"The rows that begin anew are {rows.dtype} of shape {list(rows.shape)} but bool of [batch] is expected"
            )
        context = self._door.weights(self.weights)
        some = next(iter(state.values()), rows)
        dtype, device = context or (some.dtype, some.device)
        state = self._door.state(state, {}, None, dtype, device)
        starts = {s.delay: (s.initial, s.weight, s.first) for scan in self.program.scans() for s in scan.states}
        for op in region_ops(self.program.regions):
            if op.kind == "delay":
                starts[op.name] = (op.attrs["initial"], op.attrs["weight"], op.attrs["first"])
            elif op.kind in ("clock", "step_number"):
                starts[op.name] = ("zero", None, 0)
        anew: dict[str, Tensor] = {}
        for name, value in state.items():
            initial, weight, first = starts.get(name, ("wire", None, 0))
            tokens = not value.is_floating_point()
            batch = value.shape[-1 if tokens else -2]
            if initial == "wire" or len(rows) < batch:
                anew[name] = value
                continue
            own = to_device(rows[:batch], value.device)
            begin = self.weights[weight].detach() if weight else torch.full_like(value, first if tokens else 0)
            anew[name] = torch.where(own if tokens else own[:, None], begin.to(value.dtype), value)
        return anew

    def state_gradients(self, watch: Watch, lengths: Lengths | None, batch: int) -> dict[str, Tensor]:
        """Of the step whose losses were asked for with `watch`, after its backward pass and before the weights change:
        path of a state → [time, batch] of ‖∂L/∂h_t‖, total through all later steps; L: each example's own mean loss.

        Unlike a probe's they are of the step as it was, dropout and all. Empty where a loop has run on torch.nn's
        kernel or the reference, which keep no such gradients, or a loss is no plain mean.
        """
        return of_batch(self.program, watch, lengths or {}, batch)

    def probe(
        self,
        fields: Fields,
        lengths: Lengths | None = None,
        state: Fields | None = None,
        *,
        totals: bool = True,
    ) -> Probe:
        """Look inside one example. Changes no parameter, no gradient and no random state; dropout is off.

        totals: whether state_gradients are wanted.
        """
        # A gradient reaches the states of a frozen loop, too, when everything real is a part of the graph.
        wanted = tuple(loss.value for loss in self.program.losses) or tuple(self.program.outputs.values())
        self._door.enter(fields, lengths, state, None, self.weights, self._needs_inputs(wanted))
        fields, _, state = alone(self.program, fields, lengths, state)
        fields = {name: _part_of_graph(value) for name, value in fields.items()}
        record: dict[str, list[Tensor]] = {}
        with torch.enable_grad():
            weights = {path: w if w.requires_grad else _part_of_graph(w) for path, w in self.weights.items()}
            values, context = self._run(fields, {}, state, wanted, record=record, training=False, weights=weights)
            total = self._total(values) if self.program.losses else None
            roots = {axis: int(context.forest(axis).roots[0]) for axis in context.forests}
            end = of_the_end(self.program, values, record, roots) if self.program.losses else {}
            through_time = by_autograd(self.program, total, record) if totals else {}
        found: dict[str, Tensor] = {}
        gates: list[str] = []
        for scan in self.program.regions:
            if not isinstance(scan, Scan):
                continue
            sources = {s.source for s in scan.states}
            for op in _steps(scan):
                if op.name not in record:  # it leads to no loss
                    continue
                if (op.kind in ("sigmoid", "tanh", "relu") or op.name in sources) and not op.signal.axes:
                    found[op.node] = _in_time(record[op.name], scan, context)
                    if op.kind == "sigmoid":
                        gates.append(op.node)
        loss = float(total.detach()) if total is not None else float("nan")
        return Probe(found, tuple(gates), through_time, end, loss, tuple(record))

    def first_non_finite(
        self, fields: Fields, lengths: Lengths | None = None, state: Fields | None = None
    ) -> NonFinite | None:
        """Where a run, or its way back, first gives NaN or infinity; None when everything is finite.

        The run is that of a step of training where the network is in training mode: give the random state of that
        step back first. Parameters and their gradients stay as they are.
        """
        twin = copy.copy(self)  # runs its outer loops by the reference; no tensor is another
        twin.reference = True
        wanted = tuple(loss.value for loss in self.program.losses)
        done: list[Done] = []
        # What an operation updates while training (running statistics) is a copy; gradients go to the parameters' own.
        weights = {path: w if w.requires_grad else w.clone() for path, w in self.weights.items()}
        with torch.enable_grad():
            values, _ = twin._run(fields, lengths, state, wanted, done=done, weights=weights)
            total = self._total(values)
        found = first_forward(self.program, done, wanted)
        if found is None and total.requires_grad:
            found = first_backward(self.program, done, total)
        return found

    def _run(
        self,
        fields: Fields,
        lengths: Lengths | None,
        state: Fields | None,
        wanted: tuple[str, ...],
        *,
        record: dict[str, list[Tensor]] | None = None,
        training: bool | None = None,
        keep_state: bool = True,
        known: Mapping[str, Tensor] | None = None,
        steps: Mapping[str, int] | None = None,
        weights: Mapping[str, Tensor] | None = None,
        watch: Watch | None = None,
        done: list[Done] | None = None,
        looking: Looking | None = None,
        along: str = "",
    ) -> tuple[dict[str, Tensor], Context]:
        regions = self._needed(wanted)
        going_on = self._states_that_go_on(along)
        weights = self.weights if weights is None else weights
        given = self._door.enter(fields, lengths, state, steps, weights, self._needs_inputs(wanted))
        values, sizes = given.values, given.sizes
        forests = self._forests(given, regions)
        for region in regions:
            if isinstance(region, Scan) and not region.tree and region.axis not in sizes:
                raise StudioError(
                    f"How long “{region.axis}” is cannot be told",
                    where=region.name,
                    remedy="Give a field that has it, or the number of steps.",
                )
        values |= known or {}
        context = Context(
            weights,
            sizes,
            given.lengths,
            given.batch,
            training=self.training if training is None else training,
            state={name: x for name, x in given.state.items() if name in going_on},
            device=given.device,
            dtype=given.dtype,
            keep_state=keep_state,
            record=record,
            forests=forests,
            progress=self.progress,
            watch=watch,
        )
        context.done = done
        context.looking = looking
        if not self.reference:
            context.run_loop = self.loops.run
        if known:
            regions = without(regions, known)
        values = self._run_regions(regions, wanted, values, context, whole=bool(known))
        context.final = {name: x for name, x in context.final.items() if name in going_on}
        return values, context

    def _run_regions(
        self,
        regions: tuple[Region, ...],
        wanted: tuple[str, ...],
        values: dict[str, Tensor],
        context: Context,
        *,
        whole: bool,
    ) -> dict[str, Tensor]:
        """Run regions in order. whole: compute every value, also those that perhaps nobody reads."""
        parts: Iterable[tuple[Region, tuple[Op, ...]]] = ((region, ()) for region in regions)
        lazy = Values(values)
        if not (whole or self.reference or context.record is not None or context.device.type != "cpu"):
            if wanted not in self._split:
                self._split[wanted] = split(regions, wanted)
            parts = self._split[wanted]
        for region, later in parts:
            if isinstance(region, Map):
                run_map(region, lazy, context)
            elif self.reference or not self.loops.run(region, lazy, context):
                (run_tree if region.tree else run_scan)(region, lazy, context)
            look_up_later(later, lazy, context)
        return lazy

    def _states_that_go_on(self, along: str) -> frozenset[str]:
        if along not in self._going_on:
            self._going_on[along] = states_that_go_on(self.program, along)
        return self._going_on[along]

    def _forests(self, given: Entered, regions: tuple[Region, ...]) -> dict[str, Forest]:
        """The trees that some regions read, or that alone tell the size of an axis. Raises StudioError when the data
        has none for such an axis.
        """
        forests: dict[str, Forest] = {}
        read = trees_of(regions)
        sized = {axis for item in self.program.inputs if item.name in given.values for axis in item.signal.axes}
        for axis in self.program.trees:
            if axis not in read and (axis in sized or axis not in given.parents):
                continue
            if axis not in given.parents:
                name = parents_field(self.program.axes[axis])
                raise StudioError(
                    f"The data lacks the trees of “{axis}” (field “{name}”)", remedy="Load data of trees."
                )
            forests[axis] = Forest(given.parents[axis], given.lengths.get(axis))
        return forests

    def _needed(self, wanted: tuple[str, ...]) -> tuple[Region, ...]:
        """The regions (and of a Map the operations) that `wanted` depends on."""
        if wanted not in self._pruned:
            self._pruned[wanted] = prune(self.program.regions, wanted)
        return self._pruned[wanted]

    def _needs_inputs(self, wanted: tuple[str, ...]) -> set[str]:
        if wanted not in self._read:
            regions = self._needed(wanted)
            read = {name for op in region_ops(regions) for name in op.inputs}
            read |= {name for scan in _all_scans(regions) for s in scan.states for name in (s.given, s.source) if name}
            self._read[wanted] = read | set(wanted)
        return self._read[wanted]

    def _total(self, values: Mapping[str, Tensor]) -> Tensor:
        total: Tensor | None = None
        for loss in self.program.losses:
            part = values[loss.value] * loss.weight if loss.weight != 1.0 else values[loss.value]
            total = part if total is None else total + part
        assert total is not None
        return total

    def _divisor(self, loss: Loss, values: Mapping[str, Tensor], context: Context) -> int | Tensor:
        """What a loss's mean was divided by: its places, or the sum of their weights."""
        mean = self._means[loss.node]
        if mean.kind != "average":  # a plugin's own way to one number
            return _places(self.program.signals[loss.target].axes, context)
        axes = mean.attrs["axes"]
        if len(mean.inputs) == 1:
            return _places(axes, context)
        weights = values[mean.inputs[1]].detach().double()
        for axis in axes:
            if context.ragged(axis):
                weights = weights.masked_fill(~context.mask_like(axis, axes), 0.0)
        return weights.sum()

    def _counted(self, values: Mapping[str, Tensor], context: Context) -> int:
        """The places of the first loss's target of which something is known."""
        name = self.program.losses[0].target
        axes = self.program.signals[name].axes
        if name not in self._partial:
            return _places(axes, context)
        target = values[name]
        known = (~target.isnan()).any(-1) if target.is_floating_point() else target >= 0
        for axis in axes:
            if context.ragged(axis):
                known = known & context.mask_like(axis, axes, content=False)
        return int(known.sum())

    def _correct(self, values: Mapping[str, Tensor], context: Context) -> Tensor | None:
        for loss in self.program.losses:
            signal = self.program.signals[loss.target]
            if not loss.classes or not isinstance(signal.content, Tokens):
                continue
            right = values[loss.prediction].detach().argmax(-1) == values[loss.target]
            for axis in signal.axes:
                if context.ragged(axis):
                    right = right & context.mask_like(axis, signal.axes, content=False)
            return right.sum()
        return None

    def _batch_first(self, name: str, values: Mapping[str, Tensor]) -> Tensor:
        return values[name].movedim(len(self.program.signals[name].axes), 0)


def _places(axes: Iterable[str], context: Context) -> int:
    """How many places of these axes the examples of a batch have of their own."""
    count = torch.ones(context.batch, dtype=torch.int64)
    for axis in axes:
        lengths = context.lengths.get(axis)
        count *= lengths if lengths is not None else context.sizes[axis]
    return int(count.sum())


def _part_of_graph(x: Tensor) -> Tensor:
    """The same numbers as a leaf that gradients reach; tokens as they are."""
    return x.detach().requires_grad_() if x.is_floating_point() else x


def _steps(scan: Scan) -> Iterable[Op]:
    """The operations that run once a step of this loop: not those of a loop inside it."""
    return (op for region in scan.body if isinstance(region, Map) for op in region.ops)


def _in_time(steps: Sequence[Tensor], scan: Scan, context: Context) -> Tensor:
    """[time, unit] of one example from what each step of a loop recorded; over a tree [node, unit]."""
    if scan.tree:
        return by_node(steps, 0, context.forest(scan.axis))[:, 0].detach()
    rows = [x[0].detach() for x in steps]
    return torch.stack(rows if scan.forward else rows[::-1])


def _all_scans(regions: tuple[Region, ...]) -> Iterable[Scan]:
    for region in regions:
        if isinstance(region, Scan):
            yield region
            yield from _all_scans(region.body)
