"""From what a reader found to a dataset: parts, vocabularies, scaling, class counts. The same for every reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data import options as data_options
from rnnstudio.data.dataset import Array, Dataset, Track, scaled
from rnnstudio.data.dividing import divide, kept, wanted
from rnnstudio.data.examples import Examples, LaterField, NumberField, Scaling, TokenField, TreeField
from rnnstudio.data.files import FileFacts
from rnnstudio.data.filling import filled, means, missing_in
from rnnstudio.data.inherited import Inherited
from rnnstudio.data.leaks import Leaks
from rnnstudio.data.learning import counts_of_runs, learn, mask_of, renumber, statistics
from rnnstudio.data.problems import Problems
from rnnstudio.data.split import Division, Ints, require_steps
from rnnstudio.data.vocabulary import UNKNOWN, IntArray
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import JSON, TARGET_NAMES, DataRecipe, FieldSpec

EXCERPT = 2000


def dataset_of(
    recipe: DataRecipe,
    found: Examples,
    facts: FileFacts,
    problems: Problems,
    fit: bool,
    inherited: Inherited | None = None,
) -> Dataset:
    """Divide the examples, learn from the training part (fit) or take what the recipe learned, and number and scale.

    inherited: what is taken over from a trained model when something is learned.
    Raises StudioError where there is too little to train on, or what the recipe learned does not fit.
    """
    axes = found.axes()
    _refuse_shared(found, recipe.path)
    found, axes = _without_empty(found, axes, problems)
    main = next(iter(axes), None)
    counts = {len(offsets) - 1 for offsets in axes.values()} or {len(_values(found.fields[0]))}
    number = counts.pop()
    offsets = np.arange(number + 1) if main is None else axes[main]
    names = tuple(found.names) or (tuple(f"example {i + 1}" for i in range(number)) if number > 1 else ("",))
    shift = max((getattr(item, "shift", 0) for item in found.fields), default=0)
    division, dividing = divide(found, offsets, shift, recipe)
    warn_of_short(offsets, shift, names, problems)
    if not problems.errors:
        whole = dividing.way not in ("time", "column")
        unit = ("examples" if main is None else f"sequences ({int(offsets[-1]):,} steps)") if whole else found.unit
        amount = number if whole else int(offsets[-1])
        require_steps(division, wanted(recipe), amount, unit, shift, recipe.path)
    Leaks(found, offsets, division, dividing, names, problems, recipe.made).tell()
    maker = _Maker(recipe, found, axes, division, problems, fit, inherited)
    specs, tracks = maker.make()
    options = found.options
    lines = found.row_lines
    if lines is None:
        lines = np.repeat(np.asarray(found.lines, np.int64), np.diff(offsets)) if len(found.lines) else _NONE
    made = Dataset(
        recipe=recipe.replace(
            options=recipe.options if options is None else {**_of_file(recipe), **data_options.to_json(options)},
            fields=specs,
            digest=facts.digest,
            dividing=kept(dividing),
        ),
        tracks=tracks,
        axes=axes,
        names=names,
        steps=found.steps,
        lines=lines,
        raw=found.raw,
        columns=found.columns,
        division=division,
        facts=facts,
        excerpt=found.excerpt[:EXCERPT],
    )
    return replace(made, recipe=made.recipe.replace(long=made.long))


def _of_file(recipe: DataRecipe) -> dict[str, JSON]:
    """The options that are no reader's."""
    return {name: value for name, value in recipe.options.items() if name in data_options.FILE_OPTIONS}


_NONE: Ints = np.zeros(0, np.int64)


def _values(item: Any) -> Array:
    return item.numbers if isinstance(item, TokenField) else item.values


def _targets_without_axis(found: Examples) -> bool:
    one = (item for item in found.fields if isinstance(item, TokenField | NumberField) and item.axis is None)
    return any(map(_is_target, one))


def _is_target(item: TokenField | NumberField) -> bool:
    return item.role == "target" or (not item.role and item.name in TARGET_NAMES)


def _refuse_shared(found: Examples, shown: str) -> None:
    """Raises StudioError for a column of numbers that is an input and, of the same step, a target."""
    numbers = [item for item in found.fields if isinstance(item, NumberField)]
    for target in (item for item in numbers if _is_target(item) and not item.shift):
        for item in numbers:
            if not _is_target(item) and item.axis == target.axis and not item.shift:
                shared = [column for column in target.columns if column in item.columns]
                if shared:
                    raise StudioError(
                        f"the column {shared[0]!r} is an input and, at horizon 0, its own target: "
                        "there is nothing to predict",
                        where=shown,
                        remedy="Predict a later step, or take the column out of the inputs.",
                    )
    for later in (item for item in found.fields if isinstance(item, LaterField) and item.shift < 1):
        raise StudioError(
            f"the field {later.name!r} is {later.of!r} at the same step: there is nothing to predict", where=shown
        )


def _without_empty(found: Examples, axes: dict[str, Ints], problems: Problems) -> tuple[Examples, dict[str, Ints]]:
    """Without the examples that have nothing along an axis, where examples stay whole; they are named."""
    if len(axes) < 2 and not _targets_without_axis(found):
        return found, axes
    kept = np.ones(len(next(iter(axes.values()))) - 1 if axes else 0, bool)
    for axis, offsets in axes.items():
        empty = np.diff(offsets) == 0
        if empty.any():
            line = int(found.lines[int(np.argmax(empty))]) if len(found.lines) else 0
            problems.warn(f"{int(empty.sum())} examples have nothing along {axis!r} and are left out", line=line)
            kept &= ~empty
    if axes and not kept.any():
        problems.raise_first()
        raise StudioError("no example has something along every axis", where=problems.shown)
    if kept.all():
        return found, axes
    found = found.only(kept)
    return found, found.axes()


def warn_of_short(offsets: Ints, shift: int, names: tuple[str, ...], problems: Problems) -> None:
    """Sequences that are no longer than the horizon are named: they predict nothing."""
    short = np.flatnonzero(np.diff(offsets) <= shift)
    if len(short) and len(names) > 1:
        listed = ", ".join(repr(names[place]) for place in short[:5].tolist()) + (", …" if len(short) > 5 else "")
        problems.warn(f"{len(short)} sequences are not longer than the horizon {shift} and predict nothing: {listed}")


class _Maker:
    """Makes the specs and tracks of all fields of one reading."""

    def __init__(
        self,
        recipe: DataRecipe,
        found: Examples,
        axes: Mapping[str, Ints],
        division: Division,
        problems: Problems,
        fit: bool,
        inherited: Inherited | None = None,
    ) -> None:
        self.inherited = inherited
        self.recipe = recipe
        self.found = found
        self.axes = axes
        self.main = next(iter(axes), None)
        self.division = division
        self.problems = problems
        self.fit = fit
        self.vocabularies: dict[str, tuple[str, ...]] = {}

    def make(self) -> tuple[tuple[FieldSpec, ...], dict[str, Track]]:
        specs: dict[str, FieldSpec] = {}
        tracks: dict[str, Track] = {}
        for item in self.found.fields:
            if isinstance(item, LaterField):
                of = specs[item.of]
                specs[item.name] = replace(
                    of,
                    name=item.name,
                    shift_of=item.of,
                    shift=item.shift,
                    role=item.role,
                    counts=(),
                    missing=0 if item.values is None else int(np.isnan(item.values).sum()),
                )
                tracks[item.name] = replace(tracks[item.of], shift=item.shift)
                if item.values is not None:
                    own = scaled(item.values, self._spec(of))
                    tracks[item.name] = replace(tracks[item.name], values=own, raw=item.values)
            elif isinstance(item, TokenField):
                specs[item.name], tracks[item.name] = self._tokens(item)
            elif isinstance(item, NumberField):
                specs[item.name], tracks[item.name] = self._numbers(item)
            else:
                specs[item.name] = FieldSpec(item.name, "parents", axis=item.axis, children=_most_children(item))
                tracks[item.name] = Track(item.parents, item.axis)
        if not self.fit:
            specs = {name: replace(self.recipe.field(name), missing=own.missing) for name, own in specs.items()}
        return tuple(specs.values()), tracks

    def _spec(self, learned: FieldSpec) -> FieldSpec:
        """As learned just now, or as the recipe has it."""
        return learned if self.fit else self.recipe.field(learned.name)

    def _training_rows(self, axis: str | None) -> Ints:
        """The rows that the training part owns of an axis, as runs; without an axis, each example is a row."""
        if axis is not None and axis == self.main:
            return self.division.rows["train"]
        whole = self.division.examples["train"]
        if axis is None:
            return np.stack([whole, whole + 1], axis=1)
        offsets = self.axes[axis]
        return np.stack([offsets[whole], offsets[whole + 1]], axis=1)

    def _tokens(self, item: TokenField) -> tuple[FieldSpec, Track]:
        entries = item.entries
        vocabulary = self._vocabulary(item) if self.fit else self.recipe.field(item.name).vocabulary
        what = "classes" if item.learning.classes else self.found.unit if self.found.unit != "rows" else "tokens"
        values = renumber(item.numbers, entries, vocabulary, what, self.recipe.path)
        if item.missing is not None:
            values = np.where(item.missing, -1, values.astype(np.int32))
        spec = FieldSpec(item.name, "tokens", len(vocabulary), item.axis, vocabulary, role=item.role, shift=item.shift)
        spec = replace(spec, causal=item.causal, missing=0 if item.missing is None else int(item.missing.sum()))
        if item.learning.classes and self.fit:
            seen = self._counts(item, values, len(vocabulary), train=True)
            spec = replace(spec, counts=tuple(seen.tolist()))
            self._warn_of_classes(spec, item)
        return spec, Track(values, item.axis, item.shift)

    def _vocabulary(self, item: TokenField) -> tuple[str, ...]:
        """Learned once for all fields that share it."""
        group = [f for f in self.found.fields if isinstance(f, TokenField) and _key(f) == _key(item)]
        if _key(item) not in self.vocabularies:
            entries = tuple(dict.fromkeys(entry for field in group for entry in field.entries))
            places = {entry: place for place, entry in enumerate(entries)}
            train, everywhere = np.zeros(len(entries), np.int64), np.zeros(len(entries), np.int64)
            for field in group:
                own = np.array([places[entry] for entry in field.entries], np.int64)
                size = len(field.entries)
                np.add.at(train, own, self._counts(field, field.numbers, size, train=True))
                np.add.at(everywhere, own, self._counts(field, field.numbers, size, train=False))
            learned = learn(entries, train, everywhere, item.learning)
            if self.inherited is not None:
                learned = self.inherited.vocabulary(learned, self.recipe, [field.name for field in group])
            self.vocabularies[_key(item)] = learned
        return self.vocabularies[_key(item)]

    def _counts(self, item: TokenField, numbers: IntArray, size: int, *, train: bool) -> Ints:
        """How often each number occurs where something is known, in the training part or everywhere."""
        runs = self._training_rows(item.axis) if train else _all_rows(numbers)
        if item.missing is None:
            return counts_of_runs(numbers, size, runs)
        return np.bincount(numbers[mask_of(runs, len(numbers)) & ~item.missing], minlength=size)

    def _warn_of_classes(self, spec: FieldSpec, item: TokenField) -> None:
        if spec.size == 1:
            self.problems.warn(
                f"{spec.name!r} has the one class {spec.vocabulary[0]!r}: there is nothing to tell apart"
            )
        if UNKNOWN in spec.vocabulary and UNKNOWN not in item.entries:
            lost = [entry for entry in item.entries if entry not in spec.vocabulary]
            listed = ", ".join(map(repr, lost[:5])) + (", …" if len(lost) > 5 else "")
            which = "the class" if len(lost) == 1 else f"{len(lost)} classes,"
            self.problems.warn(f"not in the training part: {which} {listed} of {spec.name!r}")

    def _numbers(self, item: NumberField) -> tuple[FieldSpec, Track]:
        fill: tuple[float, ...] = ()
        if item.fill:
            training = mask_of(self._training_rows(item.axis), len(item.values))
            fill = means(item.values, training) if self.fit else self.recipe.field(item.name).fill
            item = replace(item, values=filled(item.values, fill, self.problems))
        missing = missing_in(item.values)
        if self.fit:
            inside = mask_of(self._training_rows(item.axis), len(item.values))
            scaling: tuple[Scaling, ...] = item.scaling or tuple("standard" for _ in item.columns)
            mean, std = statistics(item.values, inside, item.columns, scaling, self.problems)
            if self.inherited is not None:
                mean, std = self.inherited.scales((mean, std), item.columns, self.recipe)
            low, high = _extremes(item.values, missing)
            spec = FieldSpec(
                item.name,
                "real",
                len(item.columns),
                item.axis,
                columns=item.columns,
                mean=mean,
                std=std,
                fill=fill,
                low=low,
                high=high,
                shift=item.shift,
                role=item.role,
            )
        else:
            spec = self.recipe.field(item.name)
        values = item.values
        if missing.any() and not _is_target(item):  # nothing is known of it, not even before: the mean
            if self.fit:
                spec = replace(spec, fill=means(values, mask_of(self._training_rows(item.axis), len(values))))
            values = np.where(missing, np.array(spec.fill or (0.0,) * spec.size), values)
            missing = np.zeros(0, bool)
        spec = replace(spec, missing=int(missing.sum()))
        return spec, Track(scaled(values, spec), item.axis, item.shift, values)


def _extremes(
    values: npt.NDArray[np.float64], missing: npt.NDArray[np.bool_]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The least and the greatest known number of each column; empty where a column has none."""
    if not len(values) or missing.all(axis=0).any():
        return (), ()
    if not missing.any():
        return tuple(values.min(0).tolist()), tuple(values.max(0).tolist())
    return tuple(np.nanmin(values, 0).tolist()), tuple(np.nanmax(values, 0).tolist())


def _most_children(item: TreeField) -> int:
    """Of a node of any example."""
    first = np.repeat(item.offsets[:-1], np.diff(item.offsets))
    below = item.parents >= 0
    return int(np.bincount((item.parents + first)[below]).max(initial=0))


def _key(item: TokenField) -> str:
    return item.shares or item.name


def _all_rows(numbers: IntArray) -> Ints:
    return np.array([[0, len(numbers)]], np.int64)
