"""Batches of tensors, by number: `batch(epoch, index)` is the same whenever it is asked for, so a resumed training goes
on exactly where it stopped. The only file of this package that imports torch.

Shape legend: B rows of the batch, T steps of its longest row, F features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rnnstudio.data.dataset import Array, Dataset, Split
from rnnstudio.data.split import TITLES, Ints, Part
from rnnstudio.data.windows import (
    Cut,
    Streams,
    Windows,
    automatic_stride,
    ordered_batches,
    ordered_windows,
    plan_streams,
    shuffled_batches,
    training_windows,
)
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

TEXT_CHUNK = 100


@dataclass(frozen=True)
class Batch:
    """fields: tokens [B, T] int64, numbers [B, T, F] float32; without an axis [B, F]. Padding, on the right, is 0.

    lengths: axis -> [B] int64, every one at least 1.
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
        """[B, T] bool: the steps that the loss counts; `tokens` of them are True."""
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
        self.chunk = _chunk(dataset, chunk)
        self._check()
        spans = self.split.spans
        self.carries = carry and len(spans.sequence) == 1 and self.chunk > 0 and not dataset.statics
        self._shuffled: tuple[int, list[Ints]] = (-1, [])
        self._streams: Streams | None = None
        self._windows: Windows | None = None
        if self.carries:
            before = 0 if self.training else self.chunk if context is None else context
            self._streams = plan_streams(spans, batch_size, self.chunk, before)
        elif self.training:
            window = 0 if dataset.statics else self.chunk
            self._windows = training_windows(spans, window, self._stride(stride))
        else:
            window = 0 if dataset.statics else self.chunk
            before = window // 2 if context is None else min(context, max(window - 1, 0))
            self._windows = ordered_windows(spans, window, before if window else self.split.dataset.rows)
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
        if self.training and self.dataset.sequences == 1 and steps < self.chunk:
            raise StudioError(
                f"the {part} part predicts {steps} steps, fewer than one chunk of {self.chunk}",
                where=f"{shown}, {self.dataset.rows} steps in all",
                remedy=f"Use a longer file, or set the chunk (or window) to {steps} or less.",
            )

    def _stride(self, wanted: int) -> int:
        recipe = self.dataset.recipe
        if not wanted and recipe.reader == "csv":
            given = recipe.options.get("stride", 0)
            wanted = given if isinstance(given, int) else 0
        if wanted:
            return wanted
        tokens = any(spec.content == "tokens" for spec in recipe.fields)
        return self.chunk if tokens or not self.chunk else automatic_stride(self.split.spans, self.chunk)

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
    def tokens(self) -> int:
        """Steps that the losses of one epoch count together."""
        if self._windows is None or self.dataset.statics:
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
        steps = int(cut.length.max())
        row_BT = cut.start[:, None] + np.arange(steps)
        full = int(cut.length.min()) == steps
        padding_BT = None if full else np.arange(steps) >= cut.length[:, None]
        if padding_BT is not None:
            row_BT = np.where(padding_BT, cut.start[:, None], row_BT)
        fields: dict[str, Tensor] = {}
        lengths: dict[str, Tensor] = {}
        for spec in self.dataset.fields:
            fields[spec.name] = self._tensor(spec, cut, row_BT, padding_BT)
            if spec.axis is not None and spec.axis not in lengths:
                lengths[spec.axis] = torch.from_numpy(cut.length)
        tokens = len(cut.length) if self.dataset.statics else cut.counted
        return Batch(fields, lengths, cut.carries, tokens, cut.skip, full)

    def _tensor(self, spec: FieldSpec, cut: Cut, row_BT: Array, padding_BT: Array | None) -> Tensor:
        if spec.name in self.dataset.statics:
            return torch.from_numpy(self.dataset.statics[spec.name][cut.sequence])
        track = self.dataset.tracks[spec.name]
        found = np.take(track.values, row_BT + track.shift if track.shift else row_BT, axis=0)
        if spec.content == "tokens":
            found = found.astype(np.int64)
        if padding_BT is not None:
            found[padding_BT] = 0
        return torch.from_numpy(found)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The epoch's batches in order, from number `start` on."""
        return (self.batch(epoch, index) for index in range(start, len(self)))

    def __iter__(self) -> Iterator[Batch]:
        """The batches of epoch 0: all there is to an evaluation."""
        return self.epoch(0)


def _chunk(dataset: Dataset, wanted: int) -> int:
    """The smaller of the wanted chunk and the recipe's window; 0 = sequences stay whole."""
    window = dataset.recipe.options.get("window", 0)
    limits = [limit for limit in (wanted, window) if isinstance(limit, int) and limit > 0]
    if limits:
        return min(limits)
    return TEXT_CHUNK if dataset.recipe.reader == "text" else 0
