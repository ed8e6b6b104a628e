"""Ridge regression as a way to train: one pass in the trainer, resumed exactly, from the command line."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.cli import main
from rnnstudio.data import open_dataset
from rnnstudio.design.design import Design, Var, frozen
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.design.storage import save
from rnnstudio.training.evaluate import evaluate, load_trained
from rnnstudio.training.events import CheckpointSaved, Finished, StepDone, Validated
from rnnstudio.training.runs import Run
from tests.training.designs import forecaster, steps_of, trainer
from tests.training.series import series_file

ROWS = 900
RIDGE = {"optimiser": "ridge", "weight_decay": 1e-4, "steps": 0, "epochs": 10, "batch_size": 2, "chunk": 50}


@pytest.fixture
def design(tmp_path: Path) -> Design:
    """A reservoir that forecasts a wave."""
    path = series_file(tmp_path, ROWS)
    recipe = DataRecipe("csv", path.name, options={"order": "year"}, split=(0.7, 0.15, 0.15))
    recipe = open_dataset(recipe, tmp_path).recipe
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    s.add("echo", "cell", at=(1, 0), params={"cell": "EchoState", "units": Var("hidden")}, x="inputs")
    s.add("readout", "Linear", at=(2, 0), params={"units": 1}, input="echo.h")
    s.add("targets", "FeatureTarget", at=(2, 1))
    s.add("loss", "MeanSquaredError", at=(3, 0), prediction="readout", target="targets")
    cells = frozen({"EchoState": standard().cells["EchoState"]})
    return Design(name="echo", graph=s.graph(), cells=cells, variables=frozen({"hidden": 40}), data=recipe)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_trained(folder, "last").network.weights


def test_one_pass_learns_a_forecast(design: Design, tmp_path: Path) -> None:
    one = trainer(design, tmp_path, **RIDGE, washout=20)
    events = list(one.events())
    steps = steps_of(events)
    assert len(steps) == one.steps_total == len(one.batches)
    assert sum(step.tokens for step in steps) == int(ROWS * 0.7) - 1
    assert [step.gradient_norm for step in steps] == [0.0] * len(steps)
    assert [step.carried for step in steps] == [False] + [True] * (len(steps) - 1)
    assert steps[-1].loss < 1e-5
    (validated,) = [event for event in events if isinstance(event, Validated)]
    assert validated.loss < 1e-5
    assert isinstance(events[-1], Finished)
    assert {Path(event.path).stem for event in events if isinstance(event, CheckpointSaved)} == {"last", "best"}
    assert Run.open(tmp_path / "run").state == "finished"
    assert evaluate(tmp_path / "run", "test")["loss"] < 1e-5


def test_the_readout_is_the_closed_form_over_the_whole_training_part(design: Design, tmp_path: Path) -> None:
    """Two streams, chunk by chunk with their states carried over, each without its first 20 steps."""
    one = trainer(design, tmp_path, **RIDGE, washout=20)
    reservoir = one.network
    rows, targets = [], []
    position, state = 0, None
    for index in range(len(one.batches)):
        batch = one.batches.batch(0, index)
        found = reservoir.losses(batch.fields, batch.lengths, state, also=("echo.state",))
        state = found.state
        h, y = found.values["echo.state"].detach().double().movedim(1, 0), batch.fields["targets"].double()
        for row, n in enumerate(batch.lengths["time"].tolist()):
            own = slice(max(20 - position, 0), n)
            rows.append(torch.nn.functional.pad(h[row, own], (0, 1), value=1.0))
            targets.append(y[row, own])
        position += int(batch.lengths["time"].max())
    h, y = torch.cat(rows).numpy(), torch.cat(targets).numpy()
    assert len(h) == int(ROWS * 0.7) - 1 - 2 * 20
    wanted = np.linalg.solve(h.T @ h + np.diag([1e-4] * 40 + [0.0]), h.T @ y)
    list(one.events())
    (found_weight, found_bias) = (one.network.weights[f"readout.{name}"].detach() for name in ("weight", "bias"))
    sums = one.ridge.sums["loss"] if one.ridge else None
    assert sums is not None
    np.testing.assert_allclose(sums.solve(1e-4, bias=True).numpy(), wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found_weight.numpy(), wanted[:-1].T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found_bias.numpy(), wanted[-1], rtol=1e-5, atol=1e-6)


def test_the_loss_told_is_that_of_the_solved_network(design: Design, tmp_path: Path) -> None:
    events = list(trainer(design, tmp_path, **RIDGE).events())
    told = steps_of(events)[-1].loss
    assert evaluate(tmp_path / "run", "train", "last")["loss"] == pytest.approx(told, rel=0.2, abs=1e-7)


def test_a_resumed_run_ends_with_the_same_readout(design: Design, tmp_path: Path) -> None:
    list(trainer(design, tmp_path, "whole", **RIDGE, washout=60).events())
    broken = trainer(design, tmp_path, "broken", **RIDGE, washout=60)
    for event in broken.events():
        if isinstance(event, StepDone) and event.step == 3:
            broken.request("stop")
    assert Run.open(tmp_path / "broken").state == "stopped"
    resumed = list(trainer(design, tmp_path, "broken", resume=True, **RIDGE, washout=60).events())
    assert steps_of(resumed)[0].step == 4
    whole, broken_weights = weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken")
    assert all(torch.equal(whole[path], broken_weights[path]) for path in whole)


def test_lambda_can_be_changed_while_it_reads(design: Design, tmp_path: Path) -> None:
    list(trainer(design, tmp_path, "whole", **{**RIDGE, "weight_decay": 3.0}).events())
    changed = trainer(design, tmp_path, "changed", **RIDGE)
    changed.request(("set", "weight_decay", 3.0))
    list(changed.events())
    whole, other = weights_of(tmp_path / "whole"), weights_of(tmp_path / "changed")
    assert all(torch.equal(whole[path], other[path]) for path in whole)


def test_a_look_inside_goes_on(design: Design, tmp_path: Path) -> None:
    events = list(trainer(design, tmp_path, **{**RIDGE, "probe_seconds": 1e-9}).events())
    names = {type(event).__name__ for event in events}
    assert {"Probed", "ParameterNorms"} <= names


def test_what_is_not_frozen_is_named(tmp_path: Path) -> None:
    drawing = forecaster(series_file(tmp_path))
    with pytest.raises(StudioError, match=r"not frozen: hidden\.bias, hidden\.weight, hidden\.weight2"):
        trainer(drawing, tmp_path, **RIDGE)
    assert not (tmp_path / "run").exists()


def test_a_washout_that_leaves_nothing_is_said(design: Design, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="washout of 5000 steps leaves nothing"):
        list(trainer(design, tmp_path, **RIDGE, washout=5000).events())


def test_from_the_command_line(design: Design, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "echo.rnn"
    save(design, file)
    chosen = {"optimiser": "ridge", "weight_decay": "1e-4", "batch_size": "1", "washout": "50", "hidden": "30"}
    options = itertools.chain.from_iterable(("--set", f"{key}={value}") for key, value in chosen.items())
    assert main(["train", str(file), "--run", str(tmp_path / "run"), "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert found["state"] == "finished"
    assert found["validation_loss"] < 1e-4 < found["baselines"]["persistence"]
    assert math.isfinite(found["loss"])
    assert Run.open(tmp_path / "run").settings().optimiser == "ridge"
