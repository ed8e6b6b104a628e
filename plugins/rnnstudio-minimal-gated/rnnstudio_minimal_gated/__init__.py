"""The minimal gated unit (Zhou, Wu, Zhang and Zhou 2016): a recurrent cell with a single gate. An example plugin.

    f  = σ(W_f x_t + U_f h_{t-1} + b_f)             how much is replaced, and how much of the state the new value sees
    h′ = tanh(W x_t + U (f ⊙ h_{t-1}) + b)
    h_t = (1 − f) ⊙ h_{t-1} + f ⊙ h′

It needs two thirds of a GRU's parameters. All of rnnstudio that a plugin imports comes from rnnstudio.plugins.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rnnstudio.plugins import (
    Builder,
    CellDefinition,
    Context,
    NodeKind,
    Param,
    Params,
    Plugin,
    Port,
    Signal,
    Signals,
    Sketch,
    Value,
    Var,
    need_real,
)


class SoftLimit(NodeKind):
    """y = x / (1 + |x| / limit): like tanh, but it comes near its limit slowly, so its gradient dies slowly too."""

    name = "SoftLimit"  # what design files call it: never change it
    title = "Soft limit"
    family = "Pointwise"  # the section of the palette
    doc = "Squashes to between −limit and limit, more gently than tanh."
    formula = "y = x / (1 + |x| / limit)"
    inputs = (Port("input", "features"),)
    params = (Param("limit", "float", 1.0, "largest absolute value, never quite reached", minimum=1e-6),)
    words = ("softsign", "squash", "activation")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:  # not connected yet, or in a loop whose shapes are still being found
            return {"out": None}
        need_real(signal, "input")  # tokens become a diagnostic at this node
        return {"out": signal}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        x = inputs["input"]
        size = builder.op("abs", (x,), x.signal, name="size")  # several operations of one node need names
        below = builder.op("affine", (size,), x.signal, name="below", scale=1.0 / params["limit"], offset=1.0)
        return {"out": builder.op("divide", (x, below), x.signal)}


def minimal_gated() -> CellDefinition:
    """The cell, drawn: `at` is the place on the canvas, in columns and rows."""
    s = Sketch()
    units = Var("units")  # the cell's own size, which every node that uses the cell may set
    s.add("x", "CellInput", at=(0, 0))
    s.add("h0", "CellInput", at=(0, 2), params={"optional": True})
    gate = s.add(
        "forget_sum",
        "Linear",
        at=(2, 0),
        # One matrix for x, one for h; `fan` makes them start as torch's recurrent cells do.
        params={"units": units, "terms": 2, "fan": units},
        title="W_f x + U_f h + b_f",
        input="x",
        input2="h_before",
    )
    forget = s.add("forget", "Sigmoid", at=(3, 0), title="f", input=gate)
    seen = s.add("seen", "Multiply", at=(4, 1), title="f ⊙ h before", a=forget, b="h_before")
    total = s.add(
        "total",
        "Linear",
        at=(5, 0.5),
        params={"units": units, "terms": 2, "fan": units},
        title="W x + U (f ⊙ h) + b",
        input="x",
        input2=seen,
    )
    new = s.add("candidate", "Tanh", at=(6, 0.5), title="h′", input=total)
    change = s.add("change", "Subtract", at=(7, 1), title="h′ − h before", a=new, b="h_before")
    step = s.add("step", "Multiply", at=(8, 0.5), title="f ⊙ (h′ − h before)", a=forget, b=change)
    state = s.add("state", "Add", at=(9, 1), title="h", a="h_before", b=step)
    # The wire through the Delay is what makes this a recurrent cell.
    s.add("h_before", "Delay", at=(1, 2), title="h before", input=state, initial="h0")
    s.add("h", "CellOutput", at=(10, 1), input=state)
    return s.cell(
        "MinimalGated",
        {"units": 128},
        "Minimal gated unit: one gate both hides the old state from the new one and mixes the two.",
        "f = σ(W_f x_t + U_f h_{t-1} + b_f)\nh′ = tanh(W x_t + U (f ⊙ h_{t-1}) + b)\nh_t = (1 − f) ⊙ h_{t-1} + f ⊙ h′",
        "Zhou et al. 2016",
    )


plugin = Plugin(
    "minimal-gated",
    "1.0",
    nodes=[SoftLimit()],
    # A drawn cell, or the file of one (`save_cell` of rnnstudio.plugins writes it).
    cells=[minimal_gated(), Path(__file__).with_name("soft_minimal_gated.rnncell")],
)
