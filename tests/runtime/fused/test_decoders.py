"""Attention, chosen tokens and statistics inside a loop give what the reference gives, values and all gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rnnstudio.compiler.program import Map, Program, Scan
from rnnstudio.design.errors import StudioError
from rnnstudio.runtime.context import Context
from rnnstudio.runtime.fused.loops import MACHINE, REFERENCE, TORCH
from rnnstudio.runtime.fused.machine_loop import MachineLoop
from rnnstudio.runtime.fused.serve import FusedLoop
from rnnstudio.runtime.network import Network
from rnnstudio.runtime.reference import run_map

from .decoders import (
    LENGTHS,
    answer,
    answering,
    attending,
    batch,
    dividing,
    feeding,
    from_primitives,
    given_a_vector,
    in_the_step,
    writing,
)
from .test_against_reference import TOLERANCE, same
from .test_bounds import WIDTHS, X86, Guarded, GuardedLoop, target

ATTENTIONS: dict[str, Callable[[int], Program]] = {
    "additive": lambda n: attending(n, score="additive"),
    "additive, other units": lambda n: attending(n, score="additive", units=n + 4),
    "dot": lambda n: attending(n, score="dot"),
    "scaled dot, values apart": lambda n: attending(n, score="scaled_dot", apart=True),
    "general": lambda n: attending(n, score="general"),
    "additive, where it looked is read": lambda n: attending(n, score="additive", apart=True, looked=True),
    "dot, where it looked is read": lambda n: attending(n, score="dot", looked=True),
    "heads": lambda n: attending(3 * n, score="scaled_dot", heads=3, looked=True),
    "heads, projected": lambda n: attending(2 * n, score="scaled_dot", heads=2, project=True),
    "input feeding": feeding,
    "from primitives, additive": lambda n: from_primitives(n, additive=True),
    "from primitives, additive, turned": lambda n: from_primitives(n, additive=True, turned=True),
    "from primitives, dot, turned": lambda n: from_primitives(n, additive=False, turned=True),
    "from primitives, dot": lambda n: from_primitives(n, additive=False),
    "from its parts": lambda n: attending(n, parts=True, score="dot", apart=True),
}

NOTHING = ("found.keys.bias", "score.bias")

BY_TORCH: dict[str, Callable[[], Program]] = {
    "two heads, additive": lambda: attending(4, score="additive", heads=2, looked=True),
    "sampled tokens": lambda: writing(5, probability=0.0, sample=True),
    "batch normalisation": lambda: in_the_step("BatchNorm", 5),
    "divided by each place": lambda: dividing(4),
}

WRITING: dict[str, Callable[[], Program]] = {
    "scheduled sampling": lambda: writing(5),
    "its own tokens": lambda: writing(5, size=32, probability=0.0),
    "many tokens": lambda: writing(6, size=75),
    "with attention": lambda: writing(5, size=17, attention=True),
    "scheduled sampling, dropout": lambda: writing(5, dropout=True),
}

POINTWISE: dict[str, Callable[[], Program]] = {
    "logarithm of a softmax": lambda: in_the_step("LogSoftmax", 5),
    "maps of a vector": lambda: given_a_vector(5),
    "an answer fed back": lambda: answering(5),
    "an answer fed back, dropout": lambda: answering(5, dropout=True),
}


def compare(
    program: Program,
    lowering: str,
    fields: dict[str, Tensor],
    own: dict[str, Tensor] | None = None,
    state: dict[str, Tensor] | None = None,
    *,
    training: bool = True,
) -> None:
    dtype = torch.float32 if any(x.dtype == torch.float32 for x in fields.values()) else torch.float64
    _, wanted, last = answer(program, REFERENCE, fields, own, state, training=training)
    network, found, ended = answer(program, lowering, fields, own, state, training=training)
    if dtype == torch.float32:  # one number added to all scores changes nothing: a gradient of zero, but for rounding
        for gradients in (found, wanted):
            assert all(float(gradients.pop(name).abs().max()) < 1e-6 for name in NOTHING if name in gradients)
    same(found, wanted, TOLERANCE[dtype])
    same(ended, last, TOLERANCE[dtype])
    if training:
        assert lowering in network.loops.served.values()
    else:
        assert REFERENCE not in network.loops.served.values()


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention(name: str, lowering: str) -> None:
    program = ATTENTIONS[name](5)
    for own in (None, LENGTHS):
        compare(program, lowering, batch(program), own)
    compare(program, lowering, batch(program, dtype=torch.float32))
    for size, steps in ((1, {"time": 4, "source": 3}), (3, {"time": 1, "source": 2}), (2, {"time": 3, "source": 1})):
        compare(program, lowering, batch(program, size, steps=steps))


@pytest.mark.parametrize("width", [1, 7, 16, 33])
@pytest.mark.parametrize("name", ["additive, where it looked is read", "scaled dot, values apart", "heads"])
def test_attention_of_any_width_over_many_places(name: str, width: int) -> None:
    program = ATTENTIONS[name](width)
    own = {"time": LENGTHS["time"], "source": torch.tensor([21, 16, 1])}
    compare(program, MACHINE, batch(program, steps={"time": 6, "source": 21}), own)


@pytest.mark.parametrize("name", BY_TORCH)
def test_what_torch_runs_at_every_step(name: str) -> None:
    program = BY_TORCH[name]()
    for own in (None, {axis: LENGTHS[axis] for axis in set(program.axes.values())}):
        compare(program, TORCH, batch(program), own)


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("name", WRITING)
def test_tokens_that_the_loop_chooses(name: str, lowering: str) -> None:
    program = WRITING[name]()
    for own in (None, {axis: LENGTHS[axis] for axis in set(program.axes.values())}):
        compare(program, lowering, batch(program), own)
    compare(program, lowering, batch(program, 1, steps={"time": 1, "source": 4}))


def test_a_true_token_that_is_in_no_table_is_told() -> None:
    program = writing(5, size=7)
    fields = batch(program)
    fields["next"][:] = 7
    network = Network(program)
    network.set_lowering_choices({"back": MACHINE})
    with pytest.raises(StudioError, match="the token 7 but the vocabulary has 7"):
        network(fields)


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("name", POINTWISE)
def test_what_is_pointwise_after_all(name: str, lowering: str) -> None:
    program = POINTWISE[name]()
    for own in (None, {"time": LENGTHS["time"]}):
        compare(program, lowering, batch(program), own)


def test_batch_normalisation_is_pointwise_outside_of_training() -> None:
    program = in_the_step("BatchNorm", 5)
    for own in (None, {"time": LENGTHS["time"]}):
        compare(program, MACHINE, batch(program), own, training=False)


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
def test_a_carried_state_goes_on(lowering: str) -> None:
    for program in (attending(5, score="additive"), writing(5)):
        _, _, state = answer(program, REFERENCE, batch(program))
        compare(program, lowering, batch(program), None, state)


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_a_padded_batch_gives_what_each_example_gives_alone(name: str, lowering: str) -> None:
    program = ATTENTIONS[name](5)
    fields = batch(program)
    _, together, _ = answer(program, lowering, fields, LENGTHS)
    for row in range(3):
        own = {axis: int(lengths[row]) for axis, lengths in LENGTHS.items()}
        single = {name: x[row : row + 1] for name, x in fields.items()}
        for item in program.inputs:
            for place, axis in enumerate(item.signal.axes):
                single[item.field] = single[item.field].narrow(place + 1, 0, own[axis])
        _, alone, _ = answer(program, lowering, single)
        part = together["prediction"][row : row + 1, : own["time"]]
        torch.testing.assert_close(part, alone["prediction"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("draw", [feeding, lambda n: attending(n, score="additive")])
def test_gradients_through_time_are_those_of_one_example_or_none(draw: Callable[[int], Program]) -> None:
    program = draw(5)
    fields = batch(program, 1)
    network = Network(program, 1).double().train()
    network.set_lowering_choices({scan.name: MACHINE for scan in program.scans()})
    watch: list[Callable[[], dict[str, Tensor]]] = []
    network.losses(fields, watch=watch).total.backward()
    found, probed = network.state_gradients(watch, None, 1), network.probe(fields).state_gradients
    assert found.keys() <= probed.keys()
    assert bool(found) == (draw is not feeding)
    for path, norms in found.items():
        torch.testing.assert_close(norms[:, 0], probed[path])


@pytest.mark.parametrize("threads", [2, 3])
def test_attention_on_several_threads(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        program = ATTENTIONS["additive"](5)
        compare(program, MACHINE, batch(program, 5))
        compare(program, MACHINE, batch(program, 2))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["additive", "scaled dot, values apart", "heads"])
def test_attention_writes_between_its_canaries(name: str, width: int) -> None:
    check_canaries(ATTENTIONS[name](width), "host")


@pytest.mark.skipif(not X86, reason="older processors of another family")
@pytest.mark.parametrize("vectors", ["avx2", "sse2"])
@pytest.mark.parametrize("name", ["additive", "heads", "with attention"])
def test_older_processors(name: str, vectors: str) -> None:
    check_canaries(ATTENTIONS[name](7) if name in ATTENTIONS else WRITING[name](), vectors)


def check_canaries(program: Program, vectors: str) -> None:
    """What plain stages do in machine code stays in its buffers, and is on these vectors what it is on any."""
    network = Network(program).train()
    scan = next(region for region in program.regions if isinstance(region, Scan))
    fused = network.loops.fused(scan, ragged=False, training=True)
    assert isinstance(fused, FusedLoop)
    results = []
    for kind in (MachineLoop, GuardedLoop):
        loop = kind(fused.plan, torch.float32, target("host" if kind is MachineLoop else vectors))
        if isinstance(loop, GuardedLoop):
            loop.guard = Guarded()
        context = Context(
            network.weights,
            {"time": 4, "source": 19},
            {},
            3,
            training=True,
            state={},
            device=torch.device("cpu"),
            dtype=torch.float32,
        )
        fields = batch(program, 3, torch.float32, {"time": 4, "source": 19})
        values = {item.name: fields[item.field].movedim(0, len(item.signal.axes)) for item in program.inputs}
        for region in program.regions[: program.regions.index(scan)]:
            assert isinstance(region, Map)
            run_map(region, values, context)
        torch.manual_seed(0)
        fused.run(loop, values, context)
        network.zero_grad()
        sum(values[name].square().sum() for name in scan.yields).backward()
        results.append({path: w.grad.clone() for path, w in network.weights.items() if w.grad is not None})
        if isinstance(loop, GuardedLoop):
            loop.guard.check()
    for path, wanted in results[0].items():
        torch.testing.assert_close(results[1][path], wanted, rtol=1e-4, atol=1e-4)


def test_what_torch_runs_is_timed_against_the_reference() -> None:
    program = writing(5, probability=0.5, sample=True)
    network = Network(program)
    (line,) = network.lowerings()
    assert "torch function or reference" in line
    assert "no machine code: back" in line
    network.losses(batch(program, dtype=torch.float32)).total.backward()
    (winner,) = network.lowering_choices().values()
    assert winner in (TORCH, REFERENCE)
    assert " ms" in network.lowerings()[0] or "chosen before" in network.lowerings()[0]
