"""A table as its columns: what a CSV file holds of those that are asked for, and which columns the options mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.files import FileFacts, size_of, survey
from rnnstudio.data.formats.columns import NUMERIC
from rnnstudio.data.formats.csv_rows import CsvRows, spoken
from rnnstudio.data.formats.sniff import Layout, find_layout
from rnnstudio.data.options import CsvOptions, TableOptions
from rnnstudio.data.packed import Entry
from rnnstudio.data.problems import Problems, listed, quoted
from rnnstudio.data.source import Sample, Source
from rnnstudio.design.errors import StudioError

Floats: TypeAlias = npt.NDArray[np.float64]

LISTED = 20
"""Columns that are named one by one where they are not used."""


@dataclass(frozen=True)
class Table:
    """The columns a recipe needs.

    numbers: [rows, len(columns)], NaN = missing. lines: [rows], the line of the file each row ends on.
    labels: the texts of the group and order columns, of classes, and of `split_columns`, which a split may go by.
    """

    layout: Layout
    columns: tuple[str, ...]
    numbers: Floats
    lines: npt.NDArray[np.int64]
    labels: dict[str, Sequence[str]]
    split_columns: tuple[str, ...] = ()
    order_keys: Mapping[str, Floats] = field(default_factory=dict)
    """Of columns that can be an order, what rows are put in order by, where the file itself says it."""


def read_sample(path: Entry, shown: str, encoding: str) -> list[str]:
    """The first lines of the file, with their line ends. The file's encoding has been checked before."""
    lines = list(Sample.of(path, shown, encoding).lines)
    if not any(line.strip() for line in lines):
        raise StudioError("the file has only blank lines", where=shown, remedy="Choose a file with data in it.")
    return lines


def find_columns(layout: Layout, options: TableOptions, shown: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The input and target columns the options mean. Raises StudioError for names the file does not have."""
    seen = Counter(layout.names)
    written = bool(layout.delimiter)  # else names are no line of the file
    head = f"{shown}, line {layout.skip + 1}" if written else shown
    for place, name in enumerate(layout.names if len(seen) < len(layout.names) else ()):
        if seen[name] > 1:
            where = layout.names.index(name) + 1
            raise StudioError(
                f"two columns are called {name!r}: columns {where} and {layout.names.index(name, place + 1) + 1}",
                where=head,
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
            if name not in seen:
                raise StudioError(
                    f"there is no column {name!r}",
                    where=f"{head}, option {role}",
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
            where=shown
            + (f", delimiter {spoken(layout.delimiter)}, decimal mark {layout.decimal!r}" if written else ""),
            remedy="Set the delimiter or decimal option, or read the file as text."
            if written
            else "Say with the kinds option which column of texts holds numbers, or choose another file.",
        )
    targets = options.targets or (inputs if options.mode == "row_is_step" else ())
    if same_step:
        refuse_shared(inputs, targets, options.mode, shown)
    return inputs, targets


def refuse_shared(inputs: Sequence[str], targets: Sequence[str], mode: str, shown: str) -> None:
    """Raises StudioError for a target that is an input of the same step, or of the sequence it is the label of."""
    given = frozenset(inputs)
    shared = next((name for name in targets if name in given), None)
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


def read_table(source: Source, options: CsvOptions, problems: Problems) -> tuple[Table, CsvOptions, FileFacts]:
    """The table, the options with everything settled, and the file's facts.

    Bad cells and rows go to `problems` (a bad cell is NaN, a ragged row is left out); what makes the whole file
    unreadable is raised as StudioError.
    """
    path, shown = source.path, source.shown
    try:
        layout = find_layout(read_sample(path, shown, options.encoding), options)
        settled = layout.options(options)
        inputs, targets = find_columns(layout, settled, shown)
    except StudioError:
        survey(path, shown, options.encoding)  # a file that cannot be read as text says so first
        raise
    used = dict.fromkeys((*inputs, *targets))
    columns = tuple(name for name in used if layout.kind(name) != "label")
    labels = tuple(name for name in (options.group, options.order) if name)
    labels += tuple(name for name in used if layout.kind(name) == "label")
    roles = {*used, *labels}
    split_columns = tuple(name for name in layout.names if source.wants(name) or name == options.group)
    labels = tuple(dict.fromkeys((*labels, *split_columns)))
    tell_unused(layout, roles | {source.column}, problems)
    reading = source.reading(options.encoding)
    unseen = tuple(
        name
        for name, kind in zip(layout.names, layout.kinds, strict=True)
        if kind == "ignored" and name not in roles and name not in labels and name not in options.kinds
    )
    rows = CsvRows(reading, settled, layout, columns, labels, problems, size_of(path), unseen)
    numbers, lines, texts = rows.read()
    return Table(layout, columns, numbers, lines, texts, split_columns), settled, reading.facts()


def tell_unused(layout: Layout, used: Collection[str], problems: Problems) -> None:
    """Name every column that is not used, with one of its cells; of many of a kind only the first."""
    left = [(place, name) for place, name in enumerate(layout.names) if name not in used]
    for place, name in left[:LISTED]:
        cell = layout.example[place] if place < len(layout.example) else ""
        problems.ignore(f"the column {name!r} ({layout.kinds[place]})", cell)
    if len(left) > LISTED:
        place, name = left[LISTED]
        cell = layout.example[place] if place < len(layout.example) else ""
        problems.ignore(f"{len(left) - LISTED:,} more columns, {name!r} the first of them", cell)
