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
    for condition, limits in ((whole, None), (f.let(f"xor i1 {whole}, true"), (left, rest))):
        with f.when(condition):
            if by_line:
                with f.loop("0", left) as i:
                    source = f.address("%X", f.add(f.mul(f.add(first, i), "%ld"), f.mul(k, DEPTH)))
                    _write(f, at, f.mul(i, 64), _row_of_line(f, source, limits and (f"{LINES}", rest), 0))
            else:
                _tile(f, (side == LEFT) == (way == ACROSS), way, first, f.mul(k, DEPTH), at, limits)


def _tile(f: Function, turned: bool, way: str, first: str, deep: str, at: str, limits: tuple[str, str] | None) -> None:
    rows = []
    for i in range(LINES):
        if way == ALONG:
            source = f.address("%X", f.add(f.mul(f.add(first, str(i)), "%ld"), deep))
            rows.append(_row_of_line(f, source, limits, i))
        else:
            source = f.address("%X", f.add(f.mul(f.add(deep, str(i)), "%ld"), first))
            rows.append(_row_of_pair(f, source, limits, i))
    if turned:
        _write_turned(f, at, rows)
        return
    for i, parts in enumerate(rows):
        _write(f, at, str(64 * i), parts)


def _row_of_line(f: Function, source: str, limits: tuple[str, str] | None, i: int) -> list[str]:
    """32 numbers of the i-th line, as 16 pairs, in parts. limits: how many lines there are, and how much depth."""
    t = f.target
    masks = ["", ""]
    if limits is not None:
        left, rest = limits
        there = f.let(f"icmp sgt i64 {left}, {i}")
        every = [f.lanes_below(rest), f.lanes_below(f.let(f"sub nsw i64 {rest}, {t.lanes}"))]
        masks = [f.let(f"select i1 {there}, {t.bools} {m}, {t.bools} zeroinitializer") for m in every]
    low = _parts(f, f.load(source, masks[0]))
    high = _parts(f, f.load(f.address(source, str(t.lanes)), masks[1]))
    return _side_by_side(f, low, high)


def _row_of_pair(f: Function, source: str, limits: tuple[str, str] | None, row: int) -> list[str]:
    """Numbers `row` and row + 16 of the depth for each of 16 lines, in parts."""
    t = f.target
    halves = []
    for i in range(2):
        mask = ""
        if limits is not None:
            left, rest = limits
            there = f.let(f"icmp sgt i64 {rest}, {row + LINES * i}")
            mask = f.let(f"select i1 {there}, {t.bools} {f.lanes_below(left)}, {t.bools} zeroinitializer")
        place = f.address(source, f.mul("%ld", LINES)) if i else source
        halves.append(_parts(f, f.load(place, mask)))
    return _side_by_side(f, *halves)


def _side_by_side(f: Function, low: list[str], high: list[str]) -> list[str]:
    """Parts of two vectors, as `_parts` makes them, in the lower and upper halves of one."""
    kind = f.target.integers
    lower = [f.let(f"lshr {kind} {part}, {_SIXTEEN}") for part in low]
    return [f.let(f"or {kind} {a}, {b}") for a, b in zip(lower, high, strict=True)]


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


def _write(f: Function, at: str, row: str, parts: list[str]) -> None:
    t = f.target
    for i, part in enumerate(parts):
        place = f.byte(at, f.add(row, str(i * BYTES)))
        f.emit(f"store {t.integers} {part}, ptr {place}, align {t.size}")


def _write_turned(f: Function, at: str, rows: list[list[str]]) -> None:
    for part, square in enumerate(zip(*rows, strict=True)):
        for i, row in enumerate(f.turned(list(square), f.target.integers)):
            place = f.byte(at, str(part * BYTES + 64 * i))
            f.emit(f"store {f.target.integers} {row}, ptr {place}, align {f.target.size}")
