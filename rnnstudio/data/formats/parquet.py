"""Parquet files as tables, read by polars (the extra `tables`). What a column holds says the file's schema.

Dates order rows as what they are, booleans are yes and no, categories are classes, decimals are numbers, and null is a
value that is missing. Only columns of texts are looked into, as those of a CSV file are: a text says no more than it
does there. Columns are taken a few at a time, so that no second array as large as the table is made.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples
from rnnstudio.data.files import FileFacts, opened, size_of
from rnnstudio.data.formats.columns import YES_NO, guess_kind
from rnnstudio.data.formats.csv_file import TableReader, examples_of, with_roles
from rnnstudio.data.formats.csv_rows import MISSING_REMEDY, MISSING_VALUE
from rnnstudio.data.formats.numerals import is_missing, number
from rnnstudio.data.formats.sniff import Layout
from rnnstudio.data.formats.table import Table, find_columns, tell_unused
from rnnstudio.data.formats.table_series import series_of
from rnnstudio.data.in_blocks import VALUES
from rnnstudio.data.options import TableOptions
from rnnstudio.data.packed import Entry
from rnnstudio.data.problems import KEPT, Problems, quoted
from rnnstudio.data.progress import step
from rnnstudio.data.readers import Guess
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.texts import Texts, packed
from rnnstudio.design.errors import StudioError

Floats = npt.NDArray[np.float64]
_MAGIC = b"PAR1"
_SAMPLE_ROWS = 2000
_SAMPLE_CELLS = 400_000
_UNREADABLE = "A part of it is damaged, or it is written in a way that polars does not know. Write it again."


@dataclass(frozen=True)
class ParquetOptions(TableOptions):
    """A Parquet file as sequences."""


class ParquetReader(TableReader):
    """As the tables of CSV files, without a guess where the file says what a column holds."""

    name = "parquet"
    title = "table (Parquet)"
    what = "a Parquet table"
    suffixes = (".parquet", ".pq", ".parq")
    Options = ParquetOptions
    beginnings = True

    def guess(self, sample: Sample) -> Guess | None:
        if not sample.head.startswith(_MAGIC):
            return None
        why = "the file is a Parquet table"
        try:
            file = _File(sample.path, sample.shown)
            layout, rows = file.layout(ParquetOptions())
            return Guess(0.95, with_roles(ParquetOptions(), layout, rows, file.rows), self.parts, why)
        except StudioError:
            return Guess(0.95, ParquetOptions(), self.parts, why)  # what is wrong is told when it is read

    def layout(self, sample: Sample, options: TableOptions) -> Layout:
        return _File(sample.path, sample.shown).layout(options)[0]

    def read(self, source: Source, options: ParquetOptions, problems: Problems) -> Examples:
        problems.counted = "row"
        file = _File(source.path, source.shown)
        size = size_of(source.path)
        if source.most and source.most < size:
            file.keep(max(file.rows * source.most // size, min(file.rows, _SAMPLE_ROWS)))
            source.shortened = True
        facts = FileFacts(source.most, "", 0, 0) if source.shortened else source.facts()
        layout, _ = file.layout(options)
        inputs, targets = find_columns(layout, options, source.shown)
        used = dict.fromkeys((*inputs, *targets))
        for name in used:
            file.refuse_nested(name)
        columns = tuple(name for name in used if layout.kind(name) != "label")
        labels = [name for name in (options.group, options.order) if name]
        labels += [name for name in used if layout.kind(name) == "label"]
        tell_unused(layout, {*used, *labels, source.column}, problems)
        split_columns = tuple(name for name in layout.names if source.wants(name) or name == options.group)
        labels = list(dict.fromkeys((*labels, *split_columns)))
        numbers = file.numbers(columns, layout, options, problems)
        keys = {options.order: file.keys(options.order)} if options.order and file.is_ordered(options.order) else {}
        table = Table(
            layout,
            columns,
            numbers,
            np.arange(1, file.rows + 1),
            {name: file.texts(name, name == options.order) for name in labels},
            split_columns,
            keys,
        )
        return examples_of(series_of(table, options, facts, source.shown, problems))


def library() -> Any:
    """polars. Raises StudioError where it is not installed."""
    try:
        import polars
    except ImportError as error:
        raise StudioError(
            "Parquet files need the package polars, which is not installed",
            where="data reader parquet",
            remedy='Install it with: pip install "rnnstudio[tables]", or save the table as CSV.',
        ) from error
    return polars


class _File:
    """A Parquet file that is looked into. rows: how many it has. Raises StudioError for whatever is wrong with it."""

    def __init__(self, path: Entry, shown: str) -> None:
        self.shown = shown
        with opened(path, shown) as stream:  # polars would wait for a pipe, and asks for much memory before it looks
            head = stream.read(len(_MAGIC))
            if head != _MAGIC:
                raise StudioError(
                    "this is no Parquet table", where=shown, remedy="Choose another reader, or another file."
                )
            source = path if isinstance(path, Path) else io.BytesIO(head + stream.read())
        self._polars = library()
        self._frame = self._asked(lambda: self._polars.scan_parquet(source, glob=False, hive_partitioning=False))
        self.schema: Mapping[str, Any] = self._asked(self._frame.collect_schema)
        if not self.schema:
            raise StudioError("the table has no column", where=shown, remedy="Choose a file with data in it.")
        self.rows: int = self._asked(lambda: self._frame.select(self._polars.len()).collect().item())

    def _asked(self, ask: Any) -> Any:
        """What asking polars gives. What it raises, be it a panic of its Rust code, is one StudioError."""
        errors = self._polars.exceptions
        try:
            return ask()
        except errors.PanicException as error:
            raise StudioError("the Parquet file is damaged", where=self.shown, remedy=_UNREADABLE) from error
        except (errors.PolarsError, OSError, ValueError) as error:
            why = " ".join(str(error).split())[:160]
            what = f"the Parquet file cannot be read: {why}"
            raise StudioError(what, where=self.shown, remedy=_UNREADABLE) from error

    def _taken(self, names: Sequence[Any]) -> Any:
        return self._asked(lambda: self._frame.select(names).collect())

    def keep(self, rows: int) -> None:
        """Look at the first rows alone from now on."""
        self._frame, self.rows = self._frame.head(rows), rows

    # --- what columns hold

    def layout(self, options: TableOptions) -> tuple[Layout, list[list[str]]]:
        """The columns' names and kinds, and the first rows as texts."""
        names = tuple(self.schema)
        rows = max(1, min(_SAMPLE_ROWS, _SAMPLE_CELLS // len(names)))
        plain = [self._as_text(name) for name in names]
        found = self._asked(lambda: self._frame.head(rows).select(plain).collect())
        cells = {name: [cell or "" for cell in found[name].to_list()] for name in names}
        kinds = tuple(self._kind(name, cells[name], options) for name in names)
        numeric = tuple(kind in ("number", "yes/no") for kind in kinds)
        sample = [list(row) for row in zip(*cells.values(), strict=True)]
        example = tuple(sample[0]) if sample else ()
        return Layout(0, "", ".", True, names, numeric, example, kinds), sample

    def _kind(self, name: str, cells: Sequence[str], options: TableOptions) -> str:
        if name in (options.group, options.order):
            return "group" if name == options.group else "time"
        if name in options.kinds:
            return options.kinds[name]
        polars, dtype = self._polars, self.schema[name]
        if dtype.is_numeric() or dtype == polars.Duration:
            return "number"
        if dtype == polars.Boolean:
            return "yes/no"
        if dtype.is_temporal():
            return "time"
        if isinstance(dtype, polars.Categorical | polars.Enum):
            return "label"
        if dtype == polars.String:
            return guess_kind([cell for cell in cells if not is_missing(cell)], numeric=False)
        return "ignored"

    def _is_nested(self, name: str) -> bool:
        """Whether a column holds something that is neither number nor text: lists, records, bytes, nothing."""
        polars, dtype = self._polars, self.schema[name]
        known = dtype.is_numeric() or dtype.is_temporal() or dtype in (polars.Boolean, polars.String)
        return not known and not isinstance(dtype, polars.Categorical | polars.Enum)

    def refuse_nested(self, name: str) -> None:
        """Raises StudioError for a column that cannot be an input or a target, whatever its kind is said to be."""
        if self._is_nested(name):
            raise StudioError(
                f"the column {name!r} holds {self.schema[name]}, neither numbers nor texts",
                where=f"{self.shown}, option inputs",
                remedy="Leave it out, or unnest it into columns of its own first.",
            )

    def is_ordered(self, name: str) -> bool:
        """Whether the file says what comes first: numbers and times; texts are looked into."""
        return bool(self.schema[name].is_numeric() or self.schema[name].is_temporal())

    # --- what they hold

    def _as_text(self, name: str) -> Any:
        polars, dtype = self._polars, self.schema[name]
        column = polars.col(name)
        if self._is_nested(name):
            return polars.lit(str(dtype)).alias(name)
        if dtype == polars.Duration:
            return self._as_number(name).cast(polars.String)
        return column.cast(polars.String)

    def _as_number(self, name: str) -> Any:
        polars, dtype = self._polars, self.schema[name]
        column = polars.col(name)
        if dtype == polars.Duration:
            return column.dt.total_nanoseconds() / 1e9
        if dtype == polars.Date:
            return column.cast(polars.Datetime("us")).dt.timestamp("us") / 1e6
        if dtype == polars.Datetime:
            return column.dt.timestamp("us") / 1e6
        if dtype == polars.Time:
            return column.cast(polars.Int64) / 1e9
        return column.cast(polars.Float64)

    def keys(self, name: str) -> Floats:
        """[rows]: what rows are put in order by, seconds where they are times; NaN where nothing stands."""
        return np.asarray(self._taken([self._as_number(name)])[name].to_numpy(), np.float64)

    def texts(self, name: str, different: bool) -> Sequence[str]:
        """The cells of a column as texts, "" for none. different: hardly any two are alike."""
        if self._is_nested(name):
            self.refuse_nested(name)
        cells = self._taken([self._as_text(name).fill_null("")])[name].to_list()
        if different:
            return Texts(packed(cells))
        known: dict[str, str] = {}
        return [known.setdefault(cell, cell) for cell in cells]

    def numbers(self, columns: Sequence[str], layout: Layout, options: TableOptions, problems: Problems) -> Floats:
        """[rows, columns]. A null is NaN; what is no number is told with its row."""
        found = np.empty((self.rows, len(columns)))
        at_once = max(1, 4 * VALUES // max(self.rows, 1))
        plain = [name for name in columns if self.schema[name] != self._polars.String]
        places = {name: place for place, name in enumerate(columns)}
        for start in range(0, len(plain), at_once):
            some = plain[start : start + at_once]
            step("reading", start, len(columns))
            taken = self._taken([self._as_number(name) for name in some])
            for name in some:
                found[:, places[name]] = taken[name].to_numpy()
        tells = options.missing == "error" and options.mode == "row_is_step"
        for place, name in enumerate(columns):
            wrong = np.zeros(0, np.int64)
            if self.schema[name] == self._polars.String:
                found[:, place], wrong = self._numbers_of_texts(name, layout.kind(name), problems)
            self._tell(found[:, place], wrong, name, tells, problems)
        return found

    def _numbers_of_texts(self, name: str, kind: str, problems: Problems) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Of a column of texts that a person says holds numbers, or yes and no; and the rows of cells that are none."""
        values, wrong = np.empty(self.rows), []
        for row, cell in enumerate(self.texts(name, different=False)):
            plain = YES_NO.get(cell.strip().lower(), cell) if kind == "yes/no" else cell
            value = number(plain, ".")
            if value is None and not is_missing(cell):
                wrong.append(row)
                problems.error(
                    f"this is not a number: {quoted(cell, 40)}",
                    line=row + 1,
                    column=repr(name),
                    remedy="Correct the cell, or leave the column out of inputs and targets.",
                )
            values[row] = np.nan if value is None else value
        return values, np.array(wrong, np.int64)

    def _tell(
        self, values: Floats, told: npt.NDArray[np.int64], name: str, tells_missing: bool, problems: Problems
    ) -> None:
        """Say what cannot be learned from, but for the rows that were `told` already."""
        endless = np.flatnonzero(np.isinf(values))
        missing = np.setdiff1d(np.flatnonzero(np.isnan(values)), told) if tells_missing else endless[:0]
        for rows, what, remedy in (
            (endless, "infinity is not a value to learn from", "Leave the column out of inputs and targets."),
            (missing, MISSING_VALUE, MISSING_REMEDY),
        ):
            first = rows[: max(KEPT - problems.errors, 1)].tolist()
            for row in first:
                problems.error(what, line=row + 1, column=repr(name), remedy=remedy)
            problems.errors += len(rows) - len(first)
        values[endless] = np.nan
