"""How a CSV file is written, from its first lines: delimiter, decimal mark, header, which columns hold numbers."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from rnnstudio.data.formats.columns import guess_kind
from rnnstudio.data.formats.numerals import DECIMAL_COMMA, all_plain, find_decimal, is_missing, is_number, number
from rnnstudio.data.options import CsvOptions

_DELIMITERS = (",", ";", "\t", "|", "whitespace")
_MOST_TITLE_LINES = 10
_CELLS, _LEAST_ROWS = 20_000, 4
"""A delimiter is told by so many cells, or rows."""
_MOST_UNITS = 4
"""Rows below a header that say more of the columns: units, kinds, how they were made."""


@dataclass(frozen=True)
class Layout:
    """How the file is written.

    skip: lines above the table. numeric: for each column, whether most of its cells are numbers. example: the first row
    of data. kinds: of the columns (see columns.py), as guessed or as the options say.
    """

    skip: int
    delimiter: str
    decimal: str
    header: bool
    names: tuple[str, ...]
    numeric: tuple[bool, ...]
    example: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    below: int = 0
    """Rows below the header that are no data, such as units."""

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in reversed(tuple(enumerate(self.names)))}

    def place(self, name: str) -> int:
        """Which column is called so; the first, where several are."""
        return self._places[name]

    def kind(self, name: str) -> str:
        """Of the column of that name."""
        return self.kinds[self.place(name)]

    def options(self, options: CsvOptions) -> CsvOptions:
        """The options with everything that was "auto" settled."""
        return replace(
            options,
            skip_lines=self.skip,
            delimiter=self.delimiter,
            decimal=self.decimal,
            header=self.header,
            skip_below=self.below,
        )


def rows_of(lines: Iterable[str], delimiter: str, strict: bool) -> Iterator[list[str]]:
    """The cells of each row; an empty list for a blank line. Quotes are the CSV module's; "whitespace" knows none."""
    if delimiter == "whitespace":
        return (line.split() for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)


def trimmed(rows: Iterable[list[str]]) -> list[list[str]]:
    """Without blank rows and without the empty cells that hang on the right."""
    kept = []
    for row in rows:
        end = len(row)
        while end and not row[end - 1].strip():
            end -= 1
        if end:
            kept.append(row[:end])
    return kept


def sample_rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The rows of a sample, blank ones left out; broken quoting in it is for the reader to report."""
    try:
        return [row for row in rows_of(lines, delimiter, strict=False) if any(cell.strip() for cell in row)]
    except csv.Error:
        return []


def find_delimiter(lines: Sequence[str]) -> tuple[str, float]:
    """The delimiter that cuts the lines into equally many cells, most of them numbers; and the share of numbers then.

    ("", 0.0) when every delimiter leaves one column.
    """
    best: tuple[bool, float, int, str] = (False, 0.0, 1, "")
    for delimiter in _DELIMITERS:
        rows = trimmed(sample_rows(lines, delimiter))
        if not rows:
            continue
        width, same = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0]
        if width < 2 or (len(rows) > 1 and len(rows[0]) == 1):
            continue
        share = _share_of_numbers((rows[1:] or rows)[: max(_CELLS // width, _LEAST_ROWS)])
        consistent = same >= 0.8 * len(rows[1:] or rows)
        if delimiter == "whitespace" and share < 0.5 and best[0]:
            continue  # spaces between words part no columns where a mark does
        if (consistent, round(share, 2), width) > best[:3]:
            best = (consistent, round(share, 2), width, delimiter)
    return best[3], best[1]


def _share_of_numbers(rows: Sequence[Sequence[str]]) -> float:
    """Of the cells that are not missing."""
    cells = numbers = 0
    for row in rows:
        there = row if all_plain(row) else [cell for cell in row if not is_missing(cell)]
        cells += len(there)
        numbers += len(row) if there is row else sum(map(is_number, there))
    return numbers / max(cells, 1)


def _for_one_column(lines: Sequence[str]) -> str:
    """A delimiter that leaves one column whole: not the comma when the numbers are written as 3,5."""
    return ";" if any(DECIMAL_COMMA.fullmatch(line.strip()) for line in lines[1:]) else ","


def find_preamble(lines: Sequence[str]) -> int:
    """How many lines stand above the table: comments after #, Excel's "sep=;", and titles of one cell over a header."""
    skip = 0
    while skip < len(lines) - 1 and lines[skip].lstrip().lower().startswith(("#", "sep=")):
        skip += 1
    rest = lines[skip:]
    delimiter = find_delimiter(rest[len(rest) // 2 :])[0]
    rows = [trimmed(sample_rows([line], delimiter)) for line in rest] if delimiter and '"' not in rest[0] else []
    title = 0
    while title < min(len(rows), _MOST_TITLE_LINES + 1) and (not rows[title] or len(rows[title][0]) == 1):
        title += 1
    if not 0 < title < len(rows) or title > _MOST_TITLE_LINES:
        return skip
    body = [row[0] for row in rows[title + 1 :] if row]
    numeric = _numeric(body, len(rows[title][0]), ".")
    return skip + title if _looks_like_header(rows[title][0], numeric, ".") else skip


def find_layout(lines: Sequence[str], options: CsvOptions) -> Layout:
    """What the first lines show, where the options leave it open. lines: with their line ends."""
    skip = find_preamble(lines) if options.skip_lines is None else options.skip_lines
    lines = lines[skip:]
    delimiter = options.delimiter
    if delimiter == "auto":
        delimiter = find_delimiter(lines)[0] or _for_one_column(lines)
    rows = sample_rows(lines, delimiter)
    decimal = options.decimal if options.decimal != "auto" else find_decimal(rows[1:] or rows)
    tail = rows[1:]
    # A delimiter at the end of every line makes an empty last column, which is none.
    width = max((len(row) for row in trimmed(rows)), default=0)
    numeric = _numeric(tail, width, decimal)
    header = options.header
    if not isinstance(header, bool):
        header = bool(rows) and _looks_like_header(rows[0], numeric, decimal)
    if not header:
        numeric = _numeric(rows, width, decimal)
    if header and rows:
        cells = trimmed(rows[:1])[0]
        names = [" ".join(cell.split()) for cell in cells]
        # Rows wider than the header are the reader's to report; unnamed columns in between get their number.
        names = [name or f"column{place + 1}" for place, name in enumerate(names)]
        numeric = (numeric + (False,) * len(names))[: len(names)]
    else:
        names = [f"column{place + 1}" for place in range(width)]
        if rows:
            common = Counter(len(row) for row in trimmed(rows)).most_common(1)[0][0]
            names, numeric = (
                (names, numeric) if options.mode == "row_is_sequence" else (names[:common], numeric[:common])
            )
    body = rows[1:] if header else rows
    below = options.skip_below if options.skip_below is not None else _units(body, decimal) if header else 0
    body = body[below:]
    if below:
        numeric = _numeric(body, len(names), decimal)
    example = tuple(body[0]) if body else ()
    kinds = tuple(_kind(body, place, name, numeric[place], options) for place, name in enumerate(names))
    return Layout(skip, delimiter, decimal, header, tuple(names), numeric, example, kinds, below)


def _kind(rows: Sequence[Sequence[str]], place: int, name: str, numeric: bool, options: CsvOptions) -> str:
    """A column's kind: what its role says, what the person says, else by its cells."""
    if name == options.group or name == options.order:
        return "group" if name == options.group else "time"
    if name in options.kinds:
        return options.kinds[name]
    return guess_kind([row[place] for row in rows if place < len(row) and not is_missing(row[place])], numeric)


def _numeric(rows: Sequence[Sequence[str]], width: int, decimal: str) -> tuple[bool, ...]:
    """Of each column, whether most of its cells are numbers."""
    if decimal == "." and rows and all(len(row) == width and all_plain(row) for row in rows):
        return (True,) * width
    return tuple(_mostly_numbers([row[i] for row in rows if i < len(row)], decimal) for i in range(width))


def _mostly_numbers(cells: Sequence[str], decimal: str) -> bool:
    present = [cell for cell in cells if not is_missing(cell)]
    return bool(present) and sum(number(cell, decimal) is not None for cell in present) > len(present) / 2


def _units(body: Sequence[Sequence[str]], decimal: str) -> int:
    """How many of the first rows are no data: words stand in them where all rows below have numbers."""
    if decimal == "." and all(map(all_plain, body[:_MOST_UNITS])):
        return 0
    for rows in range(min(_MOST_UNITS, len(body) - 3), 0, -1):
        width = min(len(row) for row in body[: rows + 1])
        below = [
            [row[i] for row in body[rows : rows + 50] if i < len(row) and not is_missing(row[i])] for i in range(width)
        ]
        numbers = [
            i for i, cells in enumerate(below) if len(cells) > 2 and all(number(c, decimal) is not None for c in cells)
        ]
        wordy = [sum(number(row[i], decimal) is None for i in numbers) for row in body[:rows]]
        if numbers and all(words == len(numbers) for words in wordy):
            return rows
    return 0


def _counted(first: Sequence[str]) -> bool:
    """Whether most cells count on, as years in a header do: a first column of names, then 2001, 2002, 2003 …"""
    found = [number(cell, ".") for cell in first[1:]]
    whole = [value for value in found if value is not None and value == int(value)]
    if len(whole) < 3 or len(whole) < len(first) - 2 or number(first[0], ".") is not None:
        return False
    steps = {b - a for a, b in pairwise(whole)}
    return steps == {1.0} or (len(steps) == 1 and 1000 <= whole[0] <= 2200 and steps.pop() > 0)


def _looks_like_header(first: Sequence[str], numeric: Sequence[bool], decimal: str) -> bool:
    if _counted(first):
        return True
    text = [not is_missing(cell) and number(cell, decimal) is None for cell in first]
    if any(is_text and is_number for is_text, is_number in zip(text, numeric, strict=False)):
        return True
    return all(text) and not any(numeric)
