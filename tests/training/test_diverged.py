"""What a person is told when a step cannot be done: the node and its step, and a remedy that fits the cause."""

from __future__ import annotations

import dataclasses
import math
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.data import Dataset, open_dataset
from rnnstudio.design.design import Design
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.headless.progress import Progress
from rnnstudio.training.diverged import growth
from rnnstudio.training.events import Event, Failed, Finished, LossGrew, StepDone
from rnnstudio.training.trainer import Trainer
from tests.training.designs import data_of, forecaster, settings, steps_of, trainer
from tests.training.series import design_of, series_file


def looped(folder: Path, kind: str, **squash: Any) -> Design:
    """x + W h, through one node that may not take it, in a loop."""
    path = series_file(folder)
    recipe = open_dataset(DataRecipe("csv", path.name, options={"order": "year"}, split=(0.7, 0.15, 0.15)), folder)
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    s.add("sum", "Linear", at=(1, 0), params={"units": 4, "terms": 2}, input="inputs", input2="before")
    if kind == "Divide":
        s.add("none", "Scale", at=(1, 1), params={"scale": 0.0}, input="sum")
        s.add("hid", kind, at=(2, 0), a="sum", b="none")
    else:
        s.add("big", "Scale", at=(1, 1), params=squash, input="sum")
        s.add("hid", kind, at=(2, 0), input="big")
    s.add("state", "Tanh", at=(3, 0), input="hid")
    s.add("before", "Delay", at=(2, 1), params={"axis": "time", "width": 4}, input="state")
    s.add("readout", "Linear", at=(4, 0), params={"units": 1}, input="state")
    s.add("targets", "FeatureTarget", at=(4, 1))
    s.add("loss", "MeanSquaredError", at=(5, 0), prediction="readout", target="targets")
    return design_of("looped", s, recipe.recipe)


def failure(one: Trainer) -> Failed:
    failed = list(one.events())[-1]
    assert isinstance(failed, Failed)
    return failed


@pytest.mark.parametrize(
    ("kind", "squash", "said", "remedy"),
    [
        ("Log", {"scale": 0.0, "offset": -2.0}, "that of hid, step 1: it reads −2", "reads above 0: a Maximum"),
        (
            "Divide",
            {},
            "The derivative of hid, step 20 is the first that is not finite: it divides by 0",
            "away from 0: add a small number",
        ),
    ],
)
def test_a_node_that_cannot_take_what_it_reads_is_told_with_it(
    kind: str, squash: dict[str, float], said: str, remedy: str, tmp_path: Path
) -> None:
    failed = failure(trainer(looped(tmp_path, kind, **squash), tmp_path))
    assert said in failed.what
    assert remedy in failed.remedy
    assert failed.where == "step 1"


def test_a_state_that_explodes_is_told_with_the_loop_and_the_rate(tmp_path: Path) -> None:
    one = trainer(forecaster(series_file(tmp_path), squash="Relu"), tmp_path, chunk=60, clip_norm=0)
    with torch.no_grad():
        one.network.weights["hidden.weight2"].fill_(50.0)
        one.network.weights["hidden.bias"].fill_(1.0)
    failed = failure(one)
    assert "first value that is not finite is that of hidden, step " in failed.what
    assert "orthogonal" in failed.remedy
    assert "learning rate below 0.01 and clip gradients" in failed.remedy


def test_a_parameter_that_was_infinite_before_is_told_as_such(tmp_path: Path) -> None:
    one = trainer(forecaster(series_file(tmp_path)), tmp_path)
    with torch.no_grad():
        one.network.weights["readout.weight"][0, 0] = math.nan
    failed = failure(one)
    assert failed.what == "The parameter readout.weight is infinite or NaN before the first step"
    assert "start of finite numbers" in failed.remedy


def test_a_batch_whose_targets_all_weigh_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "ab.txt").write_text("a" * 780 + "ab" * 20 + "a" * 180, encoding="utf-8")
    recipe = open_dataset(DataRecipe("text", "ab.txt", split=(0.8, 0.1, 0.1)), tmp_path).recipe
    size = recipe.field("text").size
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("scores", "Embedding", at=(1, 0), params={"units": size}, input="text")
    s.add("next", "TokenTarget", at=(1, 1))
    weights = [0.0] * size
    weights[recipe.field("text").vocabulary.index("b")] = 1.0
    s.add(
        "loss", "CrossEntropy", at=(2, 0), params={"class_weights": tuple(weights)}, prediction="scores", target="next"
    )
    failed = failure(trainer(design_of("ab", s, recipe), tmp_path, batch_size=1, carry=True))
    assert "first value that is not finite is that of loss" in failed.what
    assert "weight 0" in failed.remedy


def test_wrong_data_is_told_by_field_example_and_place(tmp_path: Path) -> None:
    series = forecaster(series_file(tmp_path))
    data = data_of(series, tmp_path)
    track = data.tracks["targets"]
    values = track.values.copy()
    values[:] = math.nan
    spoiled: Dataset = dataclasses.replace(
        data, tracks={**data.tracks, "targets": dataclasses.replace(track, values=values)}
    )
    failed = failure(Trainer(series, spoiled, settings(), tmp_path / "run"))
    assert "“targets”" in failed.what
    assert failed.where == "step 1, example 1, place 1, column 1"


def test_a_failure_leaves_the_random_state_as_the_step_left_it(tmp_path: Path) -> None:
    """Looking for the node runs the step again; what a checkpoint keeps afterwards must not know of it."""
    found = []
    for look in (True, False):
        folder = tmp_path / str(look)
        folder.mkdir()
        one = trainer(looped(folder, "Log", scale=0.0, offset=-2.0), folder)
        if look:
            failure(one)
        else:
            batch = one.batches.batch(0, 0)
            one.network.losses(batch.fields, batch.lengths).total.backward()
        found.append(torch.get_rng_state())
    assert torch.equal(*found)


def grown(events: list[Event]) -> list[LossGrew]:
    return [event for event in events if isinstance(event, LossGrew)]


def test_a_loss_that_grows_a_hundredfold_is_told_once_and_training_goes_on(tmp_path: Path) -> None:
    design = forecaster(series_file(tmp_path))
    wild = {"optimiser": "sgd", "momentum": 0.0, "learning_rate": 2.0, "clip_norm": 0.0, "steps": 60}
    events = list(trainer(design, tmp_path, **wild, validate_every=1000, sample_length=0).events())
    told = grown(events)
    assert len(told) == 1
    assert "more than a hundred times" in told[0].text
    assert "learning rate below 2 and clip" in told[0].text
    assert [step.step for step in steps_of(events)][-1] > told[0].step
    console = Console(file=StringIO(), width=400)
    with Progress(console) as progress:
        for event in events:
            progress.show(event)
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().count("more than a hundred times") == 1


def test_what_is_grown_and_what_is_not() -> None:
    own = settings()
    assert "at the start" in growth(150.0, 1.0, 0.9, own)
    assert "0.01 at its best" in growth(1.5, 10.0, 0.01, own)
    for loss, start, best in (
        (99.0, 1.0, 1.0),
        (0.5, 1.0, 0.01),
        (50.0, -1.0, -2.0),
        (3.0, 2.0, -1.0),
        (1.0, 0.0, 0.0),
    ):
        assert growth(loss, start, best, own) == ""


def test_a_training_that_goes_well_is_told_nothing(tmp_path: Path) -> None:
    events = list(trainer(forecaster(series_file(tmp_path)), tmp_path, steps=40).events())
    assert isinstance(events[-1], Finished)
    assert not grown(events)
    assert len([event for event in events if isinstance(event, StepDone)]) == 40
