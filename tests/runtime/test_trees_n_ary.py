"""Nets over trees with N ordered children, each against its equation written by hand as a recursion in plain torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import compile_design
from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetAxis
from rnnstudio.design.errors import StudioError
from rnnstudio.design.signals import Axis
from rnnstudio.runtime import Network
from tests.conformance.running import printed

WIDTH, UNITS, EXAMPLES = 3, 4, 3
SIDES = {1: ["only"], 2: ["left", "right"], 3: ["first", "second", "third"]}
Weights = dict[str, Tensor]
Node = Callable[[Weights, Tensor, list[tuple[Tensor, ...]]], tuple[Tensor, ...]]
"""The state of a tree's node from the weights, its input and the states of its children, absent ones zero."""


def drawn(cell: str, children: int) -> Design:
    design = rnnstudio.new("tree")
    x = design.add("FeatureInput", "x", size=WIDTH, axis="tree", field="x")
    net = design.add(cell, "net", children=children, units=UNITS, x=x)
    design.add("Output", "y", input=f"{net}.h")
    return SetAxis(Axis("tree", "tree")).apply(design.design)


def linear(w: Weights, name: str, x: Tensor, h: list[Tensor]) -> Tensor:
    """W x + Σ_k U_k h_k + b."""
    total = w[f"net.{name}.weight"] @ x + w[f"net.{name}.bias"]
    for k, state in enumerate(h):
        total = total + w[f"net.{name}.weight{k + 2}"] @ state
    return total


def tree_lstm(w: Weights, x: Tensor, children: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Tai et al. 2015, equations 9 to 14."""
    h = [child[0] for child in children]
    i = torch.sigmoid(linear(w, "W_i", x, h))
    o = torch.sigmoid(linear(w, "W_o", x, h))
    c = i * torch.tanh(linear(w, "W_g", x, h))
    names = SIDES.get(len(children)) or [f"child{k + 1}" for k in range(len(children))]
    for name, child in zip(names, children, strict=True):
        c = c + torch.sigmoid(linear(w, f"W_f_{name}", x, h)) * child[1]
    return o * torch.tanh(c), c


def recursive_net(w: Weights, x: Tensor, children: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    h = torch.tanh(linear(w, "total", x, [child[0] for child in children]))
    return h, h


def rntn(w: Weights, x: Tensor, children: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    p = torch.cat([child[0] for child in children])
    h = torch.tanh(torch.einsum("i,kij,j->k", p, w["net.tensor.weight"], p) + linear(w, "total", x, [p]))
    return h, h


EQUATIONS: dict[str, Node] = {"NaryTreeLSTM": tree_lstm, "RecursiveNet": recursive_net, "RNTN": rntn}


def trees(children: int) -> Tensor:
    """Parents [example, node]: a chain, a node with all its children, and children in the slots of two levels."""
    size = 2 * children + 2
    chain = [-1, *range(size - 1)]
    star = [-1, *[0] * children, *[1] * (size - 1 - children)][:size]
    star = [p if p != 1 or i - children <= children else 2 for i, p in enumerate(star)]
    deep = [-1, 0, *[1] * children, *[2] * (size - 2 - children)][:size]
    return torch.tensor([chain, star, deep])


def by_hand(node: Node, w: Weights, x: Tensor, parents: list[int], children: int) -> Tensor:
    """The hidden state of every node of one tree."""
    zero = torch.zeros(UNITS, dtype=torch.float64)
    states: dict[int, tuple[Tensor, ...]] = {}

    def state(n: int) -> tuple[Tensor, ...]:
        if n not in states:
            below = [state(k) for k, parent in enumerate(parents) if parent == n]
            assert len(below) <= children
            states[n] = node(w, x[n], below + [(zero, zero)] * (children - len(below)))
        return states[n]

    return torch.stack([state(n)[0] for n in range(len(parents))])


@pytest.mark.parametrize("cell", EQUATIONS)
@pytest.mark.parametrize("children", [1, 2, 3, 5])
def test_values_and_gradients_are_those_of_the_equation(cell: str, children: int) -> None:
    network = Network(compile_design(drawn(cell, children), standard())).double()
    generator = torch.Generator().manual_seed(children)
    with torch.no_grad():
        for _, weight in sorted(network.weights.items()):
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) * 0.5)
    parents = trees(children)
    shape = (EXAMPLES, parents.shape[1], WIDTH)
    x = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    towards = torch.randn((*shape[:2], UNITS), generator=generator, dtype=torch.float64)
    names = [*network.weights, "x"]

    found = network({"x": x, "tree_parents": parents}).outputs["y"]
    found_gradients = torch.autograd.grad((found * towards).sum(), [*network.weights.values(), x])

    weights = {path: weight.detach().clone().requires_grad_() for path, weight in network.weights.items()}
    wanted = torch.stack(
        [by_hand(EQUATIONS[cell], weights, x[i], parents[i].tolist(), children) for i in range(EXAMPLES)]
    )
    gradients = torch.autograd.grad((wanted * towards).sum(), [*weights.values(), x])

    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9)
    for name, one, other in zip(names, found_gradients, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9, msg=name)
        assert float(other.abs().max()) > 0, f"{name} is not tried by these trees"


@pytest.mark.parametrize("children", [1, 2, 3, 5])
def test_a_tree_lstm_has_all_n_by_n_forget_matrices(children: int) -> None:
    program = compile_design(drawn("NaryTreeLSTM", children), standard())
    forget = [p for p in program.parameters if "W_f" in p.path and p.shape == (UNITS, UNITS)]
    assert len(forget) == children**2
    assert len({p.path for p in forget}) == children**2


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("children", [1, 2, 3, 5])
@pytest.mark.parametrize("cell", EQUATIONS)
def test_a_child_that_the_cell_has_no_place_for_is_told(cell: str, children: int, training: bool) -> None:
    network = Network(compile_design(drawn(cell, children), standard()))
    parents = torch.full((2, children + 3), -1)
    parents[0, 1:3] = torch.tensor([0, 1])
    parents[1, 1] = 0
    parents[1, 2:] = 1  # one child more than there are places
    fields = {"x": torch.ones(2, children + 3, WIDTH), "tree_parents": parents}
    network.train(training)
    with pytest.raises(StudioError) as told:
        network(fields, {"tree": torch.tensor([3, children + 3])})
    assert f"Node 1 of the tree “tree” has {children + 1} children but “net" in str(told.value)
    assert f"reads {children} of a node (example 1 of the batch)" in str(told.value)
    network(fields, {"tree": torch.tensor([3, children + 2])})  # the last one is padding


def test_what_reads_all_children_beside_its_first_takes_any_number() -> None:
    design = rnnstudio.new("tree")
    x = design.add("FeatureInput", "x", size=WIDTH, axis="tree", field="x")
    first = design.add("Children", "first", how="slot", axis="tree", width=UNITS)
    total = design.add("Children", "total", axis="tree", width=UNITS)
    state = design.add("Linear", "state", units=UNITS, terms=3, input=x, input2=first, input3=total)
    design.connect(state, f"{first}.input")
    design.connect(state, f"{total}.input")
    design.add("Output", "y", input=state)
    network = Network(compile_design(SetAxis(Axis("tree", "tree")).apply(design.design), standard()))
    network({"x": torch.ones(1, 4, WIDTH), "tree_parents": torch.tensor([[-1, 0, 0, 0]])})


def test_the_printed_source_tells_it_too() -> None:
    network = Network(compile_design(drawn("NaryTreeLSTM", 2), standard()))
    module = printed(network.program, {path: weight.double() for path, weight in network.weights.items()})
    with pytest.raises(ValueError, match=r"a node has 3 children but net.* reads 2 of a node"):
        module(torch.ones(1, 4, WIDTH, dtype=torch.float64), torch.tensor([[-1, 0, 0, 0]]))
