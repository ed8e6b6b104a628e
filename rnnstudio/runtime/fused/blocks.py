"""Products over all steps, or nodes, at once, as LLVM IR: blocks of them stay in the caches. Torch-free.

The micro-kernels of `products` do the work. Each job is a function (table, first, last + 1, thread) that does a range
of what it is shared out by; no number it makes depends on how it is shared out.
"""

from __future__ import annotations

from .ir import Function, Target
from .packing import COLUMNS, ROWS, packer_name
from .products import call_kernel, kernels, panel

BY_ROWS, BY_DEPTH = "rnn_by_rows", "rnn_by_depth"
LAYOUTS = {COLUMNS: "rnn_lay_columns", ROWS: "rnn_lay_rows"}
"""Pack panels of B in a range, by the ways of `packing`."""

JOBS = (BY_ROWS, BY_DEPTH, *LAYOUTS.values())

ROWS_TABLE, DEPTH_TABLE, FACTOR, LAYOUT_TABLE = "piiiipipibip", "piiiipipib", "piipii", "piiip"
"""64-bit numbers in tables: p for addresses, i for numbers, b for 0 or 1.

Rows: A, lda, rows, depth, in parts of, packed B, columns, C, ldc, whether to add to C, strips in a block,
memory for a copy of a block for each thread, or 0.
Depth: A, lda, rows, depth, depth of a chunk, memory, its size for each thread, factors, how many, whether to add to C.
A factor: B, ldb, columns, C, ldc, where in a thread's memory its panels lie. Layout: W, its row length, columns, depth,
panels. Sizes are in numbers."""

_GROUP = 4
"""Strips of A that are turned together: their rows are three lines, whose neighbours are fetched meanwhile."""

_LINE = 64
"""Bytes that are fetched at once."""


def code(t: Target) -> str:
    """All jobs. Needs the micro-kernels and packers that loops need, too."""
    packs = "".join(f"declare void @{packer_name(t, way)}(ptr, i64, i64, i64, ptr)\n" for way in LAYOUTS)
    made = (_by_rows(t), _by_depth(t), *(_layout(t, way) for way in LAYOUTS))
    return packs + "\n".join([kernels(t, turned=True), *(job.text() for job in made)])


def strips(t: Target, rows: int) -> int:
    """What products are shared out by: rows for the micro-kernel."""
    return -(-rows // t.rows)


def panels(t: Target, columns: int) -> int:
    """What packing is shared out by."""
    return -(-columns // panel(t))


def memory(t: Target, columns: int, chunk: int) -> int:
    """Numbers that a thread needs in `BY_DEPTH`, columns being those of all packed factors: A's strips come first."""
    return _GROUP * _strip(t, chunk) + columns * chunk


def gapped(t: Target, part: int, block: int) -> int:
    """Numbers that a thread needs in `BY_ROWS` for a copy of a block: rows with gaps, so that they do not all lie in
    one set of the first cache, as those do whose length is a multiple of 4 kB.
    """
    return block * t.rows * ((part + 31) // 16 * 16)


def _strip(t: Target, chunk: int) -> int:
    """Numbers in a strip of A that is turned."""
    return -(-(chunk * t.rows + t.lanes) // 16) * 16


def _job(t: Target, name: str) -> Function:
    return Function(t, f"define void @{name}(ptr %table, i64 %first, i64 %last, i64 %thread) nounwind")


def _by_rows(t: Target) -> Function:
    """C (+)= A · B: some strips of A at a time, which stay in the second cache while all panels of B go by."""
    f = _job(t, BY_ROWS)
    a, lda, rows, depth, part, packed, columns, c, ldc, add, block, room = f.numbers("%table", ROWS_TABLE)
    copied = f.let(f"icmp ne ptr {room}, null")
    length = f.let(f"and i64 {f.add(part, '31')}, -16")  # see gapped
    own = f.address(room, f.mul(f.mul("%thread", f.mul(block, t.rows)), length))
    line = f.let(f"select i1 {copied}, i64 {length}, i64 {lda}")
    stop = f.least(f.mul("%last", t.rows), rows)
    most = f.mul(block, t.rows)
    with f.loop(f.mul("%first", t.rows), stop, most) as top:
        end = f.least(f.add(top, most), stop)
        with f.loop("0", depth, part) as k:
            deep = f.least(f.let(f"sub nsw i64 {depth}, {k}"), part)
            more = f.let(f"or i1 {add}, {f.let(f'icmp sgt i64 {k}, 0')}")
            given = f.address(a, f.add(f.mul(top, lda), k))
            with f.when(copied):
                _copy(f, given, lda, f.let(f"sub nsw i64 {end}, {top}"), deep, own, length)
            begin = f.let(f"select i1 {copied}, ptr {own}, ptr {given}")
            with f.loop("0", columns, str(panel(t))) as n:
                b = f.address(packed, f.add(f.mul(n, depth), f.mul(k, panel(t))))
                with f.loop(top, end, str(t.rows)) as r:
                    count = f.least(f.let(f"sub nsw i64 {end}, {r}"), str(t.rows))
                    here = f.address(begin, f.mul(f.let(f"sub nsw i64 {r}, {top}"), line))
                    there = f.address(c, f.add(f.mul(r, ldc), n))
                    args = f"ptr {here}, i64 {line}, ptr {b}, i64 {deep}, ptr {there}, i64 {ldc}, i1 {more}"
                    _kernel(f, count, args, f.let(f"sub nsw i64 {columns}, {n}"), False)
    f.emit("ret void")
    return f


def _copy(f: Function, a: str, lda: str, rows: str, columns: str, to: str, length: str) -> None:
    lanes = f.target.lanes
    whole = f.mul(f.let(f"sdiv i64 {columns}, {lanes}"), lanes)
    rest = f.lanes_below(f.let(f"sub nsw i64 {columns}, {whole}"))
    with f.loop("0", rows) as r:
        source, target = f.address(a, f.mul(r, lda)), f.address(to, f.mul(r, length))
        with f.loop("0", whole, str(lanes)) as j:
            f.store(f.load(f.address(source, j)), f.address(target, j))
        f.store(f.load(f.address(source, whole), rest), f.address(target, whole))


def _by_depth(t: Target) -> Function:
    """C (+)= Aᵀ · B for each B, A [depth, rows]: chunks of the depth, of which B's panels stay in the second cache."""
    f = _job(t, BY_DEPTH)
    a, lda, rows, depth, chunk, room, size, factors, count, add = f.numbers("%table", DEPTH_TABLE)
    own = f.address(room, f.mul("%thread", size))
    each = f.let(f"and i64 {f.add(f.mul(chunk, t.rows), str(t.lanes + 15))}, -16")  # see _strip
    laid = f.address(own, f.mul(each, _GROUP))
    stop = f.least(f.mul("%last", t.rows), rows)
    with f.loop("0", depth, chunk) as k:
        deep = f.least(f.let(f"sub nsw i64 {depth}, {k}"), chunk)
        more = f.let(f"or i1 {add}, {f.let(f'icmp sgt i64 {k}, 0')}")
        with f.loop("0", count) as i:
            b, ldb, columns, _, _, at = f.numbers(_factor(f, factors, i), FACTOR)
            given = f"ptr {f.address(b, f.mul(k, ldb))}, i64 {ldb}, i64 {columns}, i64 {deep}"
            f.emit(f"call void @{packer_name(t, ROWS)}({given}, ptr {f.address(laid, at)})")
        with f.loop(f.mul("%first", t.rows), stop, str(_GROUP * t.rows)) as top:
            _turn(f, f.address(a, f.add(f.mul(k, lda), top)), lda, deep, f.let(f"sub nsw i64 {stop}, {top}"), own, each)
            end = f.least(f.add(top, str(_GROUP * t.rows)), stop)
            with f.loop(top, end, str(t.rows)) as r:
                high = f.least(f.let(f"sub nsw i64 {end}, {r}"), str(t.rows))
                number = f.let(f"sdiv i64 {f.let(f'sub nsw i64 {r}, {top}')}, {t.rows}")
                mine = f.address(own, f.mul(number, each))
                with f.loop("0", count) as i:
                    _, _, columns, c, ldc, at = f.numbers(_factor(f, factors, i), FACTOR)
                    row, start = f.address(c, f.mul(r, ldc)), f.address(laid, at)
                    with f.loop("0", columns, str(panel(t))) as n:
                        b = f.address(start, f.mul(n, deep))
                        where = f"ptr {f.address(row, n)}, i64 {ldc}, i1 {more}"
                        args = f"ptr {mine}, i64 {t.rows}, ptr {b}, i64 {deep}, {where}"
                        _kernel(f, high, args, f.let(f"sub nsw i64 {columns}, {n}"), True)
    f.emit("ret void")
    return f


def _factor(f: Function, factors: str, number: str) -> str:
    return f.byte(factors, f.mul(number, 8 * len(FACTOR)))


def _turn(f: Function, a: str, lda: str, deep: str, left: str, own: str, each: str) -> None:
    """A group of strips of A, with so many rows left: [depth, rows] of each, one after the other in memory.

    Lanes beyond a strip are written, too: the next depth's numbers go over them, and after the last one there is room.
    """
    t = f.target
    pieces = []
    for g in range(_GROUP):
        within = f.least(f.let(f"sub nsw i64 {left}, {g * t.rows}"), str(t.rows))
        base = f.address(own, f.mul(each, g))
        for start in range(0, t.rows, t.lanes):
            mask = f.lanes_below(f.let(f"sub nsw i64 {within}, {start}"))
            pieces.append((g * t.rows + start, f.address(base, str(start)), mask))
    numbers = _GROUP * t.rows
    with f.loop("0", deep) as d:
        row, at = f.address(a, f.mul(d, lda)), f.mul(d, t.rows)
        for ahead in range(numbers, 2 * numbers, _LINE // t.size):
            f.prefetch(f.address(row, str(ahead)), write=False, second=True)
        for first, base, mask in pieces:
            f.store(f.load(f.address(row, str(first)), mask), f.address(base, at))


def _kernel(f: Function, count: str, args: str, left: str, turned: bool) -> None:
    """The micro-kernel for so many rows, where so many columns are left."""
    t = f.target
    whole = f.let(f"icmp sge i64 {left}, {panel(t)}")
    with f.when(whole):
        call_kernel(f, count, args, turned=turned)
    with f.when(f.let(f"xor i1 {whole}, true")):
        call_kernel(f, count, args, left, turned=turned)


def _layout(t: Target, way: str) -> Function:
    f = _job(t, LAYOUTS[way])
    w, ld, columns, depth, packed = f.numbers("%table", LAYOUT_TABLE)
    start = f.mul("%first", panel(t))
    some = f.let(f"sub nsw i64 {f.least(f.mul('%last', panel(t)), columns)}, {start}")
    begin = f.address(w, f.mul(start, ld) if way == COLUMNS else start)
    to = f.address(packed, f.mul(start, depth))
    with f.when(f.let(f"icmp sgt i64 {some}, 0")):
        f.emit(f"call void @{packer_name(t, way)}(ptr {begin}, i64 {ld}, i64 {some}, i64 {depth}, ptr {to})")
    f.emit("ret void")
    return f
