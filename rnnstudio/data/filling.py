"""Missing numbers: the mean of their column stands in for them, of the training part alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.in_blocks import any_missing
from rnnstudio.data.problems import Problems


def missing_in(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """[rows, columns]: which are NaN; where none is, an array that takes no memory."""
    some = any_missing(values)
    found: npt.NDArray[np.bool_] = np.isnan(values) if some else np.broadcast_to(np.False_, values.shape)
    return found


def means(values: npt.NDArray[Any], training: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    """Of each column, of the rows that are `training` and what is there in them; 0 where nothing is.

    values: [rows, columns], NaN = missing. Empty where nothing is missing.
    """
    if not np.isnan(values).any():
        return ()
    there = ~np.isnan(values) & training[:, None]
    sums = np.where(there, values, 0.0).sum(axis=0, dtype=np.float64)
    return tuple((sums / np.maximum(there.sum(axis=0), 1)).tolist())


def filled(values: npt.NDArray[Any], fill: Sequence[float], problems: Problems) -> npt.NDArray[Any]:
    """[rows, columns]: the same with what stands in for missing values; how many there were is told."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    stand_in = np.array(fill or (0.0,) * values.shape[1])
    columns = int(missing.any(axis=0).sum())
    problems.warn(
        f"{int(missing.sum()):,} missing values in {columns:,} column{'s' * (columns != 1)} are the means of their "
        "columns in the training part"
    )
    return np.where(missing, stand_in, values)
