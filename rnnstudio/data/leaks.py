"""What stands in two parts at once: then a score tells how well a model remembers, not how well it predicts.

Told as warnings, with how much it is and what to do. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.dividing import Dividing, can_be_cut
from rnnstudio.data.examples import Examples, NumberField, TokenField
from rnnstudio.data.likeness import fingerprints, occurring, stretches
from rnnstudio.data.problems import Problems, quoted
from rnnstudio.data.split import TITLES, Division, Ints, Part

SCANNED = 1 << 23
"""Tokens of the training part in which stretches of a long text are looked for: the last ones."""
STRETCHES = 2000
"""Stretches of a part of a long text that are looked for."""
_STRETCH = {"characters": 50, "bytes": 50}
_OF_WORDS = 12
_FEW = 1000
"""Rows that must look like windows of one series before all are compared."""
_LEAST_SHARE = 0.01
HELD_OUT: tuple[Part, Part] = ("validation", "test")
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Leaks:
    """Looks at one reading that has been divided."""

    found: Examples
    offsets: Ints
    division: Division
    dividing: Dividing
    names: Sequence[str]
    problems: Problems
    made: bool = False
    """Whether a task has made the examples: that some are alike lies in its nature."""

    def tell(self) -> None:
        train = self.division.examples["train"]
        mixed = [np.isin(self.division.examples[part], train).any() for part in HELD_OUT]
        if any(mixed) or len(self.offsets) < 3:  # sequences that are cut: parts share them on purpose
            self._passages()
            return
        self._same_examples()
        self._same_groups()
        self._overlapping()
        self._passages()

    # --- examples

    def _same_examples(self) -> None:
        marks = fingerprints(self.found)
        if not len(marks):
            return
        train = self.division.examples["train"]
        known, first = np.unique(marks[train], return_index=True)
        told, shown = [], ""
        for part in HELD_OUT:
            own = self.division.examples[part]
            if not len(own):
                continue
            place = np.minimum(np.searchsorted(known, marks[own]), len(known) - 1)
            twice = known[place] == marks[own]
            if twice.any():
                told.append(_share(int(twice.sum()), len(own), part))
                at = int(np.argmax(twice))
                shown = shown or f"{self._name(int(own[at]))} is {self._name(int(train[first[place[at]]]))}"
        if not told:
            return
        what = f"{_listed(told)} read the same as one of the training part ({shown})"
        if self.made:
            self.problems.hint(f"{what}: there are few different ones")
            return
        if self.dividing.files():
            remedy = "Leave them out of one of the files."
        elif self.dividing.way == "group" and not self.dividing.split_column:
            remedy = ""
        else:
            remedy = "Set split to group, without a column: what reads the same then stays in one part."
        self.problems.warn(what, remedy=remedy)

    def _same_groups(self) -> None:
        for name, cells in self._keys().items():
            values, numbers = np.unique(np.asarray(cells, dtype=object).astype(str), return_inverse=True)
            numbers = numbers.reshape(-1)
            if name == self.dividing.split_column and self.dividing.way == "group":
                continue
            if not 1 < len(values) < len(numbers) or (values == "").all():
                continue
            known = np.unique(numbers[self.division.examples["train"]])
            told, shown = [], ""
            for part in HELD_OUT:
                own = numbers[self.division.examples[part]]
                shared = np.isin(own, known)
                if shared.any():
                    told.append(_share(int(shared.sum()), len(own), part))
                    shown = shown or quoted(str(values[own[int(np.argmax(shared))]]))
            if told:
                what = f"{_listed(told)} have a {name!r} that the training part has, too ({shown}, say)"
                remedy = f"Where new ones are to be met, set split to group and split_column to {name}."
                if self.dividing.files():
                    remedy = "Where new ones are to be met, move each into one file."
                self.problems.warn(what, column=repr(name), remedy=remedy)

    def _keys(self) -> dict[str, Sequence[str]]:
        found = dict(self.found.keys)
        starts, ends = self.offsets[:-1].tolist(), self.offsets[1:].tolist()
        for name, cells in self.found.row_keys.items():
            if all(
                cells[start:stop].count(cells[start]) == stop - start
                for start, stop in zip(starts, ends, strict=True)
                if stop > start
            ):
                found[name] = [cells[start] if stop > start else "" for start, stop in zip(starts, ends, strict=True)]
        return found

    def _overlapping(self) -> None:
        """Rows that somebody cut out of one series, each a step or a few on from the one before."""
        rows = self._windows()
        if rows is None:
            return
        step, follows = _step_of(rows)
        if not step:
            return
        width = rows.shape[1]
        reach = (width - 1) // step  # so many windows on, there is still a step in common
        source = np.concatenate(([0], np.cumsum(~follows)))
        is_train = np.zeros(len(rows), bool)
        is_train[self.division.examples["train"]] = True
        near = np.zeros(len(rows), bool)
        for away in range(1, reach + 1):
            same = source[away:] == source[:-away]
            near[away:] |= is_train[:-away] & same
            near[:-away] |= is_train[away:] & same
        told = []
        for part in HELD_OUT:
            own = self.division.examples[part]
            if near[own].any():
                told.append(_share(int(near[own].sum()), len(own), part))
        if told:
            in_order = self.dividing.way == "order"
            remedy = (
                "Those at the seam of two parts do so in any case; of others the score is true."
                if in_order
                else "Set split to order, or read the series itself, a row a step."
            )
            self.problems.warn(
                f"the examples are windows of one series, each {step} step{'s' * (step > 1)} on: "
                f"{_listed(told)} overlap with the training part",
                remedy=remedy,
            )

    def _windows(self) -> npt.NDArray[np.float64] | None:
        """[examples, steps] where every example is so many numbers."""
        inputs = [item for item in self.found.fields if isinstance(item, NumberField) and item.role != "target"]
        inputs = [item for item in inputs if item.name != "targets"]
        if len(inputs) != 1:
            return None
        lengths = np.diff(self.offsets)
        values = inputs[0].values
        if inputs[0].axis is None:
            return values if values.shape[1] > 3 else None
        if values.shape[1] != 1 or not len(lengths) or lengths.min() != lengths.max() or lengths[0] < 4:
            return None
        return values.reshape(len(lengths), -1)

    def _name(self, example: int) -> str:
        lines = self.found.lines
        if example < len(lines) and lines[example]:
            return f"line {lines[example]}"
        return self.names[example] or f"example {example + 1}"

    # --- stretches of a long text

    def _passages(self) -> None:
        text = next((item for item in self.found.fields if isinstance(item, TokenField) and item.axis), None)
        if text is None or not can_be_cut(self.found):
            return
        runs = {part: self.division.rows[part] for part in ("train", *HELD_OUT)}
        if any(len(own) > 1 for own in runs.values()) or not len(runs["train"]):
            return
        length = _STRETCH.get(self.found.unit, _OF_WORDS)
        low, high = runs["train"][0].tolist()
        scanned = max(low, high - SCANNED)
        told = []
        for part in HELD_OUT:
            if not len(runs[part]):
                continue
            first, end = runs[part][0].tolist()
            step = max(length, (end - first) // STRETCHES)
            marks = stretches(text.numbers[first : min(end, first + STRETCHES * step)], length, step)
            there = int(occurring(marks, text.numbers[scanned:high], length).sum())
            if there > max(1, _LEAST_SHARE * len(marks)):
                told.append(f"{there:,} of {len(marks):,} of the {TITLES[part]} part ({there / len(marks):.1%})")
        if told:
            of = f", in its last {SCANNED:,}" if scanned > low else ""
            self.problems.warn(
                f"stretches of {length} {self.found.unit} that stand in the training part, too{of}: {_listed(told)}",
                remedy="Take doubled passages out of the text, or hold out other files.",
            )


def _step_of(rows: npt.NDArray[Any]) -> tuple[int, Bools]:
    """By how many steps most rows follow on the row before, 0 = they do not; and which rows do, [rows - 1]."""
    few = rows[:_FEW]
    for step in range(1, min(rows.shape[1] // 2, 16) + 1):
        if len(few) > 3 and (few[:-1, step:] == few[1:, :-step]).all(axis=1).mean() < 0.25:
            continue
        follows: Bools = (rows[:-1, step:] == rows[1:, :-step]).all(axis=1)
        # A constant row follows on itself by any step.
        moving = np.ptp(rows[:-1], axis=1) > 0
        if len(follows) > 3 and (follows & moving).mean() > 0.5:
            return step, follows
    return 0, np.zeros(max(len(rows) - 1, 0), bool)


def _share(some: int, of: int, part: Part) -> str:
    return f"{some:,} of {of:,} {TITLES[part]} examples ({some / of:.1%})"


def _listed(told: Sequence[str]) -> str:
    return " and ".join(told)
