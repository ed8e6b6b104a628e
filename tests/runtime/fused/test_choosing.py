"""How a loop comes to its lowering: contest, record, given choices; and what a contest must not disturb."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import torch

from rnnstudio.design.errors import StudioError
from rnnstudio.runtime.fused.jit import cache_folder
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE, REFERENCE, TORCH
from rnnstudio.runtime.network import Network

from .axes import batch_of, two_dimensional_lstm
from .cells import CELLS, Draw, batch, delay, network, program
from .test_against_reference import compare, force, run, same


def trained(net: Network, steps: int = 4) -> Network:
    net.losses(batch(3, 2, 4, steps, torch.float32)).total.backward()
    return net


def test_the_first_training_step_holds_the_contest_and_the_record_keeps_its_winner() -> None:
    made = program(CELLS["lstm"], 8)
    net = Network(made)
    assert "the first training step times them" in net.lowerings()[0]
    assert net.lowering_choices() == {}
    trained(net)
    (winner,) = net.lowering_choices().values()
    assert winner in (KERNEL, MACHINE)
    assert " ms" in net.lowerings()[0]
    again = trained(Network(made))
    assert again.lowering_choices() == net.lowering_choices()
    assert "chosen before" in again.lowerings()[0]


def test_a_contest_leaves_the_random_state_and_the_gradients_alone() -> None:
    made = program(CELLS["lstm"], 8)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    net = Network(made)
    trained(net)
    assert torch.equal(torch.get_rng_state(), before)
    one = {path: w.grad.clone() for path, w in net.weights.items()}
    other = force(Network(made), next(iter(net.lowering_choices().values())))
    trained(other)
    assert all(torch.equal(one[path], w.grad) for path, w in other.weights.items())


def test_given_choices_are_taken_and_come_out_again() -> None:
    made = program(CELLS["lstm"], 8)
    (name,) = (scan.name for scan in made.scans())
    for lowering in (KERNEL, MACHINE, TORCH, REFERENCE):
        net = Network(made)
        net.set_lowering_choices({name: lowering})
        trained(net)
        assert net.loops.served == {name: lowering}
        assert net.lowering_choices() == {name: lowering}


def test_an_unknown_lowering_is_refused() -> None:
    net = Network(program(CELLS["lstm"], 8))
    with pytest.raises(StudioError, match="no lowering"):
        net.set_lowering_choices({"cell": "abacus"})


def test_outside_of_training_every_process_takes_the_same_one() -> None:
    made = program(CELLS["lstm"], 8)
    (name,) = (scan.name for scan in made.scans())
    net = force(Network(made), MACHINE).eval()
    with torch.no_grad():
        net.losses(batch(3, 2, 4, 4, torch.float32))
    assert net.loops.served == {name: KERNEL}


def test_an_invented_cell_says_why_it_is_no_layer_of_torch() -> None:
    made = program(CELLS["invented"], 8)
    (scan,) = made.scans()
    (line,) = Network(made).lowerings()
    assert line.startswith(f"{scan.name}: machine code")
    assert scan.why_not in line


def test_what_cannot_be_fused_runs_on_the_reference_and_says_why() -> None:
    made = two_dimensional_lstm(3)
    net = Network(made)
    net.losses(batch_of(made, 2, {"time": 3, "source": 2}, torch.float32)).total.backward()
    outer, inner = made.scans()
    lines = dict(line.split(": ", 1) for line in net.lowerings())
    assert lines[outer.name].startswith("reference loop")
    assert "it has a loop inside" in lines[outer.name]
    assert lines[inner.name].startswith("machine code")
    assert net.loops.served == {outer.name: REFERENCE, inner.name: MACHINE}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", ["invented", "two lags"])
def test_any_number_of_threads_gives_the_same(name: str, threads: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        compare(program(CELLS[name], 9), MACHINE, torch.float64, 5, 6)
        compare(program(CELLS[name], 9), MACHINE, torch.float64, 1, 3)
    finally:
        torch.set_num_threads(before)


def dropped(every_step: bool, k: int = 1) -> Draw:
    def draw(s, units: int) -> str:
        params = {"rate": 0.4, "every_step": every_step}
        kept = s.add("kept", "Dropout", at=(0, 0), params=params, input="h_before")
        both = {"input": "x", "input2": kept}
        total = s.add("total", "Linear", at=(0, 0), params={"units": units, "terms": 2}, **both)
        h = s.add("h", "Tanh", at=(0, 0), input=total)
        delay(s, "h_before", h, k=k, width=units)
        return h

    return draw


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("k", [1, -1])
def test_dropout_masks_are_the_references(every_step: bool, k: int, lowering: str) -> None:
    made, fields = program(dropped(every_step, k), 8), batch(3, 2, 4, 5, torch.float64)
    torch.manual_seed(5)
    wanted, _ = run(network(made, torch.float64, reference=True), fields, None, None)
    torch.manual_seed(5)
    found, _ = run(force(network(made, torch.float64), lowering), fields, None, None)
    same(found, wanted, 1e-9)


def test_dropout_at_every_step_drops_the_stated_share_and_differs_between_steps() -> None:
    made = program(dropped(True), 8)
    losses = set()
    torch.manual_seed(0)
    for _ in range(3):
        losses.add(float(force(Network(made), MACHINE).losses(batch(3, 2, 4, 5, torch.float32)).total.detach()))
    assert len(losses) == 3
    calm = Network(made).eval()
    wanted = Network(made, reference=True).eval()
    fields = batch(3, 2, 4, 5, torch.float32)
    assert float(calm.losses(fields).total.detach()) == pytest.approx(
        float(wanted.losses(fields).total.detach()), rel=1e-5
    )


@pytest.mark.usefixtures("no_machine_code")
def test_compiled_code_is_kept_for_this_user_alone(tmp_path: Path) -> None:
    trained(force(Network(program(CELLS["invented"], 8)), MACHINE))
    folder = cache_folder()
    assert folder is not None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.glob("*.o"))
    folder.chmod(0o755)
    assert cache_folder() is None


@pytest.mark.usefixtures("no_machine_code")
def test_damaged_code_in_the_cache_is_compiled_again() -> None:
    made = program(CELLS["rnn"], 8)
    trained(force(Network(made), MACHINE))
    folder = cache_folder()
    assert folder is not None
    for file in folder.glob("*.o"):
        file.write_bytes(file.read_bytes()[:-7])
    compare(made, MACHINE, torch.float32, 4, 4)


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    net = force(network(program(CELLS["rnn"], 5), torch.float64), MACHINE)
    total = net.losses(batch(3, 2, 4, 5, torch.float64)).total
    weight = net.weights["cell.total.weight"]
    (first,) = torch.autograd.grad(total, [weight], create_graph=True)
    with pytest.raises(RuntimeError):
        first.sum().backward()
