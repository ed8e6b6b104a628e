"""From a recipe to a dataset: read, split, learn vocabulary and scaling from the training part, complete the recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnnstudio.data import options as data_options
from rnnstudio.data import readers
from rnnstudio.data.dataset import Dataset, Track, scaled
from rnnstudio.data.files import resolve
from rnnstudio.data.options import CsvOptions, TextOptions
from rnnstudio.data.problems import Problems
from rnnstudio.data.series import STEP_COLUMN, Series, read_series
from rnnstudio.data.split import Division, Ints, by_sequence, by_time, require_steps
from rnnstudio.data.text import read_text
from rnnstudio.data.vocabulary import vocabulary_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec

MANY_SEQUENCES = 20
"""From so many sequences on, whole ones are dealt to the parts unless the recipe says otherwise."""


def open_dataset(recipe: DataRecipe, base: Path | str = ".", *, fit: bool = True) -> Dataset:
    """Reads the recipe's file and returns it as a dataset whose `recipe` is complete.

    base: the folder that a relative path starts from.
    fit: learn vocabulary and scaling from this file's training part; False keeps those of the recipe (evaluating a
    trained model on another file).
    Raises StudioError with file, line, column and remedy for anything wrong with the file or the options.
    """
    problems = Problems(recipe.path)
    dataset = build(recipe, Path(base), problems, fit)
    problems.raise_first()
    return replace(dataset, problems=tuple(problems.found))


def build(recipe: DataRecipe, base: Path, problems: Problems, fit: bool = True) -> Dataset:
    """As open_dataset, but bad cells only go to `problems`: with errors there, the dataset serves a preview only."""
    if not recipe.path:
        raise StudioError("no data file is chosen", where="data recipe", remedy="Choose a text or CSV file.")
    path = resolve(recipe.path, base)
    try:
        if recipe.reader == "text":
            return _build_text(recipe, path, fit)
        if recipe.reader == "csv":
            return _build_csv(recipe, path, problems, fit)
        return readers.read_with(readers.find(recipe.reader), recipe, path, problems, fit)
    except MemoryError as error:
        size = path.stat().st_size / 1e6
        raise StudioError(
            f"the file of {size:,.0f} MB does not fit into memory", where=recipe.path, remedy="Use a part of it."
        ) from error


def _build_text(recipe: DataRecipe, path: Path, fit: bool) -> Dataset:
    options = data_options.parse(TextOptions, recipe.options)
    given = None if fit else vocabulary_of(recipe)
    text = read_text(path, recipe.path, options, recipe.split, given)
    offsets = np.array([0, len(text.tokens)], np.int64)
    division = by_time(offsets, 1, recipe.split)
    require_steps(division, recipe.split, len(text.tokens), options.level, 1, recipe.path)
    entries = text.vocabulary.entries
    fields = (
        FieldSpec("text", "tokens", len(entries), vocabulary=entries),
        FieldSpec("next", "tokens", len(entries), vocabulary=entries, shift_of="text", shift=1),
    )
    complete = recipe.replace(options=data_options.to_json(options), fields=fields, digest=text.facts.digest)
    return Dataset(
        recipe=complete,
        tracks={"text": Track(text.tokens, 0), "next": Track(text.tokens, 1)},
        statics={},
        offsets=offsets,
        names=("",),
        steps=(),
        lines=np.zeros(0, np.int64),
        raw=None,
        columns=(),
        division=division,
        facts=text.facts,
        excerpt=text.excerpt,
    )


def _build_csv(recipe: DataRecipe, path: Path, problems: Problems, fit: bool) -> Dataset:
    options = data_options.parse(CsvOptions, recipe.options)
    return dataset_of_series(recipe, read_series(path, recipe.path, options, problems), problems, fit)


def dataset_of_series(recipe: DataRecipe, series: Series, problems: Problems, fit: bool) -> Dataset:
    """Divide and scale sequences of numbers. Raises StudioError when there is too little to train on."""
    options = series.options
    shift = 0 if series.static is not None else options.horizon
    by = _how_to_split(series)
    division = (by_sequence if by == "sequence" else by_time)(series.offsets, shift, recipe.split)
    warn_of_short(series.offsets, shift, series.names, problems)
    if not problems.errors:
        unit = f"sequences ({len(series.values):,} steps)" if by == "sequence" else "rows"
        rows = len(series.offsets) - 1 if by == "sequence" else len(series.values)
        require_steps(division, recipe.split, rows, unit, shift, recipe.path)
    inputs, targets = (
        (recipe.field("inputs"), recipe.field("targets")) if not fit else _fields(series, division, problems)
    )
    tracks = {"inputs": Track(_columns(series, inputs), 0)}
    statics = {}
    raw_statics = {}
    if series.static is not None:
        statics["targets"] = scaled(series.static, targets)
        raw_statics["targets"] = series.static
    elif targets.columns == inputs.columns:
        tracks["targets"] = Track(tracks["inputs"].values, shift)
    else:
        tracks["targets"] = Track(_columns(series, targets), shift)
    settled = replace(series.options, inputs=series.inputs, targets=series.targets, split_by=by)
    return Dataset(
        recipe=recipe.replace(
            options=data_options.to_json(settled), fields=(inputs, targets), digest=series.facts.digest
        ),
        tracks=tracks,
        statics=statics,
        offsets=series.offsets,
        names=series.names,
        steps=series.steps,
        lines=series.lines,
        raw=series.values,
        columns=series.columns,
        division=division,
        facts=series.facts,
        excerpt="",
        raw_statics=raw_statics,
    )


def _how_to_split(series: Series) -> str:
    by = series.options.split_by
    if series.static is not None:
        if by == "time":
            raise StudioError(
                "sequences with one target each cannot be cut along time",
                where="option split_by",
                remedy='Set it to "sequence" or "auto".',
            )
        return "sequence"
    if by == "auto":
        return "sequence" if len(series.offsets) - 1 >= MANY_SEQUENCES else "time"
    return by


def warn_of_short(offsets: Ints, shift: int, names: tuple[str, ...], problems: Problems) -> None:
    """Sequences that are no longer than the horizon are named: they predict nothing."""
    short = np.flatnonzero(np.diff(offsets) <= shift)
    if len(short) and len(names) > 1:
        listed = ", ".join(repr(names[place]) for place in short[:5].tolist()) + (", …" if len(short) > 5 else "")
        problems.warn(f"{len(short)} sequences are not longer than the horizon {shift} and predict nothing: {listed}")


def _fields(series: Series, division: Division, problems: Problems) -> tuple[FieldSpec, FieldSpec]:
    """The two fields with the training part's mean and standard deviation, and the whole file's extremes."""
    rows = np.zeros(len(series.values), bool)
    for low, high in division.rows["train"].tolist():
        rows[low:high] = True
    by_row = series.options.mode == "row_is_sequence"
    names = (STEP_COLUMN,) if by_row else series.inputs
    inputs = _with_facts(FieldSpec("inputs", "real", len(names), columns=names), _of(series, names), rows, problems)
    if series.static is not None:
        sequences = np.isin(series.offsets[:-1], division.rows["train"][:, 0])
        targets = FieldSpec("targets", "real", len(series.targets), axis=None, columns=series.targets)
        return inputs, _with_facts(targets, series.static, sequences, problems)
    names = names if by_row else series.targets
    same = "inputs" if names == inputs.columns else ""
    targets = FieldSpec("targets", "real", len(names), columns=names, shift_of=same, shift=series.options.horizon)
    return inputs, _with_facts(targets, _of(series, names), rows, problems)


def _of(series: Series, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    return series.values[:, [series.columns.index(name) for name in names]]


def _with_facts(
    spec: FieldSpec, values: npt.NDArray[np.float64], train: npt.NDArray[np.bool_], problems: Problems
) -> FieldSpec:
    """The field with what its columns hold. values: [rows, columns], NaN = missing; train: [rows]."""
    mean, std = _scaling(values[train], spec.columns, problems)
    spec = replace(spec, mean=mean, std=std)
    good = values[~np.isnan(values).any(axis=1)]
    return replace(spec, low=tuple(good.min(0).tolist()), high=tuple(good.max(0).tolist())) if len(good) else spec


def _scaling(
    train: npt.NDArray[np.float64], names: tuple[str, ...], problems: Problems
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each column of the training rows; a constant column keeps its unit (std 1)."""
    good = ~np.isnan(train).any(axis=1)
    if not good.any():
        return (0.0,) * len(names), (1.0,) * len(names)
    mean = train[good].mean(axis=0)
    std = train[good].std(axis=0)
    # Rounding leaves a constant column of large numbers with a tiny deviation; it is a constant all the same.
    constant = std <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    for name in (name for name, still in zip(names, constant.tolist(), strict=True) if still):
        told = f"the column {name!r} never changes in the training part: it tells the model nothing"
        if told not in (problem.what for problem in problems.found):
            problems.warn(told)
    std[constant] = 1.0
    return tuple(mean.tolist()), tuple(std.tolist())


def _columns(series: Series, spec: FieldSpec) -> npt.NDArray[np.float32]:
    return scaled(_of(series, spec.columns), spec)
