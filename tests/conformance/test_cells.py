"""The library's cells against the equations of the field, and against torch.nn's layers: numbers and gradients."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.design import CellDefinition, Design
from rnnstudio.runtime import Network
from tests.conformance.drawings import backward, learned_states, recurrent, states_from_wires, with_params
from tests.conformance.running import Tensors, assert_same, batch_of, gradients_of, network_of, program_of, ragged

CELLS = ("RNN", "LSTM", "GRU")
Step = Callable[[Tensor, tuple[Tensor, ...], Tensors], tuple[Tensor, ...]]
"""x_t, the states before, weights by their path in the cell → the states after, h first."""


def rnn_step(x: Tensor, state: tuple[Tensor, ...], w: Tensors) -> tuple[Tensor, ...]:
    """h_t = tanh(W_hh h_{t-1} + W_xh x_t + b)"""
    (h,) = state
    return (torch.tanh(h @ w["total.weight2"].T + x @ w["total.weight"].T + w["total.bias"]),)


def lstm_step(x: Tensor, state: tuple[Tensor, ...], w: Tensors) -> tuple[Tensor, ...]:
    """f, i, g, o of [h_{t-1}, x_t]; c_t = f ⊙ c_{t-1} + i ⊙ g; h_t = o ⊙ tanh(c_t)"""
    h, c = state
    f, i, g, o = (h @ w[f"W_{n}.weight2"].T + x @ w[f"W_{n}.weight"].T + w[f"W_{n}.bias"] for n in "figo")
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(x: Tensor, state: tuple[Tensor, ...], w: Tensors) -> tuple[Tensor, ...]:
    """h' = tanh(W x + r ⊙ (U h_{t-1})); h_t = z ⊙ h_{t-1} + (1 − z) ⊙ h'"""
    (h,) = state
    z, r = (torch.sigmoid(h @ w[f"W_{n}.weight2"].T + x @ w[f"W_{n}.weight"].T + w[f"W_{n}.bias"]) for n in "zr")
    new = torch.tanh(x @ w["W.weight"].T + w["W.bias"] + r * (h @ w["U.weight"].T + w["U.bias"]))
    return (z * h + (1 - z) * new,)


STEPS: dict[str, Step] = {"RNN": rnn_step, "LSTM": lstm_step, "GRU": gru_step}
DELAYS = {"RNN": ("h_before",), "LSTM": ("h_before", "c_before"), "GRU": ("h_before",)}


def by_hand(cell: str, x: Tensor, w: Tensors, first: tuple[Tensor, ...], k: int, own: Tensor) -> Tensor:
    """[batch, time, units]: the equations run step by step; k back (ahead when negative); `own` steps an example."""
    steps = range(x.shape[1]) if k > 0 else reversed(range(x.shape[1]))
    past = [first] * abs(k)
    out: dict[int, Tensor] = {}
    for t in steps:
        new = STEPS[cell](x[:, t], past[0], w)
        out[t] = new[0]
        valid = (t < own)[:, None]
        after = [*past[1:], new]
        past = [
            tuple(torch.where(valid, a, b) for a, b in zip(n, o, strict=True)) for n, o in zip(after, past, strict=True)
        ]
    return torch.stack([out[t] for t in range(x.shape[1])], 1)


def cell_weights(network: Network) -> Tensors:
    return {path.removeprefix("rec."): w for path, w in network.weights.items() if path.startswith("rec.")}


def loss_by_hand(network: Network, fields: Tensors, h: Tensor, own: Tensor) -> Tensor:
    w = network.weights
    error = (h @ w["readout.weight"].T + w["readout.bias"] - fields["targets"]).square().mean(-1)
    valid = torch.arange(h.shape[1])[None, :] < own[:, None]
    return error[valid].mean()


def variant(cell: str, k: int) -> CellDefinition:
    definition = standard().cells[cell]
    return definition if k == 1 else with_params(definition, "Delay", f"{cell}_{k}".replace("-", "m"), k=k)


@pytest.mark.parametrize("k", [1, -1, 2, -2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_equals_the_equations_of_the_field(cell: str, k: int) -> None:
    for units, reference, padded in product((1, 3, 7), (False, True), (False, True)):
        program = program_of(recurrent(variant(cell, k), units))
        (scan,) = program.scans()
        assert (scan.kernel is not None) == (abs(k) == 1)
        network = network_of(program, reference=reference)
        fields = batch_of(program)
        lengths = ragged(program) if padded else None
        own = lengths["time"] if lengths is not None else torch.full((3,), 6)
        first = tuple(torch.zeros(3, units, dtype=torch.float64) for _ in DELAYS[cell])
        h = by_hand(cell, fields["inputs"], cell_weights(network), first, k, own)
        wanted = loss_by_hand(network, fields, h, own)
        losses = network.losses(fields, lengths)
        assert_same({"loss": losses.total}, {"loss": wanted})
        assert_same(gradients_of(network, losses.total), gradients_of(network, wanted))


@pytest.mark.parametrize("cell", CELLS)
def test_initial_states_from_wires_and_learned_ones_enter_the_equations(cell: str) -> None:
    for draw, k, reference in product((states_from_wires, learned_states), (1, -1), (False, True)):
        drawn = draw(cell)
        cells = {name: with_params(c, "Delay", k=k) for name, c in drawn.cells.items()}
        program = program_of(drawn.replace(cells=cells))
        network = network_of(program, reference=reference)
        fields, w = batch_of(program), network.weights
        if "vector" in fields:
            begins = ["begin", *(["begin_c"] if cell == "LSTM" else [])]
            first = tuple(fields["vector"] @ w[f"{n}.weight"].T + w[f"{n}.bias"] for n in begins)
        else:
            first = tuple(w[f"rec.{name}.initial"].expand(3, -1) for name in DELAYS[cell])
        h = by_hand(cell, fields["inputs"], cell_weights(network), first, k, torch.full((3,), 6))
        wanted = loss_by_hand(network, fields, h, torch.full((3,), 6))
        losses = network.losses(fields)
        assert_same({"loss": losses.total}, {"loss": wanted})
        assert_same(gradients_of(network, losses.total), gradients_of(network, wanted))


TORCH_GATES = {
    "RNN": ([("total.weight", "total.bias", "total.weight2", None)]),
    "LSTM": ([(f"W_{n}.weight", f"W_{n}.bias", f"W_{n}.weight2", None) for n in "ifgo"]),
    "GRU": (
        [(f"W_{n}.weight", f"W_{n}.bias", f"W_{n}.weight2", None) for n in "rz"]
        + [("W.weight", "W.bias", "U.weight", "U.bias")]
    ),
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_equals_torchs_layer_with_the_same_weights(cell: str) -> None:
    for units, reference in product((1, 3, 7), (False, True)):
        compare_with_torch(cell, units, network_of(program_of(recurrent(cell, units)), reference=reference))


def compare_with_torch(cell: str, units: int, network: Network) -> None:
    """States, loss and every gradient of a network of one cell and of torch's layer with its weights."""
    fields, w = batch_of(network.program), cell_weights(network)
    layer: nn.Module = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}[cell](3, units, batch_first=True).double()
    zero = torch.zeros(units, dtype=torch.float64)
    gates = TORCH_GATES[cell]
    own = dict(layer.named_parameters())
    with torch.no_grad():
        own["weight_ih_l0"].copy_(torch.cat([w[x] for x, _, _, _ in gates]))
        own["bias_ih_l0"].copy_(torch.cat([w[b] for _, b, _, _ in gates]))
        own["weight_hh_l0"].copy_(torch.cat([w[h] for _, _, h, _ in gates]))
        own["bias_hh_l0"].copy_(torch.cat([w[b] if b else zero for _, _, _, b in gates]))
    h, final = layer(fields["inputs"])
    wanted = loss_by_hand(network, fields, h, torch.full((3,), 6))
    result = network(fields)
    losses = network.losses(fields)
    assert_same({"loss": losses.total}, {"loss": wanted})
    last = final if cell == "LSTM" else (final,)
    assert_same(result.state, {f"rec.{n}": x for n, x in zip(DELAYS[cell], last, strict=True)})
    rows = dict(zip(own, torch.autograd.grad(wanted, list(own.values())), strict=True))
    found = gradients_of(network, losses.total)
    for i, (x, b, u, c) in enumerate(gates):
        part = slice(i * units, (i + 1) * units)
        assert_same({"x": found[f"rec.{x}"]}, {"x": rows["weight_ih_l0"][part]})
        assert_same({"b": found[f"rec.{b}"]}, {"b": rows["bias_ih_l0"][part]})
        assert_same({"u": found[f"rec.{u}"]}, {"u": rows["weight_hh_l0"][part]})
        if c is not None:
            assert_same({"c": found[f"rec.{c}"]}, {"c": rows["bias_hh_l0"][part]})


@pytest.mark.parametrize("cell", CELLS)
def test_a_backward_cell_is_the_forward_cell_of_the_reversed_sequence(cell: str) -> None:
    ahead: Design = recurrent(cell)
    back = recurrent(backward(standard().cells[cell]))
    one, other = network_of(program_of(ahead)), network_of(program_of(back))
    fields = batch_of(one.program)
    flipped = {name: x.flip(1) for name, x in fields.items()}
    assert_same(
        {"readout": other(fields).outputs["loss"]},
        {"readout": one(flipped).outputs["loss"].flip(1)},
    )


def test_a_forget_gate_starts_open() -> None:
    network = Network(program_of(recurrent("LSTM")))
    assert network.weights["rec.W_f.bias"].tolist() == [1.0] * 4
    assert network.weights["rec.W_i.bias"].tolist() == [0.0] * 4
    bound = 4**-0.5
    assert all(
        float(w.detach().abs().max()) <= bound
        for p, w in network.weights.items()
        if p.startswith("rec.") and "weight" in p
    )
