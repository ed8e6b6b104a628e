"""Parquet files: columns are what the file says they are, and a table gives what it gives as CSV."""

from __future__ import annotations

import datetime
import decimal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from rnnstudio import data
from rnnstudio.cli import main
from rnnstudio.data.formats.parquet import ParquetOptions
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from tests.data.reader_samples import parquet

N = 40


def written(folder: Path, **columns: Any) -> Path:
    path = folder / "a.parquet"
    polars.DataFrame(columns, strict=False).write_parquet(path)
    return path


def days(count: int = N) -> list[datetime.date]:
    return [datetime.date(2024, 1, 1) + datetime.timedelta(days=n) for n in range(count)]


def kinds_of(path: Path) -> dict[str, str]:
    from rnnstudio.data import readers
    from rnnstudio.data.source import Sample

    return readers.find("parquet").columns(Sample.of(path, "a.parquet"), {})  # type: ignore[attr-defined]


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(StudioError) as caught:
        data.open(DataRecipe("parquet", str(path), options))
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "a.parquet")


def test_what_a_column_holds_says_the_schema(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        whole=[n % 2 for n in range(N)],  # two different ones: in a CSV file this would be yes and no
        part=[n / 7 for n in range(N)],
        price=[decimal.Decimal(n) / 100 for n in range(N)],
        on=[n % 3 == 0 for n in range(N)],
        state=polars.Series(["a", "b"] * (N // 2), dtype=polars.Categorical),
        level=polars.Series(["low", "high"] * (N // 2), dtype=polars.Enum(["low", "high"])),
        day=days(),
        at=[datetime.datetime(2024, 1, 1, n % 24) for n in range(N)],
        lasts=[datetime.timedelta(seconds=n) for n in range(N)],
        digits=[str(n) for n in range(N)],  # texts are no numbers, whatever stands in them
        word=["up", "down"] * (N // 2),
        several=[[1, 2]] * N,
        record=[{"x": 1}] * N,
        raw=[b"\x00"] * N,
        nothing=[None] * N,
    )
    assert kinds_of(path) == {
        "whole": "number",
        "part": "number",
        "price": "number",
        "on": "yes/no",
        "state": "label",
        "level": "label",
        "day": "time",
        "at": "time",
        "lasts": "number",
        "digits": "text",
        "word": "label",
        "several": "ignored",
        "record": "ignored",
        "raw": "ignored",
        "nothing": "ignored",
    }


def test_a_table_gives_what_it_gives_as_csv(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    csv = path.with_suffix(".csv")
    polars.read_parquet(path).write_csv(csv)
    one, other = data.open(data.guess(path)), data.open(data.guess(csv))
    assert one.recipe.options["order"] == other.recipe.options["order"] == "day"
    assert one.steps == other.steps
    assert one.fields == other.fields
    assert all(np.array_equal(one.tracks[name].values, track.values) for name, track in other.tracks.items())
    shared = [name for name in one.recipe.options if name != "split_by"]
    assert {name: one.recipe.options[name] for name in shared} == {name: other.recipe.options[name] for name in shared}


def test_rows_are_put_in_order_by_the_instant(tmp_path: Path) -> None:
    berlin = datetime.timezone(datetime.timedelta(hours=1))
    at = [datetime.datetime(2024, 1, 1, tzinfo=berlin) + datetime.timedelta(hours=n) for n in range(N)]
    path = written(tmp_path, at=at[::-1], y=[float(n) for n in range(N)][::-1])
    dataset = data.open(data.guess(path))
    assert dataset.raw is not None
    assert dataset.raw[:, 0].tolist() == list(range(N))
    assert dataset.steps[0].startswith("2023-12-31 23:00:00")


def test_groups_and_classes(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        item_id=polars.Series([name for name in "abcd" for _ in range(N)], dtype=polars.Categorical),
        day=days() * 4,
        y=[float(n) for n in range(4 * N)],
        state=polars.Series(["dry", "wet"] * (2 * N), dtype=polars.Categorical),
    )
    recipe = data.guess(path)
    assert (recipe.options["group"], recipe.options["order"]) == ("item_id", "day")
    chosen = data.choose(recipe, {"inputs": ["y"], "targets": ["state"], "horizon": 0})
    dataset = data.open(chosen)
    assert dataset.names == ("a", "b", "c", "d")
    assert dataset.recipe.field("state").vocabulary == ("dry", "wet")
    assert dataset.targets[0].name == "state"


def test_each_row_a_sequence_with_its_label(tmp_path: Path) -> None:
    steps = {f"t{k}": [float(n + k) if k < 3 or n % 2 else None for n in range(N)] for k in range(5)}
    path = written(tmp_path, **steps, label=polars.Series(["a", "b"] * (N // 2), dtype=polars.Categorical))
    options = {"mode": "row_is_sequence", "inputs": list(steps), "targets": ["label"]}
    dataset = data.open(DataRecipe("parquet", str(path), options))
    assert dataset.lengths("time").tolist() == [3, 5] * (N // 2)
    assert dataset.names[1] == "row 2"


def test_nulls_are_missing_values(tmp_path: Path) -> None:
    values = [float(n) if n not in (3, 9) else None for n in range(N)]
    path = written(tmp_path, day=days(), y=values)
    recipe = data.guess(path)
    told = [str(problem) for problem in data.inspect(recipe).problems]
    assert told[0].startswith("row 4, column 'y': a value is missing in a column of numbers. Fill it in")
    assert len(told) == 2
    filled = data.open(data.choose(recipe, {"missing": "previous"}))
    assert filled.raw is not None
    assert filled.raw[[3, 9], 0].tolist() == [2, 8]
    assert data.open(data.choose(recipe, {"missing": "drop"})).rows == N - 2


def test_yes_and_no_are_one_and_nought_and_infinity_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, on=[n % 3 == 0 for n in range(N)], y=[float(n) for n in range(N - 1)] + [float("inf")])
    options = {"inputs": ["on"], "targets": ["on"], "scaling": {"on": "none"}}
    dataset = data.open(DataRecipe("parquet", str(path), options))
    assert dataset.raw is not None
    assert dataset.raw[:4, 0].tolist() == [1, 0, 0, 1]
    assert "infinity is not a value to learn from (a.parquet, row 40, column 'y')" in refused(path, inputs=["y"])


def test_a_nested_column_is_named_and_never_read(tmp_path: Path) -> None:
    path = written(tmp_path, y=[float(n) for n in range(N)], parts=[[1.0, 2.0]] * N)
    told = [problem.what for problem in data.inspect(data.guess(path)).problems]
    assert told == ["not used: the column 'parts' (ignored) ('List(Float64)')"]
    for chosen in ({"inputs": ["parts"]}, {"inputs": ["parts"], "kinds": {"parts": "number"}}, {"group": "parts"}):
        assert "the column 'parts' holds List(Float64), neither numbers nor texts" in refused(path, **chosen)


def test_texts_that_a_person_says_are_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, a=[f"1,{n:03}.5" for n in range(N - 1)] + ["x"], b=["yes", "no"] * (N // 2))
    without = {"kinds": {"a": "text", "b": "text"}}
    assert "no column holds numbers: the first row is '1,000.5', 'yes'" in refused(path, **without)
    assert "this is not a number: 'x' (a.parquet, row 40, column 'a')" in refused(path, kinds={"a": "number"})
    chosen = {"kinds": {"b": "yes/no"}, "inputs": ["b"], "targets": ["b"]}
    dataset = data.open(DataRecipe("parquet", str(path), chosen))
    assert dataset.raw is not None
    assert dataset.raw[:2, 0].tolist() == [1, 0]


@pytest.mark.parametrize("columns", [{}, {"a": []}, {"a": [1.0]}], ids=["no column", "no row", "one row"])
def test_a_table_with_nothing_in_it_is_one_clear_error(columns: dict[str, list[float]], tmp_path: Path) -> None:
    path = written(tmp_path, **columns)
    assert "a.parquet" in refused(path)


def test_a_damaged_file_is_one_clear_error(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    good = path.read_bytes()
    for end in (4, 9, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:end])
        assert "the Parquet file cannot be read" in refused(path)
        assert data.guess(path).reader == "parquet"


def test_without_polars_one_line_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = parquet(tmp_path)
    monkeypatch.setitem(sys.modules, "polars", None)
    assert main(["data", str(path)]) == 2
    printed = capsys.readouterr().out
    assert "Parquet files need the package polars, which is not installed" in printed
    assert 'Install it with: pip install "rnnstudio[tables]"' in printed
    assert main(["new", "--data", str(path), str(tmp_path / "mine.rnn")]) == 2
    assert 'pip install "rnnstudio[tables]"' in "".join(capsys.readouterr())


def test_its_options_are_those_of_every_table() -> None:
    from rnnstudio.data.options import CsvOptions, describe

    own = {item.name for item in describe(ParquetOptions)}
    csv = {item.name for item in describe(CsvOptions)}
    assert csv - own == {"encoding", "skip_lines", "delimiter", "decimal", "header", "skip_below"}
    assert own <= csv
