"""Jobs on rows, as LLVM IR: rows added up, and one row copied to many. Torch-free."""

from __future__ import annotations

from .ir import Function, Target

SUMS, COPIES = "rnn_sum_range", "rnn_copies_range"
"""Functions (table, first, last + 1, thread): sums go by COLUMNS columns, copies by one row."""

SUM, ROW = "ppiiib", "ppii"
"""Kinds of the numbers in tables (ir.Function.numbers): of a sum where it goes, its terms, how many rows of them, their
row length, how many columns, whether to add. Of a row where copies go, itself, their row length, how many columns.
"""

COLUMNS = 16

_RANGE = "ptr %table, i64 %from, i64 %to, i64 %thread"


def code(t: Target) -> str:
    return f"{_sums(t).text()}\n{_copies(t).text()}"


def _sums(t: Target) -> Function:
    f = Function(t, f"define void @{SUMS}({_RANGE}) nounwind")
    out, parts, rows, ld, width, add = f.numbers("%table", SUM)
    stop = f.least(width, f.mul("%to", COLUMNS))
    total = f.place()
    with f.loop(f.mul("%from", COLUMNS), stop, str(t.lanes)) as j:
        mask = f.lanes_below(f.let(f"sub nsw i64 {stop}, {j}"))
        old = f.let(f"select i1 {add}, {t.bools} {mask}, {t.bools} zeroinitializer")
        f.store(f.load(f.address(out, j), old), total)
        with f.loop("0", rows) as r:
            term = f.load(f.address(parts, f.add(f.mul(r, ld), j)), mask)
            f.store(f.op("fadd", f.load(total), term), total)
        f.store(f.load(total), f.address(out, j), mask)
    f.emit("ret void")
    return f


def _copies(t: Target) -> Function:
    f = Function(t, f"define void @{COPIES}({_RANGE}) nounwind")
    out, row, ld, width = f.numbers("%table", ROW)
    with f.loop("%from", "%to") as r, f.loop("0", width, str(t.lanes)) as j:
        mask = f.lanes_below(f.let(f"sub nsw i64 {width}, {j}"))
        f.store(f.load(f.address(row, j), mask), f.address(out, f.add(f.mul(r, ld), j)), mask)
    f.emit("ret void")
    return f
