"""The table reader: a CSV file of numbers becomes sequences, its rows time steps or whole sequences."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rnnstudio.data.examples import Examples, Found, NumberField, Scaling, later, numbers
from rnnstudio.data.formats.series import STEP_COLUMN, Series, read_series
from rnnstudio.data.formats.sniff import (
    Layout,
    find_delimiter,
    find_layout,
    find_preamble,
    is_missing,
    number,
    sample_rows,
)
from rnnstudio.data.options import CsvOptions, parse
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.design.recipe import JSON

WINDOW = 32

_TABLES = (".csv", ".tsv", ".tab")
_TEXTS = (".txt", ".md", ".rst", ".tex", ".html", ".xml", ".json", ".py", ".c", ".log")
_ORDER_NAMES = ("year", "date", "datetime", "timestamp", "time", "month", "week", "day", "hour", "step", "t", "index")
_GROUP_NAMES = ("group", "series", "sequence", "id", "series_id", "unique_id", "subject", "store", "sensor", "symbol")


class CsvReader(Reader):
    """Fields `inputs`, and `targets`, some steps ahead, or one for each sequence."""

    name = "csv"
    title = "table of numbers (CSV)"
    what = "a table"
    suffixes = _TABLES
    Options = CsvOptions
    parts = (0.8, 0.1, 0.1)
    portable = ("horizon", "window", "stride", "missing")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.why_not is not None or not sample.text.strip():
            return None
        named = sample.suffix in self.suffixes
        if not named and not _is_table(sample.lines, sure=sample.suffix in _TEXTS):
            return None
        why = f"the suffix {sample.suffix}" if named else "most cells are numbers"
        return Guess(0.5, _proposed(sample), self.parts, why)

    def choose(self, options: Mapping[str, JSON], chosen: Mapping[str, JSON]) -> dict[str, JSON]:
        """Columns that `chosen` gives a role leave those roles that the recipe's own options gave them and that go not
        with it. Two roles that are both chosen stay, and are refused when the file is read."""
        options = {**options, **chosen}
        sequences = options.get("mode") == "row_is_sequence"
        if sequences and "mode" in chosen:
            options |= {role: "" for role in ("group", "order") if role not in chosen}
            if "targets" not in chosen and _texts(options.get("targets")) == _texts(options.get("inputs")):
                options["targets"] = []
        if sequences and {"mode", "targets"} & set(chosen) and "split_by" not in chosen:
            options["split_by"] = "auto"  # what is settled for steps, or without labels, may not do for these
        same_step = sequences or options.get("horizon", 1) == 0
        taken = {name for role in ("group", "order") for name in _texts(options.get(role))}
        for role in ("targets", "inputs"):
            if role not in chosen:
                other = set(_texts(options.get("targets"))) if role == "inputs" and same_step else set()
                options[role] = [name for name in _texts(options.get(role)) if name not in taken | other]
        return options

    def like(self, sample: Sample, guessed: Mapping[str, JSON], own: Mapping[str, JSON]) -> dict[str, JSON]:
        """The design's roles stay where the file has their columns."""
        options = super().like(sample, guessed, own)
        written = parse(CsvOptions, {k: v for k, v in guessed.items() if k in ("encoding", "skip_lines", "delimiter")})
        names = set(find_layout(sample.lines, written).names)
        roles = {name: own[name] for name in ("mode", "group", "order", "inputs", "targets") if name in own}
        wanted = [*_texts(roles.get("group")), *_texts(roles.get("order"))]
        wanted += [*_texts(roles.get("inputs")), *_texts(roles.get("targets"))]
        if {name for name in wanted if name} <= names and _texts(roles.get("inputs")):
            options |= roles
        elif not options.get("horizon"):  # what stands beside those columns in the same row is not here
            options["horizon"] = guessed["horizon"]
        return options

    def read(self, source: Source, options: CsvOptions, problems: Problems) -> Examples:
        return examples_of(read_series(source.path, source.shown, options, problems))


def _texts(value: JSON) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)] if value else []


def examples_of(series: Series) -> Examples:
    """The two fields of sequences of numbers."""
    options = series.options
    rows = options.mode == "row_is_sequence"
    names = (STEP_COLUMN,) if rows else series.inputs
    inputs = _field("inputs", series, names, 0)
    targets: Found
    if series.static is not None:
        targets = numbers("targets", [series.static], series.targets, None)
    else:
        wanted = names if rows else series.targets
        if wanted == names:
            targets = later("targets", "inputs", options.horizon)
        else:
            targets = _field("targets", series, wanted, options.horizon)
    return Examples(
        (inputs, targets),
        names=series.names,
        row_lines=series.lines,
        steps=series.steps,
        raw=series.values,
        columns=series.columns,
        options=replace(options, inputs=series.inputs, targets=series.targets),
        split_by=options.split_by,  # type: ignore[arg-type]
        facts=series.facts,
    )


def _field(name: str, series: Series, columns: Sequence[str], shift: int) -> NumberField:
    places = [series.columns.index(column) for column in columns]
    scaling: tuple[Scaling, ...] = tuple("standard" for _ in columns)
    return NumberField(name, series.values[:, places], tuple(columns), "time", series.offsets, "", scaling, shift)


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
    lines = sample.lines
    options = CsvOptions(encoding=sample.encoding)
    layout = find_layout(lines, options)
    options = layout.options(options)
    rows = sample_rows(lines[layout.skip :], layout.delimiter)[1 if layout.header else 0 :]
    order = _order_column(layout, rows)
    group = _group_column(layout, rows, order)
    numeric = tuple(
        name
        for name, good in zip(layout.names, layout.numeric, strict=True)
        if good and name not in (order, group) and layout.names.count(name) == 1
    )
    steps = max(sample.count - int(layout.header) - layout.skip, 1)
    # A window of half the training part at most, so that there are several.
    window = 0 if group else max(2, min(WINDOW, int(steps * CsvReader.parts[0]) // 4))
    return replace(options, order=order, group=group, inputs=numeric, targets=numeric, window=window)


def _cells(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place].strip() for row in rows if place < len(row)]


def _order_column(layout: Layout, rows: Sequence[Sequence[str]]) -> str:
    """A column called like a time whose values do not repeat, or a first column of dates."""
    for place, name in enumerate(layout.names):
        cells = _cells(rows, place)
        named = name.lower() in _ORDER_NAMES or any(name.lower().endswith(f"_{end}") for end in ("date", "time"))
        dates = not layout.numeric[place] and place == 0 and all(_date_like(cell) for cell in cells)
        others = sum(layout.numeric) - bool(layout.numeric[place])
        if cells and (named or dates) and not any(map(is_missing, cells)) and others:
            return name
    return ""


def _date_like(cell: str) -> bool:
    return len(cell) >= 8 and cell[:4].isdigit() and cell[4] in "-/." and cell[5:7].strip("-/.").isdigit()


def _group_column(layout: Layout, rows: Sequence[Sequence[str]], order: str) -> str:
    """A column called like a key, or of texts, whose values repeat in runs."""
    for place, name in enumerate(layout.names):
        if name == order:
            continue
        cells = _cells(rows, place)
        named = name.lower() in _GROUP_NAMES
        different = len(set(cells))
        if different * 3 <= len(cells) and (named or (not layout.numeric[place] and different > 1)) and all(cells):
            others = sum(layout.numeric) - bool(layout.numeric[place])
            changes = sum(one != other for one, other in itertools.pairwise(cells))
            orders = _cells(rows, layout.names.index(order)) if order else []
            # Rows of one sequence stand together, or the order column starts again for each.
            if others and (changes < len(cells) / 2 or len(set(orders)) < len(orders)):
                return name
    return ""
