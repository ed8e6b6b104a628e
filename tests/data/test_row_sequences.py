"""Rows that hold a sequence each: several features a step, in either order, lengths that differ, labels beside them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data.formats.steps_in_names import feature_names, parted, steps_of
from rnnstudio.data.options import FEATURE_BY_FEATURE, STEP_BY_STEP
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe

ROWS, STEPS = 60, 4
BY_STEP = [(step, feature) for step in range(STEPS) for feature in "ab"]
BY_FEATURE = [(step, feature) for feature in "ab" for step in range(STEPS)]
NAMINGS: dict[str, Callable[[int, str], str]] = {
    "t0_a": lambda step, feature: f"t{step}_{feature}",
    "a_0": lambda step, feature: f"{feature}_{step}",
    "a1": lambda step, feature: f"{feature}{step + 1}",
    "a[0]": lambda step, feature: f"{feature}[{step}]",
    "0.a": lambda step, feature: f"{step}.{feature}",
    "a t0": lambda step, feature: f"{feature} t{step}",
}


def _value(row: int, step: int, feature: str) -> float:
    return row + step / 8 + (100 if feature == "b" else 0)


def _length(row: int) -> int:
    return 2 + row % 3 if row % 2 else STEPS


def _write(
    path: Path,
    keys: Sequence[tuple[int, str]],
    naming: Callable[[int, str], str],
    before: Sequence[str] = (),
    behind: Sequence[str] = (),
    even: bool = False,
) -> Path:
    """before, behind: names of columns of labels: "kind" a word, "score" a number, "id" the number of the row."""
    label = {
        "kind": lambda row: "odd" if row % 2 else "even",
        "score": lambda row: row / 4,
        "id": str,
        "where": lambda row: "nsew"[row % 4],
    }
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow([*before, *(naming(*key) for key in keys), *behind])
        for row in range(ROWS):
            cells = [_value(row, step, feature) if even or step < _length(row) else "" for step, feature in keys]
            rows.writerow([*(label[n](row) for n in before), *cells, *(label[n](row) for n in behind)])
    return path


def _holds_what_was_written(dataset: data.Dataset, even: bool = False) -> None:
    lengths = [STEPS if even else _length(row) for row in range(ROWS)]
    assert dataset.lengths("time").tolist() == lengths
    assert dataset.raw is not None
    for row in (0, 1, 3, 5, 59):
        first = int(dataset.offsets[row])
        wanted = [[_value(row, step, feature) for feature in "ab"] for step in range(lengths[row])]
        assert dataset.raw[first : first + lengths[row]].tolist() == wanted


@pytest.mark.parametrize("naming", NAMINGS.values(), ids=NAMINGS)
@pytest.mark.parametrize("keys", [BY_STEP, BY_FEATURE], ids=["step by step", "feature by feature"])
def test_names_say_what_is_a_step_and_a_feature(
    keys: list[tuple[int, str]], naming: Callable[[int, str], str], tmp_path: Path
) -> None:
    recipe = data.guess(_write(tmp_path / "a.csv", keys, naming, behind=["kind"]))
    assert recipe.reader == "csv"
    chosen = {name: recipe.options[name] for name in ("mode", "features", "arrangement", "targets")}
    assert chosen == {
        "mode": "row_is_sequence",
        "features": 2,
        "arrangement": STEP_BY_STEP if keys is BY_STEP else FEATURE_BY_FEATURE,
        "targets": ["kind"],
    }
    dataset = data.open(recipe)
    assert dataset.recipe.field("inputs").columns == ("a", "b")
    assert dataset.recipe.field("kind").axis is None
    _holds_what_was_written(dataset)


@pytest.mark.parametrize(
    ("before", "behind", "targets"),
    [
        ((), ("kind", "score", "where"), {"kind", "where", "targets"}),
        (("kind", "where"), (), {"kind", "where"}),
        (("id",), ("score",), {"targets"}),
        (("id", "kind"), ("where",), {"kind", "where"}),
    ],
    ids=["behind", "before", "a row's number is no label", "both"],
)
def test_labels_behind_and_before_are_targets_each(
    before: tuple[str, ...], behind: tuple[str, ...], targets: set[str], tmp_path: Path
) -> None:
    dataset = data.open(data.guess(_write(tmp_path / "a.csv", BY_STEP, NAMINGS["t0_a"], before, behind)))
    assert {spec.name for spec in dataset.targets} == targets
    assert all(spec.axis is None for spec in dataset.targets)
    _holds_what_was_written(dataset)
    if "targets" in targets:
        track = dataset.tracks["targets"]
        assert track.raw is not None
        assert track.raw[:, 0].tolist() == [row / 4 for row in range(ROWS)]
    if "kind" in targets:
        vocabulary = dataset.recipe.field("kind").vocabulary
        assert [vocabulary[n] for n in dataset.tracks["kind"].values[:3]] == ["even", "odd", "even"]


def test_a_person_can_say_what_names_do_not(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "a.csv", BY_FEATURE, lambda step, feature: f"{feature * (step + 1)}", behind=["kind"], even=True
    )
    recipe = data.guess(path)
    names = [feature * (step + 1) for step, feature in BY_FEATURE]
    said = {
        "mode": "row_is_sequence",
        "inputs": names,
        "targets": ["kind"],
        "features": 2,
        "arrangement": FEATURE_BY_FEATURE,
    }
    dataset = data.open(DataRecipe("csv", str(path), said))
    _holds_what_was_written(dataset, even=True)
    assert dataset.recipe.field("inputs").columns == ("value1", "value2")
    with pytest.raises(StudioError, match=r"8 columns do not make steps of 3 each .*option features"):
        data.open(recipe.replace(options={**said, "features": 3}))


def test_a_step_of_which_a_part_is_missing_is_told_with_its_column(tmp_path: Path) -> None:
    for keys in (BY_STEP, BY_FEATURE):
        path = _write(tmp_path / "a.csv", keys, NAMINGS["a_0"], behind=["kind"], even=True)
        rows = list(csv.reader(path.read_text().splitlines()))
        rows[4][rows[0].index("b_1")] = ""
        path.write_text("\n".join(map(",".join, rows)) + "\n")
        recipe = data.guess(path)
        told = [p for p in data.inspect(recipe).problems if p.severity == "error"]
        assert [(p.line, p.column) for p in told] == [(5, "'b_1'")]
        filled = data.open(data.choose(recipe, {"missing": "previous"}))
        assert filled.raw is not None
        assert filled.raw[3 * STEPS + 1].tolist() == [_value(3, 1, "a"), _value(3, 0, "b")]
        dropped = data.open(data.choose(recipe, {"missing": "drop"}))
        assert dropped.lengths("time")[:5].tolist() == [4, 4, 4, 3, 4]


def test_scaling_that_is_said_of_a_features_first_column_is_that_of_the_feature(tmp_path: Path) -> None:
    for keys in (BY_STEP, BY_FEATURE):
        path = _write(tmp_path / "a.csv", keys, NAMINGS["a_0"], behind=["kind"])
        dataset = data.open(data.choose(data.guess(path), {"scaling": {"b_0": "none"}}))
        spec = dataset.recipe.field("inputs")
        assert (spec.mean[1], spec.std[1]) == (0.0, 1.0)
        assert spec.std[0] != 1.0


@pytest.mark.parametrize(
    "head",
    ["x1,x2,x3,x4", "t,a_1,a_2,a_3", "s1,s2,s4,s5", "a1,b1,a2,b2"],
    ids=["one feature may be a vector", "rows with a time are steps", "a gap", "two steps"],
)
def test_other_numbered_columns_are_no_steps(head: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    body = "".join(f"{n},{n * n % 7},{n % 5},{n % 3}\n" for n in range(40))
    path.write_text(f"{head}\n{body}")
    assert data.guess(path).options["mode"] == "row_is_step"


def test_rows_of_one_feature_that_end_early_are_sequences(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    cells = [[str(n + k) if k < 2 + n % 3 else "" for k in range(4)] for n in range(40)]
    path.write_text("x1,x2,x3,x4,label\n" + "".join(",".join([*row, str(n % 3)]) + "\n" for n, row in enumerate(cells)))
    recipe = data.guess(path)
    assert recipe.options["mode"] == "row_is_sequence"
    assert data.open(recipe).lengths("time").tolist() == [2 + n % 3 for n in range(40)]


def test_names_are_parted() -> None:
    known: dict[str, Any] = {
        "t0_acc_x": ("acc_x", 0),
        "acc_x_12": ("acc_x", 12),
        "temp t3": ("temp", 3),
        "step07": ("", 7),
        "2001": None,
        "label": None,
    }
    assert {name: parted(name) for name in known} == known
    assert feature_names(["a_0", "a_1", "b_0", "c_1"], 2, FEATURE_BY_FEATURE) == ("a", "value2")
    assert steps_of([f"a_{n}" for n in range(3)] + ["label1", "label2"]) == steps_of([f"a_{n}" for n in range(3)])
    steps = steps_of([f"a_{n}" for n in np.random.default_rng(0).permutation(9)])
    assert steps is not None
    assert steps.columns == tuple(f"a_{n}" for n in range(9))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("t0,t1,t2,label\n", "only a header line"),
        ("t0,t1,t2,label\n1,2\n1\n", ""),
        ("t0,t1,t2,a" + "9" * 5000 + "\n" + "1,2,3,4\n" * 20, ""),
        ("t0,t1,t2,weight\n" + f"1,2,3,{'9' * 5000}\n" * 20, "infinity"),
        ("t0,t1,t2,size\n" + "1,2,3,²\n" * 20, ""),
    ],
)
def test_odd_tables_of_steps_are_read_or_told(table: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(table)
    shown = data.inspect(data.guess(path))
    assert told in " ".join(map(str, shown.problems))
    assert "Please report this" not in " ".join(map(str, shown.problems))
