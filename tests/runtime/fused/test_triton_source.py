"""What is printed for Triton: valid Python, a printed form of every operation, nothing read or written past an edge."""

from __future__ import annotations

import ast

import pytest
import torch

from rnnstudio.runtime.fused.expressions import LEAVES
from rnnstudio.runtime.fused.loops import Loops
from rnnstudio.runtime.fused.plan import Plan
from rnnstudio.runtime.fused.serve import FusedLoop
from rnnstudio.runtime.fused.triton_loop import declines, no_triton
from rnnstudio.runtime.fused.triton_source import (
    PRINTED_OPS,
    Kernel,
    backward_kernels,
    forward_kernels,
    text_of,
    why_not,
)

from .cells import CELLS, Draw, delay, program


def plan_of(draw: Draw, units: int, *, ragged: bool = False) -> Plan:
    made = program(draw, units)
    (scan,) = made.scans()
    fused = Loops(made).fused(scan, ragged=ragged, training=True)
    assert isinstance(fused, FusedLoop), fused
    return fused.plan


def kernels(plan: Plan) -> list[Kernel]:
    return [k for k in (*forward_kernels(plan), *backward_kernels(plan)) if k]


def calls(text: str, name: str) -> list[ast.Call]:
    """All calls tl.name(…) of a text."""
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [call for call in found if isinstance(call.func, ast.Attribute) and call.func.attr == name]


@pytest.mark.parametrize(("units", "ragged"), [(7, True), (64, False)])
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_printed_as_python_with_each_value_known_before_it_is_used(
    name: str, units: int, ragged: bool
) -> None:
    plan = plan_of(CELLS[name], units, ragged=ragged)
    assert why_not(plan) == ""
    for interpreted in (False, True):
        module = ast.parse(text_of(kernels(plan), interpreted=interpreted))
        functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
        assert set(functions) >= {k.name for k in kernels(plan)}
    library = {"exp", "log", "log1p", "rsqrt", "tanh", "tl", "float"}
    for kernel in kernels(plan):
        known = library | {arg.arg for arg in functions[kernel.name].args.args}
        for line in functions[kernel.name].body:
            used = {node.id for node in ast.walk(line) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
            assert used <= known, ast.unparse(line)
            known |= {node.id for node in ast.walk(line) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("name", CELLS)
def test_a_width_that_is_no_power_of_two_is_masked_wherever_memory_is_touched(name: str) -> None:
    for kernel in kernels(plan_of(CELLS[name], 7)):
        for call in [*calls(kernel.text, "load"), *calls(kernel.text, "store")]:
            text = ast.unparse(call)
            mask = next((ast.unparse(k.value) for k in call.keywords if k.arg == "mask"), "")
            columns = [node.id for node in ast.walk(call.args[0]) if isinstance(node, ast.Name)]
            for column in (c for c in columns if c[0] == "c" and c[1:].isdigit()):
                assert f"in{column[1:]}" in mask, text
            if "row" in columns or "at" in columns:
                assert "here" in mask, text


def test_every_operation_that_the_torch_function_knows_has_a_printed_form() -> None:
    from rnnstudio.runtime.fused.torch_loop import FUNCTIONS

    assert set(FUNCTIONS) <= PRINTED_OPS


def test_sums_over_a_row_keep_it_in_one_program_and_other_stages_are_cut_into_columns() -> None:
    assert [k.columns for k in kernels(plan_of(CELLS["lstm"], 64))] == [64, 64]
    assert [k.columns for k in kernels(plan_of(CELLS["normalised"], 64))] == [0, 0]
    assert all(k.columns == 0 for k in kernels(plan_of(CELLS["gate of width one"], 64)))


def part_and_whole(s, units: int) -> str:
    """A part of the state and all of it are read by values of different widths: their gradients overlap."""
    low = s.add("low", "Slice", at=(0, 0), params={"start": 1, "stop": units}, input="h_before")
    bent = s.add("bent", "Tanh", at=(0, 0), input=low)
    params = {"units": units, "terms": 2}
    total = s.add("total", "Linear", at=(0, 0), params=params, input="x", input2=bent)
    kept = s.add("kept", "Sigmoid", at=(0, 0), input="h_before")
    h = s.add("h", "Tanh", at=(0, 0), input=s.add("sum", "Add", at=(0, 0), a=total, b=kept))
    delay(s, "h_before", h, width=units)
    return h


def test_threads_wait_before_adding_to_what_others_of_their_program_have_written() -> None:
    overlapping = kernels(plan_of(part_and_whole, 8))
    assert any("tl.debug_barrier()" in k.text and k.columns == 0 for k in overlapping)
    assert not any("tl.debug_barrier()" in k.text for k in kernels(plan_of(CELLS["lstm"], 8)))


def test_a_leaf_of_the_graph_is_never_taken_for_an_operation() -> None:
    assert not PRINTED_OPS & LEAVES


def test_without_triton_or_a_gpu_the_reason_is_said() -> None:
    reason = declines(torch.device("cpu"))
    if no_triton():
        assert "Triton" in reason
    else:
        assert reason in ("", "Triton is for a GPU")
    assert declines(torch.device("meta"))
