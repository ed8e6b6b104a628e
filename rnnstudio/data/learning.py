"""What is learned from the training part and kept in the recipe: vocabularies, class counts, scaling of numbers.

Everything works on arrays of numbers, block by block: 100 MB of text is learned from in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Learning, Scaling
from rnnstudio.data.in_blocks import extremes, good_rows, moments
from rnnstudio.data.mapped import like
from rnnstudio.data.problems import Problems
from rnnstudio.data.split import Ints
from rnnstudio.data.vocabulary import UNKNOWN, IntArray, compact
from rnnstudio.design.errors import StudioError

_BLOCK = 1 << 22
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""What is subtracted from each column, and what it is then divided by."""


def counts(numbers: IntArray, size: int) -> Ints:
    """How often each number below `size` occurs, block by block: bincount makes eight bytes of each it is given."""
    total = np.zeros(size, np.int64)
    for start in range(0, len(numbers), _BLOCK):
        total += np.bincount(numbers[start : start + _BLOCK], minlength=size)
    return total


def counts_of_runs(numbers: IntArray, size: int, runs: Ints) -> Ints:
    """The same over runs of rows, [n, 2] (first, end)."""
    if len(runs) <= 1:
        first, end = runs[0].tolist() if len(runs) else (0, 0)
        return counts(numbers[first:end], size)
    return counts(numbers[mask_of(runs, len(numbers))], size)


def mask_of(runs: Ints, rows: int) -> npt.NDArray[np.bool_]:
    """[rows]: which are in one of the runs."""
    edge = np.zeros(rows + 1, np.int32)
    np.add.at(edge, runs[:, 0], 1)
    np.add.at(edge, runs[:, 1], -1)
    return np.cumsum(edge[:-1]) > 0


def learn(entries: Sequence[str], train: Ints, everywhere: Ints, learning: Learning) -> tuple[str, ...]:
    """The vocabulary. train, everywhere: how often each entry occurs in the training part, and in the whole file."""
    seen = np.flatnonzero(train >= max(learning.least, 1)).tolist()
    if learning.unknown == "always":
        seen = [place for place in seen if entries[place] != UNKNOWN]
    if learning.order == "frequency":
        seen.sort(key=lambda place: (-int(train[place]), entries[place]))
    elif learning.order == "natural":
        seen.sort(key=lambda place: _natural(entries[place]))
    else:
        seen.sort(key=lambda place: entries[place])
    known = [entries[place] for place in seen]
    if learning.unknown == "always":
        # Always there: a prompt may use a word that no text of this author does.
        return (UNKNOWN, *known)
    lacking = np.ones(len(entries), bool)
    lacking[seen] = False
    if bool((everywhere[lacking] > 0).any()) and UNKNOWN not in known:
        known.insert(len(known) if learning.classes else 0, UNKNOWN)
    return tuple(known)


def _natural(entry: str) -> tuple[int, float, str]:
    """Numbers by value, then texts."""
    return (0, float(entry), entry) if _NUMBER.fullmatch(entry) else (1, 0.0, entry)


def renumber(numbers: IntArray, entries: Sequence[str], vocabulary: Sequence[str], what: str, shown: str) -> IntArray:
    """From places in `entries` to places in the vocabulary. what: the kind of its entries, for messages.

    Raises StudioError naming what the vocabulary lacks and cannot call unknown.
    """
    places = {entry: place for place, entry in enumerate(vocabulary)}
    unknown = places.get(UNKNOWN, -1)
    table = np.array([places.get(entry, unknown) for entry in entries], np.int64)
    missing = np.flatnonzero(table < 0).tolist()
    if missing:
        occurring = counts(numbers, len(entries))
        missing = [place for place in missing if occurring[place]]
    if missing:
        first = int(np.flatnonzero(numbers == missing[0])[0]) + 1
        listed = ", ".join(repr(entries[place]) for place in missing[:10]) + (", …" if len(missing) > 10 else "")
        raise StudioError(
            f"the model's vocabulary of {len(vocabulary)} {what} has no {listed}",
            where=f"{shown}, first at number {first:,} of {len(numbers):,}",
            remedy="Take these out of the file, or train a model on it.",
        )
    return looked_up(compact(table, len(vocabulary)), numbers)


def looked_up(table: IntArray, numbers: IntArray) -> IntArray:
    """table[numbers], block by block: numpy makes eight bytes of each index."""
    found = like(numbers, table.dtype)
    for low in range(0, len(numbers), _BLOCK):
        np.take(table, numbers[low : low + _BLOCK], out=found[low : low + _BLOCK])
    return found


def statistics(
    values: npt.NDArray[Any],
    training: npt.NDArray[np.bool_],
    names: Sequence[str],
    scaling: Sequence[Scaling],
    problems: Problems,
) -> Statistics:
    """Of each column of the rows that are `training`, by the scaling chosen for it. A constant column keeps its unit.

    standard: mean and standard deviation; min-max: 0 to 1; robust: median and the distance of the quartiles; none.
    """
    width = len(names)
    good = training & good_rows(values)
    if width > 1 and bool((good != training).any()):  # of each column what is known of it
        columns = ((values[:, [n]], names[n : n + 1], scaling[n : n + 1]) for n in range(width))
        each = [statistics(column, training, name, how, problems) for column, name, how in columns]
        return tuple(mean[0] for mean, _ in each), tuple(std[0] for _, std in each)
    if not good.any():
        return (0.0,) * width, (1.0,) * width
    middle, spread = moments(values, good)
    # Rounding leaves a constant column of large numbers with a tiny deviation; it is a constant all the same.
    constant = spread <= 1e-12 * np.maximum(np.abs(middle), 1e-300)
    low, high = extremes(values, good) if "min-max" in scaling else (middle, middle)
    for place, how in enumerate(scaling):
        if how == "min-max":
            middle[place], spread[place] = low[place], high[place] - low[place]
        elif how == "robust":
            first, median, last = np.percentile(values[good, place], (25, 50, 75))
            middle[place], spread[place] = median, last - first or spread[place]
        elif how == "none":
            middle[place], spread[place] = 0.0, 1.0
    told = {problem.what for problem in problems.found}
    still = [name for name, never in zip(names, constant.tolist(), strict=True) if never]
    warnings = [
        f"the column {name!r} never changes in the training part: it tells the model nothing" for name in still[:NAMED]
    ]
    if len(still) > NAMED:
        more = f"{len(still) - NAMED:,} more columns"
        warnings.append(f"{more} never change in the training part: they tell the model nothing")
    for warning in warnings:
        if warning not in told:
            problems.warn(warning)
    spread[constant] = 1.0
    return tuple(middle.tolist()), tuple(spread.tolist())


NAMED = 20
"""Columns that a warning is made for, each; of many more, one."""
