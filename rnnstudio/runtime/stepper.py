"""A trained network one step at a time: each step is fed with what the step before gave, at O(1) per step.

A network that attends to its own past (causal self-attention) reads all of it again at every step.

The drawing that was trained is the one that generates: what is fed is either the input that the loss's target follows
(a language model, a forecaster) or the Feedback nodes (a decoder). What does not depend on the generated axis (an
encoder) is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..compiler.program import Input, Loss, Map, Program, Scan, region_ops
from ..compiler.prune import prune
from ..design.errors import StudioError
from ..design.signals import Signal, Tokens
from .network import Fields, Lengths, Network

WHOLE_AXIS = ("pool", "reverse", "softmax_axis", "log_softmax_axis", "contract")
"""Primitives that need every step of their axis at once."""

KEEPS_HIDDEN = ("softmax_axis", "blank", "dropout")
"""Primitives whose result has nothing from ahead where what they read has nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a program generates. axis: what grows; loss: whose prediction is followed; signal: of what is fed.

    fed: the input that is fed, or None; feedbacks: delays of Feedback nodes, whose state is fed.
    looks_back: every step reads all steps so far, not only a state.
    """

    axis: str
    loss: Loss
    signal: Signal
    fed: Input | None
    feedbacks: tuple[str, ...]
    others: tuple[Input, ...]
    looks_back: bool = False

    def written(self, program: Program) -> str:
        """The field that what is generated is of: the one that is fed, or whose own earlier steps are given back."""
        if self.fed is not None:
            return self.fed.field
        return next(item.field for item in program.inputs if item.name == self.loss.target)


def plan(program: Program) -> Plan:
    """How a program (compiled in mode "forced") generates. Raises StudioError saying why it cannot."""
    inputs = {item.name: item for item in program.inputs}
    reasons: list[str] = []
    for loss in program.losses:
        target = inputs.get(loss.target)
        if target is None or len(target.signal.axes) != 1:
            reasons.append(f"{loss.node} compares with no sequence of the data")
            continue
        axis = target.signal.axes[0]
        needed = list(region_ops(prune(program.regions, [loss.prediction])))
        read = {name for op in needed for name in op.inputs}
        before = (i for i in program.inputs if not i.target and _follows(target, i) and i.name in read)
        fed = next((i for i in before if i.signal.axes == target.signal.axes), None)
        feedbacks = tuple(op.name for op in needed if op.kind == "delay" and op.inputs[0] == target.name)
        if fed is None and not feedbacks:
            reasons.append(f"nothing feeds “{target.field}” back: the input is not the target one step earlier")
            continue
        others = tuple(i for i in program.inputs if i.name in read and i.name not in (target.name, fed and fed.name))
        problem = _needs_the_future(program, loss, axis) or next(
            (f"“{i.field}” is needed at every step" for i in others if axis in i.signal.axes), ""
        )
        if not problem:
            looks_back = any(op.kind == "rename" and op.attrs["axis"] in program.names_of(axis) for op in needed)
            return Plan(axis, loss, target.signal, fed, feedbacks, others, looks_back)
        reasons.append(problem)
    why = reasons[0] if reasons else "it has no loss"
    raise StudioError(f"This network cannot generate: {why}")


def _follows(target: Input, item: Input) -> bool:
    return target.shift_of == item.field and target.shift == 1


def _needs_the_future(program: Program, loss: Loss, axis: str) -> str:
    """Which part needs steps of `axis` that are not there yet, in words; "" when none does."""
    names = program.names_of(axis)
    hidden: set[str] = set()
    for region in prune(program.regions, [loss.prediction]):
        if isinstance(region, Scan) and region.axis in names and not region.forward:
            return f"the loop {region.name} runs backward"
        ops = region.ops if isinstance(region, Map) else tuple(region.ops())
        for op in ops:
            behind = bool(op.inputs) and op.inputs[0] in hidden
            hides = op.kind == "hide_ahead" and {op.attrs["axis"], op.attrs["until"]} <= names
            if hides or (op.kind in KEEPS_HIDDEN and behind):
                hidden.add(op.name)
            if op.attrs.get("axis") not in names:
                continue
            ahead = op.kind == "delay" and op.attrs["k"] < 0
            if ahead or (op.kind in WHOLE_AXIS and not (behind and op.kind in ("softmax_axis", "contract"))):
                return f"{op.node} needs the whole sequence"
    return ""


class Stepper:
    """Runs a network step by step over one axis. Use under torch.no_grad()."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.program = network.program
        self.plan = plan(network.program)
        self.tokens = isinstance(self.plan.signal.content, Tokens)
        self.device = next((w.device for w in network.weights.values()), torch.device("cpu"))
        self.state: dict[str, Tensor] = {}
        self.known: dict[str, Tensor] = {}
        self._places: dict[str, int] = {}
        """What is known → the place of the batch in it."""
        self._rows = 1
        """How many examples go on, where nothing but their states tells."""
        self._past: Tensor | None = None
        """All that was fed so far, [batch, n, …], where every step looks back at it."""
        self.fields: dict[str, Tensor] = {}
        self.lengths: dict[str, Tensor] = {}
        delays = [op for op in region_ops(self.program.regions) if op.kind in ("delay", "clock", "step_number")]
        signals = {s.delay: s.signal for scan in self.program.scans() for s in scan.states}
        signals |= {op.name: op.signal for op in delays}
        self._behind = {name: 1 if isinstance(s.content, Tokens) else 2 for name, s in signals.items()}
        """State → how far from its end the batch's place is."""

    def start(self, fields: Fields | None = None, lengths: Lengths | None = None) -> None:
        """Begin anew. fields: what does not grow (an encoder's input, a vector), batch first."""
        self.fields = {name: x.to(self.device) for name, x in (fields or {}).items()}
        self.lengths = dict(lengths or {})
        self.state = {}
        self._rows = 1
        self._past = None
        regions = prune(self.program.regions, [self.plan.loss.prediction])
        made = {op.name: op.signal for r in regions if isinstance(r, Map) for op in r.ops}
        made |= {name: self.program.signals[name] for r in regions if isinstance(r, Scan) for name in r.yields}
        grows = self.program.names_of(self.plan.axis)
        wanted = tuple(name for name, signal in made.items() if not grows.intersection(signal.axes))
        self.known = {}
        if wanted and self.plan.others:
            values, _ = self.network._run(self.fields, self.lengths, None, wanted, training=False)
            self.known = {name: values[name] for name in wanted}
            self._places = {name: len(made[name].axes) for name in wanted}

    def read(self, steps: Tensor) -> Tensor:
        """Read several steps at once (a prompt), [batch, n] tokens or [batch, n, width]. → what comes after them.

        Without a fed input they are the steps that a Feedback gives back.
        """
        steps = steps.to(self.device)
        found = self._run(steps)
        if self.plan.fed is not None:
            return found
        self._rows = steps.shape[0]
        if self.plan.looks_back:
            self._past = self._with_past(steps)
        return self.step(None)

    def step(self, last: Tensor | None) -> Tensor:
        """One step after what was generated last, [batch] tokens or [batch, width] (None: the first). → prediction.

        Returns [batch, width]: scores of tokens, or features.
        """
        if self.plan.fed is not None:
            if last is None:
                raise StudioError("The prompt is empty", remedy="Give at least one step to begin with.")
            return self._run(last.to(self.device)[:, None])
        if last is not None and self.plan.looks_back:
            self._past = self._with_past(last.to(self.device)[:, None])
        elif last is not None:
            for name in self.plan.feedbacks:
                self.state[name] = last.to(self.device)[None]
        known = (self._past, *self.fields.values())
        batch = next((x.shape[0] for x in known if x is not None), self._rows)
        return self._run(self._blank(batch))

    def select(self, rows: Tensor) -> None:
        """Keep these examples of the batch, in this order (a beam goes on with some of its hypotheses)."""
        rows = rows.to(self.device)
        self._rows = len(rows)
        self.state = {n: x.index_select(x.dim() - self._behind[n], rows) for n, x in self.state.items()}
        self.fields = {name: x.index_select(0, rows) for name, x in self.fields.items()}
        self.lengths = {axis: own[rows.cpu()] for axis, own in self.lengths.items()}
        self.known = {n: x.index_select(self._places[n], rows) for n, x in self.known.items()}
        self._past = self._past.index_select(0, rows) if self._past is not None else None

    def _blank(self, batch: int) -> Tensor:
        """A step of the target that nothing reads: its only reader is the Feedback, one step later."""
        if self.tokens:
            return torch.zeros(batch, 1, dtype=torch.int64, device=self.device)
        return torch.zeros(batch, 1, self.plan.signal.width, device=self.device)

    def _with_past(self, steps: Tensor) -> Tensor:
        return steps if self._past is None else torch.cat([self._past, steps], 1)

    def _run(self, steps: Tensor) -> Tensor:
        loss = self.plan.loss
        if self.plan.looks_back:
            steps = self._with_past(steps)
            self._past = steps if self.plan.fed is not None else self._past
        target = next(item for item in self.program.inputs if item.name == loss.target)
        name = self.plan.fed.field if self.plan.fed is not None else target.field
        fields = {**self.fields, name: steps}
        axis = self.program.axes[self.plan.axis]
        lengths = {key: own for key, own in self.lengths.items() if key != axis}
        values, context = self.network._run(
            fields,
            lengths,
            self.state,
            (loss.prediction,),
            training=False,
            known=self.known,
            along=self.plan.axis,
        )
        self.state = {} if self.plan.looks_back else dict(context.final)
        signal = self.program.signals[loss.prediction]
        return values[loss.prediction].select(signal.axes.index(self.plan.axis), -1)
