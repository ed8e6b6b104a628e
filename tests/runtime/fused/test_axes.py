"""Loops inside a loop, and loops whose values have further axes, give what the reference gives on every lowering."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnstudio.compiler.program import Program, Scan
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE, REFERENCE, TORCH

from .axes import answer, batch_of, beside, inside, served, two_dimensional_lstm
from .cells import CELLS, Draw
from .test_against_reference import TOLERANCE, same
from .test_random_cells import cells

STEPS = {"time": 5, "source": 4}
OWN = {"time": torch.tensor([5, 2, 4]), "source": torch.tensor([1, 4, 3])}
NAMES = ("lstm", "gru", "rnn", "invented", "deep", "two lags", "peephole lstm, backward", "lstm, learned start")


def compare(
    program: Program,
    lowering: str,
    *,
    ragged: bool = False,
    dtype: torch.dtype = torch.float64,
    size: int = 3,
    steps: dict[str, int] = STEPS,
) -> None:
    fields = batch_of(program, size, steps, dtype)
    own = OWN if ragged else None
    _, wanted, last = answer(program, REFERENCE, fields, own)
    network, found, ended = answer(program, lowering, fields, own)
    same(found, wanted, TOLERANCE[dtype])
    same(ended, last, TOLERANCE[dtype])
    innermost = [scan.name for scan in program.scans() if not any(isinstance(r, Scan) for r in scan.body)]
    assert {served(network)[name] for name in innermost} == {lowering}


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("where", [beside, inside])
@pytest.mark.parametrize("name", NAMES)
def test_the_references_values_and_gradients(name: str, where, lowering: str) -> None:
    program = where(CELLS[name], 5)
    for ragged in (False, True):
        compare(program, lowering, ragged=ragged)
    compare(program, lowering, dtype=torch.float32)


@pytest.mark.parametrize("where", [beside, inside])
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_torchs_own_kernels_serve_them_too(name: str, where) -> None:
    program = where(CELLS[name], 5)
    compare(program, KERNEL)
    if name != "lstm" or where is inside:
        compare(program, KERNEL, ragged=True)


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("where", [beside, inside])
def test_one_step_and_one_example(where, lowering: str) -> None:
    for name in ("lstm", "invented"):
        for size, steps in ((1, STEPS), (3, {"time": 1, "source": 3}), (1, {"time": 4, "source": 1})):
            compare(where(CELLS[name], 6), lowering, size=size, steps=steps)


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
def test_a_state_delayed_along_two_axes(lowering: str) -> None:
    program = two_dimensional_lstm(5)
    assert len(list(program.scans())) == 2
    for ragged in (False, True):
        compare(program, lowering, ragged=ragged)


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("where", [beside, inside])
def test_a_padded_batch_gives_what_each_example_gives_alone(where, lowering: str) -> None:
    program = where(CELLS["lstm"], 5)
    fields = batch_of(program, 3, STEPS, torch.float64)
    _, together, _ = answer(program, lowering, fields, OWN)
    for row in range(3):
        own = {axis: int(lengths[row]) for axis, lengths in OWN.items()}
        single = {name: x[row : row + 1] for name, x in fields.items()}
        for item in program.inputs:
            for place, axis in enumerate(item.signal.axes):
                single[item.field] = single[item.field].narrow(place + 1, 0, own[axis])
        _, alone, _ = answer(program, lowering, single, None)
        part = together["prediction"][row : row + 1]
        part = part if where is inside else part[:, : own["time"]]
        torch.testing.assert_close(part, alone["prediction"], rtol=0, atol=1e-10)


@given(cells(), st.sampled_from((2, 5)), st.booleans(), st.sampled_from((beside, inside)))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_cells_that_nobody_thought_of(cell: Draw, units: int, ragged: bool, where) -> None:
    compare(where(cell, units), TORCH, ragged=ragged)


@given(cells(), st.booleans(), st.sampled_from((beside, inside)))
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_cells_that_nobody_thought_of_as_machine_code(cell: Draw, ragged: bool, where) -> None:
    compare(where(cell, 3), MACHINE, ragged=ragged)
