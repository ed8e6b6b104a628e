"""The matrices that bilinear maps of a loop over trees multiply by: blocks of a tensor V [units, left, right]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .tree_bilinear import TensorBlock


def with_blocks(blocks: Mapping[str, TensorBlock], weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The weights, and among them the matrix of each block by its name."""
    if not blocks:
        return weights
    found = dict(weights)
    for path in dict.fromkeys(block.path for block in blocks.values()):
        own = {name: block for name, block in blocks.items() if block.path == path}
        made = _Blocks.apply(weights[path], *own.values())  # type: ignore[no-untyped-call]
        found |= dict(zip(own, made, strict=True))
    return found


class _Blocks(torch.autograd.Function):
    """All matrices of one tensor at once, and their gradients into one gradient of the tensor."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, *blocks: TensorBlock) -> tuple[Tensor, ...]:
        ctx.blocks, ctx.like = blocks, tensor.shape
        ctx.set_materialize_grads(False)
        return tuple(_matrix(tensor, block).flatten(0, 1) for block in blocks)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return (_tensor_gradient(ctx.like, ctx.blocks, gradients), *(None for _ in ctx.blocks))


def _matrix(tensor: Tensor, block: TensorBlock) -> Tensor:
    first, last = block.rows
    if block.turned:
        return tensor[:, :, first:last].transpose(1, 2).contiguous()
    if not block.folded:
        return tensor[:, first:last].contiguous()
    found = tensor[:, first:last, first:].clone(memory_format=torch.contiguous_format)
    found[:, :, last - first :] += tensor[:, last:, first:last].transpose(1, 2)
    return found


def _tensor_gradient(
    shape: torch.Size, blocks: Sequence[TensorBlock], gradients: Sequence[Tensor | None]
) -> Tensor | None:
    if all(block.folded for block in blocks):
        return _unfolded(shape, blocks, gradients)
    whole: Tensor | None = None
    for block, flat in zip(blocks, gradients, strict=True):
        if flat is None:
            continue
        whole = flat.new_zeros(shape) if whole is None else whole
        first, last = block.rows
        own = flat.view(shape[0], last - first, -1)
        if block.turned:
            whole[:, :, first:last] += own.transpose(1, 2)
        else:
            whole[:, first:last] += own
    return whole


def _unfolded(shape: torch.Size, blocks: Sequence[TensorBlock], gradients: Sequence[Tensor | None]) -> Tensor | None:
    """Folded blocks hold each entry of the tensor once."""
    given = [flat for flat in gradients if flat is not None]
    if not given:
        return None
    whole = given[0].new_empty(shape) if len(given) == len(blocks) else given[0].new_zeros(shape)
    for block, flat in zip(blocks, gradients, strict=True):
        if flat is not None:
            first, last = block.rows
            own = flat.view(shape[0], last - first, -1)
            whole[:, first:last, first:] = own
            whole[:, last:, first:last] = own[:, :, last - first :].transpose(1, 2)
    return whole
