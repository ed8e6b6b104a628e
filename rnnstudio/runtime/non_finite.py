"""Where numbers first stop being numbers: the earliest step of a run, and the first node in the order of that step.

Every operation of a reference run is told in the order in which it was done, with what it read. Forward, the node that
is looked for gives something that is not finite though all it reads is finite, and the loss comes of it. Backward, in
the reverse order, it is handed a finite gradient and hands on one that is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..catalog.primitives import POINTWISE_BINARY, POINTWISE_UNARY
from ..compiler.program import Program, Scan, region_ops, scans_of
from .context import Done
from .primitives import run_op

RANDOM = ("dropout", "choose")
"""Operations that draw: what they give cannot be asked for again, and their derivatives are 0, 1 or a constant."""

EACH_STEP = frozenset(
    (*POINTWISE_UNARY, *POINTWISE_BINARY, "linear", "bilinear", "affine", "concat", "slice", "softmax", "log_softmax")
)
"""Operations that read, for each step of what they give, that step alone."""


@dataclass(frozen=True, slots=True)
class NonFinite:
    """node: its path in the drawing; kind: its primitive. steps: of each axis the step that it was at, from 1.

    backward: its derivative gives what is not finite, not its value. left_out: its value is not finite, but the loss
    leaves it out (of padding, say) and only its way back meets it. looped: it is inside a loop.
    reads: the number among those that it reads to blame, None where that is no single one.
    """

    node: str
    kind: str
    steps: Mapping[str, int]
    backward: bool
    looped: bool
    reads: float | None
    left_out: bool = False

    @property
    def place(self) -> str:
        """“hid, step 1”; with loops in loops or several axes a step of each axis."""
        if len(self.steps) == 1:
            return f"{self.node}, step {next(iter(self.steps.values()))}"
        return ", ".join([self.node, *(f"{axis} {step}" for axis, step in self.steps.items())])


def first_forward(program: Program, done: Sequence[Done], loss: Iterable[str]) -> NonFinite | None:
    """The first value that is not finite, among those that `loss` comes of. done: every operation of a run, in order.

    Operations outside of loops do all steps at once; among those along one axis the earliest step comes first.
    """
    loops = _loops(program)
    wrong = [at for at in done if not _finite(at.value, at)]
    reached = _reached(program, {at.op.name for at in wrong}, loss)
    places = [(at, _first_bad_step(at, loops)) for at in wrong if at.op.name in reached]
    first = [(at, place) for at, place in places if _reads_finite(at, place)]
    if not first:
        return None
    _, begin = first[0]
    along = [(place.before, i) for i, (_, place) in enumerate(first) if place.axis == begin.axis]
    at, place = first[min(along)[1]]
    return _described(at, place, loops, backward=False)


def first_backward(program: Program, done: Sequence[Done], total: Tensor) -> NonFinite | None:
    """The first operation on the way back whose derivative is not finite, though what it was handed is.

    done: as above, of a run with gradients, whose total is `total`.
    """
    values = [at.value for at in done]
    wanted = [i for i, x in enumerate(values) if x.requires_grad and x.is_floating_point()]
    grads = torch.autograd.grad(total, [values[i] for i in wanted], allow_unused=True)
    handed = dict(zip(wanted, grads, strict=True))
    loops = _loops(program)
    for i in reversed(wanted):
        at, grad = done[i], handed[i]
        if grad is None or not bool(torch.isfinite(grad).all()) or at.op.kind in RANDOM:
            continue
        wrong = _own_derivative(at, grad)
        if wrong is not None:
            if not all(_whole(x) for x in at.inputs):
                return _left_out(program, done, at, loops)
            return _described(at, _first_bad_step(at, loops, wrong), loops, backward=True, wrong=wrong)
    return None


def _left_out(program: Program, done: Sequence[Done], at: Done, loops: Mapping[str, tuple[Scan, ...]]) -> NonFinite:
    """The first value that is not finite on the way to what an operation reads, padding not aside."""
    bad = [one for one in done if not _whole(one.value)]
    reached = _reached(program, {one.op.name for one in bad}, at.op.inputs)
    origin = next((one for one in bad if one.op.name in reached and all(_whole(x) for x in one.inputs)), at)
    wrong = ~torch.isfinite(origin.value)
    place = _first_bad_step(origin, loops, wrong)
    return dataclasses.replace(_described(origin, place, loops, backward=False, wrong=wrong), left_out=True)


def _whole(x: Tensor) -> bool:
    return not x.is_floating_point() or bool(torch.isfinite(x).all())


def _own_derivative(at: Done, grad: Tensor) -> Tensor | None:
    """Which numbers of what an operation alone makes of a gradient are not finite; None: all are."""
    inputs = [x.detach().requires_grad_(x.is_floating_point()) for x in at.inputs]
    real = [x for x in inputs if x.requires_grad]
    if not real:
        return None
    steps, at.context.steps = at.context.steps, dict(at.steps)
    try:
        with torch.enable_grad():
            value = run_op(at.op, tuple(inputs), at.context)
        if not value.requires_grad:
            return None
        found = torch.autograd.grad(value, real, grad, allow_unused=True)
    finally:
        at.context.steps = steps
    return next((~torch.isfinite(x) for x in found if x is not None and not _whole(x)), None)


def _loops(program: Program) -> dict[str, tuple[Scan, ...]]:
    """The loops around each operation, the outermost first."""
    found: dict[str, tuple[Scan, ...]] = {}

    def enter(scan: Scan, around: tuple[Scan, ...]) -> None:
        here = (*around, scan)
        inner = scans_of(scan.body)
        for op in scan.ops():
            found.setdefault(op.name, here)
        for one in inner:
            for op in one.ops():
                found.pop(op.name, None)
            enter(one, here)

    for region in program.regions:
        if isinstance(region, Scan):
            enter(region, ())
    return found


def _reached(program: Program, bad: set[str], loss: Iterable[str]) -> set[str]:
    """The operations with values that are not finite, from which these come down to what the loss is."""
    reads = {op.name: tuple(op.inputs) for op in region_ops(program.regions)}
    states = [state for scan in program.scans() for state in scan.states]
    for state in states:
        reads[state.delay] = (state.source, *((state.given,) if state.given else ()))
    bad = bad | {state.delay for state in states}
    found: set[str] = set()
    waiting = [name for name in loss if name in bad]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [before for before in reads.get(name, ()) if before in bad]
    return found


def _valid(at: Done) -> Tensor | None:
    """Which places of an operation's value are an example's own, to broadcast over it; None: all are."""
    mask: Tensor | None = None
    axes = at.op.signal.axes
    steps, at.context.steps = at.context.steps, dict(at.steps)
    try:
        for axis in (*axes, *(axis for axis in at.steps if axis not in axes)):
            own = at.context.own(axis, axes)
            if own is not None:
                mask = own if mask is None else mask & own
    finally:
        at.context.steps = steps
    return mask


def _wrong(value: Tensor, at: Done) -> Tensor:
    """Which numbers of a value like the operation's are not finite, those of padding aside."""
    wrong = ~torch.isfinite(value)
    mask = _valid(at) if value.dim() == at.value.dim() else None
    return wrong if mask is None else wrong & mask


def _finite(value: Tensor, at: Done) -> bool:
    return not value.is_floating_point() or bool(torch.isfinite(value).all()) or not bool(_wrong(value, at).any())


def _reads_finite(at: Done, place: _Place) -> bool:
    """Whether all that an operation reads at its step is finite: at all steps where it reads of others, too."""
    mask = _valid(at)
    for x in at.inputs:
        if not x.is_floating_point():
            continue
        whole = x if mask is None or x.dim() != at.value.dim() else torch.where(mask, x, 0.0)
        alike = x.dim() == at.value.dim() and x.shape[:1] == at.value.shape[:1]
        here = whole.select(0, place.step) if place.step is not None and alike and at.op.kind in EACH_STEP else whole
        if not bool(torch.isfinite(here).all()):
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Place:
    """axis: along which the steps are, "" for none; before: how many of them come before; step: the index along the
    value's own first axis, None inside of a loop."""

    axis: str = ""
    before: int = 0
    step: int | None = None


def _first_bad_step(at: Done, loops: Mapping[str, tuple[Scan, ...]], wrong: Tensor | None = None) -> _Place:
    """wrong: which numbers of a gradient are not finite; its last step comes first on the way back."""
    around = loops.get(at.op.name, ())
    if around and around[0].axis in at.steps:
        scan, t = around[0], at.steps[around[0].axis]
        return _Place(scan.axis, t if scan.forward or scan.tree else at.context.sizes[scan.axis] - 1 - t)
    bad = _wrong(at.value, at) if wrong is None else wrong
    if not at.op.signal.axes or bad.dim() != at.value.dim() or bad.shape[0] != at.value.shape[0]:
        return _Place()
    places = torch.nonzero(bad.flatten(1).any(1))[:, 0].tolist()
    step = int(places[0] if wrong is None else places[-1])
    return _Place(at.op.signal.axes[0], step, step)


def _described(
    at: Done, place: _Place, loops: Mapping[str, tuple[Scan, ...]], *, backward: bool, wrong: Tensor | None = None
) -> NonFinite:
    steps = {axis: t + 1 for axis, t in at.steps.items()}
    if place.step is not None:
        steps[place.axis] = place.step + 1
    return NonFinite(
        at.op.node, at.op.kind, steps, backward, looped=bool(loops.get(at.op.name)), reads=_to_blame(at, wrong)
    )


def _to_blame(at: Done, wrong: Tensor | None) -> float | None:
    """The number that an elementwise operation could not take: the argument of a logarithm or an exponential, what a
    division is by."""
    if at.op.kind not in ("log", "exp", "divide", "square"):
        return None
    x = at.inputs[-1]
    bad = _wrong(at.value, at) if wrong is None else wrong
    try:
        numbers = x.expand(bad.shape)[bad]
    except RuntimeError:  # of another input, or a width of 1 that goes with many: no number stands for each
        return None
    return float(numbers[0].detach()) if len(numbers) else None
