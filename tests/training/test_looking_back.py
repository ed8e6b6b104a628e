"""Training of what counts its steps or looks back along its own sequence: chunks, validation, checkpoints, resuming."""

from __future__ import annotations

from pathlib import Path

import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.data.opening import open_dataset
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.training.events import StepDone, Validated
from tests.training.designs import steps_of, text_file, trainer


def language(path: Path) -> Design:
    """Characters → a recurrent loop with batch normalisation per step → causal attention to its own past → scores."""
    recipe = open_dataset(DataRecipe("text", path.name, split=(0.8, 0.1, 0.1)), path.parent).recipe
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 8}, input="text")
    s.add("sum", "Linear", at=(2, 0), params={"units": 8, "terms": 2}, input="embedding", input2="before")
    s.add("norm", "BatchNorm", at=(3, 0), params={"steps": 30}, input="sum")
    s.add("state", "Tanh", at=(4, 0), input="norm")
    s.add("before", "Delay", at=(2, 1), input="state")
    s.add(
        "look", "cell", at=(5, 0), params={"cell": "SelfAttention", "units": 8, "heads": 2, "causal": True}, x="state"
    )
    s.add("both", "Concat", at=(6, 0), a="state", b="look.h")
    s.add("readout", "Linear", at=(7, 0), params={"units": recipe.field("text").size}, input="both")
    s.add("next", "TokenTarget", at=(7, 1))
    s.add("loss", "CrossEntropy", at=(8, 0), prediction="readout", target="next")
    cells = {"SelfAttention": standard().cells["SelfAttention"]}
    return Design(name="looks back", graph=s.graph(), cells=frozen(cells), data=recipe)


def test_it_trains_in_chunks_and_a_resumed_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    drawn = language(text_file(tmp_path))
    same = {"steps": 24, "carry": True, "validate_every": 8}
    whole = trainer(drawn, tmp_path, "whole", **same)
    at_once = list(whole.events())
    half = trainer(drawn, tmp_path, "halves", **same)
    first = []
    for event in half.events():
        first.append(event)
        if isinstance(event, StepDone) and event.step == 10:
            half.request("stop")
    rest = trainer(drawn, tmp_path, "halves", resume=True, **same)
    second = list(rest.events())
    together = [step.loss for step in steps_of(first) + steps_of(second)]
    assert together == [step.loss for step in steps_of(at_once)]
    assert together[-1] < together[0]
    assert [event.step for event in at_once if isinstance(event, Validated)] == [8, 16, 24]
    for path, weight in whole.network.weights.items():
        assert torch.equal(weight, rest.network.weights[path]), path
    moved = whole.network.weights["norm.running_mean"].abs().sum(1) > 0
    assert bool(moved.all()), "20 steps a chunk, carried on: all 30 rows have been met"
