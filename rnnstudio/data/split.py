"""Where training, validation and test lie. Targets of one part are never targets of another.

A step t reads the input of row t and predicts the target of row t + shift. A part owns rows, and its steps are those
whose *target* row it owns: so each row is predicted exactly once in the whole file, and the first steps of a part may
look back at rows of the part before, as a model in use would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.design.errors import StudioError

Part: TypeAlias = Literal["train", "validation", "test"]
PARTS: tuple[Part, Part, Part] = ("train", "validation", "test")
TITLES: Mapping[Part, str] = {"train": "training", "validation": "validation", "test": "test"}
Ints: TypeAlias = npt.NDArray[np.int64]

_SHUFFLE_SEED = 20231
"""Whole sequences are dealt out in an order that depends on their number only, the same on every machine."""


@dataclass(frozen=True)
class Spans:
    """The steps of one part: for each sequence in it, one run of steps. All arrays are [sequences], rows are global.

    sequence: which sequence. origin: its first row (steps back to it may serve as context).
    first, end: steps first ≤ t < end are predicted.
    """

    sequence: Ints
    origin: Ints
    first: Ints
    end: Ints

    @property
    def lengths(self) -> Ints:
        return self.end - self.first

    @property
    def steps(self) -> int:
        return int(self.lengths.sum())


@dataclass(frozen=True)
class Division:
    """The three parts, along the dataset's main axis.

    rows: which rows each owns (what statistics may look at), as [n, 2] (first, end) runs. examples: which examples have
    rows in it, ascending: whole ones, or all of them where each is cut in three.
    """

    spans: Mapping[Part, Spans]
    rows: Mapping[Part, Ints]
    examples: Mapping[Part, Ints]


def boundaries(rows: int, fractions: tuple[float, float, float]) -> tuple[int, int]:
    """Where validation and test begin in `rows` rows; a part with a fraction above 0 gets a row if there is one."""
    train, validation, test = fractions
    wanted = [1, int(validation > 0), int(test > 0)]
    first = min(max(round(rows * train), wanted[0]), max(rows - wanted[1] - wanted[2], 1))
    second = min(max(round(rows * (train + validation)), first + wanted[1]), max(rows - wanted[2], first))
    if test <= 0:
        second = rows
    if validation <= 0:
        first = second
    return min(first, rows), min(second, rows)


Run: TypeAlias = tuple[Part, int, int, int]
"""A part owns a run of rows of an example: part, example, first row, end; rows are global."""


def permuted(number: int, seed: int) -> Ints:
    """An order of so many things that depends on their number and the seed only, on every machine."""
    return np.random.default_rng([_SHUFFLE_SEED, seed] if seed else _SHUFFLE_SEED).permutation(number)


def along_time(offsets: Ints, fractions: tuple[float, float, float], examples: Ints | None = None) -> list[Run]:
    """Every sequence is cut in three along time. offsets: [sequences + 1], the first row of each and the end."""
    runs: list[Run] = []
    for sequence in range(len(offsets) - 1) if examples is None else examples.tolist():
        start, stop = int(offsets[sequence]), int(offsets[sequence + 1])
        one, two = boundaries(stop - start, fractions)
        edges = (start, start + one, start + two, stop)
        cut = zip(PARTS, edges[:-1], edges[1:], strict=True)
        runs += [(part, sequence, low, high) for part, low, high in cut if high > low]
    return runs


def whole(offsets: Ints, chosen: Mapping[Part, Ints]) -> list[Run]:
    """Whole sequences belong to the parts as `chosen` says: their numbers, in any order."""
    return [
        (part, sequence, int(offsets[sequence]), int(offsets[sequence + 1]))
        for part in PARTS
        for sequence in np.sort(chosen.get(part, _NONE)).tolist()
    ]


_NONE: Ints = np.zeros(0, np.int64)


def division_of(runs: Iterable[Run], offsets: Ints, shift: int) -> Division:
    """The parts that own these runs of rows. shift: how many steps ahead the targets lie."""
    owned: dict[Part, list[tuple[int, int, int, int]]] = {part: [] for part in PARTS}
    rows: dict[Part, list[tuple[int, int]]] = {part: [] for part in PARTS}
    examples: dict[Part, list[int]] = {part: [] for part in PARTS}
    for part, sequence, low, high in sorted(runs, key=lambda run: run[1:]):
        start = int(offsets[sequence])
        rows[part].append((low, high))
        if examples[part][-1:] != [sequence]:
            examples[part].append(sequence)
        first, end = max(low - shift, start), high - shift
        if end > first:
            owned[part].append((sequence, start, first, end))
    spans = {}
    for part in PARTS:
        table = np.array(owned[part], np.int64).reshape(-1, 4)
        spans[part] = Spans(*(np.ascontiguousarray(table[:, column]) for column in range(4)))
    return Division(
        spans,
        {part: np.array(rows[part], np.int64).reshape(-1, 2) for part in PARTS},
        {part: np.array(examples[part], np.int64) for part in PARTS},
    )


def by_time(offsets: Ints, shift: int, fractions: tuple[float, float, float]) -> Division:
    """Every sequence is cut in three along time; see along_time."""
    return division_of(along_time(offsets, fractions), offsets, shift)


def by_sequence(offsets: Ints, shift: int, fractions: tuple[float, float, float]) -> Division:
    """Whole sequences are dealt to the parts at random (the same way every time)."""
    order = permuted(len(offsets) - 1, 0)
    one, two = boundaries(len(order), fractions)
    dealt = zip(PARTS, (0, one, two), (one, two, len(order)), strict=True)
    return by_examples(offsets, shift, {part: order[low:high] for part, low, high in dealt})


def by_examples(offsets: Ints, shift: int, chosen: Mapping[Part, Ints]) -> Division:
    """Whole sequences belong to the parts as `chosen` says; see whole."""
    return division_of(whole(offsets, chosen), offsets, shift)


def require_steps(
    division: Division, fractions: tuple[float, float, float], rows: int, unit: str, shift: int, shown: str
) -> None:
    """Raises StudioError when a part that should have data has no step at all."""
    for part, fraction in zip(PARTS, fractions, strict=True):
        if fraction > 0 and division.spans[part].steps == 0:
            share = f" ({fraction:.0%})" if fraction < 1 else ""
            ahead = f" that predict {shift} ahead" if shift else ""
            raise StudioError(
                f"{rows:,} {unit} are too few: the {TITLES[part]} part{share} has no steps{ahead}",
                where=shown,
                remedy="Use a longer file"
                + (", a smaller horizon" if shift > 1 else "")
                + (f", or change the {TITLES[part]} fraction." if share else "."),
            )
