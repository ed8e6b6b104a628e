"""The kernels printed for Triton give what the reference loop gives, on a GPU or interpreted (TRITON_INTERPRET=1).

Without TRITON_INTERPRET and without a GPU, where Triton is installed, they are compiled for GPUs that are not there.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

from rnnstudio.runtime.fused.cuda_choice import TORCH, TRITON
from rnnstudio.runtime.fused.triton_loop import _sized, declines, interpreted, load, no_triton
from rnnstudio.runtime.fused.triton_source import backward_kernels, forward_kernels, text_of
from rnnstudio.runtime.network import Network

from .cells import CELLS, Draw, backward, batch, delay, network, program
from .test_against_reference import TOLERANCE, compare, force, run, same
from .test_choosing import dropped
from .test_random_cells import cells
from .test_triton_source import part_and_whole, plan_of

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:TRITON_DEFAULT_FP_FUSION:UserWarning")

runs = pytest.mark.skipif(bool(declines(DEVICE)), reason=declines(DEVICE) or "-")


def equal(draw: Draw, dtype: torch.dtype, units: int, size: int = 4, steps: int = 5, *, ragged: bool = False) -> None:
    """Values and gradients by Triton are those of the reference loop on the CPU."""
    if DEVICE.type == "cpu":
        compare(program(draw, units), TRITON, dtype, size, steps, ragged=ragged)
        return
    made = program(draw, units)
    fields = batch(3, 2, size, steps, dtype)
    own = None
    if ragged:
        own = {"time": torch.arange(size) % steps + 1}
        own["time"][0] = steps
    expected, last = run(network(made, dtype, reference=True), fields, own, None)
    net = force(network(made, dtype).to(DEVICE), TRITON)
    found, ended = run(net, {name: x.to(DEVICE) for name, x in fields.items()}, own, None)
    same(on_cpu(found), expected, TOLERANCE[dtype])
    same(on_cpu(ended), last, TOLERANCE[dtype])
    assert set(net.loops.served.values()) == {TRITON}


def on_cpu(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: x if x is None else x.cpu() for name, x in found.items()}


@runs
@pytest.mark.parametrize("name", CELLS)
def test_values_and_gradients_are_the_references(name: str) -> None:
    equal(CELLS[name], torch.float64, 7)
    equal(CELLS[name], torch.float32, 7)
    equal(CELLS[name], torch.float64, 5, ragged=True)


@runs
@pytest.mark.parametrize("units", [1, 7, 48, 65, 129])
@pytest.mark.parametrize("name", ["lstm", "invented", "reset before", "normalised", "two lags", "one gate"])
def test_any_width(name: str, units: int) -> None:
    equal(CELLS[name], torch.float64, units, 3, 3)


@runs
@pytest.mark.parametrize(("size", "steps"), [(1, 1), (1, 9), (37, 2)])
def test_one_step_and_one_example(size: int, steps: int) -> None:
    for name in ("lstm", "reset before", "two lags", "rnn, delay 3, backward"):
        equal(CELLS[name], torch.float64, 6, size, steps)


@runs
def test_a_part_of_a_state_and_all_of_it() -> None:
    equal(part_and_whole, torch.float64, 9)
    equal(backward(part_and_whole), torch.float64, 9, ragged=True)


@runs
def test_a_carried_state_goes_on() -> None:
    for name in ("lstm", "two lags"):
        made = program(CELLS[name], 6)
        fields = batch(3, 2, 4, 5, torch.float64)
        first = network(made, torch.float64, reference=True).losses(fields)
        expected, last = run(network(made, torch.float64, reference=True), fields, None, first.state)
        net = force(network(made, torch.float64).to(DEVICE), TRITON)
        carried = {name: x.to(DEVICE) for name, x in first.state.items()}
        found, ended = run(net, {name: x.to(DEVICE) for name, x in fields.items()}, None, carried)
        same(on_cpu(found), expected, 1e-9)
        same(on_cpu(ended), last, 1e-9)


@runs
@pytest.mark.parametrize("every_step", [False, True])
def test_dropout_masks_are_those_of_the_torch_function(every_step: bool) -> None:
    made, fields = program(dropped(every_step), 8), batch(3, 2, 4, 5, torch.float64)
    fields = {name: x.to(DEVICE) for name, x in fields.items()}
    found = {}
    for lowering in (TORCH, TRITON):
        net = force(network(made, torch.float64).to(DEVICE), lowering)
        torch.manual_seed(5)
        found[lowering], _ = run(net, fields, None, None)
        assert set(net.loops.served.values()) == {lowering}
    same(found[TRITON], found[TORCH], 1e-9)


@runs
@given(cells())
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_random_cells(cell: Draw) -> None:
    equal(cell, torch.float64, 5, 3, 4)


def squashed(kind: str) -> Draw:
    def draw(s, units: int) -> str:
        total = s.add("total", "Linear", at=(0, 0), params={"units": units, "terms": 2}, input="x", input2="h_before")
        h = s.add("h", "Tanh", at=(0, 0), input=s.add("bent", kind, at=(0, 0), input=total))
        delay(s, "h_before", h)
        return h

    return draw


@runs
@pytest.mark.parametrize("kind", ["Sigmoid", "Tanh", "Relu", "Softplus", "Exp", "Softmax", "LayerNorm"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e30, -1e30])
def test_what_is_not_finite_stays_so_where_torch_lets_it(kind: str, number: float) -> None:
    made = program(squashed(kind), 5)
    fields = {name: x.to(DEVICE) for name, x in batch(3, 2, 2, 3, torch.float32).items()}
    fields["inputs"][0, 1, 0] = number
    kept = {}
    for lowering in (TORCH, TRITON):
        net = network(made, torch.float32).to(DEVICE)
        (fused,) = (net.loops.fused(scan, ragged=False, training=True) for scan in made.scans())
        force(net, lowering)
        net.loops._gpu._trusted = {(s.name, s.yields, False, TRITON): True for s in made.scans()}
        kept[lowering] = net.losses(fields).predictions
        assert not isinstance(fused, str)
        assert set(net.loops.served.values()) == {lowering}
    for node, x in kept[TORCH].items():
        assert torch.equal(x.isfinite(), kept[TRITON][node].isfinite())


@pytest.mark.skipif(bool(no_triton()) or interpreted(), reason=no_triton() or "Triton interprets in this process")
@pytest.mark.parametrize("name", ["lstm", "reset before", "normalised", "two lags", "kinks", "one gate"])
@pytest.mark.parametrize(("capability", "number", "batch"), [(75, "fp32", 5), (80, "fp64", 5), (90, "fp32", 1)])
def test_kernels_compile_for_gpus_that_are_not_here(name: str, capability: int, number: str, batch: int) -> None:
    """A batch of one is a constant of the code for Triton."""
    from triton import compile as compile_kernel
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    plan = plan_of(CELLS[name], 7, ragged=True)
    kernels = [k for k in (*forward_kernels(plan), *backward_kernels(plan)) if k]
    functions = load(text_of(kernels))
    for kernel in kernels:
        options = dict(_sized(kernel, functions[kernel.name]).options)
        warps = options.pop("num_warps")
        names = functions[kernel.name].arg_names
        options |= {"batch": 1} if batch == 1 else {}
        kinds = {n: "constexpr" if n in options else f"*{number}" if n.endswith("_ptr") else "i32" for n in names}
        source = ASTSource(functions[kernel.name], signature=kinds, constexprs=options)
        made = compile_kernel(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps})
        assert made.asm["cubin"]


@runs
def test_what_is_shown_names_the_kernels() -> None:
    net = Network(program(CELLS["invented"], 6)).to(DEVICE)
    (line,) = net.lowerings()
    assert "on a GPU torch function (or Triton" in line
