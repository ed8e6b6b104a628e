"""Products of matrices over all steps at once on the matrix unit: before a loop, and after it for gradients."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from . import tile_chunks, tiles
from .ir import Target
from .job_products import JobProducts
from .jobs import Jobs, Listener, address_of
from .multiply import BY_TORCH, Groups
from .tile_ahead import COLUMNS_OF_A, COLUMNS_OF_B, NONE, ROWS_OF_A
from .tile_chunks import JOB
from .tile_machine import TileCode, tile_code
from .tile_parts import ACROSS, ALONG, DEPTH, LEFT, LINES, RIGHT, size, splitter_name
from .tile_space import DEEP

_LINES, _CHUNK = 256, 320
"""Lines of a long A, and the depth of a chunk: their tiles for two chunks, 1 MB, stay in the second cache. Measured:
with half the lines, or half the depth, it takes a tenth longer."""

_WIDE, _MORE_LINES = 768, 384
"""From so many columns of B on, which stay in no near cache, more lines: B is laid out less often."""

_WINDOW, _LEAST_WINDOW = 1 << 17, 128
"""Of other B's so many numbers at a time, 0.8 MB, stay there beside rows of A and C; but so many columns at least, as A
is laid out again for each window. Measured at a depth of 512 and 1536 columns: a fifth less time than all at once. Of
a deep B it is a part of the depth besides, with more columns instead."""

_COLUMNS = {ALONG: 48, ACROSS: 96}
"""With fewer columns of B, splitting A takes longer than what is gained; A across is turned besides."""

_LEAST = 1 << 17
"""Smaller products are torch's: setting up takes longer. Nor are they shared out to threads."""

_LEAST_LAID = 1 << 14
"""Fewer numbers of B are laid out by one thread."""

_LEAST_DEPTH, _PARTS = 256, 8
"""A part of the depth is no less, and there are no more parts: each has its own results, which are added up."""


class _Matrix(NamedTuple):
    """Where a matrix lies: its address, and numbers from row to row and from column to column."""

    at: int
    rows: int
    columns: int
    down: int
    right: int

    @property
    def way(self) -> str:
        """How its rows lie: along, across, or "" when neither way is without gaps."""
        if self.right == 1 and self.down >= self.columns:
            return ALONG
        return ACROSS if self.down == 1 and self.right >= self.rows else ""

    @property
    def line(self) -> int:
        """Numbers from line to line, or from depth to depth: whichever do not lie side by side."""
        return max(self.down, self.right)

    def lines(self, first: int, last: int) -> _Matrix:
        """These rows of it."""
        return self._replace(at=self.at + 4 * first * self.down, rows=last - first)

    def some(self, first: int, last: int) -> _Matrix:
        """These columns of it."""
        return self._replace(at=self.at + 4 * first * self.right, columns=last - first)


_Groups = list[tuple[_Matrix, list[tuple[_Matrix, _Matrix]]]]
_TURNED = {ALONG: ACROSS, ACROSS: ALONG}
"""How the columns of a matrix lie by how its rows do: those of B are lines."""


def _matrix(x: Tensor) -> _Matrix:
    return _Matrix(x.data_ptr(), *x.shape, *x.stride())


def lay_out(target: Target, weight: Tensor, *, turned: bool) -> Tensor:
    """See JobProducts.pack."""
    return TileProducts(target).pack(weight, turned=turned)


class TileProducts(JobProducts):
    """Products of float32 matrices on the matrix unit; what does not fit it is torch's."""

    code: TileCode

    def __init__(self, target: Target, *, put_off: bool = False, listener: Listener | None = None) -> None:
        super().__init__(target, tile_code(target), put_off=put_off, listener=listener)

    def listened(self, listener: Listener | None) -> TileProducts:
        return TileProducts(self._target, put_off=True, listener=listener)

    def __call__(
        self, a: Tensor, b: Tensor, out: Tensor | None = None, *, bias: Tensor | None = None, add: bool = False
    ) -> Tensor:
        left, right = _matrix(a), _matrix(b)
        if not _fits(left, [right]) or (out is not None and _matrix(out).way != ALONG):
            self.jobs.run()
            return BY_TORCH(a, b, out, bias=bias, add=add)
        if out is None:
            out = a.new_empty(left.rows, right.columns)
        if bias is not None:
            self.spread(bias, out)
            add = True
        self._multiply([(left, [(right, _matrix(out))])], [[out]], add, (a, b))
        self.put()
        return out

    def several(self, groups: Groups) -> None:
        """All have one depth. A matrix that is among the factors of several is laid out once."""
        fitting: _Groups = []
        outs: list[list[Tensor]] = []
        for a, factors in groups:
            left, pairs = _matrix(a), [(_matrix(b), _matrix(out)) for b, out in factors]
            if _fits(left, [b for b, _ in pairs]) and all(c.way == ALONG for _, c in pairs):
                fitting.append((left, pairs))
                outs.append([out for _, out in factors])
            else:
                self.jobs.run()
                BY_TORCH.several([(a, factors)])
        if fitting:
            self._multiply(fitting, outs, False, groups)
        self.put()

    def pack(self, weight: Tensor, *, turned: bool) -> Tensor:
        """Bytes of its tiles."""
        if weight.stride(1) != 1:
            weight = weight.contiguous()
        b = _matrix(weight if turned else weight.t())
        made = torch.empty(size(b.columns, b.rows), dtype=torch.uint8)
        self._laid_out(b, made, kept=weight)
        self.put()
        return made

    def _laid_out(self, b: _Matrix, made: Tensor, at: int = 0, kept: object = None) -> int:
        """Tiles of B [depth, columns] go into memory, from a byte on; the byte after them."""
        table = self.jobs.table(tiles.LAYOUT, (b.at, b.line, b.columns, b.rows, made.data_ptr() + at))
        job = self.code.jobs[splitter_name(RIGHT, _TURNED[b.way]) + "_range"]
        threads = torch.get_num_threads() if b.columns * b.rows >= _LEAST_LAID else 1
        self.jobs.put(job, table, -(-b.columns // LINES), threads, (made, kept))
        return at + size(b.columns, b.rows)

    def _multiply(self, groups: _Groups, outs: list[list[Tensor]], add: bool, given: object) -> None:
        """In windows, one after the other, whose tiles take the same memory: it is in the caches still.

        given: the factors, which are kept until they are multiplied.
        """
        if any(a.way == ACROSS for a, _ in groups):
            self._in_chunks(groups, outs, add, given)
            return
        windows = list(_in_windows(groups))
        most = max(sum(size(b.columns, b.rows) for b in _distinct(window)) for _, window in windows)
        made = torch.empty(most, dtype=torch.uint8)
        for first, window in windows:
            at, places = 0, {}
            for b in _distinct(window):
                places[b] = made.data_ptr() + at
                at = self._laid_out(b, made, at)
            for a, pairs in window:
                factors = _factors(self.jobs, places, pairs)
                numbers = (a.at, a.line, a.rows, a.columns, address_of(factors), len(pairs), int(add or first > 0))
                table = self.jobs.table(tiles.PRODUCT, numbers)
                shared = a.rows * a.columns * sum(b.columns for b, _ in pairs) >= _LEAST
                job = self.code.jobs[f"{tiles.PRODUCT_OF_TILES}_range"]
                threads = torch.get_num_threads() if shared else 1
                self.jobs.put(job, table, -(-a.rows // LINES), threads, (factors, made, given, outs))

    def _in_chunks(self, groups: _Groups, outs: list[list[Tensor]], add: bool, given: object) -> None:
        """Long products: see tile_chunks.py. The first part of the depth is added up in the results themselves."""
        depth = groups[0][0].columns
        threads = torch.get_num_threads()
        parts = max(1, min(threads, _PARTS, depth // _LEAST_DEPTH))
        cuts = [depth * i // parts // DEPTH * DEPTH for i in range(parts)] + [depth]
        more = [[[out.new_empty(out.shape) for out in some] for some in outs] for _ in range(parts - 1)]
        plans = [
            _Plan(self.code, self.jobs, a, pairs, (cuts[i], cuts[i + 1]), add and i == 0)
            for i, mine in enumerate([groups, *(_into(groups, own) for own in more)])
            for a, pairs in _windows(mine, threads // parts)
        ]
        table = self.jobs.table("p" * len(plans), [address_of(plan.table) for plan in plans])
        self.jobs.put(self.code.jobs[JOB], table, len(plans), threads, (plans, given, outs))
        for part in more:
            for some, own in zip(outs, part, strict=True):
                for out, x in zip(some, own, strict=True):
                    if out.is_contiguous():
                        self.sum_rows(x.view(1, -1), out.view(-1), add=True)
                    else:
                        self.jobs.then(partial(out.add_, x))


class _Plan:
    """One thread's work: a part of the depth for some lines of A. Keeps what its table names."""

    def __init__(
        self,
        code: TileCode,
        jobs: Jobs,
        a: _Matrix,
        pairs: list[tuple[_Matrix, _Matrix]],
        depth: tuple[int, int],
        add: bool,
    ) -> None:
        chunk = min(depth[1] - depth[0], _CHUNK)  # no more than tile_space.DEEP
        half = size(a.rows, chunk)
        made = torch.empty(half * 2, dtype=torch.uint8)
        products: list[int] = []
        for b, c in pairs:
            way = _TURNED[b.way]
            kind = COLUMNS_OF_B if way == ACROSS else NONE
            products.extend((code.splitters[RIGHT, way], b.at, b.line, b.columns, 4 * b.down, kind, c.at, c.down))
        table = jobs.table(tile_chunks.PRODUCT * len(pairs), products)
        kind = ROWS_OF_A if a.way == ALONG else COLUMNS_OF_A
        left = code.splitters[LEFT, a.way], a.at, a.line, a.rows, 4 * a.right, kind
        rest = made.data_ptr(), half, address_of(table), len(pairs), int(add)
        self.table = jobs.table(tile_chunks.PLAN, (*depth, chunk, *left, *rest))
        self._kept = made, table


def _windows(groups: _Groups, shares: int) -> _Groups:
    """The same products, with no more lines of A at a time than fit into the second cache, for so many threads."""
    made: _Groups = []
    for a, pairs in groups:
        most = _MORE_LINES if sum(b.columns for b, _ in pairs) >= _WIDE else _LINES
        count = max(shares, -(-a.rows // most))
        each = -(-a.rows // (count * 2 * LINES)) * 2 * LINES
        for first in range(0, a.rows, each):
            last = min(first + each, a.rows)
            made.append((a.lines(first, last), [(b, c.lines(first, last)) for b, c in pairs]))
    return made


def _cut(depth: int, most: int) -> list[tuple[int, int]]:
    """Parts of a depth, even ones, none of which is more than that."""
    count = -(-depth // most)
    cuts = [-(-depth * i // count // DEPTH) * DEPTH for i in range(count)]
    return list(pairwise([*cuts, depth]))


def _distinct(groups: _Groups) -> list[_Matrix]:
    return list(dict.fromkeys(b for _, pairs in groups for b, _ in pairs))


def _in_windows(groups: _Groups) -> Iterator[tuple[int, _Groups]]:
    """The same products in parts whose B's stay in the second cache, each with the depth where it begins."""
    depth = groups[0][0].columns
    few = depth * sum(b.columns for b in _distinct(groups)) <= _WINDOW
    for first, last in [(0, depth)] if few else _cut(depth, DEEP):
        part = [(a.some(first, last), [(b.lines(first, last), c) for b, c in pairs]) for a, pairs in groups]
        for window in _narrow(part, max(_LEAST_WINDOW, _WINDOW // (last - first))):
            yield first, window


def _narrow(groups: _Groups, most: int) -> list[_Groups]:
    """The same products, with no more than so many columns of B's at a time."""
    distinct = _distinct(groups)
    total = sum(b.columns for b in distinct)
    if total <= most:
        return [groups]
    each = -(-total // (-(-total // most) * 2 * LINES)) * 2 * LINES
    starts = dict(zip(distinct, accumulate((b.columns for b in distinct), initial=0), strict=False))
    made = []
    for low in range(0, total, each):
        inside = {b: (max(0, low - at), min(b.columns, low + each - at)) for b, at in starts.items()}
        some = [
            (a, [(b.some(*inside[b]), c.some(*inside[b])) for b, c in pairs if inside[b][0] < inside[b][1]])
            for a, pairs in groups
        ]
        made.append([(a, pairs) for a, pairs in some if pairs])
    return made


def _into(groups: _Groups, outs: Sequence[Sequence[Tensor]]) -> _Groups:
    """The same products with other results."""
    return [
        (a, [(b, _matrix(out)) for (b, _), out in zip(pairs, some, strict=True)])
        for (a, pairs), some in zip(groups, outs, strict=True)
    ]


def _factors(jobs: Jobs, laid: Mapping[_Matrix, int], pairs: Sequence[tuple[_Matrix, _Matrix]]) -> array[int]:
    """Tiles of B, at these addresses, and C, as the unit's functions read them."""
    numbers = [n for b, c in pairs for n in (laid[b], c.columns, c.at, c.down)]
    return jobs.table(tiles.FACTOR * len(pairs), numbers)


def _fits(a: _Matrix, factors: Sequence[_Matrix]) -> bool:
    """Whether the matrix unit can multiply these and is faster."""
    columns, way = sum(b.columns for b in factors), a.way
    if not way or not all(b.way for b in factors) or columns < _COLUMNS[way]:
        return False
    return a.rows * columns * a.columns >= _LEAST and min(a.rows, a.columns) >= LINES
