"""The torch operations of layer and batch normalisation."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ..catalog.primitives import Op
from .context import Context


def _layer_norm(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    weight, bias = (context.weight(path) if path else None for path in (op.attrs["weight"], op.attrs["bias"]))
    return F.layer_norm(inputs[0], (inputs[0].shape[-1],), weight, bias, op.attrs["epsilon"])


def _batch_norm(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    attrs = op.attrs
    masks = [context.own(axis, attrs["axes"]) for axis in attrs["over"]]
    mean, variance = context.weight(attrs["mean"]), context.weight(attrs["variance"])
    y = batch_normal(inputs[0], mean, variance, attrs["epsilon"], attrs["momentum"], context.training, *masks)
    if attrs["weight"]:
        y = y * context.weight(attrs["weight"])
    return y + context.weight(attrs["bias"]) if attrs["bias"] else y


def batch_normal(
    x: Tensor, mean: Tensor, variance: Tensor, epsilon: float, momentum: float, training: bool, *masks: Tensor | None
) -> Tensor:
    """Each feature of x [..., width] with mean 0 and variance 1 over its valid places.

    While training the statistics are the batch's own, and `mean` and `variance` move towards them in place (the
    variance without its bias, as in torch); otherwise `mean` and `variance` are used. masks: True at valid places,
    broadcast over x; None: all are.
    """
    if not training:
        return (x - mean) * torch.rsqrt(variance + epsilon)
    own = torch.ones(*x.shape[:-1], 1, dtype=torch.bool, device=x.device)
    for mask in masks:
        own = own if mask is None else own & mask
    places = tuple(range(x.dim() - 1))
    count = own.sum().to(x.dtype)
    center = x.masked_fill(~own, 0.0).sum(places) / count.clamp(min=1)
    spread = (x - center).square().masked_fill(~own, 0.0).sum(places) / count.clamp(min=1)
    with torch.no_grad():
        rate = momentum * (count > 1).to(x.dtype)
        mean += rate * (center - mean)
        variance += rate * (spread * count / (count - 1).clamp(min=1) - variance)
    return (x - center) * torch.rsqrt(spread + epsilon)


OPERATIONS: dict[str, Callable[[Op, tuple[Tensor, ...], Context], Tensor]] = {
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
}
