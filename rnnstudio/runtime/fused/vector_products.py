"""Products of matrices over all steps, or nodes, at once in machine code for the processor's vectors."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from . import blocks
from .ir import Target, declarations
from .jit import Code, compile_ir, openmp, product_kernels
from .jobs import address_of
from .multiply import Groups, TorchProducts
from .packing import COLUMNS, ROWS
from .products import declared_kernels, packed_size, panel, part_of
from .team import EACH_A_SHARE, RANGE, TEAM, share_out, team_code

_STRIPS = 8
"""Strips of A in a block, of 18 kB at most: panels of B go by it through the second cache."""

_PANELS, _SHALLOWEST, _COLUMNS = 1 << 19, 128, 512
"""Bytes of B's panels in a chunk, its depth at least, and columns of B's that are multiplied in one go."""

_SAME_SET, _COPIED = 4096, 256
"""Bytes after which addresses share a set of the first cache: rows of such a length push each other out of it. They are
copied to where they do not, when so many columns gain by it."""

_LEAST_ROWS = 64
"""With fewer rows of A, packing B takes longer than is gained."""

_LEAST, _LEAST_PACKED = 1 << 17, 1 << 15
"""Smaller products, and weights of fewer numbers, are no work for several threads."""


@dataclass(frozen=True)
class BlockCode:
    """Compiled once for all loops. jobs: by name (one thread's range; all threads of OpenMP's team, or None)."""

    code: Code
    jobs: dict[str, tuple[Callable[..., None], Callable[..., None] | None]]

    def run(self, name: str, table: array[int], count: int, threads: int) -> None:
        """Do 0 … count − 1 of a job. The table, and what it names, must live until then."""
        one, team = self.jobs[name]
        address = address_of(table)
        threads = min(threads, count)
        if threads <= 1:
            one(address, 0, count, 0)
        elif team is not None:
            team(address, count, threads)
        else:
            share_out(one, address, count, threads)


@lru_cache(maxsize=4)
def block_code(target: Target) -> BlockCode:
    """Raises CannotCompile."""
    team = openmp()
    text = declarations(target) + declared_kernels(target) + blocks.code(target)
    entries = {f"{name}_team": name for name in blocks.JOBS} if team else {}
    if team:
        text += team_code(EACH_A_SHARE, entries)
    code = compile_ir(text, target, {**team, **product_kernels(target)[0]})
    return BlockCode(
        code=code,
        jobs={
            name: (code.function(name, RANGE), code.function(f"{name}_team", TEAM) if team else None)
            for name in blocks.JOBS
        },
    )


class VectorProducts(TorchProducts):
    """As `Multiply` says; what does not fit is torch's."""

    shares = True

    def __init__(self, target: Target) -> None:
        self._target = target
        self._code = block_code(target)
        self._dtype = torch.float64 if target.double else torch.float32

    def __call__(
        self, a: Tensor, b: Tensor, out: Tensor | None = None, *, bias: Tensor | None = None, add: bool = False
    ) -> Tensor:
        if not self._fits(a, b, out):
            return super().__call__(a, b, out, bias=bias, add=add)
        if out is None:
            out = a.new_empty(a.shape[0], b.shape[1])
        if bias is not None:
            out.copy_(bias)
            add = True
        if a.stride(1) == 1:
            self._by_rows(a, b, out, add)
        else:
            for some in _windows([(b, out)]):
                self._by_depth(a, some, add)
        return out

    def several(self, groups: Groups) -> None:
        for a, factors in groups:
            fitting = [a.stride(1) != 1 and self._fits(a, b, out) for b, out in factors]
            for some in _windows([factor for factor, fits in zip(factors, fitting, strict=True) if fits]):
                self._by_depth(a, some, False)
            for (b, out), fits in zip(factors, fitting, strict=True):
                if not fits:
                    self(a, b, out)

    def pack(self, b: Tensor) -> Tensor:
        """B [depth, columns] as panels (packing.py), for these products or a loop's. Copied if it has gaps."""
        if 1 not in b.stride():
            b = b.contiguous()
        depth, columns = b.shape
        packed = self.room(b, packed_size(self._target, columns, depth))
        way, line = (ROWS, b.stride(0)) if b.stride(1) == 1 else (COLUMNS, b.stride(1))
        table = array("q", (b.data_ptr(), line, columns, depth, packed.data_ptr()))
        threads = torch.get_num_threads() if depth * columns >= _LEAST_PACKED else 1
        self._code.run(blocks.LAYOUTS[way], table, blocks.panels(self._target, columns), threads)
        return packed

    def room(self, like: Tensor, count: int) -> Tensor:
        """Memory to work in."""
        return like.new_empty(count)

    def _fits(self, a: Tensor, b: Tensor, out: Tensor | None) -> bool:
        return (
            a.dtype is self._dtype
            and b.dtype is self._dtype
            and min(*a.shape, b.shape[1]) > 0
            and a.shape[0] >= _LEAST_ROWS
            and (a.stride(1) == 1 or (a.stride(0) == 1 and b.stride(1) == 1))
            and (b.stride(1) == 1 or b.stride(0) == 1)
            and (out is None or out.stride(1) == 1)
        )

    def _by_rows(self, a: Tensor, b: Tensor, out: Tensor, add: bool) -> None:
        t, (rows, depth), columns = self._target, a.shape, b.shape[1]
        packed = self.pack(b)
        threads = min(_threads(rows * depth * columns), blocks.strips(t, rows))
        part, line = part_of(depth), a.stride(0)
        copied = line * t.size % _SAME_SET == 0 and columns >= _COPIED
        room = self.room(a, threads * blocks.gapped(t, part, _STRIPS)) if copied else None
        left = a.data_ptr(), line, rows, depth, part
        right = packed.data_ptr(), columns, out.data_ptr(), out.stride(0), int(add)
        table = array("q", (*left, *right, _STRIPS, 0 if room is None else room.data_ptr()))
        self._code.run(blocks.BY_ROWS, table, blocks.strips(t, rows), threads)

    def _by_depth(self, a: Tensor, factors: list[tuple[Tensor, Tensor]], add: bool) -> None:
        t, (rows, depth) = self._target, a.shape
        wide = sum(blocks.panels(t, b.shape[1]) for b, _ in factors) * panel(t)
        chunk = part_of(depth, max(_SHALLOWEST, _PANELS // (wide * t.size)))
        threads = min(_threads(rows * depth * wide), blocks.strips(t, rows))
        size = blocks.memory(t, wide, chunk)
        room = self.room(a, threads * size)
        at, table = 0, array("q")
        for b, out in factors:
            table.extend((b.data_ptr(), b.stride(0), b.shape[1], out.data_ptr(), out.stride(0), at))
            at += blocks.panels(t, b.shape[1]) * panel(t) * chunk
        left = a.data_ptr(), a.stride(1), rows, depth, chunk
        rest = room.data_ptr(), size, address_of(table), len(factors), int(add)
        self._code.run(blocks.BY_DEPTH, array("q", (*left, *rest)), blocks.strips(t, rows), threads)


def _threads(products: int) -> int:
    return torch.get_num_threads() if products >= _LEAST else 1


def _windows(factors: list[tuple[Tensor, Tensor]]) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """The same factors, with no more than so many columns at a time."""
    some: list[tuple[Tensor, Tensor]] = []
    wide = 0
    for b, out in factors:
        for first in range(0, b.shape[1], _COLUMNS):
            own = min(_COLUMNS, b.shape[1] - first)
            if some and wide + own > _COLUMNS:
                yield some
                some, wide = [], 0
            some.append((b, out) if own == b.shape[1] else (b.narrow(1, first, own), out.narrow(1, first, own)))
            wide += own
    if some:
        yield some
