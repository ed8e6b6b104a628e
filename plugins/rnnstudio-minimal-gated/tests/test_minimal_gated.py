"""Both cells and the node against a loop written by hand: values and gradients in float64, by every way of running."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from rnnstudio_minimal_gated import plugin
from torch import Tensor

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Program, check, compile_design
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.loading import Loaded, discover
from tests.conformance.running import answer, answer_of_source, assert_same_answers, batch_of, network_of, ragged

SQUASHES: dict[str, Callable[[Tensor], Tensor]] = {
    "MinimalGated": torch.tanh,
    "SoftMinimalGated": lambda x: x / (1 + x.abs() / 2),
}
FIELDS = (FieldSpec("inputs", "real", 3), FieldSpec("targets", "real", 2))


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The studio with this plugin, as if it were installed."""
    point = EntryPoint("minimal-gated", "rnnstudio_minimal_gated:plugin", "rnnstudio.plugins")
    found = discover(Path("no folder"), [point])
    assert found.problems == ()
    return found


def design(cell: str, loaded: Loaded) -> Design:
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    s.add("rec", "cell", at=(1, 0), params={"cell": cell, "units": 4}, x="inputs")
    s.add("readout", "Linear", at=(2, 0), params={"units": 2}, input="rec.h")
    s.add("truth", "FeatureTarget", at=(2, 1))
    s.add("loss", "MeanSquaredError", at=(3, 0), prediction="readout", target="truth")
    recipe = DataRecipe("csv", "nowhere.csv", fields=FIELDS)
    return Design(graph=s.graph(), cells=frozen({cell: loaded.catalog.cells[cell]}), data=recipe)


def program(cell: str, loaded: Loaded) -> Program:
    return compile_design(design(cell, loaded), loaded.catalog)


def by_hand(cell: str, w: dict[str, Tensor], x_BTN: Tensor) -> Tensor:
    """The equations, one step after the other. Returns [batch, time, units]."""
    squash = SQUASHES[cell]
    h = x_BTN.new_zeros(x_BTN.shape[0], w["rec.forget_sum.weight"].shape[0])
    states = []
    for x in x_BTN.unbind(1):
        f = torch.sigmoid(
            x @ w["rec.forget_sum.weight"].T + h @ w["rec.forget_sum.weight2"].T + w["rec.forget_sum.bias"]
        )
        new = squash(x @ w["rec.total.weight"].T + (f * h) @ w["rec.total.weight2"].T + w["rec.total.bias"])
        h = (1 - f) * h + f * new
        states.append(h)
    return torch.stack(states, 1)


@pytest.mark.parametrize("cell", SQUASHES)
def test_a_cell_is_drawn_without_a_problem(cell: str, loaded: Loaded) -> None:
    assert check(design(cell, loaded), loaded.catalog).diagnostics == ()


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("cell", SQUASHES)
def test_a_cell_equals_its_equations_with_all_gradients(cell: str, reference: bool, steps: int, loaded: Loaded) -> None:
    built = program(cell, loaded)
    network = network_of(built, reference=reference)
    fields = batch_of(built, steps=steps)
    w = network.weights
    expected = by_hand(cell, w, fields["inputs"]) @ w["readout.weight"].T + w["readout.bias"]
    loss = (expected - fields["targets"]).square().mean()
    found = answer(network, fields)
    assert found.loss is not None
    assert (found.outputs["loss"] - expected).abs().max() < 1e-12
    assert abs(found.loss - loss) < 1e-12
    for path, gradient in zip(w, torch.autograd.grad(loss, list(w.values())), strict=True):
        assert (found.gradients[path] - gradient).abs().max() < 1e-9, path


@pytest.mark.parametrize("cell", SQUASHES)
def test_the_printed_source_computes_the_same_for_examples_of_any_length(cell: str, loaded: Loaded) -> None:
    built = program(cell, loaded)
    network = network_of(built)
    fields, lengths = batch_of(built), ragged(built)
    one = answer(network, fields, lengths)
    assert_same_answers(built, one, answer_of_source(built, network.weights, fields, lengths), lengths)


def test_tokens_at_the_node_are_a_diagnostic(loaded: Loaded) -> None:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0), params={"size": 5})
    s.add("limit", "SoftLimit", at=(1, 0), input="text")
    s.add("out", "Output", at=(2, 0), input="limit")
    codes = [d.code for d in check(Design(graph=s.graph()), loaded.catalog).errors]
    assert codes == ["TokensWhereFeaturesBelong"]


def test_the_plugin_says_what_it_adds(loaded: Loaded) -> None:
    (found,) = loaded.plugins
    assert found.plugin.name == plugin.name
    assert found.adds() == {"nodes": ["SoftLimit"], "cells": ["MinimalGated", "SoftMinimalGated"]}
