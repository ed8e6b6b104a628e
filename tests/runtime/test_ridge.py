"""Readouts in closed form: against numpy, against gradient descent, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import compile_design
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.errors import StudioError
from rnnstudio.runtime import Network
from rnnstudio.runtime.ridge import Sums, readouts, rows_of, width_of, write

UNITS, WIDTH, TARGETS = 12, 3, 2
LENGTHS = {"time": torch.tensor([20, 7, 13])}


def drawn(s: Sketch, *cells: str) -> Design:
    return Design(graph=s.graph(), cells=frozen({cell: standard().cells[cell] for cell in cells}))


def reservoir(s: Sketch, cell: str = "EchoState") -> None:
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": WIDTH})
    s.add("echo", "cell", at=(1, 0), params={"cell": cell, "units": UNITS, "density": 0.5}, x="x")
    s.add("truth", "FeatureTarget", at=(3, 1), params={"field": "y", "size": TARGETS})


def echo_state(*, bias: bool = True) -> Design:
    """The readout reads the reservoir and the input, as in Jaeger's."""
    s = Sketch()
    reservoir(s)
    params = {"units": TARGETS, "terms": 2, "bias": bias}
    s.add("readout", "Linear", at=(2, 0), params=params, input="echo.h", input2="x")
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="truth")
    return drawn(s, "EchoState")


def network_of(design: Design) -> Network:
    return Network(compile_design(design, standard()), seed=2).double()


def fields() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(3, 20, WIDTH, generator=generator, dtype=torch.float64)
    return {"x": x, "y": torch.randn(3, 20, TARGETS, generator=generator, dtype=torch.float64) + 0.5}


def solve(network: Network, penalty: float, washout: int = 0) -> Tensor:
    """Solve every readout from one batch; the last solution."""
    solution = torch.zeros(0)
    for readout in readouts(network.program):
        values = network.losses(fields(), LENGTHS, also=readout.values).values
        sums = Sums(*width_of(readout, network.weights))
        sums.add(*rows_of(readout, network.program, values, LENGTHS, washout))
        solution = sums.solve(penalty, bias=bool(readout.biases))
        write(readout, solution, network.weights)
    return solution


def by_numpy(network: Network, penalty: float, washout: int, *, bias: bool) -> np.ndarray:
    """(HᵀH + λI)⁻¹ HᵀY from the reservoir's states at each example's own steps."""
    states = network.losses(fields(), LENGTHS, also=("echo.state",)).values["echo.state"].movedim(1, 0).detach()
    rows, targets = [], []
    for i, n in enumerate(LENGTHS["time"].tolist()):
        own = [states[i, washout:n], fields()["x"][i, washout:n], *([torch.ones(n - washout, 1)] if bias else [])]
        rows.append(torch.cat(own, 1).numpy())
        targets.append(fields()["y"][i, washout:n].numpy())
    h, y = np.concatenate(rows), np.concatenate(targets)
    penalties = np.diag([penalty] * (UNITS + WIDTH) + [0.0] * bias)
    solution: np.ndarray = np.linalg.solve(h.T @ h + penalties, h.T @ y)
    return solution


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("penalty", "washout"), [(1e-3, 0), (2.0, 0), (0.1, 4)])
def test_a_readout_is_the_closed_form_of_numpy(penalty: float, washout: int, bias: bool) -> None:
    network = network_of(echo_state(bias=bias))
    wanted = by_numpy(network, penalty, washout, bias=bias)
    np.testing.assert_allclose(solve(network, penalty, washout).numpy(), wanted, rtol=0, atol=1e-9)
    weights = network.weights
    both = torch.cat([weights["readout.weight"], weights["readout.weight2"]], 1).detach()
    np.testing.assert_allclose(both.numpy(), wanted[: UNITS + WIDTH].T, rtol=0, atol=1e-9)
    if bias:
        np.testing.assert_allclose(weights["readout.bias"].detach().numpy(), wanted[-1], rtol=0, atol=1e-9)


def test_gradient_descent_ends_where_the_closed_form_is() -> None:
    network, other = network_of(echo_state()), network_of(echo_state())
    penalty, places = 0.5, int(LENGTHS["time"].sum())
    solve(network, penalty)
    optimiser = torch.optim.LBFGS(other.parameters(), max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16)
    matrices = [other.weights["readout.weight"], other.weights["readout.weight2"]]

    def loss() -> Tensor:
        optimiser.zero_grad()
        squares = other.losses(fields(), LENGTHS).total * places * TARGETS
        total = squares + penalty * sum(matrix.square().sum() for matrix in matrices)
        total.backward()
        return total

    for _ in range(5):
        optimiser.step(loss)
    for path, weight in network.weights.items():
        torch.testing.assert_close(other.weights[path], weight, rtol=0, atol=1e-6)


def test_the_error_of_what_was_read_is_the_networks_own_loss() -> None:
    network = network_of(echo_state())
    (readout,) = readouts(network.program)
    values = network.losses(fields(), LENGTHS, also=readout.values).values
    sums = Sums(*width_of(readout, network.weights))
    sums.add(*rows_of(readout, network.program, values, LENGTHS))
    solution = sums.solve(0.1, bias=True)
    write(readout, solution, network.weights)
    own = network.losses(fields(), LENGTHS).total
    error = sums.squared_error(solution) / sums.rows / TARGETS
    assert float(error) == pytest.approx(float(own.detach()), abs=1e-12)


def test_columns_that_depend_on_each_other_have_the_smallest_answer() -> None:
    sums = Sums(3, 1)
    column = torch.tensor([[1.0], [2.0], [-1.0]], dtype=torch.float64)
    sums.add(torch.cat([column, column, column * 0], 1), column * 4)
    torch.testing.assert_close(sums.solve(0.0, bias=False)[:, 0], torch.tensor([2.0, 2, 0], dtype=torch.float64))


def test_what_goes_around_the_readout_is_taken_off_the_target() -> None:
    """y = W h + b + x's first columns: only the rest is left to learn."""
    s = Sketch()
    reservoir(s)
    s.add("readout", "Linear", at=(2, 0), params={"units": TARGETS}, input="echo.h")
    s.add("some", "Slice", at=(2, 1), params={"start": 0, "stop": TARGETS}, input="x")
    s.add("sum", "Add", at=(3, 0), a="readout", b="some")
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="sum", target="truth")
    network = network_of(drawn(s, "EchoState"))
    solve(network, 1e-2)
    states = network.losses(fields(), LENGTHS, also=("echo.state",)).values["echo.state"].movedim(1, 0).detach()
    own = [slice(0, n) for n in LENGTHS["time"].tolist()]
    h = torch.cat([torch.cat([states[i, n], torch.ones(n.stop, 1)], 1) for i, n in enumerate(own)]).numpy()
    y = torch.cat([(fields()["y"] - fields()["x"][..., :TARGETS])[i, n] for i, n in enumerate(own)]).numpy()
    wanted = np.linalg.solve(h.T @ h + np.diag([1e-2] * UNITS + [0]), h.T @ y)
    np.testing.assert_allclose(network.weights["readout.weight"].detach().numpy(), wanted[:-1].T, rtol=0, atol=1e-9)


def test_two_readouts_of_one_reservoir_are_solved_each_by_itself() -> None:
    """Both are one joined product in the program."""
    s = Sketch()
    reservoir(s)
    for i, name in enumerate(("one", "two")):
        s.add(name, "Linear", at=(2, i), params={"units": TARGETS}, input="echo.h")
        s.add(f"loss_{name}", "MeanSquaredError", at=(4, i), prediction=name, target="truth")
    network = network_of(drawn(s, "EchoState"))
    solve(network, 0.1)
    torch.testing.assert_close(network.weights["one.weight"], network.weights["two.weight"], rtol=0, atol=1e-12)


def test_a_readout_of_the_last_state_has_one_row_an_example() -> None:
    s = Sketch()
    reservoir(s)
    s.add("last", "Last", at=(2, 0), input="echo.h")
    s.add("readout", "Linear", at=(3, 0), params={"units": TARGETS}, input="last")
    s.add("amount", "FeatureTarget", at=(3, 2), params={"field": "amount", "axis": "", "size": TARGETS})
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="amount")
    network = network_of(drawn(s, "EchoState"))
    (readout,) = readouts(network.program)
    amounts = {**fields(), "amount": fields()["y"][:, 0]}
    values = network.losses(amounts, LENGTHS, also=readout.values).values
    inputs, targets = rows_of(readout, network.program, values, LENGTHS)
    assert inputs.shape == (3, UNITS + 1)
    torch.testing.assert_close(targets, amounts["amount"])


def test_what_is_trained_besides_is_named() -> None:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": WIDTH})
    s.add("rec", "cell", at=(1, 0), params={"cell": "RNN", "units": 4}, x="x")
    s.add("readout", "Linear", at=(2, 0), params={"units": TARGETS}, input="rec.h")
    s.add("truth", "FeatureTarget", at=(3, 1), params={"field": "y", "size": TARGETS})
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="truth")
    with pytest.raises(StudioError, match=r"not frozen: rec\.total\.bias, rec\.total\.weight, rec\.total\.weight2"):
        readouts(compile_design(drawn(s, "RNN"), standard()))


def test_parameters_beside_the_readout_are_named() -> None:
    s = Sketch()
    reservoir(s)
    s.add("readout", "Linear", at=(2, 0), params={"units": TARGETS}, input="echo.h")
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="truth")
    s.add("other", "Linear", at=(2, 2), params={"units": 1}, input="echo.h")
    s.add("shown", "Output", at=(3, 2), input="other")
    with pytest.raises(StudioError, match=r"but not frozen: other\.bias, other\.weight"):
        readouts(compile_design(drawn(s, "EchoState"), standard()))


def test_a_readout_of_a_readout_is_refused() -> None:
    s = Sketch()
    reservoir(s)
    for i, (name, source) in enumerate((("one", "echo.h"), ("two", "one"))):
        s.add(name, "Linear", at=(2, i), params={"units": TARGETS}, input=source)
        s.add(f"loss_{name}", "MeanSquaredError", at=(4, i), prediction=name, target="truth")
    with pytest.raises(StudioError, match="what another readout makes"):
        readouts(compile_design(drawn(s, "EchoState"), standard()))


@pytest.mark.parametrize(
    ("loss", "squash", "what"), [("MeanAbsoluteError", "", "squared errors"), ("MeanSquaredError", "Tanh", "linear")]
)
def test_what_has_no_closed_form_is_refused(loss: str, squash: str, what: str) -> None:
    s = Sketch()
    reservoir(s)
    end = s.add("readout", "Linear", at=(2, 0), params={"units": TARGETS}, input="echo.h")
    if squash:
        end = s.add("squash", squash, at=(3, 0), input=end)
    s.add("loss", loss, at=(4, 0), prediction=end, target="truth")
    with pytest.raises(StudioError, match=what):
        readouts(compile_design(drawn(s, "EchoState"), standard()))


def test_a_readout_inside_a_loop_is_refused_and_one_that_is_forced_is_not() -> None:
    def fed_back(probability: float) -> Design:
        s = Sketch()
        reservoir(s, "EchoStateFeedback")
        s.add("back", "Feedback", at=(0, 1), params={"probability": probability}, prediction="readout", target="truth")
        s.wire("back", "echo.y")
        s.add("readout", "Linear", at=(2, 0), params={"units": TARGETS}, input="echo.h")
        s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="truth")
        return drawn(s, "EchoStateFeedback")

    assert len(readouts(compile_design(fed_back(1.0), standard()))) == 1
    with pytest.raises(StudioError, match="part of a loop"):
        readouts(compile_design(fed_back(0.5), standard()))
