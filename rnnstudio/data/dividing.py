"""How examples are dealt to training, validation and test: what can be chosen, what is usual, and the dealing.

The same for every reader. Which example goes where depends on the examples, the fractions and `split_seed` alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnnstudio.data import options as data_options
from rnnstudio.data.examples import Examples, NumberField, TokenField, TreeField
from rnnstudio.data.options import option
from rnnstudio.data.problems import listed, quoted
from rnnstudio.data.split import (
    PARTS,
    TITLES,
    Division,
    Ints,
    Part,
    Run,
    along_time,
    boundaries,
    division_of,
    permuted,
    whole,
)
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import JSON, TARGET_NAMES, DataRecipe

MANY_SEQUENCES = 20
"""From so many sequences on, whole ones are dealt to the parts unless the recipe says otherwise."""

RARE = 5
"""A class of which a part would get fewer than so many examples by chance is dealt out by count."""

_MOST_CLASSES = 200

WAYS: Mapping[str, str] = {
    "time": "each sequence cut along time",
    "order": "whole examples in the order of the file",
    "random": "whole examples at random",
    "stratified": "whole examples at random, every class alike in all parts",
    "group": "whole groups at random",
    "column": "as a column says",
}
"""Each way to divide, in words."""

PART_WORDS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training", "tr", "learn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development", "eval"), "validation"),
    **dict.fromkeys(("test", "testing", "heldout", "held-out"), "test"),
}
"""What a column that names the parts calls them."""


@dataclass(frozen=True)
class Dividing:
    """How a file is divided; kept in a recipe beside the fractions."""

    split: str = option(
        "auto",
        "how parts are told apart: along time, whole examples in order, at random, classes alike (stratified), "
        "groups kept together, or as a column says; automatic: what is usual for the data",
        choices=("auto", *WAYS),
    )
    split_column: str = option(
        "",
        "the column (or field) of classes, of groups, or of the words train, validation and test; "
        "none: the class that is predicted, and as a group what is read",
        title="split by column",
        columns=True,
        when="split=stratified|group|column",
    )
    split_seed: int = option(
        0,
        "another number deals other examples",
        title="seed of the split",
        minimum=0,
        when="split=auto|random|stratified|group",
    )
    validation_file: str = option(
        "", "a file of its own for validation, read in the same way", title="validation file", file=True
    )
    test_file: str = option("", "a file of its own for the test, read in the same way", title="test file", file=True)
    settled: str = option("", "what automatic came to", learned=True)

    @property
    def way(self) -> str:
        """As chosen, or what was settled; "auto": not yet."""
        return self.settled or "auto" if self.split == "auto" else self.split

    def files(self) -> dict[Part, str]:
        """The parts that have a file of their own."""
        named: tuple[tuple[Part, str], ...] = (("validation", self.validation_file), ("test", self.test_file))
        return {part: path for part, path in named if path}

    def told(self, fractions: tuple[float, float, float]) -> str:
        """In words, with the shares of what is divided."""
        own = self.files()
        shares = _shares(fractions, own)
        files = "; ".join(f"{TITLES[part]} from {Path(path).name}" for part, path in own.items())
        if not any(shares[1:]):
            return files or "all of it for training"
        by = f" “{self.split_column}”" if self.split_column and self.way in ("stratified", "group", "column") else ""
        said = "/".join(f"{share:.0%}".removesuffix("%") for share in shares)
        sizes = "" if self.way == "column" else f", {said} %"
        return "; ".join(part for part in (f"{WAYS.get(self.way, self.way)}{by}{sizes}", files) if part)


def dividing_of(recipe: DataRecipe) -> Dividing:
    """The recipe's. Raises StudioError for what is no option or no choice."""
    made: Dividing = data_options.parse(Dividing, recipe.dividing)
    return made


def kept(dividing: Dividing) -> dict[str, JSON]:
    """For a recipe: without what is as usual."""
    usual, written = data_options.to_json(Dividing()), data_options.to_json(dividing)
    return {name: value for name, value in written.items() if value != usual.get(name)}


FRACTIONS = "fractions"
"""What the three shares are called where options are named."""


def chosen_of(recipe: DataRecipe, typed: Mapping[str, JSON]) -> tuple[DataRecipe, dict[str, JSON]]:
    """The recipe with those of the options that say how it is divided, and the rest: they are its reader's.

    Whatever is chosen, what was settled before need not hold any more. Raises StudioError for fractions that are none.
    """
    names = {item.name for item in data_options.describe(Dividing) if not item.learned}
    own = data_options.as_meant(Dividing, {name: value for name, value in typed.items() if name in names})
    others = {name: value for name, value in typed.items() if name not in names and name != FRACTIONS}
    if typed:
        before = {name: value for name, value in recipe.dividing.items() if name != "settled"}
        recipe = recipe.replace(dividing={**before, **own})
    if FRACTIONS in typed:
        recipe = recipe.replace(split=_fractions(typed[FRACTIONS]))
    return recipe, others


def _fractions(value: JSON) -> tuple[float, float, float]:
    parts = value.replace("/", ",").split(",") if isinstance(value, str) else value
    try:
        found = [float(str(part)) for part in parts] if isinstance(parts, list) else []
    except ValueError:
        found = []
    if len(found) == 3 and sum(found) > 1.5:  # in per cent
        found = [share / 100 for share in found]
    if len(found) != 3:
        raise StudioError(
            f"{quoted(str(value))} is not three shares",
            where=f"option {FRACTIONS}",
            remedy="Write those of training, validation and test, such as 0.8,0.1,0.1.",
        )
    return found[0], found[1], found[2]


def _shares(fractions: tuple[float, float, float], files: Mapping[Part, str]) -> tuple[float, float, float]:
    """Of the first file: a part with a file of its own gets none of it; beside a validation file it is all learned."""
    train, validation, test = fractions
    if "validation" in files:
        return 1.0, 0.0, 0.0
    if "test" in files:
        return train / (train + validation), validation / (train + validation), 0.0
    return train, validation, test


def wanted(recipe: DataRecipe) -> tuple[float, float, float]:
    """The share of each part that must not be empty, 0 where it may be; 1: it has a file of its own."""
    dividing = dividing_of(recipe)
    files = dividing.files()
    if dividing.way == "column" and not files:
        return 1.0, 0.0, 0.0
    train, validation, test = _shares(recipe.split, files)
    return train, 1.0 if "validation" in files else validation, 1.0 if "test" in files else test


@dataclass(frozen=True)
class TrainingPart:
    """Which texts a reader may learn from before they are in pieces, and how much of each: byte pairs, say."""

    recipe: DataRecipe

    def of(self, number: int) -> list[tuple[int, float]]:
        """Of so many texts: the place of each that is learned from, and the share of it, from its beginning.

        Raises StudioError where only the pieces tell.
        """
        dividing = dividing_of(self.recipe)
        shares = _shares(self.recipe.split, dividing.files())
        way = dividing.way
        if way == "auto":
            way = "random" if number >= MANY_SEQUENCES else "time"
        if way == "time":
            return [(place, shares[0]) for place in range(number)]
        if way not in ("order", "random"):
            raise StudioError(
                f"byte pairs are learned before it is known how “{way}” divides the texts",
                where="option split",
                remedy='Set it to "time", "order" or "random".',
            )
        order = permuted(number, dividing.split_seed) if way == "random" else np.arange(number)
        return [(place, 1.0) for place in np.sort(_cut(order, shares)["train"]).tolist()]


def divide(found: Examples, offsets: Ints, shift: int, recipe: DataRecipe) -> tuple[Division, Dividing]:
    """The parts, and how they were told apart, settled. offsets: [examples + 1] along the main axis.

    Raises StudioError where the examples cannot be divided so.
    """
    dividing = dividing_of(recipe)
    number = len(offsets) - 1
    source = np.zeros(number, np.int64) if found.sources is None else found.sources
    runs: list[Run] = []
    for part in dividing.files():
        runs += whole(offsets, {part: np.flatnonzero(source == PARTS.index(part))})
    mine = np.flatnonzero(source == 0)
    shares = _shares(recipe.split, dividing.files())
    way = dividing.way
    if way == "auto":
        way = _usual(found, mine, number, shares, new=not (recipe.fields and recipe.digest))
    if way == "time" and not can_be_cut(found):
        one = any(isinstance(item, TokenField | NumberField) and _whole_target(item) for item in found.fields)
        kind = "sequences with one target each" if one else "examples of this kind"
        raise StudioError(
            f"{kind} cannot be cut along time", where="option split", remedy='Set it to "order", "random" or "auto".'
        )
    dealer = _Dealer(found, offsets, mine, shares, dividing)
    runs += dealer.runs(way)
    settled = "" if dividing.split != "auto" else way
    return division_of(runs, offsets, shift), data_options.parse(Dividing, {**kept(dividing), "settled": settled})


def can_be_cut(found: Examples) -> bool:
    """Whether a sequence may be cut in three: it runs along one axis, no tree, and so do its targets."""
    fields = [item for item in found.fields if isinstance(item, TokenField | NumberField)]
    flat = not any(isinstance(item, TreeField) for item in found.fields)
    return flat and len(found.axes()) == 1 and not any(map(_whole_target, fields))


def _is_target(item: TokenField | NumberField) -> bool:
    return item.role == "target" or (not item.role and item.name in TARGET_NAMES)


def _whole_target(item: TokenField | NumberField) -> bool:
    return item.axis is None and _is_target(item)


def _usual(found: Examples, mine: Ints, number: int, shares: tuple[float, float, float], *, new: bool) -> str:
    """What people do with such data. new: nothing was learned of it before, by a version that knew fewer ways."""
    if can_be_cut(found) and found.split_by != "sequence":
        if found.split_by == "time" or number < MANY_SEQUENCES:
            return "time"
        return "random"
    classes = classes_of(found) if new else None
    if classes is not None and _are_rare(classes[mine], shares):
        return "stratified"
    return "random"


def _are_rare(classes: Ints, shares: tuple[float, float, float]) -> bool:
    counts = np.bincount(classes)
    counts = counts[counts > 0]
    least = min((share for share in shares[1:] if share > 0), default=0.0)
    return 1 < len(counts) <= _MOST_CLASSES and 0 < counts.min() * least < RARE


def classes_of(found: Examples, name: str = "") -> Ints | None:
    """[examples]: the number of the class of each, of a field without an axis; None where there is no such field.

    name: of the field, "" = the first class that is predicted. Numbers of few values count as classes.
    """
    for item in found.fields:
        wanted = item.name == name if name else isinstance(item, TokenField | NumberField) and _whole_target(item)
        if not wanted or not isinstance(item, TokenField | NumberField) or item.axis is not None:
            continue
        if isinstance(item, TokenField):
            return np.asarray(item.numbers, np.int64)
        values, classes = np.unique(item.values, axis=0, return_inverse=True)
        if len(values) <= min(_MOST_CLASSES, len(item.values) // 2):
            return np.asarray(classes, np.int64).reshape(-1)
    return None


class _Dealer:
    """Deals the examples `mine` of one reading."""

    def __init__(
        self, found: Examples, offsets: Ints, mine: Ints, shares: tuple[float, float, float], dividing: Dividing
    ) -> None:
        self.found = found
        self.offsets = offsets
        self.mine = mine
        self.shares = shares
        self.dividing = dividing

    def runs(self, way: str) -> list[Run]:
        if way == "time":
            return along_time(self.offsets, self.shares, self.mine)
        if way == "column":
            return self._by_column()
        deal = {"order": self._in_order, "random": self._at_random, "stratified": self._stratified}
        return whole(self.offsets, deal.get(way, self._grouped)())

    def _in_order(self) -> dict[Part, Ints]:
        return _cut(self.mine, self.shares)

    def _at_random(self) -> dict[Part, Ints]:
        return _cut(self.mine[permuted(len(self.mine), self.dividing.split_seed)], self.shares)

    def _stratified(self) -> dict[Part, Ints]:
        """Of each class in random order the first to training; each part's count of all classes so far is right."""
        column = self.dividing.split_column
        classes = self._column(column) if column else classes_of(self.found)
        if classes is None:
            raise StudioError(
                "there is no class of which every part could have alike",
                where="option split_column",
                remedy=f"Name a column or field of classes. {self._known()}",
            )
        classes = classes[self.mine]
        order = permuted(len(self.mine), self.dividing.split_seed)
        places = order[np.argsort(classes[order], kind="stable")]
        sizes = np.bincount(classes[places])
        dealt: dict[Part, list[int]] = {part: [] for part in PARTS}
        seen = 0
        for members in np.split(self.mine[places], np.cumsum(sizes[sizes > 0])[:-1]):
            left = members.tolist()
            seen += len(left)
            for part, share in zip(PARTS[1:], self.shares[1:], strict=True):
                wanted = round(share * seen) - len(dealt[part])
                taken = max(min(wanted, len(left) - 1), 0)  # a class is learned before it is asked for
                dealt[part] += left[len(left) - taken :]
                left = left[: len(left) - taken]
            dealt["train"] += left
        return {part: np.array(examples, np.int64) for part, examples in dealt.items()}

    def _grouped(self) -> dict[Part, Ints]:
        """Groups in random order, the large ones first, each to the part that lacks most of its share."""
        column = self.dividing.split_column
        groups = self._column(column)[self.mine] if column else self._same_inputs()
        number = int(groups.max(initial=-1)) + 1
        sizes = np.bincount(groups, minlength=number)
        order = permuted(number, self.dividing.split_seed)
        order = order[np.argsort(-sizes[order], kind="stable")]
        total, got = len(self.mine), dict.fromkeys(PARTS, 0)
        part_of = np.zeros(number, np.int64)
        for group in order.tolist():
            lacks = {
                part: (share * total - got[part]) / (share * total)
                for part, share in zip(PARTS, self.shares, strict=True)
                if share > 0
            }
            part = max(lacks, key=lambda one: lacks[one])
            part_of[group] = PARTS.index(part)
            got[part] += int(sizes[group])
        for part, share in zip(PARTS, self.shares, strict=True):
            if share > 0 and not got[part]:
                raise StudioError(
                    f"{int((sizes > 0).sum())} groups are too few: none is left for the {TITLES[part]} part",
                    where="option split_column",
                    remedy=f"Split otherwise, or set the {TITLES[part]} share to 0.",
                )
        return {part: self.mine[part_of[groups] == place] for place, part in enumerate(PARTS)}

    def _by_column(self) -> list[Run]:
        column = self.dividing.split_column
        rows = self.found.row_keys.get(column)
        cells = self.found.keys.get(column) if rows is None else rows
        if not column or cells is None:
            what = f"there is no column {column!r} that could say" if column else "it is not said which column says"
            raise StudioError(f"{what} to which part a row belongs", where="option split_column", remedy=self._known())
        lines = self.found.row_lines if rows is not None else np.asarray(self.found.lines, np.int64)
        parts = np.array([self._part(cell, place, lines) for place, cell in enumerate(cells)], np.int64)
        if rows is None:
            return whole(self.offsets, {p: self.mine[parts[self.mine] == n] for n, p in enumerate(PARTS)})
        runs: list[Run] = []
        cuttable = can_be_cut(self.found)
        for example in self.mine.tolist():
            start, stop = int(self.offsets[example]), int(self.offsets[example + 1])
            edges = [start, *(np.flatnonzero(np.diff(parts[start:stop])) + start + 1).tolist(), stop]
            if len(edges) > 2 and not cuttable:
                raise StudioError(
                    f"the example {self._name(example)} belongs to several parts, and it cannot be cut",
                    where=f"column {column!r}",
                    remedy="Give all its rows the same part.",
                )
            for low, high in itertools.pairwise(edges):
                if high > low:
                    runs.append((PARTS[int(parts[low])], example, low, high))
        return runs

    def _part(self, cell: str, place: int, lines: Ints | None) -> int:
        part = PART_WORDS.get(cell.strip().lower())
        if part is None:
            line = f", line {int(lines[place])}" if lines is not None and place < len(lines) else ""
            raise StudioError(
                f"{quoted(cell)} names no part",
                where=f"column {self.dividing.split_column!r}{line}",
                remedy="Write train, validation or test in each row.",
            )
        return PARTS.index(part)

    def _name(self, example: int) -> str:
        return repr(self.found.names[example]) if self.found.names else str(example + 1)

    def _column(self, name: str) -> Ints:
        """[examples]: the number of each example's cell in a column, or of its class in a field."""
        own = classes_of(self.found, name)
        if own is not None:
            return own
        cells: Sequence[str] | None = self.found.keys.get(name)
        if cells is None and name in self.found.row_keys:
            cells = self._of_examples(name, self.found.row_keys[name])
        if cells is None:
            raise StudioError(
                f"there is no column {name!r} to split by", where="option split_column", remedy=self._known()
            )
        return np.unique(np.asarray(cells, dtype=object).astype(str), return_inverse=True)[1].reshape(-1)

    def _of_examples(self, name: str, rows: Sequence[str]) -> list[str]:
        found = []
        for example, (start, stop) in enumerate(
            zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)
        ):
            own = rows[start:stop]
            if len(set(own)) > 1:
                raise StudioError(
                    f"the example {self._name(example)} has several values: {listed(dict.fromkeys(own), 3)}",
                    where=f"column {name!r}",
                    remedy="Split by a column that is the same in all rows of an example.",
                )
            found.append(own[0] if own else "")
        return found

    def _same_inputs(self) -> Ints:
        """[of mine]: the same number for examples that read the same."""
        from rnnstudio.data.likeness import fingerprints

        marks = fingerprints(self.found)[self.mine]
        return np.unique(marks, return_inverse=True)[1].reshape(-1)

    def _known(self) -> str:
        fields = [item.name for item in self.found.fields if isinstance(item, TokenField) and item.axis is None]
        names = dict.fromkeys((*self.found.keys, *self.found.row_keys, *fields))
        return f"Columns and fields that can be named: {listed(names)}."


def _cut(order: Ints, shares: tuple[float, float, float]) -> dict[Part, Ints]:
    one, two = boundaries(len(order), shares)
    return {"train": order[:one], "validation": order[one:two], "test": order[two:]}
