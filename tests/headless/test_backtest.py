"""`rnnstudio evaluate RUN --windows N`: cut-offs, what simple methods say at them, and their errors by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.cli import BAD_INPUT, main
from rnnstudio.data.cutoffs import Autoregression, CutOff, find_cut_offs, naive, scored, seasonal_scale, values_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.design.storage import load
from tests.data.reader_samples import text

SEASON = 12
QUICK = ("--seed", 1, "--set", "threads=1", "--set", "learning_rate=0.01")


def monthly(folder: Path, groups: tuple[str, ...] = ("",), rows: int = 240) -> Path:
    """A season of twelve months on a slow rise, in units of hundreds."""
    path = folder / "monthly.csv"
    lines = [
        f"{group},{n},{1000 + 100 * k + 200 * math.sin(2 * math.pi * n / SEASON) + 0.1 * n:.4f}\n"
        for k, group in enumerate(groups)
        for n in range(rows)
    ]
    path.write_text("shop,time,sold\n" + "".join(lines))
    return path


def opened(path: Path, **options: Any) -> data.Dataset:
    chosen = {"inputs": ["sold"], "targets": ["sold"], "order": "time", **options}
    return data.open(DataRecipe("csv", path.name, chosen, (0.7, 0.15, 0.15)), path.parent)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main([str(argument) for argument in arguments]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def run_of(folder: Path, capsys: pytest.CaptureFixture[str], *chosen: str, steps: int = 150) -> Path:
    """A forecaster that was drawn for the file and trained a little."""
    options = ("--set", "data.inputs=sold", "--set", "data.targets=sold", "--set", "data.order=time", *chosen)
    made = told(capsys, "new", "--data", monthly(folder), folder / "mine", *options, "--json")
    told(capsys, "train", made["design"], "--run", folder / "run", "--steps", steps, *QUICK, "--json")
    return folder / "run"


def test_cut_offs_spread_over_the_part_and_nothing_after_it_is_asked(tmp_path: Path) -> None:
    dataset = opened(monthly(tmp_path))
    rows = dataset.division.rows["test"].tolist()[0]
    cuts = find_cut_offs(dataset, "test", 5, list(range(1, 11)), 2)
    assert len(cuts) == 5
    assert cuts[0].row + 1 == rows[0]  # the first that is forecast is the first of the part
    assert cuts[-1].row + 10 == rows[1] - 1
    gaps = np.diff([cut.row for cut in cuts])
    assert gaps.max() - gaps.min() <= 1
    assert len(find_cut_offs(dataset, "test", 1000, [1], 2)) == rows[1] - rows[0]
    with pytest.raises(StudioError, match="no room for a cut-off"):
        find_cut_offs(dataset, "test", 5, list(range(1, 50)), 2)


def test_a_season_is_repeated_and_persistence_says_the_last_value() -> None:
    values = np.arange(20.0)[:, None]
    cut = CutOff(0, 0, 14)
    assert naive(values, cut, [1, 2, 3])[:, 0].tolist() == [14, 14, 14]
    assert naive(values, cut, [1, 2, 3, 4, 5], 4)[:, 0].tolist() == [11, 12, 13, 14, 11]


def test_the_scale_of_mase_is_the_change_over_a_season_in_training(tmp_path: Path) -> None:
    dataset = opened(monthly(tmp_path, ("a", "b")), group="shop")
    values = values_of(dataset, "targets")
    found = seasonal_scale(dataset, values, SEASON)
    assert found[:, 0] == pytest.approx([0.1 * SEASON] * 2, rel=1e-3)  # the season itself drops out
    errors = np.full((2, 3, 1), 2.4)
    assert scored(errors, found).mase == pytest.approx([2.0], rel=1e-3)
    assert scored(errors, None).mase is None


def test_an_autoregression_rolled_out_finds_a_sine(tmp_path: Path) -> None:
    dataset = opened(monthly(tmp_path))
    cut = find_cut_offs(dataset, "test", 1, list(range(1, 13)), 2)[0]
    values = values_of(dataset, "targets")
    said = Autoregression(dataset, "targets").forecast(cut, list(range(1, 13)))
    assert said[:, 0] == pytest.approx(values[cut.row + 1 : cut.row + 13, 0], abs=2.0)


def test_a_forecaster_is_rolled_out_at_each_cut_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(tmp_path, capsys)
    found = told(capsys, "evaluate", run, "--windows", 6, "--horizon", 12, "--season", SEASON, "--json")
    assert (found["how"], found["windows"], found["horizon"], found["columns"]) == ("rolled out", 6, 12, ["sold"])
    assert list(found["scores"]) == ["model", "persistence", "seasonal naive", "AR(9)"]
    assert found["scores"]["seasonal naive"]["mae"][0] == pytest.approx(0.1 * SEASON, rel=1e-2)
    assert found["scores"]["seasonal naive"]["mase"][0] == pytest.approx(1.0, rel=1e-2)
    assert found["scores"]["model"]["mae"][0] < found["scores"]["persistence"]["mae"][0]
    assert [int(name) for name in found["cut_offs"]] == sorted(int(name) for name in found["cut_offs"])
    one = told(capsys, "evaluate", run, "--windows", 1, "--horizon", 1, "--json")["scores"]["model"]
    assert one["mae"] == one["rmse"]
    assert one["mase"] is None


def test_over_all_cut_offs_one_step_ahead_the_squares_are_those_of_the_whole_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path, capsys)
    every = told(capsys, "evaluate", run, "--windows", 1000, "--horizon", 1, "--json")
    recipe = load(run / "design.rnn").data
    assert recipe is not None
    assert every["windows"] == round(240 * recipe.split[2])
    deviation = recipe.field("targets").std[0]
    squares = {name: (score["rmse"][0] / deviation) ** 2 for name, score in every["scores"].items()}
    whole = told(capsys, "evaluate", run, "--json")
    assert squares["persistence"] == pytest.approx(whole["baselines"]["persistence"], rel=1e-4)
    assert squares["AR(9)"] == pytest.approx(whole["baselines"]["AR(9)"], rel=1e-3, abs=1e-9)
    assert squares["model"] == pytest.approx(whole["loss"], rel=0.1)  # there the history is one window


def test_a_model_of_a_value_further_ahead_is_asked_for_that_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path, capsys, "--set", "data.horizon=3", steps=300)
    found = told(capsys, "evaluate", run, "--windows", 8, "--season", SEASON, "--json")
    assert (found["how"], found["horizon"]) == ("direct", 3)
    assert found["scores"]["model"]["mae"][0] < found["scores"]["persistence"]["mae"][0]
    assert main(["evaluate", str(run), "--windows", "8", "--horizon", "5"]) == BAD_INPUT


def test_what_forecasts_no_numbers_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = told(capsys, "new", "--data", text(tmp_path), tmp_path / "mine", "--json")
    told(capsys, "train", made["design"], "--run", tmp_path / "run", "--steps", 2, *QUICK, "--json")
    assert main(["evaluate", str(tmp_path / "run"), "--windows", "3"]) == BAD_INPUT
    assert "forecasts no series of numbers" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "run"), "--horizon", "3"]) == BAD_INPUT
    assert "horizon is for --windows" in capsys.readouterr().err
