"""Gradients of pre-activations take the place of what is kept for the way back, where nothing reads it any more."""

from __future__ import annotations

import random

import pytest
import torch

from rnnstudio.runtime.fused.in_place import in_place
from rnnstudio.runtime.fused.loops import MACHINE
from rnnstudio.runtime.fused.tree_in_place import tree_in_place

from .cells import CELLS, batch, network, program
from .test_against_reference import force
from .test_tree_bounds import plan_of
from .test_trees import batch as tree_batch
from .tree_cells import DRAWN, random_trees, tree_program


@pytest.mark.parametrize(
    ("name", "shared"), [("lstm", True), ("gru", True), ("normalised", True), ("gate of width one", False)]
)
def test_who_may_share_memory(name: str, shared: bool) -> None:
    net = network(program(CELLS[name], 17), torch.float32)
    (scan,) = net.program.scans()
    fused = net.loops.fused(scan, ragged=False, training=True)
    assert not isinstance(fused, str)
    assert in_place(fused.plan) == shared


@pytest.mark.parametrize(("name", "shared"), [("binary", True), ("child-sum", True), ("rntn", True), ("reset", False)])
def test_which_trees_may(name: str, shared: bool) -> None:
    assert tree_in_place(plan_of(tree_program(DRAWN[name], 17))) == shared


@pytest.mark.parametrize("tree", ["", "binary"])
def test_a_kept_graph_gives_the_same_gradients_twice(tree: str) -> None:
    made = tree_program(DRAWN[tree], 17) if tree else program(CELLS["lstm"], 17)
    net = force(network(made, torch.float32), MACHINE)
    fields = batch(3, 2, 4, 5, torch.float32)
    if tree:
        fields = tree_batch(random_trees(3, 5, 9, 2, random.Random(0)), torch.float32)
    loss = net.losses(fields, None, None).total
    weights = list(net.weights.values())
    first = torch.autograd.grad(loss, weights, retain_graph=True)
    second = torch.autograd.grad(loss, weights)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert any(bool(g.any()) for g in first)
