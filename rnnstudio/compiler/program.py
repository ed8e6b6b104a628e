"""The compiled form of a drawing: a printable list of regions. A Map runs once for all steps, a Scan step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..catalog.primitives import Op, Parameter
from ..design.recipe import parents_field as parents_field
from ..design.signals import Signal


@dataclass(frozen=True, slots=True)
class Input:
    """A field the program reads: op `name` holds it. `target`: only losses need it.

    shift_of, shift: the field is the field `shift_of`, read `shift` steps later ("" when it is independent).
    partial: some of its values are missing: NaN, of tokens −1.
    """

    name: str
    field: str
    signal: Signal
    target: bool
    shift_of: str = ""
    shift: int = 0
    partial: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A value that a Scan keeps from step to step: inside the loop, `delay` is what `source` was k steps before.

    initial: "zero" (for tokens: the token `first`); "learned": the parameter `weight`; "wire": the value `given`.
    signal: of one step.
    In a loop over a tree, `delay` is what `source` was at a node's children; how: "sum", "slot" (child number `slot`)
    or "each" (along the axis `children`). beyond: whether more children than a loop has slots for are "refused".
    """

    delay: str
    source: str
    k: int
    signal: Signal
    initial: str = "zero"
    weight: str | None = None
    given: str | None = None
    first: int = 0
    how: str = ""
    slot: int = 0
    children: str = ""
    beyond: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A value from outside that the loop reads step by step; `dim`: the place of the loop's axis in it."""

    name: str
    dim: int


@dataclass(frozen=True, slots=True)
class Map:
    """Operations over all steps at once, in order."""

    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """One pre-activation of a known cell: W x + b from outside the loop, U h + c inside it. Paths of parameters."""

    weight_x: str
    bias_x: str | None
    weight_h: str
    bias_h: str | None


@dataclass(frozen=True, slots=True)
class Kernel:
    """A loop that is, however it was drawn, one of torch.nn's recurrent layers.

    kind: "lstm", "gru", "rnn_tanh" or "rnn_relu". gates: in torch's order (lstm i f g o; gru r z n).
    source: the sequence it reads; hidden, cell: the ops that make the states.
    """

    kind: str
    source: str
    gates: tuple[Gate, ...]
    hidden: str
    cell: str | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """A loop over one axis. `projections` are the linear maps of its inputs, done for all steps before it starts.

    body: what one step does (signals without the axis); yields: values of the body read outside, in body order.
    constants: values from outside without the axis → the place of the batch in them.
    tree: the axis is a tree, and the loop runs from the leaves to the root.
    kernel: set when the loop is one of torch.nn's; else `why_not` says in words why it is none.
    """

    name: str
    axis: str
    forward: bool
    projections: tuple[Op, ...]
    states: tuple[State, ...]
    reads: tuple[Read, ...]
    body: tuple[Region, ...]
    yields: tuple[str, ...]
    dims: Mapping[str, int]
    constants: Mapping[str, int]
    tree: bool = False
    kernel: Kernel | None = None
    why_not: str = ""

    @property
    def ordered_children(self) -> int:
        """How many children of a node a loop over trees has places for; 0: any number, or it is no such loop."""
        if not self.tree or any(state.how != "slot" or state.beyond != "refused" for state in self.states):
            return 0
        return max(state.slot for state in self.states) + 1

    def ops(self) -> Iterator[Op]:
        """All operations of the loop's body, inner loops included."""
        return region_ops(self.body)


Region = Map | Scan


@dataclass(frozen=True, slots=True)
class Loss:
    """`value` is the scalar op; `prediction` and `target` what it compares; `node` its path in the drawing.

    classes: the prediction's largest score tells a token, so that accuracy can be counted.
    link: "sigmoid" where the prediction is a logit, and σ of it what stands for the target; "" where it is that itself.
    """

    node: str
    value: str
    weight: float
    prediction: str
    target: str
    classes: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled design: data in, regions in order, losses and named outputs out. No torch in it.

    axes: the drawing's axis → the data's axis whose lengths hold for it. trees: the drawing's axes that are trees;
    the data gives the field `parents_field(axis)` for each.
    signals: of every value, outside of loops (with all axes).
    copies: axis that is another name of one that an input has → that one, whose steps and lengths it shares.
    cut: the axis that may come in chunks, along which states go on from one run to the next.
    """

    name: str
    inputs: tuple[Input, ...]
    parameters: tuple[Parameter, ...]
    regions: tuple[Region, ...]
    losses: tuple[Loss, ...]
    outputs: Mapping[str, str]
    signals: Mapping[str, Signal]
    axes: Mapping[str, str]
    trees: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    cut: str = ""

    def names_of(self, axis: str) -> frozenset[str]:
        """All names of an axis: its own, and those of its copies."""
        root = self.copies.get(axis, axis)
        return frozenset((root, *(name for name, other in self.copies.items() if other == root)))

    def scans(self) -> Iterator[Scan]:
        """Every loop, outer ones before those inside them."""
        return scans_of(self.regions)

    def text(self) -> str:
        """The program as people read it."""
        return "\n".join(_Printer(self).lines()) + "\n"


def region_ops(regions: tuple[Region, ...]) -> Iterator[Op]:
    """All operations of some regions in order, projections and loop bodies included."""
    for region in regions:
        if isinstance(region, Map):
            yield from region.ops
        else:
            yield from region.projections
            yield from region.ops()


def scans_of(regions: tuple[Region, ...]) -> Iterator[Scan]:
    """Every loop of some regions, outer ones before those inside them."""
    for region in regions:
        if isinstance(region, Scan):
            yield region
            yield from scans_of(region.body)


class _Printer:
    def __init__(self, program: Program) -> None:
        self.program = program

    def lines(self) -> Iterator[str]:
        p = self.program
        yield f"program {p.name}"
        for item in p.inputs:
            what = "target" if item.target else "input"
            yield f"  {what} {item.name} = field “{item.field}” {item.signal.text()}"
        total = 0
        for parameter in p.parameters:
            size = 1
            for n in parameter.shape:
                size *= n
            total += size
            shape = " × ".join(map(str, parameter.shape))
            note = "" if parameter.trainable else ", frozen"
            yield f"  parameter {parameter.path} [{shape}] {parameter.init.text()}{note}"
        yield f"  {total:,} parameter values"
        for region in p.regions:
            yield from self.region(region, 1)
        for loss in p.losses:
            weight = "" if loss.weight == 1 else f"{loss.weight:g} × "
            yield f"  loss {weight}{loss.value}"
        for name, value in p.outputs.items():
            yield f"  output {name} = {value} {p.signals[value].text()}"

    def region(self, region: Region, depth: int) -> Iterator[str]:
        pad = "  " * depth
        if isinstance(region, Map):
            yield f"{pad}map"
            for op in region.ops:
                yield f"{pad}  {self.op(op)}"
            return
        direction = "leaves to root" if region.tree else "forward" if region.forward else "backward"
        yield f"{pad}scan {region.name} over {region.axis}, {direction}"
        for op in region.projections:
            yield f"{pad}  before: {self.op(op)}"
        for state in region.states:
            start = {"zero": "0", "learned": state.weight, "wire": state.given}[state.initial]
            where = f"of child {state.slot}" if state.how == "slot" else f"of {state.how} child"
            back = where if region.tree else f"{abs(state.k)} back"
            yield f"{pad}  state {state.delay} = {state.source} {back}, first {start}"
        for inner in region.body:
            yield from self.region(inner, depth + 1)
        yield f"{pad}  yields {', '.join(region.yields)}"
        yield f"{pad}  " + (f"is torch.nn's {region.kernel.kind}" if region.kernel else f"no kernel: {region.why_not}")

    def op(self, op: Op) -> str:
        attrs = [f"{k}={_short(v)}" for k, v in op.attrs.items() if v not in (None, "", ())]
        return f"{op.name} = {op.kind}({', '.join((*op.inputs, *attrs))}) {op.signal.text()}"


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + " ".join(str(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
