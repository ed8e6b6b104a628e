"""The first rows as the model will see them, and everything that is wrong with the file, for the data panel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rnnstudio.data.dataset import Array, Dataset
from rnnstudio.data.files import size_of
from rnnstudio.data.opening import build, place_of
from rnnstudio.data.problems import Problem, Problems, from_error
from rnnstudio.data.statistics import Statistics, statistics_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec, with_digits

_VISIBLE = {"\n": "⏎", "\t": "⇥", " ": "␣", "\u00a0": "⍽"}
_MAX_CELLS = 24
LARGE, LOOKED = 1 << 22, 1 << 21
"""Of a file of more bytes a first look reads so many, where its reader can do with a beginning."""
MOST_LOOKED = 1 << 27
"""Where so many are too few to show anything, eight times as many are looked at, up to about so many."""
_MAX_STEPS = 400
"""Steps of an example that are shown, however long it is."""
MAX_COLUMNS = 40
"""Columns that are shown of a field, and of the file, however wide it is."""
_SPREAD_ROWS = 10_000
"""From so many rows it is told how many digits the numbers of a column need."""


@dataclass(frozen=True)
class FieldView:
    """A field of one example as the model sees it, before padding: at most its first steps.

    pieces: for people: tokens and classes by name, numbers of one step in one text, parents as numbers.
    values: [steps] token numbers or parents, [steps, features] scaled numbers; one row where axis is None.
    length: how long it is in truth.
    """

    spec: FieldSpec
    pieces: tuple[str, ...]
    values: Array = field(compare=False)
    length: int = 0


@dataclass(frozen=True)
class ExampleView:
    """One example. line: of the file, 0 = unknown."""

    name: str
    line: int
    fields: tuple[FieldView, ...]


@dataclass(frozen=True)
class Preview:
    """columns, rows: a table of texts. problems: errors and warnings, by line; those of the whole file last.

    examples: the first ones, for a picture of them. summary: one line about the whole file; excerpt: the beginning of a
    text, as it is. recipe: completed, or as given when the file could not be read. statistics: None then.
    whole: whether all of the file was read; else the recipe has no digest, and learned from the file's beginning.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    problems: tuple[Problem, ...]
    summary: str
    excerpt: str
    recipe: DataRecipe
    examples: tuple[ExampleView, ...] = ()
    statistics: Statistics | None = None
    whole: bool = True

    @property
    def usable(self) -> bool:
        """Whether opening the recipe will succeed."""
        return all(problem.severity != "error" for problem in self.problems)


def inspect(
    recipe: DataRecipe,
    base: Path | str = ".",
    rows: int = 20,
    bind: Callable[[Dataset], Dataset] = lambda dataset: dataset,
    batch_size: int = 32,
    chunk: int = 0,
    most: int = 0,
    fit: bool = True,
) -> Preview:
    """Reads the file and shows what is there. Never raises StudioError: whatever is wrong is in `problems`.

    bind: makes of what was read what a design would take (Dataset.as_in_file). batch_size, chunk: see statistics_of.
    most: bytes of the file that are read, where its reader can do with its beginning; 0 = all (see bytes_of_a_look);
    more where these are too few to make a dataset of, as they are of a table of long rows. fit: see open_dataset.
    """
    problems = Problems(recipe.path)
    try:
        dataset = bind(build(recipe, Path(base), problems, fit, most=most))
    except StudioError as error:
        if most and not problems.errors and most < min(MOST_LOOKED, _size(recipe, Path(base))):
            return inspect(recipe, base, rows, bind, batch_size, chunk, most * 8, fit)
        shown_problems = problems.found if problems.errors else [*problems.found, from_error(error)]
        return Preview((), (), tuple(shown_problems), "", "", recipe)
    if problems.errors > sum(problem.severity == "error" for problem in problems.found):
        problems.warn(f"{problems.errors:,} errors in all; the first are listed")
    whole = not dataset.cut
    lines = {problem.line for problem in problems.found if problem.line}
    shown = preview_of(dataset, rows, lines, batch_size, chunk)
    found = tuple(sorted(problems.found, key=lambda problem: problem.line or sys.maxsize))
    if not whole:
        shown = replace(shown, summary=_of_the_beginning(dataset, size_of(place_of(recipe, Path(base)))), whole=False)
    return replace(shown, problems=found)


def bytes_of_a_look(recipe: DataRecipe, base: Path | str = ".") -> int:
    """How many bytes of a file a first look reads: 0, all of it, unless it is large. Never raises StudioError."""
    return LOOKED if not recipe.made and _size(recipe, Path(base)) > LARGE else 0


def _size(recipe: DataRecipe, base: Path) -> int:
    """Bytes of the file; 0 where it cannot be looked at."""
    try:
        return size_of(place_of(recipe, base))
    except StudioError:
        return 0


def _of_the_beginning(dataset: Dataset, size: int) -> str:
    read = dataset.facts.size
    much = f"{dataset.rows:,} {'examples' if dataset.axis is None else 'steps'}"
    much += f" in {dataset.sequences:,} sequences" if dataset.sequences > 1 and dataset.axis is not None else ""
    return f"the first {read / 1e6:,.1f} of {size / 1e6:,.0f} MB: {much}"


def preview_of(
    dataset: Dataset, rows: int = 20, lines: Collection[int] = (), batch_size: int = 32, chunk: int = 0
) -> Preview:
    """The first rows of an opened dataset: steps where examples may be cut, else whole examples.

    lines: of the file, whose rows are shown too, wherever they are.
    """
    columns, table = (_step_rows if dataset.cuttable else _example_rows)(dataset, rows, lines)
    examples = tuple(example_view(dataset, index) for index in range(min(rows, dataset.sequences)))
    summary, counted = dataset.summary(), statistics_of(dataset, batch_size, chunk)
    return Preview(columns, table, dataset.problems, summary, dataset.excerpt, dataset.recipe, examples, counted)


def visible(token: str) -> str:
    """A token as it can be shown in a table cell: white space by its sign."""
    return _VISIBLE.get(token, token if token.isprintable() else f"U+{ord(token[0]):04X}")


def example_view(dataset: Dataset, index: int) -> ExampleView:
    """One example of a dataset, all its fields."""
    views = []
    for spec in dataset.fields:
        track = dataset.tracks[spec.name]
        where = dataset.rows_of(spec.name, index)
        if isinstance(where, slice):
            length = max(where.stop - where.start - track.shift, 0)
            begin = where.start + track.shift
            values = track.values[begin : begin + min(length, _MAX_STEPS)]
        else:
            length, values = 1, track.values[where : where + 1]
        more = f", … {spec.size - MAX_COLUMNS:,} more" if _is_wide(spec) else ""
        pieces = tuple(", ".join(_cells(spec, value)) + more for value in values)
        views.append(FieldView(spec, pieces, values if spec.axis is not None else values[0], length))
    return ExampleView(dataset.names[index], _line(dataset, index), tuple(views))


def _line(dataset: Dataset, index: int) -> int:
    """The line of the file on which an example begins, 0 = unknown."""
    row = int(dataset.offsets[index])
    return int(dataset.lines[row]) if row < len(dataset.lines) else 0


def _cell(value: float, spread: float = 0.0) -> str:
    return "missing" if np.isnan(value) else with_digits(value, spread, 5)


def _spreads(values: Array) -> list[float]:
    """The deviation of each column, of the rows that have a value in it."""
    good = [column[~np.isnan(column)] for column in values.T]
    return [float(column.std()) if len(column) else 0.0 for column in good]


def _is_wide(spec: FieldSpec) -> bool:
    """Whether not all numbers of a step are shown."""
    return spec.content == "real" and spec.size > MAX_COLUMNS


def _cells(spec: FieldSpec, value: Array) -> list[str]:
    """One row of a field: a token by name, or its numbers, the first of them where they are many."""
    if spec.content == "tokens":
        number = int(value)
        return [visible(spec.vocabulary[number]) if number < len(spec.vocabulary) else str(number)]
    return [str(int(value))] if spec.content == "parents" else [_cell(item) for item in value[:MAX_COLUMNS].tolist()]


def _chosen(known: Array, rows: int, lines: Collection[int]) -> list[int]:
    """The first rows, and as many further ones at most that stand on these lines. known: the line of each row."""
    first = range(min(rows, len(known)))
    wanted = np.flatnonzero(np.isin(known, list(lines))) if lines else np.zeros(0, int)
    return [*first, *wanted[wanted >= len(first)][:rows].tolist()]


def _step_rows(
    dataset: Dataset, rows: int, wanted: Collection[int]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """A row for each step: line, sequence, label or number of the step, the file's own numbers, and every field."""
    many, lines = dataset.sequences > 1, len(dataset.lines) == dataset.rows
    options = dataset.recipe.options
    columns = ["line"] * lines + [str(options.get("group") or "sequence")] * many
    columns += [str(options.get("order") or "step"), *dataset.columns[:MAX_COLUMNS]]
    more = len(dataset.columns) - MAX_COLUMNS
    columns += [f"… {more:,} more"] * (more > 0)
    for spec in dataset.fields:
        columns += _titles(dataset, spec)
    table = []
    spreads = [] if dataset.raw is None else _spreads(dataset.raw[:_SPREAD_ROWS, :MAX_COLUMNS])
    whole = dataset.rows - (0 if lines else _most_ahead(dataset))
    for row in _chosen(dataset.lines, rows, wanted) if lines else range(min(rows, whole)):
        place = int(np.searchsorted(dataset.offsets, row, side="right")) - 1
        cells = [str(int(dataset.lines[row]))] if lines else []
        cells += [dataset.names[place]] * many
        cells.append(dataset.steps[row] if dataset.steps else str(row - int(dataset.offsets[place])))
        numbers = [] if dataset.raw is None else dataset.raw[row, :MAX_COLUMNS].tolist()
        cells += [_cell(value, spread) for value, spread in zip(numbers, spreads, strict=True)]
        cells += ["…"] * (more > 0)
        for spec in dataset.fields:
            track = dataset.tracks[spec.name]
            at = place if track.axis is None else row + track.shift
            inside = track.axis is None or at < int(dataset.offsets[place + 1])
            shown = min(max(len(spec.columns), 1), MAX_COLUMNS)
            found = (_cells(spec, track.values[at]) if inside else ["–"] * shown) + ["…"] * _is_wide(spec)
            if spec.content == "tokens":
                found += [str(int(track.values[at])) if inside else "–"]
            cells += found
        table.append(tuple(cells))
    return tuple(columns), tuple(table)


def _most_ahead(dataset: Dataset) -> int:
    return max(track.shift for track in dataset.tracks.values())


def _titles(dataset: Dataset, spec: FieldSpec) -> list[str]:
    """The columns of a field in the table of steps."""
    if spec.content == "tokens":
        return [spec.name, f"{spec.name} (number)"]
    shift = dataset.tracks[spec.name].shift
    ahead = f", {shift} ahead" if shift else ""
    return _named(spec, ahead) or [spec.name]


def _named(spec: FieldSpec, ahead: str = "") -> list[str]:
    """A title for each number of a step that is shown, and one for all others."""
    titles = [f"{spec.name}: {column}{ahead}" for column in spec.columns[:MAX_COLUMNS]]
    return [*titles, f"{spec.name}: … {spec.size - MAX_COLUMNS:,} more"] if _is_wide(spec) and titles else titles


def _example_rows(
    dataset: Dataset, rows: int, wanted: Collection[int]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """A row for each example: its line or name, its length along each axis, and every field."""
    lines = len(dataset.lines) == dataset.rows
    columns = ["line" if lines else "example"]
    columns += ["steps"] if list(dataset.axes) == ["time"] else [f"{axis}, steps" for axis in dataset.axes]
    spread = {spec.name: _steps_shown(dataset, spec) for spec in dataset.fields}
    for spec in dataset.fields:
        if spread[spec.name]:
            columns += [f"{spec.name}, step {step}" for step in range(spread[spec.name])]
        else:
            one = spec.axis is None and spec.content == "real"
            columns += _named(spec) if one else [spec.name]
    table = []
    begins = dataset.lines[dataset.offsets[:-1]] if lines else np.zeros(dataset.sequences, np.int64)
    for index in _chosen(begins, rows, wanted if lines else ()):
        view = example_view(dataset, index)
        cells = [str(view.line) if lines else view.name]
        cells += [str(int(dataset.lengths(axis)[index])) for axis in dataset.axes]
        for shown in view.fields:
            cells += _example_cells(shown, spread[shown.spec.name])
        table.append(tuple(cells))
    return tuple(columns), tuple(table)


def _steps_shown(dataset: Dataset, spec: FieldSpec) -> int:
    """The columns that a series of one number a step takes, 0 where a field has other cells."""
    if spec.content != "real" or spec.size != 1 or spec.axis is None:
        return 0
    return min(int(dataset.lengths(spec.axis).max(initial=0)), _MAX_CELLS)


def _example_cells(view: FieldView, spread: int) -> list[str]:
    spec = view.spec
    if spread:
        shown = list(view.pieces[:spread])
        return shown + ["–"] * (spread - len(shown))
    if spec.axis is None:
        return _cells(spec, view.values) + ["…"] * _is_wide(spec)
    short = all(len(piece) == 1 for piece in view.pieces)
    between = "" if short and spec.content == "tokens" else " " if spec.content == "tokens" else "; "
    return [between.join(view.pieces) + (" …" if view.length > len(view.pieces) else "")]
