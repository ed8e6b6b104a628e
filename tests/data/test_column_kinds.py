"""Kinds of table columns: guessed and shown, set by options; classes keep their counts, nothing is dropped unsaid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data.batches import Batches
from rnnstudio.data.formats.columns import guess_kind
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe


def table(folder: Path, rows: int = 60) -> Path:
    """Steps with a number, a class in words, one in whole numbers, a yes or no, and remarks."""
    lines = ["t,speed,gear,code,wet,note"]
    for n in range(rows):
        gear = ("low", "high", "rest")[n // 2 % 3]
        lines.append(f"{n},{n * 7 % 13},{gear},{n % 4 + 10},{'yes' if n % 5 == 0 else 'no'},remark {n} of many")
    path = folder / "drive.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def opened(path: Path, **options: object) -> data.Dataset:
    return data.open(data.choose(data.guess(path), options))


@pytest.mark.parametrize(
    ("cells", "numeric", "kind"),
    [
        (["1", "2.5", "-3"], True, "number"),
        (["0", "1", "1"], True, "yes/no"),
        (["Yes", "no", "no"], False, "yes/no"),
        (["1", "1"], True, "number"),
        (["red", "blue", "red", "blue"], False, "label"),
        (["a fine day", "a wet day", "no day"], False, "text"),
        (["2024-01-01", "2024-02-01"], False, "time"),
        ([], False, "ignored"),
    ],
)
def test_a_kind_is_guessed_from_cells(cells: list[str], numeric: bool, kind: str) -> None:
    assert guess_kind(cells, numeric) == kind


def test_numbers_and_yes_and_no_are_proposed_and_the_rest_is_named_with_a_cell(tmp_path: Path) -> None:
    dataset = opened(table(tmp_path))
    assert dataset.recipe.field("inputs").columns == ("speed", "code", "wet")
    wet = dataset.tracks["inputs"].raw[:, 2]
    assert wet.tolist() == [float(n % 5 == 0) for n in range(60)]
    assert [p.what for p in dataset.problems if p.severity == "hint"] == [
        "not used: the column 'gear' (label) ('low')",
        "not used: the column 'note' (text) ('remark 0 of many')",
    ]


def test_a_column_of_classes_is_a_field_of_its_own_with_counts(tmp_path: Path) -> None:
    dataset = opened(table(tmp_path), inputs=["speed"], targets=["gear"], horizon=2)
    inputs, gear = dataset.fields
    assert (inputs.columns, inputs.role) == (("speed",), "input")
    assert (gear.name, gear.content, gear.axis, gear.role) == ("gear", "tokens", "time", "target")
    assert gear.vocabulary == ("high", "low", "rest")
    first, end = dataset.division.rows["train"][0]
    classes = [("low", "high", "rest")[n // 2 % 3] for n in range(60)]
    assert gear.counts == tuple(classes[first:end].count(name) for name in gear.vocabulary)
    batch = Batches(dataset, "train", 4, chunk=10, shuffle=False, context=0).batch(0, 0)
    found = [gear.vocabulary[number] for number in batch.fields["gear"][0].tolist()]
    assert found == classes[2:12]


def test_a_class_may_be_read_and_predicted_later(tmp_path: Path) -> None:
    dataset = opened(table(tmp_path), inputs=["gear", "speed"], targets=["gear"], horizon=1)
    assert [(spec.name, spec.role) for spec in dataset.fields] == [
        ("inputs", "input"),
        ("gear", "input"),
        ("next_gear", "target"),
    ]
    run = dataset.split("train").sequence(0)
    assert np.array_equal(run["gear"][1:], run["next_gear"][:-1])
    with pytest.raises(StudioError, match="'gear' is an input and, at horizon 0, its own target"):
        opened(table(tmp_path), inputs=["gear"], targets=["gear"], horizon=0)


def test_whole_numbers_are_classes_when_they_are_said_to_be(tmp_path: Path) -> None:
    dataset = opened(table(tmp_path), kinds={"code": "label"}, inputs=["speed"], targets=["code"], horizon=0)
    assert dataset.recipe.field("code").vocabulary == ("10", "11", "12", "13")
    again = data.open(DataRecipe.from_json(dataset.recipe.to_json()))
    assert again.recipe == dataset.recipe
    typed = opened(table(tmp_path), kinds="code: label", inputs=["speed"], targets=["code"], horizon=0)
    assert typed.recipe == dataset.recipe


def test_a_class_at_the_end_of_a_row_is_one_for_the_sequence(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n + 1},{'' if n % 3 else n},{'up' if n % 2 else 'down'}\n" for n in range(40))
    (tmp_path / "t.csv").write_text("a,b,c,way\n" + rows)
    dataset = opened(tmp_path / "t.csv", mode="row_is_sequence", inputs=["a", "b", "c"], targets=["way"])
    assert [(spec.name, spec.axis, spec.role) for spec in dataset.fields] == [
        ("inputs", "time", "input"),
        ("way", None, "target"),
    ]
    batch = Batches(dataset, "train", 8).batch(0, 0)
    assert batch.fields["way"].shape == (8,)
    with pytest.raises(StudioError, match="'way' holds classes"):
        opened(tmp_path / "t.csv", mode="row_is_sequence", inputs=["a", "way"], targets=[])


def test_each_column_has_its_own_scaling(tmp_path: Path) -> None:
    scaling = {"speed": "min-max", "code": "none", "wet": "robust"}
    dataset = opened(table(tmp_path), scaling=scaling)
    spec = dataset.recipe.field("inputs")
    train = dataset.tracks["inputs"].raw[: int(dataset.division.rows["train"][0, 1])]
    assert (spec.mean[0], spec.std[0]) == (train[:, 0].min(), np.ptp(train[:, 0]))
    assert (spec.mean[1], spec.std[1]) == (0.0, 1.0)
    assert spec.mean[2] == np.median(train[:, 2])
    values = dataset.tracks["inputs"].values[: len(train)]
    assert (values[:, 0].min(), values[:, 0].max()) == (0.0, 1.0)
    assert np.allclose(dataset.unscale("inputs", values), train)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kinds": {"gear": "colour"}}, "'colour' is no choice for the column 'gear' (option kinds)"),
        ({"scaling": {"speed": "big"}}, "'big' is no choice for the column 'speed'"),
        ({"kinds": {"none": "label"}}, "there is no column 'none' (drive.csv, line 1, option kinds)"),
        ({"kinds": 3}, "3 is not a mapping"),
    ],
)
def test_a_wrong_kind_or_scaling_is_told(tmp_path: Path, options: dict[str, object], told: str) -> None:
    table(tmp_path)
    with pytest.raises(StudioError) as caught:
        data.open(DataRecipe("csv", "drive.csv", options, (0.8, 0.1, 0.1)), tmp_path)
    assert told in str(caught.value)


def test_a_missing_class_is_told_at_its_line(tmp_path: Path) -> None:
    path = table(tmp_path)
    path.write_text(path.read_text().replace("3,8,high", "3,8,"))
    with pytest.raises(StudioError, match=r"a class is missing: '' .*line 5, column 'gear'"):
        opened(path, inputs=["speed"], targets=["gear"])
