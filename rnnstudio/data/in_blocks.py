"""What is asked of arrays as large as a file: block by block, so that nothing as large as they are is made on the way.

Each block is some milliseconds of work, and a reading that was called off ends behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.progress import check

Floats = npt.NDArray[np.float64]
VALUES = 1 << 20
"""Values of a block, about."""


def blocks_of(array: npt.NDArray[Any]) -> Iterator[slice]:
    """Slices of rows; the whole of a small array is one."""
    rows = max(1, VALUES * len(array) // max(array.size, 1))
    for start in range(0, len(array), rows):
        check()
        yield slice(start, start + rows)


def any_missing(values: npt.NDArray[Any]) -> bool:
    """Whether one of them is NaN."""
    return any(bool(np.isnan(values[block]).any()) for block in blocks_of(values))


def good_rows(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """[rows]: which hold no NaN."""
    good = np.empty(len(values), bool)
    for block in blocks_of(values):
        good[block] = ~np.isnan(values[block]).any(axis=1)
    return good


def is_counting(places: npt.NDArray[np.int64]) -> bool:
    """Whether they are 0, 1, 2, …"""
    return all(
        np.array_equal(places[block], np.arange(block.start, min(block.stop, len(places))))
        for block in blocks_of(places)
    )


def is_rising(keys: Floats) -> bool:
    """Whether none is below the one before it."""
    return all(bool((np.diff(keys[block.start : block.stop + 1]) >= 0).all()) for block in blocks_of(keys))


def extremes(values: npt.NDArray[Any], rows: npt.NDArray[np.bool_]) -> tuple[list[float], list[float]]:
    """The least and the greatest value of each column in the chosen rows; empty where there are none."""
    low, high = np.full(values.shape[1], np.inf), np.full(values.shape[1], -np.inf)
    for block in blocks_of(values):
        some = values[block] if rows[block].all() else values[block][rows[block]]
        if len(some):
            low, high = np.minimum(low, some.min(axis=0)), np.maximum(high, some.max(axis=0))
    return (low.tolist(), high.tolist()) if rows.any() else ([], [])


def moments(values: npt.NDArray[Any], rows: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """[columns] each: mean and standard deviation of the chosen rows, of which there is one or more."""
    if values.size <= VALUES:  # as numpy adds them up, bit for bit
        some = values[rows]
        return some.mean(axis=0, dtype=np.float64), some.std(axis=0, dtype=np.float64)
    count = int(np.count_nonzero(rows))
    mean = sum(values[b][rows[b]].sum(axis=0, dtype=np.float64) for b in blocks_of(values)) / count
    squares = sum(np.square(values[b][rows[b]] - mean).sum(axis=0) for b in blocks_of(values))
    return np.asarray(mean), np.sqrt(squares / count)
