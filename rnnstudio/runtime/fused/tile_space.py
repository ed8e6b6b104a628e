"""Memory that products on the matrix unit work in, on the stack: tiles of A, and works for what is laid out ahead.

There is room for two parts of A: one is multiplied while the next one is laid out (tile_ahead.py). As LLVM IR.
"""

from __future__ import annotations

from . import tile_ahead
from .ir import Function
from .tile_ahead import COLUMNS_OF_A, END, NONE, ROWS_OF_A
from .tile_parts import ALONG, LEFT, size, splitter_name

ROWS, DEEP = 128, 512
"""A part of A has so many rows and such depth."""

WORKS = 16
"""The first one is for A, then come those for B's, then the end."""

_AT, _TURN, _BEGUN, _NEXT = (tile_ahead.SIZE * WORKS + 8 * i for i in range(4))
_FOLLOWING = ("source", "ld", "lines", "depth", "kind")
_TILES = -(-(_NEXT + 8 * len(_FOLLOWING)) // 64) * 64
_HALF = size(ROWS, DEEP)

BYTES = _TILES + 2 * _HALF


def kind_of(way: str) -> int:
    """Of the work for an A whose lines lie this way."""
    return ROWS_OF_A if way == ALONG else COLUMNS_OF_A


def room(f: Function) -> str:
    """The address of such memory in `f`, with no works for B's."""
    name = f.fresh("space")
    f.places.append(f"  {name} = alloca [{BYTES} x i8], align 64")
    for offset in (_TURN, _BEGUN):
        f.emit(f"store i64 0, ptr {f.byte(name, str(offset))}, align 8")
    f.emit(f"store ptr {name}, ptr {f.byte(name, str(_AT))}, align 8")
    tile_ahead.none(f, name, NONE)
    tile_ahead.none(f, work(f, name, "1"), END)
    follow(f, name, source="null", ld="0", lines="0", depth="0", kind=str(NONE))
    return name


def work(f: Function, space: str, number: str) -> str:
    return f.byte(space, f.mul(number, tile_ahead.SIZE))


def follow(f: Function, space: str, **values: str) -> None:
    """What is multiplied after the product that is made next: where it begins, its row length, lines, depth, kind."""
    for i, name in enumerate(_FOLLOWING):
        kind = "ptr" if name == "source" else "i64"
        f.emit(f"store {kind} {values[name]}, ptr {f.byte(space, str(_NEXT + 8 * i))}, align 8")


def next_work(f: Function) -> tuple[str, str]:
    """A work of %space, and its kind, or NONE where nothing is left."""
    cell = f.byte("%space", str(_AT))
    now = f.let(f"load ptr, ptr {cell}, align 8")
    done = f.let(f"icmp eq i64 {tile_ahead.left_of(f, now)}, 0")
    last = f.let(f"icmp eq i64 {tile_ahead.kind_of(f, now)}, {END}")
    further = f.let(f"and i1 {done}, {f.let(f'xor i1 {last}, true')}")
    chosen = f.let(f"select i1 {further}, ptr {f.byte(now, str(tile_ahead.SIZE))}, ptr {now}")
    f.emit(f"store ptr {chosen}, ptr {cell}, align 8")
    some = f.let(f"icmp sgt i64 {tile_ahead.left_of(f, chosen)}, 0")
    return chosen, f.let(f"select i1 {some}, i64 {tile_ahead.kind_of(f, chosen)}, i64 {NONE}")


def laid_out(f: Function, way: str, begin: str, rows: str, deep: str, high: str) -> str:
    """Tiles of the part of A that begins there, in blocks of so many rows: begun by `begin_next`, or laid out here."""
    cells = f.byte("%space", str(_TURN)), f.byte("%space", str(_BEGUN))
    turn, begun = (f.let(f"load i64, ptr {cell}, align 8") for cell in cells)
    tiles = _tiles(f, turn)
    there = f.let(f"icmp ne i64 {begun}, 0")
    with f.when(there):
        f.emit(f"call void @{tile_ahead.FINISH}(ptr %space)")
    with f.when(f.let(f"xor i1 {there}, true")):
        sizes = f"i64 {rows}, i64 {deep}, i64 {high}"
        f.emit(f"call void @{splitter_name(LEFT, way)}(ptr {begin}, i64 %lda, {sizes}, ptr {tiles})")
    f.emit(f"store i64 {f.let(f'xor i64 {turn}, 1')}, ptr {cells[0]}, align 8")
    return tiles


def begin_next(f: Function, way: str, row: str, deep: str, most: str) -> None:
    """Begin to lay out `most` rows of @…(A, lda, rows, depth …) from `row` on, from `deep` of their depth on; or what
    follows, where there are no such rows.
    """
    at = f.add(f.mul(row, "%lda"), deep) if way == ALONG else f.add(f.mul(deep, "%lda"), row)
    own = f.address("%A", at), "%lda", f.let(f"sub nsw i64 %rows, {row}"), f.let(f"sub nsw i64 %depth, {deep}")
    over = f.let(f"icmp sge i64 {row}, %rows")
    chosen = []
    for i, (name, value) in enumerate(zip(_FOLLOWING, (*own, str(kind_of(way))), strict=True)):
        kind = "ptr" if name == "source" else "i64"
        other = f.let(f"load {kind}, ptr {f.byte('%space', str(_NEXT + 8 * i))}, align 8")
        chosen.append(f.let(f"select i1 {over}, {kind} {other}, {kind} {value}"))
    source, ld, lines, depth, work_kind = chosen
    tiles = _tiles(f, f.let(f"load i64, ptr {f.byte('%space', str(_TURN))}, align 8"))
    sizes = f"i64 {f.least(lines, most)}, i64 {f.least(depth, str(DEEP))}"
    call = f"call i1 @{tile_ahead.BEGIN}(ptr %space, i64 {work_kind}, ptr {source}, i64 {ld}, {sizes}, ptr {tiles})"
    begun = f.let(f"zext i1 {f.let(call)} to i64")
    f.emit(f"store i64 {begun}, ptr {f.byte('%space', str(_BEGUN))}, align 8")
    f.emit(f"store ptr %space, ptr {f.byte('%space', str(_AT))}, align 8")


def _tiles(f: Function, turn: str) -> str:
    return f.byte("%space", f.add(f.mul(turn, _HALF), str(_TILES)))


