"""NaN and infinity are told at the earliest step and the first node, forward, then backward."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.signals import Axis
from rnnstudio.runtime import Network
from rnnstudio.runtime.non_finite import NonFinite
from tests.conformance.drawings import design, grid
from tests.conformance.running import batch_of, network_of, program_of


def made(draw: Any) -> Network:
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    end = draw(s)
    s.add("readout", "Linear", at=(8, 0), params={"units": 2}, input=end)
    s.add("truth", "FeatureTarget", at=(8, 1), params={"field": "targets", "axis": "time"})
    s.add("loss", "MeanSquaredError", at=(9, 0), prediction="readout", target="truth")
    return network_of(program_of(design(s, "inputs", "targets")))


def told(network: Network, fields: dict[str, Tensor], lengths: dict[str, Tensor] | None = None) -> NonFinite:
    found = network.first_non_finite(fields, lengths)
    assert found is not None
    return found


def loop_of_logs(k: int) -> Any:
    """hid = log(x) + its own past, then exp(hid): a bad logarithm is bad in every step that comes after."""

    def draw(s: Sketch) -> str:
        s.add("more", "Linear", at=(1, 0), params={"units": 3, "terms": 2}, input="inputs", input2="before")
        s.add("both", "Add", at=(2, 0), a="inputs", b="more")
        s.add("hid", "Log", at=(3, 0), input="both")
        s.add("before", "Delay", at=(2, 1), params={"axis": "time", "width": 3, "k": k}, input="hid")
        return "hid"

    return draw


@pytest.mark.parametrize(("k", "step"), [(1, 1), (-1, 6)])
def test_a_logarithm_in_a_loop_is_told_at_its_first_step(k: int, step: int) -> None:
    network = made(loop_of_logs(k))
    fields = batch_of(network.program)
    with torch.no_grad():
        for path, w in network.weights.items():
            if path.startswith("more."):
                w.zero_()
    fields["inputs"] = -fields["inputs"].abs() - 0.1
    found = told(network, fields)
    assert found.place == f"hid, step {step}"
    assert (found.kind, found.backward, found.looped) == ("log", False, True)
    assert found.reads is not None
    assert found.reads < 0


@pytest.mark.parametrize("bad", [0, 2, 5])
def test_a_later_step_is_told_as_such_and_padding_is_not(bad: int) -> None:
    network = made(loop_of_logs(1))
    with torch.no_grad():
        for path, w in network.weights.items():
            if path.startswith("more."):
                w.zero_()
    fields = batch_of(network.program)
    fields["inputs"] = fields["inputs"].abs() + 2.0
    fields["inputs"][1, 1:] = -1.0  # behind the second example's end
    lengths = {"time": torch.tensor([6, 1, 6])}
    fields["inputs"][2, bad, 1] = -3.0
    assert told(network, fields, lengths).place == f"hid, step {bad + 1}"


def before_and_inside(s: Sketch) -> str:
    """One logarithm of all steps at once in front of the loop, another inside it."""
    s.add("front", "Log", at=(1, 0), input="inputs")
    s.add("small", "Scale", at=(2, 0), params={"scale": 0.1}, input="front")
    s.add("sum", "Add", at=(3, 0), a="inputs", b="before")
    s.add("inner", "Log", at=(4, 0), input="sum")
    s.add("gone", "Scale", at=(5, 0), params={"scale": 0.0}, input="inner")
    s.add("before", "Delay", at=(4, 1), params={"axis": "time", "width": 3}, input="gone")
    return s.add("all", "Add", at=(6, 0), a="small", b="inner")


def test_the_node_that_comes_first_at_the_earliest_step_is_told() -> None:
    network = made(before_and_inside)
    fields = batch_of(network.program)
    fields["inputs"] = fields["inputs"].abs() + 0.5
    fields["inputs"][0, 3, 0] = -1.0
    assert told(network, fields).place == "front, step 4"


def test_what_does_not_reach_the_loss_is_not_told() -> None:
    """exp of log 0 is 0: the infinity between them is no fault."""

    def draw(s: Sketch) -> str:
        s.add("log", "Log", at=(1, 0), input="inputs")
        s.add("back", "Exp", at=(2, 0), input="log")
        s.add("big", "Scale", at=(3, 0), params={"scale": 2000.0}, input="back")
        return s.add("blows", "Exp", at=(4, 0), input="big")

    network = made(draw)
    fields = batch_of(network.program)
    fields["inputs"] = fields["inputs"].abs() + 1.0
    fields["inputs"][0, 0, 0] = 0.0
    found = told(network, fields)
    assert (found.node, found.kind) == ("blows", "exp")
    assert found.reads is not None
    assert found.reads > 700


@pytest.mark.parametrize("squared", [False, True])
def test_a_finite_loss_whose_gradient_is_not_names_the_division(squared: bool) -> None:
    """0 ÷ 0 at a step that Last does not read. Alone, its derivative is the first that is NaN; where the square of it
    is, 0 times NaN, the value that caused it is told and not the square."""
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    s.add("up", "Linear", at=(1, 0), params={"units": 3, "bias": False}, input="inputs")
    s.add("ratio", "Divide", at=(2, 0), a="up", b="inputs")
    s.add("square", "Multiply", at=(2, 1), a="ratio", b="ratio")
    s.add("last", "Last", at=(3, 0), input="square" if squared else "ratio")
    s.add("readout", "Linear", at=(4, 0), params={"units": 2}, input="last")
    s.add("truth", "FeatureTarget", at=(4, 1), params={"field": "amount", "axis": ""})
    s.add("loss", "MeanSquaredError", at=(5, 0), prediction="readout", target="truth")
    network = network_of(program_of(design(s, "inputs", "amount")))
    fields = batch_of(network.program)
    fields["inputs"] = fields["inputs"].abs() + 0.5
    fields["inputs"][1, 4] = 0.0
    losses = network.losses(fields)
    assert math.isfinite(float(losses.total.detach()))
    losses.total.backward()
    assert not all(bool(w.grad.isfinite().all()) for w in network.weights.values() if w.grad is not None)
    found = told(network, fields)
    assert (found.place, found.kind) == ("ratio, step 5", "divide")
    assert (found.backward, found.left_out) == (not squared, squared)
    assert found.reads == 0.0


def root_in_loop(s: Sketch) -> str:
    """|h|^½ as exp(½ log h): at 0 its value is 0 and its derivative NaN."""
    s.add("sum", "Linear", at=(1, 0), params={"units": 3, "terms": 2}, input="inputs", input2="before")
    s.add("size", "Relu", at=(2, 0), input="sum")
    s.add("log", "Log", at=(3, 0), input="size")
    s.add("half", "Scale", at=(4, 0), params={"scale": 0.5}, input="log")
    s.add("root", "Exp", at=(5, 0), input="half")
    s.add("before", "Delay", at=(3, 1), params={"axis": "time", "width": 3}, input="root")
    return "root"


def test_backward_the_last_step_comes_first() -> None:
    network = made(root_in_loop)
    with torch.no_grad():
        network.weights["sum.weight2"].zero_()
        network.weights["sum.weight"].copy_(torch.eye(3))
        network.weights["sum.bias"].zero_()
    fields = batch_of(network.program)
    fields["inputs"] = fields["inputs"].abs() + 0.5
    fields["inputs"][0, 1] = fields["inputs"][0, 4] = -1.0  # size is 0 at steps 2 and 5
    assert math.isfinite(float(network.losses(fields).total.detach()))
    found = told(network, fields)
    assert (found.place, found.kind, found.backward) == ("log, step 5", "log", True)
    assert found.reads == 0.0


def test_a_tree_is_told_from_its_leaves() -> None:
    """h = log(x + Σ children): at the leaves it is 1, at the nodes above them it is the logarithm of less than 0."""
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"size": 2, "field": "x", "axis": "tree"})
    s.add("below", "Children", at=(1, 0), params={"axis": "tree", "width": 2}, input="h")
    s.add("sum", "Add", at=(2, 0), a="x", b="below")
    s.add("h", "Log", at=(3, 0), input="sum")
    s.add("top", "Root", at=(4, 0), input="h")
    s.add("truth", "FeatureTarget", at=(4, 1), params={"size": 2, "field": "amount", "axis": ""})
    s.add("loss", "MeanSquaredError", at=(5, 0), prediction="top", target="truth")
    drawn = Design(graph=s.graph(), axes=frozen({"tree": Axis("tree", "tree")}))
    network = Network(program_of(drawn)).double()
    x = torch.full((2, 5, 2), math.e, dtype=torch.float64)
    fields = {"x": x, "amount": torch.ones(2, 2, dtype=torch.float64)}
    fields["tree_parents"] = torch.tensor([[-1, 0, 0, 1, 1], [-1, 0, 0, -9, -9]])
    lengths = {"tree": torch.tensor([5, 3])}
    assert network.first_non_finite(fields, lengths) is None
    x[0, 1, 1] = -3.0
    found = told(network, fields, lengths)
    assert (found.node, found.steps, found.looped) == ("h", {"tree": 2}, True)
    assert found.reads == pytest.approx(-1.0)


@pytest.mark.parametrize(("t", "s"), [(2, 3), (0, 1), (5, 4)])
def test_a_loop_in_a_loop_is_told_with_both_steps(t: int, s: int) -> None:
    """Two axes, a loop over each: x_t + y_s + U h_(t−1,s) + V h_(t,s−1), of which the logarithm is taken."""
    drawn = grid()
    nodes = dict(drawn.graph.nodes)
    nodes["state"] = nodes["state"].replace(kind="Log")
    network = network_of(program_of(drawn.replace(graph=drawn.graph.replace(nodes=frozen(nodes)))))
    fields = batch_of(network.program)
    with torch.no_grad():
        for path in ("sum.weight", "sum.weight2", "sum.weight3"):
            network.weights[path].zero_()
        network.weights["sum.bias"].fill_(5.0)
        network.weights["sum.weight"].copy_(torch.eye(3))
    fields["inputs"].zero_()
    fields["other"].zero_()
    fields["inputs"][0, t, 0] = fields["other"][0, s, 0] = -3.0  # together below 0, each alone not
    found = told(network, fields)
    assert (found.node, found.steps) == ("state", {"time": t + 1, "source": s + 1})
    assert found.reads == pytest.approx(-1.0)


def test_dropout_is_drawn_as_the_step_drew_it_and_nothing_is_changed() -> None:
    """A mask that hides the one bad number of some runs decides whether there is anything to tell."""

    def draw(s: Sketch) -> str:
        s.add("drop", "Dropout", at=(1, 0), params={"rate": 0.5}, input="inputs")
        s.add("less", "Scale", at=(2, 0), params={"scale": -1.0, "offset": 4.0}, input="drop")
        return s.add("log", "Log", at=(3, 0), input="less")

    network = made(draw).train()
    fields = batch_of(network.program)
    fields["inputs"] = fields["inputs"].abs().clamp(max=1.0)
    fields["inputs"][0, 2, 0] = 3.0  # 6 when it is kept: log of −2
    before = {path: w.detach().clone() for path, w in network.weights.items()}
    seen = set()
    for seed in range(12):
        torch.manual_seed(seed)
        loss = float(network.losses(fields).total.detach())
        torch.manual_seed(seed)
        found = network.first_non_finite(fields)
        assert (found is None) == math.isfinite(loss)
        assert found is None or found.place == "log, step 3"
        seen.add(found is None)
    assert seen == {True, False}
    assert all(torch.equal(w, before[path]) for path, w in network.weights.items())
    assert all(w.grad is None for w in network.weights.values())
