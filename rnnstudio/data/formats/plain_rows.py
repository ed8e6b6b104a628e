"""Rows of a table cut and read many at once, in numpy, with the same numbers as row by row.

What needs the csv module's rules (a quote amid a cell, rows of other widths) is left to it, what is no plain decimal
number to numerals.py. A decimal is read exactly: its digits make a whole number below 2⁵³ and its places a power of ten
below 10²³, both of which float64 holds, so that their quotient is rounded once, as `float` rounds it (Clinger 1990,
How to read floating point numbers accurately).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.texts import WIDEST

Bytes: TypeAlias = npt.NDArray[np.uint8]
Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

_NEWLINE, _QUOTE, _SPACE, _TAB = 10, 34, 32, 9
_DIGITS = 18
"""So many fit into int64."""
_EXACT = 1 << 53
_TENS = 10.0 ** np.arange(_DIGITS + 1)
_ODD_SPACES = tuple(bytes((byte,)) for byte in (0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x1F))


@dataclass(frozen=True)
class PlainRows:
    """The rows of a piece of a file in UTF-8. starts, ends: [rows, columns], where each cell lies in `raw`, without the
    quotes around it. lines: [rows], on which line of the piece each ends, from 1."""

    raw: bytes
    starts: Ints
    ends: Ints
    lines: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, kept: npt.NDArray[np.bool_] | slice) -> PlainRows:
        return PlainRows(self.raw, self.starts[kept], self.ends[kept], self.lines[kept])

    def cell(self, row: int, column: int) -> str:
        return self.raw[self.starts[row, column] : self.ends[row, column]].decode("utf-8", "surrogatepass")

    def texts(self, column: int, rows: Sequence[int] | Ints | slice = slice(None)) -> list[str]:
        """The cells of a column, or of some of its rows."""
        raw = self.raw
        pairs = zip(self.starts[rows, column].tolist(), self.ends[rows, column].tolist(), strict=True)
        return [raw[start:end].decode("utf-8", "surrogatepass") for start, end in pairs]

    def packed(self, column: int) -> npt.NDArray[Any] | None:
        """The cells of a column as an array of bytes, as Texts holds them; None where texts() alone says them: spaces
        around them, or long ones."""
        starts, ends = self.starts[:, column], self.ends[:, column]
        width = int((ends - starts).max(initial=1))
        buffer = np.frombuffer(self.raw, np.uint8)
        spaces = b" " in self.raw and any(
            (np.take(buffer, at, mode="wrap") == _SPACE).any() for at in (starts, ends - 1)
        )
        if width > WIDEST or spaces or b"\t" in self.raw:
            return None
        at = starts[:, None] + np.arange(width)
        signs = np.take(buffer, at, mode="clip")
        signs[at >= ends[:, None]] = 0
        return signs.view(f"S{width}").reshape(-1)

    def empty(self) -> npt.NDArray[np.bool_]:
        """[rows]: nothing stands in any cell."""
        return np.asarray((self.starts == self.ends).all(axis=1))


def cut(raw: bytes, delimiter: str, width: int) -> PlainRows | None:
    """The rows of a piece that ends with a line end; None where row by row alone does: see the module."""
    if delimiter == "whitespace":
        return _cut_at_spaces(raw, width)
    mark = delimiter.encode()
    if len(mark) != 1:
        return None
    buffer = np.frombuffer(raw, np.uint8)
    borders = buffer == mark[0]
    line_ends = buffer == _NEWLINE
    quoted = b'"' in raw
    if quoted:
        inside = np.cumsum(buffer == _QUOTE, dtype=np.int32) & 1
        if inside[-1]:
            return None  # the piece ends within a cell
        borders |= line_ends
        borders &= inside == 0
    else:
        borders |= line_ends
    ends = np.flatnonzero(borders)
    if len(ends) % width:
        return None
    last = buffer[ends].reshape(-1, width) == _NEWLINE
    if not last[:, -1].all() or np.count_nonzero(last) != len(last):
        return None
    starts = np.empty_like(ends)
    starts[0] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    if quoted:
        rows = np.searchsorted(np.flatnonzero(line_ends), ends[width - 1 :: width]) + 1
    else:
        rows = np.arange(1, len(last) + 1)
    if b" " in raw:
        while (before := (buffer[starts] == _SPACE) & (starts < ends)).any():
            starts += before
    if quoted:
        opened = buffer[starts] == _QUOTE
        closed = buffer[ends - 1] == _QUOTE
        if not np.array_equal(opened, closed & (ends - starts > 1)) or raw.count(b'"') != 2 * np.count_nonzero(opened):
            return None
        starts += opened
        ends = ends - opened
    return PlainRows(raw, starts.reshape(-1, width), ends.reshape(-1, width), rows)


def _cut_at_spaces(raw: bytes, width: int) -> PlainRows | None:
    if not raw.isascii() or any(byte in raw for byte in _ODD_SPACES):
        return None
    buffer = np.frombuffer(raw, np.uint8)
    line_ends = buffer == _NEWLINE
    space = line_ends | (buffer == _SPACE) | (buffer == _TAB)
    before = np.concatenate(([True], space[:-1]))
    starts, ends = np.flatnonzero(~space & before), np.flatnonzero(space & ~before)
    rows = np.searchsorted(np.flatnonzero(line_ends), starts)
    if len(starts) % width or not np.array_equal(rows, np.repeat(np.arange(len(starts) // width), width)):
        return None
    return PlainRows(raw, starts.reshape(-1, width), ends.reshape(-1, width), rows[::width] + 1)


def numbers(rows: PlainRows, columns: Sequence[int], decimal: str) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """[rows, columns] each: the numbers of some columns, and which cells are no plain decimals; those are NaN."""
    buffer = np.frombuffer(rows.raw, np.uint8)
    every = len(columns) == rows.starts.shape[1] and list(columns) == list(range(len(columns)))
    chosen = slice(None) if every else list(columns)
    starts, ends = rows.starts[:, chosen].reshape(-1), rows.ends[:, chosen].reshape(-1)
    if b" " in rows.raw:
        while (behind := (np.take(buffer, ends - 1) == _SPACE) & (starts < ends)).any():
            ends = ends - behind
    # An empty cell at the end of a file begins behind its last byte.
    below_zero = np.take(buffer, starts, mode="clip") == ord("-")
    starts = starts + below_zero
    whole, behind_mark, odd = _whole_numbers(buffer, starts, ends - starts, ord(decimal))
    odd |= whole > _EXACT
    values = whole / np.take(_TENS, behind_mark, mode="clip")
    np.negative(values, out=values, where=below_zero)
    values[odd] = np.nan
    shape = (len(rows), len(columns))
    return values.reshape(shape), odd.reshape(shape)


def _whole_numbers(buffer: Bytes, starts: Ints, lengths: Ints, mark: int) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """The digits of each cell as one whole number, how many stand behind the decimal mark, and which cells have
    anything else in them, or too many digits."""
    odd = (lengths <= 0) | (lengths > _DIGITS + 1)
    short = np.where(odd, 0, lengths).astype(np.uint8)
    value = np.zeros(len(starts), np.int64)
    seen, points, behind = np.zeros_like(short), np.zeros_like(short), np.zeros_like(short)
    at, shifted = starts.copy(), np.empty_like(value)
    for place in range(int(short.max(initial=0))):
        found = np.take(buffer, at, mode="clip")
        inside = short > place
        digit = found - np.uint8(48)
        is_digit = digit < 10
        is_digit &= inside
        np.multiply(value, 10, out=shifted)
        shifted += digit
        np.copyto(value, shifted, where=is_digit)
        seen += is_digit
        behind += is_digit & (points > 0)
        is_point = found == mark
        is_point &= inside
        points += is_point
        at += 1
    odd |= (seen + points != short) | (seen == 0) | (seen > _DIGITS) | (points > 1)
    return value, behind.astype(np.int64), odd
