"""The table reader: a CSV file of numbers becomes sequences, its rows time steps or whole sequences."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np

from rnnstudio.data.examples import CLASSES, Examples, Found, NumberField, Scaling, TokenField, later, numbered
from rnnstudio.data.formats import dates
from rnnstudio.data.formats.columns import NUMERIC
from rnnstudio.data.formats.labelled import LABEL_NAMES
from rnnstudio.data.formats.numerals import is_missing, number
from rnnstudio.data.formats.series import Series, repeat_previous
from rnnstudio.data.formats.sniff import (
    Layout,
    find_delimiter,
    find_layout,
    find_preamble,
    sample_rows,
)
from rnnstudio.data.formats.steps_in_names import Steps, feature_names, first_columns, steps_of
from rnnstudio.data.formats.table import Floats, read_table
from rnnstudio.data.formats.table_series import series_of
from rnnstudio.data.in_blocks import any_missing
from rnnstudio.data.options import CsvOptions, TableOptions, parse
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import GROUP_NAMES, Sample, Source
from rnnstudio.design.recipe import JSON, Role

WINDOW = 32

_TABLES = (".csv", ".tsv", ".tab")
_TEXTS = (".txt", ".md", ".rst", ".tex", ".html", ".xml", ".json", ".py", ".c", ".log")
_ORDER_NAMES = (
    *("year", "ds", "date", "datetime", "timestamp", "time", "month", "week", "day", "hour"),
    *("step", "t", "index"),
)
_TARGET_NAMES = (*LABEL_NAMES, "labels", "classes", "fault", "failure", "anomaly", "outcome")


class TableReader(Reader):
    """Of tables, however they are written. Fields `inputs`, and `targets`, some steps ahead, or one for each sequence;
    columns of classes are fields of their own."""

    Options = TableOptions
    parts = (0.8, 0.1, 0.1)
    beginnings = True
    portable = ("horizon", "window", "stride", "missing")

    def columns(self, sample: Sample, options: Mapping[str, JSON]) -> dict[str, str]:
        """The kind of every column, as these options say or the file does; not of inputs and targets alone.

        Raises StudioError for options that do not fit, or a file that is no table.
        """
        layout = self.layout(sample, parse(self.Options, {**options, "inputs": [], "targets": []}))
        return dict(zip(layout.names, layout.kinds, strict=True))

    def layout(self, sample: Sample, options: TableOptions) -> Layout:
        """What the first rows show, where the options leave it open."""
        raise NotImplementedError

    def choose(self, options: Mapping[str, JSON], chosen: Mapping[str, JSON]) -> dict[str, JSON]:
        """Columns that `chosen` gives a role leave those roles that the recipe's own options gave them and that go not
        with it. Two roles that are both chosen stay, and are refused when the file is read."""
        options = {**options, **chosen}
        sequences = options.get("mode") == "row_is_sequence"
        if sequences and "mode" in chosen:
            options |= {role: "" for role in ("group", "order") if role not in chosen}
            if "targets" not in chosen and _texts(options.get("targets")) == _texts(options.get("inputs")):
                options["targets"] = []
        same_step = sequences or options.get("horizon", 1) == 0
        taken = {name for role in ("group", "order") for name in _texts(options.get(role))}
        for role in ("targets", "inputs"):
            if role not in chosen:
                other = set(_texts(options.get("targets"))) if role == "inputs" and same_step else set()
                left = taken | other
                options[role] = [name for name in _texts(options.get(role)) if name not in left]
        return options

    def like(self, sample: Sample, guessed: Mapping[str, JSON], own: Mapping[str, JSON]) -> dict[str, JSON]:
        """The design's roles stay where the file has their columns."""
        options = super().like(sample, guessed, own)
        names = self.columns(sample, guessed).keys()
        roles = {name: own[name] for name in ("mode", "group", "order", "inputs", "targets") if name in own}
        wanted = [*_texts(roles.get("group")), *_texts(roles.get("order"))]
        wanted += [*_texts(roles.get("inputs")), *_texts(roles.get("targets"))]
        if {name for name in wanted if name} <= names and _texts(roles.get("inputs")):
            options |= roles
        elif not options.get("horizon"):  # what stands beside those columns in the same row is not here
            options["horizon"] = guessed["horizon"]
        return options


class CsvReader(TableReader):
    """Text in rows and columns."""

    name = "csv"
    title = "table of numbers (CSV)"
    what = "a table"
    suffixes = _TABLES
    Options = CsvOptions

    def guess(self, sample: Sample) -> Guess | None:
        if sample.why_not is not None or not sample.text.strip():
            return None
        named = sample.suffix in self.suffixes
        if not named and not _is_table(sample.lines, sure=sample.suffix in _TEXTS):
            return None
        made = _proposed(sample)
        if made.mode == "row_is_sequence":
            return Guess(0.7, made, self.parts, "the names of columns count steps: each row is a sequence")
        why = f"the suffix {sample.suffix}" if named else "most cells are numbers"
        return Guess(0.5, made, self.parts, why)

    def layout(self, sample: Sample, options: CsvOptions) -> Layout:  # type: ignore[override]
        return find_layout(sample.lines, options)

    def read(self, source: Source, options: CsvOptions, problems: Problems) -> Examples:
        table, settled, facts = read_table(source, options, problems)
        return examples_of(series_of(table, settled, facts, source.shown, problems))


def _texts(value: JSON) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)] if value else []


def examples_of(series: Series) -> Examples:
    """The fields of a table: numbers together as `inputs` and `targets`, each column of classes by itself."""
    options = series.options
    rows = options.mode == "row_is_sequence"
    classes = series.classes
    names = series.columns if rows else tuple(name for name in series.inputs if name not in classes)
    wanted = tuple(name for name in series.targets if name not in classes)
    ahead = rows and not series.targets  # each sequence is its own target
    fields: list[Found] = [_filled(_numbers("inputs", series, names, 0))] if names else []
    if series.static is not None:
        chosen = tuple(_scaling(options, name) for name in wanted)
        fields.append(NumberField("targets", series.static, wanted, None, None, "", chosen))
    elif names and (ahead or wanted == names):
        gaps = not rows and any_missing(series.values)
        later_on = later("targets", "inputs", options.horizon)
        fields.append(replace(later_on, values=_values(series, names)) if gaps else later_on)
    elif wanted:
        fields.append(_numbers("targets", series, wanted, options.horizon))
    taken = {item.name for item in fields}
    for name in dict.fromkeys((*series.inputs, *series.targets)):
        if name in classes:
            own = _field_name(name, taken)
            if name in series.inputs:
                fields.append(_classes(own, series, name, "input", 0))
            if name in series.targets and name in series.inputs:
                fields.append(later(_field_name(f"next_{own}", taken), own, options.horizon))
            elif name in series.targets:
                fields.append(_classes(own, series, name, "target", 0 if rows else options.horizon))
    return Examples(
        tuple(fields),
        names=series.names,
        row_lines=series.lines,
        steps=series.steps,
        raw=series.values,
        columns=series.columns,
        options=replace(options, inputs=series.inputs, targets=series.targets),
        facts=series.facts,
        keys=series.keys if rows else {},
        row_keys={} if rows else series.keys,
    )


def _values(series: Series, columns: Sequence[str]) -> Floats:
    """[rows, columns]: a view where they lie side by side, so that a large table is not copied."""
    known = {column: place for place, column in enumerate(series.columns)}
    places = [known[column] for column in columns]
    side_by_side = places == list(range(places[0], places[0] + len(places)))
    return series.values[:, slice(places[0], places[-1] + 1) if side_by_side else places]


def _filled(field: NumberField) -> NumberField:
    """What is missing is the value before in its sequence, as far as there is one."""
    if field.offsets is None or not any_missing(field.values):
        return field
    values = field.values.copy()
    for start, stop in itertools.pairwise(field.offsets.tolist()):
        repeat_previous(values[start:stop])
    return replace(field, values=values)


def _numbers(name: str, series: Series, columns: Sequence[str], shift: int) -> NumberField:
    scaling = tuple(_scaling(series.options, column) for column in columns)
    return NumberField(name, _values(series, columns), tuple(columns), "time", series.offsets, "", scaling, shift)


def _scaling(options: TableOptions, column: str) -> Scaling:
    """A column's; a feature's that stands in many columns is what is said of the first of them."""
    own = options.scaling.get(column)
    if own is None and options.mode == "row_is_sequence" and options.scaling:
        named = feature_names(options.inputs, options.features, options.arrangement)
        first = first_columns(options.inputs, options.features, options.arrangement)
        own = options.scaling.get(dict(zip(named, first, strict=True)).get(column, ""))
    return cast(Scaling, own or "standard")


def _classes(name: str, series: Series, column: str, role: Role, shift: int) -> TokenField:
    whole = series.options.mode == "row_is_sequence"
    cells = series.classes[column]
    missing = np.array([is_missing(cell) for cell in cells], bool)
    some = bool(missing.any()) and not missing.all()
    if some:  # any class stands there: nothing is told by it, and nothing counts it
        known = next(cell for cell in cells if not is_missing(cell))
        cells = [known if is_missing(cell) else cell for cell in cells]
    numbers, entries = numbered(cells)
    axis, offsets = (None, None) if whole else ("time", series.offsets)
    own = missing if some else None
    return TokenField(name, numbers, entries, axis, offsets, role, CLASSES, shift, missing=own)


def _field_name(column: str, taken: set[str]) -> str:
    """A name for the field of a column: letters, digits and _, so that its size can be a variable."""
    plain = re.sub(r"\W+", "_", column).strip("_") or "label"
    name = plain if not plain[0].isdigit() else f"c{plain}"
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _is_table(lines: Sequence[str], sure: bool) -> bool:
    """Whether most cells below the first row are numbers, in rows of equal width; sure: nearly all, in two columns."""
    lines = lines[find_preamble(lines) :]
    delimiter, share = find_delimiter(lines)
    if delimiter or sure:
        return bool(delimiter) and share > (0.9 if sure else 0.5) and len(lines) > 2
    cells = [line.strip() for line in lines[1:] if line.strip()]
    return len(cells) > 2 and all(number(cell, ".") is not None or number(cell, ",") is not None for cell in cells)


def _proposed(sample: Sample) -> CsvOptions:
    """All options settled, from the first lines."""
    options = CsvOptions(encoding=sample.encoding)
    layout = find_layout(sample.lines, options)
    rows = sample_rows(sample.lines[layout.skip :], layout.delimiter)[1 if layout.header else 0 :]
    steps = max(sample.count - int(layout.header) - layout.skip, 1)
    return with_roles(layout.options(options), layout, rows, steps)


Chosen = TypeVar("Chosen", bound=TableOptions)


def with_roles(options: Chosen, layout: Layout, rows: Sequence[Sequence[str]], steps: int) -> Chosen:
    """With what every column is proposed to be for. rows: the first ones; steps: how many the file has, about."""
    seen = Counter(layout.names)
    if len(seen) == len(layout.names) and (sequences := _as_sequences(options, layout, rows)) is not None:
        return sequences
    order = _order_column(layout, rows)
    group = _group_column(layout, rows, order)
    numeric = tuple(
        name
        for name, kind in zip(layout.names, layout.kinds, strict=True)
        if kind in NUMERIC and name not in (order, group) and seen[name] == 1
    )
    # A window of half the training part at most, so that there are several.
    window = 0 if group else max(2, min(WINDOW, int(steps * TableReader.parts[0]) // 4))
    options = replace(options, order=order, group=group, inputs=numeric, targets=numeric, window=window)
    return _with_target(options, layout)


def _with_target(options: Chosen, layout: Layout) -> Chosen:
    """With a last column that is called like a target as the target, and the other columns of numbers as inputs.

    Where the others count on, as t0 t1 t2 do, each row is a sequence. A number in the order of time is to be forecast;
    else the last column is the label of its row.
    """
    last = layout.names[-1] if layout.names else ""
    inputs = tuple(name for name in options.inputs if name != last)
    roles = (options.order, options.group)
    if not layout.header or last.lower() not in _TARGET_NAMES or last in roles or layout.names.count(last) > 1:
        return options
    if not inputs or layout.kind(last) not in (*NUMERIC, "label"):
        return options
    if not any(roles) and _count_on(inputs):
        return replace(options, mode="row_is_sequence", inputs=inputs, targets=(last,), window=0)
    if layout.kind(last) == "number" and options.order:
        return replace(options, targets=(last,))
    return replace(options, inputs=inputs, targets=(last,), horizon=0)


def _count_on(names: Sequence[str]) -> bool:
    """Whether columns are called alike but for a number that counts on: steps of one sequence."""
    found = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    parts = [(match.group(1), int(match.group(2))) for match in found if match is not None]
    counted = all(one[0] == other[0] and one[1] + 1 == other[1] for one, other in itertools.pairwise(parts))
    return len(parts) == len(names) >= 3 and counted


def _as_sequences(options: Chosen, layout: Layout, rows: Sequence[Sequence[str]]) -> Chosen | None:
    """With each row as a sequence, where the names of its columns say that they are steps; all others are its labels.

    One feature that is called x0, x1, x2 may be a vector: only where rows end early it is a sequence for sure.
    """
    steps = steps_of(layout.names)
    if steps is None or any(layout.kind(name) not in (*NUMERIC, "ignored") for name in steps.columns):
        return None
    known = {name: _cells(rows, layout.place(name)) for name in steps.columns}
    if not (steps.clocked or len(steps.features) > 1 or _ends_early(known, steps)):
        return None
    chosen = set(steps.columns)
    others = [name for name in layout.names if name not in chosen]
    if any(name.lower() in _ORDER_NAMES or layout.kind(name) == "time" for name in others):
        return None
    labels = tuple(name for name in others if _is_label(name, layout, rows))
    return replace(
        options,
        mode="row_is_sequence",
        inputs=steps.columns,
        targets=labels,
        features=len(steps.features),
        arrangement=steps.arrangement,
        window=0,
    )


def _ends_early(known: Mapping[str, Sequence[str]], steps: Steps) -> bool:
    """Whether some rows have nothing in their last steps."""
    last = known[steps.columns[-1]]
    first = known[steps.columns[0]]
    return len(last) < len(first) or any(map(is_missing, last))


def _is_label(name: str, layout: Layout, rows: Sequence[Sequence[str]]) -> bool:
    """Whether a column beside the steps says something of them: not what the row is called, and not its number."""
    cells = _cells(rows, layout.place(name))
    if layout.kind(name) in ("label", "yes/no"):
        return name.lower() not in GROUP_NAMES
    called = name.lower() in (*GROUP_NAMES, "name", "row", "no", "number", "") or name.lower().endswith("_id")
    return layout.kind(name) == "number" and not called and not _counts(cells)


def _counts(cells: Sequence[str]) -> bool:
    """Whether they are whole numbers that count on, as those of rows do."""
    first = cells[0] if cells else ""
    if not (first.isascii() and first.isdigit() and len(first) < 10):
        return False
    return all(cell == str(int(first) + at) for at, cell in enumerate(cells))


def _cells(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place].strip() for row in rows if place < len(row)]


def _order_column(layout: Layout, rows: Sequence[Sequence[str]]) -> str:
    """A column called like a time whose values do not repeat, or a first column of dates."""
    numbers = sum(kind in NUMERIC for kind in layout.kinds)
    for place, name in enumerate(layout.names):
        cells = _cells(rows, place)
        named = name.lower() in _ORDER_NAMES or any(name.lower().endswith(f"_{end}") for end in ("date", "time"))
        dated = not layout.numeric[place] and place == 0 and all(dates.looks_like_a_date(cell) for cell in cells)
        others = numbers > (layout.kinds[place] in NUMERIC)
        if cells and (named or dated) and not any(map(is_missing, cells)) and others:
            return name
    return ""


def _group_of_times(layout: Layout, rows: Sequence[Sequence[str]], order: str) -> str:
    """Where times repeat: the column of which each has another value, as one table of several products has."""
    if not order:
        return ""
    times = _cells(rows, layout.names.index(order))
    if len(set(times)) * 2 > len(times):
        return ""
    for place, name in enumerate(layout.names):
        cells = _cells(rows, place)
        few = 1 < len(set(cells)) <= max(len(cells) // 3, 1) and len(cells) == len(times)
        whole = not layout.numeric[place] or all((number(cell, ".") or 0.5).is_integer() for cell in cells)
        if name != order and few and whole and all(cells) and len(set(zip(times, cells, strict=True))) == len(times):
            return name
    return ""


def _group_column(layout: Layout, rows: Sequence[Sequence[str]], order: str) -> str:
    """A column called like a key, or of texts, whose values repeat in runs."""
    for place, name in enumerate(layout.names):
        if name == order:
            continue
        cells = _cells(rows, place)
        named = name.lower() in GROUP_NAMES
        different = len(set(cells))
        if different * 3 <= len(cells) and (named or (not layout.numeric[place] and different > 1)) and all(cells):
            others = sum(layout.numeric) - bool(layout.numeric[place])
            changes = sum(one != other for one, other in itertools.pairwise(cells))
            orders = _cells(rows, layout.names.index(order)) if order else []
            # All rows of a sequence stand together, or the order column starts again for each.
            if others and (changes < different or len(set(orders)) < len(orders)):
                return name
    return _group_of_times(layout, rows, order)
