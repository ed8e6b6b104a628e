"""Products over all steps, or all nodes, at once. Torch's own here; a loop may bring others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Tensor

Results = list[Tensor | None]
Groups = Sequence[tuple[Tensor, Sequence[tuple[Tensor, Tensor]]]]


class Multiply(Protocol):
    """Makes products of matrices. What is put off keeps what it was given until it is made."""

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

    def sum_rows(self, parts: Tensor, out: Tensor, *, add: bool = False) -> None:
        """The sum of parts [rows, width] over its rows, to out [width], or added. A copy where there is one row."""
        ...

    def spread(self, row: Tensor, out: Tensor) -> None:
        """row [width] to every row of out [rows, width]."""
        ...

    def call(
        self, key: Hashable, given: Sequence[Tensor], fixed: Sequence[Tensor], work: Callable[[Multiply], Results]
    ) -> Results:
        """What `work` makes of the products of one call of a loop. What they make may be there only after `finish`.

        key: all that decides what it does, but for where `given` lie and what is in them; None: this call is unlike
        any other. fixed: tensors that seldom lie elsewhere.
        """
        ...

    def then(self, what: Callable[[], object]) -> None:
        """Do this when all products so far are made."""
        ...

    def finish(self) -> None:
        """Make what was put off."""
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

    def sum_rows(self, parts: Tensor, out: Tensor, *, add: bool = False) -> None:
        if add:
            out.add_(parts.sum(0))
        else:
            torch.sum(parts, 0, out=out)

    def spread(self, row: Tensor, out: Tensor) -> None:
        out.copy_(row)

    def call(
        self, key: Hashable, given: Sequence[Tensor], fixed: Sequence[Tensor], work: Callable[[Multiply], Results]
    ) -> Results:
        return work(self)

    def then(self, what: Callable[[], object]) -> None:
        what()

    def finish(self) -> None:
        """Nothing was put off."""


BY_TORCH = TorchProducts()
