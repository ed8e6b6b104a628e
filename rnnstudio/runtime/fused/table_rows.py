"""Rows of a table by their numbers: taken, and on the way back added up. Machine code on the CPU, else torch's own.

torch's index_add_ goes number by number, and takes as long as a product of the loop; its index_select writes to tensors
without gaps alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from . import checked
from .ir import Function, Target, declarations
from .jit import CannotCompile, Code, compile_ir, host

_ROWS = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 4)


def add_rows(table: Tensor, numbers: Tensor, rows: Tensor) -> Tensor:
    """table[numbers[i]] += rows[i]. table [count, width], numbers [n] int64, rows [n, width]; all numbers are valid."""
    code = _code(table.dtype) if table.device.type == "cpu" else None
    if code is None or table.stride(1) != 1 or rows.stride(1) != 1:
        return table.index_add_(0, numbers, rows)
    _run(code.add, table, numbers, rows)
    return table


def take_rows(table: Tensor, numbers: Tensor, rows: Tensor) -> Tensor:
    """rows[i] = table[numbers[i]]. Shapes as in `add_rows`."""
    code = _code(table.dtype) if table.device.type == "cpu" else None
    if code is None or table.stride(1) != 1 or rows.stride(1) != 1:
        return rows.copy_(table.index_select(0, numbers))
    _run(code.take, table, numbers, rows)
    return rows


def take_or_zero(table: Tensor, numbers: Tensor, rows: Tensor) -> Tensor:
    """rows[i] = table[numbers[i]], or zeros where the number is negative. Shapes as in `add_rows`."""
    code = _code(table.dtype) if table.device.type == "cpu" else None
    if code is None or table.stride(1) != 1 or rows.stride(1) != 1:
        there = numbers >= 0
        rows.zero_()[there] = table.index_select(0, numbers[there])
        return rows
    _run(code.take_or_zero, table, numbers, rows, negative=True)
    return rows


def _run(call: Callable[..., None], table: Tensor, numbers: Tensor, rows: Tensor, *, negative: bool = False) -> None:
    n, width = rows.shape
    numbers = numbers.contiguous()
    if checked.CHECKING:
        checked.lies("a table", table, table.dtype)
        checked.buffer("rows of a table", rows, table.dtype, (len(numbers), table.shape[1]), (rows.stride(0), 1))
        checked.numbers("numbers of rows", numbers, len(table), negative=negative)
    call(table.data_ptr(), numbers.data_ptr(), rows.data_ptr(), table.stride(0), rows.stride(0), n, width)


@dataclass(frozen=True)
class _RowCode:
    code: Code
    add: Callable[..., None]
    take: Callable[..., None]
    take_or_zero: Callable[..., None]


@lru_cache(maxsize=4)
def _code(dtype: torch.dtype) -> _RowCode | None:
    if dtype not in (torch.float32, torch.float64):
        return None
    target = host(dtype == torch.float64)
    try:
        code = compile_ir(declarations(target) + moving(target), target, {})
    except CannotCompile:
        return None
    return _RowCode(code, *(_ROWS(code.address(name)) for name in ("add_rows", "take_rows", "take_or_zero")))


def moving(t: Target) -> str:
    """All functions."""
    return adding(t) + taking(t) + taking(t, or_zero=True)


def adding(t: Target) -> str:
    """@add_rows (table, numbers, rows, row length of the table, of the rows, rows, width)."""

    def add(f: Function, entry: str, row: str, mask: str) -> None:
        f.store(f.op("fadd", f.load(entry, mask), f.load(row, mask)), entry, mask)

    return _row_by_row(t, "add_rows", add)


def taking(t: Target, *, or_zero: bool = False) -> str:
    """@take_rows, with the arguments of @add_rows; @take_or_zero: zeros for negative numbers."""

    def take(f: Function, entry: str, row: str, mask: str) -> None:
        f.store(f.load(entry, mask), row, mask)

    return _row_by_row(t, "take_or_zero" if or_zero else "take_rows", take, or_zero=or_zero)


def _row_by_row(t: Target, name: str, do: Callable[[Function, str, str, str], None], *, or_zero: bool = False) -> str:
    args = "ptr noalias %table, ptr noalias %numbers, ptr noalias %rows, i64 %to, i64 %from, i64 %n, i64 %width"
    f = Function(t, f"define void @{name}({args}) nounwind")
    whole = f.mul(f.let(f"sdiv i64 %width, {t.lanes}"), t.lanes)
    mask = f.lanes_below(f.let(f"sub nsw i64 %width, {whole}"))
    some = f.let(f"icmp slt i64 {whole}, %width")
    with f.loop("0", "%n") as i:
        place = f.let(f"getelementptr i64, ptr %numbers, i64 {i}", "p")
        number = f.let(f"load i64, ptr {place}, align 8")
        target, source = f.address("%table", f.mul(number, "%to")), f.address("%rows", f.mul(i, "%from"))
        stop, rest = whole, some
        if or_zero:
            there = f.let(f"icmp sge i64 {number}, 0")
            stop, rest = f.let(f"select i1 {there}, i64 {whole}, i64 0"), f.let(f"and i1 {there}, {some}")
            with f.when(f.let(f"xor i1 {there}, true")):
                size = f.mul("%width", t.size)
                f.emit(f"call void @llvm.memset.p0.i64(ptr {source}, i8 0, i64 {size}, i1 false)")
        with f.loop("0", stop, str(t.lanes)) as j:
            do(f, f.address(target, j), f.address(source, j), "")
        with f.when(rest):
            do(f, f.address(target, whole), f.address(source, whole), mask)
    f.emit("ret void")
    return f.text()
