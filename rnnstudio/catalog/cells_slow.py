"""Cells with an ungated state: IRNN, leaky units, echo states, clockwork; and the highway layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..design.design import CellDefinition, Value, Var
from .cell_parts import DELAY, PORT, SQUASH, SUM, UNITS, grid, total
from .sketch import Sketch


def irnn() -> CellDefinition:
    s = grid()
    s.add("x", "CellInput", at=(PORT, -8))
    s.add("h0", "CellInput", at=(PORT, 2), params={"optional": True})
    start: dict[str, Value] = {"init": "normal", "gain": Var("input_spread"), "init2": "identity", "gain2": Var("gain")}
    h = s.add("state", "Relu", at=(SQUASH + 4, 0), title="hₜ", input=total(s, "total", (SUM, 0), "", **start))
    s.add("h_before", "Delay", at=(DELAY, 2), title="hₜ₋₁", input=h, initial="h0")
    s.add("h", "CellOutput", at=(SQUASH + 17, -1), input=h)
    return s.cell(
        "IRNN",
        {"units": 100, "gain": 1.0, "input_spread": 0.001},
        "A plain recurrent cell with ReLU whose recurrent matrix starts as the identity: it begins by remembering.",
        "h_t = relu(W_xh x_t + W_hh h_{t-1} + b),  W_hh starts as gain · I",
        "Le, Jaitly and Hinton 2015",
    )


BLEND = 72.0
"""Column in which a leaky cell mixes the old state with the new."""


def _leaky(s: Sketch) -> str:
    """The ports of a leaky cell and its proposal f = tanh(W x + U h + b); the state is drawn by the caller."""
    s.add("x", "CellInput", at=(PORT, -9))
    s.add("h0", "CellInput", at=(PORT, 1), params={"optional": True})
    return s.add("proposal", "Tanh", at=(SQUASH + 2, -8), title="f", input=total(s, "total", (SUM, -8)))


def _state(s: Sketch, state: str) -> None:
    s.add("h_before", "Delay", at=(DELAY, 1), title="hₜ₋₁", input=state, initial="h0")
    s.add("h", "CellOutput", at=(BLEND + 16, -2), input=state)


def leaky() -> CellDefinition:
    s = grid()
    new = _leaky(s)
    keep = {"keep": Var("alpha")}
    state = s.add("state", "Blend", at=(BLEND, 0), params=keep, title="α h + (1 − α) f", new=new, old="h_before")
    _state(s, state)
    return s.cell(
        "Leaky",
        {"units": 128, "alpha": 0.9},
        "Leaky units: a share α of the old state stays at every step, so that it changes slowly.",
        "f = tanh(W x_t + U h_{t-1} + b)\nh_t = α h_{t-1} + (1 − α) f",
        "Mozer 1992; Jaeger et al. 2007",
    )


def learned_leaky() -> CellDefinition:
    s = grid()
    new = _leaky(s)
    s.add(
        "rate",
        "Weights",
        at=(SUM, 6),
        params={"units": UNITS, "value": Var("fastest"), "last": Var("slowest"), "spacing": "even"},
        title="a",
    )
    alpha = s.add("alpha", "Sigmoid", at=(SQUASH + 2, 7), title="α = σ(a)", input="rate")
    state = s.add("state", "Blend", at=(BLEND, 0), title="α h + (1 − α) f", new=new, old="h_before", gate=alpha)
    _state(s, state)
    return s.cell(
        "LearnedLeaky",
        {"units": 128, "fastest": -2.0, "slowest": 5.0},
        "Leaky units that learn how slow each of them is; they start evenly spread from fast to slow.",
        "f = tanh(W x_t + U h_{t-1} + b)\nα = σ(a),  a ∈ ℝⁿ learned\nh_t = α ⊙ h_{t-1} + (1 − α) ⊙ f",
        "Mozer 1992; Tallec and Ollivier 2018",
    )


def time_constants() -> CellDefinition:
    s = grid()
    s.add("x", "CellInput", at=(PORT, 12))
    s.add("h0", "CellInput", at=(PORT, 0), params={"optional": True})
    new = s.add("proposal", "Tanh", at=(SQUASH + 2, 13), title="f", input=total(s, "total", (SUM, 13)))
    times: dict[str, Value] = {
        "units": UNITS,
        "value": Var("shortest"),
        "last": Var("longest"),
        "spacing": "geometric",
        "frozen": Var("fixed"),
    }
    s.add("times", "Weights", at=(86, 23), params=times, title="τ")
    change = s.add("change", "Subtract", at=(84, 13), title="f − h", a=new, b="h_before")
    slowed = s.add("slowed", "Divide", at=(101, 13), title="(f − h) / τ", a=change, b="times")
    state = s.add("state", "Add", at=(117, 0), title="hₜ", a="h_before", b=slowed)
    s.add("h_before", "Delay", at=(DELAY, 0), title="hₜ₋₁", input=state, initial="h0")
    s.add("h", "CellOutput", at=(130, -1), input=state)
    return s.cell(
        "LeakyTimes",
        {"units": 128, "shortest": 1.0, "longest": 100.0, "fixed": True},
        "Leaky units with a time constant each, from the shortest to the longest: several time scales in one layer.",
        "f = tanh(W x_t + U h_{t-1} + b)\nh_t = h_{t-1} + (f − h_{t-1}) / τ,  τ ∈ ℝⁿ",
        "Mozer 1992; continuous-time nets: Funahashi and Nakamura 1993",
    )


def echo_state(feedback: bool = False) -> CellDefinition:
    """feedback: with a port for the output of the step before."""
    s = grid()
    below = 32 if feedback else 24
    s.add("x", "CellInput", at=(PORT, 0))
    s.add("h0", "CellInput", at=(PORT, below), params={"optional": True})
    frozen: dict[str, Value] = {"units": UNITS, "bias": False, "frozen": True}
    # U(−scaling, scaling) is “uniform” with n = 1.
    drawn: dict[str, Value] = {**frozen, "fan": 1, "gain": Var("input_scaling")}
    reservoir: dict[str, Value] = {**frozen, "init": "spectral_radius", "gain": Var("spectral_radius")}
    parts = {
        "a": s.add("inputs", "Linear", at=(SUM, 0), params=drawn, title="W_in x", input="x"),
        "b": s.add(
            "recurrent",
            "Linear",
            at=(SUM, 8),
            params={**reservoir, "density": Var("density")},
            title="W h",
            input="h_before",
        ),
        "c": s.add(
            "bias",
            "Weights",
            at=(SUM, 16),
            params={"units": UNITS, "spread": Var("bias_scaling"), "frozen": True},
            title="b",
        ),
    }
    values: dict[str, Value] = {
        "units": 200,
        "spectral_radius": 0.9,
        "density": 0.1,
        "keep": 0.0,
        "input_scaling": 0.5,
        "bias_scaling": 0.1,
    }
    if feedback:
        values["feedback_scaling"] = 0.5
        s.add("y", "CellInput", at=(PORT, 24), title="output before")
        drawn = {**drawn, "gain": Var("feedback_scaling")}
        parts["d"] = s.add("feedback", "Linear", at=(SUM, 24), params=drawn, title="W_fb y", input="y")
    both = s.add("total", "Add", at=(SQUASH + 4, 9), params={"terms": len(parts)}, title="Add", **parts)
    new = s.add("echo", "Tanh", at=(SQUASH + 16, 9), title="Tanh", input=both)
    state = s.add(
        "state", "Blend", at=(SQUASH + 32, below - 1), params={"keep": Var("keep")}, title="hₜ", new=new, old="h_before"
    )
    s.add("h_before", "Delay", at=(DELAY, below), title="hₜ₋₁", input=state, initial="h0")
    s.add("h", "CellOutput", at=(SQUASH + 47, below - 3), input=state)
    back = " + W_fb y_{t-1}" if feedback else ""
    doc = "A reservoir: its weights are drawn once and never trained; only what reads it learns."
    return s.cell(
        "EchoStateFeedback" if feedback else "EchoState",
        values,
        doc + (" It also hears the output of the step before." if feedback else ""),
        f"h_t = α h_{{t-1}} + (1 − α) tanh(W_in x_t + W h_{{t-1}}{back} + b)\nα is “keep”, 1 − α the leaking rate",
        "Jaeger 2001; Jaeger et al. 2007",
    )


def clockwork() -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    modules = range(1, 5)
    states = []
    for i in modules:
        row = 1.5 * (i - 1)
        slower = [f"h{j}_before" for j in modules if j >= i]
        s.add(
            f"total{i}",
            "Linear",
            at=(2, row),
            params={"units": UNITS, "terms": 1 + len(slower), "fan": UNITS},
            title=f"W_{i} x + U_{i} h + b_{i}",
            **{"input": "x", **{f"input{n + 2}": name for n, name in enumerate(slower)}},
        )
        new = s.add(f"new{i}", "Tanh", at=(3, row), input=f"total{i}")
        clock = {"period": Var(f"period{i}")}
        state = s.add(f"state{i}", "Clock", at=(4, row), params=clock, title=f"h{i}", new=new, old=f"h{i}_before")
        s.add(f"h{i}_before", "Delay", at=(1, row + 0.7), title=f"h_{i}, t−1", input=state)
        states.append(state)
    whole = s.add("whole", "Concat", at=(5, 2), params={"terms": 4}, **dict(zip("abcd", states, strict=True)))
    s.add("h", "CellOutput", at=(6, 2), input=whole)
    return s.cell(
        "ClockworkRNN",
        {"units": 32, "period1": 1, "period2": 2, "period3": 4, "period4": 8},
        "Four modules of units, each updated at its own period; a module sees itself and the slower ones.",
        "h_t(i) = tanh(W_i x_t + Σ_{j ≥ i} U_ij h_{t-1}(j) + b_i) where t mod T_i = 0, else h_{t-1}(i)\n"
        "h_t = [h_t(1), h_t(2), h_t(3), h_t(4)]",
        "Koutník et al. 2014; t counts from 0",
    )


def highway() -> CellDefinition:
    s = grid()
    s.add("x", "CellInput", at=(PORT, -1))
    plain = s.add("plain", "Linear", at=(22, 11), params={"units": UNITS}, title="W x + b", input="x")
    changed = s.add("changed", "Relu", at=(38, 12), title="H", input=plain)
    gate = {"units": UNITS, "bias_value": Var("gate_bias")}
    gate_sum = s.add("transform_sum", "Linear", at=(22, 23), params=gate, title="W_T x + b_T", input="x")
    transform = s.add("transform", "Sigmoid", at=(38, 24), title="T", input=gate_sum)
    carry = s.add("carry", "OneMinus", at=(54, 24), title="1 − T", input=transform)
    new = s.add("new_part", "Multiply", at=(54, 12), title="T ⊙ H", a=changed, b=transform)
    old = s.add("old_part", "Multiply", at=(72, 0), title="(1 − T) ⊙ x", a="x", b=carry)
    both = s.add("both", "Add", at=(88, 0), title="Add", a=old, b=new)
    s.add("y", "CellOutput", at=(100, -1), input=both)
    return s.cell(
        "Highway",
        {"units": 128, "gate_bias": -1.0},
        "A layer that lets its input past, feature by feature, until it has learned what to change. The input is "
        "units wide.",
        "H = relu(W x + b)\nT = σ(W_T x + b_T)\ny = T ⊙ H + (1 − T) ⊙ x",
        "Srivastava, Greff and Schmidhuber 2015",
    )


CELLS: tuple[Callable[[], CellDefinition], ...] = (
    *(irnn, leaky, learned_leaky, time_constants),
    *(echo_state, partial(echo_state, feedback=True), clockwork, highway),
)
