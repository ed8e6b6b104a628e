"""A sequence that attends to itself, by a second name for its axis: against torch, padded, printed, causal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor, nn

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import MAIN, Design
from rnnstudio.design.edits import SetParam
from rnnstudio.export import export_python
from rnnstudio.runtime import Network
from tests.conformance.catalogue import (
    WIDTH,
    assert_padding_changes_nothing,
    design,
    inputs,
    network,
    own_part,
    valid_parts,
    weighted,
)
from tests.conformance.running import (
    answer,
    answer_of_source,
    assert_same,
    assert_same_answers,
    batch_of,
    gradients_of,
    program_of,
    ragged,
)

SMALL = {"rtol": 1e-9, "atol": 1e-9}


def attending(**params: Any) -> Design:
    """A layer of x attends to itself."""
    s = Sketch()
    inputs(s, x="time")
    s.add("layer", "Linear", at=(1, 0), params={"units": WIDTH}, input="x")
    s.add("again", "RenameAxis", at=(2, 1), input="layer")
    s.add("node", "Attention", at=(3, 0), params=params, query="layer", keys="again")
    return design(s, y="node", weights="node.weights")


def from_parts(causal: bool = True, score: str = "scaled_dot") -> Design:
    """Queries, keys and values by matrices of their own, the keys and values along “other”."""
    s = Sketch()
    inputs(s, x="time")
    s.add("again", "RenameAxis", at=(1, 1), params={"to": "other"}, input="x")
    s.add("q", "Linear", at=(2, 0), params={"units": WIDTH}, input="x")
    s.add("k", "Linear", at=(2, 1), params={"units": WIDTH}, input="again")
    s.add("v", "Linear", at=(2, 2), params={"units": 6}, input="again")
    s.add("match", "Match", at=(3, 0), params={"score": score, "heads": 2, "causal": causal}, query="q", keys="k")
    s.add("soft", "Softmax", at=(4, 0), params={"axis": "other"}, input="match")
    s.add("node", "WeightedSum", at=(5, 0), params={"causal": causal}, weights="soft", values="v")
    return design(s, y="node", weights="soft")


def pairs() -> Design:
    """Scores of each step with each, and their mean over the first name, named back."""
    s = Sketch()
    inputs(s, x="time")
    s.add("again", "RenameAxis", at=(1, 1), input="x")
    s.add("pair", "Linear", at=(2, 0), params={"units": WIDTH, "terms": 2}, input="x", input2="again")
    s.add("bent", "Tanh", at=(3, 0), input="pair")
    s.add("mean", "Mean", at=(4, 0), params={"axis": "time"}, input="bent")
    s.add("back", "RenameAxis", at=(5, 0), params={"axis": "time2", "to": "time"}, input="mean")
    s.add("both", "Add", at=(6, 0), a="back", b="x")
    return design(s, y="both", all="bent")


def along_the_copy() -> Design:
    """A loop along the second name, and one that reads what looks back in each of its steps."""
    s = Sketch()
    inputs(s, x="time")
    s.add("again", "RenameAxis", at=(1, 1), input="x")
    s.add("rec", "cell", at=(2, 1), params={"cell": "GRU", "units": WIDTH}, x="again")
    s.add("read", "Attention", at=(3, 1), params={"score": "dot", "causal": True}, query="before", keys="rec.h")
    s.add("sum", "Linear", at=(4, 0), params={"units": WIDTH, "terms": 2}, input="x", input2="read")
    s.add("state", "Tanh", at=(5, 0), input="sum")
    s.add("before", "Delay", at=(2, 0), params={"axis": "time", "width": WIDTH}, input="state")
    return design(s, y="state")


def library_cell(**params: Any) -> Design:
    s = Sketch()
    inputs(s, x="time")
    s.add("node", "cell", at=(1, 0), params={"cell": "SelfAttention", "units": 6, "heads": 2, **params}, x="x")
    return design(s, y="node.h", weights="node.weights")


DRAWINGS: dict[str, Callable[[], Design]] = {
    **{
        f"{score}, {'causal' if causal else 'all'}": (lambda s=score, c=causal: attending(score=s, causal=c))
        for score in ("additive", "dot", "general", "scaled_dot")
        for causal in (False, True)
    },
    "heads": lambda: attending(score="general", heads=2, causal=True),
    "projected": lambda: attending(score="scaled_dot", heads=2, project=True, units=6, causal=True),
    "parts, all": lambda: from_parts(causal=False),
    "parts, causal": from_parts,
    "pairs": pairs,
    "loops": along_the_copy,
    "cell": library_cell,
    "causal cell": lambda: library_cell(causal=True),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_it_is_checked_printed_and_run_alike_and_padding_changes_nothing(name: str) -> None:
    drawn = DRAWINGS[name]()
    assert [d.text() for d in check(drawn, standard()).diagnostics if d.code != "NoLoss"] == []
    program = program_of(drawn)
    reference, made = network(program, reference=True), network(program)
    fields = batch_of(program)
    for lengths in (None, ragged(program)):
        wanted = answer(reference, fields, lengths)
        assert_same_answers(program, answer(made, fields, lengths), wanted, lengths)
        printed = answer_of_source(program, made.weights, fields, lengths)
        assert_same_answers(program, printed, wanted, lengths)
    assert_padding_changes_nothing(reference, fields, ragged(program))


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_derivative_equals_finite_differences(name: str) -> None:
    made = network(program_of(DRAWINGS[name]()), reference=True)
    fields, lengths = batch_of(made.program), ragged(made.program)

    def value(x: Tensor) -> Tensor:
        return weighted(valid_parts(made.program, made({"x": x}, lengths).outputs, lengths))

    assert torch.autograd.gradcheck(value, (fields["x"].clone().requires_grad_(),), fast_mode=True, atol=1e-6)


def mask_of(lengths: Tensor | None, steps: int, causal: bool) -> Tensor:
    """[batch, 1, query, key] bool: what may be seen."""
    step = torch.arange(steps)
    seen = torch.ones(1, 1, steps, steps, dtype=torch.bool)
    if causal:
        seen = seen & (step[None, :] <= step[:, None])
    return seen if lengths is None else seen & (step < lengths[:, None])[:, None, None, :]


def gradients_agree(made: Network, found: Tensor, wanted: Tensor) -> None:
    one, other = gradients_of(made, weighted({"y": found})), gradients_of(made, weighted({"y": wanted}))
    assert_same(one, other)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_drawn_from_parts_it_is_torch_s_scaled_dot_product_attention(causal: bool, padded: bool) -> None:
    made = network(program_of(from_parts(causal)))
    x = batch_of(made.program)["x"]
    lengths = ragged(made.program) if padded else None
    w = made.weights

    def heads(name: str) -> Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"]).unflatten(-1, (2, -1)).transpose(1, 2)

    mask = mask_of(lengths["time"] if lengths else None, x.shape[1], causal)
    wanted = F.scaled_dot_product_attention(heads("q"), heads("k"), heads("v"), attn_mask=mask)
    wanted = wanted.transpose(1, 2).flatten(-2)
    found = made({"x": x}, lengths).outputs["y"]
    if lengths:
        own = torch.arange(x.shape[1])[None, :, None] < lengths["time"][:, None, None]
        found, wanted = found.masked_fill(~own, 0.0), wanted.masked_fill(~own, 0.0)
    torch.testing.assert_close(found, wanted, **SMALL)
    gradients_agree(made, found, wanted)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_the_library_s_cell_is_torch_s_multi_head_attention(causal: bool, padded: bool) -> None:
    made = network(program_of(library_cell(units=WIDTH, causal=causal)))
    x = batch_of(made.program)["x"]
    lengths = ragged(made.program) if padded else None
    w = {path.removeprefix("node.attention."): value for path, value in made.weights.items()}
    twin = nn.MultiheadAttention(WIDTH, 2, batch_first=True).double()
    joined = {
        "in_proj_weight": torch.cat([w["query.weight"], w["keys.weight"], w["values.weight"]]),
        "in_proj_bias": torch.cat([w["query.bias"], w["keys.bias"], w["values.bias"]]),
        "out_proj.weight": w["out.weight"],
        "out_proj.bias": w["out.bias"],
    }
    step = torch.arange(x.shape[1])
    padding = step >= lengths["time"][:, None] if lengths else None
    ahead = step[None, :] > step[:, None] if causal else None
    options = {"key_padding_mask": padding, "attn_mask": ahead, "average_attn_weights": False}
    wanted, weights = torch.func.functional_call(twin, joined, (x, x, x), options)
    result = made({"x": x}, lengths).outputs
    found, seen = result["y"], result["weights"].permute(0, 3, 1, 2)
    if padding is not None:
        found, wanted = (y.masked_fill(padding[..., None], 0.0) for y in (found, wanted))
        seen, weights = (a.masked_fill(padding[:, None, :, None], 0.0) for a in (seen, weights))
    torch.testing.assert_close(found, wanted, **SMALL)
    torch.testing.assert_close(seen, weights, **SMALL)
    gradients_agree(made, found, wanted)


@pytest.mark.parametrize("score", ["additive", "dot", "general"])
def test_the_scores_are_those_of_the_equations(score: str) -> None:
    made = network(program_of(attending(score=score, causal=True)))
    x = batch_of(made.program)["x"]
    w = made.weights
    h = F.linear(x, w["layer.weight"], w["layer.bias"])
    if score == "additive":
        from_query = F.linear(h, w["node.from_query.weight"], w["node.from_query.bias"])
        both = from_query[:, :, None] + F.linear(h, w["node.from_keys.weight"])[:, None]
        s = F.linear(torch.tanh(both), w["node.score.weight"])[..., 0]
    elif score == "general":
        s = h @ (h @ w["node.from_keys.weight"].T).transpose(1, 2)
    else:
        s = h @ h.transpose(1, 2)
    a = s.masked_fill(~mask_of(None, x.shape[1], True)[:, 0], float("-inf")).softmax(-1)
    found = made({"x": x}).outputs
    torch.testing.assert_close(found["weights"][..., 0], a, **SMALL)
    torch.testing.assert_close(found["y"], a @ h, **SMALL)
    gradients_agree(made, found["y"], a @ h)


@pytest.mark.parametrize("name", ["dot, causal", "additive, causal", "parts, causal", "causal cell"])
def test_a_causal_one_sees_nothing_of_later_steps(name: str) -> None:
    made = network(program_of(DRAWINGS[name]()))
    fields = batch_of(made.program)
    whole = made(fields).outputs["y"]
    for n in range(1, fields["x"].shape[1] + 1):
        torch.testing.assert_close(made({"x": fields["x"][:, :n]}).outputs["y"], whole[:, :n], **SMALL)


def test_one_that_is_not_causal_sees_all_steps() -> None:
    made = network(program_of(attending(score="dot")))
    fields = batch_of(made.program)
    first = made({"x": fields["x"][:, :1]}).outputs["y"]
    assert not torch.allclose(first, made(fields).outputs["y"][:, :1])


def test_pairs_have_two_names_for_one_axis() -> None:
    made = network(program_of(pairs()), reference=True)
    fields, lengths = batch_of(made.program), ragged(made.program)
    assert made.program.copies == {"time2": "time"}
    assert made.program.axes == {"time": "time", "time2": "time"}
    assert made(fields).outputs["all"].shape == (3, 6, 6, WIDTH)
    alone = made(own_part(made.program, fields, lengths, 1)).outputs["all"]
    torch.testing.assert_close(made(fields, lengths).outputs["all"][1:2, :1, :1], alone, **SMALL)


@pytest.mark.parametrize("axis", ["time", "source"])
@pytest.mark.parametrize("padded", [False, True])
def test_log_softmax_over_an_axis_is_torch_s(axis: str, padded: bool) -> None:
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("plane", "Linear", at=(1, 0), params={"units": WIDTH, "terms": 2}, input="x", input2="m")
    s.add("node", "LogSoftmax", at=(2, 0), params={"axis": axis}, input="plane")
    drawn = design(s, y="node", before="plane")
    program = program_of(drawn)
    made, reference = network(program), network(program, reference=True)
    fields, lengths = batch_of(program), ragged(program) if padded else None
    printed = answer_of_source(program, made.weights, fields, lengths)
    assert_same_answers(program, printed, answer(reference, fields, lengths), lengths)
    assert_padding_changes_nothing(reference, fields, ragged(program))
    x = fields["x"].requires_grad_()
    result = made(fields, lengths).outputs
    dim = 1 + program.signals[program.outputs["before"]].axes.index(axis)
    plane = result["before"]
    if lengths:
        shape = [len(plane), 1, 1, 1]
        shape[dim] = plane.shape[dim]
        padding = (torch.arange(plane.shape[dim]) >= lengths[axis][:, None]).reshape(shape)
        wanted = plane.masked_fill(padding, float("-inf")).log_softmax(dim).masked_fill(padding, 0.0)
    else:
        wanted = plane.log_softmax(dim)
    torch.testing.assert_close(result["y"], wanted, **SMALL)
    one, other = (torch.autograd.grad(weighted({"y": y}), x, retain_graph=True)[0] for y in (result["y"], wanted))
    torch.testing.assert_close(one, other, **SMALL)


def test_keys_along_the_query_s_axis_are_put_right_by_one_click() -> None:
    s = Sketch()
    inputs(s, x="time")
    s.add("node", "Attention", at=(1, 0), params={"score": "dot"}, query="x", keys="x")
    drawn = design(s, y="node")
    (problem,) = check(drawn, standard()).errors
    assert problem.code == "AxisMeetsItself"
    assert problem.fix is not None
    repaired = problem.fix.apply(drawn)
    assert check(repaired, standard()).errors == ()
    assert {n.kind for n in repaired.graph.nodes.values()} >= {"RenameAxis", "Attention"}


def renamed(to: str, axis: str = "") -> Design:
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("again", "RenameAxis", at=(1, 1), params={"axis": axis, "to": to}, input="x")
    s.add("both", "Add", at=(2, 0), a="again", b="m")
    return design(s, y="both")


MISTAKES: dict[str, tuple[Design, str, str]] = {
    "an axis of other data": (renamed("source"), "DifferentAxes", "“source” would have the steps of “time”"),
    "an axis that is not there": (renamed("other", axis="source"), "MixedAxes", "has no axis “source”"),
    "the name it has": (renamed("time"), "MixedAxes", "has an axis “time” already"),
    "a name that is none": (renamed("two words"), "WrongParameter", "a name of letters"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_name_is_told(name: str) -> None:
    drawing, code, words = MISTAKES[name]
    found = check(drawing, standard()).errors
    assert [d.code for d in found] == [code], [d.text() for d in found]
    assert words in found[0].message
    assert found[0].nodes == ("again",)


def test_a_vector_has_nothing_to_look_back_from() -> None:
    s = Sketch()
    inputs(s, q="", m="source")
    s.add("node", "Attention", at=(1, 0), params={"causal": True}, query="q", keys="m")
    (problem,) = check(design(s, y="node"), standard()).errors
    assert "switch causal off" in problem.message


@pytest.mark.parametrize("name", ["parts, causal", "pairs", "causal cell"])
def test_it_is_exported_with_its_certificate(name: str, tmp_path: Any) -> None:
    made = Network(program_of(DRAWINGS[name]()), seed=3)
    assert export_python(made, None, tmp_path / "model.py").largest < 1e-5


def test_it_learns_to_look_back() -> None:
    """Every step shall tell the first input: nothing but a look at all steps before can."""
    s = Sketch()
    inputs(s, x="time")
    s.add("node", "cell", at=(1, 0), params={"cell": "SelfAttention", "units": 8, "heads": 2, "causal": True}, x="x")
    s.add("readout", "Linear", at=(2, 0), params={"units": 1}, input="node.h")
    made = Network(program_of(design(s, y="readout")), seed=1)
    generator = torch.Generator().manual_seed(2)
    optimiser = torch.optim.Adam(made.parameters(), 0.02)
    losses = []
    for _ in range(150):
        x = torch.randn(32, 7, WIDTH, generator=generator) * 0.3
        x[:, :, 0] = 0.0
        x[:, 0, 0] = 2.0
        loss = (made({"x": x}).outputs["y"] - x[:, :1, 1:2]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.15 * losses[0], losses[::30]


def test_the_library_s_cell_shows_its_choice_as_a_parameter() -> None:
    drawn = library_cell()
    changed = SetParam("node", "causal", True, MAIN).apply(drawn)
    fields = batch_of(program_of(drawn))
    one, other = (network(program_of(d))(fields).outputs["y"] for d in (drawn, changed))
    assert not torch.allclose(one, other)
    torch.testing.assert_close(one[:, -1], other[:, -1], **SMALL)
