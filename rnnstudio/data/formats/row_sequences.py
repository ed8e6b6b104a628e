"""Each row of a table as a sequence: its columns are steps, of one feature or several, beside its labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rnnstudio.data.files import FileFacts
from rnnstudio.data.formats.csv_rows import MISSING_REMEDY, MISSING_VALUE
from rnnstudio.data.formats.series import Series, labels_of, repeat_previous
from rnnstudio.data.formats.steps_in_names import feature_names
from rnnstudio.data.formats.table import Floats, Table
from rnnstudio.data.in_blocks import any_missing
from rnnstudio.data.options import STEP_BY_STEP, TableOptions
from rnnstudio.data.problems import Problems
from rnnstudio.data.texts import taken
from rnnstudio.design.errors import StudioError

Mask = npt.NDArray[np.bool_]


def rows_as_sequences(
    table: Table,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    options: TableOptions,
    facts: FileFacts,
    shown: str,
    problems: Problems,
) -> Series:
    """Raises StudioError for steps that are classes, and for columns that do not make whole steps."""
    _refuse(table, inputs, options, shown)
    features = feature_names(inputs, options.features, options.arrangement)
    cells = _steps(table, inputs, options)
    static, kept = _targets(table, targets, options, len(cells))
    if static is not None and options.missing == "error" and not problems.errors:
        numbers = tuple(name for name in targets if table.layout.kind(name) != "label")
        _report_missing(table, np.isnan(static), numbers, problems)
    if any_missing(cells.reshape(len(cells), -1)):
        cells, used = _with_missing(table, cells, inputs, options, problems)
        kept &= used.any(axis=1)
    else:
        used = np.ones(cells.shape[:2], bool)
    if not kept.all():
        problems.warn(f"{int((~kept).sum())} rows without values were left out", line=int(table.lines[~kept][0]))
        used, cells = used[kept], cells[kept]
    lines = table.lines if kept.all() else table.lines[kept]
    counts = used.sum(axis=1)
    return Series(
        values=cells.reshape(-1, len(features)) if used.all() else cells[used],
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        columns=features,
        inputs=inputs,
        targets=targets,
        static=None if static is None else static[kept],
        names=tuple(f"{problems.counted} {line}" for line in lines.tolist()),
        steps=(),
        lines=np.repeat(lines, counts),
        options=options,
        facts=facts,
        classes={name: taken(table.labels[name], np.flatnonzero(kept)) for name in labels_of(table, targets)},
        keys={name: taken(table.labels[name], np.flatnonzero(kept)) for name in table.split_columns},
    )


def _refuse(table: Table, inputs: tuple[str, ...], options: TableOptions, shown: str) -> None:
    wrong = labels_of(table, inputs)
    if wrong:
        raise StudioError(
            f"the column {wrong[0]!r} holds classes, and the steps of a sequence are numbers here",
            where="option inputs",
            remedy=f"Take it out of inputs, or set its kind to number: kinds.{wrong[0]}=number.",
        )
    if len(inputs) % options.features:
        raise StudioError(
            f"{len(inputs)} columns do not make steps of {options.features} each",
            where=f"{shown}, option features",
            remedy="Choose how many columns make a step, or leave out of inputs what is no step.",
        )


def _steps(table: Table, inputs: tuple[str, ...], options: TableOptions) -> Floats:
    """[rows, steps, features] of the input columns; not copied where they lie as steps do."""
    known = {name: place for place, name in enumerate(table.columns)}
    places = [known[name] for name in inputs]
    together = places == list(range(places[0], places[0] + len(places)))
    cells = table.numbers[:, slice(places[0], places[-1] + 1) if together else places]
    features = options.features
    if options.arrangement == STEP_BY_STEP or features == 1:
        return cells.reshape(len(cells), -1, features)
    return cells.reshape(len(cells), features, -1).transpose(0, 2, 1)


def _targets(table: Table, targets: tuple[str, ...], options: TableOptions, rows: int) -> tuple[Floats | None, Mask]:
    """[rows, targets] those that are numbers, and which rows have them all."""
    numbers = [name for name in targets if table.layout.kind(name) != "label"]
    if not numbers:
        return None, np.ones(rows, bool)
    static = table.numbers[:, [table.columns.index(name) for name in numbers]]
    if options.missing not in ("previous", "drop"):
        return static, np.ones(rows, bool)
    return static, np.asarray(~np.isnan(static).any(axis=1))


def _with_missing(
    table: Table, cells: Floats, inputs: tuple[str, ...], options: TableOptions, problems: Problems
) -> tuple[Floats, Mask]:
    """The cells, filled where the options say so, and [rows, steps]: which steps there are.

    Steps at the right end of which nothing is there are not missing: the sequence ends before them.
    """
    missing = np.isnan(cells)
    empty = np.asarray(missing.all(axis=2))
    lengths = np.where(empty.all(axis=1), 0, empty.shape[1] - np.argmin(empty[:, ::-1], axis=1))
    inside = np.arange(cells.shape[1]) < lengths[:, None]
    if options.missing in ("previous", "mask"):
        filled = cells.transpose(1, 0, 2).reshape(cells.shape[1], -1).copy()
        repeat_previous(filled)
        cells = filled.reshape(cells.shape[1], len(cells), -1).transpose(1, 0, 2)
    elif options.missing == "error" and not problems.errors:
        lacking = missing & inside[:, :, None]
        if options.arrangement != STEP_BY_STEP:
            lacking = lacking.transpose(0, 2, 1)
        _report_missing(table, lacking.reshape(len(cells), -1), inputs, problems)
    # What is missing at a beginning has no value before it: where it is not left out, its column's mean stands for it.
    return cells, inside if options.missing == "mask" else inside & ~np.isnan(cells).any(axis=2)


def _report_missing(table: Table, missing: npt.NDArray[np.bool_], names: tuple[str, ...], problems: Problems) -> None:
    for row, column in np.argwhere(missing).tolist():
        problems.error(MISSING_VALUE, line=int(table.lines[row]), column=repr(names[column]), remedy=MISSING_REMEDY)
