"""The generated exp, sigmoid, tanh, log and softplus are as accurate as stated, and keep NaN and infinity."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache, partial

import pytest
import torch
from torch import Tensor

from rnnstudio.runtime.fused import vector_math
from rnnstudio.runtime.fused.ir import Function, Target, declarations
from rnnstudio.runtime.fused.jit import Code, compile_ir

from .test_bounds import X86, target

NAMES = ("exp", "sigmoid", "tanh", "log", "softplus")
VECTORS = ("host", "avx2", "sse2") if X86 else ("host",)
ACCURACY = {torch.float32: 2e-7, torch.float64: 1e-14}


def over_arrays(target: Target) -> str:
    """A module with each function over an array: @all_exp and so on (x, y, how many)."""
    text = [declarations(target), vector_math.library(target)]
    for name in NAMES:
        f = Function(target, f"define void @all_{name}(ptr %x, ptr %y, i64 %count)")
        with f.loop("0", "%count", str(target.lanes)) as j:
            f.store(f.call(f"rnn_{name}", [f.load(f.address("%x", j))]), f.address("%y", j))
        f.emit("ret void")
        text.append(f.text())
    return "\n".join(text)


@lru_cache
def compiled(vectors: str, double: bool) -> Code:
    made = target(vectors, double)
    return compile_ir(over_arrays(made), made, {})


def generated(vectors: str, name: str, x: Tensor) -> Tensor:
    """Our function of a vector whose length is a multiple of 16."""
    assert len(x) % 16 == 0
    code, y = compiled(vectors, x.dtype == torch.float64), torch.empty_like(x)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(code.address(f"all_{name}"))
    function(x.data_ptr(), y.data_ptr(), len(x))
    return y


def exact(name: str, x: Tensor) -> Tensor:
    functions = {"exp": torch.exp, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "log": torch.log}
    return torch.nn.functional.softplus(x) if name == "softplus" else functions[name](x)


@pytest.mark.parametrize("vectors", VECTORS)
@pytest.mark.parametrize("dtype", ACCURACY)
@pytest.mark.parametrize("name", NAMES)
def test_relative_error(name: str, dtype: torch.dtype, vectors: str) -> None:
    check_relative_error(name, dtype, 1 << 16, partial(generated, vectors))


def check_relative_error(name: str, dtype: torch.dtype, count: int, function: Callable[[str, Tensor], Tensor]) -> None:
    """function(name, x) is as accurate as stated where x is spread over many sizes, `count` numbers of each."""
    g = torch.Generator().manual_seed(0)
    spread = [torch.randn(count, generator=g, dtype=torch.float64) * 10.0**e for e in (-6, -3, -1, 0, 1, 1.8)]
    x = torch.cat([*spread, torch.linspace(-87, 88, count, dtype=torch.float64)]).to(dtype)
    x = x.abs() if name == "log" else x.clamp(-85, 88)
    if name == "softplus":
        x = x.clamp(-80, 19)  # above 20 it is x, which torch's own float64 rounds the other way
    wanted, found = exact(name, x.double()), function(name, x).double()
    near_one = (x - 1).abs() < 1e-2 if name == "log" else torch.zeros_like(x, dtype=torch.bool)
    error = ((found - wanted) / wanted).abs()
    error[wanted == 0] = found[wanted == 0].abs()
    assert float(error[~near_one].max()) <= ACCURACY[dtype]
    assert float((found - wanted)[near_one].abs().max() if near_one.any() else 0.0) <= ACCURACY[dtype]


@pytest.mark.parametrize("vectors", VECTORS)
@pytest.mark.parametrize("dtype", ACCURACY)
@pytest.mark.parametrize("name", NAMES)
def test_far_away_and_not_numbers(name: str, dtype: torch.dtype, vectors: str) -> None:
    check_far_away(name, dtype, partial(generated, vectors))


def check_far_away(name: str, dtype: torch.dtype, function: Callable[[str, Tensor], Tensor]) -> None:
    """function(name, x) keeps NaN and infinity, and what is below or above all bounds."""
    far = [0.0, -0.0, 1e4, -1e4, float("inf"), float("-inf"), float("nan"), 1e-30, -1e-30, 100.0, -100.0, 30.0]
    x = torch.tensor([*far, 0.5, -0.5, 88.7, -88.7], dtype=dtype)
    wanted, found = exact(name, x.double()), function(name, x).double()
    if dtype == torch.float32:
        wanted = exact(name, x).double()
    assert torch.equal(found.isnan(), wanted.isnan())
    keep = ~wanted.isnan()
    small = (wanted[keep] - found[keep]).abs() < 1e-37  # below the least normal float32: nothing of a gate's
    close = torch.isclose(found[keep], wanted[keep], rtol=2 * ACCURACY[dtype], atol=0.0)
    assert bool((small | close).all())
