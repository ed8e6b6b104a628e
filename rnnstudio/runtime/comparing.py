"""The torch operations of losses: how far a prediction is from its target, one number a place."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ..catalog.primitives import Op
from .context import Context
from .transfer import to_device


def _cross_entropy(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    logits, target = inputs
    weights = op.attrs["class_weights"]
    flat = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        target.reshape(-1),
        weight=logits.new_tensor(weights) if weights else None,
        ignore_index=-1 if op.attrs.get("partial") else -100,
        reduction="none",
        label_smoothing=op.attrs["smoothing"],
    )
    return flat.reshape(*target.shape, 1)


def _class_weight(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    weights = to_device(torch.tensor(op.attrs["class_weights"], dtype=context.dtype), context.device)
    if op.attrs.get("partial"):
        return (weights[inputs[0].clamp(min=0)] * (inputs[0] >= 0))[..., None]
    return weights[inputs[0]][..., None]


def _known(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    target = inputs[0]
    if not target.is_floating_point():
        return (target >= 0)[..., None].to(context.dtype)
    return (~target.isnan()).sum(-1, keepdim=True).to(context.dtype)


def _over_width(
    measure: Callable[..., Tensor],
) -> Callable[[Op, tuple[Tensor, ...], Context], Tensor]:
    """A loss of features: the mean over the width, or the sum over those of it that are known."""

    def run(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
        *predictions, target = inputs
        if not op.attrs.get("partial"):
            return measure(op, *predictions, target).mean(-1, keepdim=True)
        known = ~target.isnan()
        # Zeros stand where nothing is known, so that no gradient is NaN on its way to being left out.
        each = measure(op, *predictions, torch.where(known, target, 0.0))
        return torch.where(known, each, 0.0).sum(-1, keepdim=True)

    return run


def _binary_cross_entropy(op: Op, logits: Tensor, target: Tensor) -> Tensor:
    weight = op.attrs.get("positive_weight")
    yes = None if weight is None else logits.new_tensor(weight)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none", pos_weight=yes)


def _huber(op: Op, prediction: Tensor, target: Tensor) -> Tensor:
    return F.huber_loss(prediction, target, reduction="none", delta=op.attrs["delta"])


def _gaussian_likelihood(op: Op, mean: Tensor, spread: Tensor, target: Tensor) -> Tensor:
    return 0.5 * (math.log(2 * math.pi) + spread + (target - mean).square() * torch.exp(-spread))


def _ctc(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """[batch, 1]: −log P(labels | frames) by the number of labels, as torch's mean has it."""
    scores, labels = inputs
    blank = op.attrs["blank"]
    own = context.lengths_of(op.attrs["labels"])
    losses = F.ctc_loss(
        torch.log_softmax(scores, -1),
        (labels + 1 if blank == 0 else labels).T,
        context.lengths_of(op.attrs["frames"]),
        own,
        blank,
        reduction="none",
        zero_infinity=op.attrs["skip_impossible"],
    )
    return (losses / own.clamp(min=1))[:, None]


OPERATIONS: dict[str, Callable[[Op, tuple[Tensor, ...], Context], Tensor]] = {
    "cross_entropy": _cross_entropy,
    "class_weight": _class_weight,
    "known": _known,
    "squared_error": _over_width(lambda op, prediction, target: (prediction - target).square()),
    "absolute_error": _over_width(lambda op, prediction, target: (prediction - target).abs()),
    "binary_cross_entropy": _over_width(_binary_cross_entropy),
    "huber": _over_width(_huber),
    "gaussian_likelihood": _over_width(_gaussian_likelihood),
    "ctc": _ctc,
}
