"""Gradients of pre-activations take the place of what is kept for the way back, where nothing reads it any more."""

from __future__ import annotations

import pytest
import torch

from rnnstudio.runtime.fused.in_place import in_place
from rnnstudio.runtime.fused.loops import MACHINE

from .cells import CELLS, batch, network, program
from .test_against_reference import force


@pytest.mark.parametrize(
    ("name", "shared"), [("lstm", True), ("gru", True), ("normalised", True), ("gate of width one", False)]
)
def test_who_may_share_memory(name: str, shared: bool) -> None:
    net = network(program(CELLS[name], 17), torch.float32)
    (scan,) = net.program.scans()
    fused = net.loops.fused(scan, ragged=False, training=True)
    assert not isinstance(fused, str)
    assert in_place(fused.plan) == shared


def test_a_kept_graph_gives_the_same_gradients_twice() -> None:
    net = force(network(program(CELLS["lstm"], 17), torch.float32), MACHINE)
    loss = net.losses(batch(3, 2, 4, 5, torch.float32), None, None).total
    weights = list(net.weights.values())
    first = torch.autograd.grad(loss, weights, retain_graph=True)
    second = torch.autograd.grad(loss, weights)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert any(bool(g.any()) for g in first)
