"""The mode that looks at every buffer before machine code gets it: on in the tests, and what is planted is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rnnstudio.runtime.fused import checked
from rnnstudio.runtime.fused.buffers import Buffers, allocate
from rnnstudio.runtime.fused.canonical import canonical
from rnnstudio.runtime.fused.checked import MisreadError
from rnnstudio.runtime.fused.distinct import Distinct
from rnnstudio.runtime.fused.jit import host
from rnnstudio.runtime.fused.machine_loop import MachineLoop, pack_columns
from rnnstudio.runtime.fused.plan import Plan, plan
from rnnstudio.runtime.fused.repeated import Calling
from rnnstudio.runtime.fused.table_rows import add_rows, take_or_zero, take_rows
from rnnstudio.runtime.fused.vector_products import VectorProducts

from .cells import CELLS, program

STEPS, BATCH = 4, 3


def planned() -> Plan:
    made = program(CELLS["invented"], 5)
    (scan,) = made.scans()
    return plan(canonical(scan, made.signals, {}, training=False), ragged=False)


def buffers(form: Plan) -> Buffers:
    own = form.form
    weights = {
        (level, i): torch.zeros(product.size, product.width)
        for level, stage in enumerate(form.stages)
        for i, product in enumerate(stage.products)
    }
    reads = {name: torch.zeros(STEPS, BATCH, width) for name, width in own.reads.items()}
    vectors = {name: torch.zeros(width) for name, width in own.vectors.items()}
    made = allocate(form, STEPS, BATCH, torch.zeros(()), reads, vectors, weights, None)
    made.bias = torch.zeros(form.columns)
    for x in (made.slots, *made.saved, *made.sources, *made.states.values()):
        x.zero_()
    return made


def shrunk(x: Tensor) -> Tensor:
    """The same shape over half of the memory."""
    x.untyped_storage().resize_(x.untyped_storage().nbytes() // 2)
    return x


WRONG: dict[str, Callable[[Tensor], Tensor]] = {
    "another width": lambda x: x[..., :-1].contiguous(),
    "fewer steps": lambda x: x[1:],
    "another type": lambda x: x.double(),
    "gaps": lambda x: torch.cat([x, x], -1)[..., : x.shape[-1]],
    "turned": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "negated in name": lambda x: torch._neg_view(x),
    "less memory": lambda x: shrunk(x.clone()),
}


def test_the_tests_run_in_this_mode() -> None:
    assert checked.CHECKING


def test_a_loop_over_time_takes_what_it_was_made_for() -> None:
    form = planned()
    MachineLoop(form, torch.float32).forward(buffers(form))


def test_a_loop_over_time_gets_all_it_reads() -> None:
    form = planned()
    loop, own = MachineLoop(form, torch.float32), buffers(form)
    own.bias = None
    with pytest.raises(MisreadError, match="bias is read but not given"):
        loop.forward(own)


@pytest.mark.parametrize("wrong", list(WRONG))
@pytest.mark.parametrize("kind", ["states", "saved", "reads", "slots"])
def test_a_loop_over_time_gets_no_other_buffer(kind: str, wrong: str) -> None:
    form = planned()
    loop, own = MachineLoop(form, torch.float32), buffers(form)
    held = getattr(own, kind)
    if isinstance(held, Tensor):
        own.slots = WRONG[wrong](held)
    else:
        key = 0 if isinstance(held, list) else next(iter(held))
        held[key] = WRONG[wrong](held[key])
    with pytest.raises(MisreadError):
        loop.forward(own)


def test_numbers_that_choose_rows_are_within_the_table() -> None:
    table, rows = torch.zeros(4, 3), torch.zeros(2, 3)
    for call in (add_rows, take_rows):
        for bad in (-1, 4):
            with pytest.raises(MisreadError, match="of 4 rows"):
                call(table, torch.tensor([0, bad]), rows)
        with pytest.raises(MisreadError, match="int32"):
            call(table, torch.tensor([0, 1], dtype=torch.int32), rows)
        with pytest.raises(MisreadError, match="shape"):
            call(table, torch.tensor([0, 1, 2]), rows)
    take_or_zero(table, torch.tensor([0, -7]), rows)
    with pytest.raises(MisreadError, match="of 4 rows"):
        take_or_zero(table, torch.tensor([0, 4]), rows)
    with pytest.raises(MisreadError, match="of 3 rows"):
        Distinct(5)(torch.tensor([0, 1, 2]), torch.tensor([0, 3]), 1)


def test_a_product_gets_matrices_that_fit() -> None:
    multiply = VectorProducts(host(False)) if host(False).lanes * 4 >= 32 else None
    if multiply is None:
        pytest.skip("this processor has no products of our own")
    a, b = torch.randn(80, 6), torch.randn(6, 5)
    torch.testing.assert_close(multiply(a, b), a @ b)
    for wrong in (lambda: multiply(a, b[:5]), lambda: multiply(a, b, torch.empty(80, 4))):
        with pytest.raises(MisreadError, match="A product of"):
            wrong()
    with pytest.raises(MisreadError, match="reads bytes"):
        multiply(a, shrunk(torch.randn(6, 5)))
    with pytest.raises(MisreadError, match="float64"):
        pack_columns(host(False), torch.zeros(4, 4, dtype=torch.float64))


def test_a_call_with_other_types_shapes_or_strides_is_another_call() -> None:
    """What was written down of one is done again for what is like it alone."""
    calls = VectorProducts(host(False)).calling if host(False).lanes * 4 >= 32 else None
    if calls is None:
        pytest.skip("this processor has no products of our own")
    calling, times = Calling(calls._calls), []
    x = torch.zeros(4, 6)

    def work(listener: object) -> list[Tensor | None]:
        times.append(listener)
        return [torch.empty(2)]

    for _ in range(5):
        calling.call("key", [x], [], work)  # type: ignore[arg-type]
    assert (len(times), calling.repeats) == (2, 3)
    for other in (x.double(), x[:2], x.t().contiguous().t(), x.int()):
        calling.call("key", [other], [], work)  # type: ignore[arg-type]
    assert (len(times), calling.repeats) == (6, 3)
    with pytest.raises(MisreadError, match="reads bytes"):
        calling.call("key", [shrunk(x)], [], work)  # type: ignore[arg-type]
