"""A file that has been read: its fields as arrays, cut in training, validation and test. Torch-free, and never changes.

All sequences lie end to end in one array per field; `offsets` says where each begins. A field with shift k is read k
rows after the step it belongs to: at step t the model sees row t of "inputs" and should say row t + k of "targets".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.files import FileFacts
from rnnstudio.data.problems import Problem
from rnnstudio.data.split import PARTS, TITLES, Division, Ints, Part, Spans
from rnnstudio.data.vocabulary import Vocabulary, vocabulary_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Track:
    """One field along time. values: [rows] token numbers or [rows, features] float32, scaled; shift: see the module."""

    values: Array
    shift: int


@dataclass(frozen=True)
class Dataset:
    """What `rnnstudio.data.open` returns.

    recipe: completed (fields, vocabulary, scaling, digest, settled options).
    tracks: the fields along time; statics: the fields with one value per sequence, [sequences, features].
    offsets: [sequences + 1]; names: of the sequences; lines: the file's line of each row (tables only).
    steps: a label per row (a year, a date), () without an order column.
    raw: the unscaled columns, [rows, columns] float64, None for text. columns: their names.
    problems: warnings (errors never leave a dataset behind). raw_statics: `statics` in the file's units.
    """

    recipe: DataRecipe
    tracks: Mapping[str, Track]
    statics: Mapping[str, Array]
    offsets: Ints
    names: tuple[str, ...]
    steps: tuple[str, ...]
    lines: Ints
    raw: npt.NDArray[np.float64] | None
    columns: tuple[str, ...]
    division: Division
    facts: FileFacts
    excerpt: str
    problems: tuple[Problem, ...] = ()
    raw_statics: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[FieldSpec, ...]:
        return self.recipe.fields

    @property
    def rows(self) -> int:
        """Rows (or tokens) in the file, all sequences together."""
        return int(self.offsets[-1])

    @property
    def sequences(self) -> int:
        return len(self.offsets) - 1

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
        tracks, statics = dict(self.tracks), dict(self.statics)
        for name, spec in changed.items():
            if name in self.raw_statics:
                statics[name] = scaled(self.raw_statics[name], spec)
                continue
            assert self.raw is not None, "a scaled field has its columns"
            source = tracks.get(spec.shift_of)
            if source is not None and changed.get(spec.shift_of):
                values = source.values  # the very same column, read later
            else:
                values = scaled(self.raw[:, [self.columns.index(column) for column in spec.columns]], spec)
            tracks[name] = Track(values, self.tracks[name].shift)
        recipe = self.recipe.replace(fields=tuple(specs.values()))
        return replace(self, recipe=recipe, tracks=tracks, statics=statics)

    def summary(self) -> str:
        """One line for people: how much there is, and how it is divided."""
        if self.recipe.reader == "text":
            vocabulary = self.vocabulary
            level = vocabulary.level if vocabulary else "tokens"
            different = len(vocabulary) if vocabulary else 0
            much = f"{self.rows:,} {level}, {different:,} different"
        elif self.sequences > 1:
            lengths = np.diff(self.offsets)
            much = f"{self.sequences:,} sequences of {lengths.min():,} to {lengths.max():,} steps"
        else:
            much = f"{self.rows:,} steps"
        parts = ", ".join(f"{TITLES[part]} {self.split(part).steps:,}" for part in PARTS if self.split(part).steps)
        return f"{much}; predicted {'sequences' if self.statics else 'steps'}: {parts}"


@dataclass(frozen=True)
class Split:
    """One part of a dataset: some sequences, each with one run of predicted steps."""

    dataset: Dataset
    part: Part

    @property
    def spans(self) -> Spans:
        return self.dataset.division.spans[self.part]

    @property
    def steps(self) -> int:
        """How many steps (tokens) this part predicts; an evaluation counts each exactly once.

        Where each sequence has one target, how many sequences.
        """
        return len(self) if self.dataset.statics else self.spans.steps

    def __len__(self) -> int:
        return len(self.spans.sequence)

    def sequence(self, index: int) -> dict[str, Array]:
        """The fields of one run: [steps] or [steps, features]; fields without an axis are [features]."""
        spans = self.spans
        first, end = int(spans.first[index]), int(spans.end[index])
        found: dict[str, Array] = {
            name: track.values[first + track.shift : end + track.shift] for name, track in self.dataset.tracks.items()
        }
        for name, values in self.dataset.statics.items():
            found[name] = values[int(spans.sequence[index])]
        return found

    def labels(self, index: int) -> tuple[str, ...]:
        """The label of each predicted row of one run (its year, its date), or () when there is no order column."""
        if not self.dataset.steps:
            return ()
        shift = max(track.shift for track in self.dataset.tracks.values())
        first, end = int(self.spans.first[index]), int(self.spans.end[index])
        return self.dataset.steps[first + shift : end + shift]

    def name(self, index: int) -> str:
        """The name of the sequence of one run: its group, or its line of the file."""
        return self.dataset.names[int(self.spans.sequence[index])]


def scaled(values: npt.NDArray[np.float64], spec: FieldSpec) -> npt.NDArray[np.float32]:
    """(values - mean) / std, in float64 and then stored as float32: large offsets cost no digits."""
    return np.ascontiguousarray((values - np.array(spec.mean)) / np.array(spec.std), dtype=np.float32)
