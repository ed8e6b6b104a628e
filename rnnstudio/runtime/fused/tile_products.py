"""Products of matrices over all steps at once on the matrix unit: before a loop, and after it for gradients."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from . import tiles
from .ir import Target
from .multiply import BY_TORCH, Groups
from .tile_chunks import JOB, LAYOUT_NUMBERS, PRODUCT_NUMBERS
from .tile_machine import TileCode, tile_code
from .tile_parts import ACROSS, ALONG, DEPTH, LINES, RIGHT, size, splitter_name

_SECOND_CACHE = 1 << 17
"""Of a long B so many numbers are laid out at a time, 0.8 MB, which stay in the second cache."""

_COLUMNS = {ALONG: 48, ACROSS: 96}
"""With fewer columns of B, splitting A takes longer than what is gained; A across is turned besides."""

_LEAST = 1 << 17
"""Smaller products are torch's: setting up takes longer. Nor are they shared out to threads."""

_LEAST_LAID = 1 << 14
"""Fewer numbers of B are laid out by one thread."""

_LEAST_DEPTH, _PARTS = 256, 8
"""A part of the depth is no less, and there are no more parts: each has its own results, which are added up."""

Key = tuple[int, ...]


def lay_out(target: Target, weight: Tensor, *, turned: bool) -> Tensor:
    """A weight [columns, depth], or when turned [depth, columns], as B of a product: bytes of its tiles."""
    if weight.stride(1) != 1:
        weight = weight.contiguous()
    return _laid_out(tile_code(target), weight if turned else weight.t())


def _laid_out(code: TileCode, b: Tensor) -> Tensor:
    """Tiles of B [depth, columns]."""
    depth, columns = b.shape
    made = _tiles(b, depth)
    table = array("q", [b.data_ptr(), max(b.stride()), columns, depth, made.data_ptr()])
    code.run(_splitter(b) + "_range", _at(table), -(-columns // LINES), shared=columns * depth >= _LEAST_LAID)
    return made


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
        if any(_way(a) == ACROSS for a, _ in groups):
            self._in_chunks(groups, add)
            return
        laid = {key: _laid_out(self._code, b) for key, b in _distinct(groups).items()}
        for a, factors in groups:
            (rows, depth), columns = a.shape, sum(b.shape[1] for b, _ in factors)
            places = _factors((laid[_key(b)], out) for b, out in factors)
            table = array("q", [a.data_ptr(), max(a.stride()), rows, depth, _at(places), len(factors), int(add)])
            shared = rows * columns * depth >= _LEAST
            self._code.run(tiles.PRODUCTS[_way(a)] + "_range", _at(table), -(-rows // LINES), shared=shared)

    def _in_chunks(self, groups: Groups, add: bool) -> None:
        """Long products: see tile_chunks.py. The first part of the depth is added up in `out` itself."""
        distinct = _distinct(groups)
        depth, columns = groups[0][0].shape[1], sum(b.shape[1] for b in distinct.values())
        chunk = min(depth, max(4, _SECOND_CACHE // columns // DEPTH) * DEPTH)
        parts = max(1, min(torch.get_num_threads(), _PARTS, depth // _LEAST_DEPTH))
        shares = torch.get_num_threads() // parts
        cuts = [depth * i // parts // DEPTH * DEPTH for i in range(parts)] + [depth]
        results = [[[out for _, out in factors] for _, factors in groups]]
        results += [[[out.new_empty(out.shape) for out in some] for some in results[0]] for _ in range(parts - 1)]
        plans = [
            _Plan(self._code, groups, distinct, outs, (cuts[i], cuts[i + 1], chunk), (share, shares), add and i == 0)
            for i, outs in enumerate(results)
            for share in range(shares)
        ]
        table = array("q", [_at(plan.table) for plan in plans])
        self._code.run(JOB, _at(table), len(plans), shared=True)
        for part in results[1:]:
            for outs, more in zip(results[0], part, strict=True):
                for out, own in zip(outs, more, strict=True):
                    out.add_(own)


class _Plan:
    """One thread's work: a part of the depth, and a share of the rows of every product. Keeps what its table names."""

    def __init__(
        self,
        code: TileCode,
        groups: Groups,
        distinct: Mapping[Key, Tensor],
        outs: Sequence[Sequence[Tensor]],
        depth: tuple[int, int, int],
        share: tuple[int, int],
        add: bool,
    ) -> None:
        laid = {key: _tiles(b, depth[2]) for key, b in distinct.items()}
        layouts, products = array("q"), array("q")
        for key, b in distinct.items():
            function = code.code.address(_splitter(b))
            layouts.extend((function, b.data_ptr(), max(b.stride()), b.shape[1], _step(b, 0), laid[key].data_ptr()))
        factors: list[array[int]] = []
        for (a, pairs), own in zip(groups, outs, strict=True):
            blocks = -(-a.shape[0] // LINES)
            first, last = (min(a.shape[0], blocks * i // share[1] * LINES) for i in (share[0], share[0] + 1))
            if first < last:
                factors.append(_factors((laid[_key(b)], out[first:]) for (b, _), out in zip(pairs, own, strict=True)))
                function, start = code.code.address(tiles.PRODUCTS[_way(a)]), a[first:].data_ptr()
                rows = last - first
                products.extend((function, start, max(a.stride()), rows, _step(a, 1), _at(factors[-1]), len(pairs)))
        sizes = len(layouts) // LAYOUT_NUMBERS, len(products) // PRODUCT_NUMBERS
        self.table = array("q", [*depth, _at(layouts), sizes[0], _at(products), sizes[1], int(add)])
        self._kept = laid, layouts, products, factors


def _distinct(groups: Groups) -> dict[Key, Tensor]:
    return {_key(b): b for _, factors in groups for b, _ in factors}


def _key(b: Tensor) -> Key:
    return (b.data_ptr(), *b.shape, *b.stride())


def _tiles(b: Tensor, depth: int) -> Tensor:
    """Memory for so much depth of B."""
    return b.new_empty(size(b.shape[1], depth), dtype=torch.uint8)


def _splitter(b: Tensor) -> str:
    """What lays B out. Its columns are lines."""
    return splitter_name(RIGHT, ACROSS if _way(b) == ALONG else ALONG)


def _factors(pairs: Iterable[tuple[Tensor, Tensor]]) -> array[int]:
    """Tiles of B, and C, as the unit's functions read them."""
    return array("q", [n for b, c in pairs for n in (b.data_ptr(), c.shape[1], c.data_ptr(), c.stride(0))])


def _step(x: Tensor, dimension: int) -> int:
    """Bytes from one number of the depth to the next."""
    return x.stride(dimension) * x.element_size()


def _at(table: array[int]) -> int:
    return table.buffer_info()[0]


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
