"""Proposes a recipe for a file that a person dropped in: which reader, and how the file is written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rnnstudio.data import options as data_options
from rnnstudio.data import readers
from rnnstudio.data.files import detect_encoding, head_of, survey
from rnnstudio.data.options import CsvOptions, TextOptions
from rnnstudio.data.sniff import Layout, find_delimiter, find_layout, find_preamble, is_missing, number, sample_rows
from rnnstudio.data.table import read_sample
from rnnstudio.design.recipe import DataRecipe

CSV_SPLIT = (0.8, 0.1, 0.1)
WINDOW = 32

_TABLES = (".csv", ".tsv", ".tab")
_TEXTS = (".txt", ".md", ".rst", ".tex", ".html", ".xml", ".json", ".py", ".c", ".log")
_ORDER_NAMES = ("year", "date", "datetime", "timestamp", "time", "month", "week", "day", "hour", "step", "t", "index")
_GROUP_NAMES = ("group", "series", "sequence", "id", "series_id", "unique_id", "subject", "store", "sensor", "symbol")


def guess(path: Path | str) -> DataRecipe:
    """The recipe a person most likely wants for this file; every option is settled and can be changed.

    Raises StudioError when the file is missing, a folder, empty or binary.
    """
    file = Path(path).expanduser()
    shown = str(path)
    reader = readers.for_file(file)
    if reader is not None:
        head_of(file, shown)
        return readers.propose_with(reader, file, shown)
    encoding = detect_encoding(file, shown)
    lines = read_sample(file, shown, encoding)
    if file.suffix.lower() in _TABLES or _is_table(lines, sure=file.suffix.lower() in _TEXTS):
        return _guess_csv(file, shown, encoding, lines)
    return DataRecipe("text", shown, data_options.to_json(TextOptions(encoding=encoding)))


def _is_table(lines: Sequence[str], sure: bool) -> bool:
    """Whether most cells below the first row are numbers, in rows of equal width; sure: nearly all, in two columns."""
    lines = lines[find_preamble(lines) :]
    delimiter, share = find_delimiter(lines)
    if delimiter or sure:
        return bool(delimiter) and share > (0.9 if sure else 0.5) and len(lines) > 2
    cells = [line.strip() for line in lines[1:] if line.strip()]
    return len(cells) > 2 and all(number(cell, ".") is not None or number(cell, ",") is not None for cell in cells)


def _guess_csv(file: Path, shown: str, encoding: str, lines: Sequence[str]) -> DataRecipe:
    options = CsvOptions(encoding=encoding)
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
    steps = max(survey(file, shown, encoding).lines - int(layout.header) - layout.skip, 1)
    # A window of half the training part at most, so that there are several.
    window = 0 if group else max(2, min(WINDOW, int(steps * CSV_SPLIT[0]) // 4))
    options = replace(options, order=order, group=group, inputs=numeric, targets=numeric, window=window)
    return DataRecipe("csv", shown, data_options.to_json(options), CSV_SPLIT)


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
