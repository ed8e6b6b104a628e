"""Long products on the matrix unit, as LLVM IR: C (+)= Aᵀ · B, whose depth is every step of every example. Torch-free.

Weights' gradients are such products. Some lines of A at a time go through the depth in chunks: their tiles stay in the
second cache while 32 columns of B after the other are laid out and multiplied. The tiles of the next columns, and those
of the next chunk of A, are laid out meanwhile (tile_ahead.py). A is laid out once, as its lines have to be turned; B,
which costs half of that, once for each window of A. Each thread takes a part of the depth and adds up in memory of its
own, so it works with what its caches hold; where the depth has fewer parts than there are threads, some share a part by
lines of A.
"""

from __future__ import annotations

from . import tile_ahead
from . import tile_space as space
from .ir import Function, Target
from .tile_kernels import BLOCK, height
from .tile_parts import DEPTH, LINES

JOB = "rnn_tile_chunks_range"
"""(plans, first, last + 1, thread): goes through plans, which are given as the addresses of their tables."""

PLAN, PRODUCT = "iiifpiiiipipib", "fpiiiipi"
"""64-bit numbers in a table: p for addresses, f for those of functions, i for numbers, b for 0 or 1.

A plan: first of its part of the depth, last + 1, depth of a chunk; function that lays A out, A, its row length, lines,
bytes from depth to depth, kind of work (tile_ahead.py); tiles for two chunks, bytes of one; products, how many, whether
to add to C. A product: function that lays B out, B, its row length, columns, bytes from depth to depth, kind of work,
C, ldc."""

COLUMNS = 32
"""Of B at a time: as many as a micro-kernel takes."""


def chunks(t: Target) -> Function:
    f = Function(t, f"define void @{JOB}(ptr %plans, i64 %first, i64 %last, i64 %thread) nounwind")
    own = space.room(f)
    ahead = space.further_work(f, own)
    with f.loop("%first", "%last") as number:
        (plan,) = f.numbers(f.byte("%plans", f.mul(number, 8)), "p")
        begin, end, chunk, lay_out, a, lda, lines, step, kind, tiles, half, products, made, add = f.numbers(plan, PLAN)
        f.emit(f"call void @rnn_tile_configure(i64 {lines})")
        _, high = height(f, lines)
        tile_ahead.none(f, ahead, tile_ahead.NONE)
        with f.loop(begin, end, chunk) as k:
            deep = f.least(f.let(f"sub nsw i64 {end}, {k}"), chunk)
            after = f.add(k, chunk)
            next_deep = f.least(f.let(f"sub nsw i64 {end}, {after}"), chunk)  # 0 or less after the last one
            gone = f.let(f"sub nsw i64 {k}, {begin}")
            odd = f.let(f"trunc i64 {f.let(f'sdiv i64 {gone}, {chunk}')} to i1")
            now, other = (f.byte(tiles, f.let(f"select i1 {odd}, i64 {x}, i64 {y}")) for x, y in ((half, 0), (0, half)))
            begun = f.let(f"icmp ne i64 {tile_ahead.kind_of(f, ahead)}, {tile_ahead.NONE}")
            with f.when(begun):
                f.emit(f"call void @{tile_ahead.FINISH}(ptr {ahead})")
            with f.when(f.let(f"xor i1 {begun}, true")):
                place = f.byte(a, f.mul(k, step))
                f.emit(f"call void {lay_out}(ptr {place}, i64 {lda}, i64 {lines}, i64 {deep}, i64 {high}, ptr {now})")
            sizes = f"i64 {lda}, i64 {lines}, i64 {next_deep}, ptr {other}"
            source = f.byte(a, f.mul(after, step))
            begins = f.let(f"call i1 @{tile_ahead.BEGIN}(ptr {ahead}, i64 {kind}, ptr {source}, {sizes})")
            with f.when(f.let(f"xor i1 {begins}, true")):
                tile_ahead.none(f, ahead, tile_ahead.NONE)
            more = f.let(f"or i1 {add}, {f.let(f'icmp sgt i64 {k}, {begin}')}")
            count = f.let(f"sdiv i64 {f.add(deep, str(DEPTH - 1))}, {DEPTH}")
            with f.loop("0", made) as i:
                split, b, ldb, columns, b_step, _, c, ldc = f.numbers(_row(f, products, i), PRODUCT)
                with f.loop("0", columns, str(COLUMNS)) as n:
                    some = f.least(f.let(f"sub nsw i64 {columns}, {n}"), str(COLUMNS))
                    where = _columns(f, b, ldb, b_step, n, k)

                    def lay(place: str) -> None:
                        sizes = f"i64 {ldb}, i64 {some}, i64 {deep}, i64 {LINES}"
                        f.emit(f"call void {split}(ptr {where}, {sizes}, ptr {place})")

                    laid = space.laid_out(f, own, lay)
                    _begin_next(f, own, products, made, (i, n), ((k, deep), (after, next_deep)))
                    sizes = f"i64 {lines}, i64 {some}, i64 {count}, i64 {f.mul(count, BLOCK)}"
                    out = f"ptr {f.address(c, n)}, i64 {ldc}, i1 {more}, i1 false, i1 false, ptr {own}"
                    f.emit(f"call void @rnn_tile_multiply(ptr {now}, ptr {laid}, {sizes}, {out})")
    f.emit("call void @llvm.x86.tilerelease()")
    f.emit("ret void")
    return f


def _row(f: Function, products: str, number: str) -> str:
    return f.byte(products, f.mul(number, 8 * len(PRODUCT)))


def _columns(f: Function, b: str, ld: str, step: str, n: str, k: str) -> str:
    """Where columns from n on, and the depth from k on, begin. Numbers of a depth, or of a column, lie side by side."""
    across = f.let(f"icmp ne i64 {step}, {f.target.size}")
    to_column = f.mul(n, f.let(f"select i1 {across}, i64 {f.target.size}, i64 {f.mul(ld, f.target.size)}"))
    return f.byte(f.byte(b, f.mul(k, step)), to_column)


def _begin_next(
    f: Function,
    own: str,
    products: str,
    made: str,
    now: tuple[str, str],
    depths: tuple[tuple[str, str], tuple[str, str]],
) -> None:
    """Begin what is multiplied after some columns of a product: further ones, else the next product's first ones, else
    the first product's in the next chunk, where there is one.

    depths: where the depth begins, and how much there is, in this chunk and the next one.
    """
    (i, n), ((k, deep), (after, next_deep)) = now, depths
    _, _, _, columns, *_ = f.numbers(_row(f, products, i), PRODUCT)
    further = f.add(n, str(COLUMNS))
    same = f.let(f"icmp slt i64 {further}, {columns}")
    product = f.let(f"select i1 {same}, i64 {i}, i64 {f.add(i, '1')}")
    inside = f.let(f"icmp slt i64 {product}, {made}")
    product = f.let(f"select i1 {inside}, i64 {product}, i64 0")
    column = f.let(f"select i1 {same}, i64 {further}, i64 0")
    at, depth = (f.let(f"select i1 {inside}, i64 {x}, i64 {y}") for x, y in ((k, after), (deep, next_deep)))
    _, b, ld, columns, step, kind, *_ = f.numbers(_row(f, products, product), PRODUCT)
    some = f.least(f.let(f"sub nsw i64 {columns}, {column}"), str(COLUMNS))
    space.begin_next(f, own, kind, _columns(f, b, ld, step, column, at), ld, some, depth)
