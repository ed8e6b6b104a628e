"""A look shows what the network computes, and the gradients of its loss: against plain torch and finite differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.design import Design
from rnnstudio.design.errors import StudioError
from rnnstudio.runtime import Network
from rnnstudio.runtime.looking import Asked, Hold, Look, look
from tests.conformance.drawings import backward, bidirectional, many_to_one, recurrent, stacked, with_params
from tests.conformance.running import batch_of, network_of, program_of
from tests.runtime.test_trees import batch as tree_batch
from tests.runtime.test_trees import network_of as tree_network
from tests.runtime.test_trees import tree_net

CELLS = standard().cells

CHAINS: dict[str, Callable[[], Design]] = {
    **{name: (lambda name=name: recurrent(name)) for name in ("RNN", "LSTM", "GRU", "PeepholeLSTM", "Leaky")},
    "two steps back": lambda: recurrent(with_params(CELLS["RNN"], "Delay", "Rnn2", k=2)),
    "reversed": lambda: recurrent(backward(CELLS["LSTM"])),
    "stacked": stacked,
    "bidirectional": bidirectional,
    "many to one": many_to_one,
}
TREES = ("RecursiveNet", "RNTN", "ChildSumTreeLSTM", "BinaryTreeLSTM")


def chain(name: str) -> tuple[Network, dict[str, Tensor], dict[str, Tensor]]:
    network = network_of(program_of(CHAINS[name]()))
    return network, batch_of(network.program), {"time": torch.tensor([5, 6, 2])}


def tree(cell: str) -> tuple[Network, dict[str, Tensor], dict[str, Tensor]]:
    network = tree_network(tree_net(cell))
    return network, tree_batch(), {"tree": torch.tensor([5, 3, 1, 5])}


def drawn(name: str) -> tuple[Network, dict[str, Tensor], dict[str, Tensor]]:
    return tree(name) if name in TREES else chain(name)


def test_an_lstm_is_torchs_value_for_value_and_gradient_for_gradient() -> None:
    network, fields, lengths = chain("LSTM")
    seen = look(network, fields, lengths)
    weights = {path: w.detach().clone().requires_grad_() for path, w in network.weights.items()}
    x = fields[next(item.field for item in network.program.inputs if not item.target)][0, :5]
    truth = fields[next(item.field for item in network.program.inputs if item.target)][0, :5]
    (cell,) = {path.split(".")[0] for path in weights if ".W_f." in path}

    def gate(name: str, x: Tensor, h: Tensor) -> Tensor:
        w = {part: weights[f"{cell}.W_{name}.{part}"] for part in ("weight", "weight2", "bias")}
        return x @ w["weight"].T + h @ w["weight2"].T + w["bias"]

    h = torch.zeros(weights[f"{cell}.W_f.weight2"].shape[1], dtype=torch.float64)
    c = h
    made: dict[str, list[Tensor]] = {name: [] for name in ("f", "i", "g", "o", "memory", "state")}
    for step in x:
        f, i, o = (torch.sigmoid(gate(name, step, h)) for name in "fio")
        g = torch.tanh(gate("g", step, h))
        c = f * c + i * g
        h = o * torch.tanh(c)
        for name, value in zip(made, (f, i, g, o, c, h), strict=True):
            value.retain_grad()
            made[name].append(value)
    (readout,) = (path.removesuffix(".weight") for path in weights if path.count(".") == 1 and path.endswith(".weight"))
    scores = torch.stack(made["state"]) @ weights[f"{readout}.weight"].T + weights[f"{readout}.bias"]
    loss = torch.nn.functional.mse_loss(scores, truth)
    loss.backward()
    assert seen.loss == pytest.approx(float(loss), rel=1e-12)
    for name, steps in made.items():
        path = f"{cell}.{name}"
        torch.testing.assert_close(seen.values[path], torch.stack(steps).detach(), rtol=1e-12, atol=1e-14)
        total = torch.stack([step.grad for step in steps if step.grad is not None])
        torch.testing.assert_close(seen.total[path], total, rtol=1e-10, atol=1e-14)
        assert seen.axes[path] == ("time",)
    assert set(seen.gates) == {f"{cell}.{name}" for name in "fio"}
    before = torch.cat([torch.zeros_like(h)[None], torch.stack(made["state"])[:-1]]).detach()
    torch.testing.assert_close(seen.values[f"{cell}.h_before"], before, rtol=1e-12, atol=1e-14)


def moved(run: Callable[..., Look], path: str, at: Mapping[str, int], value: float) -> float:
    """∂L/∂value by central differences."""
    step = 1e-5
    up = run(holds=[Hold(path, value + step, **at)], gradients=False).loss
    down = run(holds=[Hold(path, value - step, **at)], gradients=False).loss
    return (up - down) / (2 * step)


@pytest.mark.parametrize("name", [*CHAINS, *TREES])
def test_the_total_is_how_the_loss_moves_when_a_value_is_moved(name: str) -> None:
    network, fields, lengths = drawn(name)

    def run(**how: object) -> Look:
        return look(network, fields, lengths, **how)  # type: ignore[arg-type]

    seen = run()
    assert seen.total
    inputs = {item.name for item in network.program.inputs}
    checked = 0
    for path, total in seen.total.items():
        if path in inputs or not seen.axes[path]:
            continue
        for step in {0, total.shape[0] // 2, total.shape[0] - 1}:
            at = {"step": step, "unit": total.shape[-1] - 1}
            value = float(seen.values[path][step][..., -1].reshape(-1)[0])
            if seen.values[path][step].dim() > 1:
                continue
            wanted = float(total[step][-1])
            assert moved(run, path, at, value) == pytest.approx(wanted, rel=1e-5, abs=1e-9), (path, step)
            checked += 1
    assert checked > 5


@pytest.mark.parametrize("name", [*CHAINS, *TREES])
def test_what_is_direct_is_the_total_at_the_last_step_and_less_before(name: str) -> None:
    network, fields, lengths = drawn(name)
    seen = look(network, fields, lengths)
    states = {scan.states[0].source for scan in network.program.scans() if scan.states}
    assert states
    for path in states & seen.total.keys():
        forward = all(scan.forward for scan in network.program.scans())
        if name in TREES or not forward or path not in seen.direct:
            continue
        torch.testing.assert_close(seen.direct[path][-1], seen.total[path][-1], rtol=1e-12, atol=1e-15)
        assert not torch.allclose(seen.direct[path][0], seen.total[path][0])


def test_a_gradient_may_be_asked_of_any_value_instead_of_the_loss() -> None:
    network, fields, lengths = chain("GRU")
    (h,) = {scan.states[0].source for scan in network.program.scans()}
    seen = look(network, fields, lengths, of=Asked(h, unit=1, step=2))
    of_h = seen.total[h]
    wanted = torch.zeros_like(of_h[2])
    wanted[1] = 1.0
    torch.testing.assert_close(of_h[2], wanted)
    assert of_h[:2].abs().sum() > 0, "it depends on steps before"
    assert of_h[3:].abs().sum() == 0, "and on none behind it"


def test_a_held_gate_changes_what_comes_after_it_and_nothing_of_the_network() -> None:
    network, fields, lengths = chain("LSTM")
    before = {path: w.clone() for path, w in network.weights.items()}
    random = torch.random.get_rng_state()
    free = look(network, fields, lengths)
    held = look(network, fields, lengths, holds=[Hold("rec.f", 0.0, step=2)])
    kept = held.values["rec.kept"]
    assert kept[2].abs().sum() == 0
    assert kept[3].abs().sum() > 0
    torch.testing.assert_close(held.values["rec.memory"][:2], free.values["rec.memory"][:2])
    assert held.loss != free.loss
    assert look(network, fields, lengths).loss == free.loss
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(w.grad is None for w in network.parameters())
    for path, w in network.weights.items():
        assert torch.equal(w, before[path])


def test_a_look_is_of_the_example_alone_whatever_stands_beside_it() -> None:
    network, fields, lengths = chain("LSTM")
    batch = look(network, fields, lengths)
    alone = look(network, {name: x[:1, :5] for name, x in fields.items()}, {"time": torch.tensor([5])})
    assert batch.loss == alone.loss
    for path, value in batch.values.items():
        assert torch.equal(value, alone.values[path]), path


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Hold("nowhere", 0.0), "no value “nowhere”"),
        (Hold("rec.f", 0.0, unit=99), "no unit 99"),
        (Hold("readout", 0.0, step=99), "no step 99"),
    ],
)
def test_what_is_not_there_is_told(asked: Hold, told: str) -> None:
    network, fields, lengths = chain("LSTM")
    with pytest.raises(StudioError, match=told):
        look(network, fields, lengths, holds=[asked])
