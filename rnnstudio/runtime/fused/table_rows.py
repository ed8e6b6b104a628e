"""Rows of a table by their numbers: taken, and on the way back added up. Machine code on the CPU, else torch's own.

torch's index_add_ goes number by number, and takes as long as a product of the loop.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from .ir import Function, Target, declarations
from .jit import CannotCompile, Code, compile_ir, host

_ADD = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 4)


def add_rows(table: Tensor, numbers: Tensor, rows: Tensor) -> Tensor:
    """table[numbers[i]] += rows[i]. table [count, width], numbers [n] int64, rows [n, width]; all numbers are valid."""
    code = _code(table.dtype) if table.device.type == "cpu" else None
    if code is None or table.stride(1) != 1 or rows.stride(1) != 1:
        return table.index_add_(0, numbers, rows)
    n, width = rows.shape
    at = (table.data_ptr(), numbers.contiguous().data_ptr(), rows.data_ptr())
    code[1](*at, table.stride(0), rows.stride(0), n, width)
    return table


@lru_cache(maxsize=4)
def _code(dtype: torch.dtype) -> tuple[Code, Callable[..., None]] | None:
    if dtype not in (torch.float32, torch.float64):
        return None
    target = host(dtype == torch.float64)
    try:
        code = compile_ir(declarations(target) + adding(target), target, {})
    except CannotCompile:
        return None
    return code, _ADD(code.address("add_rows"))


def adding(t: Target) -> str:
    """@add_rows (table, numbers, rows, row length of the table, of the rows, rows, width)."""
    args = "ptr noalias %table, ptr noalias %numbers, ptr noalias %rows, i64 %to, i64 %from, i64 %n, i64 %width"
    f = Function(t, f"define void @add_rows({args}) nounwind")
    whole = f.mul(f.let(f"sdiv i64 %width, {t.lanes}"), t.lanes)
    mask = f.lanes_below(f.let(f"sub nsw i64 %width, {whole}"))
    some = f.let(f"icmp slt i64 {whole}, %width")
    with f.loop("0", "%n") as i:
        place = f.let(f"getelementptr i64, ptr %numbers, i64 {i}", "p")
        number = f.let(f"load i64, ptr {place}, align 8")
        target, source = f.address("%table", f.mul(number, "%to")), f.address("%rows", f.mul(i, "%from"))
        with f.loop("0", whole, str(t.lanes)) as j:
            here = f.address(target, j)
            f.store(f.op("fadd", f.load(here), f.load(f.address(source, j))), here)
        with f.when(some):
            here = f.address(target, whole)
            f.store(f.op("fadd", f.load(here, mask), f.load(f.address(source, whole), mask)), here, mask)
    f.emit("ret void")
    return f.text()
