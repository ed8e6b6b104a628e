"""Fingerprints of examples, to find those that are alike: one number of 64 bits for all that an example gives to read.

Equal examples have equal fingerprints; that two others share one has a chance of about n²/2⁶⁵ among n examples. All
examples are looked at in array operations, none by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples, LaterField, NumberField, TokenField, TreeField
from rnnstudio.data.split import Ints
from rnnstudio.design.recipe import TARGET_NAMES

Marks = npt.NDArray[np.uint64]

_BLOCK = 1 << 20


def fingerprints(found: Examples) -> Marks:
    """[examples]: of all fields that are given to read; targets do not count."""
    total: Marks | None = None
    read = [item for item in found.fields if not isinstance(item, LaterField) and _is_read(item)]
    for place, item in enumerate(read):
        marks = mixed(_of_field(item) + _multiple(place + 1))
        total = marks if total is None else total + marks
    return np.zeros(0, np.uint64) if total is None else total


def _is_read(item: TokenField | NumberField | TreeField) -> bool:
    if isinstance(item, TreeField):
        return True
    return item.role == "input" or (not item.role and item.name not in TARGET_NAMES)


def _of_field(item: TokenField | NumberField | TreeField) -> Marks:
    if isinstance(item, NumberField):
        rows = _of_rows(item.values)
    else:
        rows = (
            np.asarray(item.numbers if isinstance(item, TokenField) else item.parents).astype(np.int64).view(np.uint64)
        )
    offsets = item.offsets if isinstance(item, TreeField) or item.axis is not None else None
    if offsets is None:
        return mixed(rows + _STEP)
    return _of_runs(rows, offsets)


def _of_rows(values: npt.NDArray[np.float64]) -> Marks:
    """[rows]: of the numbers of each; 0 and −0 are alike."""
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)
    total = np.zeros(len(values), np.uint64)
    for column in range(bits.shape[1]):
        total += mixed(bits[:, column] + _multiple(column + 1))
    return total


def _of_runs(rows: Marks, offsets: Ints) -> Marks:
    """[runs]: of the rows of each, in their order."""
    lengths = np.diff(offsets)
    place = np.arange(len(rows)) - np.repeat(offsets[:-1], lengths)
    each = mixed(mixed(rows) + place.astype(np.uint64) * _STEP)
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(each, dtype=np.uint64)))
    return sums[offsets[1:]] - sums[offsets[:-1]] + lengths.astype(np.uint64)


_STEP = np.uint64(0x9E3779B97F4A7C15)


def _multiple(number: int) -> np.uint64:
    return np.uint64(number * int(_STEP) % (1 << 64))


def mixed(bits: Marks) -> Marks:
    """Each number stirred so that every bit depends on all (the finaliser of SplitMix64, Steele et al. 2014)."""
    z = bits.copy()
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def stretches(tokens: npt.NDArray[Any], length: int, step: int = 1) -> Marks:
    """Of every stretch of `length` tokens that begins at a multiple of `step`, by a rolling polynomial."""
    values = mixed(np.asarray(tokens).astype(np.uint64) + np.uint64(1))
    number = len(values) - length + 1
    if number <= 0:
        return np.zeros(0, np.uint64)
    total = np.zeros(-(-number // step), np.uint64)
    for place in range(length):
        total = total * _STEP + values[place : place + number : step]
    return mixed(total)


def occurring(wanted: Marks, tokens: npt.NDArray[Any], length: int) -> npt.NDArray[np.bool_]:
    """[wanted]: whether each stretch stands anywhere among the tokens. In blocks: memory is bounded."""
    found = np.zeros(len(wanted), bool)
    for low in range(0, max(len(tokens) - length + 1, 0), _BLOCK):
        found |= np.isin(wanted, stretches(tokens[low : low + _BLOCK + length - 1], length))
    return found
