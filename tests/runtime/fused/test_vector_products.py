"""Products over all steps in machine code for vectors: values, bounds, and the same bits with any number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from rnnstudio.runtime.fused import vector_products
from rnnstudio.runtime.fused.jit import openmp, vectors
from rnnstudio.runtime.fused.machine_loop import products_at_once
from rnnstudio.runtime.fused.multiply import BY_TORCH
from rnnstudio.runtime.fused.vector_products import VectorProducts

from .test_bounds import WIDTHS, X86, Guarded, target

VECTORS = ("host", "avx2", "sse2") if X86 else ("host",)
ROWS = vector_products._LEAST_ROWS


class GuardedProducts(VectorProducts):
    """Works in memory between canaries."""

    guard: Guarded

    def room(self, like: Tensor, count: int) -> Tensor:
        return self.guard.like(super().room(like, count))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def matrix(guard: Guarded, rows: int, columns: int, dtype: torch.dtype, *, turned: bool, gap: int = 0) -> Tensor:
    """Random numbers between canaries; rows, or when turned columns, with canaries of their own between them."""
    lines, length = (columns, rows) if turned else (rows, columns)
    whole = guard.like(torch.randn(lines, length + gap, dtype=dtype))
    found = whole[:, :length]
    return found.t() if turned else found


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("kind", VECTORS)
@pytest.mark.parametrize("columns", WIDTHS)
def test_products_equal_torchs_and_stay_in_their_bounds(columns: int, kind: str, double: bool) -> None:
    dtype = torch.float64 if double else torch.float32
    near = {"rtol": 1e-12, "atol": 1e-12} if double else {"rtol": 1e-4, "atol": 2e-5}
    products = GuardedProducts(target(kind, double))
    for rows, depth in ((ROWS, 1), (ROWS + 1, 33), (100, 130), (129, 7)):
        for a_turned, b_turned in ((False, False), (False, True), (True, False), (True, True)):
            products.guard = guard = Guarded()
            a = matrix(guard, rows, depth, dtype, turned=a_turned, gap=5)
            b = matrix(guard, depth, columns, dtype, turned=b_turned, gap=3)
            out = guard.like(torch.randn(rows, columns + 2, dtype=dtype))
            before, bias = out.clone(), torch.randn(columns, dtype=dtype)
            wanted = (a.double() @ b.double()).to(dtype)
            torch.testing.assert_close(products(a, b), wanted, **near)
            torch.testing.assert_close(products(a, b, bias=bias), wanted + bias, **near)
            products(a, b, out[:, :columns], add=True)
            torch.testing.assert_close(out[:, :columns], before[:, :columns] + wanted, **near)
            products(a, b, out[:, :columns])
            torch.testing.assert_close(out[:, :columns], wanted, **near)
            assert torch.equal(out[:, columns:], before[:, columns:])
            guard.check()


@pytest.mark.parametrize("wide", [40, vector_products._COLUMNS + 45])
def test_a_deep_product_is_added_up_over_chunks_for_all_factors(wide: int) -> None:
    products = GuardedProducts(target("host"))
    products.guard = guard = Guarded()
    depth = 2 * 256 + 77
    a = matrix(guard, 131, depth, torch.float32, turned=True, gap=1)
    factors = [
        (matrix(guard, depth, n, torch.float32, turned=False), guard.like(torch.randn(131, n))) for n in (wide, 9)
    ]
    factors.append((matrix(guard, depth, 6, torch.float32, turned=True), guard.like(torch.randn(131, 6))))  # torch's
    products.several([(a, factors)])
    for b, out in factors:
        wanted = a.double() @ b.double()
        torch.testing.assert_close(out.double(), wanted, rtol=1e-4, atol=1e-3)
        by_torch = (a @ b).double()
        assert (out - wanted).abs().max() <= 2 * (by_torch - wanted).abs().max() + 1e-5
    guard.check()


@pytest.mark.parametrize("count", [1, 3])
def test_rows_that_would_share_a_set_of_the_cache_are_copied(count: int) -> None:
    torch.set_num_threads(count)
    products = GuardedProducts(target("host"))
    products.guard = guard = Guarded()
    for depth in (1, 250, 1000, 1024):
        a = guard.like(torch.randn(201, 1024))[:, :depth]
        b = matrix(guard, depth, vector_products._COPIED + 7, torch.float32, turned=True)
        found = products(a, b)
        assert torch.equal(found, products(matrix_like(guard, a), b))
        torch.testing.assert_close(found.double(), a.double() @ b.double(), rtol=1e-4, atol=1e-4)
        guard.check()


def matrix_like(guard: Guarded, x: Tensor) -> Tensor:
    """The same numbers in rows of another length."""
    found = guard.like(torch.zeros(x.shape[0], x.shape[1] + 9))[:, : x.shape[1]]
    return found.copy_(x)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("team", [True, False], ids=["OpenMP", "plain threads"])
def test_bits_do_not_depend_on_the_number_of_threads(turned: bool, team: bool) -> None:
    products = VectorProducts(target("host"), team=team)
    assert (products.code.calls.team is not None) == (team and bool(openmp()))
    a = torch.randn(300, 700).t() if turned else torch.randn(700, 300)
    b = torch.randn(300, 65)
    found = []
    for count in (1, 2, 3, 5):
        torch.set_num_threads(count)
        found.append(products(a, b))
    assert all(torch.equal(x, found[0]) for x in found[1:])


def test_what_does_not_fit_is_torchs() -> None:
    products = VectorProducts(target("host"))
    few, other = torch.randn(ROWS - 1, 8), torch.randn(ROWS, 8, dtype=torch.float64)
    gaps = torch.randn(2 * ROWS, 16)[::2, ::2]
    for a in (few, other, gaps, torch.empty(ROWS, 0)):
        b = torch.randn(a.shape[1], 5, dtype=a.dtype)
        assert torch.equal(products(a, b), torch.mm(a, b))
    with_gaps = torch.randn(40, 64)[:, ::2]
    for turned in (False, True):
        assert torch.equal(products.pack(with_gaps, turned=turned), products.pack(with_gaps.clone(), turned=turned))


def test_where_they_serve() -> None:
    assert products_at_once(vectors("aarch64-linux-gnu", "generic", {}, False)) is BY_TORCH
    assert products_at_once(vectors("x86_64-linux-gnu", "x86-64", {}, False)) is BY_TORCH
    if X86:
        assert isinstance(products_at_once(target("avx2")), VectorProducts)
