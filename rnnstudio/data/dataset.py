"""A file that has been read: its fields as arrays, cut in training, validation and test. Torch-free, unchanging.

An *example* is what a network reads at once: a text, a series, a sentence and its translation, a tree. Each example has
a length along every *axis* of the dataset (`time`; `source` and `target`; a `tree`; or none), and each field runs along
one of them, or has one value for each example. There is one way to store all of this: the rows of all examples lie end
to end in one array per field, and `axes` says for each axis where each example begins.

    axes["time"] = [0, 5, 8]            two examples of 5 and 3 steps
    tracks["inputs"].values             [8, features]
    tracks["label"].values              [2], axis None

A field with shift k is read k rows after the step it belongs to: at step t the model sees row t of "inputs" and should
say row t + k of "targets". One long text is one example; only there, and where several series run along one axis alone,
examples may be cut into windows (`cuttable`). Along further axes examples stay whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.dividing import dividing_of
from rnnstudio.data.files import FileFacts
from rnnstudio.data.in_blocks import blocks_of
from rnnstudio.data.problems import Problem
from rnnstudio.data.split import PARTS, TITLES, Division, Ints, Part, Spans
from rnnstudio.data.vocabulary import Vocabulary, vocabulary_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Track:
    """One field. values: [rows] token numbers or parents, or [rows, features] float32, scaled; shift: see the module.

    rows: those of `axis`, or one for each example where it is None. raw: numbers in the file's units, float64.
    """

    values: Array
    axis: str | None = "time"
    shift: int = 0
    raw: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Dataset:
    """What `rnnstudio.data.open` returns.

    recipe: completed (fields, vocabulary, scaling, digest, settled options).
    tracks: every field by name. axes: axis → [examples + 1], the first row of each example; the first axis is the main
        one, along which the parts are told and examples may be cut.
    names: of the examples; lines: the file's line of each row of the main axis, or none.
    steps: a label per row of the main axis (a year, a date), () without an order column.
    raw: unscaled columns for people, [rows, columns] float64, or None. columns: their names.
    problems: warnings (errors never leave a dataset behind).
    cut: it is of a file's beginning, for a first look.
    """

    recipe: DataRecipe
    tracks: Mapping[str, Track]
    axes: Mapping[str, Ints]
    names: tuple[str, ...]
    steps: Sequence[str]
    lines: Ints
    raw: npt.NDArray[np.float64] | None
    columns: tuple[str, ...]
    division: Division
    facts: FileFacts
    excerpt: str
    problems: tuple[Problem, ...] = ()
    cut: bool = False

    @property
    def fields(self) -> tuple[FieldSpec, ...]:
        return self.recipe.fields

    @property
    def axis(self) -> str | None:
        """The main axis; None where examples are vectors and classes only."""
        return next(iter(self.axes), None)

    @cached_property
    def offsets(self) -> Ints:
        """[examples + 1] along the main axis; without one, each example is one row."""
        main = self.axis
        return np.arange(len(self.names) + 1) if main is None else self.axes[main]

    @property
    def rows(self) -> int:
        """Rows (or tokens) of the main axis, all examples together."""
        return int(self.offsets[-1])

    @property
    def sequences(self) -> int:
        """How many examples there are."""
        return len(self.offsets) - 1

    @cached_property
    def long(self) -> bool:
        """Whether each part is a stretch of one long sequence: one file cut in three, or three files."""
        one_each = all(len(spans.sequence) <= 1 for spans in self.division.spans.values())
        return self.cuttable and (self.sequences == 1 or one_each)

    @property
    def divided(self) -> str:
        """How the parts are told apart, in words."""
        return dividing_of(self.recipe).told(self.recipe.split)

    @cached_property
    def statics(self) -> dict[str, Array]:
        """The values of the fields that have one row for each example."""
        return {name: track.values for name, track in self.tracks.items() if track.axis is None}

    @cached_property
    def targets(self) -> tuple[FieldSpec, ...]:
        """The fields to be predicted, those that the first loss is a mean over in front."""
        return tuple(spec for spec in self.fields if spec.role == "target")

    @cached_property
    def counted(self) -> str | None:
        """The axis whose rows a loss counts: that of the first target. None: a target is one for each example."""
        return self.targets[0].axis if self.targets else self.axis

    @cached_property
    def cuttable(self) -> bool:
        """Whether examples may be cut into windows: they run along one axis alone, no tree, and so do the targets."""
        flat = all(spec.content != "parents" for spec in self.fields)
        return flat and len(self.axes) == 1 and all(spec.axis is not None for spec in self.targets)

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        """Of the first token field; None for a table of numbers."""
        spec = next((spec for spec in self.fields if spec.content == "tokens"), None)
        return None if spec is None else vocabulary_of(self.recipe, spec.name)

    def split(self, part: Part) -> Split:
        """Raises StudioError for a name that is not train, validation or test."""
        if part not in PARTS:
            raise StudioError(
                f"there is no data part {part!r}", where=self.recipe.path, remedy=f"Parts: {', '.join(PARTS)}."
            )
        return Split(self, part)

    def lengths(self, axis: str) -> Ints:
        """[examples]: how long each is along an axis."""
        return np.diff(self.axes[axis])

    def example(self, index: int) -> dict[str, Array]:
        """All of one example: each field's rows, without shift."""
        return {name: track.values[self.rows_of(name, index)] for name, track in self.tracks.items()}

    def rows_of(self, field: str, index: int) -> slice | int:
        """Where a field holds example `index`: a slice of rows, or its one row."""
        axis = self.tracks[field].axis
        if axis is None:
            return index
        return slice(int(self.axes[axis][index]), int(self.axes[axis][index + 1]))

    def values_of(self, part: Part, field: str) -> Array:
        """All rows of a field that a part predicts, end to end, in the order of its examples."""
        split = self.split(part)
        found = [split.sequence(index)[field] for index in range(len(split))]
        if self.tracks[field].axis is None:
            return self.tracks[field].values[split.spans.sequence]
        return np.concatenate(found) if found else self.tracks[field].values[:0]

    def unscale(self, field: str, values: Array) -> Array:
        """Model units back to the file's: values × std + mean, features last. Token fields come back unchanged."""
        spec = self.recipe.field(field)
        return np.asarray(values) * np.array(spec.std) + np.array(spec.mean) if spec.std else np.asarray(values)

    def scale(self, field: str, values: Array) -> Array:
        """The file's units to the model's, float32, features last."""
        spec = self.recipe.field(field)
        return scaled(np.asarray(values, np.float64), spec) if spec.std else np.asarray(values)

    def as_in_file(self, features: Mapping[str, Collection[int]]) -> Dataset:
        """The same data with these features of each field left as the file has them; itself when they are already."""
        specs = {spec.name: spec.as_in_file(features.get(spec.name, ())) for spec in self.fields}
        changed = {spec.name: specs[spec.name] for spec in self.fields if specs[spec.name] is not spec}
        if not changed:
            return self
        tracks = dict(self.tracks)
        for name, spec in changed.items():
            track = tracks[name]
            if spec.shift_of in changed and not spec.missing:
                tracks[name] = replace(tracks[spec.shift_of], shift=track.shift)  # the very same rows, read later
            elif track.raw is not None:
                tracks[name] = replace(track, values=scaled(track.raw, spec))
        recipe = self.recipe.replace(fields=tuple(specs.values()))
        return replace(self, recipe=recipe, tracks=tracks)

    def summary(self) -> str:
        """One line for people: how much there is, and how it is divided."""
        if self.long and self.raw is None and (vocabulary := self.vocabulary) is not None:
            much = f"{self.rows:,} {vocabulary.level}, {len(vocabulary):,} different"
        elif len(self.axes) > 1 or (self.axis is not None and self.axis != "time"):
            runs = (f"{axis} {_span(self.lengths(axis))}" for axis in self.axes)
            much = f"{self.sequences:,} examples: {', '.join(runs)} long"
        elif self.axis is None:
            much = f"{self.sequences:,} examples"
        elif self.sequences > 1:
            much = f"{self.sequences:,} sequences of {_span(self.lengths(self.axis))} steps"
        else:
            much = f"{self.rows:,} steps"
        for spec in self.fields:
            much += f"; {spec.name}: {class_counts(spec)}" if spec.counts else ""
        encoding = self.recipe.options.get("encoding", "utf-8")
        much += f"; read as {encoding}" if encoding != "utf-8" else ""
        parts = ", ".join(f"{TITLES[part]} {self.split(part).steps:,}" for part in PARTS if self.split(part).steps)
        return f"{much}; predicted {'sequences' if self.counted is None else 'steps'}: {parts}"


def _span(lengths: Ints) -> str:
    least, most = lengths.min(), lengths.max()
    return f"{least:,} to {most:,}" if least != most else f"{least:,}"


def class_counts(spec: FieldSpec, most: int = 6) -> str:
    """The classes of a label field for people, the most frequent first, with their counts in the training part."""
    order = sorted(range(spec.size), key=lambda place: -spec.counts[place])
    named = ", ".join(f"{spec.vocabulary[place]} {spec.counts[place]:,}" for place in order[:most])
    return f"{spec.size} classes ({named}{', …' if spec.size > most else ''})"


@dataclass(frozen=True)
class Split:
    """One part of a dataset: some examples, each with one run of predicted steps of the main axis."""

    dataset: Dataset
    part: Part

    @property
    def spans(self) -> Spans:
        return self.dataset.division.spans[self.part]

    @cached_property
    def steps(self) -> int:
        """How many steps (tokens) this part predicts; an evaluation counts each exactly once.

        Where each example has one target, how many examples.
        """
        counted = self.dataset.counted
        if counted is None:
            return len(self)
        if counted == self.dataset.axis:
            return self.spans.steps
        return int(self.dataset.lengths(counted)[self.spans.sequence].sum())

    def __len__(self) -> int:
        return len(self.spans.sequence)

    def sequence(self, index: int) -> dict[str, Array]:
        """The fields of one run: [steps] or [steps, features]; fields without an axis are one row."""
        dataset = self.dataset
        example = int(self.spans.sequence[index])
        first, end = int(self.spans.first[index]), int(self.spans.end[index])
        return {
            name: track.values[first + track.shift : end + track.shift]
            if track.axis is not None and track.axis == dataset.axis
            else track.values[dataset.rows_of(name, example)]
            for name, track in dataset.tracks.items()
        }

    def labels(self, index: int) -> tuple[str, ...]:
        """The label of each predicted row of one run (its year, its date), or () when there is no order column."""
        if not self.dataset.steps:
            return ()
        shift = max(track.shift for track in self.dataset.tracks.values())
        first, end = int(self.spans.first[index]), int(self.spans.end[index])
        return tuple(self.dataset.steps[first + shift : end + shift])

    def name(self, index: int) -> str:
        """The name of the example of one run: its group, or its line of the file."""
        return self.dataset.names[int(self.spans.sequence[index])]


def scaled(values: npt.NDArray[Any], spec: FieldSpec) -> npt.NDArray[np.float32]:
    """(values - mean) / std, in float64 and then stored as float32: large offsets cost no digits.

    Raises StudioError, with the column, for a number that float32 does not hold.
    """
    mean, std = np.array(spec.mean), np.array(spec.std)
    found = np.empty(values.shape, np.float32)
    for block in blocks_of(values) if values.ndim > 1 else (slice(None),):
        exact = (values[block] - mean) / std
        beyond = np.abs(exact) > np.finfo(np.float32).max
        if beyond.any():
            place = np.argwhere(beyond)[0]
            column = f", column {spec.columns[place[-1]]!r}" if spec.columns else ""
            raise StudioError(
                f"the number {values[block][tuple(place)]:g} is larger than single precision holds (about 3e38)",
                where=f"field {spec.name!r}{column}, row {(block.start or 0) + place[0] + 1:,} of its values",
                remedy="Correct it, or choose a scaling for the inputs.",
            )
        found[block] = exact
    return found
