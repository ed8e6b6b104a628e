"""The processor's matrix unit: whether it may be used, and its code."""

from __future__ import annotations

import ctypes
import dataclasses
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

from . import tiles
from .ir import Target, declarations
from .jit import Code, compile_ir, host, openmp
from .team import RANGE, TEAM, share_out
from .tile_parts import ACROSS, ALONG, LINES, RIGHT, splitter_name

_SYSCALL, _ASK, _TILE_DATA = 158, 0x1023, 18
"""arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA): Linux saves the unit's registers for processes that ask."""


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
    """Compiled once for all loops. symbols: what loops call. splitters, products: addresses by the way of B's lines, or
    A's.
    """

    symbols: dict[str, int]
    splitters: dict[str, int]
    products: dict[str, int]
    ranges: dict[str, Callable[..., None]]
    teams: dict[str, Callable[..., None]]
    code: Code

    def run(self, job: str, table: int, count: int, *, shared: bool) -> None:
        """One of the unit's functions, for 0 … count − 1, in all threads or in one."""
        threads = min(torch.get_num_threads(), count) if shared else 1
        if threads <= 1:
            self.ranges[job](table, 0, count, 0)
        elif job in self.teams:
            self.teams[job](table, count, threads)
        else:
            share_out(self.ranges[job], table, count, threads)


@lru_cache(maxsize=1)
def tile_code(target: Target) -> TileCode:
    """The matrix unit's code. Raises CannotCompile."""
    team = openmp()
    text = declarations(target) + tiles.library(target, team=bool(team))
    code = compile_ir(text, target, team)
    jobs = tiles.JOBS
    teams = {name: code.function(tiles.team_name(name), TEAM) for name in jobs} if team else {}
    ranges = {name: code.function(name, RANGE) for name in jobs}
    splitters = {way: code.address(splitter_name(RIGHT, way)) for way in (ALONG, ACROSS)}
    products = {way: code.address(tiles.PRODUCTS[way]) for way in (ALONG, ACROSS)}
    return TileCode({tiles.PRODUCTS[ALONG]: products[ALONG]}, splitters, products, ranges, teams, code)
