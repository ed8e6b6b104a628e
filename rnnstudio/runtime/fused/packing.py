"""Weights into the panels that the products read, as LLVM IR. Torch-free.

A panel is two vectors wide: [panels, depth, panel], with zeros beyond the last column. Both packers take
(W, row length of W, columns, depth, panels).
"""

from __future__ import annotations

from .ir import Function, Target
from .products import panel

COLUMNS, ROWS = "columns", "rows"

_TOGETHER = 8
"""Rows that are read to their ends before the next ones: whole pages, one after the other."""


def packer_name(t: Target, way: str) -> str:
    return f"rnn_{t.scalar}_pack_{way}"


def packers(t: Target) -> str:
    """COLUMNS: of W [columns, depth], for y = W x. ROWS: of W [depth, columns], for gx = gy W."""
    return "\n".join((_columns(t).text(), _rows(t).text()))


def _function(t: Target, way: str) -> Function:
    args = "ptr noalias %W, i64 %ld, i64 %columns, i64 %depth, ptr noalias %P"
    return Function(t, f"define void @{packer_name(t, way)}({args}) nounwind")


def _rows(t: Target) -> Function:
    """Each row of a panel is two vectors of a row of W."""
    f = _function(t, ROWS)
    width = panel(t)

    def one(first: str, start: str, stop: str, masks: tuple[str, str]) -> None:
        base = f.address("%P", f.mul(first, "%depth"))
        with f.loop(start, stop) as k:
            for h, mask in enumerate(masks):
                source = f.address("%W", f.add(f.mul(k, "%ld"), f.add(first, str(h * t.lanes))))
                target = f.address(base, f.add(f.mul(k, width), str(h * t.lanes)))
                f.store(f.load(source, mask), target)

    whole = f.mul(f.let(f"sdiv i64 %columns, {width}"), width)
    left = f.let(f"sub nsw i64 %columns, {whole}")
    low, high = f.lanes_below(left), f.lanes_below(f.let(f"sub nsw i64 {left}, {t.lanes}"))
    some = f.let(f"icmp sgt i64 {left}, 0")
    with f.loop("0", "%depth", str(_TOGETHER)) as start:
        stop = f.least(f.add(start, str(_TOGETHER)), "%depth")
        with f.loop("0", whole, str(width)) as first:
            one(first, start, stop, ("", ""))
        with f.when(some):  # NEON has no masks: they are branches there
            one(whole, start, stop, (low, high))
    f.emit("ret void")
    return f


def _columns(t: Target) -> Function:
    """Squares of lanes × lanes are turned in registers; what is left over goes number by number."""
    f = _function(t, COLUMNS)
    lanes, width = t.lanes, panel(t)
    padded = f.mul(f.let(f"sdiv i64 {f.add('%columns', str(width - 1))}, {width}"), width)
    squares = f.mul(f.let(f"sdiv i64 %depth, {lanes}"), lanes)
    with f.loop("0", padded, str(lanes)) as first:
        inside = f.let(f"sdiv i64 {first}, {width}")
        within = f.let(f"srem i64 {first}, {width}")
        base = f.address("%P", f.add(f.mul(f.mul(inside, width), "%depth"), within))
        source = f.address("%W", f.mul(first, "%ld"))
        left = f.let(f"sub nsw i64 %columns, {first}")
        whole = f.let(f"icmp sge i64 {left}, {lanes}")
        turned = f.let(f"select i1 {whole}, i64 {squares}, i64 0")
        with f.loop("0", turned, str(lanes)) as k:
            at = f.address(source, k)
            square = [f.load(f.address(at, f.mul("%ld", i) if i else "0")) for i in range(lanes)]
            for i, column in enumerate(f.turned(square, t.vector)):
                f.store(column, f.address(base, f.mul(f.add(k, str(i)), width)))
        some = f.let(f"icmp slt i64 {left}, {lanes}")
        most = f.let(f"select i1 {some}, i64 {left}, i64 {lanes}")
        none = f.let(f"icmp slt i64 {most}, 0")
        count = f.let(f"select i1 {none}, i64 0, i64 {most}")
        with f.loop(turned, "%depth") as k:
            row = f.address(base, f.mul(k, width))
            with f.loop("0", count) as n:
                one = f.load_scalar(f.address(source, f.add(f.mul(n, "%ld"), k)))
                f.emit(f"store {t.scalar} {one}, ptr {f.address(row, n)}, align {t.size}")
            with f.loop(count, str(lanes)) as n:
                f.emit(f"store {t.scalar} {t.number(0.0)}, ptr {f.address(row, n)}, align {t.size}")
    f.emit("ret void")
    return f
