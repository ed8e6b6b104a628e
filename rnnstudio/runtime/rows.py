"""Further axes of a loop's values join its batch: a loop along time at every place of an image has more rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from torch import Tensor

from .context import Context


@dataclass(frozen=True)
class Rows:
    """The rows of a loop: every place of `further` axes (with their `sizes`) of every example of the batch."""

    further: tuple[str, ...]
    sizes: tuple[int, ...]
    batch: int

    @cached_property
    def count(self) -> int:
        return self.batch * prod(self.sizes)

    def join(self, x: Tensor, axes: Sequence[str], lead: tuple[str, ...] = ()) -> Tensor:
        """[*axes, batch, …] → [*lead, rows, …]. A value is repeated along further axes that it lacks."""
        if not self.further:
            return x
        wanted = (*lead, *self.further)
        present = [axis for axis in wanted if axis in axes]
        behind = range(len(axes), x.dim())
        x = x.permute([axes.index(axis) for axis in present] + list(behind))
        for place, axis in enumerate(wanted):
            if axis not in present:
                x = x.unsqueeze(place)
        first = x.shape[: len(lead)]
        x = x.expand(*first, *self.sizes, *x.shape[len(wanted) :])
        return x.reshape(*first, self.count, *x.shape[len(wanted) + 1 :])

    def split(self, x: Tensor, axes: Sequence[str], lead: tuple[str, ...] = ()) -> Tensor:
        """[*lead, rows, …] → [*axes, batch, …]; along further axes that are not among `axes` all places are alike."""
        if not self.further:
            return x
        n = len(lead)
        x = x.reshape(*x.shape[:n], *self.sizes, self.batch, *x.shape[n + 1 :])
        have = [*lead]
        for axis in self.further:
            if axis in axes:
                have.append(axis)
            else:
                x = x.select(len(have), 0)
        return x.permute([have.index(axis) for axis in axes] + list(range(len(have), x.dim())))


def rows_of(further: tuple[str, ...], context: Context) -> Rows:
    return Rows(further, tuple(context.sizes[axis] for axis in further), context.batch)
