"""An optimiser's state belongs to parameters by their names: no other order mixes states, and nothing is guessed."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from rnnstudio.design.errors import StudioError
from rnnstudio.training import checkpoints
from rnnstudio.training.checkpoints import Checkpoint
from rnnstudio.training.events import StepDone
from rnnstudio.training.optim import load_named_state, make_optimiser, named_state
from tests.training.designs import language_model, settings, steps_of, text_file, trainer

KINDS = ["adam", "adamw", "sgd", "rmsprop", "adagrad"]


def weights_of(*paths: str) -> dict[str, torch.nn.Parameter]:
    """Parameters of one shape, so that only their names tell them apart."""
    return {path: torch.nn.Parameter(torch.zeros(2, 3)) for path in paths}


def learn(optimiser: torch.optim.Optimizer, weights: Mapping[str, torch.nn.Parameter], steps: int) -> None:
    """Each parameter has a gradient of its own, by its name."""
    for step in range(steps):
        for path, weight in weights.items():
            weight.grad = torch.full((2, 3), float(ord(path[-1]) - 96) * (step + 1))
        optimiser.step()


@pytest.mark.parametrize("kind", KINDS)
def test_another_order_of_the_parameters_mixes_no_states(kind: str) -> None:
    there, here = weights_of("a", "b", "c"), weights_of("c", "a", "b")
    first = make_optimiser(settings(optimiser=kind, momentum=0.9), there.values())
    learn(first, there, 3)
    stored = copy.deepcopy(named_state(first, there))  # as a file would hold it: no tensor is shared
    second = make_optimiser(settings(optimiser=kind, momentum=0.9), here.values())
    with torch.no_grad():
        for path, weight in here.items():
            weight.copy_(there[path])
    load_named_state(second, here, stored, "file")
    learn(first, there, 2)
    learn(second, here, 2)
    for path, weight in here.items():
        assert torch.equal(weight, there[path]), path
        for name, value in first.state[there[path]].items():
            assert torch.equal(torch.as_tensor(second.state[weight][name]), torch.as_tensor(value))


@pytest.mark.parametrize(
    ("names", "said"), [(("a", "b"), "knows “c”, which is not trained"), (("a", "b", "c", "d"), "nothing of “d”")]
)
def test_a_parameter_too_few_or_too_many_is_refused_by_its_name(names: tuple[str, ...], said: str) -> None:
    there, here = weights_of("a", "b", "c"), weights_of(*names)
    first = make_optimiser(settings(), there.values())
    learn(first, there, 1)
    second = make_optimiser(settings(), here.values())
    with pytest.raises(StudioError, match=said):
        load_named_state(second, here, named_state(first, there), "file")
    assert not second.state


def test_a_state_of_another_shape_is_refused() -> None:
    there = weights_of("a", "b")
    first = make_optimiser(settings(), there.values())
    learn(first, there, 1)
    stored = named_state(first, there)
    stored["state"]["b"]["exp_avg"] = torch.zeros(3, 3)
    with pytest.raises(StudioError, match=r"“exp_avg” of “b” has shape \[3, 3\], not \[2, 3\]"):
        load_named_state(make_optimiser(settings(), there.values()), there, stored, "file")


def _as_format_1(path: Path) -> None:
    """Write a checkpoint as the studio did when states were stored by number."""
    with safetensors.safe_open(path, framework="pt") as file:
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        body: dict[str, Any] = json.loads(file.metadata()["rnnstudio"])
    (group,) = body["optimiser"]["groups"]
    numbers = {name: str(i) for i, name in enumerate(group["params"])}
    group["params"] = list(range(len(numbers)))
    old = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        parameter, _, key = rest.rpartition("/")
        old[f"optimiser/{numbers[parameter]}/{key}" if kind == "optimiser" else name] = tensor
    body["format"] = 1
    path.write_bytes(safetensors.torch.save(old, {"rnnstudio": json.dumps(body)}))


@pytest.mark.parametrize("kind", ["adam", "rmsprop"])
def test_an_old_checkpoint_still_goes_on_bit_for_bit(kind: str, tmp_path: Path) -> None:
    design = language_model(text_file(tmp_path))
    whole = steps_of(list(trainer(design, tmp_path, "whole", steps=12, optimiser=kind).events()))
    half = trainer(design, tmp_path, "half", steps=12, optimiser=kind)
    for event in half.events():
        if isinstance(event, StepDone) and event.step == 6:
            half.request("stop")
    last = tmp_path / "half" / "checkpoints" / "last.safetensors"
    assert set(checkpoints.load(last).optimiser["state"]) == set(half.trained)
    _as_format_1(last)
    assert set(checkpoints.load(last).optimiser["state"]) == set(range(len(half.trained)))
    rest = steps_of(list(trainer(design, tmp_path, "half", resume=True, steps=12, optimiser=kind).events()))
    assert [(step.step, step.loss) for step in rest] == [(step.step, step.loss) for step in whole[6:]]


def test_a_run_whose_checkpoint_knows_another_parameter_is_not_resumed(tmp_path: Path) -> None:
    design = language_model(text_file(tmp_path))
    list(trainer(design, tmp_path, steps=3).events())
    last = tmp_path / "run" / "checkpoints" / "last.safetensors"
    found = checkpoints.load(last)
    (group,) = found.optimiser["param_groups"]
    renamed = {"readout.weight": "readout.w"}
    state = {renamed.get(path, path): values for path, values in found.optimiser["state"].items()}
    groups = [{**group, "params": [renamed.get(path, path) for path in group["params"]]}]
    changed: Checkpoint = dataclasses.replace(found, optimiser={"state": state, "param_groups": groups})
    checkpoints.save(last, changed)
    with pytest.raises(StudioError, match=r"nothing of “readout.weight”") as told:
        trainer(design, tmp_path, resume=True, steps=5)
    assert told.value.where == str(last)
