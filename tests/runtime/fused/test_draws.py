"""What a training draws depends on no lowering: with the same seed each draws the same, gives the same numbers and
leaves the same random state, whatever draws in a loop, before it and behind it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.program import Program
from rnnstudio.runtime.context import Context
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE, REFERENCE, TORCH
from rnnstudio.runtime.network import Network
from rnnstudio.runtime.primitives import run_op
from tests.conformance.patterns import Pattern
from tests.conformance.running import answer_of_module, batch_of, gradients_of, network_of, printed, program_of, ragged

from .cells import AT
from .test_against_reference import force, same
from .test_trees import batch as batch_of_trees
from .tree_cells import children, padded, random_trees, star, tree_program

SAMPLING, DROPOUT, ZONEOUT, ONE_MASK = "scheduled sampling", "dropout", "zoneout", "one mask for all steps"
AROUND = "dropout before and behind"
DRAWS = (SAMPLING, DROPOUT, ZONEOUT, ONE_MASK, AROUND)


def drop(s: Sketch, name: str, value: str, rate: float, *, every_step: bool = True) -> str:
    return s.add(name, "Dropout", at=AT, params={"rate": rate, "every_step": every_step}, input=value)


def decoder(draws: frozenset[str], probability: float, backward: bool, cell: str) -> Program:
    """A layer that reads an input, and with scheduled sampling the token that it has drawn itself or the true one.

    cell: of the library, or "" for one that is drawn here, with zoneout and dropout where they are asked for.
    """
    s = Pattern()
    read = s.reals("inputs", 3)
    if AROUND in draws:
        read = drop(s, "before", read, 0.2)
    sources = [read]
    if SAMPLING in draws:
        params = {"probability": probability, "sample": True, "first": 2}
        s.add("back", "Feedback", at=AT, params=params, prediction="readout", target="next")
        sources.append(s.embed("written", 3, "back"))
    joined = s.add("both", "Concat", at=AT, a=sources[0], b=sources[1]) if len(sources) == 2 else read
    if DROPOUT in draws:
        joined = drop(s, "some", joined, 0.3)
    if cell:
        h = s.cell("rec", cell, 4, x=joined)
    else:
        s.add("new", "Tanh", at=AT, input=s.linear("sum", 4, joined, "old"))
        h = s.add("h", "Zoneout", at=AT, params={"rate": 0.4}, new="new", old="old") if ZONEOUT in draws else "new"
        s.add("old", "Delay", at=AT, params={"axis": "time", "width": 4, "k": -1 if backward else 1}, input=h)
    if ONE_MASK in draws:
        h = drop(s, "kept", h, 0.5, every_step=False)
    if AROUND in draws and SAMPLING not in draws:
        h = drop(s, "behind", h, 0.2)
    s.classify(h, 5, name="next")
    return program_of(s.drawn())


def step(net: Network, fields: Mapping[str, Tensor], own: Mapping[str, Tensor] | None, seed: int):
    """Prediction, loss and gradients, and final states, of a training step from a seed; and two numbers drawn after."""
    torch.manual_seed(seed)
    found = net.losses(fields, own)
    numbers = {f"d {path}": g for path, g in gradients_of(net, found.total).items()}
    (prediction,) = found.predictions.values()
    if own is not None:
        (lengths,) = own.values()
        prediction = prediction * (torch.arange(prediction.shape[1])[None, :] < lengths[:, None])[:, :, None]
    return {"prediction": prediction, "loss": found.total.detach(), **numbers}, found.state, torch.get_rng_state()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    draws=st.frozensets(st.sampled_from(DRAWS), min_size=1),
    probability=st.sampled_from((0.0, 0.5, 1.0)),
    backward=st.booleans(),
    cell=st.sampled_from(("", "GRU", "LSTM")),
    short=st.booleans(),
    seed=st.integers(0, 1 << 20),
)
def test_every_lowering_draws_alike(
    draws: frozenset[str], probability: float, backward: bool, cell: str, short: bool, seed: int
) -> None:
    made = decoder(draws, probability, backward and SAMPLING not in draws, cell)
    fields, own = batch_of(made), ragged(made) if short else None
    reference = network_of(made, reference=True).train()
    expected, ended, after = step(reference, fields, own, seed)
    for lowering in (MACHINE, TORCH, KERNEL, REFERENCE, ""):
        net = network_of(made).train()
        if lowering:
            force(net, lowering)
        for _ in range(2):  # the first step holds trials and contests
            found, last, left = step(net, fields, own, seed)
            same(found, expected, 1e-9)
            same(last, ended, 1e-9)
            assert torch.equal(left, after), lowering
    model = printed(made, reference.weights).train()
    torch.manual_seed(seed)
    source = answer_of_module(made, model, fields, own)
    assert source.loss is not None
    numbers = {"loss": source.loss, **{f"d {path}": g for path, g in source.gradients.items()}}
    same(numbers, {name: expected[name] for name in numbers}, 1e-9)
    assert len(numbers) == len(expected) - 1
    assert torch.equal(torch.get_rng_state(), after)


def test_the_draws_matter() -> None:
    """Else the test above would pass with any."""
    for draw in DRAWS:
        made = decoder(frozenset({draw}), 0.5, False, "")
        net, fields = network_of(made).train(), batch_of(made)
        assert len({float(step(net, fields, None, seed)[0]["loss"]) for seed in range(4)}) > 1, draw


EACH = ((), ("sum",), ("each",), ("each", "one", "sum"))


@pytest.mark.parametrize("each", EACH, ids="+".join)
@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
def test_every_lowering_draws_alike_over_trees(lowering: str, each: tuple[str, ...]) -> None:
    def draw(s: Sketch, units: int) -> str:
        total = children(s, "total", "h", axis="tree", width=units)
        apart = children(s, "apart", "h", "each", axis="tree", width=units)
        apart = drop(s, "of each", apart, 0.4) if "each" in each else apart
        apart = drop(s, "one of each", apart, 0.4, every_step=False) if "one" in each else apart
        largest = s.add("largest", "Max", at=AT, params={"axis": "tree_children"}, input=apart)
        total = drop(s, "of sum", total, 0.3) if "sum" in each else total
        ports = {"input": "x", "input2": total, "input3": largest}
        both = s.add("linear", "Linear", at=AT, params={"units": units, "terms": 3}, **ports)
        return s.add("h", "Tanh", at=AT, input=drop(s, "behind", both, 0.2))

    made = tree_program(draw, 5)
    trees = [*random_trees(4, 1, 12, 3, random.Random(2)), star(4), [-1]]
    fields, (_, lengths) = batch_of_trees(trees, torch.float64), padded(trees)
    expected, _, after = step(network_of(made, reference=True).train(), fields, {"tree": lengths}, 3)
    net = force(network_of(made).train(), lowering)
    for _ in range(2):
        found, _, left = step(net, fields, {"tree": lengths}, 3)
        same(found, expected, 1e-9)
        assert torch.equal(left, after)
    assert set(net.loops.served.values()) == {lowering}


def test_a_drawn_token_is_as_likely_as_its_share() -> None:
    s = Pattern()
    s.add("back", "Feedback", at=AT, params={"probability": 0.0, "sample": True}, prediction="readout", target="next")
    s.embed("written", 3, "back")
    s.classify(s.cell("rec", "RNN", 4, x="written"), 5, name="next")
    made = program_of(s.drawn())
    (scan,) = made.scans()
    (token,) = (op for op in scan.ops() if op.kind == "pick")
    logits = torch.tensor([0.0, float("-inf"), 1.0, 2.0, -1.0]).expand(40000, 5)
    context = Context({}, {}, {}, 40000, training=True, state={}, device=logits.device, dtype=logits.dtype)
    torch.manual_seed(0)
    counts = torch.bincount(run_op(token, (logits,), context), minlength=5) / 40000
    assert float((counts - torch.softmax(logits[0], -1)).abs().max()) < 0.01
    assert counts[1] == 0
