"""The library's cells, drawn from primitives. Each is copied into a design that uses it, and can be changed there."""

from __future__ import annotations

from ..design.design import CellDefinition, Var
from . import cells_gated, cells_nets, cells_slow, cells_tree
from .cell_parts import DELAY, PORT, SQUASH, SUM, UNITS, along_axis, gate, grid, memory, ports_of_lstm, shown


def rnn() -> CellDefinition:
    s = grid()
    s.add("x", "CellInput", at=(PORT, -8))
    s.add("h0", "CellInput", at=(PORT, 2), params={"optional": True})
    s.add(
        "total",
        "Linear",
        at=(SUM, 0),
        params={"units": UNITS, "terms": 2, "fan": UNITS},
        title="W_xh x + W_hh h + b",
        input="x",
        input2="h_before",
    )
    h = s.add("state", "Tanh", at=(SQUASH + 4, 0), title="hₜ", input="total")
    s.add("h_before", "Delay", at=(DELAY, 2), title="hₜ₋₁", input=h, initial="h0")
    s.add("h", "CellOutput", at=(SQUASH + 17, -1), input=h)
    return s.cell(
        "RNN",
        {"units": 128},
        "The plain recurrent cell: the state is a squashed sum of the input and the state before.",
        "h_t = tanh(W_xh x_t + W_hh h_{t-1} + b)",
        "Elman 1990",
    )


def lstm() -> CellDefinition:
    s = grid()
    ports_of_lstm(s, 22, 45)
    forget = gate(s, "f", 14, bias=Var("forget_bias"))
    write = gate(s, "i", 27)
    new = gate(s, "g", 40, squash="Tanh")
    reveal = gate(s, "o", 53)
    shown(s, 78, 53, 45, memory(s, 58, 27, forget, write, new), reveal)
    return s.cell(
        "LSTM",
        {"units": 128, "forget_bias": 1.0},
        "Long short-term memory: gates decide what the memory c keeps, takes in and shows.",
        "f = σ(W_f x_t + U_f h_{t-1} + b_f)\ni = σ(W_i x_t + U_i h_{t-1} + b_i)\n"
        "g = tanh(W_g x_t + U_g h_{t-1} + b_g)\no = σ(W_o x_t + U_o h_{t-1} + b_o)\n"
        "c_t = f ⊙ c_{t-1} + i ⊙ g\nh_t = o ⊙ tanh(c_t)",
        "Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000",
    )


def gru() -> CellDefinition:
    s = grid()
    s.add("x", "CellInput", at=(PORT, 33))
    s.add("h0", "CellInput", at=(PORT, 0), params={"optional": True})
    update = gate(s, "z", 14)
    reset = gate(s, "r", 27)
    s.frame("h′   candidate", (SUM - 10, 33), (27, 20), "Cells")
    u = s.add("U", "Linear", at=(SUM, 40), params={"units": UNITS, "fan": UNITS}, title="U h + b_h", input="h_before")
    w = s.add("W", "Linear", at=(SUM, 48), params={"units": UNITS, "fan": UNITS}, title="W x + b", input="x")
    kept = s.add("reset_h", "Multiply", at=(58, 27), title="r ⊙ U h", a=reset, b=u)
    total = s.add("total", "Add", at=(71, 27), title="Add", a=kept, b=w)
    new = s.add("candidate", "Tanh", at=(81, 27), title="h′", input=total)
    rest = s.add("rest", "OneMinus", at=(71, 14), title="1 − z", input=update)
    old_part = s.add("old_part", "Multiply", at=(58, 0), title="z ⊙ h", a="h_before", b=update)
    new_part = s.add("new_part", "Multiply", at=(91, 14), title="(1 − z) ⊙ h′", a=rest, b=new)
    state = s.add("state", "Add", at=(101, 0), title="hₜ", a=old_part, b=new_part)
    s.add("h_before", "Delay", at=(DELAY, 0), title="hₜ₋₁", input=state, initial="h0")
    s.add("h", "CellOutput", at=(111, -1), input=state)
    return s.cell(
        "GRU",
        {"units": 128},
        "Gated recurrent unit: one gate mixes the old state with a new one, another hides the old from the new.",
        "z = σ(W_z x_t + U_z h_{t-1} + b_z)\nr = σ(W_r x_t + U_r h_{t-1} + b_r)\n"
        "h′ = tanh(W x_t + b + r ⊙ (U h_{t-1} + b_h))\nh_t = z ⊙ h_{t-1} + (1 − z) ⊙ h′",
        "Cho et al. 2014; the reset gate acts after U, as in torch.nn.GRU",
    )


def library() -> dict[str, CellDefinition]:
    """Fresh definitions of all library cells by name."""
    modules = (cells_gated, cells_slow, cells_nets, cells_tree)
    cells = (rnn(), lstm(), gru(), *(draw() for module in modules for draw in module.CELLS))
    return {cell.name: along_axis(cell) for cell in cells}


FAMILIES = cells_tree.FAMILIES
