"""Tables of many thousand columns: read like any other, and shown and told by their first columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.cli import main
from rnnstudio.data import preview
from rnnstudio.data.preview import MAX_COLUMNS
from rnnstudio.data.source import SAMPLE_BYTES, Sample

WIDE = 46_000


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Rows that are longer than what a guess looks at of other files."""
    path = tmp_path / "wide.csv"
    with path.open("w") as stream:
        stream.write(",".join(f"sensor{place}" for place in range(WIDE)) + "\n")
        for row in range(12):
            stream.write(",".join(f"{row}.{place % 10}" for place in range(WIDE)) + "\n")
    return path


def test_a_row_longer_than_the_sample_is_seen_whole(wide: Path) -> None:
    sample = Sample.of(wide, "wide.csv")
    assert len(sample.lines[0]) > SAMPLE_BYTES
    assert [line.count(",") for line in sample.lines] == [WIDE - 1] * 8
    recipe = data.guess(wide)
    assert recipe.reader == "csv"
    assert recipe.options["inputs"] == [f"sensor{place}" for place in range(WIDE)]


def test_all_columns_are_read_and_the_first_are_shown(wide: Path) -> None:
    recipe = data.guess(wide)
    shown = data.inspect(recipe)
    assert shown.usable
    assert f"… {WIDE - MAX_COLUMNS:,} more" in shown.columns
    assert len(shown.columns) < 5 * MAX_COLUMNS
    assert all(len(row) == len(shown.columns) for row in shown.rows)
    assert shown.examples[0].fields[0].pieces[0].endswith(f"… {WIDE - MAX_COLUMNS:,} more")
    dataset = data.open(recipe)
    assert dataset.raw is not None
    assert dataset.raw.shape == (12, WIDE)
    assert np.array_equal(dataset.raw[3], [float(f"3.{place % 10}") for place in range(WIDE)])


def test_what_is_not_used_is_named_for_the_first_columns_and_counted(wide: Path) -> None:
    recipe = data.choose(data.guess(wide), {"inputs": ["sensor0"], "targets": ["sensor0"]})
    told = [problem.what for problem in data.inspect(recipe).problems]
    assert "not used: the column 'sensor1' (number) ('0.1')" in told
    assert told[-1].startswith(f"not used: {WIDE - 21:,} more columns, 'sensor21' the first of them")
    assert len(told) == 21


def test_a_thousand_columns_that_never_change_are_one_warning_more(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"s{n}" for n in range(1000)) + "\n" + (",".join(["1"] * 1000) + "\n") * 30)
    told = [problem.what for problem in data.inspect(data.guess(path)).problems]
    assert told.count("980 more columns never change in the training part: they tell the model nothing") == 1
    assert len(told) == 21


def test_the_command_line_prints_the_first_names_alone(wide: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(wide)]) == 0
    printed = capsys.readouterr().out
    assert "sensor0,sensor1," in printed
    assert f"and {WIDE - 40:,} more" in printed
    assert f"sensor{WIDE - 1}" not in printed
    assert len(printed) < 20_000


def test_a_look_at_long_rows_goes_on_until_there_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row is no sequence: that the beginning holds no more of them is no fault of the file."""
    monkeypatch.setattr(preview, "LARGE", 8_000)
    monkeypatch.setattr(preview, "LOOKED", 4_000)
    path = tmp_path / "long rows.csv"
    row = ",".join(f"{place % 7}.5" for place in range(700))
    path.write_text(",".join(f"c{place}" for place in range(700)) + "\n" + f"{row}\n" * 60)
    recipe = data.guess(path)
    shown = data.inspect(recipe, most=data.bytes_of_a_look(recipe))
    assert shown.usable
    assert not shown.whole
    assert main(["data", str(path)]) == 0
    assert "--whole reads it to its end" in capsys.readouterr().out


def test_what_is_wrong_with_a_long_file_is_told_by_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "LARGE", 8_000)
    monkeypatch.setattr(preview, "LOOKED", 4_000)
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1,2\n" * 20_000)
    recipe = data.choose(data.guess(path), {"inputs": ["c"]})
    shown = data.inspect(recipe, most=data.bytes_of_a_look(recipe))
    errors = [problem.what for problem in shown.problems if problem.severity == "error"]
    assert len(errors) == 1
    assert errors[0].startswith("there is no column 'c'")


def test_columns_that_count_are_steps_however_many(tmp_path: Path) -> None:
    """Each name is looked at once: with as many columns as here, all pairs of them would take minutes."""
    steps = 30_000
    path = tmp_path / "steps.csv"
    rows = [",".join([*(str((row + step) % 9) for step in range(steps)), "ab"[row % 2]]) for row in range(12)]
    path.write_text(",".join([*(f"t{step}" for step in range(steps)), "label"]) + "\n" + "\n".join(rows) + "\n")
    recipe = data.guess(path)
    assert recipe.options["mode"] == "row_is_sequence"
    assert recipe.options["targets"] == ["label"]
    dataset = data.open(recipe)
    assert set(dataset.lengths("time").tolist()) == {steps}
