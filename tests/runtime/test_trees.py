"""Loops over trees against recursion written by hand, in any batch, and as printed source."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check, compile_design, source
from rnnstudio.compiler.source import class_name, parameter_names
from rnnstudio.design.design import Design, Var, frozen
from rnnstudio.design.errors import StudioError
from rnnstudio.design.signals import Axis
from rnnstudio.runtime import Network
from rnnstudio.runtime.forest import Forest

PARENTS = torch.tensor([[-1, 0, 0, 1, 1], [-1, 0, 0, -9, -9], [-1, -9, -9, -9, -9], [1, -1, 1, 2, 2]])
LENGTHS = torch.tensor([5, 3, 1, 5])
WORDS = torch.tensor([[1, 2, 3, 4, 5], [0, 1, 1, 9, 9], [7, 9, 9, 9, 9], [3, 3, 0, 5, 6]])
LABELS = torch.tensor([0, 2, 1, 1])
CELLS = ("RecursiveNet", "RNTN", "ChildSumTreeLSTM", "BinaryTreeLSTM", "TernaryTreeLSTM")


def tree_net(cell: str, *, every_node: bool = False) -> Design:
    """Words at the nodes of a tree, a label for the tree (or one for each node)."""
    s = Sketch()
    s.add("word", "TokenInput", at=(0, 0), params={"size": 11, "field": "word", "axis": "tree"})
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 5}, input="word")
    s.add("net", "cell", at=(2, 0), params={"cell": cell, "units": Var("hidden")}, x="embedding")
    end = "net.h" if every_node else s.add("root", "Root", at=(3, 0), input="net.h")
    s.add("readout", "Linear", at=(4, 0), params={"units": 3}, input=end)
    axis = "tree" if every_node else ""
    s.add("label", "TokenTarget", at=(4, 1), params={"size": 3, "field": "label", "axis": axis})
    s.add("loss", "CrossEntropy", at=(5, 0), prediction="readout", target="label")
    return Design(
        graph=s.graph(),
        variables=frozen({"hidden": 6}),
        cells=frozen(standard().definitions_for(cell)),
        axes=frozen({"tree": Axis("tree", "tree")}),
    )


def network_of(design: Design) -> Network:
    network = Network(compile_design(design, standard())).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for _, weight in sorted(network.weights.items()):
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) * 0.5)
    return network


def batch(rows: slice = slice(None), size: int = 5) -> dict[str, Tensor]:
    return {"word": WORDS[rows, :size], "label": LABELS[rows], "tree_parents": PARENTS[rows, :size]}


@pytest.mark.parametrize("cell", CELLS)
def test_a_tree_net_is_drawn_without_a_problem(cell: str) -> None:
    assert check(tree_net(cell), standard()).diagnostics == ()


@pytest.mark.parametrize("cell", CELLS)
def test_a_tree_gives_the_same_loss_and_gradient_alone_and_in_a_batch(cell: str) -> None:
    network = network_of(tree_net(cell))
    together = network.losses(batch(), {"tree": LENGTHS})
    together.total.backward()
    gradients = {p: w.grad.clone() for p, w in network.weights.items() if w.grad is not None}
    network.zero_grad()
    alone = [network.losses(batch(slice(i, i + 1), int(n))).total for i, n in enumerate(LENGTHS)]
    (sum(alone) / 4).backward()
    assert float((together.total - sum(alone) / 4).detach()) == pytest.approx(0, abs=1e-12)
    for path, weight in network.weights.items():
        torch.testing.assert_close(weight.grad, gradients[path], rtol=0, atol=1e-10)


@pytest.mark.parametrize("cell", CELLS)
def test_the_printed_source_of_a_tree_net_equals_it(cell: str) -> None:
    network = network_of(tree_net(cell))
    program = network.program
    names: dict[str, object] = {}
    exec(source(program), names)
    model = names[class_name(program)]().double()  # type: ignore[operator]
    model.load_state_dict({v: network.weights[k] for k, v in parameter_names(program).items()})
    outputs, _ = model(WORDS, PARENTS, lengths={"tree": LENGTHS})
    live = network({k: v for k, v in batch().items() if k != "label"}, {"tree": LENGTHS})
    torch.testing.assert_close(outputs, live.outputs["loss"], rtol=0, atol=1e-12)


def test_the_child_sum_tree_lstm_is_its_equation() -> None:
    network = network_of(tree_net("ChildSumTreeLSTM"))
    w = network.weights

    def linear(name: str, x: Tensor, h: Tensor) -> Tensor:
        path = f"net.W_{name}"
        return w[f"{path}.weight"] @ x + w[f"{path}.weight2"] @ h + w[f"{path}.bias"]

    def node(example: int, i: int) -> tuple[Tensor, Tensor]:
        x = w["embedding.weight"][WORDS[example, i]]
        kids = [node(example, k) for k in range(int(LENGTHS[example])) if PARENTS[example, k] == i]
        h = sum((kid[0] for kid in kids), torch.zeros(6, dtype=torch.float64))
        c = torch.sigmoid(linear("i", x, h)) * torch.tanh(linear("g", x, h))
        for kid_h, kid_c in kids:
            c = c + torch.sigmoid(linear("f", x, kid_h)) * kid_c
        return torch.sigmoid(linear("o", x, h)) * torch.tanh(c), c

    logits = network(batch(), {"tree": LENGTHS}).outputs["loss"]
    for example in range(4):
        root = int((PARENTS[example, : LENGTHS[example]] == -1).nonzero()[0])
        wanted = w["readout.weight"] @ node(example, root)[0] + w["readout.bias"]
        torch.testing.assert_close(logits[example], wanted, rtol=0, atol=1e-12)


def test_gradients_of_a_tree_loop_equal_finite_differences() -> None:
    network = network_of(tree_net("BinaryTreeLSTM"))
    paths = list(network.weights)

    def loss(*weights: Tensor) -> Tensor:
        for path, weight in zip(paths, weights, strict=True):
            setattr(network, network._attributes[path], weight)
        return network.losses(batch(), {"tree": LENGTHS}).total

    weights = [w.detach().clone().requires_grad_() for w in network.weights.values()]
    network._parameters.clear()
    assert torch.autograd.gradcheck(loss, weights, eps=1e-6, atol=1e-7, fast_mode=True)


def test_every_node_can_have_a_label() -> None:
    network = network_of(tree_net("RecursiveNet", every_node=True))
    labels = torch.zeros(4, 5, dtype=torch.int64)
    fields = {**batch(), "label": labels}
    losses = network.losses(fields, {"tree": LENGTHS})
    assert losses.places == 14
    logits = network(fields, {"tree": LENGTHS}).outputs["loss"]
    own = torch.cat([logits[i, :n] for i, n in enumerate(LENGTHS)])
    wanted = torch.nn.functional.cross_entropy(own, torch.zeros(14, dtype=torch.int64))
    assert float(losses.total.detach()) == pytest.approx(float(wanted.detach()), abs=1e-12)


def test_children_outside_of_a_loop_give_what_lies_below() -> None:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"size": 2, "field": "x", "axis": "tree"})
    s.add("below", "Children", at=(1, 0), input="x")
    s.add("each", "Children", at=(1, 1), params={"how": "each"}, input="x")
    s.add("largest", "Max", at=(2, 1), input="each")
    s.add("out", "Output", at=(2, 0), input="below")
    s.add("most", "Output", at=(3, 1), input="largest")
    design = Design(graph=s.graph(), axes=frozen({"tree": Axis("tree", "tree")}))
    network = Network(compile_design(design, standard()))
    x = torch.tensor([[[1.0, 0], [2, 5], [3, 1]]])
    found = network({"x": x, "tree_parents": torch.tensor([[-1, 0, 0]])}).outputs
    assert found["out"].tolist() == [[[5, 6], [0, 0], [0, 0]]]
    assert found["most"].tolist() == [[[3, 5], [0, 0], [0, 0]]]


@pytest.mark.parametrize("lowering", ["reference", "machine code", "torch function"])
def test_the_largest_of_children_that_are_all_minus_infinity_is_minus_infinity(lowering: str) -> None:
    """A leaf has none, and gives zero."""
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"size": 2, "field": "x", "axis": "tree"})
    s.add("each", "Children", at=(1, 0), params={"how": "each", "axis": "tree", "width": 2}, input="both")
    s.add("largest", "Max", at=(2, 0), input="each")
    s.add("both", "Add", at=(3, 0), a="x", b=s.add("none", "Scale", at=(3, 1), params={"scale": 0.0}, input="tame"))
    s.add("tame", "Sigmoid", at=(3, 2), input="largest")
    s.add("most", "Output", at=(5, 0), input="largest")
    design = Design(graph=s.graph(), axes=frozen({"tree": Axis("tree", "tree")}))
    program = compile_design(design, standard())
    network = Network(program, reference=lowering == "reference")
    network.set_lowering_choices({scan.name: lowering for scan in program.scans()})
    fields = {
        "x": torch.tensor([[[1.0, 1], [-math.inf, 0], [-math.inf, -math.inf]]]),
        "tree_parents": torch.tensor([[-1, 0, 0]]),
    }
    assert network(fields).outputs["most"].tolist() == [[[-math.inf, 0], [0, 0], [0, 0]]]
    assert set(network.loops.served.values()) == ({lowering} if lowering != "reference" else set())
    printed: dict[str, type[torch.nn.Module]] = {}
    exec(source(program), printed)
    result, *_ = printed[class_name(program)]()(fields["x"], fields["tree_parents"])
    assert result.tolist() == [[[-math.inf, 0], [0, 0], [0, 0]]]


def test_a_tree_with_a_circle_or_two_roots_is_refused_with_its_place() -> None:
    with pytest.raises(StudioError, match="own ancestor"):
        Forest(torch.tensor([[1, 0]]), None)
    with pytest.raises(StudioError, match="example 1"):
        Forest(torch.tensor([[-1, 0], [-1, -1]]), None)
    with pytest.raises(StudioError, match="parent 7"):
        Forest(torch.tensor([[-1, 7]]), None)


def test_a_tree_net_learns_which_of_two_trees_it_reads() -> None:
    """The same three words, the operator over the left or the right pair: only the tree tells them apart."""
    network = Network(compile_design(tree_net("BinaryTreeLSTM"), standard()), seed=1)
    fields = {
        "word": torch.tensor([[0, 0, 1, 2, 3], [0, 1, 0, 2, 3]]),
        "label": torch.tensor([0, 1]),
        "tree_parents": torch.tensor([[-1, 0, 0, 1, 1], [-1, 0, 0, 2, 2]]),
    }
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        loss = network.losses(fields).total
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.05
