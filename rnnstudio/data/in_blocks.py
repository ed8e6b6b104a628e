"""What is asked of arrays as large as a file: block by block, so that nothing of their size is made on the way.

Each block is some milliseconds of work, and a reading that was called off ends behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.progress import check

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
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
    return values.dtype.kind == "f" and any(bool(np.isnan(values[block]).any()) for block in blocks_of(values))


def good_rows(values: npt.NDArray[Any]) -> Mask:
    """[rows]: which hold no NaN. values: [rows, columns]."""
    good = np.ones(len(values), bool)
    if values.dtype.kind == "f":
        for block in blocks_of(values):
            good[block] = ~np.isnan(values[block]).any(axis=1)
    return good


def moments(values: npt.NDArray[Any], rows: Mask) -> tuple[Floats, Floats]:
    """[columns] each: mean and standard deviation of the chosen rows, of which there is one or more."""
    if values.size <= VALUES:  # as numpy adds them up, bit for bit
        some = values[rows]
        return some.mean(axis=0, dtype=np.float64), some.std(axis=0, dtype=np.float64)
    count = int(np.count_nonzero(rows))
    mean = sum(values[b][rows[b]].sum(axis=0, dtype=np.float64) for b in blocks_of(values)) / count
    squares = sum(np.square(values[b][rows[b]] - mean).sum(axis=0) for b in blocks_of(values))
    return np.asarray(mean), np.sqrt(squares / count)


def extremes(values: npt.NDArray[Any], rows: Mask) -> tuple[Floats, Floats]:
    """[columns] each: the least and the greatest value of the chosen rows, of which there is one or more."""
    low, high = np.full(values.shape[1], np.inf), np.full(values.shape[1], -np.inf)
    for block in blocks_of(values):
        some = values[block][rows[block]]
        if len(some):
            np.minimum(low, some.min(axis=0), out=low)
            np.maximum(high, some.max(axis=0), out=high)
    return low, high


def is_counting(places: npt.NDArray[np.int64]) -> bool:
    """Whether they are 0, 1, 2, …"""
    return all(
        np.array_equal(places[block], np.arange(block.start, min(block.stop, len(places))))
        for block in blocks_of(places)
    )


def is_rising(keys: Floats) -> bool:
    """Whether none is below the one before it."""
    return all(bool((np.diff(keys[block.start : block.stop + 1]) >= 0).all()) for block in blocks_of(keys))
