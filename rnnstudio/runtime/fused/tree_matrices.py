"""Rows that are matrices, times vectors, as LLVM IR: what is left of a bilinear map after its product. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from .ir import Function
from .stages import Store

MATRICES = ("matvec", "vecmat", "outer")
_AT_ONCE = 4
"""Vectors of sums that vecmat keeps in registers."""


def groups(stores: Sequence[Store]) -> list[list[Store]]:
    """Stores as one row does them: those of one width together, gradients of matrices, which lie over them, last."""
    keys = sorted({(s.node.op == "outer", -s.node.width) for s in stores})
    return [[s for s in stores if (s.node.op == "outer", -s.node.width) == key] for key in keys]


def matvec(f: Function, matrix: str, vector: str, height: int, width: int, into: str) -> None:
    """into[k] = Σ_i matrix[k · width + i] · vector[i], for k below `height`."""
    t = f.target
    whole = width // t.lanes * t.lanes
    name = f"@llvm.vector.reduce.fadd.{t.suffix}"
    with f.loop("0", str(height)) as k:
        row = f.address(matrix, f.mul(k, width))
        total = t.splat(0.0)
        if whole:
            place = f.place()
            f.emit(f"store {t.vector} {total}, ptr {place}")
            with f.loop("0", str(whole), str(t.lanes)) as j:
                before = f.let(f"load {t.vector}, ptr {place}")
                after = f.fma(f.load(f.address(row, j)), f.load(f.address(vector, j)), before)
                f.emit(f"store {t.vector} {after}, ptr {place}")
            total = f.let(f"load {t.vector}, ptr {place}")
        if width > whole:
            mask, j = t.first_lanes(width - whole), str(whole)
            total = f.fma(f.load(f.address(row, j), mask), f.load(f.address(vector, j), mask), total)
        found = f.let(f"call reassoc {t.scalar} {name}({t.scalar} {t.number(0.0)}, {t.vector} {total})")
        f.emit(f"store {t.scalar} {found}, ptr {f.address(into, k)}, align {t.size}")


def vecmat(f: Function, vector: str, matrix: str, height: int, width: int, into: str) -> None:
    """into[i] = Σ_k vector[k] · matrix[k · width + i], for i below `width`."""
    t = f.target
    every = [(at, "" if at + t.lanes <= width else t.first_lanes(width - at)) for at in range(0, width, t.lanes)]
    for begin in range(0, len(every), _AT_ONCE):
        some = [(at, mask, f.place()) for at, mask in every[begin : begin + _AT_ONCE]]
        for _, _, place in some:
            f.emit(f"store {t.vector} {t.splat(0.0)}, ptr {place}")
        with f.loop("0", str(height)) as k:
            row, one = f.address(matrix, f.mul(k, width)), f.broadcast(f.load_scalar(f.address(vector, k)))
            for at, mask, place in some:
                before = f.let(f"load {t.vector}, ptr {place}")
                f.emit(f"store {t.vector} {f.fma(one, f.load(f.address(row, str(at)), mask), before)}, ptr {place}")
        for at, mask, place in some:
            f.store(f.let(f"load {t.vector}, ptr {place}"), f.address(into, str(at)), mask)


def outer(f: Function, left: str, right: str, height: int, width: int, into: str, *, add: bool) -> None:
    """into[k · width + i] (+)= left[k] · right[i]."""
    t = f.target
    whole = width // t.lanes * t.lanes
    with f.loop("0", str(height)) as k:
        row, one = f.address(into, f.mul(k, width)), f.broadcast(f.load_scalar(f.address(left, k)))

        def fill(j: str, mask: str, row: str = row, one: str = one) -> None:
            place, value = f.address(row, j), f.load(f.address(right, j), mask)
            value = f.fma(one, value, f.load(place, mask)) if add else f.op("fmul", one, value)
            f.store(value, place, mask)

        if whole:
            with f.loop("0", str(whole), str(t.lanes)) as j:
                fill(j, "")
        if width > whole:
            fill(str(whole), t.first_lanes(width - whole))
