"""Batches of tensors, by number: `batch(epoch, index)` is the same whenever it is asked for, so a resumed training goes
on exactly where it stopped. The only file of this package that imports torch.

Shape legend: B rows of the batch, T steps of its longest row, F features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnstudio.data.dataset import Dataset, Split
from rnnstudio.data.plans import chunk_of, padding_of, sized, training_plan
from rnnstudio.data.split import TITLES, Ints, Part
from rnnstudio.data.windows import (
    Cut,
    Streams,
    Windows,
    ordered_batches,
    ordered_windows,
    plan_streams,
    shuffled_batches,
)
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec


@dataclass(frozen=True)
class Batch:
    """fields: tokens [B, T] int64, numbers [B, T, F] float32, T being each axis's own; without an axis [B] and [B, F];
    parents of trees [B, N] int64. Padding, on the right, is 0, of parents -1.

    lengths: axis -> [B] int64, every one at least 1; the dataset's main axis is the first.
    carries: the final state of the batch before is the initial state of this one.
    tokens: how many steps the loss counts (rows, where targets have no axis).
    skip: the first so many steps of every row are context that the loss leaves out (0 in training).
    full: no row is padded; with skip 0 nothing need be masked.
    """

    fields: Mapping[str, Tensor]
    lengths: Mapping[str, Tensor]
    carries: bool
    tokens: int
    skip: int = 0
    full: bool = True

    @property
    def size(self) -> int:
        """Rows."""
        return next(iter(self.fields.values())).shape[0]

    def mask(self, axis: str = "time") -> Tensor:
        """[B, T] bool: the steps of an axis that are no padding, and no context before those that the loss counts."""
        lengths_B = self.lengths[axis]
        step_T = torch.arange(int(lengths_B.max()), device=lengths_B.device)
        return (step_T >= self.skip) & (step_T < lengths_B[:, None])

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return replace(
            self,
            fields={name: tensor.to(device, non_blocking=True) for name, tensor in self.fields.items()},
            lengths={axis: tensor.to(device, non_blocking=True) for axis, tensor in self.lengths.items()},
        )


@dataclass(frozen=True)
class _Places:
    """row: [B, T], the rows of an axis that a batch reads; length: [B]; padding: [B, T] bool, None = there is none."""

    row: Ints
    length: Ints
    padding: npt.NDArray[np.bool_] | None

    @classmethod
    def of(cls, start: Ints, length: Ints) -> _Places:
        steps = int(length.max())
        row_BT = start[:, None] + np.arange(steps)
        if int(length.min()) == steps:
            return cls(row_BT, length, None)
        padding_BT = np.arange(steps) >= length[:, None]
        return cls(np.where(padding_BT, start[:, None], row_BT), length, padding_BT)


class Batches:
    """The batches of one part of a dataset.

    split: a part or its name. batch_size: rows at most.
    chunk: steps of a window, or of a chunk of a carried text; the recipe's `window` limits it further; 0 = the recipe's
        window, or 100 for a text. Sequences that are not longer stay whole.
    carry: rows are contiguous streams and chunks come in order, wherever the part is one long sequence; a part of
        several sequences has nothing to carry over, and `carries` is False.
    seed: of the shuffling, together with the epoch.
    stride: steps between the starts of overlapping training windows; 0 = the recipe's, else automatic for numbers and
        the whole window for tokens.
    context: steps before those that are counted, for evaluations only; None = one chunk before the first chunk of a
        carried stream, half a window otherwise. 0 = none.
    shuffle: None = for the training part only. Without it every step is counted exactly once, in order, with context.

    Raises StudioError when the part is empty or too short to fill one chunk.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split | Part = "train",
        batch_size: int = 32,
        chunk: int = 0,
        carry: bool = False,
        seed: int = 0,
        *,
        stride: int = 0,
        context: int | None = None,
        shuffle: bool | None = None,
    ) -> None:
        if batch_size < 1 or chunk < 0 or stride < 0 or seed < 0 or (context or 0) < 0:
            raise StudioError(
                f"too small: batch_size {batch_size}, chunk {chunk}, stride {stride}, seed {seed} or context {context}",
                where="training settings",
                remedy="Use a batch of 1 or more and nothing negative.",
            )
        self.dataset = dataset
        self.split = dataset.split(split) if isinstance(split, str) else split
        self.batch_size = batch_size
        self.seed = seed
        self.training = self.split.part == "train" if shuffle is None else shuffle
        self.chunk = chunk_of(dataset, chunk)
        self._check()
        spans = self.split.spans
        self.carries = carry and len(spans.sequence) == 1 and self.chunk > 0 and dataset.cuttable
        self._shuffled: tuple[int, list[Ints]] = (-1, [])
        self._streams: Streams | None = None
        self._windows: Windows | None = None
        if self.carries:
            before = 0 if self.training else self.chunk if context is None else context
            self._streams = plan_streams(spans, batch_size, self.chunk, before)
        elif self.training:
            self._windows = training_plan(self.split, self.chunk, stride)
        else:
            window = self.chunk if dataset.cuttable else 0
            before = window // 2 if context is None else min(context, max(window - 1, 0))
            self._windows = sized(dataset, ordered_windows(spans, window, before if window else dataset.rows))
            self._shuffled = (0, ordered_batches(self._windows, batch_size))

    def _check(self) -> None:
        part, steps = TITLES[self.split.part], self.split.steps
        shown = self.dataset.recipe.path
        if steps == 0:
            raise StudioError(
                f"the {part} part is empty",
                where=shown,
                remedy="Give it a fraction above 0 in the data's split.",
            )
        if self.training and self.dataset.long and steps < self.chunk:
            raise StudioError(
                f"the {part} part predicts {steps} steps, fewer than one chunk of {self.chunk}",
                where=f"{shown}, {self.dataset.rows} steps in all",
                remedy=f"Use a longer file, or set the chunk (or window) to {steps} or less.",
            )

    def __len__(self) -> int:
        """Batches per epoch."""
        if self._streams is not None:
            return len(self._streams)
        assert self._windows is not None
        if not self.training:
            return len(self._shuffled[1])
        return -(-len(self._windows) // self.batch_size)

    def whole(self, index: int) -> bool:
        """Whether a batch is no shorter than the others: what is left of a stream at its end may be."""
        return self._streams is None or self._streams.steps(index) >= self._streams.steps(0)

    @property
    def padding(self) -> Mapping[str, float]:
        """By axis: the share of padding in all batches of the first epoch; an axis without any is left out."""
        if self._windows is None:
            return {}
        batches = shuffled_batches(self._windows, self.batch_size, self.seed, 0) if self.training else self._shuffled[1]
        return padding_of(self.dataset, self._windows, batches)

    @property
    def tokens(self) -> int:
        """Steps that the losses of one epoch count together."""
        if self._windows is None or not self.dataset.cuttable:
            return self.split.steps
        return int((self._windows.length - self._windows.skip).sum())

    def cut(self, epoch: int, index: int) -> Cut:
        """Which rows of the dataset the batch reads: to bring a forecast back to its place in the file."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        if self._streams is not None:
            return self._streams.cut(index)
        assert self._windows is not None
        if self.training and self._shuffled[0] != epoch:
            self._shuffled = (epoch, shuffled_batches(self._windows, self.batch_size, self.seed, epoch))
        return self._windows.cut(self._shuffled[1][index])

    def batch(self, epoch: int, index: int) -> Batch:
        """Batch `index` (from 0, below len) of epoch `epoch` (from 0); the same every time."""
        cut = self.cut(epoch, index)
        dataset = self.dataset
        places = {axis: self._places(axis, cut) for axis in dataset.axes}
        fields = {spec.name: self._tensor(spec, cut, places) for spec in dataset.fields}
        lengths = {axis: torch.from_numpy(place.length) for axis, place in places.items()}
        full = all(place.padding is None for place in places.values())
        return Batch(fields, lengths, cut.carries, self._counted(cut, places), cut.skip, full)

    def _places(self, axis: str, cut: Cut) -> _Places:
        """Which rows of an axis the batch reads: the cut along the main axis, whole examples along the others."""
        if axis == self.dataset.axis:
            return _Places.of(cut.start, cut.length)
        offsets = self.dataset.axes[axis]
        return _Places.of(offsets[cut.sequence], offsets[cut.sequence + 1] - offsets[cut.sequence])

    def _counted(self, cut: Cut, places: Mapping[str, _Places]) -> int:
        counted = self.dataset.counted
        if counted is None:
            return len(cut.length)
        return cut.counted if counted == self.dataset.axis else int(places[counted].length.sum())

    def _tensor(self, spec: FieldSpec, cut: Cut, places: Mapping[str, _Places]) -> Tensor:
        track = self.dataset.tracks[spec.name]
        place = places.get(track.axis) if track.axis is not None else None
        row = cut.sequence if place is None else place.row + track.shift if track.shift else place.row
        found = np.take(track.values, row, axis=0)
        if spec.content != "real":
            found = found.astype(np.int64)
        if place is not None and place.padding is not None:
            found[place.padding] = -1 if spec.content == "parents" else 0
        return torch.from_numpy(found)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The epoch's batches in order, from number `start` on."""
        return (self.batch(epoch, index) for index in range(start, len(self)))

    def __iter__(self) -> Iterator[Batch]:
        """The batches of epoch 0: all there is to an evaluation."""
        return self.epoch(0)
