"""The matrix unit's micro-kernels as LLVM IR: a few tiles of C (+)= A · B. Torch-free.

Accumulators are 2 × 2 tiles of C (32 rows, 32 columns), or 1 × 4 where there are 16 rows or less. Those of 2 × 2 lay
out tiles of what is multiplied next meanwhile (tile_ahead.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

from .ir import Function, Target
from .tile_ahead import KINDS, NONE, go_on, left_of, pieces
from .tile_parts import BYTES, LINES, PARTS, Part

BLOCK = PARTS * BYTES
COPY = "rnn_tile_copy"
SQUARE, WIDE = "square", "wide"
SHAPES = {SQUARE: ((2, 2), (2, 1), (1, 2), (1, 1)), WIDE: ((1, 4), (1, 3), (1, 2), (1, 1))}
"""Tiles of C that one micro-kernel makes: down, across."""

_LEFT, _RIGHT = (4, 5, 6), 7
"""Registers for tiles of A and of B; 6 belongs to B in square products."""

_TERMS = ((0, 2), (0, 1), (1, 1), (1, 0), (2, 0), (0, 0))
"""Parts of A and of B that are multiplied, in this order whatever the shape: C does not depend on how rows are shared
out. The largest come last."""

DECLARED = """
declare void @llvm.x86.ldtilecfg(ptr)
declare void @llvm.x86.tilerelease()
declare void @llvm.x86.tilezero(i8)
declare void @llvm.x86.tileloadd64(i8, ptr, i64)
declare void @llvm.x86.tilestored64(i8, ptr, i64)
declare void @llvm.x86.tdpbf16ps(i8, i8, i8)
"""


def height(f: Function, rows: str) -> tuple[str, str]:
    """How many blocks of up to 16 rows there are, and the rows of a block: they are split evenly. rows > 0."""
    blocks = f.let(f"sdiv i64 {f.add(rows, str(LINES - 1))}, {LINES}")
    padded = f.let(f"sub nsw i64 {f.add(rows, blocks)}, 1")
    return blocks, f.let(f"sdiv i64 {padded}, {blocks}")


def configure(t: Target) -> Function:
    """@rnn_tile_configure(rows): tiles for products with so many rows of A and C, in blocks of even height."""
    f = Function(t, "define internal void @rnn_tile_configure(i64 %rows) nounwind")
    f.places.append("  %config = alloca [64 x i8], align 64")
    blocks, high = height(f, "%rows")
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


def kernel_name(kind: str, down: int, across: int, ahead: int = NONE) -> str:
    return f"rnn_tile_{kind}_{down}x{across}" + (f"_ahead{ahead}" if ahead != NONE else "")


def kernels(t: Target) -> str:
    """(A, B, from one block of A to the next, of B, tiles of depth, C, its bytes from row to row and to the next block
    down, add, work): the last one for kernels that lay out.
    """
    every = [_kernel(t, kind, *shape) for kind, shapes in SHAPES.items() for shape in shapes]
    every += [_kernel(t, SQUARE, 2, 2, ahead) for ahead in KINDS]
    return "\n".join([*(kernel.text() for kernel in every), _copy(t).text()])


def _kernel(t: Target, kind: str, down: int, across: int, ahead: int = NONE) -> Function:
    args = "ptr %A, ptr %B, i64 %a_step, i64 %b_step, i64 %tiles, ptr %C, i64 %row, i64 %down, i1 %add, ptr %work"
    name = kernel_name(kind, down, across, ahead)
    f = Function(t, f"define internal void @{name}({args}) noinline nounwind")
    starts = [f.byte("%C", "%down") if m else "%C" for m in range(down)]
    places = [f.byte(start, str(64 * n)) if n else start for start in starts for n in range(across)]
    f.emit("br i1 %add, label %old, label %new")
    for label, what in (("old", "tileloadd64(i8 {}, ptr {}, i64 %row)"), ("new", "tilezero(i8 {})")):
        f.block(label)
        for c, place in enumerate(places):
            f.emit(f"call void @llvm.x86.{what.format(c, place)}")
        if label == "new":
            _fetch(f, starts, across)
        f.emit("br label %ready")
    f.block("ready")
    f.places.append(f"  %awake = alloca {t.vector}, align 64")
    f.emit(f"store volatile {t.vector} zeroinitializer, ptr %awake, align 64")
    with f.loop("0", "%tiles") as k:
        at = f.mul(k, BLOCK)
        a = [f.byte("%A", f.add(at, "%a_step") if m else at) for m in range(down)]
        b = [f.byte("%B", f.add(at, f.mul("%b_step", n)) if n else at) for n in range(across)]
        if kind == WIDE:
            _stay_awake(f)
            _wide(f, a[0], b)
        elif ahead == NONE:
            _stay_awake(f)
            _square(f, a, b, [])
        else:
            left = left_of(f, "%work")
            some = f.let(f"icmp sgt i64 {left}, 0")
            with f.when(some):
                for when, parts in pieces(f, "%work", ahead, left):
                    with f.when(when):
                        _square(f, a, b, parts)
                go_on(f, "%work", ahead, left)
            with f.when(f.let(f"xor i1 {some}, true")):
                _stay_awake(f)
                _square(f, a, b, [])
    for c, place in enumerate(places):
        f.emit(f"call void @llvm.x86.tilestored64(i8 {c}, ptr {place}, i64 %row)")
    f.emit("ret void")
    return f


def _fetch(f: Function, starts: Sequence[str], across: int) -> None:
    """Lines of C that are going to be written only. Else each waits, when it is stored, until it has come."""
    for start, r, n in product(starts, range(LINES), range(across)):
        f.prefetch(f.byte(f.byte(start, f.mul("%row", r)) if r else start, str(64 * n)))


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


def _square(f: Function, a: list[str], b: list[str], meanwhile: Sequence[Part]) -> None:
    """Up to 2 × 2 tiles. Each is loaded as seldom as eight registers allow. Other code is spread evenly between: in one
    piece it keeps the unit waiting (measured: three times as long for it).
    """
    left, right = _LEFT[:2], (_RIGHT, _LEFT[2])
    held: dict[tuple[str, int], int] = {}
    tiles = list(product(range(len(a)), range(len(b))))
    cuts = [len(meanwhile) * i // (len(_TERMS) * len(tiles)) for i in range(len(_TERMS) * len(tiles) + 1)]
    between = (meanwhile[first:last] for first, last in pairwise(cuts))
    for i, j in _TERMS:
        for side, bases, registers, part in (("a", a, left, i), ("b", b, right, j)):
            for n, base in enumerate(bases):
                if held.get((side, n)) != part:
                    _load(f, registers[n], base, part)
                    held[side, n] = part
        for m, n in tiles:
            f.emit(f"call void @llvm.x86.tdpbf16ps(i8 {m * len(b) + n}, i8 {left[m]}, i8 {right[n]})")
            for write in next(between):
                write()


def _wide(f: Function, a: str, b: list[str]) -> None:
    """1 × up to 4 tiles: all parts of A are held."""
    for part, tile in enumerate(_LEFT):
        _load(f, tile, a, part)
    for j in range(PARTS - 1, -1, -1):
        for n, base in enumerate(b):
            _load(f, _RIGHT, base, j)
            for i in (i for i, other in _TERMS if other == j):
                f.emit(f"call void @llvm.x86.tdpbf16ps(i8 {n}, i8 {_LEFT[i]}, i8 {_RIGHT})")


def _copy(t: Target) -> Function:
    """@rnn_tile_copy(X, its row length, Y, its row length, rows, columns): some of X to Y."""
    args = "ptr %X, i64 %ldx, ptr %Y, i64 %ldy, i64 %rows, i64 %columns"
    f = Function(t, f"define internal void @{COPY}({args}) noinline nounwind")
    with f.loop("0", "%columns", str(LINES)) as j:
        mask = f.lanes_below(f.let(f"sub nsw i64 %columns, {j}"))
        with f.loop("0", "%rows") as r:
            value = f.load(f.address("%X", f.add(f.mul(r, "%ldx"), j)), mask)
            f.store(value, f.address("%Y", f.add(f.mul(r, "%ldy"), j)), mask)
    f.emit("ret void")
    return f
