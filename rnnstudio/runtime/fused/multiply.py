"""Products over all steps, or all nodes, at once. Torch's own here; a loop may bring others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

Groups = Sequence[tuple[Tensor, Sequence[tuple[Tensor, Tensor]]]]


class Multiply(Protocol):
    """Makes products of matrices."""

    shares: bool
    """Whether one matrix times several takes less time than one after the other."""

    def __call__(
        self, a: Tensor, b: Tensor, out: Tensor | None = None, *, bias: Tensor | None = None, add: bool = False
    ) -> Tensor:
        """a [rows, depth] times b [depth, columns], to `out` where it is given: plus bias [columns], or added."""
        ...

    def several(self, groups: Groups) -> None:
        """For each (a [rows, depth], factors): a times each (b [depth, columns], out [rows, columns])."""
        ...


class TorchProducts:
    """torch's own."""

    shares = False

    def __call__(
        self, a: Tensor, b: Tensor, out: Tensor | None = None, *, bias: Tensor | None = None, add: bool = False
    ) -> Tensor:
        if add:
            assert out is not None
            return out.addmm_(a, b)
        if bias is None:
            return torch.mm(a, b) if out is None else torch.mm(a, b, out=out)
        return torch.addmm(bias, a, b) if out is None else torch.addmm(bias, a, b, out=out)

    def several(self, groups: Groups) -> None:
        for a, factors in groups:
            for b, out in factors:
                torch.mm(a, b, out=out)


BY_TORCH = TorchProducts()
