"""The choice of a token inside the generated time loops. Torch-free.

Tokens lie as [time, batch] int64, as do the true ones and where these are taken. On the way back the gradient of the
rows is kept for all steps and added to the tables after the loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from .glance_code import Key, Loop, along
from .ir import Function, Target
from .pick import Pick


def keys_of(number: int, pick: Pick, backward: bool) -> Iterator[Key]:
    """What a loop is given for one choice."""
    for what in ("tokens", "true", "taken"):
        yield what, f"pick {number}"
    for i, (name, _, _) in enumerate(pick.tables):
        yield "table", f"pick {number} {i}"
        yield "plain", name
        if backward:
            yield "dplain", name


def declared(t: Target) -> str:
    """The intrinsics that a choice uses beside the usual ones."""
    least = f"declare {t.integer} @llvm.vector.reduce.umin.v{t.lanes}{t.integer}({t.integers})"
    return f"{least}\ndeclare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n"


def forward(loop: Loop, number: int, pick: Pick, rows: str) -> None:
    """All rows of the range at one step."""
    f = loop.f
    with f.loop("%from", "%to") as r:
        row = f.add(rows, r)
        token = _most_likely(f, loop._at(("source", loop.copied[pick.scores]), row, 0), pick.count)
        if pick.choice is not None:
            taken = f.let(f"icmp ne i64 {_number(f, loop.args['taken', f'pick {number}'], row)}, 0")
            true = _number(f, loop.args["true", f"pick {number}"], row)
            token = f.let(f"select i1 {taken}, i64 {true}, i64 {token}")
        place = f.let(f"getelementptr i64, ptr {loop.args['tokens', f'pick {number}']}, i64 {row}", "p")
        f.emit(f"store i64 {token}, ptr {place}, align 8")
        for i, (name, _, width) in enumerate(pick.tables):
            base = f.address(loop.args["table", f"pick {number} {i}"], f.mul(token, width))
            target = f.address(loop.args["plain", name], f.mul(row, width))
            size = width * loop.t.size
            f.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {base}, i64 {size}, i1 false)")


def _number(f: Function, base: str, row: str) -> str:
    at = f.let(f"getelementptr i64, ptr {base}, i64 {row}", "p")
    return f.let(f"load i64, ptr {at}, align 8")


def _most_likely(f: Function, scores: str, count: int) -> str:
    """The first place of the largest of some numbers, an i64."""
    t = f.target
    lowest, last = t.splat(-math.inf), t.integer_splat(count - 1)
    lanes = "<" + ", ".join(f"{t.integer} {i}" for i in range(t.lanes)) + ">"
    largest, place = f.place(), f.fresh("first")
    f.places.append(f"  {place} = alloca {t.integers}, align {t.lanes * t.size}")
    f.emit(f"store {t.vector} {lowest}, ptr {largest}")
    f.emit(f"store {t.integers} {last}, ptr {place}")

    def load(j: str, mask: str) -> str:
        value = f.load(f.address(scores, j), mask)
        return f.let(f"select {t.bools} {mask}, {t.vector} {value}, {t.vector} {lowest}") if mask else value

    def look(j: str, mask: str) -> None:
        before = f.let(f"load {t.vector}, ptr {largest}")
        value = load(j, mask)
        f.emit(f"store {t.vector} {f.select('ogt', before, value, before, value)}, ptr {largest}")

    def find(j: str, mask: str) -> None:
        here = f.let(f"fcmp oeq {t.vector} {load(j, mask)}, {top}")
        if mask:
            here = f.let(f"and {t.bools} {here}, {mask}")
        number = j if t.integer == "i64" else f.let(f"trunc i64 {j} to {t.integer}")
        one = f.let(f"insertelement {t.integers} poison, {t.integer} {number}, i64 0")
        every = f.let(f"shufflevector {t.integers} {one}, {t.integers} poison, <{t.lanes} x i32> zeroinitializer")
        places = f.let(f"add {t.integers} {every}, {lanes}")
        found = f.let(f"select {t.bools} {here}, {t.integers} {places}, {t.integers} {last}")
        before = f.let(f"load {t.integers}, ptr {place}")
        less = f.let(f"icmp ult {t.integers} {found}, {before}")
        least = f.let(f"select {t.bools} {less}, {t.integers} {found}, {t.integers} {before}")
        f.emit(f"store {t.integers} {least}, ptr {place}")

    along(f, count, look)
    vector = f"{t.vector} {f.let(f'load {t.vector}, ptr {largest}')}"
    top = f.broadcast(f.let(f"call {t.scalar} @llvm.vector.reduce.fmax.{t.suffix}({vector})"))
    along(f, count, find)
    found = f.let(f"load {t.integers}, ptr {place}")
    least = f.let(f"call {t.integer} @llvm.vector.reduce.umin.v{t.lanes}{t.integer}({t.integers} {found})")
    return least if t.integer == "i64" else f.let(f"zext {t.integer} {least} to i64")
