"""Which windows of a dataset a training reads, and how much of its batches is padding. Without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rnnstudio.data.dataset import Dataset, Split
from rnnstudio.data.split import Ints
from rnnstudio.data.windows import Windows, automatic_stride, shuffled_batches, training_windows

TEXT_CHUNK = 100


def chunk_of(dataset: Dataset, wanted: int) -> int:
    """The smaller of the wanted chunk and the recipe's window; 0 = sequences stay whole."""
    window = dataset.recipe.options.get("window", 0)
    limits = [limit for limit in (wanted, window) if isinstance(limit, int) and limit > 0]
    if limits:
        return min(limits)
    tokens = any(spec.content == "tokens" for spec in dataset.fields)
    return TEXT_CHUNK if tokens and dataset.long else 0


def stride_of(split: Split, chunk: int, wanted: int) -> int:
    """Steps between the starts of two windows: as wanted, the recipe's, or what fits the amount of data."""
    recipe = split.dataset.recipe
    if not wanted:
        given = recipe.options.get("stride", 0)
        wanted = given if isinstance(given, int) else 0
    if wanted:
        return wanted
    tokens = any(spec.content == "tokens" for spec in recipe.fields)
    return chunk if tokens or not chunk else automatic_stride(split.spans, chunk)


def training_plan(split: Split, chunk: int, stride: int = 0) -> Windows:
    """The windows of a part that is trained on. chunk: see chunk_of."""
    window = chunk if split.dataset.cuttable else 0
    return sized(split.dataset, training_windows(split.spans, window, stride_of(split, chunk, stride)))


def sized(dataset: Dataset, windows: Windows) -> Windows:
    """Where examples run along several axes, those of like lengths along all of them go together."""
    if len(dataset.axes) < 2:
        return windows
    total = sum(dataset.lengths(axis) for axis in dataset.axes)
    return replace(windows, size=np.asarray(total, np.int64)[windows.sequence])


def padding_of(dataset: Dataset, windows: Windows, batches: Sequence[Ints]) -> Mapping[str, float]:
    """By axis: which share of the steps of these batches is padding. Axes without any are left out."""
    found = {}
    for axis in dataset.axes:
        lengths = windows.length if axis == dataset.axis else dataset.lengths(axis)[windows.sequence]
        held = sum(int(lengths[rows].max()) * len(rows) for rows in batches)
        lost = held - sum(int(lengths[rows].sum()) for rows in batches)
        if lost:
            found[axis] = lost / held
    return found


def expected_padding(dataset: Dataset, batch_size: int, chunk: int) -> Mapping[str, tuple[float, float]]:
    """By axis: the share of padding in the first epoch, and what it were if any examples were put together."""
    split = dataset.split("train")
    if not len(split) or dataset.long:  # one long sequence is read as streams side by side
        return {}
    windows = training_plan(split, chunk_of(dataset, chunk))
    like = padding_of(dataset, windows, shuffled_batches(windows, batch_size, 0, 0))
    order = np.random.default_rng(0).permutation(len(windows))
    any_of = padding_of(dataset, windows, [order[low : low + batch_size] for low in range(0, len(order), batch_size)])
    return {axis: (like.get(axis, 0.0), share) for axis, share in any_of.items()}


def padding_in_words(found: Mapping[str, tuple[float, float]], batch_size: int) -> str:
    """For people; "" where nothing is padded."""
    if not found:
        return ""
    shares = [f"{like:.1%} along {axis}, {any_of:.1%} if lengths were mixed" for axis, (like, any_of) in found.items()]
    return f"padding in batches of {batch_size:,}: {'; '.join(shares)}"
