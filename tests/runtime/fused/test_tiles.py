"""The processor's matrix unit: products in float32 by three bfloat16 parts, and loops over time and trees on it."""

from __future__ import annotations

import ctypes
import random

import pytest
import torch
from torch import Tensor

from rnnstudio.runtime.fused import loops, tiles
from rnnstudio.runtime.fused.ir import Target
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE, TILES
from rnnstudio.runtime.fused.machine_loop import pack_columns, pack_rows
from rnnstudio.runtime.fused.tile_machine import matrix_unit, tile_code
from rnnstudio.runtime.fused.tile_parts import BYTES, LINES, PARTS, size
from rnnstudio.runtime.fused.tile_products import TileProducts, _matrix
from rnnstudio.runtime.network import Network

from .cells import CELLS, batch, network, program
from .test_against_reference import compare, force
from .test_bounds import CELL, WIDTHS, Guarded, GuardedLoop, check
from .test_tree_bounds import GuardedLoop as GuardedTreeLoop
from .test_tree_bounds import check_levels
from .test_trees import compare as compare_trees
from .test_trees import random_trees
from .tree_cells import DRAWN, tree_program

UNIT = matrix_unit()
needs_unit = pytest.mark.skipif(isinstance(UNIT, str), reason=str(UNIT))


def unit() -> Target:
    assert isinstance(UNIT, Target)
    return UNIT


def bound(a: Tensor, b: Tensor) -> Tensor:
    """What float32 allows each number of a · b to be off."""
    return 1e-6 * (a.abs() @ b.abs()).double() + 1e-30


def guarded_tiles(guard: Guarded, laid: Tensor) -> Tensor:
    """A copy of tiles between canaries, at an address that is a multiple of a cache line."""
    return guard.like(laid.view(torch.float32)).view(torch.uint8)


@needs_unit
@pytest.mark.parametrize("columns", [*WIDTHS, 16, 33, 160])
@pytest.mark.parametrize("depth", [1, 31, 32, 65, 513, 1152])
def test_products(columns: int, depth: int) -> None:
    call = ctypes.CFUNCTYPE(
        None, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p, *[ctypes.c_int64] * 2, *[ctypes.c_bool] * 2
    )
    g = torch.Generator().manual_seed(columns)
    multiply = call(tile_code(unit()).code.address(tiles.PRODUCT_OF_TILES))
    for rows in (0, 1, 2, 15, 16, 17, 33, 64, 129, 288):
        for add in (False, True):
            guard = Guarded()
            a = torch.randn(rows, depth, generator=g)
            weight = torch.randn(columns, depth, generator=g)
            given = guard.like(a)
            laid = guarded_tiles(guard, pack_columns(unit(), weight))
            c = guard.like(torch.randn(rows, columns + 3, generator=g))
            before = c.clone()
            factor = (ctypes.c_int64 * 4)(laid.data_ptr(), columns, c.data_ptr(), columns + 3)
            multiply(given.data_ptr(), depth, rows, depth, ctypes.addressof(factor), 1, 0, add, columns % 2 == 0)
            guard.check()
            wanted = a.double() @ weight.double().t() + (before[:, :columns].double() if add else 0)
            off = (c[:, :columns].double() - wanted).abs()
            assert bool((off <= bound(a, weight.t()) + 1e-6 * before[:, :columns].abs()).all())
            assert torch.equal(c[:, columns:], before[:, columns:])


@needs_unit
@pytest.mark.parametrize("columns", [*WIDTHS, 16, 33, 96])
@pytest.mark.parametrize("depth", [16, 31, 64, 300, 704])
def test_long_products_touch_nothing_else(columns: int, depth: int) -> None:
    g = torch.Generator().manual_seed(columns)
    for rows in (16, 17, 33, 64, 129, 288):
        for turned in (False, True):
            guard = Guarded()
            a, b = guard.like(torch.randn(depth, rows, generator=g)), torch.randn(depth, columns, generator=g)
            b = guard.like(b.t().contiguous()).t() if turned else guard.like(b)
            out = guard.like(torch.randn(rows, columns, generator=g))
            before = out.clone()
            unfit = TileProducts(unit(), put_off=True)
            unfit._multiply([(_matrix(a.t()), [(_matrix(b), _matrix(out))])], [[out]], depth % 2 == 0, (a, b))
            unfit.finish()
            guard.check()
            wanted = a.t().double() @ b.double() + (before.double() if depth % 2 == 0 else 0)
            assert bool(((out.double() - wanted).abs() <= bound(a.t(), b) + 1e-6 * before.abs()).all())


@needs_unit
def test_both_ways_to_lay_a_weight_out_give_the_same_tiles_and_nothing_is_lost() -> None:
    weight = torch.randn(37, 70) * torch.logspace(-20, 20, 70)
    laid = pack_columns(unit(), weight)
    assert torch.equal(laid, pack_rows(unit(), weight.t().contiguous()))
    assert laid.numel() == size(37, 70) == 3 * 3 * PARTS * BYTES
    parts = laid.view(torch.bfloat16).view(3, 3, PARTS, LINES, LINES, 2).double().sum(2)  # block, deep, pair, line, two
    whole = parts.permute(0, 3, 1, 4, 2).reshape(3 * LINES, 3 * 32)
    assert torch.equal(whole[:37, :70], weight.double())
    assert not whole[37:].any()
    assert not whole[:, 70:].any()


@needs_unit
def test_products_are_as_near_to_the_truth_as_torchs() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(200, 768, generator=g), torch.randn(768, 256, generator=g)
    wanted = a.double() @ b.double()
    own, torchs = (((x.double() - wanted) ** 2).mean() for x in (TileProducts(unit())(a, b), a @ b))
    assert own <= 2 * torchs


@needs_unit
def test_what_is_not_finite_stays_so() -> None:
    multiply = TileProducts(unit())
    for value in (float("nan"), float("inf"), -float("inf")):
        a, b = torch.ones(128, 128), torch.ones(128, 128)
        a[3, 5] = value
        out = multiply(a, b)
        assert not out[3].isfinite().any()
        assert bool((out[torch.arange(128) != 3] == 128).all())


@needs_unit
@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_products_over_all_steps(threads: int) -> None:
    g = torch.Generator().manual_seed(0)
    before = torch.get_num_threads()
    multiply = TileProducts(unit())
    one = multiply
    try:
        for rows, depth, columns in (
            *((300, 70, 130), (64, 3000, 200), (17, 300, 100), (5, 5, 5), (1, 1, 300)),
            *((160, 1344, 352), (96, 768, 544), (49, 600, 300), (51, 64, 128)),
        ):
            x, w = torch.randn(rows, depth, generator=g), torch.randn(columns, depth, generator=g)
            bias, old = torch.randn(columns, generator=g), torch.randn(rows, columns, generator=g)
            tall = x.t().contiguous().t()
            wanted, allowed = x.double() @ w.double().t(), bound(x, w.t())
            torch.set_num_threads(1)
            first, more = one(x, w.t()), one(x, w.t(), old.clone(), add=True)
            torch.set_num_threads(threads)
            for a in (x, tall, torch.stack([x, x], 2)[:, :, 0]):
                for b in (w.t(), w.t().contiguous()):
                    assert bool(((multiply(a, b).double() - wanted).abs() <= allowed).all())
                    made = multiply(a, b, torch.empty(rows, columns), bias=bias)
                    assert bool(((made.double() - wanted - bias).abs() <= allowed + 1e-6 * bias.abs()).all())
                    made = multiply(a, b, old.clone(), add=True)
                    assert bool(((made.double() - wanted - old).abs() <= allowed + 1e-6 * old.abs()).all())
            assert torch.equal(multiply(x, w.t()), first)  # threads change no bit
            assert torch.equal(multiply(x, w.t(), old.clone(), add=True), more)
            outs = [torch.empty(rows, columns), torch.empty(columns + 2, rows).t()[:, :columns]]
            multiply.several([(tall, [(w.t(), outs[0]), (w.t().contiguous(), outs[1])])])
            assert all(bool(((out.double() - wanted).abs() <= allowed).all()) for out in outs)
    finally:
        torch.set_num_threads(before)


@needs_unit
@pytest.mark.parametrize("tall", [False, True], ids=["", "long"])
def test_factors_that_nobody_else_keeps_are_kept_until_they_are_multiplied(tall: bool) -> None:
    multiply = TileProducts(unit(), put_off=True)
    a, b = torch.randn(300, 200), torch.randn(200, 128)
    out, outs = multiply((a.t().clone().t() if tall else a.clone()), b.clone()), torch.empty(300, 128)
    multiply.several([((a.t().clone().t() if tall else a.clone()), [(b.clone(), outs)])])
    others = [torch.full_like(x, torch.nan) for x in (a, a, b, b)]  # where those were, if they are gone
    multiply.finish()
    assert all(bool(((x.double() - a.double() @ b.double()).abs() <= bound(a, b)).all()) for x in (out, outs))
    assert all(bool(x.isnan().all()) for x in others)


@needs_unit
@pytest.mark.parametrize("name", CELLS)
def test_values_and_gradients_are_the_references(name: str) -> None:
    compare(program(CELLS[name], 7), TILES, torch.float32, 4, 6)
    compare(program(CELLS[name], 40), TILES, torch.float32, 18, 4, ragged=True)


@needs_unit
@pytest.mark.parametrize("width", WIDTHS)
@CELL
def test_time_loops_touch_nothing_else(name: str, width: int) -> None:
    check(name, width, lambda form: GuardedLoop(form, torch.float32, unit(), team=width % 2 == 0))


@needs_unit
@pytest.mark.parametrize("name", DRAWN)
def test_trees(name: str) -> None:
    compare_trees(tree_program(DRAWN[name], 7), TILES, torch.float32, random_trees(6, 1, 12, 3, random.Random(1)))


@needs_unit
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["child-sum", "reset"])
def test_levels_touch_nothing_else(name: str, width: int) -> None:
    check_levels(name, width, lambda plan: GuardedTreeLoop(plan, torch.float32, unit()), torch.float32, 1e-4)


@needs_unit
@pytest.mark.parametrize("name", ["invented", "lstm"])
def test_the_contest_tries_it_where_products_are_large(name: str) -> None:
    made = program(CELLS[name], 64)
    (scan,) = made.scans()
    net = Network(made)
    assert "with or without the matrix unit" in net.lowerings()[0]
    net.losses(batch(3, 2, 8, 4, torch.float32)).total.backward()
    assert TILES in net.loops._times[scan.name]
    assert set(net.loops._times[scan.name]) == {MACHINE, TILES} | ({KERNEL} if name == "lstm" else set())
    assert " ms" in net.lowerings()[0]
    small = Network(program(CELLS["invented"], 8))
    small.losses(batch(3, 2, 8, 4, torch.float32)).total.backward()
    assert small.lowering_choices() == {}
    assert set(small.loops.served.values()) == {MACHINE}


@needs_unit
def test_numbers_of_double_precision_never_go_there() -> None:
    net = force(network(program(CELLS["invented"], 64), torch.float64), TILES)
    net.losses(batch(3, 2, 8, 4, torch.float64)).total.backward()
    assert set(net.loops.served.values()) == {MACHINE}


def test_without_the_unit_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "matrix_unit", lambda: "the processor has no matrix unit")
    net = force(Network(program(CELLS["invented"], 64)), TILES)
    assert "(no layer of torch.nn" in Network(net.program).lowerings()[0]
    assert "the processor has no matrix unit" in Network(net.program).lowerings()[0]
    net.losses(batch(3, 2, 8, 4, torch.float32)).total.backward()
    assert set(net.loops.served.values()) == {MACHINE}
