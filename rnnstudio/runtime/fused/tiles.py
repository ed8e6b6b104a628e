"""Matrix products in float32 on a processor's matrix unit (Intel's AMX), as LLVM IR: C (+)= A · B. Torch-free.

The unit multiplies tiles of bfloat16 and adds up in float32. Every number is three bfloat16 parts (tile_parts.py), and
six products of parts give the product to float32's accuracy, in half the time that vectors take. A sum with an infinite
term is NaN here, and what is below 10⁻³³ loses digits: the unit knows no subnormal numbers.

At the edges of C results go through a buffer, so nothing outside of C is touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import tile_ahead, tile_chunks
from . import tile_space as space
from .ir import Function, Target
from .tile_ahead import ROWS_OF_A
from .tile_kernels import BLOCK, COPY, DECLARED, SHAPES, SQUARE, WIDE, configure, height, kernel_name, kernels
from .tile_parts import ACROSS, ALONG, BYTES, DEPTH, LEFT, LINES, RIGHT, splitter_name, splitters

PRODUCT_OF_TILES = "rnn_tile_product"
"""Of an A whose lines lie along (tile_parts.py); for others see tile_chunks.py."""

_LARGE = 1 << 17
"""Numbers of a weight beyond which its tiles, 0.8 MB and more, leave the second cache in a loop, which works on others
besides. It reads them as seldom as can be: for space.ROWS rows of A at a time, their depth to and fro (measured at 512
× 512: 5 % less time). Else for as few rows as a micro-kernel takes: so that most are laid out while others are
multiplied, and stay in the first cache."""

_FEW_ROWS = 32

_LAYOUTS = {way: splitter_name(RIGHT, way) for way in (ALONG, ACROSS)}

LAYOUT, PRODUCT, FACTOR = "piiip", "piiipib", "pipi"
"""Kinds of the numbers in tables (ir.Function.numbers).

What to lay out, its row length, columns (these are lines), depth, tiles. Of a product A, lda, rows, depth, factors, how
many, whether to add. Of a factor B, columns, C, ldc.
"""

_PRODUCT_ARGS = "ptr %A, i64 %lda, i64 %rows, i64 %depth, ptr %factors, i64 %count, i64 %first, i1 %add, i1 %back"
_RANGE = "ptr %table, i64 %from, i64 %to, i64 %thread"

JOBS = (*(f"{name}_range" for name in (*_LAYOUTS.values(), PRODUCT_OF_TILES)), tile_chunks.JOB)
"""Functions (table, first block of 16 lines, last + 1, thread), and the one of tile_chunks.py."""


def library(t: Target) -> str:
    """The products, for loops and for products over all steps at once, and what lays B out."""
    parts = [configure(t).text(), tile_ahead.code(t), kernels(t), _multiply(t).text()]
    parts += [make(t).text() for make in (_stages, _product, _product_range)]
    parts += [_layout_range(t, way).text() for way in _LAYOUTS]
    parts.append(tile_chunks.chunks(t).text())
    return "\n".join([DECLARED, splitters(t), *parts])


def declared() -> str:
    """Declarations for modules that multiply by tiles."""
    return f"declare void @{PRODUCT_OF_TILES}(ptr, i64, i64, i64, ptr, i64, i64, i1, i1)\n"


def product(t: Target, name: str, columns: int, depth: int, lda: int, ldc: int, add: bool) -> str:
    """@name(A, B, rows, C, turn): see products.product. turn: in odd ones B is gone through from its end."""
    f = Function(t, f"define internal void @{name}(ptr %A, ptr %B, i64 %rows, ptr %C, i64 %turn) nounwind")
    odd = f.let("trunc i64 %turn to i1")
    f.places.append(f"  %factor = alloca [{len(FACTOR)} x i64], align 8")
    for i, number in enumerate(("ptr %B", f"i64 {columns}", "ptr %C", f"i64 {ldc}")):
        f.emit(f"store {number}, ptr {f.byte('%factor', str(8 * i))}, align 8")
    sizes = f"i64 %rows, i64 {depth}, ptr %factor, i64 1, i64 0"
    f.emit(f"call void @{PRODUCT_OF_TILES}(ptr %A, i64 {lda}, {sizes}, i1 {str(add).lower()}, i1 {odd})")
    f.emit("ret void")
    return f.text()


def _either_way(f: Function, count: str, stop: str, step: int, back: str) -> str:
    """The index of a loop 0, step … below stop, which goes down from the last one when `back` is true.

    What does not fit into the second cache is gone through to and fro: its end is still there.
    """
    last = f.mul(f.let(f"sdiv i64 {f.let(f'sub nsw i64 {stop}, 1')}, {step}"), step)
    return f.let(f"select i1 {back}, i64 {f.let(f'sub nsw i64 {last}, {count}')}, i64 {count}")


def _multiply(t: Target) -> Function:
    """@rnn_tile_multiply(A, B, rows, columns, tiles of depth, from block to block of B, C, ldc, add, back, fetch,
    space): in tiles. The unit is set up for these rows, whose blocks are of even height. fetch: whether B's tiles may
    lie in no nearer cache than the third, so that those of the next columns are fetched beside these.
    """
    args = "ptr %A, ptr %B, i64 %rows, i64 %columns, i64 %tiles, i64 %b_step, ptr %C, i64 %ldc, i1 %add, i1 %back"
    more = "i1 %fetch, ptr %space"
    f = Function(t, f"define internal void @rnn_tile_multiply({args}, {more}) noinline nounwind")
    f.places.append(f"  %out = alloca [{4 * BYTES} x i8], align 64")
    blocks, high = height(f, "%rows")
    a_step = f.mul("%tiles", BLOCK)
    across = f.let(f"sdiv i64 {f.add('%columns', str(LINES - 1))}, {LINES}")
    single = f.let(f"icmp eq i64 {blocks}, 1")
    several = f.let(f"xor i1 {single}, true")
    for kind, when in ((WIDE, single), (SQUARE, several)):
        most = SHAPES[kind][0][1]
        with f.when(when), f.loop("0", across, str(most)) as count:
            n = _either_way(f, count, across, most, "%back")
            b = f.byte("%B", f.mul(n, "%b_step"))
            left = f.least(f.let(f"sub nsw i64 {across}, {n}"), str(most))
            columns = f.let(f"sub nsw i64 %columns, {f.mul(n, LINES)}")
            c = f.address("%C", f.mul(n, LINES))
            if kind == SQUARE:
                _fetch_next(f, n, across)
            with f.loop("0", blocks, "2") as m:
                down = f.least(f.let(f"sub nsw i64 {blocks}, {m}"), "2")
                a = f.byte("%A", f.mul(m, a_step))
                first = f.mul(m, high)
                for shape in SHAPES[kind]:
                    tall = f.let(f"icmp eq i64 {down}, {shape[0]}")
                    fits = f.let(f"and i1 {tall}, {f.let(f'icmp eq i64 {left}, {shape[1]}')}")
                    with f.when(fits):
                        _tiles_of_c(f, _Kernel(kind, *shape, a, b, a_step), c, first, high, columns)
    f.emit("ret void")
    return f


def _fetch_next(f: Function, n: str, across: str) -> None:
    """The two blocks of B that come after the n-th and the one beside it, where there are two."""
    after = f.add(n, f.let("select i1 %back, i64 -2, i64 2"))
    there = f.let(f"icmp sge i64 {after}, 0")
    whole = f.let(f"icmp sle i64 {f.add(after, '2')}, {across}")
    with f.when(f.let(f"and i1 %fetch, {f.let(f'and i1 {there}, {whole}')}")):
        space.fetch_next(f, "%space", f.byte("%B", f.mul(after, "%b_step")), "%tiles", "%b_step")


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A micro-kernel and where its factors are."""

    kind: str
    down: int
    across: int
    a: str
    b: str
    a_step: str

    def call(self, f: Function, c: str, row: str, down: str, add: str) -> None:
        factors = f"ptr {self.a}, ptr {self.b}, i64 {self.a_step}, i64 %b_step, i64 %tiles"
        if (self.kind, self.down, self.across) != (SQUARE, 2, 2):
            name = kernel_name(self.kind, self.down, self.across)
            f.emit(f"call void @{name}({factors}, ptr {c}, i64 {row}, i64 {down}, i1 {add}, ptr null)")
            return
        work, ahead = space.next_work(f, "%space")
        for known in (tile_ahead.NONE, *tile_ahead.KINDS):
            with f.when(f.let(f"icmp eq i64 {ahead}, {known}")):
                name = kernel_name(self.kind, self.down, self.across, known)
                own = f"ptr {c}, i64 {row}, i64 {down}, i1 {add}, ptr {work}"
                f.emit(f"call void @{name}({factors}, {own})")


def _tiles_of_c(f: Function, kernel: _Kernel, c: str, first: str, high: str, columns: str) -> None:
    """Tiles of C from row `first` on: straight to C when all of their rows and columns are C's, else by a buffer. Sums
    begin with what C holds either way, so they do not depend on where rows are cut.
    """
    start = f.address(c, f.mul(first, "%ldc"))
    below = f.add(first, f.mul(high, kernel.down))
    inside = f.let(f"icmp sle i64 {below}, %rows")
    whole = f.let(f"and i1 {inside}, {f.let(f'icmp sge i64 {columns}, {kernel.across * LINES}')}")
    far = f.mul("%ldc", f.target.size)
    row = f.let(f"select i1 {whole}, i64 {far}, i64 {64 * kernel.across}")
    down = f.let(f"select i1 {whole}, i64 {f.mul(far, high)}, i64 {BYTES * kernel.across}")
    place = f.let(f"select i1 {whole}, ptr {start}, ptr %out")
    partly = f.let(f"xor i1 {whole}, true")
    with f.when(f.let(f"and i1 {partly}, %add")):
        _copy_tiles(f, kernel, c, first, high, columns, back=True)
    kernel.call(f, place, row, down, "%add")
    with f.when(partly):
        _copy_tiles(f, kernel, c, first, high, columns, back=False)


def _copy_tiles(f: Function, kernel: _Kernel, c: str, first: str, high: str, columns: str, *, back: bool) -> None:
    """What of the buffer's tiles is C's, to C; or back."""
    for m in range(kernel.down):
        top = f.add(first, f.mul(high, m)) if m else first
        rows = f.least(f.let(f"sub nsw i64 %rows, {top}"), high)
        some = f.least(columns, str(kernel.across * LINES))
        theirs = f.address(c, f.mul(top, "%ldc")), "%ldc"
        own = f.byte("%out", str(m * BYTES * kernel.across)), str(kernel.across * LINES)
        (source, ld), (target, to_ld) = (theirs, own) if back else (own, theirs)
        f.emit(f"call void @{COPY}(ptr {source}, i64 {ld}, ptr {target}, i64 {to_ld}, i64 {rows}, i64 {some})")


def _product(t: Target) -> Function:
    """@rnn_tile_product(A, lda, rows, depth, factors, how many, first, add, back): for each factor C (+)= A · B.

    A factor is four 64-bit numbers: B, its columns, C, ldc. first: the row of C where A's first row is. back: whether B
    is gone through from its end.
    """
    f = Function(t, f"define void @{PRODUCT_OF_TILES}({_PRODUCT_ARGS}) nounwind")
    own, large = space.room(f), _is_large(f, "%depth", "%factors", "%count")
    f.emit(f"call void @rnn_tile_stages({_PRODUCT_ARGS}, i1 {large}, ptr {own})")
    f.emit("ret void")
    return f


def _stages(t: Target) -> Function:
    """@rnn_tile_stages(as _product, whether B's tiles are many, space): some of A's rows, and of their depth, at a
    time, while what comes next is laid out.
    """
    f = Function(t, f"define internal void @rnn_tile_stages({_PRODUCT_ARGS}, i1 %large, ptr %space) nounwind")
    b_step = f.mul(f.let(f"sdiv i64 {f.add('%depth', str(DEPTH - 1))}, {DEPTH}"), BLOCK)
    most = f.let(f"select i1 %large, i64 {space.ROWS}, i64 {_FEW_ROWS}")
    deep_back = f.let("and i1 %large, %back")  # the same for all rows: sums do not depend on how they are shared out
    begins = _either_way(f, "0", "%depth", space.DEEP, deep_back)
    with f.loop("0", "%rows", most) as r:
        rows = f.least(f.let(f"sub nsw i64 %rows, {r}"), most)
        f.emit(f"call void @rnn_tile_configure(i64 {rows})")
        _, high = height(f, rows)
        below = f.add("%first", r)
        odd = f.let(f"trunc i64 {f.let(f'sdiv i64 {r}, {most}')} to i1")
        back = f.let(f"xor i1 %back, {odd}")
        with f.loop("0", "%depth", str(space.DEEP)) as begun:
            k = _either_way(f, begun, "%depth", space.DEEP, deep_back)
            deep = f.least(f.let(f"sub nsw i64 %depth, {k}"), str(space.DEEP))
            at = f.address("%A", f.add(f.mul(r, "%lda"), k))

            def lay(place: str) -> None:
                sizes = f"i64 {rows}, i64 {deep}, i64 {high}"
                f.emit(f"call void @{splitter_name(LEFT, ALONG)}(ptr {at}, i64 %lda, {sizes}, ptr {place})")

            tiles = space.laid_out(f, "%space", lay)
            last = f.let(f"icmp sge i64 {f.add(begun, str(space.DEEP))}, %depth")
            further = f.add(k, f.let(f"select i1 {deep_back}, i64 {-space.DEEP}, i64 {space.DEEP}"))
            row = f.let(f"select i1 {last}, i64 {f.add(r, most)}, i64 {r}")
            column = f.let(f"select i1 {last}, i64 {begins}, i64 {further}")
            lines = f.least(f.let(f"sub nsw i64 %rows, {row}"), most)
            depth = f.least(f.let(f"sub nsw i64 %depth, {column}"), str(space.DEEP))
            source = f.address("%A", f.add(f.mul(row, "%lda"), column))
            space.begin_next(f, "%space", str(ROWS_OF_A), source, "%lda", lines, depth)
            count = f.let(f"sdiv i64 {f.add(deep, str(DEPTH - 1))}, {DEPTH}")
            more = f.let(f"or i1 %add, {f.let(f'icmp sgt i64 {begun}, 0')}")
            with f.loop("0", "%count") as i:
                factor = f.let(f"getelementptr [{len(FACTOR)} x i64], ptr %factors, i64 {i}", "p")
                whole, columns, c, ldc = f.numbers(factor, FACTOR)
                b = f.byte(whole, f.mul(k, BLOCK // DEPTH))
                tall = f"i64 {rows}, i64 {columns}, i64 {count}, i64 {b_step}"
                own = f.address(c, f.mul(below, ldc))
                where = f"ptr {own}, i64 {ldc}, i1 {more}, i1 {back}, i1 %large, ptr %space"
                f.emit(f"call void @rnn_tile_multiply(ptr {tiles}, ptr {b}, {tall}, {where})")
        f.emit("call void @llvm.x86.tilerelease()")
    f.emit("ret void")
    return f


def _is_large(f: Function, depth: str, factors: str, count: str) -> str:
    """Whether the tiles of all these factors do not fit into the second cache."""
    f.places.append("  %total = alloca i64, align 8")
    f.emit("store i64 0, ptr %total, align 8")
    with f.loop("0", count) as i:
        factor = f.let(f"getelementptr [{len(FACTOR)} x i64], ptr {factors}, i64 {i}", "p")
        _, columns, *_ = f.numbers(factor, FACTOR)
        f.emit(f"store i64 {f.add(f.let('load i64, ptr %total, align 8'), columns)}, ptr %total, align 8")
    numbers = f.mul(f.let("load i64, ptr %total, align 8"), depth)
    return f.let(f"icmp sgt i64 {numbers}, {_LARGE}")


def _layout_range(t: Target, way: str) -> Function:
    f = Function(t, f"define void @{_LAYOUTS[way]}_range({_RANGE}) nounwind")
    x, ld, columns, depth, out = f.numbers("%table", LAYOUT)
    first = f.mul("%from", LINES)
    lines = f.least(f.let(f"sub nsw i64 {columns}, {first}"), f.mul(f.let("sub nsw i64 %to, %from"), LINES))
    own = f.address(x, f.mul(first, ld) if way == ALONG else first)
    block = f.mul(f.let(f"sdiv i64 {f.add(depth, str(DEPTH - 1))}, {DEPTH}"), BLOCK)
    target = f.byte(out, f.mul("%from", block))
    sizes = f"i64 {lines}, i64 {depth}, i64 {LINES}"
    f.emit(f"call void @{_LAYOUTS[way]}(ptr {own}, i64 {ld}, {sizes}, ptr {target})")
    f.emit("ret void")
    return f


def _product_range(t: Target) -> Function:
    f = Function(t, f"define void @{PRODUCT_OF_TILES}_range({_RANGE}) nounwind")
    a, lda, rows, depth, factors, count, add = f.numbers("%table", PRODUCT)
    first = f.mul("%from", LINES)
    lines = f.least(f.let(f"sub nsw i64 {rows}, {first}"), f.mul(f.let("sub nsw i64 %to, %from"), LINES))
    own = f.address(a, f.mul(first, lda))
    sizes = f"ptr {own}, i64 {lda}, i64 {lines}, i64 {depth}, ptr {factors}, i64 {count}, i64 {first}"
    f.emit(f"call void @rnn_tile_stages({sizes}, i1 {add}, i1 false, i1 false, ptr {space.room(f)})")
    f.emit("ret void")
    return f
