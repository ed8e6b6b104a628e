"""Laying out the next tiles while the matrix unit multiplies, as LLVM IR. Torch-free.

The unit takes 16 cycles for a multiplication that the rest of the core issues in one. So the micro-kernel lays out half
a tile of what is multiplied next at each 32 numbers of its depth. Measured with all data at hand: 15 ns for a tile
whose lines are read as they lie, 75 for one that is turned, where laying them out first takes 120 and 280. Data that
lie farther than the second cache are fetched before: the unit waits for whatever its core waits for, as no more than a
few tiles can be read ahead.

What there is to lay out stands in a *work*, numbers in memory, which goes through whole tiles only: blocks of 16
lines, each along a depth that is a multiple of 32. Several works lie one after the other; the last one says END.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from .ir import Function, Target
from .tile_parts import ACROSS, ALONG, BYTES, DEPTH, LINES, PARTS, Part, divide_tile, half_tile, turn_tile

END, NONE, ROWS_OF_A, COLUMNS_OF_B, COLUMNS_OF_A, FETCH = range(6)
"""Kinds of works. A whose lines lie along, B whose lines lie across, A whose lines lie across (tile_parts.py); tiles
that are there already and only come nearer, from the third cache to the second."""

LAYING = (ROWS_OF_A, COLUMNS_OF_B, COLUMNS_OF_A)
KINDS = (*LAYING, FETCH)

_FIELDS = ("left", "kind", "source", "ld", "step", "wrap", "inner", "rest", "target", "move", "jump")
"""64-bit numbers of a work: halves of tiles that are left, or tiles to fetch; its kind; where the next tile's numbers
begin; their row length. Tiles are gone through as memory is, row after row: bytes from one to the next, and from the
last of `inner` to the first of the next ones; how many are left of these. Where the next tile goes; bytes from there to
where the one after it goes, likewise.
"""

SIZE = 8 * len(_FIELDS)

_TILE = PARTS * BYTES
BEGIN, FINISH = "rnn_tile_begin", "rnn_tile_finish"


def code(t: Target) -> str:
    """@rnn_tile_begin(work, kind, X, its row length, lines, depth, tiles): whether it is begun, else it stays to be
    laid out; @rnn_tile_finish(work): lays out what is left.
    """
    return _begin(t).text() + _finish(t).text()


def none(f: Function, work: str, kind: int) -> None:
    """A work with nothing to do."""
    _put(f, work, left="0", kind=str(kind))


def left_of(f: Function, work: str) -> str:
    return _get(f, work, "left")


def kind_of(f: Function, work: str) -> str:
    return _get(f, work, "kind")


def _field(f: Function, work: str, name: str) -> str:
    return f.byte(work, str(8 * _FIELDS.index(name)))


def _get(f: Function, work: str, name: str) -> str:
    kind = "ptr" if name in ("source", "target") else "i64"
    return f.let(f"load {kind}, ptr {_field(f, work, name)}, align 8")


def _put(f: Function, work: str, **values: str) -> None:
    for name, value in values.items():
        kind = "ptr" if name in ("source", "target") else "i64"
        f.emit(f"store {kind} {value}, ptr {_field(f, work, name)}, align 8")


def _begin(t: Target) -> Function:
    args = "ptr %work, i64 %kind, ptr %X, i64 %ld, i64 %lines, i64 %depth, ptr %P"
    f = Function(t, f"define internal i1 @{BEGIN}({args}) noinline nounwind")
    _put(f, "%work", left="0", kind="%kind")
    odd = f.let(f"or i64 {f.let(f'and i64 %lines, {LINES - 1}')}, {f.let(f'and i64 %depth, {DEPTH - 1}')}")
    whole = f.let(f"icmp eq i64 {odd}, 0")
    able = f.let(f"icmp sgt i64 %kind, {NONE}")
    several = f.let(f"icmp sgt i64 {f.least('%lines', '%depth')}, 0")
    begun = f.let(f"and i1 {f.let(f'and i1 {whole}, {able}')}, {several}")
    with f.when(begun):
        deep, blocks = (f.let(f"sdiv i64 {x}, {n}") for x, n in (("%depth", DEPTH), ("%lines", LINES)))
        row, along = f.mul("%ld", t.size), f.let(f"icmp eq i64 %kind, {ROWS_OF_A}")
        inner = f.let(f"select i1 {along}, i64 {deep}, i64 {blocks}")
        step = f.let(f"select i1 {along}, i64 {DEPTH * t.size}, i64 {LINES * t.size}")
        further = f.mul(row, f.let(f"select i1 {along}, i64 {LINES}, i64 {DEPTH}"))
        tile, block = str(_TILE), f.mul(deep, _TILE)
        move = f.let(f"select i1 {along}, i64 {tile}, i64 {block}")
        beyond = f.let(f"select i1 {along}, i64 {block}, i64 {tile}")
        back = f.let(f"sub nsw i64 {inner}, 1")
        wrap = f.let(f"sub nsw i64 {further}, {f.mul(back, step)}")
        jump = f.let(f"sub nsw i64 {beyond}, {f.mul(back, move)}")
        _put(f, "%work", source="%X", ld="%ld", step=step, wrap=wrap, inner=inner, rest=inner)
        _put(f, "%work", target="%P", move=move, jump=jump, left=f.mul(f.mul(deep, blocks), 2))
    f.emit(f"ret i1 {begun}")
    return f


def fetch(f: Function, work: str, source: str, tiles: str, far: str) -> None:
    """A work that fetches two rows of so many tiles, from the first row to the second so many bytes."""
    wrap = f.let(f"sub nsw i64 {far}, {f.mul(f.let(f'sub nsw i64 {tiles}, 1'), _TILE)}")
    _put(f, work, left=f.mul(tiles, 2), kind=str(FETCH), source=source, step=str(_TILE), wrap=wrap)
    _put(f, work, inner=tiles, rest=tiles, target="null", move="0", jump="0")


def pieces(f: Function, work: str, kind: int, left: str) -> list[tuple[str, list[Part]]]:
    """(when, code) of half a tile, or of a tile to fetch, of which exactly one is to be done. left: what is left.

    What is laid out next but one comes nearer meanwhile: lines below those of A, or the next ones of its depth where
    they lie across, and the next two blocks of B.
    """
    if kind == FETCH:
        start = _get(f, work, "source")
        return [("true", [partial(_come_nearer, f, start, line) for line in range(0, _TILE, 64)])]
    second = f.let(f"trunc i64 {left} to i1")
    source, ld, target = (_get(f, work, name) for name in ("source", "ld", "target"))
    if kind == COLUMNS_OF_A:
        first = f.let(f"xor i1 {second}, true")
        nearer = _lines(f, f.address(source, f.mul(ld, DEPTH)), ld, range(DEPTH))
        return [(first, turn_tile(f, source, ld, target)), (second, _mixed(divide_tile(f, target), nearer))]
    at = f.address(source, f.let(f"select i1 {second}, i64 {f.mul(ld, LINES // 2)}, i64 0"))
    out = f.byte(target, f.let(f"select i1 {second}, i64 {64 * (LINES // 2)}, i64 0"))
    if kind == ROWS_OF_A:
        below = f.address(at, f.mul(ld, LINES))
        nearer = [part for line in (0, 64) for part in _lines(f, f.byte(below, str(line)), ld, range(LINES // 2))]
        return [("true", _mixed(half_tile(f, ALONG, at, ld, out), nearer))]
    rows = [row + half for row in range(LINES // 2) for half in (0, LINES)]
    nearer = _lines(f, f.byte(at, str(2 * LINES * f.target.size)), ld, rows)
    return [("true", _mixed(half_tile(f, ACROSS, at, ld, out), nearer))]


def _lines(f: Function, start: str, ld: str, rows: Iterable[int]) -> list[Part]:
    """Fetches the line at the beginning of these rows, one part for each."""
    return [partial(_come_nearer, f, f.address(start, f.mul(ld, row)), 0) for row in rows]


def _mixed(some: Sequence[Part], others: Sequence[Part]) -> list[Part]:
    """All of them, each kind in its order: the others spread evenly among the first ones."""
    cuts = [len(others) * i // len(some) for i in range(len(some) + 1)]
    return [part for i, one in enumerate(some) for part in (one, *others[cuts[i] : cuts[i + 1]])]


def _come_nearer(f: Function, start: str, line: int) -> None:
    f.prefetch(f.byte(start, str(line)), write=False, second=True)


def go_on(f: Function, work: str, kind: int, left: str) -> None:
    """One piece less than `left`."""
    second = "true" if kind == FETCH else f.let(f"trunc i64 {left} to i1")
    _put(f, work, left=f.let(f"sub nsw i64 {left}, 1"))
    with f.when(second):
        rest = f.let(f"sub nsw i64 {_get(f, work, 'rest')}, 1")
        last = f.let(f"icmp eq i64 {rest}, 0")
        source, target = (
            f.byte(
                _get(f, work, place), f.let(f"select i1 {last}, i64 {_get(f, work, far)}, i64 {_get(f, work, near)}")
            )
            for place, far, near in (("source", "wrap", "step"), ("target", "jump", "move"))
        )
        again = f.let(f"select i1 {last}, i64 {_get(f, work, 'inner')}, i64 {rest}")
        _put(f, work, source=source, target=target, rest=again)


def _finish(t: Target) -> Function:
    f = Function(t, f"define internal void @{FINISH}(ptr %work) noinline nounwind")
    kind = kind_of(f, "%work")
    for known in LAYING:
        with f.when(f.let(f"icmp eq i64 {kind}, {known}")), f.loop("0", left_of(f, "%work")):
            left = left_of(f, "%work")
            for when, parts in pieces(f, "%work", known, left):
                with f.when(when):
                    for part in parts:
                        part()
            go_on(f, "%work", known, left)
    f.emit("ret void")
    return f
