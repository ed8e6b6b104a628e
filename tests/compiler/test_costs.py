"""Costs counted from a compiled program: against counts by hand, and against what torch keeps for the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import rnnstudio
from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import compile_design
from rnnstudio.compiler.costs import Costs, cost_of
from rnnstudio.data.batches import Batches
from rnnstudio.proposals.patterns import PATTERNS
from rnnstudio.runtime import Network

D, H = 5, 7
T = ("time",)


def costs(draw: Callable[[rnnstudio.Drawing], object]) -> Costs:
    design = rnnstudio.new("costs")
    design.add("FeatureInput", "x", size=D)
    draw(design)
    return cost_of(design.program())


def layer(kind: str) -> Costs:
    def draw(design: rnnstudio.Drawing) -> None:
        design.add(kind, "cell", units=H, x="x")
        design.add("Output", "out", input="cell.h")

    return costs(draw)


@pytest.mark.parametrize(
    ("kind", "by_hand", "parameters"),
    [
        # W x and U h, nothing else is multiplied
        ("RNN", H * (D + H), H * (D + H + 1)),
        # four such; f ⊙ c, i ⊙ g, o ⊙ tanh c
        ("LSTM", 4 * H * (D + H) + 3 * H, 4 * H * (D + H + 1)),
        # three such; r ⊙ U h, z ⊙ h, (1 − z) ⊙ h′; U h has a bias of its own
        ("GRU", 3 * H * (D + H) + 3 * H, 3 * H * (D + H + 1) + H),
        # the three gates also see c, unit by unit
        ("PeepholeLSTM", 4 * H * (D + H) + 6 * H, 4 * H * (D + H + 1) + 3 * H),
        # both ways
        ("BidirectionalLSTM", 2 * (4 * H * (D + H) + 3 * H), 2 * 4 * H * (D + H + 1)),
    ],
)
def test_a_layer_has_the_multiply_adds_that_are_counted_by_hand(kind: str, by_hand: int, parameters: int) -> None:
    found = layer(kind)
    assert found.by_axes() == {T: by_hand}
    assert found.parameters == found.trained == parameters
    assert found.multiply_adds({"time": 20}) == 20 * by_hand
    assert found.of({"cell"}).work == found.work
    assert found.of({"x"}).by_axes() == {}


@pytest.mark.parametrize("score", ["dot", "general", "additive"])
def test_attention_has_the_multiply_adds_that_are_counted_by_hand(score: str) -> None:
    def draw(design: rnnstudio.Drawing) -> None:
        design.add("FeatureInput", "asks", field="asks", axis="target", size=D)
        design.add("Attention", "looks", score=score, units=H, query="asks", keys="x", values="x")
        design.add("Output", "out", input="looks")

    found = costs(draw).by_axes()
    pair = {"dot": D, "general": D, "additive": H}[score] + D  # the score; a_tj x_j
    projections = {
        "dot": {},
        "general": {("time",): D * D},  # qᵀ (W k): once for each key
        "additive": {("target",): H * D, ("time",): H * D},
    }[score]
    assert found.pop(("target", "time")) == pair
    assert found == projections


def test_a_tree_has_a_place_for_each_node_or_edge() -> None:
    design = rnnstudio.new("tree")
    design.axis("tree", kind="tree")
    design.add("FeatureInput", "x", axis="tree", size=D)
    design.add("ChildSumTreeLSTM", "net", units=H, x="x")
    design.add("Output", "out", input="net.h")
    found = cost_of(design.program())
    # i, o, g of x and of the sum of the children's h; f of x at each node; U h_k and f_k ⊙ c_k of each child.
    node = 3 * H * (D + H) + H * D + 2 * H
    edge = H * H + H
    assert found.multiply_adds({"tree": 9}) == 9 * node + 8 * edge
    assert found.multiply_adds({"tree": 1}) == node


def test_a_sequence_that_looks_along_itself_is_counted_for_each_pair() -> None:
    def draw(design: rnnstudio.Drawing) -> None:
        design.add("SelfAttention", "cell", units=8, heads=2, x="x")
        design.add("Output", "out", input="cell.h")

    found = costs(draw).by_axes()
    (pair,) = [axes for axes in found if len(axes) == 2]
    assert found.pop(pair) == 8 + 8  # q · k and a v, over all heads
    assert sum(found.values()) == 3 * 8 * D + 8 * 8


def test_frozen_weights_are_parameters_and_have_no_gradient() -> None:
    def draw(design: rnnstudio.Drawing) -> None:
        design.add("Linear", "frozen", units=H, frozen=True, input="x")
        design.add("Linear", "out", units=1, input="frozen")
        design.add("Output", "result", input="out")

    found = costs(draw)
    assert found.parameters == H * (D + 1) + H + 1
    assert found.trained == H + 1
    memory = found.memory({"time": 3}, 2, "adam")
    assert (memory.parameters, memory.gradients, memory.optimiser) == (4 * found.parameters, 4 * (H + 1), 8 * (H + 1))
    # The second layer's weights need what it read; the first has no gradient, and x none either.
    assert memory.activations == 4 * H * 3 * 2


def test_shared_weights_are_counted_once() -> None:
    def draw(design: rnnstudio.Drawing) -> None:
        design.add("Linear", "one", units=D, shared="both", input="x")
        design.add("Linear", "two", units=D, shared="both", input="one")
        design.add("Output", "result", input="two")

    found = costs(draw)
    assert found.parameters == D * (D + 1)
    assert found.by_axes() == {T: 2 * D * D}


MEASURED = [p for p in PATTERNS if p.training.get("optimiser") != "ridge"]


@pytest.mark.parametrize("item", MEASURED, ids=[p.name for p in MEASURED])
def test_what_is_kept_for_the_way_back_is_what_torch_keeps(item, tmp_path: Path) -> None:
    """Within a factor of 1.3, with the reference's loops: one storage counts once, and weights do not count."""
    dataset = data.open(item.recipe())
    design = item.design(dataset.recipe, standard())
    program = compile_design(design, standard())
    batch = next(iter(Batches(dataset.as_in_file({}), "train", 64, 40, False, shuffle=False, context=0)))
    network = Network(program, reference=True)
    weights = {w.untyped_storage().data_ptr() for w in network.weights.values()}
    seen: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        kept.append(tensor)  # so that no other one gets its place
        return tensor

    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network.losses(batch.fields, batch.lengths)
    lengths = {axis: int(batch.lengths[own].max()) if own in batch.lengths else 1 for axis, own in program.axes.items()}
    counted = cost_of(program).memory(lengths, batch.size).activations
    assert sum(seen.values()) / 1.3 < counted < sum(seen.values()) * 1.3, (counted, sum(seen.values()))
