"""What runs on a GPU: torch.nn's kernel or the torch function. Where what is experimental was asked for, who may win:
only what gives the torch function's numbers; whoever does not is out, and it is said why.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnstudio.compiler.program import Scan
from rnnstudio.runtime.context import Context
from rnnstudio.runtime.fused import contest
from rnnstudio.runtime.fused.buffers import Buffers, Gradients
from rnnstudio.runtime.fused.cuda_choice import ON_GPU, REFERENCE, TORCH, TRITON, GpuLoops
from rnnstudio.runtime.fused.cuda_graphs import GraphedLoop
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE
from rnnstudio.runtime.fused.serve import FusedLoop
from rnnstudio.runtime.fused.torch_loop import TorchLoop
from rnnstudio.runtime.fused.triton_loop import declines
from rnnstudio.runtime.network import Network

from .cells import CELLS, batch, lengths, network, program
from .test_against_reference import force, run, same
from .test_cuda_graphs import again

GPU = torch.cuda.is_available()


class Wrong(TorchLoop):
    """One gradient is off by a thousandth of its size."""

    def backward(self, b: Buffers, d: Gradients) -> None:
        super().backward(b, d)
        d.slots[..., 0] *= 1.001


class Stale(GraphedLoop):
    """Forgets to copy what a run brings: right for the numbers it was recorded with."""

    def forward(self, b: Buffers) -> None:
        graphs = self._of(b)
        if graphs is None:
            self.loop.forward(b)
            return
        graphs.forward()
        for name, x in graphs.buffers.states.items():
            b.states[name].copy_(x)


class Breaking(TorchLoop):
    def forward(self, b: Buffers) -> None:
        raise ValueError("no kernel image is available\nfor execution")


def stage(ragged: bool) -> tuple[FusedLoop, Scan, dict[str, Tensor], Context]:
    made = program(CELLS["invented"], 6)
    net = network(made, torch.float32)
    (scan,) = made.scans()
    fused = net.loops.fused(scan, ragged=ragged, training=True)
    assert isinstance(fused, FusedLoop)
    x = batch(3, 2, 4, 5, torch.float32)["inputs"].movedim(0, 1).contiguous().requires_grad_()
    own = lengths(4, 5) if ragged else {}
    context = Context(
        net.weights, {"time": 5}, own, 4, training=True, state={}, device=x.device, dtype=x.dtype, keep_state=False
    )
    return fused, scan, {"x": x}, context


@pytest.mark.parametrize("ragged", [False, True])
def test_what_gives_other_numbers_or_breaks_is_out_with_the_reason(ragged: bool) -> None:
    fused, scan, values, context = stage(ragged)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    loops = {
        "wrong": Wrong(fused.plan),
        "breaking": Breaking(fused.plan),
        "stale": Stale(TorchLoop(fused.plan), again),
        "graph": GraphedLoop(TorchLoop(fused.plan), again),
        TORCH: TorchLoop(fused.plan),
    }
    runners = {
        name: (lambda values, context, loop=loop: fused.run(loop, values, context)) for name, loop in loops.items()
    }
    good, out = contest.agreeing(runners, TORCH, scan, values, context)
    assert list(good) == ["graph", TORCH]
    assert out["breaking"] == "ValueError: no kernel image is available"
    assert out["wrong"].startswith("differs from one torch function by")
    assert out["stale"].startswith("differs from one torch function by")
    assert torch.equal(torch.get_rng_state(), before)
    assert all(w.grad is None for w in context.weights.values())


def test_lowerings_of_a_gpu_are_declined_on_a_processor_and_the_reasons_are_kept() -> None:
    fused, scan, _, context = stage(False)
    gpu = GpuLoops()
    served = gpu.serving(scan, fused, context, "")
    reason = declines(torch.device("cpu"))
    assert set(served) == ({TORCH, REFERENCE} if reason else {TRITON, TORCH, REFERENCE})
    assert "CUDA graphs are for a GPU" in gpu.remarks(scan)
    assert set(gpu.out[scan.name]) | set(served) == {*ON_GPU, TORCH, REFERENCE}


@pytest.mark.parametrize(("name", "default"), [("lstm", KERNEL), ("gru", KERNEL), ("invented", TORCH)])
def test_what_is_experimental_serves_on_a_gpu_only_when_asked_for(name: str, default: str) -> None:
    """Who could serve is decided without touching a GPU, so this machine needs none."""
    net = Network(program(CELLS[name], 6))
    (scan,) = net.program.scans()
    cuda = torch.device("cuda")
    context = Context(net.weights, {"time": 5}, {}, 4, training=True, state={}, device=cuda, dtype=torch.float32)

    def serving(chosen: str = "") -> list[str]:
        return list(net.loops._serving(scan, context, chosen, net.loops._declines.condition(scan, context)))

    assert serving() == [default]
    assert serving(TORCH)[-1] == TORCH
    assert net.loops._gpu.out == {}  # nobody has looked at what is experimental
    net.loops.experimental_gpu = True
    assert {default, TORCH, REFERENCE} <= set(serving())
    out = net.loops._gpu.out[scan.name]
    assert set(ON_GPU) <= set(serving()) | set(out)
    assert all(f"no {lowering} (experimental): {out[lowering]}" in net.loops._gpu.remarks(scan) for lowering in out)


def test_a_run_that_chose_what_is_experimental_goes_on_without_it_unless_asked_for() -> None:
    net = Network(program(CELLS["invented"], 6))
    net.set_lowering_choices({scan.name: TRITON for scan in net.program.scans()})
    net.losses(batch(3, 2, 4, 5, torch.float32)).total.backward()
    assert set(net.loops.served.values()) == {MACHINE}
    assert net.loops._gpu.out == {}  # it was not even tried


def test_a_form_of_a_loop_is_compared_once() -> None:
    fused, scan, values, context = stage(False)
    served = GpuLoops().serving(scan, fused, context, "")
    gpu = GpuLoops()
    compared: list[str] = []

    def counted(values: dict[str, Tensor], context: Context) -> None:
        compared.append("once")
        served[TORCH](values, context)

    both = {"other": counted, TORCH: served[TORCH]}
    assert set(gpu.trusted(both, scan, values, context)) == {"other", TORCH}
    first = len(compared)
    assert first > 0
    assert set(gpu.trusted(both, scan, values, context)) == {"other", TORCH}
    assert len(compared) == first


def test_a_run_that_began_on_a_gpu_goes_on_where_there_is_none() -> None:
    if GPU or not declines(torch.device("cpu")):
        pytest.skip("Triton serves here")
    net = force(Network(program(CELLS["invented"], 6)), TRITON)
    net.losses(batch(3, 2, 4, 5, torch.float32)).total.backward()
    assert set(net.loops.served.values()) == {MACHINE}


def test_what_is_shown_says_what_a_gpu_would_be_used_for() -> None:
    (line,) = Network(program(CELLS["invented"], 6)).lowerings()
    assert "on a GPU torch function (" in line
    assert "Triton (experimental)" in line


@pytest.mark.parametrize("name", ["invented", "lstm"])
def test_mixed_precision_keeps_the_loops_in_float32_and_off_the_reference(name: str) -> None:
    made, fields = program(CELLS[name], 6), batch(3, 2, 4, 5, torch.float32)
    wanted, _ = run(network(made, torch.float32, reference=True), fields, None, None)
    net = network(made, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = run(net, fields, None, None)
    assert REFERENCE not in net.loops.served.values()
    same({k: v if v is None else v.float() for k, v in found.items()}, wanted, 0.05)


@pytest.mark.skipif(not GPU, reason="no GPU")
@pytest.mark.parametrize("name", ["lstm", "gru", "invented", "reset before", "normalised"])
def test_on_a_gpu_the_contest_is_held_among_what_agrees(name: str) -> None:
    made = program(CELLS[name], 32)
    net = Network(made).to("cuda")
    net.loops.experimental_gpu = True
    fields = {field: x.to("cuda") for field, x in batch(3, 2, 16, 20, torch.float32).items()}
    for _ in range(4):
        net.zero_grad()
        net.losses(fields).total.backward()
    (line,) = net.lowerings()
    assert " ms" in line
    assert "; no " not in line


@pytest.mark.skipif(not GPU, reason="no GPU")
@pytest.mark.parametrize("lowering", ON_GPU)
@pytest.mark.parametrize("name", CELLS)
def test_every_lowering_of_a_gpu_gives_the_references_numbers(name: str, lowering: str) -> None:
    made, fields = program(CELLS[name], 7), batch(3, 2, 4, 6, torch.float64)
    net = force(network(made, torch.float64).to("cuda"), lowering)
    wanted, _ = run(network(made, torch.float64, reference=True), fields, None, None)
    for _ in range(3):
        net.zero_grad()
        found, _ = run(net, {field: x.to("cuda") for field, x in fields.items()}, None, None)
        same({path: x if x is None else x.cpu() for path, x in found.items()}, wanted, 1e-9)
    assert set(net.loops.served.values()) == {lowering}
