"""Long products on the matrix unit, as LLVM IR: the depth in chunks, so that B's tiles stay in the second cache.

Weights' gradients are such products: their depth is every step of every example. Each thread takes a part of the depth,
lays out what it multiplies itself, and adds up in memory of its own; so it works with what its caches hold. Torch-free.
"""

from __future__ import annotations

from .ir import Function, Target
from .tile_parts import LINES

JOB = "rnn_tile_chunks_range"
"""(plans, first, last + 1, thread): goes through plans, which are given as the addresses of their tables."""

PLAN, LAYOUT, PRODUCT = "iiipipib", "fpiiip", "fpiiipi"
"""64-bit numbers in a table: p for addresses, f for those of functions, i for numbers, b for 0 or 1.

A plan: first of its part of the depth, last + 1, depth of a chunk, layouts, how many, products, how many, whether to
add to C. A layout: function, B, its row length, columns, bytes from depth to depth, tiles. A product: function, A, lda,
rows, bytes from depth to depth, factors (tiles.py), how many."""


def chunks(t: Target) -> Function:
    f = Function(t, f"define void @{JOB}(ptr %plans, i64 %first, i64 %last, i64 %thread) nounwind")
    with f.loop("%first", "%last") as number:
        (plan,) = f.numbers(f.byte("%plans", f.mul(number, 8)), "p")
        begin, end, chunk, layouts, laid, products, made, add = f.numbers(plan, PLAN)
        with f.loop(begin, end, chunk) as k:
            deep = f.least(f.let(f"sub nsw i64 {end}, {k}"), chunk)
            with f.loop("0", laid) as i:
                own = f.byte(layouts, f.mul(i, 8 * len(LAYOUT)))
                function, b, ld, columns, step, tiles = f.numbers(own, LAYOUT)
                sizes = f"i64 {ld}, i64 {columns}, i64 {deep}, i64 {LINES}"
                f.emit(f"call void {function}(ptr {f.byte(b, f.mul(k, step))}, {sizes}, ptr {tiles})")
            more = f.let(f"or i1 {add}, {f.let(f'icmp sgt i64 {k}, {begin}')}")
            with f.loop("0", made) as i:
                own = f.byte(products, f.mul(i, 8 * len(PRODUCT)))
                function, a, lda, rows, step, factors, count = f.numbers(own, PRODUCT)
                sizes = f"i64 {lda}, i64 {rows}, i64 {deep}, ptr {factors}, i64 {count}, i64 0, i1 {more}, i1 false"
                f.emit(f"call void {function}(ptr {f.byte(a, f.mul(k, step))}, {sizes})")
    f.emit("ret void")
    return f
