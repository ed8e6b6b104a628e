"""How parameters start: what each initialiser promises, and that the printed source promises the same."""

from __future__ import annotations

import math

import pytest
import torch

from rnnstudio.catalog.primitives import Init, Parameter
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import source
from rnnstudio.compiler.source import class_name, parameter_names
from rnnstudio.design.errors import StudioError
from rnnstudio.runtime import Network
from rnnstudio.runtime.initialise import initialise
from tests.conformance.catalogue import design, inputs
from tests.conformance.running import module_of, program_of


def started(name: str, *args: float, shape: tuple[int, ...] = (60, 60)) -> torch.Tensor:
    return initialise(Parameter("w", shape, Init(name, args)), seed=4)


@pytest.mark.parametrize(("radius", "density"), [(0.9, 1.0), (1.2, 0.1), (0.5, 0.3)])
def test_a_spectral_radius_is_met_at_its_density(radius: float, density: float) -> None:
    w = started("spectral_radius", radius, density)
    assert float(torch.linalg.eigvals(w.double()).abs().max()) == pytest.approx(radius, rel=1e-5)
    assert float((w != 0).float().mean()) == pytest.approx(density, abs=0.05)


def test_a_matrix_too_empty_to_scale_is_refused_in_words() -> None:
    with pytest.raises(StudioError, match="has no loop to scale"):
        started("spectral_radius", 0.9, 0.0)


def test_spaced_starts_run_from_the_first_to_the_last() -> None:
    torch.testing.assert_close(started("even", -2.0, 4.0, 3.0, shape=(3,)), torch.tensor([-2.0, 1.0, 4.0]))
    torch.testing.assert_close(started("geometric", 1.0, 100.0, 3.0, shape=(3,)), torch.tensor([1.0, 10.0, 100.0]))
    torch.testing.assert_close(started("geometric", 5.0, 7.0, 1.0, shape=(1,)), torch.tensor([5.0]))


def test_the_old_starts_keep_their_promises() -> None:
    w = started("orthogonal", 1.5)
    torch.testing.assert_close(w @ w.T, 2.25 * torch.eye(60), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(started("identity", 0.7), 0.7 * torch.eye(60))
    assert float(started("xavier", 1.0, shape=(40, 80)).abs().max()) <= math.sqrt(6 / 120)
    assert float(started("he", 1.0, shape=(400, 200)).std()) == pytest.approx(math.sqrt(2 / 200), rel=0.02)
    assert float(started("uniform", 0.3).abs().max()) <= 0.3
    assert float(started("normal", 0.3).std()) == pytest.approx(0.3, rel=0.05)


def test_a_forget_gate_starts_open() -> None:
    s = Sketch()
    inputs(s, x="time")
    s.add("rec", "cell", at=(1, 0), params={"cell": "LSTM", "units": 5}, x="x")
    network = Network(program_of(design(s, y="rec.h")))
    assert network.weights["rec.W_f.bias"].tolist() == [1.0] * 5
    assert network.weights["rec.W_i.bias"].tolist() == [0.0] * 5


def test_the_printed_class_starts_the_same_way() -> None:
    s = Sketch()
    inputs(s, x="time")
    for i, cell in enumerate(("EchoState", "LearnedLeaky", "LeakyTimes", "IRNN")):
        s.add(cell.lower(), "cell", at=(1, i), params={"cell": cell, "units": 20}, x="x")
    outputs = {f"y{i}": f"{cell}.h" for i, cell in enumerate(("echostate", "learnedleaky", "leakytimes", "irnn"))}
    program = program_of(design(s, **outputs))
    names = parameter_names(program)
    printed = getattr(module_of(source(program)), class_name(program))()
    network = Network(program)
    for path in ("learnedleaky.rate.weight", "leakytimes.times.weight", "irnn.total.weight2"):
        torch.testing.assert_close(getattr(printed, names[path]), network.weights[path], check_stride=False)
    w = getattr(printed, names["echostate.recurrent.weight"])
    assert float(torch.linalg.eigvals(w).abs().max()) == pytest.approx(0.9, rel=1e-4)
    frozen = {path for path in names if path.startswith("echostate.")}
    trained = {name for name, _ in printed.named_parameters()}
    assert not trained & {names[path] for path in frozen}
