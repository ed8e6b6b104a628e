"""A table becomes sequences: its rows in the order of time, or each of its rows by itself."""

from __future__ import annotations

from collections.abc import Sequence

from rnnstudio.data.files import FileFacts
from rnnstudio.data.formats.numerals import is_missing
from rnnstudio.data.formats.row_sequences import rows_as_sequences
from rnnstudio.data.formats.series import Series, rows_as_steps
from rnnstudio.data.formats.table import Table, find_columns
from rnnstudio.data.options import TableOptions
from rnnstudio.data.problems import Problems
from rnnstudio.design.errors import StudioError


def series_of(table: Table, settled: TableOptions, facts: FileFacts, shown: str, problems: Problems) -> Series:
    """Bad cells go to `problems`; raises StudioError when there is nothing to make sequences of.

    The table's numbers become the series', without a copy where their rows are in order as they are.
    """
    if len(table.numbers) == 0:
        header = "only a header line" if table.layout.header else "no row of data"
        problems.raise_first()  # what was found in the rows explains best why none is left
        raise StudioError(f"the file has {header}", where=shown, remedy="Add rows of numbers below it.")
    if len(table.numbers) == 1 and settled.mode == "row_is_step" and not problems.errors:
        raise StudioError(
            "the file has one row of numbers, and one step is no sequence",
            where=f"{shown}, {problems.counted} {int(table.lines[0])}",
            remedy='Add rows, or set the mode option to "row_is_sequence".',
        )
    inputs, targets = find_columns(table.layout, settled, shown)
    if not problems.errors:
        wanted = inputs if settled.missing == "mask" else (*inputs, *targets)
        _report_missing_classes(table, [n for n in wanted if table.layout.kind(n) == "label"], problems)
    if settled.mode == "row_is_sequence":
        return rows_as_sequences(table, inputs, targets, settled, facts, shown, problems)
    return rows_as_steps(table, inputs, targets, settled, facts, problems)


def _report_missing_classes(table: Table, names: Sequence[str], problems: Problems) -> None:
    for name in dict.fromkeys(names):
        for row, cell in enumerate(table.labels[name]):
            if is_missing(cell):
                problems.error(
                    f"a class is missing: {cell!r}",
                    line=int(table.lines[row]),
                    column=repr(name),
                    remedy="Fill it in, or leave the column out of inputs and targets.",
                )
