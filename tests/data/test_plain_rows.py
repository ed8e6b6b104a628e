"""Rows that are cut and read many at once, against the csv module and `float`, cell by cell."""

from __future__ import annotations

import csv
import datetime
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from rnnstudio import data
from rnnstudio.data.formats import plain_rows
from rnnstudio.data.iso_times import IsoTimes
from rnnstudio.data.line_blocks import BLOCK, line_blocks
from rnnstudio.design.recipe import DataRecipe

decimals = some.one_of(
    some.floats(allow_nan=False, allow_infinity=False).map(repr),
    some.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    some.integers(-(10**20), 10**20).map(str),
    some.from_regex(r"[+-]?[0-9]{0,19}\.?[0-9]{0,19}", fullmatch=True),
)
cells = some.one_of(
    decimals,
    some.sampled_from(
        ("", " ", "  1.5", "2 ", "NA", "1e5", "-", ".", "+3", "1_000", "٣", "x,y", "a\nb", '"', 'say "a"', "é")
    ),
)
tables = some.integers(1, 4).flatmap(
    lambda width: some.lists(some.lists(cells, min_size=width, max_size=width), min_size=1, max_size=12)
)


def _float(cell: str) -> float:
    try:
        value = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


@given(tables, some.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)), some.sampled_from(",;\t"))
def test_what_is_cut_at_once_is_what_the_csv_module_cuts(table: list[list[str]], quoting: int, delimiter: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(table)
    width, text = len(table[0]), stream.getvalue()
    rows = plain_rows.cut(text.encode(), delimiter, width)
    if rows is None:
        # Only what needs its rules is left to it: quotes in a cell, spaces before one.
        assert '"' in text or (width == 1 and "\n\n" in text)
        return
    wanted = list(csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True))
    wanted = [row or [""] for row in wanted]
    assert [[rows.cell(row, column) for column in range(width)] for row in range(len(rows))] == wanted
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    assert rows.lines.tolist() == [reader.line_num for _ in reader]
    values, odd = plain_rows.numbers(rows, range(width), ".")
    for row, cut in enumerate(wanted):
        for column, cell in enumerate(cut):
            if not odd[row, column]:
                assert values[row, column] == _float(cell), cell
                assert math.copysign(1, values[row, column]) == math.copysign(1, float(cell))
            else:
                assert math.isnan(values[row, column])


@given(some.lists(some.lists(decimals.filter(str.strip), min_size=3, max_size=3), min_size=1, max_size=9), some.data())
def test_columns_apart_by_spaces_are_cut_as_split_does(table: list[list[str]], draw: some.DataObject) -> None:
    space = some.sampled_from((" ", "   ", "\t", " \t"))
    text = "".join(
        draw.draw(some.sampled_from(("", " ")))
        + draw.draw(space).join(row)
        + draw.draw(some.sampled_from(("", "  ")))
        + "\n"
        for row in table
    )
    rows = plain_rows.cut(text.encode(), "whitespace", 3)
    assert rows is not None
    assert [[rows.cell(row, place) for place in range(3)] for row in range(len(rows))] == table


@pytest.mark.parametrize("cell", ["9007199254740993", "0.1", "0.30000000000000004", "123456789012345.67", "5e-324"])
def test_every_decimal_is_the_nearest_double(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + f"{cell},1\n" * 40)
    dataset = data.open(DataRecipe("csv", str(path), {"scaling": {"a": "none"}, "inputs": ["b"], "targets": ["a"]}))
    assert dataset.raw is not None
    assert (dataset.raw[:, 1] == float(cell)).all()


def _table(path: Path, rows: int) -> np.ndarray:
    """More than a piece of a file, with a blank line in it."""
    values = np.random.default_rng(3).normal(size=(rows, 2)).round(6)
    lines = [f"{n},{a!r},{b!r}" for n, (a, b) in enumerate(values.tolist())]
    lines[rows // 3] += "\n"
    path.write_text("t,a,b\n" + "\n".join(lines) + "\n")
    return values


def test_pieces_of_a_large_table_are_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    values = _table(path, 60_000)
    assert path.stat().st_size > 2 * BLOCK
    dataset = data.open(DataRecipe("csv", str(path), {"order": "t"}))
    assert dataset.raw is not None
    assert np.array_equal(dataset.raw, values)
    assert dataset.steps == [str(n) for n in range(60_000)]
    assert dataset.steps[-2:] == ("59998", "59999")
    lines = np.arange(2, 60_002)
    lines[20_001:] += 1  # the blank line
    assert np.array_equal(dataset.lines, lines)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S"])
def test_times_stay_the_texts_they_were_and_rows_are_in_their_order(form: str, tmp_path: Path) -> None:
    times = [datetime.datetime(1969, 12, 1) + n * datetime.timedelta(days=1, minutes=61) for n in range(90)]
    written = [time.strftime(form) for time in times]
    path = tmp_path / "a.csv"
    body = [f"{text},{n}\n" for n, text in enumerate(written)]
    path.write_text("day,a\n" + "".join(body[::-1]))
    dataset = data.open(data.guess(path))
    assert isinstance(dataset.steps, IsoTimes)
    assert dataset.steps == written
    assert (dataset.steps[0], dataset.steps[-1], list(dataset.steps)[3:5]) == (written[0], written[-1], written[3:5])
    assert dataset.split("test").labels(0) == tuple(written[-9:])
    with pytest.raises(IndexError):
        dataset.steps[90]


@pytest.mark.parametrize("odd", ["2024-02-31", "2024-2-1", "2024-01-01T00:00", "later"])
def test_a_time_of_another_form_makes_all_of_them_texts_again(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    days = [(datetime.date(1800, 1, 1) + datetime.timedelta(days=n)).isoformat() for n in range(50_000)]
    days[49_000] = odd  # in another piece of the file than the first
    path.write_text("day,a\n" + "".join(f"{day},{n}\n" for n, day in enumerate(days)))
    recipe = DataRecipe("csv", str(path), {"order": "day"})
    if odd in ("2024-02-31", "later"):
        assert any("day" in problem.what or "day" in problem.column for problem in data.inspect(recipe).problems)
        return
    dataset = data.open(recipe)
    assert not isinstance(dataset.steps, IsoTimes)
    assert dataset.steps == [*days[:49_000], *days[49_001:], odd]  # the last of all by the calendar


def test_a_cell_that_goes_over_many_lines_does_not_end_with_a_piece(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    long = "a\n" * 40_000  # within the csv module's limit of a cell, and beyond a piece with what stands before it
    body = "".join(f"{n},{n}\n" for n in range(60_000))
    path.write_text(f"what,a\n{body}" + f'"{long}",7\n' + "x,8\n")
    dataset = data.open(DataRecipe("csv", str(path), {"inputs": ["a"], "targets": ["a"]}))
    assert dataset.raw is not None
    assert dataset.raw[-3:, 0].tolist() == [59_999, 7, 8]
    assert dataset.lines[-3:].tolist() == [60_001, 100_002, 100_003]


def test_what_is_wrong_is_told_with_its_place_far_down_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = [f"{n},{n},{n}" for n in range(90_000)]
    lines[70_000] = "70000,,1"
    lines[80_000] = "80000,x,1"
    lines[85_000] = "85000,1"
    path.write_text("t,a,b\n" + "\n".join(lines))
    found = data.inspect(DataRecipe("csv", str(path), {"order": "t"})).problems
    told = [(problem.line, problem.column, problem.what) for problem in found if problem.severity == "error"]
    assert told == [
        (70_002, "'a'", "a value is missing in a column of numbers: an empty cell"),
        (80_002, "'a'", "this is not a number: 'x'"),
        (85_002, "", "the row has 2 cells, the header has 3"),
    ]


def test_missing_cells_are_all_counted_and_the_first_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,a\n" + "".join(f"{n},{'' if n % 3 == 1 else n}\n" for n in range(90_000)))
    found = data.inspect(DataRecipe("csv", str(path), {"order": "t"})).problems
    assert [problem.line for problem in found[:3]] == [3, 6, 9]
    assert any(problem.what.startswith("30,000 errors in all") for problem in found)


@given(some.lists(some.text("a\n é", max_size=60), max_size=9))
def test_pieces_end_with_lines_and_lose_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = list(line_blocks(pieces))
    assert all(piece.endswith(b"\n") for piece in found)
    assert b"".join(found).decode() == (text if text.endswith("\n") or not text else text + "\n")
