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


def _batch_norm_steps(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    attrs = op.attrs
    x, number = inputs
    dim = attrs["axes"].index(attrs["along"]) if attrs["along"] in attrs["axes"] else None
    masks = [context.own(axis, attrs["axes"]) for axis in attrs["over"]]
    if attrs["along"] not in attrs["over"]:
        masks.append(context.own(attrs["along"], attrs["axes"]))
    running = context.weight(attrs["mean"]), context.weight(attrs["variance"])
    y = batch_normal_steps(x, number, dim, *running, attrs["epsilon"], attrs["momentum"], context.training, *masks)
    if attrs["weight"]:
        y = y * context.weight(attrs["weight"])
    return y + context.weight(attrs["bias"]) if attrs["bias"] else y


def batch_normal_steps(
    x: Tensor,
    number: Tensor,
    dim: int | None,
    mean: Tensor,
    variance: Tensor,
    epsilon: float,
    momentum: float,
    training: bool,
    *masks: Tensor | None,
) -> Tensor:
    """As `batch_normal`, with statistics of its own for each step along dim (None: x is one step of a loop).

    number: [steps, batch, 1] (one step: [batch, 1]), counted from an example's beginning. mean, variance:
    [T_max, width]; a later step than T_max uses the last row and moves none. Where examples of one step have different
    numbers, each number's row moves by their share.
    """
    x = x[None] if dim is None else x.movedim(dim, 0)
    row = number[..., 0].round().to(torch.int64).reshape(x.shape[0], -1)
    between = [1] * (x.dim() - 3)
    if training:
        own = torch.ones(*x.shape[:-1], 1, dtype=torch.bool, device=x.device)
        for mask in masks:
            if mask is not None:
                own = own & (mask.movedim(dim, 0) if dim is not None and mask.dim() == x.dim() else mask)
        places = tuple(range(1, x.dim() - 1))
        count = own.sum(places).to(x.dtype)
        center = x.masked_fill(~own, 0.0).sum(places) / count.clamp(min=1)
        apart = x - center.reshape(len(center), *between, 1, -1)
        spread = apart.square().masked_fill(~own, 0.0).sum(places) / count.clamp(min=1)
        with torch.no_grad():
            each = own.sum((*places[:-1], -1)).to(x.dtype)
            here = row[..., None] == torch.arange(len(mean), device=x.device)
            share = (here.to(x.dtype) * each[..., None]).sum(1) / count.clamp(min=1)
            rate = (momentum * share * (count > 1)).T
            unbiased = spread * count / (count - 1).clamp(min=1)
            mean += rate @ center - rate.sum(1, keepdim=True) * mean
            variance += rate @ unbiased - rate.sum(1, keepdim=True) * variance
        y = apart * torch.rsqrt(spread + epsilon).reshape(len(center), *between, 1, -1)
    else:
        row = row.clamp(max=len(mean) - 1)
        center, spread = (table[row].reshape(*row.shape[:1], *between, row.shape[1], -1) for table in (mean, variance))
        y = (x - center) * torch.rsqrt(spread + epsilon)
    return y[0] if dim is None else y.movedim(0, dim)


OPERATIONS: dict[str, Callable[[Op, tuple[Tensor, ...], Context], Tensor]] = {
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
    "batch_norm_steps": _batch_norm_steps,
}
