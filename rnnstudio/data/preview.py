"""The first rows as the model will see them, and everything that is wrong with the file, for the data panel."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnnstudio.data.dataset import Array, Dataset
from rnnstudio.data.opening import build
from rnnstudio.data.problems import Problem, Problems, from_error
from rnnstudio.data.readers import BUILT_IN
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec

_VISIBLE = {"\n": "⏎", "\t": "⇥", " ": "␣", "\u00a0": "⍽"}
_MAX_SEQUENCE_CELLS = 24


@dataclass(frozen=True)
class Preview:
    """columns, rows: a table of texts. problems: errors and warnings, by line; those of the whole file last.

    summary: one line about the whole file; excerpt: the beginning of a text, as it is. recipe: completed, or as given
    when the file could not be read.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    problems: tuple[Problem, ...]
    summary: str
    excerpt: str
    recipe: DataRecipe

    @property
    def usable(self) -> bool:
        """Whether opening the recipe will succeed."""
        return all(problem.severity != "error" for problem in self.problems)


def inspect(recipe: DataRecipe, base: Path | str = ".", rows: int = 20) -> Preview:
    """Reads the file and shows what is there. Never raises StudioError: whatever is wrong is in `problems`."""
    problems = Problems(recipe.path)
    try:
        dataset = build(recipe, Path(base), problems)
    except StudioError as error:
        shown_problems = problems.found if problems.errors else [*problems.found, from_error(error)]
        return Preview((), (), tuple(shown_problems), "", "", recipe)
    if problems.errors > sum(problem.severity == "error" for problem in problems.found):
        problems.warn(f"{problems.errors:,} errors in all; the first are listed")
    shown = preview_of(dataset, rows)
    found = tuple(sorted(problems.found, key=lambda problem: problem.line or sys.maxsize))
    return Preview(shown.columns, shown.rows, found, shown.summary, shown.excerpt, dataset.recipe)


def preview_of(dataset: Dataset, rows: int = 20) -> Preview:
    """The first rows of an opened dataset."""
    if dataset.recipe.reader == "text":
        columns, table = _text_rows(dataset, rows)
    elif dataset.recipe.reader not in BUILT_IN:
        columns, table = _field_rows(dataset, rows)
    elif dataset.recipe.options.get("mode") == "row_is_sequence":
        columns, table = _sequence_rows(dataset, rows)
    else:
        columns, table = _step_rows(dataset, rows)
    return Preview(columns, table, dataset.problems, dataset.summary(), dataset.excerpt, dataset.recipe)


def visible(token: str) -> str:
    """A token as it can be shown in a table cell: white space by its sign."""
    return _VISIBLE.get(token, token if token.isprintable() else f"U+{ord(token[0]):04X}")


def _cell(value: float) -> str:
    return "missing" if np.isnan(value) else f"{value:.5g}"


def _text_rows(dataset: Dataset, rows: int) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    vocabulary = dataset.vocabulary
    assert vocabulary is not None
    tokens = dataset.tracks["text"].values[: rows + 1].tolist()
    table = tuple(
        (str(step), visible(vocabulary.entries[now]), str(now), visible(vocabulary.entries[after]), str(after))
        for step, (now, after) in enumerate(itertools.pairwise(tokens))
    )
    return ("step", "text", "text (number)", "next", "next (number)"), table


def _field_rows(dataset: Dataset, rows: int) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """What a plugin's reader made, whatever its format: each step's value of every field along time."""
    many, lines = dataset.sequences > 1, len(dataset.lines) == dataset.rows
    columns = ["line"] * lines + ["sequence"] * many + ["step"]
    for spec in dataset.fields:
        names = [f"{spec.name}: {name}" for name in spec.columns]
        columns += (names or [spec.name]) if spec.name in dataset.tracks else []
    table = []
    for row in range(min(rows, dataset.rows)):
        place = int(np.searchsorted(dataset.offsets, row, side="right")) - 1
        cells = [str(int(dataset.lines[row]))] * lines + [dataset.names[place]] * many
        cells.append(str(row - int(dataset.offsets[place])))
        for spec in dataset.fields:
            if spec.name in dataset.tracks:
                cells += _field_cells(dataset, spec, row, int(dataset.offsets[place + 1]))
        table.append(tuple(cells))
    return tuple(columns), tuple(table)


def _field_cells(dataset: Dataset, spec: FieldSpec, row: int, end: int) -> list[str]:
    """The value of a field at a step, "–" past the sequence's end."""
    track = dataset.tracks[spec.name]
    if row + track.shift >= end:
        return ["–"] * max(len(spec.columns), 1)
    value = track.values[row + track.shift]
    if spec.content == "tokens":
        number = int(value)
        return [visible(spec.vocabulary[number]) if number < len(spec.vocabulary) else str(number)]
    cells = [_cell(item) for item in value.tolist()]
    return cells if spec.columns else [", ".join(cells)]


def _step_rows(dataset: Dataset, rows: int) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    assert dataset.raw is not None
    inputs, targets = dataset.recipe.field("inputs"), dataset.recipe.field("targets")
    order, group = dataset.recipe.options.get("order"), dataset.recipe.options.get("group")
    columns = ["line", *(str(name) for name in (group, order) if name), *dataset.columns]
    columns += [f"inputs: {name}" for name in inputs.columns]
    ahead = f", {targets.shift} ahead" if targets.shift else ""
    columns += [f"targets: {name}{ahead}" for name in targets.columns]
    table = []
    sequence = np.searchsorted(dataset.offsets, np.arange(min(rows, dataset.rows)), side="right") - 1
    for row in range(min(rows, dataset.rows)):
        cells = [str(int(dataset.lines[row]))]
        cells += [dataset.names[int(sequence[row])]] if group else []
        cells += [dataset.steps[row]] if order else []
        cells += [_cell(value) for value in dataset.raw[row].tolist()]
        cells += [_cell(value) for value in dataset.tracks["inputs"].values[row].tolist()]
        ahead_row = row + targets.shift
        inside = ahead_row < int(dataset.offsets[sequence[row] + 1])
        values = dataset.tracks["targets"].values[ahead_row].tolist() if inside else []
        cells += [_cell(value) for value in values] if inside else ["–"] * targets.size
        table.append(tuple(cells))
    return tuple(columns), tuple(table)


def _sequence_rows(dataset: Dataset, rows: int) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    targets = dataset.recipe.field("targets")
    shown = min(int(np.diff(dataset.offsets).max(initial=0)), _MAX_SEQUENCE_CELLS)
    columns = ["line", "steps", *(f"inputs, step {step}" for step in range(shown))]
    columns += [f"targets: {name}" for name in targets.columns] if targets.axis is None else []
    table = []
    for index in range(min(rows, dataset.sequences)):
        start, stop = int(dataset.offsets[index]), int(dataset.offsets[index + 1])
        values = dataset.tracks["inputs"].values[start : min(stop, start + shown), 0].tolist()
        cells = [dataset.names[index].removeprefix("line "), str(stop - start)]
        cells += [_cell(value) for value in values] + ["–"] * (shown - len(values))
        cells += [_cell(value) for value in _static(dataset, targets, index)]
        table.append(tuple(cells))
    return tuple(columns), tuple(table)


def _static(dataset: Dataset, targets: FieldSpec, index: int) -> list[float]:
    values: Array | None = dataset.statics.get(targets.name)
    return [] if values is None else values[index].tolist()
