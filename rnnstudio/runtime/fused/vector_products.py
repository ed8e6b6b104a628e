"""Products of matrices over all steps, or nodes, at once in machine code for the processor's vectors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from . import blocks, checked
from .ir import Target, declarations
from .jit import compile_ir, openmp, product_kernels
from .job_products import JobCode, JobProducts, calls_of, jobs_of, shared_code
from .jobs import Listener, address_of
from .multiply import BY_TORCH, Groups
from .packing import COLUMNS, ROWS
from .products import declared_kernels, packed_size, panel, part_of

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


@lru_cache(maxsize=4)
def block_code(target: Target, team: bool = True) -> JobCode:
    """team: with OpenMP's threads, where they can be entered. Raises CannotCompile."""
    entries = openmp() if team else {}
    text = declarations(target) + declared_kernels(target) + blocks.code(target)
    text += shared_code(target, team=bool(entries))
    code = compile_ir(text, target, {**entries, **product_kernels(target)[0]})
    return JobCode(code=code, jobs=jobs_of(code, blocks.JOBS), calls=calls_of(code, team=bool(entries)))


class VectorProducts(JobProducts):
    """Products of matrices on the processor's vectors; what does not fit is torch's. team: see MachineLoop."""

    def __init__(
        self, target: Target, *, team: bool = True, put_off: bool = False, listener: Listener | None = None
    ) -> None:
        super().__init__(target, block_code(target, team), put_off=put_off, listener=listener)
        self._team = team

    def listened(self, listener: Listener | None) -> VectorProducts:
        return VectorProducts(self._target, team=self._team, put_off=True, listener=listener)

    def __call__(
        self, a: Tensor, b: Tensor, out: Tensor | None = None, *, bias: Tensor | None = None, add: bool = False
    ) -> Tensor:
        if not self._fits(a, b, out):
            self.jobs.run()
            return BY_TORCH(a, b, out, bias=bias, add=add)
        if out is None:
            out = a.new_empty(a.shape[0], b.shape[1])
        if bias is not None:
            self.spread(bias, out)
            add = True
        if a.stride(1) == 1:
            self._by_rows(a, b, out, add)
        else:
            for some in _windows([(b, out)]):
                self._by_depth(a, some, add)
        self.put()
        return out

    def several(self, groups: Groups) -> None:
        for a, factors in groups:
            fitting = [a.stride(1) != 1 and self._fits(a, b, out) for b, out in factors]
            for some in _windows([factor for factor, fits in zip(factors, fitting, strict=True) if fits]):
                self._by_depth(a, some, False)
            for (b, out), fits in zip(factors, fitting, strict=True):
                if not fits:
                    self(a, b, out)
        self.put()

    def pack(self, weight: Tensor, *, turned: bool) -> Tensor:
        """Its panels: see packing.py."""
        packed = self._packed(weight if turned else weight.t())
        self.put()
        return packed

    def _packed(self, b: Tensor) -> Tensor:
        """Panels of B [depth, columns], which is copied if it has gaps both ways."""
        if 1 not in b.stride():
            b = b.contiguous()
        if checked.CHECKING:
            checked.lies("a weight", b, self.dtype)
        depth, columns = b.shape
        packed = self.room(b, packed_size(self._target, columns, depth))
        way, line = (ROWS, b.stride(0)) if b.stride(1) == 1 else (COLUMNS, b.stride(1))
        numbers = b.data_ptr(), line, columns, depth, packed.data_ptr()
        table = self.jobs.table(blocks.LAYOUT_TABLE, numbers)
        threads = torch.get_num_threads() if depth * columns >= _LEAST_PACKED else 1
        count = blocks.panels(self._target, columns)
        self.jobs.put(self.code.jobs[blocks.LAYOUTS[way]], table, count, threads, (b, packed))
        return packed

    def room(self, like: Tensor, count: int) -> Tensor:
        """Memory to work in."""
        return like.new_empty(count)

    def _fits(self, a: Tensor, b: Tensor, out: Tensor | None) -> bool:
        return (
            a.dtype is self.dtype
            and b.dtype is self.dtype
            and min(*a.shape, b.shape[1]) > 0
            and a.shape[0] >= _LEAST_ROWS
            and (a.stride(1) == 1 or (a.stride(0) == 1 and b.stride(1) == 1))
            and (b.stride(1) == 1 or b.stride(0) == 1)
            and (out is None or out.stride(1) == 1)
        )

    def _by_rows(self, a: Tensor, b: Tensor, out: Tensor, add: bool) -> None:
        if checked.CHECKING:
            checked.product(self.dtype, a, b, out)
        t, (rows, depth), columns = self._target, a.shape, b.shape[1]
        packed = self._packed(b)
        threads = min(_threads(rows * depth * columns), blocks.strips(t, rows))
        part, line = part_of(depth), a.stride(0)
        copied = line * t.size % _SAME_SET == 0 and columns >= _COPIED
        room = self.room(a, threads * blocks.gapped(t, part, _STRIPS)) if copied else None
        left = a.data_ptr(), line, rows, depth, part
        right = packed.data_ptr(), columns, out.data_ptr(), out.stride(0), int(add)
        numbers = (*left, *right, _STRIPS, 0 if room is None else room.data_ptr())
        table = self.jobs.table(blocks.ROWS_TABLE, numbers)
        kept = a, packed, out, room
        self.jobs.put(self.code.jobs[blocks.BY_ROWS], table, blocks.strips(t, rows), threads, kept)

    def _by_depth(self, a: Tensor, factors: list[tuple[Tensor, Tensor]], add: bool) -> None:
        if checked.CHECKING:
            for b, out in factors:
                checked.product(self.dtype, a, b, out)
        t, (rows, depth) = self._target, a.shape
        wide = sum(blocks.panels(t, b.shape[1]) for b, _ in factors) * panel(t)
        chunk = part_of(depth, max(_SHALLOWEST, _PANELS // (wide * t.size)))
        threads = min(_threads(rows * depth * wide), blocks.strips(t, rows))
        size = blocks.memory(t, wide, chunk)
        room = self.room(a, threads * size)
        at, numbers = 0, []
        for b, out in factors:
            numbers += [b.data_ptr(), b.stride(0), b.shape[1], out.data_ptr(), out.stride(0), at]
            at += blocks.panels(t, b.shape[1]) * panel(t) * chunk
        own = self.jobs.table(blocks.FACTOR * len(factors), numbers)
        left = a.data_ptr(), a.stride(1), rows, depth, chunk
        rest = room.data_ptr(), size, address_of(own), len(factors), int(add)
        table = self.jobs.table(blocks.DEPTH_TABLE, (*left, *rest))
        kept = a, factors, room, own
        self.jobs.put(self.code.jobs[blocks.BY_DEPTH], table, blocks.strips(t, rows), threads, kept)


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
