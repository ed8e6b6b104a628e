"""Dates as tables have them: ISO with offsets, days before months or after, with a time behind or none.

03/01/2023 alone says nothing: the column as a whole decides. A part beyond 12 is no month; of two orders that both fit,
the one in which the column runs evenly is meant. Where that leaves both, the person is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnnstudio.data.iso_times import IsoTimes

Seconds = npt.NDArray[np.float64]

ORDERS = ("ymd", "dmy", "mdy")
_PARTS = re.compile(r"(\d{1,4})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{1,4})\.?(?:[T ,]+(.+))?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Read(NamedTuple):
    """A column of dates. seconds: of each, as instants where the cells say an offset, else by the clock; None: the
    cells are no dates, or `orders` are several that fit. mixed: some cells have an offset and some none."""

    seconds: Seconds | None
    orders: tuple[str, ...]
    mixed: bool = False


def looks_like_a_date(cell: str) -> bool:
    """Whether a cell alone could be a date."""
    return bool(_orders_of(cell))


def read(cells: Sequence[str], order: str = "auto") -> Read:
    """The column's dates. order: of day, month and year where the person says it."""
    if isinstance(cells, IsoTimes) and order in ("auto", "ymd"):
        return Read(cells.seconds(), ("ymd",))
    wanted = ORDERS if order == "auto" else (order,)
    found: dict[str, tuple[Seconds, bool]] = {}
    for one in wanted:
        made = _column(cells, one)
        if made is not None:
            found[one] = made
    if not found:
        return Read(None, ())
    different = {one: made for one, made in found.items() if not np.array_equal(made[0], next(iter(found.values()))[0])}
    if not different:
        seconds, mixed = next(iter(found.values()))
        return Read(seconds, tuple(found)[:1], mixed)
    running = [one for one, (seconds, _) in found.items() if _runs(seconds)]
    if len(running) == 1:
        seconds, mixed = found[running[0]]
        return Read(seconds, (running[0],), mixed)
    return Read(None, tuple(found))


def contradiction(cells: Sequence[str], order: str = "auto") -> tuple[int, str] | None:
    """Of a column most of whose cells are dates of one order: the first cell that is none in it, and that order.

    None where no order fits most cells.
    """
    best: tuple[int, str, npt.NDArray[np.bool_]] | None = None
    for one in ORDERS if order == "auto" else (order,):
        fits = np.array([_moment(cell, one) is not None for cell in cells], bool)
        if best is None or int(fits.sum()) > best[0]:
            best = int(fits.sum()), one, fits
    if best is None or best[0] == len(cells) or best[0] * 2 < len(cells):
        return None
    return int(np.argmin(best[2])), best[1]


def _runs(seconds: Seconds) -> bool:
    """Whether a column goes one way all the time, as logs and prices do."""
    steps = np.diff(seconds)
    return len(steps) > 1 and bool((steps >= 0).all() or (steps <= 0).all()) and bool(np.any(steps))


def _orders_of(cell: str) -> tuple[str, ...]:
    return tuple(order for order in ORDERS if _moment(cell, order) is not None)


def _column(cells: Sequence[str], order: str) -> tuple[Seconds, bool] | None:
    moments = []
    for cell in cells:
        moment = _moment(cell, order)
        if moment is None:
            return None
        moments.append(moment)
    offsets = {moment.tzinfo is not None for moment in moments}
    # Instants where there are offsets: a clock that is put back must not put an hour back.
    return np.array([(_aware(moment) - _EPOCH).total_seconds() for moment in moments]), len(offsets) == 2


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _moment(cell: str, order: str) -> datetime | None:
    text = cell.strip()
    if order == "ymd":
        try:
            return datetime.fromisoformat(text) if len(text) >= 8 and not text.isdigit() else None
        except ValueError:
            pass
    match = _PARTS.fullmatch(text)
    if match is None:
        return None
    parts = dict(zip(order, match.groups()[:3], strict=True))
    if len(parts["y"]) not in (2, 4) or max(len(parts["d"]), len(parts["m"])) > 2:
        return None
    year = int(parts["y"]) + (0 if len(parts["y"]) == 4 else 2000 if int(parts["y"]) < 70 else 1900)
    clock = _clock(match.group(4) or "0:00")
    if clock is None:
        return None
    hours, minutes, seconds, micro, offset = clock
    try:
        made = datetime(year, int(parts["m"]), int(parts["d"]), hours, minutes, seconds, micro)
        return datetime.fromisoformat(f"{made.isoformat()}{offset}") if offset else made
    except ValueError:
        return None


def _clock(text: str) -> tuple[int, int, int, int, str] | None:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds, part, half, offset = match.groups()
    hour = int(hours)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    if hour > 23 or int(minutes) > 59 or int(seconds or 0) > 59:
        return None
    return hour, int(minutes), int(seconds or 0), int(f"{part or '0':0<6.6}"), (offset or "").replace("UTC", "Z")
