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
        reduction="none",
        label_smoothing=op.attrs["smoothing"],
    )
    return flat.reshape(*target.shape, 1)


def _class_weight(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    weights = to_device(torch.tensor(op.attrs["class_weights"], dtype=context.dtype), context.device)
    return weights[inputs[0]][..., None]


def _squared_error(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return (inputs[0] - inputs[1]).square().mean(-1, keepdim=True)


def _absolute_error(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return (inputs[0] - inputs[1]).abs().mean(-1, keepdim=True)


def _binary_cross_entropy(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return F.binary_cross_entropy_with_logits(inputs[0], inputs[1], reduction="none").mean(-1, keepdim=True)


def _huber(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return F.huber_loss(inputs[0], inputs[1], reduction="none", delta=op.attrs["delta"]).mean(-1, keepdim=True)


def _gaussian_likelihood(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    mean, spread, target = inputs
    each = math.log(2 * math.pi) + spread + (target - mean).square() * torch.exp(-spread)
    return 0.5 * each.mean(-1, keepdim=True)


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
    "squared_error": _squared_error,
    "absolute_error": _absolute_error,
    "binary_cross_entropy": _binary_cross_entropy,
    "huber": _huber,
    "gaussian_likelihood": _gaussian_likelihood,
    "ctc": _ctc,
}
