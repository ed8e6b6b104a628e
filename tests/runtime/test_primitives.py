"""Every primitive's derivative against finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.primitives import POINTWISE_BINARY, POINTWISE_UNARY, POOLS, PRIMITIVES, Op
from rnnstudio.design.signals import Real, Signal
from rnnstudio.runtime.context import Context
from rnnstudio.runtime.primitives import OPERATIONS, run_op

TIME, BATCH, WIDTH = 4, 3, 2
LENGTHS = {"time": torch.tensor([2, 4, 1])}


def random(*shape: int, seed: int = 0, positive: bool = False) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (x.abs() + 0.5 if positive else x).requires_grad_()


def context(weights: dict[str, Tensor], *, ragged: bool = False) -> Context:
    return Context(
        weights,
        {"time": TIME, "source": 2},
        LENGTHS if ragged else {},
        BATCH,
        training=False,
        state={},
        device=torch.device("cpu"),
        dtype=torch.float64,
    )


def x(seed: int = 1, *, positive: bool = False) -> Tensor:
    return random(TIME, BATCH, WIDTH, seed=seed, positive=positive)


SEQUENCE = ("time",)
TABLE = torch.tensor([[0, 2], [1, 1], [2, 0]])
Case = tuple[str, dict[str, Any], tuple[Tensor, ...], dict[str, Tensor], tuple[str, ...]]
"""kind, attributes, inputs, weights, axes of the result."""

CASES: dict[str, Case] = {
    **{kind: (kind, {}, (x(positive=kind in ("log", "relu", "abs")),), {}, SEQUENCE) for kind in POINTWISE_UNARY},
    **{kind: (kind, {}, (x(1), x(2, positive=kind == "divide")), {}, SEQUENCE) for kind in POINTWISE_BINARY},
    "add, broadcast": ("add", {}, (x(1), random(BATCH, WIDTH)), {}, SEQUENCE),
    "multiply, width 1": ("multiply", {}, (x(1), random(TIME, BATCH, 1)), {}, SEQUENCE),
    "affine": ("affine", {"scale": 2.5, "offset": 1.0}, (x(),), {}, SEQUENCE),
    "affine, one minus": ("affine", {"scale": -1.0, "offset": 1.0}, (x(),), {}, SEQUENCE),
    "parameter": ("parameter", {"weight": "w"}, (), {"w": random(WIDTH)}, ()),
    "linear": ("linear", {"weight": "w", "bias": "b"}, (x(),), {"w": random(5, WIDTH), "b": random(5)}, SEQUENCE),
    "linear, no bias": ("linear", {"weight": "w", "bias": None}, (x(),), {"w": random(5, WIDTH)}, SEQUENCE),
    "linear, joined": (
        "linear",
        {"weight": ("w", "v"), "bias": (None, "b")},
        (x(),),
        {"w": random(5, WIDTH), "v": random(2, WIDTH), "b": random(2)},
        SEQUENCE,
    ),
    "embed": ("embed", {"weight": "w"}, (TABLE.T,), {"w": random(3, WIDTH)}, SEQUENCE),
    "concat": ("concat", {}, (x(1), random(BATCH, 3), x(2)), {}, SEQUENCE),
    "slice": ("slice", {"start": 1, "stop": 2}, (x(),), {}, SEQUENCE),
    "align": (
        "align",
        {"axes": ("source", "time"), "present": ("time",)},
        (x(),),
        {},
        ("source", "time"),
    ),
    "align, turned": (
        "align",
        {"axes": ("source", "time"), "present": ("time", "source")},
        (random(TIME, 2, BATCH, WIDTH),),
        {},
        ("source", "time"),
    ),
    "dropout": ("dropout", {"rate": 0.5, "every_step": True}, (x(),), {}, SEQUENCE),
    "softmax": ("softmax", {}, (x(),), {}, SEQUENCE),
    "reverse": ("reverse", {"axis": "time"}, (x(),), {}, SEQUENCE),
    **{
        f"delay {k}": ("delay", {"axis": "time", "k": k, "initial": "zero", "weight": None}, (x(),), {}, SEQUENCE)
        for k in (1, 3, 9, -1, -2, -9)
    },
    "delay, learned": (
        "delay",
        {"axis": "time", "k": 2, "initial": "learned", "weight": "w"},
        (x(),),
        {"w": random(WIDTH)},
        SEQUENCE,
    ),
    "delay, from a wire": (
        "delay",
        {"axis": "time", "k": -2, "initial": "wire", "weight": None},
        (x(), random(BATCH, WIDTH)),
        {},
        SEQUENCE,
    ),
    **{f"pool, {how}": ("pool", {"axis": "time", "how": how, "axes": SEQUENCE}, (x(),), {}, ()) for how in POOLS},
    "repeat": ("repeat", {"axis": "time"}, (random(BATCH, WIDTH), x()), {}, SEQUENCE),
    "cross_entropy": (
        "cross_entropy",
        {"class_weights": (), "smoothing": 0.0},
        (random(TIME, BATCH, 5), torch.arange(12).reshape(4, 3) % 5),
        {},
        SEQUENCE,
    ),
    "cross_entropy, weighted and smoothed": (
        "cross_entropy",
        {"class_weights": (1.0, 2.0, 0.5, 1.0, 3.0), "smoothing": 0.1},
        (random(TIME, BATCH, 5), torch.arange(12).reshape(4, 3) % 5),
        {},
        SEQUENCE,
    ),
    "binary_cross_entropy": ("binary_cross_entropy", {}, (x(1), torch.sigmoid(x(2)).detach()), {}, SEQUENCE),
    "huber": ("huber", {"delta": 0.7}, (x(1), x(2)), {}, SEQUENCE),
    "gaussian_likelihood": ("gaussian_likelihood", {}, (x(1), x(2), x(3)), {}, SEQUENCE),
    "bilinear": (
        "bilinear",
        {"weight": "w", "bias": "b"},
        (x(1), x(2)),
        {"w": random(5, WIDTH, WIDTH), "b": random(5)},
        SEQUENCE,
    ),
    "squared_error": ("squared_error", {}, (x(1), x(2)), {}, SEQUENCE),
    "absolute_error": ("absolute_error", {}, (x(1), x(2)), {}, SEQUENCE),
    "average": ("average", {"axes": SEQUENCE}, (random(TIME, BATCH, 1),), {}, ()),
}


@pytest.mark.parametrize("letter", sorted({name[0] for name in CASES}))
def test_the_derivative_equals_finite_differences(letter: str) -> None:
    for name in CASES:
        if name.startswith(letter):
            compare_with_finite_differences(name)


def compare_with_finite_differences(name: str) -> None:
    kind, attrs, inputs, weights, axes = CASES[name]
    op = Op("op", kind, tuple(f"x{i}" for i in range(len(inputs))), Signal(axes, Real(WIDTH)), "node", attrs)
    keys = list(weights)
    moving = tuple(v for v in inputs if v.is_floating_point())

    def run(ragged: bool) -> Callable[..., Tensor]:
        def call(*values: Tensor) -> Tensor:
            given = iter(values)
            arguments = tuple(next(given) if v.is_floating_point() else v for v in inputs)
            return run_op(op, arguments, context(dict(zip(keys, given, strict=True)), ragged=ragged))

        return call

    for ragged in (False, True):
        assert torch.autograd.gradcheck(run(ragged), (*moving, *weights.values()), atol=1e-7), name


def test_every_operation_is_tested_and_listed() -> None:
    """`input` is no operation; what has tests of its own beside this file is named here."""
    elsewhere = {"input", *(kind for kind in PRIMITIVES if kind not in OPERATIONS)}
    tested = {case[0] for case in CASES.values()}
    assert tested <= set(OPERATIONS)
    assert set(POINTWISE_UNARY) | set(POINTWISE_BINARY) <= tested
    assert tested | elsewhere >= {"linear", "embed", "concat", "delay", "pool", "repeat", "cross_entropy", "average"}


def test_dropout_scales_what_it_keeps_and_uses_one_mask_for_all_steps_when_told() -> None:
    torch.manual_seed(0)
    ones = torch.ones(200, BATCH, 50, dtype=torch.float64)
    for every in (True, False):
        op = Op("op", "dropout", ("x",), Signal(SEQUENCE, Real(50)), "node", {"rate": 0.25, "every_step": every})
        here = context({})
        here.training = True
        found = run_op(op, (ones,), here)
        assert set(found.unique().tolist()) == {0.0, 1 / 0.75}
        assert bool((found == found[:1]).all()) is not every
        assert abs(float((found == 0).double().mean()) - 0.25) < 0.08
