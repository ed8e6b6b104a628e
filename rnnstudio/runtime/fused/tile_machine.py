"""The processor's matrix unit: whether it may be used, its code, and products over all steps at once on it."""

from __future__ import annotations

import ctypes
import dataclasses
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from . import tiles
from .ir import Target, declarations
from .jit import Code, compile_ir, host, openmp
from .multiply import BY_TORCH, Groups
from .team import RANGE, TEAM, share_out
from .tile_parts import ACROSS, ALONG, DEPTH, LINES, RIGHT, size, splitter_name

_SYSCALL, _ASK, _TILE_DATA = 158, 0x1023, 18
"""arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA): Linux saves the unit's registers for processes that ask."""

_SECOND_CACHE = 1 << 17
"""Of a long B so many numbers are laid out at a time, 0.8 MB, which stay in the second cache."""

_COLUMNS = {ALONG: 48, ACROSS: 96}
"""With fewer columns of B, splitting A takes longer than what is gained; A across is turned besides."""

_LEAST = 1 << 17
"""Smaller products are torch's: setting up takes longer. Nor are they shared out to threads."""

_LEAST_LAID = 1 << 14
"""Fewer numbers of B are laid out by one thread."""


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
    layout = _Layout(tile_code(target), weight if turned else weight.t())
    layout.fill(0, layout.depth)
    return layout.tiles


class _Layout:
    """Tiles of a part of B [depth, columns], `deep` of its depth at a time."""

    def __init__(self, code: TileCode, b: Tensor, deep: int = 0) -> None:
        self.depth, columns = b.shape  # columns are lines
        deep = deep or self.depth
        way = ACROSS if _way(b) == ALONG else ALONG
        self.tiles = b.new_empty(size(columns, deep), dtype=torch.uint8)
        self._job = _Job(
            code, splitter_name(RIGHT, way) + "_range", -(-columns // LINES), columns * deep >= _LEAST_LAID
        )
        self._start, self._step = b.data_ptr(), b.stride(0) * b.element_size()
        self._table = (ctypes.c_int64 * 5)(self._start, max(b.stride()), columns, deep, self.tiles.data_ptr())

    def fill(self, start: int, deep: int) -> None:
        self._table[0], self._table[3] = self._start + start * self._step, deep
        self._job.run(self._table)


class _Job:
    """One of the matrix unit's functions, for so many blocks of lines, in all threads or in one."""

    def __init__(self, code: TileCode, name: str, blocks: int, shared: bool) -> None:
        self._blocks = blocks
        self._threads = min(torch.get_num_threads(), blocks) if shared else 1
        self._range, self._team = code.ranges[name], code.teams.get(name)

    def run(self, table: ctypes.Array[ctypes.c_int64]) -> None:
        address = ctypes.addressof(table)
        if self._threads <= 1:
            self._range(address, 0, self._blocks, 0)
        elif self._team is not None:
            self._team(address, self._blocks, self._threads)
        else:
            share_out(self._range, address, self._blocks, self._threads)


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
        self._run([(a, [(b, out)])], add)
        return out

    def several(self, groups: Groups) -> None:
        """All have one depth. A matrix that is among the factors of several is laid out once."""
        fits = [
            _fits(a, [b for b, _ in factors]) and all(_way(out) == ALONG for _, out in factors) for a, factors in groups
        ]
        BY_TORCH.several([group for group, fit in zip(groups, fits, strict=True) if not fit])
        self._run([group for group, fit in zip(groups, fits, strict=True) if fit], False)

    def _run(self, groups: Groups, add: bool) -> None:
        if not groups:
            return
        depth = groups[0][0].shape[1]
        every = {_key(b): b for _, factors in groups for b, _ in factors}
        deep = depth
        if any(_way(a) == ACROSS for a, _ in groups):
            columns = sum(b.shape[1] for b in every.values())
            deep = min(depth, max(4, _SECOND_CACHE // columns // DEPTH) * DEPTH)
        layouts = {key: _Layout(self._code, b, deep) for key, b in every.items()}
        products = [_Product(self._code, a, factors, layouts, deep) for a, factors in groups]
        for start in range(0, depth, deep):
            part = min(deep, depth - start)
            for layout in layouts.values():
                layout.fill(start, part)
            for product in products:
                product.run(start, part, add or start > 0)


class _Product:
    """A times its factors, some of the depth at a time."""

    def __init__(
        self,
        code: TileCode,
        a: Tensor,
        factors: Sequence[tuple[Tensor, Tensor]],
        layouts: Mapping[tuple[int, ...], _Layout],
        deep: int,
    ) -> None:
        rows, columns = a.shape[0], sum(b.shape[1] for b, _ in factors)
        numbers = [
            number
            for b, out in factors
            for number in (layouts[_key(b)].tiles.data_ptr(), b.shape[1], out.data_ptr(), out.stride(0))
        ]
        self._factors = (ctypes.c_int64 * len(numbers))(*numbers)
        self._job = _Job(code, tiles.PRODUCTS[_way(a)] + "_range", -(-rows // LINES), rows * columns * deep >= _LEAST)
        self._start, self._step = a.data_ptr(), a.stride(1) * a.element_size()
        self._table = (ctypes.c_int64 * 7)(
            self._start, max(a.stride()), rows, deep, ctypes.addressof(self._factors), len(factors), 0
        )

    def run(self, start: int, deep: int, add: bool) -> None:
        self._table[0], self._table[3], self._table[6] = self._start + start * self._step, deep, int(add)
        self._job.run(self._table)


def _key(b: Tensor) -> tuple[int, ...]:
    return (b.data_ptr(), *b.shape, *b.stride())


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
