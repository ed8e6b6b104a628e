"""Nodes of the catalogue in networks that generate: clocks count on, what needs the whole output is refused."""

from __future__ import annotations

import pytest
import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import compile_design
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.runtime import Network
from rnnstudio.runtime.generate import generate
from rnnstudio.runtime.stepper import plan

LETTERS = tuple("abcde")
RECIPE = DataRecipe(
    "text",
    "nowhere.txt",
    fields=(
        FieldSpec("text", "tokens", 5, vocabulary=LETTERS),
        FieldSpec("next", "tokens", 5, vocabulary=LETTERS, shift_of="text", shift=1),
    ),
)


def language_model(cell: str, *, summed: bool = False) -> Design:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 4}, input="text")
    s.add("rec", "cell", at=(2, 0), params={"cell": cell, "units": 4}, x="embedding")
    state = "rec.h"
    if summed:
        state = s.add("weighed", "Softmax", at=(3, 0), params={"axis": "time"}, input=state)
    s.add("readout", "Linear", at=(4, 0), params={"units": 5}, input=state)
    s.add("next", "TokenTarget", at=(4, 1))
    s.add("loss", "CrossEntropy", at=(5, 0), prediction="readout", target="next")
    cells = standard().definitions_for(cell)
    return Design(name="model", graph=s.graph(), cells=frozen(cells), data=RECIPE)


@pytest.mark.parametrize("cell", ["ClockworkRNN", "LayerNormLSTM", "StackedGRU", "LearnedLeaky"])
def test_step_by_step_gives_what_the_whole_gives(cell: str) -> None:
    network = Network(compile_design(language_model(cell), standard()), seed=2).eval()
    prompt = torch.tensor([[0, 3, 1, 4, 2]])
    written = generate(network, prompt, 8, temperature=0.0)
    read = prompt
    for token in written.tolist():
        (logits,) = network({"text": read}).outputs.values()
        assert int(logits[0, -1].argmax()) == token
        read = torch.cat([read, torch.tensor([[token]])], 1)


def test_a_softmax_over_what_is_generated_is_refused() -> None:
    program = compile_design(language_model("RNN", summed=True), standard())
    with pytest.raises(StudioError, match="needs the whole sequence"):
        plan(program)
