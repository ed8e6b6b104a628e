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

_BLOCK = 1 << 18
"""Numbers that are looked at together: memory is bounded."""


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
    offsets = item.offsets if isinstance(item, TreeField) or item.axis is not None else None
    values: npt.NDArray[Any] = (
        item.numbers
        if isinstance(item, TokenField)
        else (item.values if isinstance(item, NumberField) else item.parents)
    )
    if offsets is None:
        offsets = np.arange(len(values) + 1, dtype=np.int64)
    total = np.zeros(len(offsets) - 1, np.uint64)
    block = max(_BLOCK // (values.shape[1] if values.ndim > 1 else 1), 1)
    for low in range(0, len(values), block):
        _add(total, offsets, low, _of_rows(values[low : low + block]))
    return mixed(total + np.diff(offsets).astype(np.uint64))


def _add(total: Marks, offsets: Ints, low: int, rows: Marks) -> None:
    """Add to each example what its rows in a block say, each by its place in it. low: the block's first row."""
    first = int(np.searchsorted(offsets, low, side="right")) - 1
    last = int(np.searchsorted(offsets, low + len(rows), side="left"))
    begins = offsets[first:last]
    lengths = np.minimum(offsets[first + 1 : last + 1], low + len(rows)) - np.maximum(begins, low)
    place = np.arange(low, low + len(rows)) - np.repeat(begins, lengths)
    each = mixed(rows + place.astype(np.uint64) * _STEP)
    there = lengths > 0
    starts = (np.cumsum(lengths) - lengths)[there]
    total[np.flatnonzero(there) + first] += np.add.reduceat(each, starts)


def _of_rows(values: npt.NDArray[Any]) -> Marks:
    """[rows]: of the token or the numbers of each; 0 and −0 are alike."""
    if values.ndim == 1:
        return mixed(np.asarray(values).astype(np.int64).view(np.uint64))
    bits = np.ascontiguousarray(values.astype(np.float64) + 0.0).view(np.uint64)
    total = np.zeros(len(values), np.uint64)
    for column in range(bits.shape[1]):
        total += mixed(bits[:, column] + _multiple(column + 1))
    return total


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


_FILTER_BITS = 18


def occurring(wanted: Marks, tokens: npt.NDArray[Any], length: int) -> npt.NDArray[np.bool_]:
    """[wanted]: whether each stretch stands anywhere among the tokens. In blocks: memory is bounded.

    Most stretches are of no interest by their first bits (a Bloom filter of one hash), and only the rest are sorted.
    """
    found = np.zeros(len(wanted), bool)
    shift = np.uint64(64 - _FILTER_BITS)
    likely = np.zeros(1 << _FILTER_BITS, bool)
    likely[wanted >> shift] = True
    for low in range(0, max(len(tokens) - length + 1, 0), _BLOCK):
        marks = stretches(tokens[low : low + _BLOCK + length - 1], length)
        found |= np.isin(wanted, marks[likely[marks >> shift]])
    return found
