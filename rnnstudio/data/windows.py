"""Which steps form which batch: the plan of an epoch as arrays of numbers, without torch and without a loop per token.

Two plans. `Streams`: one long sequence cut into as many pieces as a batch has rows, read side by side in chunks, so
that the state can be carried from chunk to chunk. `Windows`: independent windows or whole sequences, shuffled for
training, in order for an evaluation. Either counts every step of its part exactly once, unless training windows overlap
on purpose.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from rnnstudio.data.split import Ints, Spans

AUTO_WINDOWS = 10_000
"""Overlapping training windows start at every step as long as that makes no more windows than this."""

_BUCKET_BATCHES = 32
"""Sequences of like length are put together among so many batches of random ones: little padding, still random."""


@dataclass(frozen=True)
class Cut:
    """Rows of one batch, all arrays [batch]: steps start ≤ t < start + length of a sequence are read.

    skip: the first so many steps of every row are context, which the loss leaves out. carries: the state of the batch
    before is the initial state of this one.
    """

    sequence: Ints
    start: Ints
    length: Ints
    skip: int
    carries: bool

    @property
    def counted(self) -> int:
        """Steps that the loss counts."""
        return int(self.length.sum()) - self.skip * len(self.length)


@dataclass(frozen=True)
class Streams:
    """One run of steps, side by side. starts, lengths: [streams]; edges: [chunks + 1], relative to a stream's start."""

    sequence: int
    starts: Ints
    lengths: Ints
    edges: Ints
    context: int

    def __len__(self) -> int:
        return len(self.edges) - 1

    def steps(self, index: int) -> int:
        """Of a chunk, without context."""
        return int(self.edges[index + 1] - self.edges[index])

    def cut(self, index: int) -> Cut:
        low, high = int(self.edges[index]), int(self.edges[index + 1])
        skip = self.context if index == 0 else 0
        return Cut(
            sequence=np.full(len(self.starts), self.sequence, np.int64),
            start=self.starts + (low - skip),
            length=np.minimum(self.lengths, high) - (low - skip),
            skip=skip,
            carries=index > 0,
        )


def plan_streams(spans: Spans, batch_size: int, chunk: int, context: int) -> Streams:
    """Streams over the one run of `spans`: as many as batch_size, fewer where a stream would not fill a chunk.

    Lengths differ by one step at most, so that no row of the last chunk is empty. context: steps read before each
    stream's first, as far as all of them have some.
    """
    first, steps = int(spans.first[0]), spans.steps
    number = max(1, min(batch_size, steps // chunk))
    lengths = np.full(number, steps // number, np.int64)
    lengths[: steps % number] += 1
    starts = first + np.concatenate(([0], np.cumsum(lengths[:-1])))
    longest = int(lengths[0])
    edges = np.append(np.arange(0, longest, chunk, dtype=np.int64), longest)
    if len(edges) > 2 and edges[-1] - edges[-2] == 1 and steps % number:
        # A last chunk of one step would have no step at all in the shorter streams: it joins the chunk before.
        edges = np.delete(edges, -2)
    return Streams(int(spans.sequence[0]), starts, lengths, edges, min(context, first - int(spans.origin[0])))


@dataclass(frozen=True)
class Windows:
    """Independent windows, all arrays [windows]; skip: context steps at the beginning of each.

    size: by which windows of like size are put together; None = the length.
    """

    sequence: Ints
    start: Ints
    length: Ints
    skip: Ints
    size: Ints | None = None

    @property
    def sizes(self) -> Ints:
        return self.length if self.size is None else self.size

    def __len__(self) -> int:
        return len(self.start)

    def cut(self, rows: Ints) -> Cut:
        return Cut(self.sequence[rows], self.start[rows], self.length[rows], int(self.skip[rows[0]]), carries=False)


def training_windows(spans: Spans, window: int, stride: int) -> Windows:
    """Windows of `window` steps (0 = whole sequences) that begin every `stride` steps; shorter runs stay whole.

    Where windows do not overlap (stride = window), the last one of a run is what is left of it; where they do, it ends
    with the run.
    """
    sequence, start, length = [], [], []
    for place, (first, end) in enumerate(zip(spans.first.tolist(), spans.end.tolist(), strict=True)):
        steps = end - first
        if window == 0 or steps <= window:
            begins = np.array([first], np.int64)
            many = np.array([steps], np.int64)
        elif stride >= window:
            begins = np.arange(first, end, window, dtype=np.int64)
            many = np.minimum(window, end - begins)
        else:
            begins = np.arange(first, end - window + 1, stride, dtype=np.int64)
            if begins[-1] != end - window:
                begins = np.append(begins, end - window)
            many = np.full(len(begins), window, np.int64)
        sequence.append(np.full(len(begins), spans.sequence[place], np.int64))
        start.append(begins)
        length.append(many)
    whose, begin, steps_each = (
        np.concatenate(parts) if parts else np.zeros(0, np.int64) for parts in (sequence, start, length)
    )
    return Windows(whose, begin, steps_each, skip=np.zeros(len(begin), np.int64))


def ordered_windows(spans: Spans, window: int, context: int) -> Windows:
    """Windows that count every step once. Each begins with up to `context` steps that were counted before it (or belong
    to the part before), as far as its sequence reaches back; window: steps with the context, 0 = no limit."""
    rows: list[Ints] = []
    for sequence, origin, first, end in zip(
        spans.sequence.tolist(), spans.origin.tolist(), spans.first.tolist(), spans.end.tolist(), strict=True
    ):
        before = min(context, first - origin)
        if window == 0 or end - first + before <= window:
            rows.append(np.array([[sequence, first - before, end - first + before, before]], np.int64))
            continue
        # The first window may have less context than the others; then each counts window - context new steps.
        fresh = window - context
        counted = np.concatenate(([first], np.arange(first + window - before, end, fresh, dtype=np.int64)))
        skip = np.minimum(context, counted - origin)
        ends = np.append(counted[1:], end)
        rows.append(np.stack([np.full(len(counted), sequence), counted - skip, ends - counted + skip, skip], axis=1))
    table = np.concatenate(rows) if rows else np.zeros((0, 4), np.int64)
    return Windows(*(np.ascontiguousarray(table[:, column]) for column in range(4)))


def automatic_stride(spans: Spans, window: int) -> int:
    """1, or the least stride that keeps the number of windows near AUTO_WINDOWS, never more than the window."""
    starts = int(np.maximum(spans.lengths - window + 1, 1).sum())
    return max(1, min(window, -(-starts // AUTO_WINDOWS)))


def shuffled_batches(windows: Windows, batch_size: int, seed: int, epoch: int) -> list[Ints]:
    """The rows of each batch: random, of like lengths. The same for the same (seed, epoch), whatever came before."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(windows))
    sizes = windows.sizes
    if len(windows) and sizes.min() != sizes.max():
        bucket = batch_size * _BUCKET_BATCHES
        for low in range(0, len(order), bucket):
            part = order[low : low + bucket]
            order[low : low + bucket] = part[np.argsort(sizes[part], kind="stable")]
    batches = _sliced(order, batch_size)
    return [batches[place] for place in random.permutation(len(batches)).tolist()]


def ordered_batches(windows: Windows, batch_size: int) -> list[Ints]:
    """The rows of each batch of an evaluation: windows of equal context together, in order; where there are several
    sequences, those of like length side by side, for little padding."""
    several = len(windows) > 0 and (windows.sequence != windows.sequence[0]).any()
    order = np.lexsort((windows.sizes if several else windows.start, windows.skip))
    skip = windows.skip[order]
    edges = [0, *(np.flatnonzero(np.diff(skip)) + 1).tolist(), len(order)]
    groups = (order[low:high] for low, high in itertools.pairwise(edges))
    return [batch for group in groups for batch in _sliced(group, batch_size)]


def _sliced(order: Ints, batch_size: int) -> list[Ints]:
    return [order[low : low + batch_size] for low in range(0, len(order), batch_size)]
