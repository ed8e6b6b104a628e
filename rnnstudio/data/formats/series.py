"""The rows of a table as steps: in the order of time, group by group, laid end to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.files import FileFacts
from rnnstudio.data.formats import dates
from rnnstudio.data.formats.table import Floats, Table
from rnnstudio.data.in_blocks import any_missing, is_counting, is_rising
from rnnstudio.data.options import TableOptions
from rnnstudio.data.problems import Problems, quoted
from rnnstudio.data.texts import taken

Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Series:
    """Unscaled sequences. values: [rows, columns] of all sequences, end to end; offsets: [sequences + 1].

    inputs, targets: columns of `values` (targets may be none of them: see static).
    static: [sequences, n] values per sequence, when each row of the file is one. names: of the groups, or row numbers.
    classes: of each label column, one for each row of `values`, or for each sequence when each row of the file is one.
    steps: the order column's text for each row of `values`, empty without one. lines: the file's line of each row.
    """

    values: Floats
    offsets: Ints
    columns: tuple[str, ...]
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    static: Floats | None
    names: tuple[str, ...]
    steps: Sequence[str]
    lines: Ints
    options: TableOptions
    facts: FileFacts
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Cells of columns that a split may go by, as many as of the classes."""


def rows_as_steps(
    table: Table,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    options: TableOptions,
    facts: FileFacts,
    problems: Problems,
) -> Series:
    order, offsets, names, doubled = _arranged(table, options, problems)
    ordered = is_counting(order)
    values, lines = (table.numbers, table.lines) if ordered else (table.numbers[order], table.lines[order])
    if options.doubled == "average" and doubled.any():
        first = np.concatenate(([True], ~doubled[:-1]))  # the first row of each moment
        values = _averaged(values, np.cumsum(first) - 1)
        offsets = np.concatenate(([0], np.cumsum(first)))[offsets].astype(np.int64)
        order, lines = order[first], lines[first]
        ordered = False
    labels = table.labels.get(options.order, ())
    steps = labels if ordered or not labels else taken(labels, order)
    wanted = dict.fromkeys((*labels_of(table, (*inputs, *targets)), *table.split_columns))
    cells = {n: table.labels[n] if ordered else taken(table.labels[n], order) for n in wanted}
    if options.missing in ("previous", "drop") and any_missing(values):
        kept = np.ones(len(values), bool)
        for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            if options.missing == "previous":
                repeat_previous(values[start:stop])
            kept[start:stop] = ~np.isnan(values[start:stop]).any(axis=1)
        dropped = int((~kept).sum())
        if dropped:
            problems.warn(f"{dropped} rows with missing values were left out", line=int(lines[~kept].min()))
            counted = np.concatenate(([0], np.cumsum(kept)))
            offsets = counted[offsets]
            values, lines = values[kept], lines[kept]
            steps = taken(steps, np.flatnonzero(kept)) if steps else ()
            cells = {name: taken(found, np.flatnonzero(kept)) for name, found in cells.items()}
    classes = {name: cells[name] for name in labels_of(table, (*inputs, *targets))}
    keys = {name: cells[name] for name in table.split_columns}
    roles = (table.columns, inputs, targets)
    return Series(values, offsets, *roles, None, names, steps, lines, options, facts, classes, keys)


def _averaged(values: Floats, moments: Ints) -> Floats:
    """The mean of all rows of each moment; a value that is missing in some of them is the mean of the others."""
    there = ~np.isnan(values)
    counts = np.zeros((int(moments[-1]) + 1, values.shape[1]))
    sums = np.zeros_like(counts)
    np.add.at(counts, moments, there)
    np.add.at(sums, moments, np.where(there, values, 0.0))
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def labels_of(table: Table, names: Sequence[str]) -> list[str]:
    """Those of the columns that hold classes."""
    return [name for name in dict.fromkeys(names) if table.layout.kind(name) == "label"]


def _arranged(
    table: Table, options: TableOptions, problems: Problems
) -> tuple[Ints, Ints, tuple[str, ...], npt.NDArray[np.bool_]]:
    """Which row comes where, the first row of each sequence, the sequences' names in order of appearance, and for each
    row whether the next one has the same time."""
    rows = len(table.numbers)
    order = np.arange(rows)
    keys, dated = _sortable(table, options, problems) if options.order else (None, False)
    if keys is not None and not is_rising(keys):
        order = np.argsort(keys, kind="stable")
        if not options.group and (np.diff(order) < 0).any():
            problems.warn(f"rows were put in the order of the column {options.order!r}")
    if options.group:
        numbers: dict[str, int] = {}
        groups = np.array([numbers.setdefault(label, len(numbers)) for label in table.labels[options.group]], np.int64)
        order = order[np.argsort(groups[order], kind="stable")]
        offsets = np.concatenate(([0], np.cumsum(np.bincount(groups, minlength=len(numbers))))).astype(np.int64)
        names = tuple(numbers)
    else:
        offsets, names = np.array([0, rows], np.int64), ("",)
    if keys is None:
        return order, offsets, names, np.zeros(rows, bool)
    before = offsets
    order, offsets, doubled = _in_time(table, keys, order, offsets, options, problems, dated)
    if len(offsets) != len(before):
        owner = np.searchsorted(before, offsets[:-1], side="right") - 1
        parts = [sum(owner[:place] == own) + 1 for place, own in enumerate(owner.tolist())]
        names = tuple(f"{names[own]} part {part}".strip() for own, part in zip(owner.tolist(), parts, strict=True))
    return order, offsets, names, doubled


def _sortable(table: Table, options: TableOptions, problems: Problems) -> tuple[Floats | None, bool]:
    """The order column as numbers, or its dates as seconds (True); None when it is neither, which is told."""
    labels, name = table.labels[options.order], options.order
    try:
        numbers = (
            table.order_keys[name]
            if name in table.order_keys
            else np.fromiter(map(float, labels), np.float64, len(labels))
        )
    except ValueError:
        numbers = None
    if numbers is not None:
        endless = np.flatnonzero(~np.isfinite(numbers))
        if not len(endless):
            return numbers, False
        at = int(endless[0])
        problems.error(
            f"{quoted(labels[at])} is no place in an order",
            line=int(table.lines[at]),
            column=repr(name),
            remedy="Correct the cell, or leave the order column out.",
        )
        return None, False
    found = dates.read(labels, options.dates)
    if len(found.orders) > 1:
        listed = " or ".join(_ORDERS[order] for order in found.orders)
        problems.error(
            f"the dates of {name!r} can be read as {listed}: {quoted(labels[0])}",
            line=int(table.lines[0]),
            column=repr(name),
            remedy=f"Set the dates option to {' or '.join(found.orders)}.",
        )
    elif found.seconds is None and (against := dates.contradiction(labels, options.dates)) is not None:
        at, order = against
        said = "" if options.dates != "auto" else ", as most cells of the column say"
        problems.error(
            f"{quoted(labels[at])} is no date in the order {_ORDERS[order]}{said}",
            line=int(table.lines[at]),
            column=repr(name),
            remedy="Correct the cell, set the dates option, or leave the order column out.",
        )
    elif found.seconds is None:
        problems.warn(f"the order column {name!r} has neither numbers nor dates: rows stay in the file's order")
    elif found.mixed:
        problems.warn(f"some times of {name!r} have an offset and some none: those without are taken as UTC")
    elif found.orders != ("ymd",) and options.dates == "auto":
        problems.warn(f"the dates of {name!r} are read as {_ORDERS[found.orders[0]]}")
    return found.seconds, found.seconds is not None


_ORDERS = {"ymd": "year, month, day", "dmy": "day, month, year", "mdy": "month, day, year"}


def _in_time(
    table: Table, keys: Floats, order: Ints, offsets: Ints, options: TableOptions, problems: Problems, dated: bool
) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Doubled times and gaps of each sequence, told with their lines; and what the options say of them.

    keys: of each row, in seconds where `dated`.

    Returns the rows' order, the sequences' offsets, and for each row whether the next one is at the same time.
    """
    steps = np.diff(keys if is_counting(order) else keys[order])
    borders = np.zeros(max(len(order) - 1, 0), bool)
    borders[offsets[1:-1] - 1] = True
    doubled = (steps == 0) & ~borders
    some = slice(None, None, max(1, len(steps) // _STEPS))
    usual = steps[some][(steps[some] > 0) & ~borders[some]]
    most = float(np.median(usual)) if len(usual) > 4 else 0.0
    gaps = (steps > _GAP * most) & ~borders if most else np.zeros(len(steps), bool)
    # Where times are uneven anyway, as in a log of events, a long step is none of the ordinary.
    even = most and float(np.mean(np.abs(usual - most) <= 0.5 * most)) > _EVEN
    gaps = gaps & bool(even)
    for found, what, choice in (
        (doubled, "two rows of one sequence have the same time", 'set doubled to "average"'),
        (gaps, "there is a gap in the times", 'set gaps to "cut"'),
    ):
        if found.any():
            places = np.flatnonzero(found)
            lines = [int(table.lines[order[place + 1]]) for place in places[:5].tolist()]
            listed = f"{problems.counted} {', '.join(map(str, lines))}" + (", …" if len(places) > 5 else "")
            times = f"{len(places)} times" if len(places) > 1 else "once"
            lacking = _lacking(float(steps[places].max()), most, dated) if found is gaps else ""
            most_of = "at most " if len(places) > 1 and lacking else ""
            size = f": {most_of}{lacking}" if lacking else ""
            problems.warn(f"{what}{size}, {times}: {listed}", line=lines[0], remedy=f"To change that, {choice}.")
    if options.gaps == "cut" and gaps.any():
        offsets = np.unique(np.concatenate((offsets, np.flatnonzero(gaps) + 1))).astype(np.int64)
    return order, offsets, np.concatenate((doubled, [False])) if len(order) else doubled


def _lacking(step: float, usual: float, dated: bool) -> str:
    """What is not there between two rows, for people: in days or hours where times are dates, else in steps."""
    if not dated:
        return f"{step / usual - 1:,.0f} steps are missing"
    for seconds, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if step - usual >= 2 * seconds and usual >= seconds:
            return f"{(step - usual) / seconds:,.4g} {unit} are missing"
    return f"{step - usual:,.4g} seconds are missing"


_STEPS = 1_000_000
"""From about so many steps it is told what is usual."""
_GAP, _EVEN = 3.0, 0.8
"""A step of so many usual ones is a gap, in times of which so many parts are even."""


def repeat_previous(values: Floats) -> None:
    """Fills each NaN, in place, with the value above it; those at the top stay."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, rows), axis=0)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    values[:] = np.where(last < 0, np.nan, filled)
