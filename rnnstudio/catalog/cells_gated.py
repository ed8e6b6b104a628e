"""Variants of the gated cells: LSTM with peepholes, coupled gates or layer normalisation, and the first GRU."""

from __future__ import annotations

from ..design.design import CellDefinition, Var
from .cell_parts import DELAY, PORT, SQUASH, SUM, UNITS, frame, gate, grid, memory, ports_of_lstm, shown, total
from .sketch import Sketch

PEEP = 62.0
"""Column in which the gates of a peephole LSTM look at the memory."""


def _peeping(s: Sketch, symbol: str, row: float, column: float, sees: str, bias: float | Var = 0.0) -> str:
    """A gate that sees a memory through a vector of weights. column: where it looks."""
    plain = total(s, f"W_{symbol}", (SUM, row), symbol, bias_value=bias)
    params = {"units": UNITS, "spread": Var("peephole_spread")}
    weights = s.add(f"p_{symbol}", "Weights", at=(column - 17, row + 8), params=params, title=f"p_{symbol}")
    seen = s.add(f"{symbol}_seen", "Multiply", at=(column, row + 9), title="p ⊙ c", a=weights, b=sees)
    both = s.add(f"{symbol}_both", "Add", at=(column + 8, row), title="Add", a=plain, b=seen)
    return s.add(symbol, "Sigmoid", at=(column + 16, row), input=both)


def peephole_lstm() -> CellDefinition:
    s = grid()
    ports_of_lstm(s, 34, 63)
    for symbol, row, width, height in (("f", 15, 57, 20), ("i", 38, 57, 20), ("g", 61, 57, 11), ("o", 75, 116, 20)):
        frame(s, symbol, row, width=width, height=height)
    forget = _peeping(s, "f", 15, PEEP, "c_before", Var("forget_bias"))
    write = _peeping(s, "i", 38, PEEP, "c_before")
    new = s.add("g", "Tanh", at=(PEEP + 16, 61), input=total(s, "W_g", (SUM, 61), "g", bias_value=0.0))
    made = memory(s, PEEP + 30, 38, forget, write, new, before=PEEP - 13)
    reveal = _peeping(s, "o", 75, PEEP + 58, made)
    shown(s, PEEP + 82, 75, 63, made, reveal)
    return s.cell(
        "PeepholeLSTM",
        {"units": 128, "forget_bias": 1.0, "peephole_spread": 0.1},
        "An LSTM whose gates also see the memory, unit by unit: good at exact timing.",
        "f = σ(W_f x_t + U_f h_{t-1} + p_f ⊙ c_{t-1} + b_f)\ni = σ(W_i x_t + U_i h_{t-1} + p_i ⊙ c_{t-1} + b_i)\n"
        "g = tanh(W_g x_t + U_g h_{t-1} + b_g)\nc_t = f ⊙ c_{t-1} + i ⊙ g\n"
        "o = σ(W_o x_t + U_o h_{t-1} + p_o ⊙ c_t + b_o)\nh_t = o ⊙ tanh(c_t)",
        "Gers and Schmidhuber 2000; Graves 2013",
    )


def coupled_lstm() -> CellDefinition:
    s = grid()
    ports_of_lstm(s, 17, 33)
    forget = gate(s, "f", 14, bias=Var("forget_bias"))
    write = s.add("i", "OneMinus", at=(64, 17), title="i = 1 − f", input=forget)
    new = gate(s, "g", 27, squash="Tanh")
    reveal = gate(s, "o", 40)
    shown(s, 94, 40, 33, memory(s, 74, 17, forget, write, new), reveal)
    return s.cell(
        "CoupledLSTM",
        {"units": 128, "forget_bias": 1.0},
        "An LSTM that takes in exactly as much as it forgets: one gate fewer.",
        "f = σ(W_f x_t + U_f h_{t-1} + b_f)\ng = tanh(W_g x_t + U_g h_{t-1} + b_g)\n"
        "o = σ(W_o x_t + U_o h_{t-1} + b_o)\nc_t = f ⊙ c_{t-1} + (1 − f) ⊙ g\nh_t = o ⊙ tanh(c_t)",
        "Greff et al. 2017 (CIFG)",
    )


def _normal(s: Sketch, symbol: str, row: float, *, start: float | Var = 0.0, squash: str = "Sigmoid") -> str:
    """A gate whose sum is normalised."""
    frame(s, symbol, row, width=46)
    plain = total(s, f"W_{symbol}", (SUM, row), symbol, bias=False)
    at = (SQUASH + 3, row - 1)
    normal = s.add(f"{symbol}_norm", "LayerNorm", at=at, params={"shift_value": start}, title="LN", input=plain)
    return s.add(symbol, squash, at=(SQUASH + 17, row), input=normal)


def layer_norm_lstm() -> CellDefinition:
    s = grid()
    ports_of_lstm(s, 22, 45)
    forget = _normal(s, "f", 14, start=Var("forget_bias"))
    write = _normal(s, "i", 27)
    new = _normal(s, "g", 40, squash="Tanh")
    reveal = _normal(s, "o", 53)
    made = memory(s, 78, 27, forget, write, new)
    normal = s.add("memory_norm", "LayerNorm", at=(101, 22), title="LN c", input=made)
    shown(s, 113, 53, 45, made, reveal, through=normal)
    return s.cell(
        "LayerNormLSTM",
        {"units": 128, "forget_bias": 1.0},
        "An LSTM whose gates and shown memory are normalised over the units: steadier in deep or long nets.",
        "f = σ(LN(W_f x_t + U_f h_{t-1}))\ni = σ(LN(W_i x_t + U_i h_{t-1}))\ng = tanh(LN(W_g x_t + U_g h_{t-1}))\n"
        "o = σ(LN(W_o x_t + U_o h_{t-1}))\nc_t = f ⊙ c_{t-1} + i ⊙ g\nh_t = o ⊙ tanh(LN(c_t))",
        "Ba, Kiros and Hinton 2016; each gate normalised by itself, the forget gate's shift starts at forget_bias",
    )


def original_gru() -> CellDefinition:
    s = grid()
    s.add("x", "CellInput", at=(PORT, 40))
    s.add("h0", "CellInput", at=(PORT, 0), params={"optional": True})
    s.add("h_before", "Delay", at=(DELAY, 0), title="hₜ₋₁", input="state", initial="h0")
    reset = gate(s, "r", 16)
    update = gate(s, "z", 29)
    hidden = s.add("reset_h", "Multiply", at=(58, 7), title="r ⊙ h", a="h_before", b=reset)
    both = s.add(
        "total",
        "Linear",
        at=(74, 41),
        params={"units": UNITS, "terms": 2, "fan": UNITS},
        title="W x + U (r ⊙ h) + b",
        input="x",
        input2=hidden,
    )
    new = s.add("candidate", "Tanh", at=(91, 41), title="h′", input=both)
    rest = s.add("rest", "OneMinus", at=(74, 29), title="1 − z", input=update)
    old_part = s.add("old_part", "Multiply", at=(88, 0), title="z ⊙ h", a="h_before", b=update)
    new_part = s.add("new_part", "Multiply", at=(101, 29), title="(1 − z) ⊙ h′", a=rest, b=new)
    state = s.add("state", "Add", at=(111, 0), title="hₜ", a=old_part, b=new_part)
    s.add("h", "CellOutput", at=(121, -1), input=state)
    return s.cell(
        "OriginalGRU",
        {"units": 128},
        "The gated recurrent unit as first published: the reset gate acts on the state before the product with U.",
        "z = σ(W_z x_t + U_z h_{t-1} + b_z)\nr = σ(W_r x_t + U_r h_{t-1} + b_r)\n"
        "h′ = tanh(W x_t + U (r ⊙ h_{t-1}) + b)\nh_t = z ⊙ h_{t-1} + (1 − z) ⊙ h′",
        "Cho et al. 2014",
    )


CELLS = (peephole_lstm, coupled_lstm, layer_norm_lstm, original_gru)
