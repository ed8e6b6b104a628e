"""When a number stops being one: which parameter, node, step and field, so that a person knows what to change."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..runtime import Network
from .settings import TrainingSettings


class Diverged(Exception):  # noqa: N818 (it is what happened, not a mistake of the program)
    """Loss or gradients are no longer finite. Never leaves the trainer: it becomes a Failed event."""

    def __init__(self, what: str, where: str, remedy: str) -> None:
        super().__init__(f"{what} ({where}). {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


def explain(
    network: Network,
    fields: Mapping[str, Tensor],
    lengths: Mapping[str, Tensor],
    loss: float,
    step: int,
    settings: TrainingSettings,
) -> Diverged:
    """Why step `step` (from 1) cannot be done. Looks at data, weights, gradients and values, in this order."""
    where = f"step {step}"
    for name, field in fields.items():
        if field.is_floating_point() and not bool(torch.isfinite(field).all()):
            example, place = torch.nonzero(~torch.isfinite(field))[0].tolist()[:2]
            return Diverged(
                f"The data field “{name}” holds a number that is not finite",
                f"{where}, example {example + 1}, place {place + 1}",
                "Correct the file, or set the missing option of the data.",
            )
    wrong = non_finite_weights(network)
    if wrong:
        what = f"The parameter {wrong[0]} became infinite or NaN in the update of step {step - 1}"
        return Diverged(what, where, remedy(settings))
    if loss == loss and abs(loss) != float("inf"):
        gradients = {path: w.grad for path, w in network.weights.items() if w.grad is not None}
        bad = [path for path, grad in gradients.items() if not bool(torch.isfinite(grad).all())]
        more = f" and {len(bad) - 1} more parameters" if len(bad) > 1 else ""
        what = f"The gradient of {bad[0]}{more} is infinite or NaN" if bad else "The gradients overflow together"
        return Diverged(what, where, remedy(settings))
    node = network.first_non_finite(fields, lengths)
    what = f"The loss is {loss}" + (f": the first value that is not finite is that of {node}" if node else "")
    return Diverged(what, where, remedy(settings))


def non_finite_weights(network: Network) -> list[str]:
    """Paths of the parameters that hold infinity or NaN."""
    return [path for path, w in network.weights.items() if not bool(torch.isfinite(w).all())]


def remedy(settings: TrainingSettings) -> str:
    """What to do about numbers that grow without end."""
    clip = "" if 0 < settings.clip_norm <= 1 else " and clip gradients at norm 1 (clip_norm)"
    return f"Train again with a learning rate below {settings.learning_rate:g}{clip}."
