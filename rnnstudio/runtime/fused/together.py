"""Weights that a product stacks are laid one below the other in memory, so that stacking them copies nothing.

A parameter stays the object it is and keeps its numbers; only its memory moves, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from .plan import Plan
from .stages import Product
from .tree_plan import TreePlan


def lay(plan: Plan | TreePlan, weights: Mapping[str, Tensor]) -> bool:
    """Move the parameters of each product, and the biases of all slots, together; False where they are no parameters.

    What is not used whole, lies in the memory of something else already, or is made of a parameter stays where it is.
    """
    slots = plan.form.slots
    used = [path for slot in slots for path in (*(p.weight for p in slot.pieces), *(b[0] for b in slot.biases))]
    if not all(isinstance(weights[path], nn.Parameter) for path in used if path in weights):
        return False
    for product in (*plan.projections, *(p for stage in plan.stages for p in stage.products)):
        if not all(p.weight in weights for p in product.pieces):
            continue
        blocks = [block(weights[p.weight], p.rows, p.columns) for p in product.pieces]
        if all(part is weights[p.weight] for part, p in zip(blocks, product.pieces, strict=True)):
            _move(blocks)
    biases = _biases(plan)
    if all(len(some) == 1 and (some[0][1], some[0][2]) == (0, len(weights[some[0][0]])) for some in biases):
        _move([weights[some[0][0]] for some in biases])
    return True


def block(weight: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """Rows of a vector, or rows and columns of a matrix."""
    shape = weight.shape
    if rows[0] != 0 or rows[1] != shape[0]:
        weight = weight[rows[0] : rows[1]]
    return weight if len(shape) == 1 or columns == (0, shape[1]) else weight[:, columns[0] : columns[1]]


_Place = tuple[int, tuple[int, ...]]


def _place(x: Tensor) -> _Place:
    """Where a tensor lies, and how: it may be turned in its place."""
    return x.data_ptr(), x.stride()


class Stacks:
    """Stacked weights and biases of one loop. A view of what lies together is kept from call to call.

    biases: of each slot (path, first row, last row + 1), widths: of the slots, both in the order of their columns.
    """

    def __init__(self, plan: Plan | TreePlan) -> None:
        self._views: dict[object, tuple[list[_Place], Tensor]] = {}
        self.biases = _biases(plan)
        self.widths = [plan.form.slots[number].width for number in _ordered(plan)]

    def of(self, product: Product, weights: Mapping[str, Tensor]) -> Tensor:
        """W of a product, [size, width]: its pieces one below the other."""
        pieces = product.pieces
        key = (product.source, product.offset)
        at = [_place(weights[piece.weight]) for piece in pieces]
        known = self._views.get(key)
        if known is not None and known[0] == at:
            return known[1]
        return self._stacked(key, at, [block(weights[p.weight], p.rows, p.columns) for p in pieces])

    def bias(self, biases: Mapping[str, Tensor], like: Tensor) -> Tensor | None:
        """[plan.columns]: the sum of each slot's biases, zero where there is none; None when there are none at all."""
        if not biases:
            return None
        at = [_place(x) for x in biases.values()]
        known = self._views.get("bias")
        if known is not None and known[0] == at:
            return known[1]
        parts = [[block(biases[path], (first, last), (0, 0)) for path, first, last in some] for some in self.biases]
        whole = [some[0] if some else like.new_zeros(n) for some, n in zip(parts, self.widths, strict=True)]
        if all(len(some) == 1 for some in parts):
            return self._stacked("bias", at, whole)
        summed = torch.cat(whole)
        for part, more in zip(torch.split(summed, self.widths), parts, strict=True):
            for x in more[1:]:
                part += x
        return summed

    def _stacked(self, key: object, at: list[_Place], blocks: Sequence[Tensor]) -> Tensor:
        if len(blocks) == 1:
            return blocks[0]
        view = _one_view(blocks)
        if view is None:
            return torch.cat(list(blocks))
        self._views[key] = (at, view)
        return view


def _ordered(plan: Plan | TreePlan) -> list[int]:
    """Slots in the order of their columns."""
    return sorted(range(len(plan.form.slots)), key=plan.offsets.__getitem__)


def _biases(plan: Plan | TreePlan) -> list[tuple[tuple[str, int, int], ...]]:
    return [tuple(plan.form.slots[number].biases) for number in _ordered(plan)]


def _one_view(blocks: Sequence[Tensor]) -> Tensor | None:
    """[Σ rows, …] of blocks [rows, …] that lie one after the other in one memory; else None."""
    first = blocks[0].detach()
    memory = first.untyped_storage()
    at, size = first.data_ptr(), first.element_size()
    for part in blocks:
        if part.data_ptr() != at or not part.is_contiguous():
            return None
        at += part.numel() * size
    if at > memory.data_ptr() + memory.nbytes():  # neighbours by chance
        return None
    rows = sum(part.shape[0] for part in blocks)
    return first.as_strided((rows, *first.shape[1:]), first.stride(), first.storage_offset())


def _move(parameters: Sequence[Tensor]) -> None:
    if len({id(p) for p in parameters}) < max(2, len(parameters)):
        return
    if not all(p.is_contiguous() and p.untyped_storage().nbytes() == p.numel() * p.element_size() for p in parameters):
        return
    with torch.inference_mode(False):  # memory of that mode could never be trained
        whole = torch.cat([p.detach() for p in parameters])
        at = 0
        for p in parameters:
            p.data = whole.narrow(0, at, p.shape[0])
            at += p.shape[0]
