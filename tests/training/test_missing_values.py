"""Cells that are missing in a table: masked in losses, scores and baselines, from the file to the trained model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnstudio
from rnnstudio import data
from rnnstudio.cli import main
from rnnstudio.data.baselines import Measure, accuracy_baselines, baselines_of
from rnnstudio.data.batches import Batches
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.training.evaluate import load_trained
from rnnstudio.training.runs import Run
from tests.data.test_dividing import opened, split_in_three


def flows(folder: Path, rows: int = 240) -> Path:
    """Two columns in which some cells are empty; the second begins late."""
    pick = np.random.default_rng(3)
    lines = ["t,flow,level"]
    for n in range(rows):
        flow = "" if pick.random() < 0.2 else f"{np.sin(n / 5) * 10 + 50:.4f}"
        level = "" if n < 40 or pick.random() < 0.1 else f"{np.cos(n / 5):.4f}"
        lines.append(f"{n},{flow},{level}")
    path = folder / "flows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def cells(path: Path, column: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    rows = [line.split(",")[column] for line in path.read_text().splitlines()[1:]]
    return np.array([float(cell) if cell else np.nan for cell in rows])


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main([str(argument) for argument in arguments]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_a_missing_target_stays_missing_and_a_missing_input_is_the_value_before(tmp_path: Path) -> None:
    path = flows(tmp_path)
    dataset = opened(path, missing="mask")
    flow, level = cells(path, 1), cells(path, 2)
    assert dataset.rows == 240
    given = dataset.unscale("inputs", dataset.tracks["inputs"].values)
    assert not np.isnan(given).any()
    for row in range(1, 240):
        if np.isnan(flow[row]) and not np.isnan(flow[:row]).all():
            assert given[row, 0] == given[row - 1, 0]
        elif not np.isnan(flow[row]):
            assert given[row, 0] == pytest.approx(flow[row], abs=1e-4)
    edge = int(dataset.division.rows["train"][0, 1])
    spec = dataset.recipe.field("inputs")
    assert np.allclose(given[:40, 1], np.nanmean(given[40:edge, 1]), atol=0.1)  # nothing was known: the mean
    assert (spec.mean[0], spec.std[0]) != (0.0, 1.0)
    wanted = dataset.unscale("targets", dataset.tracks["targets"].values)
    assert np.array_equal(np.isnan(wanted), np.isnan(np.column_stack([flow, level])))
    target = dataset.recipe.field("targets")
    assert (target.missing, target.shift_of) == (int(np.isnan(wanted).sum()), "inputs")
    assert dataset.recipe.field("inputs").missing == 0
    again = data.open(DataRecipe.from_json(dataset.recipe.to_json()), fit=False)
    assert again.recipe == dataset.recipe
    assert np.array_equal(again.tracks["targets"].values, dataset.tracks["targets"].values, equal_nan=True)


def test_scaling_is_learned_of_what_is_known_of_each_column(tmp_path: Path) -> None:
    path = flows(tmp_path)
    dataset = opened(path, missing="mask", inputs="flow", targets="level", horizon="1")
    edge = int(dataset.division.rows["train"][0, 1])
    level = cells(path, 2)[:edge]
    spec = dataset.recipe.field("targets")
    assert (spec.mean[0], spec.std[0]) == pytest.approx((np.nanmean(level), np.nanstd(level)))


def test_without_a_choice_a_missing_cell_is_refused_and_the_remedy_says_how(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match='set the missing option to "mask"'):
        opened(flows(tmp_path))


def test_a_missing_class_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{n},{n % 7},{'' if n % 5 == 0 else 'low' if n % 7 < 4 else 'high'}" for n in range(210)]
    path.write_text("t,speed,label\n" + "\n".join(rows) + "\n")
    dataset = opened(path, missing="mask")
    label = dataset.recipe.field("label")
    assert label.vocabulary == ("high", "low")
    assert label.missing == 42
    edge = int(dataset.division.rows["train"][0, 1])
    known = [n for n in range(edge) if n % 5]
    assert dict(zip(label.vocabulary, label.counts, strict=True)) == {
        "low": sum(n % 7 < 4 for n in known),
        "high": sum(n % 7 >= 4 for n in known),
    }
    values = dataset.tracks["label"].values
    assert [int(value) for value in values[:6]] == [-1, 1, 1, 1, 0, -1]
    found = dataset.values_of("validation", "label")
    share = (found[found >= 0] == 1).mean()
    assert accuracy_baselines(dataset, "validation") == {"always low": pytest.approx(share)}
    with pytest.raises(StudioError, match="a class is missing"):
        opened(path, missing="mask", inputs=["label"], targets=["label"], horizon="1")


def test_a_missing_number_of_a_sequence_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{n},{'' if n % 4 == 0 else n + 1},{n + 2},{'' if n % 6 == 0 else n}" for n in range(60)]
    path.write_text("s1,s2,s3,target\n" + "\n".join(rows) + "\n")
    dataset = opened(path, missing="mask")
    assert dataset.recipe.options["mode"] == "row_is_sequence"
    assert dataset.sequences == 60
    assert dataset.recipe.field("targets").missing == 10
    assert np.isnan(dataset.statics["targets"][:, 0]).tolist() == [n % 6 == 0 for n in range(60)]
    steps = dataset.unscale("inputs", dataset.tracks["inputs"].values)[:6, 0]
    assert steps.tolist() == pytest.approx([0, 0, 2, 1, 2, 3], abs=1e-4)


def forecaster(path: Path, **options: Any) -> tuple[rnnstudio.Drawing, data.Dataset]:
    design = rnnstudio.new("flows")
    dataset = design.read(path, **options)
    design.add("FeatureInput", "inputs")
    design.add("GRU", "memory", units=6, x="inputs")
    design.add("Linear", "prediction", units=dataset.recipe.field("targets").size, input="memory")
    design.add("FeatureTarget", "targets")
    design.add("MeanSquaredError", "loss", prediction="prediction", target="targets")
    return design, dataset


def test_a_run_learns_and_is_scored_by_what_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = flows(tmp_path)
    design, _ = forecaster(path, missing="mask")
    design.save(tmp_path / "flows.rnn")
    run = tmp_path / "run"
    quick = ("--steps", 60, "--seed", 1, "--set", "threads=1", "--set", "chunk=20", "--set", "batch_size=4")
    made = told(capsys, "train", tmp_path / "flows.rnn", "--run", run, *quick, "--json")
    assert made["state"] == "finished"
    losses = Run.open(run).steps().loss
    assert np.isfinite(losses).all()
    assert losses[-5:].mean() < losses[:3].mean()
    scored = told(capsys, "evaluate", run, "--split", "validation", "--json")
    trained = load_trained(Run.open(run))
    dataset = data.open(trained.recipe, fit=False)
    batches = Batches(dataset, "validation", 4, 20, carry=True, shuffle=False, context=0)
    squares = count = 0.0
    whole = {name: torch.from_numpy(track.values)[None] for name, track in dataset.tracks.items()}
    with torch.no_grad():
        said = next(iter(trained.network({"inputs": whole["inputs"]}).outputs.values()))[0]
    spans = dataset.split("validation").spans
    first, end = int(spans.first[0]), int(spans.end[0])
    truth = dataset.tracks["targets"].values[first + 1 : end + 1]
    errors = (said[first:end].numpy() - truth) ** 2
    squares, count = np.nansum(errors), (~np.isnan(errors)).sum()
    assert scored["loss"] == pytest.approx(squares / count, rel=1e-4)
    assert batches.split.steps == end - first
    assert scored["baselines"]["mean"] == pytest.approx(np.nanmean((truth - _mean(dataset)) ** 2), rel=1e-4)
    looked = told(capsys, "evaluate", run, "--windows", 4, "--horizon", 3, "--json")
    assert all(np.isfinite(score["mae"]).all() for score in looked["scores"].values())


def _mean(dataset: data.Dataset) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.nanmean(dataset.values_of("train", "targets"), axis=0)


def test_baselines_leave_out_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("v\n" + "".join(f"{'' if n % 4 == 3 else n % 3}\n" for n in range(200)))
    dataset = opened(path, missing="mask", header="true")
    found = baselines_of(dataset, "validation", Measure("absolute_error"), season=3)
    assert all(np.isfinite(value) for value in found.values())
    filled, truth = dataset.tracks["inputs"].values, dataset.tracks["targets"].values
    spans = dataset.split("validation").spans
    step = np.arange(int(spans.first[0]), int(spans.end[0]))
    assert found["persistence"] == pytest.approx(float(np.nanmean(np.abs(filled[step] - truth[step + 1]))), rel=1e-5)


def test_gaps_in_one_of_two_files_are_kept(tmp_path: Path) -> None:
    train, valid, _ = split_in_three(flows(tmp_path), 1, (160, 200))
    train.write_text(train.read_text().replace(",,", ",0,").replace(",\n", ",0\n"))
    dataset = opened(train, missing="mask", validation_file=str(valid))
    found = dataset.values_of("validation", "targets")
    wanted = np.column_stack([cells(valid, 1), cells(valid, 2)])[1:]
    assert np.array_equal(np.isnan(found), np.isnan(wanted))
    assert not np.isnan(dataset.values_of("train", "targets")).any()
