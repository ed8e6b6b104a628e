"""float32 numbers as sums of three bfloat16 ones, laid out as matrix tiles, as LLVM IR. Torch-free.

x = x₀ + x₁ + x₂ without any error: each part takes the 8 leading bits of what the parts before it leave of the 24
(x₀ by cutting off, so that no finite number becomes infinite). A product of two numbers is then the sum of nine
products of parts; the three smallest are below 2⁻²¹ of it and are left out (tiles.py). That is the accuracy of
float32: Henry, Tang and Heinecke 2019, “Leveraging the bfloat16 artificial intelligence datatype for higher-precision
computations”.

A *line* is a row of A or a column of B in A · B; its numbers lie along the depth of the product. Sixteen lines and a
depth of 32 make a tile of 1 kB, and the three parts of it lie one after the other:

[blocks of lines, ⌈depth / 32⌉, 3 parts, 16 rows, 32 numbers].

Numbers i and i + 16 of the depth lie side by side, as the lower and upper half of a lane: so two vectors become one
without any number changing its lane. A row of A's tiles is a line; a row of B's is such a pair for each line. What is
beyond the depth is zero. Rows beyond the lines are zero in B's tiles and not written in A's: they reach rows of C that
nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .ir import Function, Target

LINES, DEPTH, PARTS = 16, 32, 3
BYTES = 1024
"""Of one part of a tile."""

ALONG, ACROSS = "along", "across"
"""How lines lie in memory: each without gaps, or all numbers of one depth without gaps."""

LEFT, RIGHT = "left", "right"
"""The factors: A and B."""

_UPPER = "<" + ", ".join(["i32 -65536"] * LINES) + ">"
_SIXTEEN = "<" + ", ".join(["i32 16"] * LINES) + ">"


def splitter_name(side: str, way: str) -> str:
    return f"rnn_tile_{side}_{way}"


def splitters(t: Target) -> str:
    """@rnn_tile_left_along …: (X, its row length, lines, depth, lines of a block, tiles), for each side and way.

    Blocks of B have 16 lines, those of A up to 16.
    """
    return "\n".join(_splitter(t, side, way).text() for side in (LEFT, RIGHT) for way in (ALONG, ACROSS))


def size(lines: int, depth: int) -> int:
    """Bytes of the tiles of `lines`, in blocks of 16."""
    return -(-lines // LINES) * -(-depth // DEPTH) * PARTS * BYTES


def _splitter(t: Target, side: str, way: str) -> Function:
    args = "ptr noalias %X, i64 %ld, i64 %lines, i64 %depth, i64 %high, ptr noalias %P"
    f = Function(t, f"define void @{splitter_name(side, way)}({args}) nounwind")
    tiles = f.let(f"sdiv i64 {f.add('%depth', str(DEPTH - 1))}, {DEPTH}")
    lines, depth = ("0", "%lines", "%high"), ("0", tiles)
    if way == ALONG:
        with f.loop(*lines) as first, f.loop(*depth) as k:
            _block(f, side, way, first, k, tiles)
    else:  # memory is read row after row
        with f.loop(*depth) as k:
            _fetch_next(f, k)
            with f.loop(*lines) as first:
                _block(f, side, way, first, k, tiles)
    f.emit("ret void")
    return f


def _fetch_next(f: Function, k: str) -> None:
    """Rows of the next tiles along the depth, in their order: a tile goes through 32 rows at once, too many for the
    processor to foresee.
    """
    t = f.target
    start = f.mul(f.add(k, "1"), DEPTH)
    with f.loop(start, f.least(f.add(start, str(DEPTH)), "%depth")) as row:
        base = f.address("%X", f.mul(row, "%ld"))
        with f.loop("0", "%lines", str(t.lanes)) as j:
            f.prefetch(f.address(base, j), write=False)


def _block(f: Function, side: str, way: str, first: str, k: str, tiles: str) -> None:
    """The three parts of one tile: lines from `first` on, the k-th 32 of the depth. Whole tiles need no masks."""
    left = f.least(f.let(f"sub nsw i64 %lines, {first}"), "%high")
    rest = f.let(f"sub nsw i64 %depth, {f.mul(k, DEPTH)}")
    block = f.let(f"sdiv i64 {first}, %high")
    at = f.byte("%P", f.mul(f.add(f.mul(block, tiles), k), PARTS * BYTES))
    deep = f.let(f"icmp sge i64 {rest}, {DEPTH}")
    by_line = way == ALONG and side == LEFT
    whole = deep if by_line else f.let(f"and i1 {deep}, {f.let(f'icmp sge i64 {left}, {LINES}')}")
    row, column = (first, f.mul(k, DEPTH)) if way == ALONG else (f.mul(k, DEPTH), first)
    source = f.address("%X", f.add(f.mul(row, "%ld"), column))
    for condition, limits in ((whole, None), (f.let(f"xor i1 {whole}, true"), (left, rest))):
        with f.when(condition):
            if by_line:
                with f.loop("0", left) as i:
                    line = f.address(source, f.mul(i, "%ld"))
                    halves = [_half_row(f, way, line, "%ld", 0, half, limits and (str(LINES), rest)) for half in (0, 1)]
                    write(f, at, f.mul(i, 64), halves)
                continue
            squares = [[_half_row(f, way, source, "%ld", i, half, limits) for i in range(LINES)] for half in (0, 1)]
            if (side == LEFT) == (way == ACROSS):
                squares = [f.turned(square, f.target.vector) for square in squares]
            for number, row_halves in enumerate(zip(*squares, strict=True)):
                write(f, at, str(64 * number), row_halves)


def _half_row(f: Function, way: str, source: str, ld: str, i: int, half: int, limits: tuple[str, str] | None) -> str:
    """16 numbers of a tile at `source`: of its i-th line, or, where lines lie across, of its i-th depth in that half.

    limits: how many lines there are, and how much depth.
    """
    t = f.target
    row, start = (i, half * LINES) if way == ALONG else (i + half * LINES, 0)
    place = f.address(f.address(source, f.mul(ld, row)) if row else source, str(start))
    if limits is None:
        return f.load(place)
    down, across = limits if way == ALONG else reversed(limits)
    there = f.let(f"icmp sgt i64 {down}, {row}")
    mask = f.lanes_below(f.let(f"sub nsw i64 {across}, {start}") if start else across)
    return f.load(place, f.let(f"select i1 {there}, {t.bools} {mask}, {t.bools} zeroinitializer"))


Part = Callable[[], None]
"""Writes some code, to be put between other code."""


def half_tile(f: Function, way: str, source: str, ld: str, at: str) -> list[Part]:
    """Eight rows of a whole tile, of A where lines lie along, of B where they lie across."""

    def part(i: int) -> Part:
        return lambda: write(f, at, str(64 * i), [_half_row(f, way, source, ld, i, half, None) for half in (0, 1)])

    return [part(i) for i in range(LINES // 2)]


def turn_tile(f: Function, source: str, ld: str, at: str) -> list[Part]:
    """Brings the numbers of a whole tile of A whose lines lie across to its place in memory, line after line.

    Both halves of the depth lie there one after the other, where `divide_tile` finds them.
    """

    def load(half: int, square: list[str], i: int) -> Part:
        return lambda: square.append(_half_row(f, ACROSS, source, ld, i, half, None))

    def store(half: int, square: list[str], i: int) -> Part:
        return lambda: f.store(square[i], f.byte(at, str(half * BYTES + 64 * i)))

    made: list[Part] = []
    for half in (0, 1):
        square: list[str] = []
        made += [load(half, square, i) for i in range(LINES)]
        made += f.turning(square, LINES, f.target.vector)
        made += [store(half, square, i) for i in range(LINES)]
    return made


def divide_tile(f: Function, at: str) -> list[Part]:
    """Divides what `turn_tile` has brought there into parts."""

    def part(i: int) -> Part:
        places = [f.byte(at, str(half * BYTES + 64 * i)) for half in (0, 1)]
        return lambda: write(f, at, str(64 * i), [f.load(place) for place in places])

    return [part(i) for i in range(LINES)]


def _parts(f: Function, x: str) -> list[str]:
    """The three parts of 16 numbers, each in the upper half of a lane, whose lower half is zero."""
    t = f.target
    found = []
    for i in range(PARTS):
        bits = f.let(f"bitcast {t.vector} {x} to {t.integers}")
        if i < PARTS - 1:
            bits = f.let(f"and {t.integers} {bits}, {_UPPER}")
            part = f.let(f"bitcast {t.integers} {bits} to {t.vector}")
            x = f.let(f"fsub {t.vector} {x}, {part}")
        found.append(bits)
    return found


def write(f: Function, at: str, row: str, halves: Sequence[str]) -> None:
    """The parts of two vectors, in the lower and upper halves of lanes, to a row of a tile."""
    t = f.target
    for i, (low, high) in enumerate(zip(*(_parts(f, half) for half in halves), strict=True)):
        both = f.let(f"or {t.integers} {f.let(f'lshr {t.integers} {low}, {_SIXTEEN}')}, {high}")
        f.emit(f"store {t.integers} {both}, ptr {f.byte(at, f.add(row, str(i * BYTES)))}, align {t.size}")
