"""Vectors with a class as people have them: decimal commas, thousands, missing cells."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data.dataset import Dataset
from rnnstudio.design.errors import StudioError

ROWS = 60


def rows(decimal: str = ".", holes: dict[tuple[int, int], str] | None = None) -> list[list[str]]:
    """Three measures and a kind, in cells; holes: what stands in some of the cells."""
    pick = random.Random(3)
    found = []
    for _ in range(ROWS):
        kind = pick.randrange(2)
        cells = [f"{pick.gauss(kind * 2 + column, 0.3):.2f}".replace(".", decimal) for column in range(3)]
        found.append([*cells, "ab"[kind]])
    for (row, column), cell in (holes or {}).items():
        found[row][column] = cell
    return found


def write(folder: Path, table: list[list[str]], delimiter: str = ",", head: str = "long,wide,deep,kind") -> Path:
    path = folder / "v.csv"
    lines = [head.replace(",", delimiter), *(delimiter.join(row) for row in table)]
    path.write_text("\n".join(line for line in lines if line) + "\n")
    return path


def inputs(dataset: Dataset) -> np.ndarray:
    raw = dataset.tracks["inputs"].raw
    assert raw is not None
    return raw


@pytest.mark.parametrize(("delimiter", "quote"), [(";", ""), ("\t", ""), (",", '"')])
@pytest.mark.parametrize("head", ["long,wide,deep,kind", ""])
def test_a_decimal_comma_is_read(tmp_path: Path, delimiter: str, quote: str, head: str) -> None:
    plain = data.open(data.guess(write(tmp_path, rows(), head=head)))
    commas = [[*(f"{quote}{cell}{quote}" for cell in row[:3]), row[3]] for row in rows(",")]
    recipe = data.guess(write(tmp_path, commas, delimiter, head))
    assert (recipe.reader, recipe.options["decimal"]) == ("vectors", ",")
    assert np.array_equal(inputs(data.open(recipe)), inputs(plain))
    automatic = data.open(data.choose(recipe, {"decimal": "auto"}))
    assert automatic.recipe.options["decimal"] == ","
    assert np.array_equal(inputs(automatic), inputs(plain))


def test_a_missing_cell_is_told_with_what_can_be_done(tmp_path: Path) -> None:
    recipe = data.guess(write(tmp_path, rows(holes={(4, 1): "", (7, 2): "NA"})))
    assert recipe.reader == "vectors"
    with pytest.raises(
        StudioError,
        match=r"a value is missing in a column of numbers \(.*line 6, column 'wide'; 1 more like this\)\. "
        r'Fill it in, or set the missing option to "mean" or "drop"',
    ):
        data.open(recipe)
    assert "'NA'" in str(data.inspect(recipe).problems[1])


def test_rows_with_a_missing_cell_are_left_out_where_that_is_said(tmp_path: Path) -> None:
    recipe = data.guess(write(tmp_path, rows(holes={(4, 1): "", (7, 2): "NA"})))
    dataset = data.open(data.choose(recipe, {"missing": "drop"}))
    assert dataset.sequences == ROWS - 2
    assert [problem.what for problem in dataset.problems] == ["2 rows with missing values were left out"]


def test_the_mean_of_the_training_part_stands_in_where_that_is_said(tmp_path: Path) -> None:
    holes = {(row, 1): "" for row in range(0, ROWS, 7)}
    recipe = data.choose(data.guess(write(tmp_path, rows(holes=holes))), {"missing": "mean"})
    dataset = data.open(recipe)
    there = np.array([[float(cell or "nan") for cell in row[:3]] for row in rows(holes=holes)])
    training = dataset.division.examples["train"]
    mean = np.nanmean(there[training, 1])
    spec = dataset.recipe.field("inputs")
    assert spec.fill[1] == pytest.approx(mean)
    assert np.allclose(inputs(dataset)[sorted(row for row, _ in holes), 1], mean)
    assert np.isfinite(dataset.tracks["inputs"].values).all()
    told = "9 missing values in 1 column are the means of their columns in the training part"
    assert told in [problem.what for problem in dataset.problems]
    # What was learned serves another file, and the same file again.
    assert data.open(dataset.recipe, fit=False).recipe == dataset.recipe
    other = data.open(
        dataset.recipe.replace(path=str(write(tmp_path, rows(holes={(0, 1): "", (1, 0): "?"})))), fit=False
    )
    assert inputs(other)[0, 1] == pytest.approx(mean)
    assert inputs(other)[1, 0] == pytest.approx(np.nanmean(there[training, 0]))


def test_thousands_and_percent_signs_are_read_and_words_are_told(tmp_path: Path) -> None:
    table = [[f"{1000 + place:,}".replace(",", "'"), f"{place}%", *row[2:]] for place, row in enumerate(rows())]
    found = inputs(data.open(data.guess(write(tmp_path, table))))
    assert found[:3, 0].tolist() == [1000, 1001, 1002]
    assert found[:3, 1].tolist() == [0, 1, 2]
    recipe = data.guess(write(tmp_path, rows()))
    write(tmp_path, rows(holes={(3, 0): "wide"}))
    with pytest.raises(StudioError, match=r"this is not a number: 'wide' \(.*line 5, column 'long'\)"):
        data.open(recipe)
