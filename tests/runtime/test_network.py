"""A network from outside: weights by name, states, probes, what it refuses, and text it writes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.program import Scan
from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetParam
from rnnstudio.design.errors import StudioError
from rnnstudio.runtime import Network, generate
from rnnstudio.runtime.fused.loops import MACHINE, TORCH
from tests.conformance.drawings import (
    DRAWINGS,
    TARGETS,
    bidirectional,
    design,
    features,
    language_model,
    many_to_one,
    recurrent,
    regression,
    stacked,
    with_params,
)
from tests.conformance.running import Tensors, assert_same, batch_of, network_of, program_of

CELLS = standard().cells


def test_parameters_start_alike_from_a_seed_whatever_else_is_drawn() -> None:
    one, other = Network(program_of(recurrent("LSTM")), seed=5), Network(program_of(stacked()), seed=5)
    assert torch.equal(one.weights["readout.bias"], other.weights["readout.bias"])
    again = Network(program_of(recurrent("LSTM")), seed=5)
    assert_same(one.weights, again.weights, 0)
    assert not torch.equal(Network(one.program, seed=6).weights["readout.weight"], one.weights["readout.weight"])


@pytest.mark.parametrize("init", ["uniform", "xavier", "he", "orthogonal", "identity", "normal", "zero"])
def test_every_initialiser_fills_a_matrix(init: str) -> None:
    s = Sketch()
    features(s)
    s.add("layer", "Linear", at=(1, 0), params={"units": 3, "init": init, "bias": False}, input="inputs")
    s.add("wide", "Linear", at=(2, 0), params={"units": 400, "init": init, "bias": False}, input="layer")
    regression(s, "wide")
    weights = Network(program_of(design(s, "inputs", "targets")), seed=1).weights
    square, tall = weights["layer.weight"].detach(), weights["wide.weight"].detach()
    spread = {"uniform": 1 / 3, "xavier": (2 / 403) ** 0.5, "he": (2 / 3) ** 0.5, "normal": 1.0, "zero": 0.0}
    if init == "identity":
        assert torch.equal(square, torch.eye(3))
    elif init == "orthogonal":
        assert torch.allclose(square @ square.T, torch.eye(3), atol=1e-6)
        assert torch.allclose(tall.T @ tall, torch.eye(3), atol=1e-5)
    else:
        assert abs(float(tall.std()) - spread[init]) <= 0.15 * spread[init]


def test_weights_go_from_one_network_to_another_by_name() -> None:
    program = program_of(recurrent("GRU"))
    one, other = Network(program, seed=1), Network(program, seed=2)
    other.load_weights(one.weights)
    fields = {name: x.float() for name, x in batch_of(program).items()}
    assert torch.equal(one(fields).outputs["loss"], other(fields).outputs["loss"])


def test_a_deep_copy_has_weights_of_its_own_and_computes_the_same() -> None:
    program = program_of(stacked())
    network, fields = network_of(program).train(), batch_of(program)
    (*loops,) = (scan.name for scan in program.scans())
    network.set_lowering_choices(dict.fromkeys(loops, MACHINE))
    network.progress = 7
    network.losses(fields).total.backward()  # its weights lie together in memory now
    twin = copy.deepcopy(network)
    assert_same(twin.weights, network.weights, 0)
    assert (twin.training, twin.progress, twin.lowering_choices()) == (True, 7, network.lowering_choices())
    wanted = network.eval()(fields).outputs
    with torch.no_grad():
        for weight in network.weights.values():
            weight.mul_(2)
    assert_same(twin.eval()(fields).outputs, wanted, 0)
    twin.train().losses(fields).total.backward()
    assert all(weight.grad is not None for weight in twin.weights.values())


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
def test_a_first_look_in_inference_mode_leaves_a_network_that_can_learn(lowering: str) -> None:
    program = program_of(recurrent("LSTM"))
    network, fields = network_of(program).train(), batch_of(program)
    network.set_lowering_choices({scan.name: lowering for scan in program.scans()})
    with torch.inference_mode():
        seen = network(fields).outputs
    network.losses(fields).total.backward()
    assert not any(weight.is_inference() for weight in network.weights.values())
    assert_same(network(fields).outputs, seen, 1e-12)


def test_weights_of_another_design_are_refused() -> None:
    network = Network(program_of(recurrent("GRU")))
    weights = dict(network.weights)
    for changed, what in (
        ({**weights, "extra.weight": torch.zeros(1)}, "it has “extra.weight”"),
        ({k: v for k, v in weights.items() if k != "readout.bias"}, "lacks “readout.bias”"),
        ({**weights, "readout.bias": torch.zeros(9)}, r"“readout.bias” has shape \[9\]"),
    ):
        with pytest.raises(StudioError, match=what):
            network.load_weights(changed)


def test_two_parameters_never_share_a_place() -> None:
    """`a.b` in a cell and `a__b` beside it are different nodes."""
    inner = Sketch()
    inner.add("x", "CellInput", at=(0, 0))
    inner.add("b", "Linear", at=(1, 0), params={"units": 4}, input="x")
    inner.add("y", "CellOutput", at=(2, 0), input="b")
    s = Sketch()
    features(s)
    s.add("a__b", "Linear", at=(1, 0), params={"units": 5}, input="inputs")
    s.add("a", "cell", at=(2, 0), params={"cell": "Inner"}, x="a__b")
    regression(s, "a.y")
    weights = Network(program_of(design(s, "inputs", "targets", cells=[inner.cell("Inner", {}, "", "")]))).weights
    assert weights["a__b.weight"].shape == (5, 3)
    assert weights["a.b.weight"].shape == (4, 5)


def test_a_network_whose_every_weight_is_frozen_runs() -> None:
    s = Sketch()
    features(s)
    s.add("layer", "Linear", at=(1, 0), params={"units": TARGETS, "frozen": True}, input="inputs")
    s.add("truth", "FeatureTarget", at=(1, 1))
    s.add("loss", "MeanSquaredError", at=(2, 0), prediction="layer", target="truth")
    network = network_of(program_of(design(s, "inputs", "targets")))
    assert list(network.parameters()) == []
    assert set(network.state_dict()) == {"layer__weight", "layer__bias"}
    fields = batch_of(network.program)
    w = network.weights
    wanted = (fields["inputs"] @ w["layer.weight"].T + w["layer.bias"] - fields["targets"]).square().mean()
    assert_same({"loss": network.losses(fields).total}, {"loss": wanted})


def test_a_network_without_any_weight_runs_in_the_precision_of_its_data() -> None:
    s = Sketch()
    features(s)
    s.add("late", "Delay", at=(1, 0), input="inputs")
    s.add("out", "Output", at=(2, 0), input="late")
    fields = batch_of(program_of(design(s, "inputs")))
    found = Network(program_of(design(s, "inputs")))(fields).outputs["out"]
    assert torch.equal(found[:, 1:], fields["inputs"][:, :-1])


def constant() -> Design:
    """A prediction that depends on no input."""
    s = Sketch()
    s.add("guess", "Weights", at=(0, 0), params={"units": TARGETS})
    s.add("truth", "FeatureTarget", at=(0, 1), params={"field": "amount"})
    s.add("loss", "MeanSquaredError", at=(1, 0), prediction="guess", target="truth")
    return design(s, "amount")


def test_a_prediction_that_depends_on_nothing_learns_the_mean_and_can_be_asked_for() -> None:
    network = network_of(program_of(constant()))
    fields = batch_of(network.program)
    losses = network.losses(fields)
    losses.total.backward()
    wanted = (network.weights["guess.weight"] - fields["amount"]).mean(0)
    assert_same({"g": network.weights["guess.weight"].grad}, {"g": wanted})  # type: ignore[dict-item]
    assert network({}).outputs["loss"].shape == (1, TARGETS)


def test_a_field_that_is_missing_or_does_not_fit_is_named() -> None:
    network = network_of(program_of(recurrent("RNN")))
    fields = batch_of(network.program)
    for changed, what in (
        ({}, "lacks the field “inputs”"),
        ({"inputs": fields["inputs"][0]}, "“inputs” has shape"),
        ({**fields, "targets": fields["targets"][:, :3]}, "“time” is"),
    ):
        with pytest.raises(StudioError, match=what):
            network.losses(changed)


def test_a_loop_whose_length_nothing_tells_is_named() -> None:
    s = Sketch()
    s.add("state", "Linear", at=(1, 0), params={"units": TARGETS}, input="before")
    s.add("before", "Delay", at=(0, 0), params={"axis": "time", "width": TARGETS, "initial": "learned"}, input="state")
    s.add("truth", "FeatureTarget", at=(0, 1))
    s.add("loss", "MeanSquaredError", at=(2, 0), prediction="state", target="truth")
    network = network_of(program_of(design(s, "targets")))
    fields = batch_of(network.program)
    assert network.losses(fields).total.isfinite()
    assert network(fields).outputs["loss"].shape == fields["targets"].shape
    with pytest.raises(StudioError, match="“time”"):
        network({})


def test_places_and_right_answers_are_counted_without_padding() -> None:
    program = program_of(language_model())
    network = network_of(program)
    fields, lengths = batch_of(program), {"time": torch.tensor([4, 1, 6])}
    losses = network.losses(fields, lengths)
    right = network(fields).outputs["loss"].argmax(-1) == fields["next"]
    valid = torch.arange(6)[None, :] < lengths["time"][:, None]
    assert losses.places == 11
    assert losses.correct is not None
    assert int(losses.correct) == int((right & valid).sum())
    assert network.losses(fields).places == 18


def test_final_states_can_be_left_out() -> None:
    network = network_of(program_of(recurrent("LSTM")))
    fields, lengths = batch_of(network.program), {"time": torch.tensor([4, 1, 6])}
    assert network.losses(fields, lengths, keep_state=False).total.isfinite()
    assert_same(
        {"loss": network.losses(fields, lengths, keep_state=False).total},
        {"loss": network.losses(fields, lengths).total},
    )


@pytest.mark.parametrize(
    "name", ["lstm", "gru backward", "stacked", "two speeds", "delay chain", "bidirectional", "grid"]
)
def test_a_probe_shows_what_the_reference_computes(name: str) -> None:
    network = network_of(program_of(DRAWINGS[name]()), reference=True)
    fields, lengths = batch_of(network.program), {"time": torch.tensor([4, 1, 6])}
    probe = network.probe(fields, lengths)
    alone = {f: x[:1] if f == "other" else x[:1, :4] for f, x in fields.items()}
    assert probe.loss == pytest.approx(float(network.losses(alone).total.detach()), abs=1e-12)
    record: dict[str, list[Tensor]] = {}
    network._run(alone, {}, None, tuple(loss.value for loss in network.program.losses), record=record, training=False)
    assert probe.values or name == "grid"
    for scan in network.program.regions:
        for op in scan.ops() if isinstance(scan, Scan) else ():
            if op.node in probe.values and op.kind in ("sigmoid", "tanh", "multiply"):
                steps = [x[0].detach() for x in record[op.name]]
                assert_same(
                    {op.node: probe.values[op.node]}, {op.node: torch.stack(steps if scan.forward else steps[::-1])}
                )
    assert set(probe.gates) == {n for n in probe.values if n.rsplit(".", 1)[-1] in "fiozr"}


@pytest.mark.parametrize("k", [1, -1])
def test_the_gradient_of_a_state_is_the_total_through_all_later_steps(k: int) -> None:
    cell = with_params(CELLS["RNN"], "Delay", "Rnn", k=k)
    network = network_of(program_of(recurrent(cell)))
    fields, w = batch_of(network.program), network.weights
    x, y = fields["inputs"][:1], fields["targets"][:1]
    h = torch.zeros(1, 4, dtype=torch.float64)
    states: dict[int, Tensor] = {}
    for t in range(6) if k > 0 else reversed(range(6)):
        h = torch.tanh(x[:, t] @ w["rec.total.weight"].T + h @ w["rec.total.weight2"].T + w["rec.total.bias"])
        states[t] = h
    out = torch.stack([states[t] for t in range(6)], 1) @ w["readout.weight"].T + w["readout.bias"]
    grads = torch.autograd.grad((out - y).square().mean(), [states[t] for t in range(6)])
    found = network.probe(fields).state_gradients
    assert_same(found, {"rec.state": torch.stack([g.norm() for g in grads])})


def test_gradients_of_states_reach_a_frozen_loop() -> None:
    """An echo state network: no parameter of the loop is trained."""
    trained = network_of(program_of(recurrent("RNN")))
    frozen = Network(program_of(recurrent(with_params(CELLS["RNN"], "Linear", frozen=True)))).double().eval()
    assert [name for name, _ in frozen.named_parameters()] == ["readout__weight", "readout__bias"]
    frozen.load_weights(trained.weights)
    fields = batch_of(trained.program)
    assert_same(frozen.probe(fields).state_gradients, trained.probe(fields).state_gradients)


def test_a_probe_changes_nothing() -> None:
    network = network_of(program_of(stacked())).train()
    fields = batch_of(network.program)
    network.losses(fields).total.backward()
    before = {k: v.clone() for k, v in network.weights.items()}
    grads = {k: v.grad.clone() for k, v in network.weights.items() if v.grad is not None}
    random = torch.get_rng_state()
    one = network.probe(fields)
    other = network.probe(fields)
    assert network.training
    assert torch.equal(torch.get_rng_state(), random)
    assert_same(network.weights, before, 0)
    assert_same({k: v.grad for k, v in network.weights.items() if v.grad is not None}, grads, 0)
    assert_same(one.values, other.values, 0)


def test_a_probe_can_go_on_from_a_state() -> None:
    network = network_of(program_of(recurrent("LSTM")))
    fields = batch_of(network.program)
    state = network(fields).state
    alone = {f: x[:1] for f, x in fields.items()}
    own = {k: v[:, :1] for k, v in state.items()}
    assert network.probe(fields, state=state).loss == pytest.approx(
        float(network.losses(alone, None, own).total.detach())
    )


def test_a_number_that_is_not_finite_is_traced_to_its_node_and_step() -> None:
    network = network_of(program_of(recurrent("GRU")))
    fields = batch_of(network.program)
    assert network.first_non_finite(fields) is None
    with torch.no_grad():
        network.weights["readout.weight"].fill_(1e200)
    found = network.first_non_finite(fields)
    assert found is not None
    assert (found.node, found.kind, found.backward) == ("loss", "squared_error", False)


def test_dropout_is_off_in_evaluation_and_the_random_state_decides_it_in_training() -> None:
    network = network_of(program_of(stacked()))
    fields = batch_of(network.program)
    assert torch.equal(network.losses(fields).total, network.losses(fields).total)
    network.train()
    torch.manual_seed(1)
    one = network.losses(fields).total
    torch.manual_seed(1)
    other = network.losses(fields).total
    assert torch.equal(one, other)
    assert not torch.equal(one, network.losses(fields).total)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_writing_equals_stepping_by_hand(cell: str) -> None:
    network = network_of(program_of(language_model(cell)))
    prompt = torch.tensor([[0, 3, 1]])
    text, state = prompt, None
    state = None
    tokens: Tensor = prompt
    by_hand: list[int] = []
    random = generator(7)
    for _ in range(12):
        result = network({"text": tokens}, state=state)
        logits, state = result.outputs["loss"][0, -1].detach(), result.state
        token = int(torch.multinomial(torch.softmax(logits / 0.7, -1), 1, generator=random))
        whole = network({"text": torch.cat([text, *(torch.tensor([[t]]) for t in by_hand)], 1)}).outputs["loss"][0, -1]
        assert_same({"logits": logits}, {"logits": whole})
        by_hand.append(token)
        tokens = torch.tensor([[token]])
    assert generate(network, prompt, 12, 0.7, generator(7)).tolist() == by_hand


def test_writing_is_decided_by_its_generator_and_leaves_the_network_as_it_was() -> None:
    network = network_of(program_of(language_model())).train()
    prompt, random = torch.tensor([[2]]), torch.get_rng_state()
    one = generate(network, prompt, 40, 1.0, generator(1))
    assert torch.equal(one, generate(network, prompt, 40, 1.0, generator(1)))
    assert not torch.equal(one, generate(network, prompt, 40, 1.0, generator(2)))
    assert torch.equal(generate(network, prompt, 40, 0.0), generate(network, prompt, 40, 0.0))
    assert network.training
    assert torch.equal(torch.get_rng_state(), random)
    assert one.shape == (40,)
    assert generate(network, prompt, 0).tolist() == []


def test_what_cannot_write_says_why() -> None:
    prompt = torch.tensor([[0]])
    for drawn in (recurrent("LSTM"), many_to_one(), bidirectional()):
        with pytest.raises(StudioError):
            generate(network_of(program_of(drawn)), prompt, 3)
    with pytest.raises(StudioError, match="empty"):
        generate(network_of(program_of(language_model())), torch.zeros((1, 0), dtype=torch.int64), 3)


def test_a_backward_language_model_cannot_write() -> None:
    drawn = language_model("RNN")
    cells = {"RNN": with_params(CELLS["RNN"], "Delay", k=-1)}
    with pytest.raises(StudioError):
        generate(network_of(program_of(drawn.replace(cells=cells))), torch.tensor([[0]]), 3)


def test_the_numbers_do_not_depend_on_how_many_steps_a_loop_looks_back_over() -> None:
    """A delay of k around a copy of the input equals the input moved k steps."""
    for k in (1, 2, 5):
        drawn = SetParam("late", "k", k).apply(DRAWINGS["delay 1"]())
        network = network_of(program_of(drawn))
        fields: Tensors = batch_of(network.program)
        moved = torch.cat([torch.zeros(3, min(k, 6), 3), fields["inputs"]], 1)[:, :6]
        w = network.weights
        wanted = torch.cat([fields["inputs"], moved], -1) @ w["readout.weight"].T + w["readout.bias"]
        assert_same(network(fields).outputs, {"loss": wanted})
