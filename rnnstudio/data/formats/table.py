"""Reads a CSV file into columns of numbers, with every bad cell found at its line and column.

Rows stream through the csv module; only the columns that are asked for become numbers, in blocks.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.files import FileFacts, survey, text_of
from rnnstudio.data.formats.columns import NUMERIC, YES_NO
from rnnstudio.data.formats.numerals import is_missing, number
from rnnstudio.data.formats.sniff import Layout, find_layout, rows_of
from rnnstudio.data.options import CsvOptions
from rnnstudio.data.packed import Entry
from rnnstudio.data.problems import Problems, listed, quoted
from rnnstudio.data.source import Sample
from rnnstudio.design.errors import StudioError

Floats: TypeAlias = npt.NDArray[np.float64]

MISSING_VALUE = "a value is missing in a column of numbers"
MISSING_REMEDY = (
    'Fill it in, or set the missing option to "mask" (a missing target counts for nothing), "previous" or "drop".'
)
_BLOCK_ROWS = 1 << 10
"""Rows held as Python lists at a time: with 32 times as many, the garbage collector doubles the reading time."""


@dataclass(frozen=True)
class Table:
    """The columns a recipe needs.

    numbers: [rows, len(columns)], NaN = missing. lines: [rows], the line of the file each row ends on.
    labels: the text of the group and order columns, of classes, and of the columns `keys`, which a split may go by.
    """

    layout: Layout
    columns: tuple[str, ...]
    numbers: Floats
    lines: npt.NDArray[np.int64]
    labels: dict[str, list[str]]
    keys: tuple[str, ...] = ()


def read_sample(path: Entry, shown: str, encoding: str) -> list[str]:
    """The first lines of the file, with their line ends. The file's encoding has been checked before."""
    lines = list(Sample.of(path, shown, encoding).lines)
    if not any(line.strip() for line in lines):
        raise StudioError("the file has only blank lines", where=shown, remedy="Choose a file with data in it.")
    return lines


def find_columns(layout: Layout, options: CsvOptions, shown: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The input and target columns the options mean. Raises StudioError for names the file does not have."""
    seen = Counter(layout.names)
    for place, name in enumerate(layout.names):
        if seen[name] > 1:
            where = layout.names.index(name) + 1
            raise StudioError(
                f"two columns are called {name!r}: columns {where} and {layout.names.index(name, place + 1) + 1}",
                where=f"{shown}, line {layout.skip + 1}",
                remedy="Rename one of them in the file.",
            )
    for role, wanted in (
        ("group", (options.group,) if options.group else ()),
        ("order", (options.order,) if options.order else ()),
        ("inputs", options.inputs),
        ("targets", options.targets),
        ("kinds", tuple(options.kinds)),
        ("scaling", tuple(options.scaling)),
    ):
        for name in wanted:
            if name not in layout.names:
                raise StudioError(
                    f"there is no column {name!r}",
                    where=f"{shown}, line {layout.skip + 1}, option {role}",
                    remedy=f"Columns: {listed(layout.names)}.",
                )
    taken = {options.group, options.order}
    same_step = options.mode == "row_is_sequence" or options.horizon == 0
    if same_step:
        taken |= set(options.targets)
    numeric = tuple(n for n, kind in zip(layout.names, layout.kinds, strict=True) if kind in NUMERIC and n not in taken)
    inputs = options.inputs or numeric
    if not inputs:
        cells = ", ".join(quoted(cell.strip()) for cell in layout.example[:4])
        cells += " …" if len(layout.example) > 4 else ""
        raise StudioError(
            "no column holds numbers" + (f": the first row is {cells}" if cells else ""),
            where=f"{shown}, delimiter {_spoken(layout.delimiter)}, decimal mark {layout.decimal!r}",
            remedy="Set the delimiter or decimal option, or read the file as text.",
        )
    targets = options.targets or (inputs if options.mode == "row_is_step" else ())
    if same_step:
        refuse_shared(inputs, targets, options.mode, shown)
    return inputs, targets


def refuse_shared(inputs: Sequence[str], targets: Sequence[str], mode: str, shown: str) -> None:
    """Raises StudioError for a target that is an input of the same step, or of the sequence it is the label of."""
    shared = next((name for name in targets if name in inputs), None)
    if shared is None:
        return
    if mode == "row_is_sequence":
        raise StudioError(
            f"the column {shared!r} is an input and the target of the same sequence: there is nothing to predict",
            where=f"{shown}, option inputs",
            remedy=f"Take {shared!r} out of inputs, or out of targets.",
        )
    raise StudioError(
        f"the column {shared!r} is an input and, at horizon 0, its own target: there is nothing to predict",
        where=f"{shown}, option horizon",
        remedy="Set horizon to 1 or more, or take the column out of inputs.",
    )


def _spoken(delimiter: str) -> str:
    return {"\t": "tab", " ": "space"}.get(delimiter, repr(delimiter))


def read_table(
    path: Entry,
    shown: str,
    options: CsvOptions,
    problems: Problems,
    wants: Callable[[str], bool] = lambda name: False,
    column: str = "",
) -> tuple[Table, CsvOptions, FileFacts]:
    """The table, the options with everything settled, and the file's facts.

    wants: columns whose cells are kept, too; column: the one of them that is used thereby.

    Bad cells and rows go to `problems` (a bad cell is NaN, a ragged row is left out); what makes the whole file
    unreadable is raised as StudioError.
    """
    facts = survey(path, shown, options.encoding)
    layout = find_layout(read_sample(path, shown, options.encoding), options)
    settled = layout.options(options)
    inputs, targets = find_columns(layout, settled, shown)
    keys = tuple(name for name in layout.names if wants(name) or name == options.group)
    used = tuple(dict.fromkeys((*inputs, *targets)))
    columns = tuple(name for name in used if layout.kind(name) != "label")
    labels = tuple(name for name in (options.group, options.order) if name)
    labels += tuple(name for name in used if layout.kind(name) == "label")
    roles = (*used, *labels)
    labels = tuple(dict.fromkeys((*labels, *keys)))
    for place, name in enumerate(layout.names):
        if name not in roles and name != column:
            cell = layout.example[place] if place < len(layout.example) else ""
            problems.ignore(f"the column {name!r} ({layout.kinds[place]})", cell)
    reader = _Reader(path, shown, settled, layout, columns, labels, problems)
    left = (name for name in layout.names if name not in (*used, *labels) and name not in options.kinds)
    reader.unseen = {layout.names.index(name) for name in left if layout.kind(name) == "ignored"}
    table = replace(reader.read(), keys=keys)
    return table, settled, facts


class _Reader:
    """One pass over the rows."""

    def __init__(
        self,
        path: Entry,
        shown: str,
        options: CsvOptions,
        layout: Layout,
        columns: tuple[str, ...],
        labels: tuple[str, ...],
        problems: Problems,
    ) -> None:
        self.path = path
        self.shown = shown
        self.options = options
        self.layout = layout
        self.columns = columns
        self.labels = labels
        self.problems = problems
        self.width = len(layout.names)
        self.may_be_short = options.mode == "row_is_sequence"
        self.empty_rows = 0
        self.unseen: set[int] = set()
        """Places of columns that nothing was seen in as far as the sample goes, and that are not read therefore."""

    def read(self) -> Table:
        numbers: list[Floats] = []
        lines: list[npt.NDArray[np.int64]] = []
        labels: dict[str, list[str]] = {name: [] for name in self.labels}
        rows = self._rows()
        while block := list(islice(rows, _BLOCK_ROWS)):
            kept = [row for _, row in block]
            places = [line for line, _ in block]
            if self.unseen:
                self._tell_late(kept, places)
            numbers.append(self._numbers(kept, places))
            lines.append(np.array(places, np.int64))
            for name in self.labels:
                place = self.layout.names.index(name)
                labels[name].extend(row[place].strip() for row in kept)
        if self.empty_rows:
            self.problems.warn(f"{self.empty_rows} rows with only empty cells were left out")
        return Table(
            self.layout,
            self.columns,
            np.concatenate(numbers) if numbers else np.zeros((0, len(self.columns))),
            np.concatenate(lines) if lines else np.zeros(0, np.int64),
            labels,
        )

    def _tell_late(self, rows: Sequence[list[str]], lines: Sequence[int]) -> None:
        """Say of a column that was left out as empty where it has something after all."""
        for place in sorted(self.unseen):
            row = next((at for at, row in enumerate(rows) if not is_missing(row[place])), None)
            if row is not None:
                self.unseen.discard(place)
                name = self.layout.names[place]
                self.problems.warn(
                    f"the column {quoted(name)} is not used, as the first rows have nothing in it, "
                    f"but here it has {quoted(rows[row][place].strip())}",
                    line=lines[row],
                    column=repr(name),
                    remedy=f"To read it, set kinds to {name}: number, and put it among the inputs or targets.",
                )

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each data row with its line, exactly as wide as the header; ragged ones are reported and left out."""
        with text_of(self.path, self.shown, self.options.encoding) as stream:
            above = sum(1 for _ in islice(stream, self.layout.skip))
            reader = rows_of(stream, self.layout.delimiter, strict=True)
            line = above
            skip = self.layout.header + self.layout.below
            while True:
                start = line + 1
                try:
                    row = next(reader, None)
                except csv.Error as error:
                    raise self._unreadable(error, start) from error
                if row is None:
                    return
                line = above + getattr(reader, "line_num", start - above)
                if len(row) != self.width or not row:
                    row = self._fitted(row, line, start)
                elif not any(row):
                    self.empty_rows += 1
                    continue
                if row is None:
                    continue
                if skip:
                    skip -= 1
                    continue
                yield line, row

    def _fitted(self, row: list[str], line: int, start: int) -> list[str] | None:
        """A row of another width without the empty cells that hang on the right; None when it is blank or ragged."""
        end = len(row)
        while end and not row[end - 1].strip():
            end -= 1
        if not end:
            self.empty_rows += len(row) > 1
            return None
        if end <= self.width <= len(row) or (self.may_be_short and end <= self.width):
            return (row + [""] * self.width)[: self.width]
        header = "the header has" if self.layout.header else "the other rows have"
        ran_on = line > start
        self.problems.error(
            f"the row has {len(row)} cell{'s' * (len(row) != 1)}, {header} {self.width}"
            + (f" (it begins on line {start}; a quote may be open)" if ran_on else ""),
            line=line,
            remedy=f"Correct the row, or set the delimiter option (now {_spoken(self.layout.delimiter)}).",
        )
        return None

    def _unreadable(self, error: csv.Error, start: int) -> StudioError:
        what = str(error)
        if "unexpected end" in what or "field larger" in what:
            what = "a quote is opened and never closed"
        return StudioError(
            what, where=f"{self.shown}, line {start}", remedy='Close the quote, or write a quote inside a cell as "".'
        )

    def _numbers(self, rows: Sequence[list[str]], lines: Sequence[int]) -> Floats:
        found = np.empty((len(rows), len(self.columns)))
        for column, name in enumerate(self.columns):
            place = self.layout.names.index(name)
            found[:, column] = self._column([row[place] for row in rows], name, lines)
        return found

    def _column(self, cells: list[str], name: str, lines: Sequence[int]) -> Floats:
        if self.layout.kind(name) == "yes/no":
            cells = [YES_NO.get(cell.strip().lower(), cell) for cell in cells]
        plain = cells
        if self.layout.decimal == ",":
            plain = [cell.replace(",", ".") if "." not in cell else "_" for cell in cells]
        try:
            values = np.array(list(map(float, plain)))
        except ValueError:
            values = None
        if values is None or not np.isfinite(values).all() or "_" in "".join(plain):
            values = np.array([self._cell(cell, name, line) for cell, line in zip(cells, lines, strict=True)])
        return values

    def _cell(self, cell: str, name: str, line: int) -> float:
        if is_missing(cell):
            # Where a row is a sequence, empty cells on the right only say that it is shorter; the series looks at it.
            if self.options.missing == "error" and self.options.mode == "row_is_step":
                found = repr(cell.strip()) if cell.strip() else "an empty cell"
                self.problems.error(f"{MISSING_VALUE}: {found}", line=line, column=repr(name), remedy=MISSING_REMEDY)
            return np.nan
        value = number(cell, self.layout.decimal)
        if value is None or not np.isfinite(value):
            what = "infinity is not a value to learn from" if value is not None else "this is not a number"
            shown = cell.strip() if len(cell) <= 40 else cell.strip()[:40] + "…"
            self.problems.error(f"{what}: {shown!r}", line=line, column=repr(name), remedy=self._remedy(cell))
            return np.nan
        return value

    def _remedy(self, cell: str) -> str:
        other = "," if self.layout.decimal == "." else "."
        plain = "Correct the cell, or leave the column out of inputs and targets."
        if number(cell, self.layout.decimal) is not None:
            return plain
        if number(cell, other) is not None:
            return f'Correct the cell, or set the decimal option to "{other}".'
        if number(cell.replace(".", "").replace(",", "").replace(" ", "").replace("'", ""), ".") is not None:
            return "Write numbers without a mark between the thousands."
        return plain
