"""A wire that is cut carries nothing, at one step or at all: against plain torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnstudio.design.errors import StudioError
from rnnstudio.runtime import Network
from rnnstudio.runtime.cutting import Cut
from rnnstudio.runtime.looking import look
from tests.conformance.drawings import language_model, recurrent
from tests.conformance.running import batch_of, network_of, program_of
from tests.runtime.test_looking import TREES, tree

CLOSE = {"rtol": 1e-12, "atol": 1e-14}


@pytest.fixture
def lstm() -> tuple[Network, dict[str, Tensor]]:
    network = network_of(program_of(recurrent("LSTM")))
    return network, {name: x[:1] for name, x in batch_of(network.program).items()}


def by_hand(network: Network, fields: dict[str, Tensor], cuts: tuple[Cut, ...]) -> tuple[Tensor, Tensor]:
    """The states [time, 4] and the loss of the LSTM, each of whose wires is a number that may be 0."""
    w = network.weights

    def wire(value: Tensor, source: str, target: str, t: int) -> Tensor:
        gone = any(cut.source == source and cut.target == target and cut.step in (None, t) for cut in cuts)
        return torch.zeros_like(value) if gone else value

    h = c = torch.zeros(4, dtype=torch.float64)
    states, scores = [], []
    for t, x in enumerate(fields["inputs"][0]):
        x = wire(x, "inputs", "rec", t)
        h, c = wire(h, "rec", "rec", t), wire(c, "rec", "rec", t)
        made = {}
        for name in "figo":
            read, before = wire(x, "inputs", f"rec.W_{name}", t), wire(h, "rec.h_before", f"rec.W_{name}", t)
            path = f"rec.W_{name}"
            made[name] = read @ w[f"{path}.weight"].T + before @ w[f"{path}.weight2"].T + w[f"{path}.bias"]
        f, i, o = (torch.sigmoid(made[name]) for name in "fio")
        c = f * wire(c, "rec.memory", "rec.kept", t) + i * torch.tanh(made["g"])
        h = o * torch.tanh(c)
        states.append(h)
        scores.append(wire(h, "rec", "readout", t) @ w["readout.weight"].T + w["readout.bias"])
    return torch.stack(states), torch.nn.functional.mse_loss(torch.stack(scores), fields["targets"][0])


@pytest.mark.parametrize(
    "cuts",
    [
        (Cut("inputs", "rec"),),
        (Cut("inputs", "rec", 2),),
        (Cut("rec", "rec", 3),),
        (Cut("rec", "readout", 2),),
        (Cut("rec.memory", "rec.kept", 1),),
        (Cut("inputs", "rec.W_f"),),
        (Cut("inputs", "rec.W_i"), Cut("rec.h_before", "rec.W_o", 4)),
    ],
    ids=lambda cuts: " ".join(f"{cut.source}:{cut.target}@{cut.step}" for cut in cuts),
)
def test_a_cut_wire_carries_nothing(lstm: tuple[Network, dict[str, Tensor]], cuts: tuple[Cut, ...]) -> None:
    network, fields = lstm
    states, loss = by_hand(network, fields, cuts)
    seen = look(network, fields, cuts=cuts)
    torch.testing.assert_close(seen.values["rec.state"], states.detach(), **CLOSE)
    assert seen.loss == pytest.approx(float(loss.detach()), rel=1e-12)
    assert seen.loss != look(network, fields).loss, "the wire mattered"


def test_no_gradient_comes_back_through_a_cut_wire(lstm: tuple[Network, dict[str, Tensor]]) -> None:
    network, fields = lstm
    before = {path: weight.detach().clone() for path, weight in network.weights.items()}
    seen = look(network, fields, cuts=[Cut("inputs", "rec", 1)])
    assert not seen.total["inputs"][1].any()
    assert seen.total["inputs"][0].any()
    assert all(torch.equal(weight, before[path]) for path, weight in network.weights.items())


@pytest.mark.parametrize("name", TREES)
def test_a_node_of_a_tree_that_is_cut_from_its_children_is_as_a_leaf(name: str) -> None:
    network, fields, lengths = tree(name)
    seen = look(network, fields, lengths, cuts=[Cut("net", "net", 1)])
    pruned = {**fields, "tree_parents": fields["tree_parents"][:1, :3], "word": fields["word"][:1, :3]}
    leaf = look(network, {**pruned, "label": fields["label"][:1]}, {"tree": torch.tensor([3])})
    torch.testing.assert_close(seen.values["net.state"][1], leaf.values["net.state"][1], **CLOSE)
    assert seen.loss == pytest.approx(leaf.loss, rel=1e-12)


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        (Cut("nowhere", "rec"), "no wire from “nowhere” to “rec”"),
        (Cut("readout", "rec"), "no wire from “readout” to “rec”"),
        (Cut("inputs", "rec", 99), "the steps 0 to 5, and no step 99"),
    ],
)
def test_a_wire_that_is_not_there_is_told(lstm: tuple[Network, dict[str, Tensor]], cut: Cut, told: str) -> None:
    with pytest.raises(StudioError, match=told):
        look(*lstm, cuts=[cut])


def test_a_wire_of_tokens_cannot_be_cut() -> None:
    network = network_of(program_of(language_model()))
    reads = next(item.name for item in network.program.inputs if not item.target)
    with pytest.raises(StudioError, match="carries tokens"):
        look(network, batch_of(network.program), cuts=[Cut(reads, "embedding")])
