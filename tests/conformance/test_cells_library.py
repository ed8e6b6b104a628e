"""The library's cells beyond RNN, LSTM and GRU: each against its equation, in float64, and in every way to run it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Program, check
from rnnstudio.design.design import Design
from rnnstudio.runtime import Network
from tests.conformance.catalogue import (
    WIDTH,
    assert_padding_changes_nothing,
    design,
    gradients,
    in_chunks,
    inputs,
    network,
    weighted,
)
from tests.conformance.running import (
    Tensors,
    answer,
    answer_of_source,
    assert_same,
    assert_same_answers,
    batch_of,
    program_of,
    ragged,
)

SMALL = {"rtol": 1e-9, "atol": 1e-9}
State = tuple[Tensor, ...]
Step = Callable[[Tensor, State, Tensors, int], State]
"""x_t, the states before, weights by their path in the cell, t → the states after, the output first."""


def cell(name: str, port: str = "h", **params: Any) -> Design:
    """x along time (and what else the cell needs) → the cell → its output `port`."""
    s = Sketch()
    others = {"Decoder": {"given": ""}, "AttentionDecoder": {"memory": "source"}, "EchoStateFeedback": {"y": "time"}}
    needs = others.get(name, {})
    inputs(s, x="time", **{f"{port}_in": axis for port, axis in needs.items()})
    if name.startswith("EchoState"):
        params = {"density": 0.8, **params}
    wires = {port: f"{port}_in" for port in needs}
    s.add("c", "cell", at=(1, 0), params={"cell": name, "units": WIDTH, **params}, x="x", **wires)
    return design(s, y=f"c.{port}")


@cache
def program_with(name: str) -> Program:
    return program_of(cell(name, port={"Highway": "y", "Encoder": "states"}.get(name, "h")))


def ways(name: str, *, reference: bool = True) -> tuple[Network, Tensors]:
    program = program_with(name)
    return network(program, reference=reference), batch_of(program)


def affine(x: Tensor, h: Tensor, w: Tensors, name: str) -> Tensor:
    bias = w.get(f"{name}.bias")
    total = x @ w[f"{name}.weight"].T + h @ w[f"{name}.weight2"].T
    return total if bias is None else total + bias


def peephole(x: Tensor, state: State, w: Tensors, t: int) -> State:
    h, c = state
    f = torch.sigmoid(affine(x, h, w, "W_f") + w["p_f.weight"] * c)
    i = torch.sigmoid(affine(x, h, w, "W_i") + w["p_i.weight"] * c)
    c = f * c + i * torch.tanh(affine(x, h, w, "W_g"))
    o = torch.sigmoid(affine(x, h, w, "W_o") + w["p_o.weight"] * c)
    return o * torch.tanh(c), c


def coupled(x: Tensor, state: State, w: Tensors, t: int) -> State:
    h, c = state
    f = torch.sigmoid(affine(x, h, w, "W_f"))
    c = f * c + (1 - f) * torch.tanh(affine(x, h, w, "W_g"))
    return torch.sigmoid(affine(x, h, w, "W_o")) * torch.tanh(c), c


def normal(x: Tensor, w: Tensors, name: str) -> Tensor:
    return torch.nn.functional.layer_norm(x, (WIDTH,), w[f"{name}.weight"], w[f"{name}.bias"])


def normalised(x: Tensor, state: State, w: Tensors, t: int) -> State:
    h, c = state
    f, i, g, o = (normal(affine(x, h, w, f"W_{n}"), w, f"{n}_norm") for n in "figo")
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(normal(c, w, "memory_norm")), c


def first_gru(x: Tensor, state: State, w: Tensors, t: int) -> State:
    (h,) = state
    z, r = torch.sigmoid(affine(x, h, w, "W_z")), torch.sigmoid(affine(x, h, w, "W_r"))
    return (z * h + (1 - z) * torch.tanh(affine(x, r * h, w, "total")),)


def irnn(x: Tensor, state: State, w: Tensors, t: int) -> State:
    return (torch.relu(affine(x, state[0], w, "total")),)


def leaky(x: Tensor, state: State, w: Tensors, t: int) -> State:
    return (0.9 * state[0] + 0.1 * torch.tanh(affine(x, state[0], w, "total")),)


def learned_leaky(x: Tensor, state: State, w: Tensors, t: int) -> State:
    alpha = torch.sigmoid(w["rate.weight"])
    return (alpha * state[0] + (1 - alpha) * torch.tanh(affine(x, state[0], w, "total")),)


def times(x: Tensor, state: State, w: Tensors, t: int) -> State:
    return (state[0] + (torch.tanh(affine(x, state[0], w, "total")) - state[0]) / w["times.weight"],)


def echo(x: Tensor, state: State, w: Tensors, t: int) -> State:
    total = x @ w["inputs.weight"].T + state[0] @ w["recurrent.weight"].T + w["bias.weight"]
    return (torch.tanh(total),)


def clockwork(x: Tensor, state: State, w: Tensors, t: int) -> State:
    modules = list(state[1:])
    new = []
    for i, period in enumerate((1, 2, 4, 8)):
        total = x @ w[f"total{i + 1}.weight"].T + w[f"total{i + 1}.bias"]
        for n, slower in enumerate(modules[i:]):
            total = total + slower @ w[f"total{i + 1}.weight{n + 2}"].T
        new.append(torch.tanh(total) if t % period == 0 else modules[i])
    return torch.cat(new, -1), *new


EQUATIONS: dict[str, tuple[Step, int]] = {
    "PeepholeLSTM": (peephole, 2),
    "CoupledLSTM": (coupled, 2),
    "LayerNormLSTM": (normalised, 2),
    "OriginalGRU": (first_gru, 1),
    "IRNN": (irnn, 1),
    "Leaky": (leaky, 1),
    "LearnedLeaky": (learned_leaky, 1),
    "LeakyTimes": (times, 1),
    "EchoState": (echo, 1),
    "ClockworkRNN": (clockwork, 5),
}
NETS = ("BidirectionalLSTM", "BidirectionalGRU", "StackedLSTM", "StackedGRU", "Encoder", "Decoder", "AttentionDecoder")
OTHERS = ("EchoStateFeedback", "Highway")


def run(step: Step, x: Tensor, w: Tensors, states: int) -> Tensor:
    """[batch, time, units]: the equation step by step from zero."""
    state: State = tuple(torch.zeros(x.shape[0], WIDTH, dtype=x.dtype) for _ in range(states))
    out = []
    for t in range(x.shape[1]):
        state = step(x[:, t], state, w, t)
        out.append(state[0])
    return torch.stack(out, 1)


def inside(made: Network, prefix: str = "c.") -> Tensors:
    return {path.removeprefix(prefix): w for path, w in made.weights.items() if path.startswith(prefix)}


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_cell_equals_its_equation(name: str) -> None:
    made, fields = ways(name, reference=False)
    if name == "LeakyTimes":
        with torch.no_grad():
            made.weights["c.times.weight"].abs_().add_(1.0)
    step, states = EQUATIONS[name]
    wanted = run(step, fields["x"], inside(made), states)
    found = made(fields).outputs["y"]
    torch.testing.assert_close(found, wanted, **SMALL)
    if list(made.parameters()):
        one, other = gradients(made, weighted({"y": found})), gradients(made, weighted({"y": wanted}))
        for path, gradient in one.items():
            torch.testing.assert_close(gradient, other[path], **SMALL, msg=path)


@pytest.mark.parametrize("name", [*EQUATIONS, *NETS, *OTHERS])
def test_a_cell_is_checked_printed_and_run_alike(name: str) -> None:
    port = {"Highway": "y", "Encoder": "states"}.get(name, "h")
    assert [d.text() for d in check(cell(name, port), standard()).errors] == []
    made, fields = ways(name)
    for lengths in (None, ragged(made.program)):
        wanted = answer(made, fields, lengths)
        found = answer_of_source(made.program, made.weights, fields, lengths)
        assert_same_answers(made.program, found, wanted, lengths)


@pytest.mark.parametrize("name", [*EQUATIONS, *NETS, *OTHERS])
def test_padding_changes_nothing_in_a_cell(name: str) -> None:
    made, fields = ways(name)
    assert_padding_changes_nothing(made, fields, ragged(made.program))


@pytest.mark.parametrize("name", ["PeepholeLSTM", "ClockworkRNN", "BidirectionalGRU"])
def test_padding_changes_nothing_in_a_cell_however_it_runs(name: str) -> None:
    made, fields = ways(name, reference=False)
    assert_padding_changes_nothing(made, fields, ragged(made.program))


@pytest.mark.parametrize("name", [*EQUATIONS, "StackedLSTM", "EchoStateFeedback"])
def test_a_cell_goes_on_between_chunks(name: str) -> None:
    made, fields = ways(name)
    assert_same(in_chunks(made, fields, 3), made(fields).outputs, 1e-12)


def test_an_echo_state_cell_trains_nothing_and_hears_its_feedback() -> None:
    made, fields = ways("EchoStateFeedback")
    assert list(made.parameters()) == []
    w = inside(made)
    h, steps = torch.zeros(3, WIDTH, dtype=torch.float64), []
    for t in range(6):
        total = fields["x"][:, t] @ w["inputs.weight"].T + h @ w["recurrent.weight"].T + w["bias.weight"]
        h = torch.tanh(total + fields["y_in"][:, t] @ w["feedback.weight"].T)
        steps.append(h)
    torch.testing.assert_close(made(fields).outputs["y"], torch.stack(steps, 1), **SMALL)


def test_an_echo_state_cell_hears_the_outputs_of_its_own_readout() -> None:
    s = Sketch()
    inputs(s, x="time")
    s.add("echo", "cell", at=(1, 0), params={"cell": "EchoStateFeedback", "units": 6, "density": 1.0}, x="x", y="back")
    s.add("readout", "Linear", at=(2, 0), params={"units": 2}, input="echo.h")
    s.add("back", "Delay", at=(1, 1), input="readout")
    drawing = design(s, y="readout")
    assert check(drawing, standard()).errors == ()
    made = network(program_of(drawing))
    fields = batch_of(made.program)
    assert_same(in_chunks(made, fields, 2), made(fields).outputs, 1e-12)
    assert_padding_changes_nothing(made, fields, ragged(made.program))


def test_a_highway_layer_by_its_equation() -> None:
    made, fields = ways("Highway")
    w, x = inside(made), fields["x"]
    gate = torch.sigmoid(x @ w["transform_sum.weight"].T + w["transform_sum.bias"])
    wanted = gate * torch.relu(x @ w["plain.weight"].T + w["plain.bias"]) + (1 - gate) * x
    torch.testing.assert_close(made(fields).outputs["y"], wanted, **SMALL)


def _lstm(x: Tensor, w: Tensors, own: Tensor | None = None, *, back: bool = False) -> Tensor:
    """torch's own LSTM with these weights, over each example's own steps."""
    gates = "ifgo"
    theirs = torch.nn.LSTM(x.shape[-1], WIDTH, batch_first=True).double()
    theirs.load_state_dict(
        {
            "weight_ih_l0": torch.cat([w[f"W_{g}.weight"] for g in gates]),
            "weight_hh_l0": torch.cat([w[f"W_{g}.weight2"] for g in gates]),
            "bias_ih_l0": torch.cat([w[f"W_{g}.bias"] for g in gates]),
            "bias_hh_l0": torch.zeros(4 * WIDTH, dtype=torch.float64),
        }
    )
    out = torch.zeros(x.shape[0], x.shape[1], WIDTH, dtype=torch.float64)
    for i in range(x.shape[0]):
        steps = x[i : i + 1, : int(own[i]) if own is not None else x.shape[1]]
        h = theirs(steps.flip(1) if back else steps)[0]
        out[i, : steps.shape[1]] = (h.flip(1) if back else h)[0].detach()
    return out


def test_both_directions_equal_torchs_lstm_from_either_end() -> None:
    made, fields = ways("BidirectionalLSTM")
    own = torch.tensor([4, 1, 6])
    found = made(fields, {"time": own}).outputs["y"].detach()
    forward = _lstm(fields["x"], inside(made, "c.forward."), own)
    backward = _lstm(fields["x"], inside(made, "c.backward."), own, back=True)
    for i, n in enumerate(own.tolist()):
        torch.testing.assert_close(found[i, :n], torch.cat([forward, backward], -1)[i, :n], **SMALL)


def test_a_stack_is_one_lstm_on_the_states_of_another() -> None:
    made, fields = ways("StackedLSTM")
    low = _lstm(fields["x"], inside(made, "c.first."))
    torch.testing.assert_close(made(fields).outputs["y"].detach(), _lstm(low, inside(made, "c.second.")), **SMALL)


def test_an_encoder_sums_up_in_its_last_own_state() -> None:
    program = program_of(cell("Encoder", port="summary"))
    made, fields = network(program), batch_of(program)
    whole = network(program_of(cell("Encoder", port="states")))
    lengths = {"time": torch.tensor([4, 1, 6])}
    states = whole(fields, lengths).outputs["y"]
    summary = made(fields, lengths).outputs["y"]
    for i, own in enumerate(lengths["time"].tolist()):
        torch.testing.assert_close(summary[i], states[i, own - 1], **SMALL)


def test_an_attention_decoder_by_bahdanaus_equations() -> None:
    made, fields = ways("AttentionDecoder")
    w, memory = inside(made), fields["memory_in"]
    h, steps = torch.zeros(3, WIDTH, dtype=torch.float64), []
    for t in range(6):
        query = h @ w["attention.from_query.weight"].T + w["attention.from_query.bias"]
        layer = torch.tanh(query[:, None] + memory @ w["attention.from_keys.weight"].T)
        a = torch.softmax(layer @ w["attention.score.weight"].T, 1)
        x = torch.cat([fields["x"][:, t], (a * memory).sum(1)], -1)
        g = {path.removeprefix("gru."): value for path, value in w.items() if path.startswith("gru.")}
        z, r = torch.sigmoid(affine(x, h, g, "W_z")), torch.sigmoid(affine(x, h, g, "W_r"))
        new = x @ g["W.weight"].T + g["W.bias"] + r * (h @ g["U.weight"].T + g["U.bias"])
        h = z * h + (1 - z) * torch.tanh(new)
        steps.append(h)
    wanted = torch.stack(steps, 1)
    found = made(fields).outputs["y"]
    torch.testing.assert_close(found, wanted, **SMALL)
    one, other = gradients(made, weighted({"y": found})), gradients(made, weighted({"y": wanted}))
    for path, gradient in one.items():
        torch.testing.assert_close(gradient, other[path], **SMALL, msg=path)


def test_a_design_gets_the_cells_inside_a_cell() -> None:
    assert list(standard().definitions_for("AttentionDecoder")) == ["AttentionDecoder", "GRU"]
    for name in standard().cells:
        found = standard().definitions_for(name)
        for definition in found.values():
            used = {str(n.params["cell"]) for n in definition.graph.nodes.values() if n.kind == "cell"}
            assert used <= set(found)
    with pytest.raises(KeyError):
        standard().definitions_for("NoSuchCell")


def test_every_cell_has_a_sentence_an_equation_and_its_literature() -> None:
    for definition in standard().cells.values():
        assert definition.doc.endswith("."), definition.name
        assert definition.formula, definition.name
        assert definition.source, definition.name


def test_no_two_nodes_of_a_library_cell_lie_on_each_other() -> None:
    for definition in standard().cells.values():
        places = [(n.x, n.y) for n in definition.graph.nodes.values()]
        assert len(places) == len(set(places)), definition.name
