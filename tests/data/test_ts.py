"""`.ts` files: what the header says, unequal lengths, missing values, and what is wrong with line and dimension."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.design.errors import StudioError
from tests.data.sequence_files import vowels

HEADER = "@problemName p\n@timeStamps false\n@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n"
SERIES = "1,2,3:4,5,6:a\n" * 10 + "7,8:9,10:b\n" * 10


def read(folder: Path, text: str, **options: object) -> data.Dataset:
    path = folder / "s.ts"
    path.write_text(text)
    return data.open(data.choose(data.guess(path), options))  # type: ignore[arg-type]


def test_dimensions_lengths_and_classes_are_as_in_the_file(tmp_path: Path) -> None:
    dataset = read(tmp_path, HEADER + SERIES)
    assert dataset.recipe.reader == "ts"
    assert dataset.lengths("time").tolist() == [3] * 10 + [2] * 10
    inputs, label = dataset.fields
    assert (inputs.columns, label.vocabulary, label.axis) == (("x1", "x2"), ("a", "b"), None)
    assert dataset.tracks["inputs"].raw[:3].tolist() == [[1, 4], [2, 5], [3, 6]]  # type: ignore[index]
    assert dataset.lines[:4].tolist() == [7, 7, 7, 8]


def test_missing_values_repeat_the_one_before_and_are_counted(tmp_path: Path) -> None:
    dataset = read(tmp_path, HEADER + "?,2,?,3:4,NaN,?,6:a\n" + SERIES)
    raw = dataset.tracks["inputs"].raw
    assert raw is not None
    assert raw[:4].tolist() == [[2, 4], [2, 4], [2, 4], [3, 6]]
    assert "4 missing values repeat the value before" in [problem.what for problem in dataset.problems]
    with pytest.raises(StudioError, match=r"a value is missing.*line 7, column 'x1'.*previous"):
        read(tmp_path, HEADER + "?,2:4,5:a\n" + SERIES, missing="error")


def test_a_number_at_the_end_is_what_is_predicted(tmp_path: Path) -> None:
    header = "@problemName p\n@univariate true\n@targetLabel true\n@data\n"
    dataset = read(tmp_path, header + "".join(f"{n},{n + 1}:{2 * n}\n" for n in range(30)))
    target = dataset.recipe.field("targets")
    assert (target.axis, target.columns, target.role) == (None, ("target",), "target")
    assert np.ravel(dataset.tracks["targets"].raw)[:3].tolist() == [0, 2, 4]  # type: ignore[arg-type]


def test_what_a_header_says_besides_is_named(tmp_path: Path) -> None:
    told = [problem.what for problem in read(tmp_path, "@source a laboratory\n" + HEADER + SERIES).problems]
    assert any("@source" in what and "a laboratory" in what for what in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER + SERIES + "1,x:2,3:a\n", r"not a number: 'x'.*line 27, column 'x1'"),
        (HEADER + SERIES + "1,2:2,3:c\n", r"'c' is no class of the header.*line 27"),
        (HEADER + SERIES + "1,2:2:a\n", r"1 to 2 values.*line 27"),
        (HEADER + SERIES + "1,2:a\n", r"1 of 2 dimensions.*line 27"),
        (HEADER + SERIES + "?,?:1,2:a\n", r"no value at all.*line 27, column 'x1'"),
        (HEADER + SERIES + "(0,1),(1,2):(0,3),(1,4):a\n", r"time stamps.*line 27"),
        (HEADER.replace("timeStamps false", "timeStamps true") + SERIES, "time stamp at each value.*line 2"),
        (HEADER.replace("dimensions 2", "dimensions two") + SERIES, "@dimensions is not followed.*line 4"),
        (HEADER.replace("@data\n", "") + SERIES, r"no line of a header: '1,2,3.*line 6"),
        (HEADER, "no series behind @data"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=told):
        read(tmp_path, text)


def test_a_script_called_ts_is_no_series(tmp_path: Path) -> None:
    path = tmp_path / "main.ts"
    path.write_text("@Component({})\nexport class Main { data = [1, 2, 3]; }\n" * 9)
    assert data.guess(path).reader != "ts"


def test_the_sample_of_the_laws_is_read(tmp_path: Path) -> None:
    assert data.open(data.guess(vowels(tmp_path))).sequences == 60
