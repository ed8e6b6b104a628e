"""Every fused lowering gives what the reference loop gives: outputs, final states and all gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnstudio.compiler.program import Program, Scan
from rnnstudio.runtime.fused.cuda_choice import ON_GPU
from rnnstudio.runtime.fused.loops import MACHINE, TORCH
from rnnstudio.runtime.network import Network

from .cells import CELLS, batch, lengths, network, program

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
LOWERINGS = (MACHINE, TORCH)


def force(net: Network, lowering: str) -> Network:
    net.loops.experimental_gpu = lowering in ON_GPU
    net.set_lowering_choices({scan.name: lowering for scan in net.program.scans()})
    return net


def run(net: Network, fields: dict[str, Tensor], own: dict[str, Tensor] | None, state: dict[str, Tensor] | None):
    """Outputs at valid places, loss, gradients by path, final states."""
    fields = {**fields, "inputs": fields["inputs"].clone().requires_grad_()}
    found = net.losses(fields, own, state)
    found.total.backward()
    grads = {path: w.grad for path, w in net.weights.items()}
    (prediction,) = found.predictions.values()
    if own is not None:
        mask = torch.arange(prediction.shape[1])[None, :] < own["time"][:, None]
        prediction = prediction * mask[:, :, None]
    return {"prediction": prediction, "loss": found.total.detach(), "dx": fields["inputs"].grad, **grads}, found.state


def same(a: dict[str, Tensor], b: dict[str, Tensor], tolerance: float) -> None:
    assert set(a) == set(b)
    for name, x in a.items():
        y = b[name]
        if y is None or x is None:  # autograd leaves out what a loss does not depend on
            assert x is None or not x.any(), name
            assert y is None or not y.any(), name
            continue
        scale = max(float(y.abs().max()), 1e-3)
        assert float((x.double() - y.double()).abs().max()) <= tolerance * scale, name


def compare(
    made: Program,
    lowering: str,
    dtype: torch.dtype,
    size: int,
    steps: int,
    *,
    ragged: bool = False,
    state: dict[str, Tensor] | None = None,
    inputs: int = 3,
) -> Network:
    fields = batch(inputs, 2, size, steps, dtype)
    own = lengths(size, steps) if ragged else None
    expected, last = run(network(made, dtype, reference=True), fields, own, state)
    net = force(network(made, dtype), lowering)
    found, ended = run(net, fields, own, state)
    same(found, expected, TOLERANCE[dtype])
    same(ended, last, TOLERANCE[dtype])
    assert all(net.loops.served[scan.name] == lowering for scan in made.regions if isinstance(scan, Scan))
    return net


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", CELLS)
def test_values_and_gradients_are_the_references(name: str, lowering: str) -> None:
    compare(program(CELLS[name], 7), lowering, torch.float64, 4, 6)
    compare(program(CELLS[name], 7), lowering, torch.float32, 4, 6)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", CELLS)
def test_examples_of_different_lengths(name: str, lowering: str) -> None:
    compare(program(CELLS[name], 5), lowering, torch.float64, 5, 7, ragged=True)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize(("size", "steps"), [(1, 1), (1, 9), (13, 1), (37, 3)])
def test_one_step_and_one_example(size: int, steps: int, lowering: str) -> None:
    for name in ("lstm", "reset before", "two lags"):
        compare(program(CELLS[name], 6), lowering, torch.float64, size, steps)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", ["lstm", "invented", "lstm, delay 2", "two lags"])
def test_a_carried_state_goes_on(name: str, lowering: str) -> None:
    made = program(CELLS[name], 6)
    first = network(made, torch.float64, reference=True).losses(batch(3, 2, 4, 5, torch.float64))
    compare(made, lowering, torch.float64, 4, 6, state=first.state)
