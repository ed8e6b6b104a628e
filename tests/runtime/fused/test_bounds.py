"""Generated code touches nothing outside of its buffers: canaries stand on both sides of every one."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from rnnstudio.compiler.program import Map, Program, Scan
from rnnstudio.runtime.fused import products
from rnnstudio.runtime.fused.buffers import Buffers, Gradients, allocate
from rnnstudio.runtime.fused.canonical import canonical
from rnnstudio.runtime.fused.function import names_of
from rnnstudio.runtime.fused.hoisted import stack
from rnnstudio.runtime.fused.ir import Target, declarations
from rnnstudio.runtime.fused.jit import CannotCompile, compile_ir, host, openmp, product_kernels
from rnnstudio.runtime.fused.machine_loop import MachineLoop, pack_columns
from rnnstudio.runtime.fused.plan import Plan, plan
from rnnstudio.runtime.fused.torch_loop import TorchLoop

from .cells import CELLS, network, program

WIDTHS = (1, 7, 48, 65, 100, 128, 129)
GUARD, CANARY = 64, 7.25


class Guarded:
    """Gives out tensors between canaries."""

    def __init__(self) -> None:
        self.wholes: list[Tensor] = []
        self.between: list[Tensor] = []

    def like(self, x: Tensor) -> Tensor:
        whole = torch.full((x.numel() + 2 * GUARD,), CANARY, dtype=x.dtype)
        self.wholes.append(whole)
        inside = whole[GUARD : GUARD + x.numel()].view(x.shape)
        inside.copy_(x)
        return inside

    def rows(self, plan: Plan, x: Tensor) -> Tensor:
        """Like x, pre-activations, with canaries between its rows too where they lie apart."""
        whole = self.like(torch.full((*x.shape[:2], plan.stride), CANARY, dtype=x.dtype))
        inside = whole[:, :, : plan.columns]
        inside.copy_(x)
        self.between.append(whole[:, :, plan.columns :])
        return inside

    def check(self) -> None:
        assert self.wholes
        for whole in self.wholes:
            assert bool((whole[:GUARD] == CANARY).all())
            assert bool((whole[-GUARD:] == CANARY).all())
        assert all(bool((gap == CANARY).all()) for gap in self.between)


class GuardedLoop(MachineLoop):
    """Machine code whose scratch memory has canaries too."""

    guard: Guarded

    def room(self, like: Tensor, *shape: int) -> Tensor:
        return self.guard.like(super().room(like, *shape))


@pytest.mark.parametrize("columns", WIDTHS)
def test_products(columns: int) -> None:
    here = host(False)
    for depth in (1, 33):
        text = declarations(here) + products.declared_kernels(here)
        text += products.product(here, "p", columns, depth, depth, columns + 3, True).replace("internal ", "", 1)
        code = compile_ir(text, here, product_kernels(here)[0])
        call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, ctypes.c_int64, ctypes.c_void_p)(code.address("p"))
        for rows in (0, 1, 2, 11, 12, 13, 25, 40):
            guard = Guarded()
            a, w = guard.like(torch.randn(rows, depth)), torch.randn(columns, depth)
            c = guard.like(torch.randn(rows, columns + 3))
            before, packed = c.clone(), guard.like(pack_columns(here, w))
            call(a.data_ptr(), packed.data_ptr(), rows, c.data_ptr())
            guard.check()
            wanted = before.clone()
            wanted[:, :columns] += a @ w.t()
            torch.testing.assert_close(c, wanted, rtol=1e-5, atol=1e-5)
            assert torch.equal(c[:, columns:], before[:, columns:])


def target(vectors: str, double: bool = False) -> Target:
    """This machine's vectors, or those of older processors of its family."""
    if vectors == "host":
        return host(double)
    cpu, size, rows = {"avx2": ("haswell", 32, 6), "sse2": ("x86-64", 16, 6)}[vectors]
    return Target(cpu, "", double, size // (8 if double else 4), rows)


X86 = platform.machine() in ("x86_64", "AMD64")


NAMES = ("invented", "reset before", "two lags", "normalised")
CELL = pytest.mark.parametrize("name", NAMES)


def with_vectors(names: Sequence[str]) -> list[tuple[str, int, str]]:
    """Any two of name, width and vectors together: all widths on this machine's, every other one on older ones."""
    found = [(name, width, "host") for name in names for width in WIDTHS]
    for turn, vectors in enumerate(("avx2", "sse2") if X86 else ()):
        found += [(name, w, vectors) for i, name in enumerate(names) for w in WIDTHS[(i + turn) % 2 :: 2]]
    return found


@pytest.mark.parametrize(("name", "width", "vectors"), with_vectors(NAMES))
def test_time_loops(name: str, width: int, vectors: str) -> None:
    def made(form: Plan) -> GuardedLoop:
        return GuardedLoop(form, torch.float32, target(vectors), team=width % 2 == 0)

    check(name, width, made)


@pytest.mark.parametrize("width", [1, 65])
@CELL
def test_plain_threads_share_rows_out(name: str, width: int) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        check(name, width, lambda form: GuardedLoop(form, torch.float32, team=False))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(not openmp(), reason="torch's threads are not GNU OpenMP's here: columns are never shared out")
@pytest.mark.parametrize("width", WIDTHS)
@CELL
def test_threads_that_share_columns_out(name: str, width: int) -> None:
    def made(form: Plan) -> GuardedLoop:
        loop = GuardedLoop(form, torch.float32)
        loop.few = 8
        return loop

    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        check(name, width, made)
    finally:
        torch.set_num_threads(threads)


def planned(name: str, width: int) -> tuple[Plan, Program]:
    """The plan of a cell's loop, at some widths one for examples of different lengths."""
    made = program(CELLS[name], width)
    scan = next(region for region in made.regions if isinstance(region, Scan))
    parameters = {
        op.name: str(op.attrs["weight"])
        for region in made.regions
        if isinstance(region, Map)
        for op in region.ops
        if op.kind == "parameter"
    }
    return plan(canonical(scan, made.signals, parameters, False), ragged=width in (7, 100)), made


def check(
    name: str,
    width: int,
    loop_of: Callable[[Plan], GuardedLoop],
    dtype: torch.dtype = torch.float32,
    tolerance: float = 1e-4,
) -> None:
    """A loop leaves its canaries alone and agrees with plain torch, to `tolerance` of each tensor's largest number."""
    form, made = planned(name, width)
    weights = network(made, dtype).weights
    guard, steps, batch = Guarded(), 4, 5
    loop = loop_of(form)
    loop.guard = guard
    torch.manual_seed(0)
    valid = guard.like((torch.rand(steps, batch) < 0.7).to(dtype)) if form.ragged else None
    stacked = {(i, j): stack(p, weights) for i, stage in enumerate(form.stages) for j, p in enumerate(stage.products)}
    vectors = {n: guard.like(weights[form.form.parameters[n]].detach()) for n in form.form.vectors}
    reads = {n: guard.like(torch.randn(steps, batch, w, dtype=dtype)) for n, w in form.form.reads.items()}
    b = allocate(form, steps, batch, torch.empty(0, dtype=dtype), reads, vectors, stacked, valid)
    b.slots.normal_()
    for state in b.states.values():
        torch.nn.init.normal_(state)
    inside = Buffers(
        form,
        steps,
        batch,
        guard.rows(form, b.slots),
        [guard.like(x) for x in b.saved],
        {n: guard.like(x) for n, x in b.states.items()},
        {n: guard.like(x) for n, x in b.yields.items()},
        [guard.like(x) for x in b.sources],
        reads,
        vectors,
        stacked,
        valid,
        b.delays,
        bias=guard.like(torch.randn(form.columns, dtype=dtype)),
    )
    for number in form.floating:
        at, size = form.offsets[number], form.form.slots[number].width
        b.slots.narrow(2, at, size).add_(inside.bias.narrow(0, at, size))
    douts = {n: guard.like(torch.randn(steps, batch, node.width, dtype=dtype)) for n, node in form.form.yields}
    found = []
    for runner, buffers in ((loop, inside), (TorchLoop(form), b)):
        zeros = {n: torch.zeros(batch, w, dtype=dtype) for n, w in form.form.vectors.items()}
        d = Gradients(douts, guard.rows(form, torch.empty_like(b.slots)), {}, zeros, {})
        with torch.no_grad():
            runner.forward(buffers)
            runner.backward(buffers, d)
        found.append({**d.initial, **{f"d{n}": x.sum(0) for n, x in d.vectors.items()}, "slots": d.slots})
        found[-1].update(buffers.states)
        biased = [n for n, slot in enumerate(form.form.slots) if slot.biases]
        sums = d.slots.sum((0, 1)) if d.bias is None else d.bias
        found[-1] |= {f"bias {n}": sums.narrow(0, form.offsets[n], form.form.slots[n].width) for n in biased}
    guard.check()
    assert names_of(form).states
    for key, x in found[0].items():
        wanted = found[1][key]
        scale = max(1.0, float(wanted.abs().max()))
        assert float((x - wanted).abs().max()) <= tolerance * scale, key


def test_a_module_that_does_not_compile_is_declined_with_llvms_words() -> None:
    with pytest.raises(CannotCompile, match="expected"):
        compile_ir("define void @f() { nonsense }", host(False), {})
