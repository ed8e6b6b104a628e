"""Variants of the gated cells: LSTM with peepholes, coupled gates or layer normalisation, and the first GRU."""

from __future__ import annotations

from ..design.design import CellDefinition, Var
from .cell_parts import UNITS, gate, memory, ports_of_lstm, shown, total
from .sketch import Sketch


def _peeping(s: Sketch, name: str, row: float, column: float, sees: str, bias: float | Var = 0.0) -> str:
    """A gate that sees a memory through a vector of weights."""
    plain = total(s, f"{name}_sum", column, row, bias_value=bias)
    weights = s.add(
        f"{name}_peephole",
        "Weights",
        at=(column, row + 1),
        params={"units": UNITS, "spread": Var("peephole_spread")},
        title=f"p{name[0]}",
    )
    seen = s.add(f"{name}_seen", "Multiply", at=(column + 1, row + 1), title="p ⊙ c", a=weights, b=sees)
    both = s.add(f"{name}_both", "Add", at=(column + 2, row), a=plain, b=seen)
    return s.add(name, "Sigmoid", at=(column + 3, row), input=both)


def peephole_lstm() -> CellDefinition:
    s = Sketch()
    ports_of_lstm(s)
    forget = _peeping(s, "forget", 0, 2, "c_before", Var("forget_bias"))
    write = _peeping(s, "input", 2, 2, "c_before")
    new = gate(s, "candidate", 2, 4, squash="Tanh")
    made = memory(s, 6, forget, write, new)
    reveal = _peeping(s, "output", 5, 5, made)
    shown(s, 9, made, reveal)
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
    s = Sketch()
    ports_of_lstm(s)
    forget = gate(s, "forget", 2, 0, bias=Var("forget_bias"))
    write = s.add("input", "OneMinus", at=(3, 1), title="i = 1 − f", input=forget)
    new = gate(s, "candidate", 2, 2, squash="Tanh")
    reveal = gate(s, "output", 2, 3)
    shown(s, 6, memory(s, 4, forget, write, new), reveal)
    return s.cell(
        "CoupledLSTM",
        {"units": 128, "forget_bias": 1.0},
        "An LSTM that takes in exactly as much as it forgets: one gate fewer.",
        "f = σ(W_f x_t + U_f h_{t-1} + b_f)\ng = tanh(W_g x_t + U_g h_{t-1} + b_g)\n"
        "o = σ(W_o x_t + U_o h_{t-1} + b_o)\nc_t = f ⊙ c_{t-1} + (1 − f) ⊙ g\nh_t = o ⊙ tanh(c_t)",
        "Greff et al. 2017 (CIFG)",
    )


def _normal(s: Sketch, name: str, row: float, *, start: float | Var = 0.0, squash: str = "Sigmoid") -> str:
    """A gate whose sum is normalised."""
    plain = total(s, f"{name}_sum", 2, row, bias=False)
    normal = s.add(f"{name}_norm", "LayerNorm", at=(3, row), params={"shift_value": start}, title="LN", input=plain)
    return s.add(name, squash, at=(4, row), input=normal)


def layer_norm_lstm() -> CellDefinition:
    s = Sketch()
    ports_of_lstm(s)
    forget = _normal(s, "forget", 0, start=Var("forget_bias"))
    write = _normal(s, "input", 1)
    new = _normal(s, "candidate", 2, squash="Tanh")
    reveal = _normal(s, "output", 3)
    made = memory(s, 6, forget, write, new)
    normal = s.add("memory_norm", "LayerNorm", at=(8, 0.5), title="LN c", input=made)
    shown(s, 9, made, reveal, through=normal)
    return s.cell(
        "LayerNormLSTM",
        {"units": 128, "forget_bias": 1.0},
        "An LSTM whose gates and shown memory are normalised over the units: steadier in deep or long nets.",
        "f = σ(LN(W_f x_t + U_f h_{t-1}))\ni = σ(LN(W_i x_t + U_i h_{t-1}))\ng = tanh(LN(W_g x_t + U_g h_{t-1}))\n"
        "o = σ(LN(W_o x_t + U_o h_{t-1}))\nc_t = f ⊙ c_{t-1} + i ⊙ g\nh_t = o ⊙ tanh(LN(c_t))",
        "Ba, Kiros and Hinton 2016; each gate normalised by itself, the forget gate's shift starts at forget_bias",
    )


def original_gru() -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 1))
    s.add("h0", "CellInput", at=(0, 4), params={"optional": True})
    update = gate(s, "update", 2, 0)
    reset = gate(s, "reset", 2, 1)
    hidden = s.add("reset_h", "Multiply", at=(4, 2), title="r ⊙ h", a=reset, b="h_before")
    both = s.add(
        "total",
        "Linear",
        at=(5, 2),
        params={"units": UNITS, "terms": 2, "fan": UNITS},
        title="W x + U (r ⊙ h) + b",
        input="x",
        input2=hidden,
    )
    new = s.add("candidate", "Tanh", at=(6, 2), title="h′", input=both)
    rest = s.add("rest", "OneMinus", at=(4, 1), title="1 − z", input=update)
    old_part = s.add("old_part", "Multiply", at=(5, 0), title="z ⊙ h before", a=update, b="h_before")
    new_part = s.add("new_part", "Multiply", at=(7, 1.2), title="(1 − z) ⊙ h′", a=rest, b=new)
    state = s.add("state", "Add", at=(8, 0.5), title="h", a=old_part, b=new_part)
    s.add("h_before", "Delay", at=(1, 4), title="h before", input=state, initial="h0")
    s.add("h", "CellOutput", at=(9, 0.5), input=state)
    return s.cell(
        "OriginalGRU",
        {"units": 128},
        "The gated recurrent unit as first published: the reset gate acts on the state before the product with U.",
        "z = σ(W_z x_t + U_z h_{t-1} + b_z)\nr = σ(W_r x_t + U_r h_{t-1} + b_r)\n"
        "h′ = tanh(W x_t + U (r ⊙ h_{t-1}) + b)\nh_t = z ⊙ h_{t-1} + (1 − z) ⊙ h′",
        "Cho et al. 2014",
    )


CELLS = (peephole_lstm, coupled_lstm, layer_norm_lstm, original_gru)
