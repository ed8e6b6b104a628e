"""A lowering that raises is declined with its reason and the next one serves; an error of the input declines nobody."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from rnnstudio.design.errors import StudioError
from rnnstudio.runtime.fused.buffers import Buffers, Gradients
from rnnstudio.runtime.fused.checked import MisreadError
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE, REFERENCE, TORCH
from rnnstudio.runtime.fused.serve import FusedLoop
from rnnstudio.runtime.fused.torch_loop import TorchLoop
from rnnstudio.runtime.network import Network

from .cells import CELLS, batch, network, program
from .test_against_reference import force, run, same
from .test_choosing import dropped


class BreaksForward(TorchLoop):
    def forward(self, b: Buffers) -> None:
        super().forward(b)
        torch.rand(3)
        raise RuntimeError("could not create a primitive descriptor\nRun with ONEDNN_VERBOSE=all")


class BreaksBackward(TorchLoop):
    def backward(self, b: Buffers, d: Gradients) -> None:
        raise RuntimeError("could not create a primitive descriptor")


class BadInput(TorchLoop):
    def forward(self, b: Buffers) -> None:
        raise StudioError("The field “inputs” has a hole", remedy="Fill it.")


class NoStacking(TorchFunctionMode):
    """Meanwhile torch.stack, with which the reference ends, finds no memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.stack:
            raise RuntimeError("no memory left")
        return func(*args, **(kwargs or {}))


class Misread(TorchLoop):
    def forward(self, b: Buffers) -> None:
        raise MisreadError("slots has a hole")


def breaking(name: str, kind: type[TorchLoop], *lowerings: str, dtype: torch.dtype = torch.float64) -> Network:
    """A network of one loop, of which these lowerings are such loops."""
    draw = dropped(True) if name == "dropout" else CELLS[name]
    net = network(program(draw, 6), dtype)
    (scan,) = net.program.scans()
    for training in (True, False):
        fused = net.loops.fused(scan, ragged=False, training=training)
        assert isinstance(fused, FusedLoop)
        for lowering in lowerings:
            net.loops._runners[id(fused), f"{lowering} {dtype}"] = partial(fused.run, kind(fused.plan))
    return net


def wanted(net: Network, fields: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """What the reference gives from seed 5, and the random state afterwards."""
    reference = Network(net.program, reference=True).double().train(net.training)
    reference.load_state_dict(net.state_dict())
    torch.manual_seed(5)
    found, last = run(reference, fields, None, None)
    return found, last, torch.get_rng_state()


REASON = "RuntimeError: could not create a primitive descriptor"


@pytest.mark.parametrize("kind", [BreaksForward, BreaksBackward])
@pytest.mark.parametrize("name", ["invented", "lstm", "dropout"])
def test_the_next_one_serves_with_the_same_numbers_and_draws(name: str, kind: type[TorchLoop]) -> None:
    net = force(breaking(name, kind, MACHINE), MACHINE)
    fields = batch(3, 2, 4, 5, torch.float64)
    expected, ended, random = wanted(net, fields)
    torch.manual_seed(5)
    found, last = run(net, fields, None, None)
    assert torch.equal(torch.get_rng_state(), random)
    same(found, expected, 1e-9)
    same(last, ended, 1e-9)
    assert set(net.loops.served.values()) == {KERNEL if name == "lstm" else TORCH}
    (line,) = net.lowerings()
    assert line.endswith(f"; no machine code: {REASON}")


@pytest.mark.parametrize("kind", [BreaksForward, BreaksBackward])
def test_who_raises_in_the_contest_is_out_and_the_rest_go_on(kind: type[TorchLoop]) -> None:
    net = breaking("lstm", kind, MACHINE)
    fields = batch(3, 2, 4, 5, torch.float64)
    expected, _, _ = wanted(net, fields)
    for _ in range(2):
        net.zero_grad()
        same(run(net, fields, None, None)[0], expected, 1e-9)
    assert set(net.lowering_choices().values()) == {KERNEL}
    assert REASON in net.lowerings()[0]


def test_when_none_but_the_reference_is_left_it_serves() -> None:
    net = breaking("invented", BreaksForward, MACHINE, TORCH)
    fields = batch(3, 2, 4, 5, torch.float64)
    expected, _, _ = wanted(net, fields)
    same(run(net, fields, None, None)[0], expected, 1e-9)
    assert set(net.loops.served.values()) == {REFERENCE}
    (line,) = net.lowerings()
    assert f"no machine code: {REASON}" in line
    assert f"no torch function: {REASON}" in line


@pytest.mark.parametrize("training", [True, False])
def test_without_gradients_what_was_begun_is_put_back(training: bool) -> None:
    net = breaking("dropout", BreaksForward, MACHINE).train(training)
    fields = batch(3, 2, 4, 5, torch.float64)
    reference = Network(net.program, reference=True).double().train(training)
    reference.load_state_dict(net.state_dict())
    results = []
    with torch.no_grad():
        for each in (reference, net):
            torch.manual_seed(5)
            results.append((each(fields), torch.get_rng_state()))
    (expected, before), (found, after) = results
    assert torch.equal(before, after)
    same(found.outputs, expected.outputs, 1e-9)
    same(found.state, expected.state, 1e-9)
    assert set(net.loops.served.values()) == {TORCH}


@pytest.mark.parametrize(("kind", "error"), [(BadInput, StudioError), (Misread, MisreadError)])
def test_errors_of_the_input_and_faults_of_ours_are_raised_and_decline_nobody(
    kind: type[TorchLoop], error: type[Exception]
) -> None:
    net = breaking("invented", kind, MACHINE)
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients), pytest.raises(error, match="has a hole"):
            net.losses(batch(3, 2, 4, 5, torch.float64))
    assert "has a hole" not in net.lowerings()[0]


def test_when_the_reference_raises_too_it_was_the_input_and_nobody_is_declined() -> None:
    net = force(breaking("invented", BreaksForward, MACHINE, TORCH), MACHINE)
    fields = batch(3, 2, 4, 5, torch.float64)
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients), NoStacking(), pytest.raises(RuntimeError, match="no memory left"):
            net.losses(fields)
    assert set(net.lowering_choices().values()) == {MACHINE}
    assert "; no " not in net.lowerings()[0]
    expected, _, _ = wanted(net, fields)
    same(run(net, fields, None, None)[0], expected, 1e-9)
    assert f"no machine code: {REASON}" in net.lowerings()[0]


def test_a_checkpoint_of_torchs_counts_what_a_run_saves_and_not_what_a_trial_does() -> None:
    net = network(program(CELLS["invented"], 6), torch.float64)
    fields = batch(3, 2, 4, 5, torch.float64)
    expected, _, _ = wanted(net, fields)
    total = torch.utils.checkpoint.checkpoint(lambda: net.losses(fields).total, use_reentrant=False)
    assert isinstance(total, Tensor)
    total.backward()
    for path, weight in net.weights.items():
        same({path: weight.grad}, {path: expected[path]}, 1e-9)


def in_a_process() -> None:
    """LSTMs where oneDNN is limited to AVX2: it has none in bfloat16, as on a processor that is no newer."""
    net = network(program(CELLS["lstm"], 6), torch.float32)
    net.loops.try_kernels(net.weights)
    (line,) = net.lowerings()
    assert "; no torch.nn" not in line, line
    with torch.autocast("cpu", torch.bfloat16):
        net.loops.try_kernels(net.weights)
        (line,) = net.lowerings()
        assert f"; no torch.nn's LSTM kernel in bfloat16: {REASON} for the LSTM" in line, line
        found, _ = run(net, batch(3, 2, 4, 5, torch.float32), None, None)
        with torch.no_grad():
            net.eval()(batch(3, 2, 4, 5, torch.float32))
    assert set(net.loops.served.values()) == {MACHINE}
    assert bool(found["loss"].isfinite())


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the limit is one of x86-64")
def test_where_onednn_has_no_lstm_in_bfloat16_it_is_told_and_machine_code_serves() -> None:
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    code = "from tests.runtime.fused.test_declined import in_a_process; in_a_process()"
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
