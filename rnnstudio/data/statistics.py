"""What is counted of a dataset for people: how long examples are, how often each class and each word occurs.

Of much data only the first rows are counted, and it is said of how many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnnstudio.data.dataset import Dataset
from rnnstudio.data.split import Ints
from rnnstudio.data.vocabulary import UNKNOWN
from rnnstudio.design.recipe import FieldSpec

COUNTED = 1_000_000
"""Rows of a field that are counted."""
BARS = 24
LISTED = 500
"""Entries of a vocabulary that are listed."""


@dataclass(frozen=True)
class Lengths:
    """Of the examples along an axis. edges: [bars + 1], each bar counts low ≤ length < high; counts: [bars]."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]
    least: int
    most: int
    mean: float


@dataclass(frozen=True)
class Occurrences:
    """Of a field's tokens or classes, in the first `rows` rows of `total`.

    entries: text and count, the most frequent first (classes: in their order), LISTED of them at most; distinct: how
    many the vocabulary has; unknown: how many rows hold the unknown token.
    """

    entries: tuple[tuple[str, int], ...]
    distinct: int
    unknown: int
    rows: int
    total: int
    classes: bool

    @property
    def sampled(self) -> bool:
        return self.rows < self.total


@dataclass(frozen=True)
class Statistics:
    """examples, rows of the main axis, whether examples may be cut (Dataset.cuttable); lengths: by axis; tokens: by
    field; those that share their tokens with another are left out."""

    examples: int
    rows: int
    cuttable: bool
    lengths: Mapping[str, Lengths]
    tokens: Mapping[str, Occurrences]
    beginning: bool = False
    """All of it is counted in the beginning of a file alone."""

    @property
    def longest(self) -> int:
        """Steps of the longest example, along any axis."""
        return max((found.most for found in self.lengths.values()), default=0)


def statistics_of(dataset: Dataset) -> Statistics:
    """Time: linear in the rows that are counted."""
    return Statistics(
        dataset.sequences,
        dataset.rows,
        dataset.cuttable,
        {axis: lengths_of(dataset.lengths(axis)) for axis in dataset.axes},
        {
            spec.name: _occurrences(dataset, spec)
            for spec in dataset.fields
            if spec.content == "tokens" and not spec.shift_of
        },
        dataset.cut,
    )


def lengths_of(lengths: Ints) -> Lengths:
    """Bars of whole steps, equally wide."""
    least, most = int(lengths.min(initial=0 if len(lengths) == 0 else lengths[0])), int(lengths.max(initial=0))
    width = max(1, -(-(most - least + 1) // BARS))
    edges = np.arange(least, most + width + 1, width)
    counts = np.histogram(lengths, edges)[0]
    # The last bar of a histogram has its upper edge in it; ours all end before it, as no length reaches the last edge.
    return Lengths(
        tuple(edges.tolist()), tuple(counts.tolist()), least, most, float(lengths.mean()) if len(lengths) else 0.0
    )


def _occurrences(dataset: Dataset, spec: FieldSpec) -> Occurrences:
    values = dataset.tracks[spec.name].values
    seen = np.asarray(values[:COUNTED])
    counts = np.bincount(seen, minlength=spec.size)
    classes = bool(spec.counts)
    order = np.arange(spec.size) if classes else np.argsort(-counts[: spec.size], kind="stable")
    entries = tuple((spec.vocabulary[place], int(counts[place])) for place in order[:LISTED].tolist())
    unknown = int(counts[spec.vocabulary.index(UNKNOWN)]) if UNKNOWN in spec.vocabulary else 0
    return Occurrences(entries, spec.size, unknown, len(seen), len(values), classes)
