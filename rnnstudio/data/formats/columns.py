"""What the columns of a table hold: guessed from the first rows, chosen by the option `kinds`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rnnstudio.data.formats import dates

KINDS = ("number", "yes/no", "label", "time", "group", "text", "ignored")
"""label: a class, in words or whole numbers; time: the order column; group: what tells sequences apart."""

NUMERIC = ("number", "yes/no")
YES_NO: Mapping[str, str] = {
    **dict.fromkeys(("yes", "true", "y", "t", "1", "1.0", "on"), "1"),
    **dict.fromkeys(("no", "false", "n", "f", "0", "0.0", "off"), "0"),
}
_MOST_CLASSES = 50


def guess_kind(cells: Sequence[str], numeric: bool) -> str:
    """The kind of a column with these cells, missing ones left out. numeric: most of them are numbers."""
    if not cells:
        return "number" if numeric else "ignored"
    words = {cell.strip().lower() for cell in cells}
    if len(words) == 2 and {YES_NO.get(word) for word in words} == {"0", "1"}:
        return "yes/no"
    if numeric:
        return "number"
    if all(dates.looks_like_a_date(cell) for cell in cells):
        return "time"
    repeated = len(words) <= max(len(cells) // 2, 2)
    return "label" if repeated and len(words) <= _MOST_CLASSES else "text"
