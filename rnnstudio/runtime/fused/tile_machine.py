"""The processor's matrix unit: whether it may be used, its code, and products over all steps at once on it."""

from __future__ import annotations

import ctypes
import dataclasses
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from . import tiles
from .ir import Target, declarations
from .jit import Code, compile_ir, host, openmp
from .multiply import BY_TORCH
from .team import RANGE, TEAM, share_out
from .tile_parts import ACROSS, ALONG, DEPTH, LINES, RIGHT, size, splitter_name

_SYSCALL, _ASK, _TILE_DATA = 158, 0x1023, 18
"""arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA): Linux saves the unit's registers for processes that ask."""

_SECOND_CACHE = 1 << 17
"""B is laid out in parts of so many numbers, 0.8 MB, which stay in the second cache."""

_COLUMNS = {ALONG: 48, ACROSS: 96}
"""With fewer columns of B, splitting A takes longer than what is gained; A across is turned besides."""

_LEAST = 1 << 17
"""Smaller products are torch's: setting up takes longer."""


@lru_cache(maxsize=1)
def matrix_unit() -> Target | str:
    """This machine's vectors with the matrix unit, or why it cannot be used. Asks the operating system for it."""
    target = host(False)
    features = target.features.split(",")
    if "+amx-tile" not in features or "+amx-bf16" not in features or target.lanes != LINES:
        return "the processor has no matrix unit for bfloat16 (AMX)"
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return "the matrix unit is used on Linux only"
    if ctypes.CDLL(None, use_errno=True).syscall(_SYSCALL, _ASK, _TILE_DATA) != 0:
        return "the operating system does not allow the matrix unit"
    return dataclasses.replace(target, tiles=True)


@dataclass(frozen=True)
class TileCode:
    """Compiled once for all loops. symbols: what loops call."""

    symbols: dict[str, int]
    ranges: dict[str, Callable[..., None]]
    teams: dict[str, Callable[..., None]]
    code: Code


@lru_cache(maxsize=1)
def tile_code(target: Target) -> TileCode:
    """The matrix unit's code. Raises CannotCompile."""
    team = openmp()
    text = declarations(target) + tiles.library(target, team=bool(team))
    code = compile_ir(text, target, team)
    jobs = tiles.JOBS
    teams = {name: code.function(tiles.team_name(name), TEAM) for name in jobs} if team else {}
    ranges = {name: code.function(name, RANGE) for name in jobs}
    symbols = {name: code.address(name) for name in (tiles.PRODUCTS[ALONG],)}
    return TileCode(symbols, ranges, teams, code)


def lay_out(target: Target, weight: Tensor, *, turned: bool) -> Tensor:
    """A weight [columns, depth], or when turned [depth, columns], as B of a product: bytes of its tiles."""
    if weight.stride(1) != 1:
        weight = weight.contiguous()
    depth, columns = weight.shape if turned else weight.shape[::-1]
    return _laid_out(tile_code(target), weight, weight.stride(0), columns, depth, ACROSS if turned else ALONG)


def _laid_out(code: TileCode, x: Tensor, ld: int, columns: int, depth: int, way: str) -> Tensor:
    found = x.new_empty(size(columns, depth), dtype=torch.uint8)
    table = (ctypes.c_int64 * 5)(x.data_ptr(), ld, columns, depth, found.data_ptr())
    _run(code, splitter_name(RIGHT, way) + "_range", table, -(-columns // LINES), columns * depth)
    return found


def _run(code: TileCode, name: str, table: ctypes.Array[ctypes.c_int64], blocks: int, work: int) -> None:
    address = ctypes.addressof(table)
    threads = min(torch.get_num_threads(), blocks) if work >= _LEAST else 1
    if threads <= 1:
        code.ranges[name](address, 0, blocks, 0)
    elif code.teams:
        code.teams[name](address, blocks, threads)
    else:
        share_out(code.ranges[name], address, blocks, threads)


class TileProducts:
    """Products of float32 matrices on the matrix unit, as `Multiply` says; what does not fit it is torch's."""

    shares = True

    def __init__(self, target: Target) -> None:
        self._code = tile_code(target)

    def __call__(
        self, a: Tensor, b: Tensor, out: Tensor | None = None, *, bias: Tensor | None = None, add: bool = False
    ) -> Tensor:
        if not _fits(a, [b]) or (out is not None and _way(out) != ALONG):
            return BY_TORCH(a, b, out, bias=bias, add=add)
        if out is None:
            out = a.new_empty(a.shape[0], b.shape[1])
        if bias is not None:
            out.copy_(bias)
            add = True
        self._run(a, [(b, out)], add)
        return out

    def several(self, a: Tensor, factors: Sequence[tuple[Tensor, Tensor]]) -> None:
        if _fits(a, [b for b, _ in factors]) and all(_way(out) == ALONG for _, out in factors):
            self._run(a, factors, False)
        else:
            BY_TORCH.several(a, factors)

    def _run(self, a: Tensor, factors: Sequence[tuple[Tensor, Tensor]], add: bool) -> None:
        rows, depth = a.shape
        way, columns = _way(a), sum(b.shape[1] for b, _ in factors)
        part = max(4, _SECOND_CACHE // columns // DEPTH) * DEPTH
        for start in range(0, depth, part):
            deep = min(part, depth - start)
            laid = [self._laid_out(b.narrow(0, start, deep)) for b, _ in factors]
            numbers = [
                number
                for own, (b, out) in zip(laid, factors, strict=True)
                for number in (own.data_ptr(), b.shape[1], out.data_ptr(), out.stride(0))
            ]
            given = (ctypes.c_int64 * len(numbers))(*numbers)
            at = a.narrow(1, start, deep).data_ptr()
            table = (ctypes.c_int64 * 7)(
                at, max(a.stride()), rows, deep, ctypes.addressof(given), len(factors), int(add or start > 0)
            )
            _run(self._code, tiles.PRODUCTS[way] + "_range", table, -(-rows // LINES), rows * columns * deep)

    def _laid_out(self, b: Tensor) -> Tensor:
        depth, columns = b.shape  # columns are lines
        return _laid_out(self._code, b, max(b.stride()), columns, depth, ACROSS if _way(b) == ALONG else ALONG)


def _fits(a: Tensor, factors: Sequence[Tensor]) -> bool:
    """Whether the matrix unit can multiply these and is faster."""
    (rows, depth), columns, way = a.shape, sum(b.shape[1] for b in factors), _way(a)
    if not way or not all(_way(b) for b in factors) or columns < _COLUMNS[way]:
        return False
    return rows * columns * depth >= _LEAST and min(rows, depth) >= LINES


def _way(x: Tensor) -> str:
    """How the rows of a matrix lie: along, across, or "" when neither way is without gaps."""
    if x.stride(1) == 1 and x.stride(0) >= x.shape[1]:
        return ALONG
    return ACROSS if x.stride(0) == 1 and x.stride(1) >= x.shape[0] else ""
