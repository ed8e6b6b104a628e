"""Long products on the matrix unit, as LLVM IR: the depth in chunks, so that B's tiles stay in the second cache.

Weights' gradients are such products: their depth is every step of every example. Each thread takes a part of the depth,
lays out what it multiplies itself, and adds up in memory of its own; so it works with what its caches hold. Torch-free.
"""

from __future__ import annotations

from . import tile_ahead
from . import tile_space as space
from .ir import Function, Target
from .tile_parts import LINES

JOB = "rnn_tile_chunks_range"
"""(plans, first, last + 1, thread): goes through plans, which are given as the addresses of their tables."""

PLAN, LAYOUT, PRODUCT = "iiipipibi", "fpiiipi", "fpiiipii"
"""64-bit numbers in a table: p for addresses, f for those of functions, i for numbers, b for 0 or 1.

A plan: first of its part of the depth, last + 1, depth of a chunk, layouts, how many, products, how many, whether to
add to C, bytes from the tiles of one chunk to those of the next one, which are laid out meanwhile. A layout: function,
B, its row length, columns, bytes from depth to depth, tiles, kind of work (tile_ahead.py). A product: function
(tiles.py: stages), A, lda, rows, bytes from depth to depth, factors, how many, kind of work."""


def chunks(t: Target) -> Function:
    f = Function(t, f"define void @{JOB}(ptr %plans, i64 %first, i64 %last, i64 %thread) nounwind")
    own = space.room(f)
    with f.loop("%first", "%last") as number:
        (plan,) = f.numbers(f.byte("%plans", f.mul(number, 8)), "p")
        begin, end, chunk, layouts, laid, products, made, add, half = f.numbers(plan, PLAN)
        works = f.least(laid, str(space.WORKS - 2))
        with f.loop("0", works) as i:
            tile_ahead.none(f, space.work(f, own, f.add(i, "1")), tile_ahead.NONE)
        tile_ahead.none(f, space.work(f, own, f.add(works, "1")), tile_ahead.END)
        with f.loop(begin, end, chunk) as k:
            deep = f.least(f.let(f"sub nsw i64 {end}, {k}"), chunk)
            after = f.add(k, chunk)
            next_deep = f.least(f.let(f"sub nsw i64 {end}, {after}"), chunk)  # 0 or less after the last one
            gone = f.let(f"sub nsw i64 {k}, {begin}")
            odd = f.let(f"trunc i64 {f.let(f'sdiv i64 {gone}, {chunk}')} to i1")
            shift, other = (f.let(f"select i1 {odd}, i64 {a}, i64 {b}") for a, b in ((half, "0"), ("0", half)))
            with f.loop("0", laid) as i:
                function, b, ld, columns, step, tiles, kind = f.numbers(_row(f, layouts, LAYOUT, i), LAYOUT)
                work = space.work(f, own, f.add(f.least(i, works), "1"))
                begun = f.let(f"icmp sgt i64 {tile_ahead.kind_of(f, work)}, {tile_ahead.NONE}")
                with f.when(begun):
                    f.emit(f"call void @{tile_ahead.FINISH}(ptr {work})")
                with f.when(f.let(f"xor i1 {begun}, true")):
                    sizes = f"i64 {ld}, i64 {columns}, i64 {deep}, i64 {LINES}"
                    place = f.byte(tiles, shift)
                    f.emit(f"call void {function}(ptr {f.byte(b, f.mul(k, step))}, {sizes}, ptr {place})")
                with f.when(f.let(f"icmp slt i64 {i}, {works}")):
                    sizes = f"i64 {ld}, i64 {columns}, i64 {next_deep}, ptr {f.byte(tiles, other)}"
                    source = f.byte(b, f.mul(after, step))
                    call = f"call i1 @{tile_ahead.BEGIN}(ptr {work}, i64 {kind}, ptr {source}, {sizes})"
                    with f.when(f.let(f"xor i1 {f.let(call)}, true")):
                        tile_ahead.none(f, work, tile_ahead.NONE)
            more = f.let(f"or i1 {add}, {f.let(f'icmp sgt i64 {k}, {begin}')}")
            with f.loop("0", made) as i:
                _follow(f, own, products, made, i, ((k, deep), (after, next_deep)))
                function, a, lda, rows, step, factors, count, _ = f.numbers(_row(f, products, PRODUCT, i), PRODUCT)
                sizes = f"i64 {lda}, i64 {rows}, i64 {deep}, ptr {factors}, i64 {count}, i64 0"
                how = f"i1 {more}, i1 false, i1 false, i64 {shift}, ptr {own}"
                f.emit(f"call void {function}(ptr {f.byte(a, f.mul(k, step))}, {sizes}, {how})")
    f.emit("ret void")
    return f


def _row(f: Function, table: str, kinds: str, number: str) -> str:
    return f.byte(table, f.mul(number, 8 * len(kinds)))


def _follow(
    f: Function, own: str, products: str, made: str, i: str, depths: tuple[tuple[str, str], tuple[str, str]]
) -> None:
    """What is multiplied after the i-th product: the next one, or the first one in the next chunk, if there is any.

    depths: where the depth begins, and how much there is, in this chunk and the next one.
    """
    (k, deep), (after, next_deep) = depths
    further = f.add(i, "1")
    same = f.let(f"icmp slt i64 {further}, {made}")
    _, a, lda, rows, step, _, _, kind = f.numbers(
        _row(f, products, PRODUCT, f.let(f"select i1 {same}, i64 {further}, i64 0")), PRODUCT
    )
    at, depth = (f.let(f"select i1 {same}, i64 {x}, i64 {y}") for x, y in ((k, after), (deep, next_deep)))
    some = f.let(f"icmp sgt i64 {depth}, 0")
    lines = f.let(f"select i1 {some}, i64 {rows}, i64 0")
    space.follow(f, own, source=f.byte(a, f.mul(at, step)), ld=lda, lines=lines, depth=depth, kind=kind)
