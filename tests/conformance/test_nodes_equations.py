"""The nodes of the catalogue against their equations and torch's own modules: numbers and gradients, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor, nn

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.design.design import Design
from rnnstudio.runtime import Network
from tests.conformance.catalogue import (
    WIDTH,
    attention,
    attention_with_values,
    design,
    gradients,
    inputs,
    looped,
    network,
    updated,
    weighted,
)
from tests.conformance.running import Tensors, batch_of, printed, program_of, ragged

SMALL = {"rtol": 1e-9, "atol": 1e-9}


def layered(kind: str, **params: Any) -> Network:
    """W x (a trained layer, so that there are gradients) → the node."""
    s = Sketch()
    inputs(s, x="time")
    s.add("layer", "Linear", at=(1, 0), params={"units": WIDTH, "bias": False}, input="x")
    s.add("node", kind, at=(2, 0), params=params, input="layer")
    return network(program_of(design(s, y="node")))


def built(drawing: Design) -> tuple[Network, Tensors]:
    program = program_of(drawing)
    return network(program), batch_of(program)


def assert_equals(
    made: Network, fields: Tensors, wanted: Tensor, name: str = "y", lengths: Tensors | None = None
) -> None:
    """An output, and the gradient of a weighted sum over it in every parameter."""
    found = made(fields, lengths).outputs[name]
    torch.testing.assert_close(found, wanted, **SMALL)
    one, other = gradients(made, weighted({name: found})), gradients(made, weighted({name: wanted}))
    for path, gradient in one.items():
        torch.testing.assert_close(gradient, other[path], **SMALL, msg=f"gradient of {path}")


POINTWISE: dict[str, tuple[dict[str, Any], Callable[[Tensor], Tensor]]] = {
    "Abs": ({}, torch.abs),
    "Square": ({}, torch.square),
    "Sign": ({}, torch.sign),
    "Gelu": ({}, F.gelu),
    "Silu": ({}, F.silu),
    "Elu": ({"alpha": 0.7}, lambda x: F.elu(x, 0.7)),
    "LeakyRelu": ({"slope": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
    # F.hardsigmoid's own gradient has its 1/6 in single precision.
    "HardSigmoid": ({}, lambda x: F.relu6(x + 3) / 6),
    "Softmax": ({}, lambda x: F.softmax(x, -1)),
    "LogSoftmax": ({}, lambda x: F.log_softmax(x, -1)),
    "WidthSum": ({}, lambda x: x.sum(-1, keepdim=True)),
    "WidthMean": ({}, lambda x: x.mean(-1, keepdim=True)),
}


@pytest.mark.parametrize("kind", POINTWISE)
def test_pointwise_nodes_equal_torch(kind: str) -> None:
    params, function = POINTWISE[kind]
    made = layered(kind, **params)
    fields = {"x": batch_of(made.program)["x"] * 3}
    assert_equals(made, fields, function(fields["x"] @ made.weights["layer.weight"].T))


def test_softmax_over_time_leaves_padding_out() -> None:
    made = layered("Softmax", axis="time")
    fields, lengths = batch_of(made.program), ragged(made.program)
    x = fields["x"] @ made.weights["layer.weight"].T
    found = made(fields, lengths).outputs["y"]
    for i, own in enumerate(lengths["time"].tolist()):
        torch.testing.assert_close(found[i, :own], F.softmax(x[i, :own], 0), **SMALL)
        assert float(found[i, own:].detach().abs().sum()) == 0.0


def test_divide_log_and_minimum_by_their_formulas() -> None:
    s = Sketch()
    inputs(s, x="time")
    s.add("layer", "Linear", at=(1, 0), params={"units": WIDTH}, input="x")
    s.add("size", "Softplus", at=(2, 0), input="layer")
    s.add("log", "Log", at=(3, 0), input="size")
    s.add("ratio", "Divide", at=(4, 0), a="layer", b="size")
    s.add("least", "Minimum", at=(5, 0), a="log", b="ratio")
    made, fields = built(design(s, y="least"))
    w = made.weights
    x = fields["x"] @ w["layer.weight"].T + w["layer.bias"]
    assert_equals(made, fields, torch.minimum(F.softplus(x).log(), x / F.softplus(x)))


def test_padding_where_a_logarithm_is_infinite_spoils_no_gradient() -> None:
    s = Sketch()
    inputs(s, x="time")
    s.add("p", "Weights", at=(0, 1), params={"units": WIDTH})
    s.add("product", "Multiply", at=(1, 0), a="x", b="p")
    s.add("log", "Log", at=(2, 0), input="product")
    s.add("mean", "Mean", at=(3, 0), input="log")
    made, _ = built(design(s, y="mean"))
    with torch.no_grad():
        made.weights["p.weight"].fill_(2.0)
    x = torch.ones(2, 5, WIDTH, dtype=torch.float64)
    x[1, 3:] = 0.0
    found = gradients(made, weighted(made({"x": x}, {"time": torch.tensor([5, 3])}).outputs))
    assert torch.isfinite(found["p.weight"]).all()


def test_layer_normalisation_equals_torch() -> None:
    made = layered("LayerNorm", epsilon=1e-3)
    fields, w = batch_of(made.program), made.weights
    x = fields["x"] @ w["layer.weight"].T
    assert_equals(made, fields, F.layer_norm(x, (WIDTH,), w["node.weight"], w["node.bias"], 1e-3))


def _torch_batch_norm(made: Network) -> nn.BatchNorm1d:
    theirs = nn.BatchNorm1d(WIDTH).double()
    w = made.weights
    theirs.load_state_dict(
        {
            "weight": w["node.weight"],
            "bias": w["node.bias"],
            "running_mean": w["node.running_mean"].clone(),
            "running_var": w["node.running_variance"].clone(),
            "num_batches_tracked": torch.tensor(0),
        }
    )
    theirs.weight, theirs.bias = made.get_parameter("node__weight"), made.get_parameter("node__bias")
    return theirs


@pytest.mark.parametrize("padded", [False, True])
def test_batch_normalisation_equals_torch_over_the_valid_places(padded: bool) -> None:
    made = layered("BatchNorm")
    theirs = _torch_batch_norm(made)
    fields = batch_of(made.program)
    lengths = ragged(made.program) if padded else {"time": torch.tensor([6, 6, 6])}
    own = torch.arange(6)[None] < lengths["time"][:, None]
    for training in (True, True, False):
        made.train(training)
        theirs.train(training)
        found = made(fields, lengths).outputs["y"][own]
        wanted = theirs((fields["x"] @ made.weights["layer.weight"].T)[own])
        torch.testing.assert_close(found, wanted, **SMALL)
        one, other = gradients(made, weighted({"y": found})), gradients(made, weighted({"y": wanted}))
        for path, gradient in one.items():
            torch.testing.assert_close(gradient, other[path], **SMALL, msg=path)
        torch.testing.assert_close(made.weights["node.running_mean"], theirs.running_mean, **SMALL)
        torch.testing.assert_close(made.weights["node.running_variance"], theirs.running_var, **SMALL)


def test_batch_normalisation_in_a_loop_counts_the_examples_that_go_on() -> None:
    made, fields = built(looped("BatchNorm"))
    theirs = _torch_batch_norm(made)
    lengths = {"time": torch.tensor([6, 2, 4])}
    made.train()
    found = made(fields, lengths).outputs["y"]
    w, h = made.weights, torch.zeros(3, WIDTH, dtype=torch.float64)
    for t in range(4):
        own = t < lengths["time"]
        total = fields["x"][:, t] @ w["sum.weight"].T + h @ w["sum.weight2"].T + w["sum.bias"]
        new = torch.tanh(theirs(total[own])) @ w["state.weight"].T + w["state.bias"]
        h = h.masked_scatter(own[:, None].expand_as(h), new)
        torch.testing.assert_close(found[own, t], h[own], **SMALL)


def test_the_printed_batch_normalisation_trains_like_the_network() -> None:
    made, fields = built(looped("BatchNorm"))
    model = printed(made.program, made.weights).train()
    made.train()
    for lengths in (None, ragged(made.program)):
        wanted = made(fields, lengths)
        found, _ = model(fields["x"], lengths=lengths)
        torch.testing.assert_close(found, wanted.outputs["y"], **SMALL)
    for name in ("running_mean", "running_variance"):
        torch.testing.assert_close(getattr(model, f"node_{name}"), made.weights[f"node.{name}"], **SMALL)


@pytest.mark.parametrize("heads", [1, 2])
def test_projected_attention_equals_torchs_multi_head_attention(heads: int) -> None:
    made, fields = built(attention(score="scaled_dot", heads=heads, project=True))
    w, lengths = made.weights, {"time": torch.tensor([6, 6, 6]), "source": torch.tensor([2, 5, 1])}
    theirs = nn.MultiheadAttention(WIDTH, heads, batch_first=True).double()
    parts = ("query", "keys", "values")
    stacked = torch.cat([w[f"node.{p}.weight"] for p in parts]), torch.cat([w[f"node.{p}.bias"] for p in parts])
    mask = torch.arange(5)[None] >= lengths["source"][:, None]
    functional = F.multi_head_attention_forward(
        fields["x"].transpose(0, 1),
        fields["m"].transpose(0, 1),
        fields["m"].transpose(0, 1),
        WIDTH,
        heads,
        stacked[0],
        stacked[1],
        None,
        None,
        False,
        0.0,
        w["node.out.weight"],
        w["node.out.bias"],
        key_padding_mask=mask,
        average_attn_weights=False,
    )
    assert theirs.num_heads == heads
    assert_equals(made, fields, functional[0].transpose(0, 1), lengths=lengths)
    weights = made(fields, lengths).outputs["weights"]
    torch.testing.assert_close(weights.permute(0, 3, 1, 2), functional[1], **SMALL)


def _scores(kind: str, q: Tensor, k: Tensor, w: Tensors) -> Tensor:
    """[batch, target, source], as the papers have it."""
    if kind == "dot":
        return q @ k.transpose(1, 2)
    if kind == "scaled_dot":
        return q @ k.transpose(1, 2) / WIDTH**0.5
    if kind == "general":
        return q @ (k @ w["node.from_keys.weight"].T).transpose(1, 2)
    layer = torch.tanh(
        (q @ w["node.from_query.weight"].T + w["node.from_query.bias"])[:, :, None]
        + (k @ w["node.from_keys.weight"].T)[:, None]
    )
    return (layer @ w["node.score.weight"].T)[..., 0]


@pytest.mark.parametrize("kind", ["dot", "scaled_dot", "general", "additive"])
def test_attention_by_the_papers_equations(kind: str) -> None:
    made, fields = built(attention(score=kind))
    a = F.softmax(_scores(kind, fields["x"], fields["m"], made.weights), -1)
    torch.testing.assert_close(made(fields).outputs["weights"][..., 0], a, **SMALL)
    if list(made.parameters()):
        assert_equals(made, fields, a @ fields["m"])
    else:
        torch.testing.assert_close(made(fields).outputs["y"], a @ fields["m"], **SMALL)


def test_each_head_looks_at_its_own_part_of_the_values() -> None:
    made, fields = built(attention_with_values(score="scaled_dot", heads=2))
    w = made.weights
    values = fields["m"] @ w["values.weight"].T + w["values.bias"]
    parts = []
    for head in range(2):
        q, k = (fields[name][..., 2 * head : 2 * head + 2] for name in ("x", "m"))
        a = F.softmax(q @ k.transpose(1, 2) / 2**0.5, -1)
        parts.append(a @ values[..., 3 * head : 3 * head + 3])
    assert_equals(made, fields, torch.cat(parts, -1))


def test_taps_are_the_last_values_the_newest_first() -> None:
    made = layered("Taps", taps=3, gap=2)
    fields = batch_of(made.program)
    x = fields["x"] @ made.weights["layer.weight"].T
    window = [F.pad(x, (0, 0, k, 0))[:, : x.shape[1]] for k in (0, 2, 4)]
    assert_equals(made, fields, torch.cat(window, -1))


def _proposals(made: Network, x: Tensor, h: Tensor) -> Tensor:
    w = made.weights
    return torch.tanh(x @ w["sum.weight"].T + h @ w["sum.weight2"].T + w["sum.bias"])


@pytest.mark.parametrize("periods", [(3,), (1, 2), (1, 2, 3, 4)])
def test_a_clock_moves_its_units_only_at_their_periods(periods: tuple[int, ...]) -> None:
    made, fields = built(updated("Clock", periods=periods))
    every = torch.tensor(periods).repeat_interleave(WIDTH // len(periods))
    h, steps = torch.zeros(3, WIDTH, dtype=torch.float64), []
    for t in range(6):
        h = torch.where(t % every == 0, _proposals(made, fields["x"][:, t], h), h)
        steps.append(h)
    assert_equals(made, fields, torch.stack(steps, 1))


def test_a_blend_is_a_leaky_mean() -> None:
    made, fields = built(updated("Blend", keep=0.7))
    h, steps = torch.zeros(3, WIDTH, dtype=torch.float64), []
    for t in range(6):
        h = 0.7 * h + 0.3 * _proposals(made, fields["x"][:, t], h)
        steps.append(h)
    assert_equals(made, fields, torch.stack(steps, 1))


def test_zoneout_mixes_when_it_does_not_train() -> None:
    made, fields = built(updated("Zoneout", rate=0.25))
    h, steps = torch.zeros(3, WIDTH, dtype=torch.float64), []
    for t in range(6):
        h = 0.25 * h + 0.75 * _proposals(made, fields["x"][:, t], h)
        steps.append(h)
    assert_equals(made, fields, torch.stack(steps, 1))


def test_zoneout_keeps_units_by_chance_while_it_trains() -> None:
    made, _ = built(updated("Zoneout", rate=0.25))
    made.train()
    torch.manual_seed(1)
    x = torch.randn(400, 2, WIDTH, dtype=torch.float64)
    found = made({"x": x}).outputs["y"].detach()
    new = _proposals(made, x[:, 1], found[:, 0]).detach()
    kept, moved = (found[:, 1] - found[:, 0]).abs() < 1e-12, (found[:, 1] - new).abs() < 1e-12
    assert bool((kept | moved).all())
    assert 0.2 < float(kept.double().mean()) < 0.3


@pytest.mark.parametrize("units", [WIDTH, 3])
def test_a_residual_adds_what_went_around(units: int) -> None:
    s = Sketch()
    inputs(s, x="time")
    s.add("branch", "Linear", at=(1, 0), params={"units": units}, input="x")
    s.add("node", "Residual", at=(2, 0), input="x", branch="branch")
    made, fields = built(design(s, y="node"))
    w = made.weights
    around = fields["x"] if units == WIDTH else fields["x"] @ w["node.weight"].T
    assert_equals(made, fields, around + fields["x"] @ w["branch.weight"].T + w["branch.bias"])


def test_a_highway_join_by_its_equation() -> None:
    s = Sketch()
    inputs(s, x="time")
    s.add("branch", "Linear", at=(1, 0), params={"units": WIDTH}, input="x")
    s.add("node", "HighwayJoin", at=(2, 0), input="x", branch="branch")
    made, fields = built(design(s, y="node"))
    w, x = made.weights, fields["x"]
    gate = torch.sigmoid(x @ w["node.gate.weight"].T + w["node.gate.bias"])
    assert_equals(made, fields, gate * (x @ w["branch.weight"].T + w["branch.bias"]) + (1 - gate) * x)
