"""Cells that nobody thought of: random graphs of states, gates and arithmetic equal the reference."""

from __future__ import annotations

import hypothesis.strategies as st
import torch
from hypothesis import HealthCheck, given, settings

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.runtime.fused.loops import MACHINE, TORCH

from .cells import AT, Draw, backward, delay, program
from .test_against_reference import compare

UNARY = ("Sigmoid", "Tanh", "Relu", "Softplus", "OneMinus", "Scale")
BINARY = ("Add", "Multiply", "Subtract", "Maximum")


@st.composite
def cells(draw: st.DrawFn) -> Draw:
    """A loop with one to three states of `units` numbers, some of them wider."""
    states = draw(st.integers(1, 3))
    lags = [draw(st.sampled_from((1, 1, 1, 2, 3))) for _ in range(states)]
    starts = [draw(st.sampled_from(("zero", "zero", "learned"))) for _ in range(states)]
    steps = draw(
        st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=3, max_size=12)
    )
    ends = [draw(st.integers(0, 99)) for _ in range(states + 1)]
    turned = draw(st.booleans())

    def sketch(s: Sketch, units: int) -> str:
        pool = [f"d{i}" for i in range(states)]
        for i, (what, a, b) in enumerate(steps):
            one, two = pool[a % len(pool)], pool[b % len(pool)]
            kind = what % 5
            if kind in (0, 1):
                params = {"units": units, "terms": 3 if kind else 2}
                more = {"input3": two} if kind else {}
                made = s.add(f"n{i}", "Linear", at=AT, params=params, input="x", input2=one, **more)
            elif kind == 2:
                made = s.add(f"n{i}", UNARY[what % len(UNARY)], at=AT, input=one)
            elif kind == 3:
                made = s.add(f"n{i}", BINARY[what % len(BINARY)], at=AT, a=one, b=two)
            else:
                both = s.add(f"both{i}", "Concat", at=AT, a=one, b=two)
                cut = what % units
                made = s.add(f"n{i}", "Slice", at=AT, params={"start": cut, "stop": cut + units}, input=both)
            pool.append(made)
        for i, (lag, start) in enumerate(zip(lags, starts, strict=True)):
            mixed = s.add(f"m{i}", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2=f"d{i}")
            total = s.add(f"t{i}", "Add", at=AT, a=mixed, b=pool[ends[i] % len(pool)])
            delay(s, f"d{i}", s.add(f"s{i}", "Tanh", at=AT, input=total), lag, start, units)
        return s.add("out", "Tanh", at=AT, input=pool[ends[-1] % len(pool)])

    return backward(sketch) if turned else sketch


@given(cells(), st.sampled_from((2, 5)), st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_one_torch_function(cell: Draw, units: int, ragged: bool) -> None:
    compare(program(cell, units), TORCH, torch.float64, 3, 4, ragged=ragged)


@given(cells(), st.sampled_from((3, 17)), st.booleans())
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_machine_code(cell: Draw, units: int, ragged: bool) -> None:
    compare(program(cell, units), MACHINE, torch.float64, 3, 4, ragged=ragged)
