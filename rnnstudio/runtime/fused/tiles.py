"""Matrix products in float32 on a processor's matrix unit (Intel's AMX), as LLVM IR: C (+)= A · B. Torch-free.

The unit multiplies tiles of bfloat16 and adds up in float32. Every number is three bfloat16 parts (tile_parts.py), and
six products of parts give the product to float32's accuracy, in half the time that vectors take. A sum with an infinite
term is NaN here, and what is below 10⁻³³ loses digits: the unit knows no subnormal numbers.

Accumulators are 2 × 2 tiles of C (32 rows, 32 columns), or 1 × 4 where there are 16 rows or less. At the edges of C
they go through a buffer, so nothing outside of C is touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import jobs, tile_chunks
from .ir import Function, Target
from .team import EACH_THE_WHOLE, team_code
from .tile_parts import ACROSS, ALONG, BYTES, DEPTH, LEFT, LINES, PARTS, RIGHT, size, splitter_name, splitters

PRODUCTS = {way: f"rnn_tile_product_{way}" for way in (ALONG, ACROSS)}
"""Names of the products whose A lies along its rows, or across them (tile_parts.py)."""

_ROWS, _DEEP = {ALONG: 128, ACROSS: 64}, 512
"""A is split in parts of so many rows and such depth, on the stack: 0.4 MB, or 0.2 beside a long B's tiles
(tile_chunks.py). Both stay in the second cache; with fewer rows a B that exceeds it is read more often."""

_BLOCK = PARTS * BYTES
_SQUARE, _WIDE = "square", "wide"
_SHAPES = {_SQUARE: ((2, 2), (2, 1), (1, 2), (1, 1)), _WIDE: ((1, 4), (1, 3), (1, 2), (1, 1))}
"""Tiles of C that one micro-kernel makes: down, across."""

_LEFT, _RIGHT = (4, 5, 6), 7
"""Registers for tiles of A and of B; 6 belongs to B in square products."""

_TERMS = ((0, 2), (0, 1), (1, 1), (1, 0), (2, 0), (0, 0))
"""Parts of A and of B that are multiplied, in this order whatever the shape: C does not depend on how rows are shared
out. The largest come last."""

_DECLARED = """
declare void @llvm.x86.ldtilecfg(ptr)
declare void @llvm.x86.tilerelease()
declare void @llvm.x86.tilezero(i8)
declare void @llvm.x86.tileloadd64(i8, ptr, i64)
declare void @llvm.x86.tilestored64(i8, ptr, i64)
declare void @llvm.x86.tdpbf16ps(i8, i8, i8)
"""


_LAYOUTS = {way: splitter_name(RIGHT, way) for way in (ALONG, ACROSS)}

LAYOUT, PRODUCT, FACTOR, SUM, ROW = "piiip", "piiipib", "pipi", "ppiiib", "ppii"
"""Kinds of the numbers in tables (ir.Function.numbers).

What to lay out, its row length, columns (these are lines), depth, tiles. Of a product A, lda, rows (these are lines),
depth, factors, how many, whether to add. Of a factor B, columns, C, ldc. Of a sum where it goes, its terms, how many
rows of them, their row length, how many columns, whether to add. Of a row where copies go, itself, their row length,
how many columns.
"""

SUMS, COPIES = "rnn_sum_range", "rnn_copies_range"
_RANGE = "ptr %table, i64 %from, i64 %to, i64 %thread"

JOBS = (*(f"{name}_range" for name in (*_LAYOUTS.values(), *PRODUCTS.values())), tile_chunks.JOB, SUMS, COPIES)
"""Functions (table, first block of 16 lines, last + 1, thread), and the one of tile_chunks.py. Sums go by 16
columns in place of lines, copies by one row."""


def library(t: Target, *, team: bool) -> str:
    """The products, for loops and for products over all steps at once, and what lays B out: a module of their own.

    team: with entry points for all threads of OpenMP's team.
    """
    kernels = [_kernel(t, kind, *shape).text() for kind, shapes in _SHAPES.items() for shape in shapes]
    whole = [_product(t, way).text() for way in (ALONG, ACROSS)]
    parts = [_configure(t).text(), *kernels, _carry(t).text(), _multiply(t).text(), *whole]
    parts += [_layout_range(t, way).text() for way in _LAYOUTS] + [_product_range(t, way).text() for way in PRODUCTS]
    parts += [tile_chunks.chunks(t).text(), _sums(t).text(), _copies(t).text(), jobs.all_jobs(t, team=team)]
    teams = team_code(EACH_THE_WHOLE, {jobs.TOGETHER: jobs.NAME}) if team else ""
    return "\n".join([_DECLARED, splitters(t), *parts, teams])


def declared() -> str:
    """Declarations for modules that multiply by tiles."""
    return f"declare void @{PRODUCTS[ALONG]}(ptr, i64, i64, i64, ptr, i64, i64, i1, i1)\n"


def product(t: Target, name: str, columns: int, depth: int, lda: int, ldc: int, add: bool) -> str:
    """@name(A, B, rows, C, turn): see products.product. turn: in odd ones B is gone through from its end."""
    f = Function(t, f"define internal void @{name}(ptr %A, ptr %B, i64 %rows, ptr %C, i64 %turn) nounwind")
    odd = f.let("trunc i64 %turn to i1")
    f.places.append(f"  %factor = alloca [{len(FACTOR)} x i64], align 8")
    for i, number in enumerate(("ptr %B", f"i64 {columns}", "ptr %C", f"i64 {ldc}")):
        f.emit(f"store {number}, ptr {f.byte('%factor', str(8 * i))}, align 8")
    sizes = f"i64 %rows, i64 {depth}, ptr %factor, i64 1, i64 0"
    f.emit(f"call void @{PRODUCTS[ALONG]}(ptr %A, i64 {lda}, {sizes}, i1 {str(add).lower()}, i1 {odd})")
    f.emit("ret void")
    return f.text()


def _height(f: Function, rows: str) -> tuple[str, str]:
    """How many blocks of up to 16 rows there are, and the rows of a block: they are split evenly. rows > 0."""
    blocks = f.let(f"sdiv i64 {f.add(rows, str(LINES - 1))}, {LINES}")
    padded = f.let(f"sub nsw i64 {f.add(rows, blocks)}, 1")
    return blocks, f.let(f"sdiv i64 {padded}, {blocks}")


def _configure(t: Target) -> Function:
    """@rnn_tile_configure(rows): tiles for products with so many rows of A and C, in blocks of even height."""
    f = Function(t, "define internal void @rnn_tile_configure(i64 %rows) nounwind")
    f.places.append("  %config = alloca [64 x i8], align 64")
    blocks, high = _height(f, "%rows")
    single = f.let(f"icmp eq i64 {blocks}, 1")
    f.emit("call void @llvm.memset.p0.i64(ptr align 64 %config, i8 0, i64 64, i1 false)")
    f.emit("store i8 1, ptr %config")
    low = f.let(f"trunc i64 {high} to i8")
    sixth = f.let(f"select i1 {single}, i8 {low}, i8 {LINES}")
    for tile in range(8):
        f.emit(f"store i16 64, ptr {f.byte('%config', str(16 + 2 * tile))}")
        rows = str(LINES) if tile == _RIGHT else sixth if tile == _LEFT[2] else low
        f.emit(f"store i8 {rows}, ptr {f.byte('%config', str(48 + tile))}")
    f.emit("call void @llvm.x86.ldtilecfg(ptr %config)")
    f.emit("ret void")
    return f


def _kernel_name(kind: str, down: int, across: int) -> str:
    return f"rnn_tile_{kind}_{down}x{across}"


def _kernel(t: Target, kind: str, down: int, across: int) -> Function:
    """(A, B, from one block of A to the next, of B, tiles of depth, C, its bytes from row to row and to the next block
    down, add).
    """
    args = "ptr %A, ptr %B, i64 %a_step, i64 %b_step, i64 %tiles, ptr %C, i64 %row, i64 %down, i1 %add"
    f = Function(t, f"define internal void @{_kernel_name(kind, down, across)}({args}) noinline nounwind")
    starts = [f.byte("%C", "%down") if m else "%C" for m in range(down)]
    places = [f.byte(start, str(64 * n)) if n else start for start in starts for n in range(across)]
    f.emit("br i1 %add, label %old, label %new")
    for label, what in (("old", "tileloadd64(i8 {}, ptr {}, i64 %row)"), ("new", "tilezero(i8 {})")):
        f.block(label)
        for c, place in enumerate(places):
            f.emit(f"call void @llvm.x86.{what.format(c, place)}")
        f.emit("br label %ready")
    f.block("ready")
    f.places.append(f"  %awake = alloca {t.vector}, align 64")
    f.emit(f"store volatile {t.vector} zeroinitializer, ptr %awake, align 64")
    with f.loop("0", "%tiles") as k:
        _stay_awake(f)
        at = f.mul(k, _BLOCK)
        a = [f.byte("%A", f.add(at, "%a_step") if m else at) for m in range(down)]
        b = [f.byte("%B", f.add(at, f.mul("%b_step", n)) if n else at) for n in range(across)]
        if kind == _WIDE:
            _wide(f, a[0], b)
        else:
            _square(f, a, b)
    for c, place in enumerate(places):
        f.emit(f"call void @llvm.x86.tilestored64(i8 {c}, ptr {place}, i64 %row)")
    f.emit("ret void")
    return f


def _stay_awake(f: Function) -> None:
    """One sum of whole vectors of numbers. After some 2000 cycles without any, the next tile to be stored waits for
    about 1000 (measured: a fifth of the time at a depth of 256; neither whole numbers nor shorter vectors help).
    """
    kind = f.target.vector
    value = f.let(f"load volatile {kind}, ptr %awake, align 64")
    f.emit(f"store volatile {kind} {f.op('fadd', value, value)}, ptr %awake, align 64")


def _load(f: Function, tile: int, base: str, part: int) -> None:
    place = f.byte(base, str(part * BYTES)) if part else base
    f.emit(f"call void @llvm.x86.tileloadd64(i8 {tile}, ptr {place}, i64 64)")


def _square(f: Function, a: list[str], b: list[str]) -> None:
    """Up to 2 × 2 tiles. Each is loaded as seldom as eight registers allow."""
    left, right = _LEFT[:2], (_RIGHT, _LEFT[2])
    held: dict[tuple[str, int], int] = {}
    for i, j in _TERMS:
        for side, bases, registers, part in (("a", a, left, i), ("b", b, right, j)):
            for n, base in enumerate(bases):
                if held.get((side, n)) != part:
                    _load(f, registers[n], base, part)
                    held[side, n] = part
        for m in range(len(a)):
            for n in range(len(b)):
                f.emit(f"call void @llvm.x86.tdpbf16ps(i8 {m * len(b) + n}, i8 {left[m]}, i8 {right[n]})")


def _wide(f: Function, a: str, b: list[str]) -> None:
    """1 × up to 4 tiles: all parts of A are held."""
    for part, tile in enumerate(_LEFT):
        _load(f, tile, a, part)
    for j in range(PARTS - 1, -1, -1):
        for n, base in enumerate(b):
            _load(f, _RIGHT, base, j)
            for i in (i for i, other in _TERMS if other == j):
                f.emit(f"call void @llvm.x86.tdpbf16ps(i8 {n}, i8 {_LEFT[i]}, i8 {_RIGHT})")


def _carry(t: Target) -> Function:
    """@rnn_tile_carry(results, C, ldc, rows, columns left, row length of the results, add): results to C, or added."""
    args = "ptr %out, ptr %C, i64 %ldc, i64 %rows, i64 %columns, i64 %width, i1 %add"
    f = Function(t, f"define internal void @rnn_tile_carry({args}) noinline nounwind")
    stop = f.least("%columns", "%width")
    with f.loop("0", stop, str(LINES)) as j:
        mask = f.lanes_below(f.let(f"sub nsw i64 {stop}, {j}"))
        old = f.let(f"select i1 %add, {t.bools} {mask}, {t.bools} zeroinitializer")
        with f.loop("0", "%rows") as r:
            place = f.address("%C", f.add(f.mul(r, "%ldc"), j))
            new = f.load(f.address("%out", f.add(f.mul(r, "%width"), j)))
            f.store(f.op("fadd", new, f.load(place, old)), place, mask)
    f.emit("ret void")
    return f


def _either_way(f: Function, count: str, stop: str, step: int, back: str) -> str:
    """The index of a loop 0, step … below stop, which goes down from the last one when `back` is true.

    What does not fit into the second cache is gone through to and fro: its end is still there.
    """
    last = f.mul(f.let(f"sdiv i64 {f.let(f'sub nsw i64 {stop}, 1')}, {step}"), step)
    return f.let(f"select i1 {back}, i64 {f.let(f'sub nsw i64 {last}, {count}')}, i64 {count}")


def _multiply(t: Target) -> Function:
    """@rnn_tile_multiply(A, B, rows, columns, tiles of depth, from block to block of B, C, ldc, add, back): in tiles.

    The unit is set up for these rows, whose blocks are of even height.
    """
    args = "ptr %A, ptr %B, i64 %rows, i64 %columns, i64 %tiles, i64 %b_step, ptr %C, i64 %ldc, i1 %add, i1 %back"
    f = Function(t, f"define internal void @rnn_tile_multiply({args}) noinline nounwind")
    f.places.append(f"  %out = alloca [{4 * BYTES} x i8], align 64")
    blocks, high = _height(f, "%rows")
    a_step = f.mul("%tiles", _BLOCK)
    across = f.let(f"sdiv i64 {f.add('%columns', str(LINES - 1))}, {LINES}")
    single = f.let(f"icmp eq i64 {blocks}, 1")
    several = f.let(f"xor i1 {single}, true")
    for kind, when in ((_WIDE, single), (_SQUARE, several)):
        most = _SHAPES[kind][0][1]
        with f.when(when), f.loop("0", across, str(most)) as count:
            n = _either_way(f, count, across, most, "%back")
            b = f.byte("%B", f.mul(n, "%b_step"))
            left = f.least(f.let(f"sub nsw i64 {across}, {n}"), str(most))
            columns = f.let(f"sub nsw i64 %columns, {f.mul(n, LINES)}")
            c = f.address("%C", f.mul(n, LINES))
            with f.loop("0", blocks, "2") as m:
                down = f.least(f.let(f"sub nsw i64 {blocks}, {m}"), "2")
                a = f.byte("%A", f.mul(m, a_step))
                first = f.mul(m, high)
                for shape in _SHAPES[kind]:
                    tall = f.let(f"icmp eq i64 {down}, {shape[0]}")
                    fits = f.let(f"and i1 {tall}, {f.let(f'icmp eq i64 {left}, {shape[1]}')}")
                    with f.when(fits):
                        _tiles_of_c(f, _Kernel(kind, *shape, a, b, a_step), c, first, high, columns)
    f.emit("ret void")
    return f


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
        name = _kernel_name(self.kind, self.down, self.across)
        factors = f"ptr {self.a}, ptr {self.b}, i64 {self.a_step}, i64 %b_step, i64 %tiles"
        f.emit(f"call void @{name}({factors}, ptr {c}, i64 {row}, i64 {down}, i1 {add})")


def _tiles_of_c(f: Function, kernel: _Kernel, c: str, first: str, high: str, columns: str) -> None:
    """Tiles of C from row `first` on: straight to C when all of their rows and columns are C's, else by a buffer."""
    start = f.address(c, f.mul(first, "%ldc"))
    below = f.add(first, f.mul(high, kernel.down))
    inside = f.let(f"icmp sle i64 {below}, %rows")
    whole = f.let(f"and i1 {inside}, {f.let(f'icmp sge i64 {columns}, {kernel.across * LINES}')}")
    with f.when(whole):
        row = f.mul("%ldc", f.target.size)
        kernel.call(f, start, row, f.mul(row, high), "%add")
    with f.when(f.let(f"xor i1 {whole}, true")):
        kernel.call(f, "%out", str(64 * kernel.across), str(BYTES * kernel.across), "false")
        for m in range(kernel.down):
            top = f.add(first, f.mul(high, m)) if m else first
            rows = f.least(f.let(f"sub nsw i64 %rows, {top}"), high)
            place = f.address(c, f.mul(top, "%ldc"))
            out = f.byte("%out", str(m * BYTES * kernel.across))
            more = f"i64 {rows}, i64 {columns}, i64 {kernel.across * LINES}, i1 %add"
            f.emit(f"call void @rnn_tile_carry(ptr {out}, ptr {place}, i64 %ldc, {more})")


def _product(t: Target, way: str) -> Function:
    """@rnn_tile_product_…(A, lda, rows, depth, factors, how many, first, add, back): for each factor C (+)= A · B.

    lda: numbers from line to line of an A that lies along, from depth to depth where it lies across. A factor is four
    64-bit numbers: B, its columns, C, ldc. first: the row of C where A's first row is.
    """
    args = "ptr %A, i64 %lda, i64 %rows, i64 %depth, ptr %factors, i64 %count, i64 %first, i1 %add, i1 %back"
    f = Function(t, f"define void @{PRODUCTS[way]}({args}) nounwind")
    f.places.append(f"  %tiles = alloca [{size(_ROWS[way], _DEEP)} x i8], align 64")
    b_step = f.mul(f.let(f"sdiv i64 {f.add('%depth', str(DEPTH - 1))}, {DEPTH}"), _BLOCK)
    with f.loop("0", "%rows", str(_ROWS[way])) as r:
        rows = f.least(f.let(f"sub nsw i64 %rows, {r}"), str(_ROWS[way]))
        f.emit(f"call void @rnn_tile_configure(i64 {rows})")
        _, high = _height(f, rows)
        below = f.add("%first", r)
        odd = f.let(f"trunc i64 {f.let(f'sdiv i64 {r}, {_ROWS[way]}')} to i1")
        back = f.let(f"xor i1 %back, {odd}")
        with f.loop("0", "%depth", str(_DEEP)) as begun:
            k = _either_way(f, begun, "%depth", _DEEP, back)
            deep = f.least(f.let(f"sub nsw i64 %depth, {k}"), str(_DEEP))
            at = f.add(f.mul(r, "%lda"), k) if way == ALONG else f.add(f.mul(k, "%lda"), r)
            sizes = f"i64 {rows}, i64 {deep}, i64 {high}"
            name = splitter_name(LEFT, way)
            f.emit(f"call void @{name}(ptr {f.address('%A', at)}, i64 %lda, {sizes}, ptr %tiles)")
            count = f.let(f"sdiv i64 {f.add(deep, str(DEPTH - 1))}, {DEPTH}")
            more = f.let(f"or i1 %add, {f.let(f'icmp sgt i64 {begun}, 0')}")
            with f.loop("0", "%count") as i:
                factor = f.let(f"getelementptr [{len(FACTOR)} x i64], ptr %factors, i64 {i}", "p")
                whole, columns, c, ldc = f.numbers(factor, FACTOR)
                b = f.byte(whole, f.mul(k, _BLOCK // DEPTH))
                tall = f"i64 {rows}, i64 {columns}, i64 {count}, i64 {b_step}"
                own = f.address(c, f.mul(below, ldc))
                where = f"ptr {own}, i64 {ldc}, i1 {more}, i1 {back}"
                f.emit(f"call void @rnn_tile_multiply(ptr %tiles, ptr {b}, {tall}, {where})")
        f.emit("call void @llvm.x86.tilerelease()")
    f.emit("ret void")
    return f


def _layout_range(t: Target, way: str) -> Function:
    f = Function(t, f"define void @{_LAYOUTS[way]}_range({_RANGE}) nounwind")
    x, ld, columns, depth, out = f.numbers("%table", LAYOUT)
    first = f.mul("%from", LINES)
    lines = f.least(f.let(f"sub nsw i64 {columns}, {first}"), f.mul(f.let("sub nsw i64 %to, %from"), LINES))
    own = f.address(x, f.mul(first, ld) if way == ALONG else first)
    block = f.mul(f.let(f"sdiv i64 {f.add(depth, str(DEPTH - 1))}, {DEPTH}"), _BLOCK)
    target = f.byte(out, f.mul("%from", block))
    sizes = f"i64 {lines}, i64 {depth}, i64 {LINES}"
    f.emit(f"call void @{_LAYOUTS[way]}(ptr {own}, i64 {ld}, {sizes}, ptr {target})")
    f.emit("ret void")
    return f


def _product_range(t: Target, way: str) -> Function:
    f = Function(t, f"define void @{PRODUCTS[way]}_range({_RANGE}) nounwind")
    a, lda, rows, depth, factors, count, add = f.numbers("%table", PRODUCT)
    first = f.mul("%from", LINES)
    lines = f.least(f.let(f"sub nsw i64 {rows}, {first}"), f.mul(f.let("sub nsw i64 %to, %from"), LINES))
    own = f.address(a, f.mul(first, lda) if way == ALONG else first)
    sizes = f"i64 {lines}, i64 {depth}, ptr {factors}, i64 {count}, i64 {first}"
    f.emit(f"call void @{PRODUCTS[way]}(ptr {own}, i64 {lda}, {sizes}, i1 {add}, i1 false)")
    f.emit("ret void")
    return f


def _sums(t: Target) -> Function:
    f = Function(t, f"define void @{SUMS}({_RANGE}) nounwind")
    out, parts, rows, ld, width, add = f.numbers("%table", SUM)
    stop = f.least(width, f.mul("%to", LINES))
    total = f.place()
    with f.loop(f.mul("%from", LINES), stop, str(t.lanes)) as j:
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
    with f.loop("0", width, str(t.lanes)) as j:
        mask = f.lanes_below(f.let(f"sub nsw i64 {width}, {j}"))
        value = f.load(f.address(row, j), mask)
        with f.loop("%from", "%to") as r:
            f.store(value, f.address(out, f.add(f.mul(r, ld), j)), mask)
    f.emit("ret void")
    return f
