"""Numbers as tables have them: with marks between thousands, a decimal comma, currency and percent signs.

What a comma means in 1,000 only its column tells: where no cell has other than three digits behind it, it parts
thousands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "–", "—", "?", "#n/a", "#na", ".", "missing", "nil"))
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_THOUSANDS_COMMA = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_THOUSANDS_POINT = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_THOUSANDS_SPACE = re.compile(r"([+-]?\d{1,3}(?:[ \u00a0\u202f\u2009'’]\d{3})+)([.,]\d+)?")
_SPACES = re.compile(r"[ \u00a0\u202f\u2009'’]")
_SIGNS = "$€£¥₹₽₩₺₴฿"
_CODES = re.compile(r"(?:USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|BRL|KRW)", re.IGNORECASE)
_ZERO_FIRST = re.compile(r"[+-]?0\d*,\d{3}")


def is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def bare(cell: str) -> str:
    """A cell without what is written around a number: signs of currency and percent, brackets of what is owed."""
    text = cell.strip().replace("−", "-")
    if not text or (text[0].isdigit() and text[-1].isdigit()):
        return text
    owed = text[0] == "(" and text[-1] == ")"
    if owed:
        text = text[1:-1].strip()
    text = text.removesuffix("%").rstrip()
    sign = text[:1] if text[:1] in ("+", "-") else ""
    text = text[len(sign) :].strip()
    text = text.strip(_SIGNS).strip()
    code = _CODES.match(text) or _CODES.search(text, max(len(text) - 3, 0))
    if code is not None and (code.start() == 0 or code.end() == len(text)):
        text = (text[: code.start()] + text[code.end() :]).strip()
    if text[:1] in ("+", "-") and not sign:
        sign, text = text[0], text[1:]
    return f"-{text}" if owed and text[:1].isdigit() else sign + text


def number(cell: str, decimal: str) -> float | None:
    """The cell as a number; None when it is not one. A missing cell is not a number here."""
    if "_" not in cell and (decimal == "." or "." not in cell):
        try:  # most cells are plain numbers
            plain = float(cell if decimal == "." else cell.replace(",", "."))
        except ValueError:
            plain = math.nan
        if math.isfinite(plain):
            return plain
    text = bare(cell)
    spaced = _THOUSANDS_SPACE.fullmatch(text)
    if spaced is not None:
        text = _SPACES.sub("", spaced.group(1)) + (spaced.group(2) or "")
    if decimal == ",":
        if _THOUSANDS_POINT.fullmatch(text):
            text = text.replace(".", "")
        elif "." in text:
            return None
        text = text.replace(",", ".")
    elif _THOUSANDS_COMMA.fullmatch(text):
        text = text.replace(",", "")
    if "_" in text or is_missing(text):
        return None
    try:
        return float(text)
    except ValueError:
        return None


def all_plain(cells: Sequence[str]) -> bool:
    """Whether all are plain numbers with a decimal point, as most rows of a table of numbers are: quickly known."""
    try:
        values = list(map(float, cells))
    except ValueError:
        return False
    return math.isfinite(math.fsum(map(abs, values))) and not any(map(_UNDERSCORE, cells))


_UNDERSCORE = re.compile("_").search


def is_number(cell: str) -> bool:
    return number(cell, ".") is not None or DECIMAL_COMMA.fullmatch(bare(cell)) is not None


def find_decimal(rows: Sequence[Sequence[str]]) -> str:
    """The decimal mark: a comma where some column cannot be read otherwise, and no other column needs the point."""
    if all(map(all_plain, rows)):
        return "."
    width = max((len(row) for row in rows), default=0)
    commas = points = 0
    for place in range(width):
        cells = [bare(row[place]) for row in rows if place < len(row) and not is_missing(row[place])]
        told = _decimal_of(cells)
        commas += told == ","
        points += told == "."
    return "," if commas > points else "."


def _decimal_of(cells: Iterable[str]) -> str:
    """What a column's cells say: a decimal comma, a decimal point, or nothing."""
    cells = [cell for cell in cells if is_number(cell) or _THOUSANDS_POINT.fullmatch(cell)]
    commas = [cell for cell in cells if "," in cell]
    points = [cell for cell in cells if cell.count(".") == 1 and "," not in cell]
    if commas and len(commas) > len(points):
        parted = all(_THOUSANDS_COMMA.fullmatch(cell) and not _ZERO_FIRST.fullmatch(cell) for cell in commas)
        return "." if parted else ","
    if points or commas:
        return "."
    return "," if any(_THOUSANDS_POINT.fullmatch(cell) for cell in cells) else ""
