"""What is counted of a dataset for people: how long examples are, how often each class and each word occurs.

Of much data only the first rows are counted, and it is said of how many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rnnstudio.data.dataset import Dataset
from rnnstudio.data.plans import expected_padding, padding_in_words
from rnnstudio.data.split import PARTS, Ints, Part
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
class PartSize:
    """How much a part holds: examples, whole or cut, and what of it is predicted (Split.steps).

    classes: how often each class of the first target occurs in it, in their order; empty where there are none.
    """

    part: Part
    examples: int
    predicted: int
    classes: tuple[tuple[str, int], ...] = ()

    def shares(self, most: int = 6) -> str:
        """The classes with their shares, for people."""
        total = sum(count for _, count in self.classes) or 1
        order = sorted(self.classes, key=lambda item: -item[1])
        shown = ", ".join(f"{name} {count / total:.1%}" for name, count in order[:most])
        return f"{shown}{', …' if len(self.classes) > most else ''}"


@dataclass(frozen=True)
class Statistics:
    """examples, rows of the main axis, whether examples may be cut (Dataset.cuttable); lengths: by axis; tokens: by
    field; those that share their tokens with another are left out. long: see Dataset.long. divided: how the parts are
    told apart, in words; parts: those that hold something."""

    examples: int
    rows: int
    cuttable: bool
    lengths: Mapping[str, Lengths]
    tokens: Mapping[str, Occurrences]
    long: bool = False
    divided: str = ""
    parts: tuple[PartSize, ...] = ()
    yes_or_no: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Of targets of one number that is 0 or 1: how often each occurs in the training part."""
    padding: str = ""
    """How much of the batches is padding, in words; "" = nothing."""
    beginning: bool = False
    """All of it is counted in the beginning of a file alone."""

    @property
    def longest(self) -> int:
        """Steps of the longest example, along any axis."""
        return max((found.most for found in self.lengths.values()), default=0)


def statistics_of(dataset: Dataset, batch_size: int = 32, chunk: int = 0) -> Statistics:
    """Time: linear in the rows that are counted. batch_size, chunk: of the training, for how much would be padded."""
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
        dataset.long,
        dataset.divided,
        parts_of(dataset),
        yes_or_no_of(dataset),
        padding_in_words(expected_padding(dataset, batch_size, chunk), batch_size),
        dataset.cut,
    )


def parts_of(dataset: Dataset) -> tuple[PartSize, ...]:
    """The parts that hold something, with the classes of the first target that has some."""
    found = []
    target = next((spec for spec in dataset.targets if spec.counts or _is_yes_or_no(dataset, spec)), None)
    for part in PARTS:
        split = dataset.split(part)
        if split.steps:
            found.append(
                PartSize(part, len(split), split.steps, () if target is None else _classes(dataset, part, target))
            )
    return tuple(found)


def yes_or_no_of(dataset: Dataset) -> dict[str, tuple[int, int]]:
    """Of each target of one number that is 0 or 1: how often each occurs in the training part."""
    found = {}
    for spec in dataset.targets:
        if spec.content == "real" and _is_yes_or_no(dataset, spec):
            (_, no), (_, yes) = _classes(dataset, "train", spec)
            found[spec.name] = (no, yes)
    return found


def _is_yes_or_no(dataset: Dataset, spec: FieldSpec) -> bool:
    raw = dataset.tracks[spec.name].raw
    if raw is None or spec.size != 1 or (spec.low, spec.high) != ((0.0,), (1.0,)):
        return False
    seen = raw[:COUNTED]
    return bool(np.isin(seen[~np.isnan(seen)], (0.0, 1.0)).all())


def _classes(dataset: Dataset, part: Part, spec: FieldSpec) -> tuple[tuple[str, int], ...]:
    values = dataset.values_of(part, spec.name)
    if spec.content != "tokens":
        known = values[~np.isnan(values)]
        ones = int((dataset.unscale(spec.name, known[:, None]) > 0.5).sum())
        return (("0", len(known) - ones), ("1", ones))
    counts = np.bincount(values[values >= 0], minlength=spec.size)
    return tuple(zip(spec.vocabulary, counts.tolist(), strict=True))


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
    seen = seen[seen >= 0] if spec.missing else seen
    counts = np.bincount(seen, minlength=spec.size)
    classes = bool(spec.counts)
    order = np.arange(spec.size) if classes else np.argsort(-counts[: spec.size], kind="stable")
    entries = tuple((spec.vocabulary[place], int(counts[place])) for place in order[:LISTED].tolist())
    unknown = int(counts[spec.vocabulary.index(UNKNOWN)]) if UNKNOWN in spec.vocabulary else 0
    return Occurrences(entries, spec.size, unknown, len(seen), len(values), classes)
