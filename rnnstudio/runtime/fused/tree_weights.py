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
    given = [(block, flat) for block, flat in zip(blocks, gradients, strict=True) if flat is not None]
    if not given:
        return None
    once = _each_once(shape[1], [block for block, _ in given])
    whole = given[0][1].new_empty(shape) if once else given[0][1].new_zeros(shape)
    put = Tensor.copy_ if once else Tensor.add_
    for block, flat in given:
        first, last = block.rows
        own = flat.view(shape[0], last - first, -1)
        if block.turned:
            put(whole[:, :, first:last], own.transpose(1, 2))
        elif not block.folded:
            put(whole[:, first:last], own)
        else:
            put(whole[:, first:last, first:], own)
            put(whole[:, last:, first:last], own[:, :, last - first :].transpose(1, 2))
    return whole


def _each_once(size: int, blocks: Sequence[TensorBlock]) -> bool:
    """Whether folded blocks hold each entry of a tensor once."""
    rows = sorted(block.rows for block in blocks)
    ends = [0, *(last for _, last in rows)]
    return all(b.folded for b in blocks) and [first for first, _ in rows] == ends[:-1] and ends[-1] == size
