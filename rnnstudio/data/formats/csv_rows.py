"""One pass over the rows of a CSV file: its columns of numbers as one array, the cells of others as texts.

Pieces of half a megabyte are cut and read as a whole where their rows are plain (plain_rows.py), by the csv module
where they are not; what is wrong with a row or a cell is told the same by both.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.files import Reading
from rnnstudio.data.formats.columns import YES_NO
from rnnstudio.data.formats.numerals import is_missing, number
from rnnstudio.data.formats.plain_rows import PlainRows, cut, numbers
from rnnstudio.data.formats.sniff import Layout, rows_of
from rnnstudio.data.growing import Growing
from rnnstudio.data.iso_times import Form, joined, parsed, written
from rnnstudio.data.line_blocks import line_blocks
from rnnstudio.data.options import CsvOptions
from rnnstudio.data.problems import KEPT, Problems, quoted
from rnnstudio.data.progress import check
from rnnstudio.data.texts import Texts, packed
from rnnstudio.design.errors import StudioError

Floats = npt.NDArray[np.float64]

MISSING_VALUE = "a value is missing in a column of numbers"
MISSING_REMEDY = (
    'Fill it in, or set the missing option to "mask" (a missing target counts for nothing), "previous" or "drop".'
)
_CELLS = 1 << 15
"""Cells held as Python texts at a time: with more of them the garbage collector doubles the reading time."""
_MOST_ROWS = 1 << 10


def spoken(delimiter: str) -> str:
    """A delimiter for people."""
    return {"\t": "tab", " ": "space"}.get(delimiter, repr(delimiter))


class CsvRows:
    """Reads once. columns: those of numbers; labels: those whose cells stay texts, `order` among them.

    unseen: columns that nothing was seen in as far as the sample goes, and that are not read therefore.
    """

    def __init__(
        self,
        reading: Reading,
        options: CsvOptions,
        layout: Layout,
        columns: tuple[str, ...],
        labels: tuple[str, ...],
        problems: Problems,
        size: int,
        unseen: tuple[str, ...] = (),
    ) -> None:
        self.reading = reading
        self.options = options
        self.layout = layout
        self.columns = columns
        self.problems = problems
        self.width = len(layout.names)
        self.may_be_short = options.mode == "row_is_sequence"
        self.empty_rows = 0
        self._unseen = dict.fromkeys(map(layout.place, unseen))
        self._size = size
        self._places = [layout.place(name) for name in columns]
        self._yes_no = [layout.kind(name) == "yes/no" for name in columns]
        self._numbers = Growing((len(columns),), np.float64, self._expected)
        self._lines = Growing((), np.int32, self._expected)
        self._labels: dict[str, _Labels] = {
            name: _Labels(layout.place(name), different=name == options.order) for name in labels
        }

    def read(self) -> tuple[Floats, npt.NDArray[Any], dict[str, Sequence[str]]]:
        """[rows, columns] numbers, NaN = missing; [rows] the line each row ends on, in 32 bits; the labels' texts."""
        lines = _Lines(line_blocks(self.reading), self.reading.shown)
        for _ in islice(lines, self.layout.skip):
            pass
        rows = self._rows(lines)
        above = self.layout.header + self.layout.below
        at_once = max(1, min(_MOST_ROWS, _CELLS // max(self.width, 1)))
        ended = False
        while not ended:
            if not above and lines.between and self._took_plain(lines):
                continue
            block: list[tuple[int, list[str]]] = []
            ended = True
            for line, row in rows:
                ended = False
                if row is not None and above:
                    above -= 1
                elif row is not None:
                    block.append((line, row))
                if lines.between or len(block) == at_once:
                    break
            check()
            if block:
                self._take([row for _, row in block], [line for line, _ in block])
        if self.empty_rows:
            self.problems.warn(f"{self.empty_rows} rows with only empty cells were left out")
        found = {name: own.finished() for name, own in self._labels.items()}
        return self._numbers.finished(), self._lines.finished(), found

    def _expected(self, rows: int) -> int:
        """How many rows there will be, if the rest of the file is like what was read of it."""
        read = self.reading.done
        return int(rows * 1.02 * max(self._size, read) / max(read, 1)) + 1

    # --- plain rows

    def _took_plain(self, lines: _Lines) -> bool:
        """The next piece as a whole, or, where it is none of plain rows, its lines one by one; False at the end."""
        piece = lines.piece()
        if piece is None:
            return False
        rows = cut(piece, self.layout.delimiter, self.width)
        if rows is None:
            lines.feed(piece)
            return False
        before = lines.number
        lines.number += piece.count(b"\n")
        empty = rows.empty()
        if empty.any():
            self.empty_rows += int(empty.sum()) if self.width > 1 else 0
            rows = rows.only(~empty)
        if len(rows):
            self._take_plain(rows, rows.lines + before)
        return True

    def _take_plain(self, rows: PlainRows, lines: npt.NDArray[np.int64]) -> None:
        self._tell_late(rows, lines)
        values, odd = numbers(rows, self._places, self.layout.decimal)
        if odd.any():
            self._mend(values, odd, rows, lines)
        self._numbers.append(values)
        self._lines.append(lines)
        for own in self._labels.values():
            packed_cells = rows.packed(own.place) if own.different else None
            if packed_cells is not None:
                own.add_packed(packed_cells)
            else:
                own.add(rows.texts(own.place))

    def _mend(self, values: Floats, odd: npt.NDArray[np.bool_], rows: PlainRows, lines: npt.NDArray[np.int64]) -> None:
        """The numbers of the cells that are no plain decimals, put in their place."""
        places = np.array(self._places)
        empty = (rows.starts == rows.ends)[:, places] & odd
        if not self._tells_missing:
            odd = odd & ~empty
        else:  # the first of them are told with their place, all are counted
            beyond = np.flatnonzero(empty.reshape(-1))[max(KEPT - self.problems.errors, 1) :]
            self.problems.errors += len(beyond)
            odd = odd.copy()
            odd.reshape(-1)[beyond] = False
        for column in np.flatnonzero(odd.any(axis=0)).tolist():
            at = np.flatnonzero(odd[:, column])
            cells = rows.texts(self._places[column], at)
            values[at, column] = self._column(cells, column, lines[at].tolist())

    # --- columns that are left out

    def _tell_late(self, rows: PlainRows, lines: npt.NDArray[np.int64]) -> None:
        """Say of a column that was left out as empty where it has something after all."""
        if not self._unseen:
            return
        places = np.array(list(self._unseen))
        there = rows.starts[:, places] < rows.ends[:, places]
        for at in np.flatnonzero(there.any(axis=0)).tolist():
            some = np.flatnonzero(there[:, at])
            self._tell_first(int(places[at]), rows.texts(int(places[at]), some), lines[some].tolist())

    def _tell_first(self, place: int, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Of the cells of such a column: the first one that is not missing."""
        at = next((at for at, cell in enumerate(cells) if not is_missing(cell)), None)
        if at is None:
            return
        del self._unseen[place]
        name = self.layout.names[place]
        self.problems.warn(
            f"the column {quoted(name)} is not used, as the first rows have nothing in it, "
            f"but here it has {quoted(cells[at].strip())}",
            line=lines[at],
            column=repr(name),
            remedy=f"To read it, set kinds to {name}: number, and put it among the inputs or targets.",
        )

    # --- row by row

    def _rows(self, lines: _Lines) -> Iterator[tuple[int, list[str] | None]]:
        """Each row with its line, exactly as wide as the header; None for one that is blank or reported and left out.

        Where `lines` is between two pieces when it yields, the next piece may be taken from it.
        """
        reader = rows_of(lines, self.layout.delimiter, strict=True)
        while True:
            start = lines.number + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                if self.reading.cut and "unexpected end" in str(error):
                    return  # a beginning of a file may end within a row
                raise self._unreadable(error, start) from error
            if row is None:
                return
            line = lines.number
            if len(row) != self.width or not row:
                yield line, self._fitted(row, line, start)
            elif not any(row):
                self.empty_rows += 1
                yield line, None
            else:
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
            remedy=f"Correct the row, or set the delimiter option (now {spoken(self.layout.delimiter)}).",
        )
        return None

    def _unreadable(self, error: csv.Error, start: int) -> StudioError:
        what = str(error)
        if "unexpected end" in what or "field larger" in what:
            what = "a quote is opened and never closed"
        return StudioError(
            what,
            where=f"{self.reading.shown}, line {start}",
            remedy='Close the quote, or write a quote inside a cell as "".',
        )

    def _take(self, rows: Sequence[list[str]], lines: Sequence[int]) -> None:
        for place in list(self._unseen):
            self._tell_first(place, [row[place] for row in rows], lines)
        found = np.empty((len(rows), len(self.columns)))
        for column, place in enumerate(self._places):
            found[:, column] = self._column([row[place] for row in rows], column, lines)
        self._numbers.append(found)
        self._lines.append(np.array(lines, np.int32))
        for own in self._labels.values():
            own.add([row[own.place] for row in rows])

    # --- cells

    @property
    def _tells_missing(self) -> bool:
        """Where a row is a sequence, empty cells on the right only say that it is shorter; the series looks at it."""
        return self.options.missing == "error" and self.options.mode == "row_is_step"

    def _column(self, cells: list[str], column: int, lines: Sequence[int]) -> Floats:
        if self._yes_no[column]:
            cells = [YES_NO.get(cell.strip().lower(), cell) for cell in cells]
        plain = cells
        if self.layout.decimal == ",":
            plain = [cell.replace(",", ".") if "." not in cell else "_" for cell in cells]
        try:
            values = np.array(list(map(float, plain)))
        except ValueError:
            values = None
        if values is None or not np.isfinite(values).all() or "_" in "".join(plain):
            name = self.columns[column]
            values = np.array([self._cell(cell, name, line) for cell, line in zip(cells, lines, strict=True)])
        return values

    def _cell(self, cell: str, name: str, line: int) -> float:
        if is_missing(cell):
            if self._tells_missing:
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


class _Labels:
    """The cells of a column of texts. different: hardly any two are alike, as times are not."""

    def __init__(self, place: int, different: bool) -> None:
        self.place = place
        self.different = different
        self._known: dict[str, str] = {}
        self._all: list[str] = []
        self._packed: list[npt.NDArray[Any]] = []
        self._form: Form | None = None
        """Where all so far are times of one form, and `_packed` holds them as such."""

    def add(self, cells: Sequence[str]) -> None:
        stripped = map(str.strip, cells)
        if self.different:
            self.add_packed(packed(list(stripped)))
        else:
            known = self._known
            self._all.extend(known.setdefault(cell, cell) for cell in stripped)

    def add_packed(self, cells: npt.NDArray[Any]) -> None:
        times = parsed(cells) if self._form is not None or not self._packed else None
        if times is not None and self._form in (None, times[1]):
            values, self._form = times
            self._packed.append(values)
            return
        if self._form is not None:  # others are none: all become texts again
            form, self._form = self._form, None
            self._packed = [packed(written(values, form)) for values in self._packed]
        self._packed.append(cells)

    def finished(self) -> Sequence[str]:
        if not self.different:
            return self._all
        return Texts.joined(self._packed) if self._form is None else joined(self._packed, self._form)


class _Lines:
    """The lines of pieces that end where a line does. number: of the line that was given last, or taken as a piece.

    Who finds it `between` two pieces may take the next one as a whole.
    """

    def __init__(self, pieces: Iterator[bytes], shown: str) -> None:
        self._pieces = pieces
        self._shown = shown
        self._waiting: list[str] = []
        self.number = 0

    @property
    def between(self) -> bool:
        return not self._waiting

    def piece(self) -> bytes | None:
        """The next piece; None at the end. Raises StudioError for one that no table has a row in."""
        piece = next(self._pieces, None)
        if piece is not None and len(piece) > _LONGEST:
            raise StudioError(
                f"the line is {len(piece) / 1e6:,.0f} MB long",
                where=f"{self._shown}, line {self.number + 1}",
                remedy=f"A row of a table has {_LONGEST >> 20} MB at most. Read the file as text, or cut its rows.",
            )
        return piece

    def feed(self, piece: bytes) -> None:
        """Give the lines of this piece next."""
        lines = piece.decode("utf-8", "surrogatepass").split("\n")[:-1]
        self._waiting = [f"{line}\n" for line in reversed(lines)]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._waiting:
            piece = self.piece()
            if piece is None:
                raise StopIteration
            self.feed(piece)
        self.number += 1
        return self._waiting.pop()


_LONGEST = 1 << 26
