"""NumPy's files, vectors and signals: which fields they make, and how what does not fit is told."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data.readers import choose
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from tests.data.vector_files import digits, moves, wave


def opened(path: Path, **options: Any) -> data.Dataset:
    return data.open(choose(data.guess(path), options))


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def fields(dataset: data.Dataset) -> list[tuple[str, str, int, str | None]]:
    return [(spec.name, spec.content, spec.size, spec.axis) for spec in dataset.fields]


X = np.random.default_rng(0).normal(size=(40, 6, 3))


def test_one_array_is_a_series_that_predicts_itself(tmp_path: Path) -> None:
    made = opened(wave(tmp_path), horizon=2)
    assert fields(made) == [("inputs", "real", 2, "time"), ("targets", "real", 2, "time")]
    assert made.recipe.field("targets").shift == 2
    assert made.sequences == 1


@pytest.mark.parametrize(
    ("targets", "field"),
    [
        (np.arange(40) % 3, ("label", "tokens", 3, None)),
        (np.arange(240).reshape(40, 6) % 4, ("label", "tokens", 4, "time")),
        (X[:, 0, 0], ("targets", "real", 1, None)),
        (X[:, 0, :2], ("targets", "real", 2, None)),
        (X[:, :, 0], ("targets", "real", 1, "time")),
        (X[:, :, :2] * 2, ("targets", "real", 2, "time")),
        (np.array(["a", "b"])[np.arange(40) % 2], ("label", "tokens", 2, None)),
        (np.arange(40) % 2 == 0, ("label", "tokens", 2, None)),
    ],
)
def test_targets_are_for_each_example_or_each_step(
    targets: Any, field: tuple[str, str, int, str | None], tmp_path: Path
) -> None:
    made = opened(saved(tmp_path, x=X, y=targets))
    assert fields(made) == [("inputs", "real", 3, "time"), field]
    values = made.tracks[field[0]]
    if field[1] == "real":
        assert values.raw is not None
        assert np.allclose(values.raw.reshape(-1), targets.reshape(-1))
    else:
        texts = [made.recipe.field("label").vocabulary[int(value)] for value in values.values]
        assert texts == [str(value) for value in targets.reshape(-1).tolist()]


def test_lengths_cut_what_is_padded_and_what_lies_end_to_end(tmp_path: Path) -> None:
    padded = opened(moves(tmp_path))
    assert len(set(padded.lengths("time").tolist())) > 3
    lengths = np.array([3, 5, 2] * 8)
    end_to_end = opened(saved(tmp_path, x=np.arange(160.0).reshape(80, 2), lengths=lengths, y=np.arange(80) % 2))
    assert end_to_end.lengths("time").tolist() == lengths.tolist()
    assert fields(end_to_end)[1] == ("label", "tokens", 2, "time")


def test_rows_are_vectors_where_each_has_a_class(tmp_path: Path) -> None:
    made = opened(saved(tmp_path, x=X[:, 0], y=np.arange(40) % 3))
    assert fields(made) == [("inputs", "real", 3, None), ("label", "tokens", 3, None)]
    steps = opened(saved(tmp_path, x=X[:, 0], y=np.arange(40) % 3), rows="steps")
    assert fields(steps) == [("inputs", "real", 3, "time"), ("label", "tokens", 3, "time")]


SERIES = np.cumsum(np.random.default_rng(4).normal(size=(300, 3)), axis=0)
SHUFFLED = np.random.default_rng(5).permutation(SERIES)


@pytest.mark.parametrize(
    ("inputs", "targets", "rows"),
    [
        (SERIES, np.arange(300) // 7 % 3, "steps"),  # a walk, tagged step by step
        (SERIES, SERIES[:, 0] * 2, "steps"),  # with a number to be said at each
        (SERIES.astype(np.float32), np.arange(600.0).reshape(300, 2), "steps"),
        (SHUFFLED, np.arange(300) % 3, "examples"),
        (SHUFFLED, SHUFFLED[:, 0] * 2, "examples"),
        (np.repeat(np.eye(3), 100, axis=0), np.repeat(np.arange(3), 100), "examples"),  # sorted by class
        (np.ones((300, 2)), np.arange(300) % 2, "examples"),
    ],
)
def test_rows_that_go_on_from_those_before_are_steps(inputs: Any, targets: Any, rows: str, tmp_path: Path) -> None:
    path = saved(tmp_path, x=inputs, y=targets)
    recipe = data.guess(path)
    assert recipe.options["rows"] == rows
    made = data.open(recipe)
    assert made.recipe.field("inputs").axis == ("time" if rows == "steps" else None)
    assert data.open(DataRecipe("arrays", str(path), {}, recipe.split)).recipe.options == made.recipe.options
    other = "examples" if rows == "steps" else "steps"
    told = next(problem for problem in made.problems if "has a target of its own" in problem.what)
    assert f'set rows to "{other}"' in told.remedy
    changed = opened(path, rows=other)
    assert changed.recipe.field("inputs").axis == ("time" if other == "steps" else None)


@pytest.mark.parametrize("kind", ["f4", "f2", ">f8", "i2", "u1", "bool", "g"])
def test_arrays_of_every_type_are_read_as_float64_would_be(tmp_path: Path, kind: str) -> None:
    array = (np.random.default_rng(1).normal(size=(200, 4)) * 20).astype(kind)
    made = opened(saved(tmp_path, x=array))
    same = opened(saved(tmp_path, x=array.astype(np.float64)))
    for name in ("inputs", "targets"):
        assert made.recipe.field(name) == same.recipe.field(name)
        assert np.array_equal(made.tracks[name].values, same.tracks[name].values)
    assert made.tracks["inputs"].values.dtype == np.float32
    by_column = opened(saved(tmp_path, x=np.asfortranarray(array)))
    assert np.array_equal(by_column.tracks["inputs"].values, same.tracks["inputs"].values)
    assert data.preview_of(made).examples


def test_unaligned_labels_have_an_axis_of_their_own_and_what_is_not_used_is_named(tmp_path: Path) -> None:
    said = np.arange(160).reshape(40, 4) % 5
    made = opened(saved(tmp_path, x=X, labels=said, label_lengths=np.arange(40) % 4 + 1, note=np.zeros(3)))
    assert [(spec.name, spec.axis) for spec in made.fields] == [("inputs", "time"), ("labels", "labels")]
    assert made.lengths("labels").tolist() == (np.arange(40) % 4 + 1).tolist()
    assert any("the array 'note'" in problem.what for problem in made.problems)


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"x": X, "y": np.arange(39)}, "39 targets for 40 examples"),
        ({"x": X, "lengths": np.full(40, 7)}, "7 long"),
        ({"x": X, "lengths": np.full(40, -1)}, "lengths are whole numbers"),
        ({"x": np.array(["a", "b"])}, "not numbers"),
        ({"x": np.zeros((2, 2, 2, 2))}, "no series, vectors or sequences"),
        ({"x": np.full((30, 2), np.nan)}, "not finite"),
        ({"x": np.array([{}, []], object)}, "Python objects"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused_by_name(arrays: dict[str, Any], what: str, tmp_path: Path) -> None:
    path = saved(tmp_path, **arrays)
    with pytest.raises(StudioError) as raised:
        data.open(data.guess(path))
    assert what in raised.value.what
    assert "array '" in raised.value.where
    assert raised.value.remedy


def test_a_pickle_is_never_read_and_an_archive_of_nothing_not_unpacked(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([1, "a", None], object), allow_pickle=True)
    with pytest.raises(StudioError, match="Python objects"):
        data.open(data.guess(tmp_path / "o.npy"))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(tmp_path / "lies.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    with pytest.raises(StudioError, match="ends before its array"):
        data.open(data.guess(tmp_path / "lies.npz"))


def test_vectors_may_have_several_classes_and_their_mistakes_are_told_by_cell(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    rows = [f"{n % 7}.5,{n % 5},{n % 3}.25,{'ab'[n % 2]},{'red' if n % 3 else 'blue'}" for n in range(60)]
    path.write_text("u,v,w,kind,colour\n" + "\n".join(rows) + "\n")
    made = opened(path)
    assert made.recipe.reader == "vectors"
    assert fields(made) == [
        ("inputs", "real", 3, None),
        ("kind", "tokens", 2, None),
        ("colour", "tokens", 2, None),
    ]
    recipe = made.recipe
    path.write_text("u,v,w,kind,colour\n1,2,3,a,red\n1,two,3,a,red\n")
    with pytest.raises(StudioError, match="'two'") as raised:
        data.open(recipe)
    assert "line 3, column 'v'" in raised.value.where
    with pytest.raises(StudioError, match="64 columns do not make 7 steps"):
        opened(digits(tmp_path), steps=7)


def test_a_series_of_several_groups_stays_a_series(tmp_path: Path) -> None:
    path = tmp_path / "shops.csv"
    rows = "".join(f"{day},{shop},{day * 7 % 5},{day * 3 % 11}\n" for shop in ("Rome", "Oslo") for day in range(40))
    path.write_text("day,shop,rain,sold\n" + rows)
    assert data.guess(path).reader == "csv"
    path.write_text("".join(f"{row},{day}\n" for day, row in enumerate(["1.5,a,2", "2.5,b,3"] * 20)))
    assert data.guess(path).reader == "csv"
