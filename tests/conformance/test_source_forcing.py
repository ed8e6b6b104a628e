"""Scheduled sampling in the printed source: with the same draws and progress it trains as the network does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import source
from rnnstudio.design.design import Design
from rnnstudio.runtime.primitives import forcing
from tests.conformance.drawings import design
from tests.conformance.running import (
    Answer,
    Tensors,
    answer,
    answer_of_module,
    answer_of_source,
    assert_same,
    assert_same_answers,
    batch_of,
    gradients_of,
    network_of,
    printed,
    program_of,
    ragged,
)

TOKENS, NUMBERS = "tokens", "numbers"


def decoder(what: str, **feedback: Any) -> Design:
    """A GRU that reads an input and the output one step earlier: tokens by an embedding, or numbers as they are."""
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    ports = {"prediction": "readout", "target": "truth"}
    if what == TOKENS:
        s.add("truth", "TokenTarget", at=(0, 1), params={"field": "next"})
        s.add("before", "Feedback", at=(1, 1), params=feedback, **ports)
        back = s.add("embedded", "Embedding", at=(2, 1), params={"units": 3}, input="before")
    else:
        s.add("truth", "FeatureTarget", at=(0, 1), params={"field": "targets"})
        back = s.add("before", "Feedback", at=(1, 1), params=feedback, **ports)
    s.add("both", "Concat", at=(3, 0), a="inputs", b=back)
    s.add("rec", "cell", at=(4, 0), params={"cell": "GRU", "units": 4}, x="both")
    s.add("readout", "Linear", at=(5, 0), params={"units": 5 if what == TOKENS else 2}, input="rec.h")
    s.add("loss", "CrossEntropy" if what == TOKENS else "MeanSquaredError", at=(6, 0), **ports)
    return design(s, "inputs", "next" if what == TOKENS else "targets", "text")


def both_ways(
    drawn: Design, progress: int, lengths: Tensors | None = None, *, reference: bool = False
) -> tuple[Answer, Answer]:
    """What the network and its printed source give in training, each from the same random state."""
    program = program_of(drawn)
    network = network_of(program, reference=reference).train()
    model = printed(program, network.weights).train()
    network.progress = model.progress = progress
    fields = batch_of(program)
    torch.manual_seed(5)
    result = network(fields, lengths)
    torch.manual_seed(5)
    losses = network.losses(fields, lengths)
    wanted = Answer(result.outputs, result.state, losses.total.detach(), gradients_of(network, losses.total))
    torch.manual_seed(5)
    found = answer_of_module(program, model, fields, lengths)
    assert found.loss is not None
    return found, wanted


@pytest.mark.parametrize("what", [TOKENS, NUMBERS])
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("schedule", ["constant", "linear", "sigmoid"])
def test_the_source_trains_as_the_network_does(what: str, probability: float, schedule: str) -> None:
    drawn = decoder(what, probability=probability, schedule=schedule, end=0.2, over=100, first=1)
    program = program_of(drawn)
    for progress in (0, 30, 60, 100, 5000):
        for lengths in (None, ragged(program)):
            found, wanted = both_ways(drawn, progress, lengths)
            assert_same_answers(program, found, wanted, lengths)


@pytest.mark.parametrize("what", [TOKENS, NUMBERS])
def test_the_choice_matters(what: str) -> None:
    """Else the test above would pass with any choice."""
    losses = [float(both_ways(decoder(what, probability=p), 0)[0].loss or 0.0) for p in (0.0, 0.5, 1.0)]
    assert len({round(loss, 6) for loss in losses}) == 3


def remembering(what: str) -> Design:
    """A decoder that also remembers what it has said, by a Dropout that stands behind the choice within a step."""
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    ports = {"prediction": "readout", "target": "truth"}
    if what == TOKENS:
        s.add("truth", "TokenTarget", at=(0, 1), params={"field": "next"})
        s.add("before", "Feedback", at=(1, 1), params={"probability": 0.5}, **ports)
        back = s.add("embedded", "Embedding", at=(2, 1), params={"units": 3}, input="before")
    else:
        s.add("truth", "FeatureTarget", at=(0, 1), params={"field": "targets"})
        back = s.add("before", "Feedback", at=(1, 1), params={"probability": 0.5}, **ports)
    s.add("sum", "Linear", at=(3, 0), params={"units": 4, "terms": 3}, input="inputs", input2=back, input3="said")
    s.add("state", "Tanh", at=(4, 0), input="sum")
    s.add("readout", "Linear", at=(5, 0), params={"units": 5 if what == TOKENS else 2}, input="state")
    s.add("drop", "Dropout", at=(6, 1), params={"rate": 0.5, "every_step": False}, input="readout")
    s.add("said", "Delay", at=(7, 1), input="drop")
    s.add("loss", "CrossEntropy" if what == TOKENS else "MeanSquaredError", at=(6, 0), **ports)
    return design(s, "inputs", "next" if what == TOKENS else "targets", "text")


@pytest.mark.parametrize("what", [TOKENS, NUMBERS])
@pytest.mark.parametrize("reference", [False, True])
def test_a_mask_for_all_steps_is_drawn_before_the_choices_of_the_steps(what: str, reference: bool) -> None:
    drawn = remembering(what)
    program = program_of(drawn)
    ops = [op.kind for op in next(program.scans()).ops()]
    assert ops.index("choose") < ops.index("dropout")
    for lengths in (None, ragged(program)):
        found, wanted = both_ways(drawn, 0, lengths, reference=reference)
        assert_same_answers(program, found, wanted, lengths)


def test_a_drawn_token_is_drawn_alike() -> None:
    drawn = decoder(TOKENS, probability=0.5, sample=True)
    found, wanted = both_ways(drawn, 0)
    assert_same_answers(program_of(drawn), found, wanted)


@pytest.mark.parametrize("schedule", ["linear", "sigmoid"])
def test_the_printed_schedule_is_the_network_s(schedule: str) -> None:
    text = source(program_of(decoder(NUMBERS, probability=0.9, schedule=schedule, end=0.1, over=50)))
    names: dict[str, Any] = {}
    exec(text, names)
    for step in (0, 1, 10, 25, 49, 50, 51, 10**6):
        assert names["forcing"](schedule, 0.9, 0.1, 50, step) == forcing(schedule, 0.9, 0.1, 50, step)


def test_otherwise_than_in_training_the_source_is_forced() -> None:
    program = program_of(decoder(TOKENS, probability=0.0, schedule="constant"))
    network = network_of(program)
    fields = batch_of(program)
    found = answer_of_module(program, printed(program, network.weights), fields)
    forced = network_of(program_of(decoder(TOKENS)))
    forced.load_weights(network.weights)
    assert_same(found.outputs, forced(fields).outputs, 1e-12)


@pytest.mark.parametrize("k", [1, 3, -1, -2])
def test_tokens_moved_by_a_delay_begin_with_the_token_that_is_set(k: int) -> None:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("moved", "Delay", at=(1, 0), params={"k": k, "first": 4}, input="text")
    s.add("vectors", "Embedding", at=(2, 0), params={"units": 3}, input="moved")
    s.add("out", "Output", at=(3, 0), input="vectors")
    program = program_of(design(s, "text"))
    network, fields = network_of(program), batch_of(program)
    for lengths in (None, ragged(program)):
        wanted, found = answer(network, fields, lengths), answer_of_source(program, network.weights, fields, lengths)
        assert_same_answers(program, found, wanted, lengths)


def test_only_a_schedule_needs_to_know_how_far_training_is() -> None:
    assert "self.progress" in source(program_of(decoder(TOKENS, schedule="linear")))
    assert "progress" not in source(program_of(decoder(TOKENS, probability=0.5)))
    assert "import math" not in source(program_of(decoder(TOKENS, probability=0.5)))
