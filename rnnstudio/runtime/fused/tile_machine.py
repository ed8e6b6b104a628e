"""The processor's matrix unit: whether it may be used, and its code."""

from __future__ import annotations

import ctypes
import dataclasses
import platform
import sys
from dataclasses import dataclass
from functools import lru_cache

from . import isa, tiles
from .ir import Target, declarations
from .jit import compile_ir, host, openmp
from .job_products import JobCode, calls_of, jobs_of, shared_code
from .tile_parts import ACROSS, ALONG, LEFT, LINES, RIGHT, splitter_name

_SYSCALL, _ASK, _TILE_DATA = 158, 0x1023, 18
"""arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA): Linux saves the unit's registers for processes that ask."""


@lru_cache(maxsize=1)
def matrix_unit() -> Target | str:
    """This machine's vectors with the matrix unit, or why it cannot be used. Asks the operating system for it."""
    target = host(False)
    limit = isa.asked()
    if limit:
        return f"machine code is limited to {limit} ({isa.VARIABLE}), which has no matrix unit"
    features = target.features.split(",")
    if "+amx-tile" not in features or "+amx-bf16" not in features or target.lanes != LINES:
        return "the processor has no matrix unit for bfloat16 (AMX)"
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return "the matrix unit is used on Linux only"
    if ctypes.CDLL(None, use_errno=True).syscall(_SYSCALL, _ASK, _TILE_DATA) != 0:
        return "the operating system does not allow the matrix unit"
    return dataclasses.replace(target, tiles=True)


@dataclass(frozen=True)
class TileCode(JobCode):
    """symbols: what loops call. splitters: addresses by side and the way of lines."""

    symbols: dict[str, int]
    splitters: dict[tuple[str, str], int]


@lru_cache(maxsize=1)
def tile_code(target: Target) -> TileCode:
    """The matrix unit's code. Raises CannotCompile."""
    openmp_there = openmp()
    team = bool(openmp_there)
    text = declarations(target) + tiles.library(target) + shared_code(target, team=team)
    code = compile_ir(text, target, openmp_there)
    sides = [(side, way) for side in (LEFT, RIGHT) for way in (ALONG, ACROSS)]
    return TileCode(
        symbols={tiles.PRODUCT_OF_TILES: code.address(tiles.PRODUCT_OF_TILES)},
        splitters={side: code.address(splitter_name(*side)) for side in sides},
        jobs=jobs_of(code, tiles.JOBS),
        calls=calls_of(code, team=team),
        code=code,
    )
