"""Memory that products on the matrix unit work in, on the stack: tiles of one factor, and works for what is laid out
ahead. As LLVM IR.

There is room for two parts of the factor: one is multiplied while the next one is laid out (tile_ahead.py). That is
0.8 MB in each thread; threads have 8 MB where nobody says otherwise (ulimit -s, OMP_STACKSIZE), and 1 MB suffices.
"""

from __future__ import annotations

from collections.abc import Callable

from . import tile_ahead
from .ir import Function
from .tile_ahead import END, NONE
from .tile_parts import size

ROWS, DEEP = 128, 512
"""A part has so many lines, and such depth, at most."""

_WORKS = 3
"""One for the next part; one that a caller may use; the end."""

_AT, _TURN, _BEGUN = (tile_ahead.SIZE * _WORKS + 8 * i for i in range(3))
_TILES = -(-(_BEGUN + 8) // 64) * 64
_HALF = size(ROWS, DEEP)
_BYTES = _TILES + 2 * _HALF


def room(f: Function) -> str:
    """The address of such memory in `f`, with nothing to do."""
    name = f.fresh("space")
    f.places.append(f"  {name} = alloca [{_BYTES} x i8], align 64")
    for offset in (_TURN, _BEGUN):
        f.emit(f"store i64 0, ptr {f.byte(name, str(offset))}, align 8")
    f.emit(f"store ptr {name}, ptr {f.byte(name, str(_AT))}, align 8")
    tile_ahead.none(f, name, NONE)
    tile_ahead.none(f, further_work(f, name), NONE)
    tile_ahead.none(f, f.byte(name, str(2 * tile_ahead.SIZE)), END)
    return name


def further_work(f: Function, space: str) -> str:
    """A work that is done when the one for the next part is. Either a caller's or `fetch_next`'s."""
    return f.byte(space, str(tile_ahead.SIZE))


def fetch_next(f: Function, space: str, source: str, tiles: str, far: str) -> None:
    """Begin to fetch two rows of tiles, beside what else is to be done. It takes the place of `further_work`."""
    work, cell = further_work(f, space), f.byte(space, str(_AT))
    tile_ahead.fetch(f, work, source, tiles, far)
    now = f.let(f"load ptr, ptr {cell}, align 8")
    over = f.let(f"icmp eq i64 {tile_ahead.kind_of(f, now)}, {END}")
    f.emit(f"store ptr {f.let(f'select i1 {over}, ptr {work}, ptr {now}')}, ptr {cell}, align 8")


def next_work(f: Function, space: str) -> tuple[str, str]:
    """What is to be laid out, and its kind, or NONE where nothing is left."""
    cell = f.byte(space, str(_AT))
    now = f.let(f"load ptr, ptr {cell}, align 8")
    done = f.let(f"icmp eq i64 {tile_ahead.left_of(f, now)}, 0")
    last = f.let(f"icmp eq i64 {tile_ahead.kind_of(f, now)}, {END}")
    further = f.let(f"and i1 {done}, {f.let(f'xor i1 {last}, true')}")
    chosen = f.let(f"select i1 {further}, ptr {f.byte(now, str(tile_ahead.SIZE))}, ptr {now}")
    f.emit(f"store ptr {chosen}, ptr {cell}, align 8")
    some = f.let(f"icmp sgt i64 {tile_ahead.left_of(f, chosen)}, 0")
    return chosen, f.let(f"select i1 {some}, i64 {tile_ahead.kind_of(f, chosen)}, i64 {NONE}")


def laid_out(f: Function, space: str, lay_out: Callable[[str], None]) -> str:
    """Tiles of the part that `begin_next` has begun, or that is laid out at an address now."""
    cells = f.byte(space, str(_TURN)), f.byte(space, str(_BEGUN))
    turn, begun = (f.let(f"load i64, ptr {cell}, align 8") for cell in cells)
    tiles = _tiles(f, space, turn)
    there = f.let(f"icmp ne i64 {begun}, 0")
    with f.when(there):
        f.emit(f"call void @{tile_ahead.FINISH}(ptr {space})")
    with f.when(f.let(f"xor i1 {there}, true")):
        lay_out(tiles)
    f.emit(f"store i64 {f.let(f'xor i64 {turn}, 1')}, ptr {cells[0]}, align 8")
    return tiles


def begin_next(f: Function, space: str, kind: str, source: str, ld: str, lines: str, depth: str) -> None:
    """Begin to lay out the next part, of a work's kind. No lines or depth: there is none."""
    tiles = _tiles(f, space, f.let(f"load i64, ptr {f.byte(space, str(_TURN))}, align 8"))
    sizes = f"i64 {ld}, i64 {lines}, i64 {depth}, ptr {tiles}"
    call = f"call i1 @{tile_ahead.BEGIN}(ptr {space}, i64 {kind}, ptr {source}, {sizes})"
    begun = f.let(f"zext i1 {f.let(call)} to i64")
    f.emit(f"store i64 {begun}, ptr {f.byte(space, str(_BEGUN))}, align 8")
    f.emit(f"store ptr {space}, ptr {f.byte(space, str(_AT))}, align 8")


def _tiles(f: Function, space: str, turn: str) -> str:
    return f.byte(space, f.add(f.mul(turn, _HALF), str(_TILES)))
