"""When a number stops being one: which parameter, node, step and field, and what to change, by what caused it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..runtime import Network
from ..runtime.non_finite import NonFinite
from .settings import TrainingSettings

GROWTH = 100.0
"""A loss so many times as large as it was is told."""
_EPSILON = "1e-6"


class Diverged(Exception):  # noqa: N818 (it is what happened, not a mistake of the program)
    """Loss or gradients are no longer finite. Never leaves the trainer: it becomes a Failed event."""

    def __init__(self, what: str, where: str, remedy: str) -> None:
        super().__init__(f"{what} ({where}). {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that cannot be done, as it was: what it read, the state it went on from, and torch's random state at its
    beginning, so that every dropout mask comes again. mixed: it was computed in half precision where that serves."""

    fields: Mapping[str, Tensor]
    lengths: Mapping[str, Tensor]
    state: Mapping[str, Tensor] | None
    random: RandomState
    mixed: bool = False


class RandomState:
    """torch's random state on the CPU and on one device, as it is now."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._cpu = torch.get_rng_state()
        self._gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def restore(self) -> None:
        torch.set_rng_state(self._cpu)
        if self._gpu is not None:
            torch.cuda.set_rng_state(self._gpu, self.device)


def explain(network: Network, attempt: Attempt, loss: float, step: int, settings: TrainingSettings) -> Diverged:
    """Why step `step` (from 1) cannot be done. Looks at data, parameters, values, derivatives, in this order."""
    where = f"step {step}"
    for name, field in attempt.fields.items():
        if field.is_floating_point() and not bool(torch.isfinite(field).all()):
            return _wrong_data(name, field, where)
    if wrong := non_finite_weights(network):
        if step == 1:
            what = f"The parameter {wrong[0]} is infinite or NaN before the first step"
            return Diverged(what, where, "Give it a start of finite numbers (its initialisation, its scale).")
        what = f"The parameter {wrong[0]} became infinite or NaN in the update of step {step - 1}"
        return Diverged(what, where, remedy(settings))
    for name, value in (attempt.state or {}).items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            what = f"The state “{name}” that is carried from chunk to chunk is infinite or NaN"
            return Diverged(what, where, f"Keep it within bounds (a Tanh in the loop). {remedy(settings)}")
    finite = math.isfinite(loss)
    found = _again(network, attempt, mixed=attempt.mixed)
    if attempt.mixed and found is not None and _again(network, attempt, mixed=False) is None:
        what = f"A number overflows in half precision at {found.place}"
        return Diverged(what, where, "Train in full precision (precision = float32).")
    if found is not None and (found.backward or found.left_out) == finite:
        what = f"The derivative of {found.place} is the first that is not finite" if found.backward else ""
        if found.left_out:
            what = f"The value of {found.place} is not finite; the loss leaves it out, but not its derivative"
        what = what or f"The loss is {loss}: the first value that is not finite is that of {found.place}"
        return Diverged(f"{what}{_reading(found)}", where, cause(found, settings))
    if not finite:
        return Diverged(f"The loss is {loss}", where, remedy(settings))
    gradients = {path: w.grad for path, w in network.weights.items() if w.grad is not None}
    bad = [path for path, grad in gradients.items() if not bool(torch.isfinite(grad).all())]
    more = f" and {len(bad) - 1} more parameters" if len(bad) > 1 else ""
    what = f"The gradient of {bad[0]}{more} is infinite or NaN" if bad else "The gradients overflow together"
    return Diverged(what, where, remedy(settings))


def _again(network: Network, attempt: Attempt, *, mixed: bool) -> NonFinite | None:
    """The step once more by the reference, with the same random numbers; those of now come back behind it."""
    now = RandomState(attempt.random.device)
    attempt.random.restore()
    try:
        with torch.autocast(attempt.random.device.type, torch.bfloat16, enabled=mixed):
            return network.first_non_finite(attempt.fields, attempt.lengths, attempt.state)
    finally:
        now.restore()


def _wrong_data(name: str, field: Tensor, where: str) -> Diverged:
    example, *places = (x + 1 for x in torch.nonzero(~torch.isfinite(field))[0].tolist())
    words = ("column",) if len(places) == 1 else ("place", "column")
    told = ", ".join(f"{word} {place}" for word, place in zip(words, (places[0], places[-1]), strict=False))
    return Diverged(
        f"The data field “{name}” holds a number that is not finite",
        f"{where}, example {example}, {told}",
        "Correct the file, or set the missing option of the data.",
    )


def _reading(found: NonFinite) -> str:
    if found.reads is None:
        return ""
    number = f"{found.reads:.4g}".replace("-", "−")
    return f": it {'divides by' if found.kind == 'divide' else 'reads'} {number}"


def cause(found: NonFinite, settings: TrainingSettings) -> str:
    """What to do about a node that gives the first number that is not finite, or has the first such derivative."""
    node, kind = found.node, found.kind
    if kind == "log" and (found.reads is None or math.isfinite(found.reads)):
        return f"Keep what “{node}” reads above 0: a Maximum with a small number ({_EPSILON}) in front of it."
    if kind == "divide" and (found.reads is None or abs(found.reads) < 1):
        return f"Keep what “{node}” divides by away from 0: add a small number ({_EPSILON}) to it."
    if kind == "exp":
        return f"Keep what “{node}” reads below 80 (a Minimum in front of it), or use Softplus."
    if kind == "average":
        return "All that this batch is averaged over has weight 0: give every class a weight, or take larger batches."
    if kind == "ctc":
        return "An example has too few frames for its labels: tick “skip impossible” of the loss, or correct the data."
    if kind == "gaussian_likelihood":
        return f"Keep the log-variance that “{node}” reads above −20 (a Maximum in front of it). {remedy(settings)}"
    if found.looped and not found.backward:
        return (
            f"The state grows from step to step: start its recurrent weights orthogonal or smaller. {remedy(settings)}"
        )
    return remedy(settings)


def non_finite_weights(network: Network) -> list[str]:
    """Paths of the parameters that hold infinity or NaN."""
    return [path for path, w in network.weights.items() if not bool(torch.isfinite(w).all())]


def remedy(settings: TrainingSettings) -> str:
    """What to do about numbers that grow without end."""
    clip = "" if 0 < settings.clip_norm <= 1 else " and clip gradients at norm 1 (clip_norm)"
    return f"Train again with a learning rate below {settings.learning_rate:g}{clip}."


def growth(loss: float, start: float, best: float, settings: TrainingSettings) -> str:
    """A sentence when a loss is a hundred times what it was at the start, or at its best; else "". All are means of
    the last steps, or the first step's; a loss that may be below 0 has no such measure."""
    then, when = (start, "at the start") if loss > GROWTH * start else (best, "at its best")
    if min(start, best, loss) <= 0 or loss <= GROWTH * best:
        return ""
    return (
        f"The loss has grown to {loss:.4g}, more than a hundred times the {then:.4g} {when}: it may be diverging. "
        f"{remedy(settings)}"
    )
