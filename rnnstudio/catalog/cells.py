"""The library's cells, drawn from primitives. Each is copied into a design that uses it, and can be changed there."""

from __future__ import annotations

from ..design.design import CellDefinition, Var
from . import cells_gated, cells_nets, cells_slow, cells_tree
from .cell_parts import UNITS, along_axis, gate, memory, ports_of_lstm, shown
from .sketch import Sketch


def rnn() -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    s.add("h0", "CellInput", at=(0, 1.4), params={"optional": True})
    total = s.add(
        "total",
        "Linear",
        at=(2, 0),
        params={"units": UNITS, "terms": 2, "fan": UNITS},
        title="W x + U h + b",
        input="x",
        input2="h_before",
    )
    h = s.add("state", "Tanh", at=(3, 0), input=total)
    s.add("h_before", "Delay", at=(1, 1.4), title="h before", input=h, initial="h0")
    s.add("h", "CellOutput", at=(4, 0), input=h)
    return s.cell(
        "RNN",
        {"units": 128},
        "The plain recurrent cell: the state is a squashed sum of the input and the state before.",
        "h_t = tanh(W_xh x_t + W_hh h_{t-1} + b)",
        "Elman 1990",
    )


def lstm() -> CellDefinition:
    s = Sketch()
    ports_of_lstm(s)
    forget = gate(s, "forget", 2, 0, bias=Var("forget_bias"))
    write = gate(s, "input", 2, 1)
    new = gate(s, "candidate", 2, 2, squash="Tanh")
    reveal = gate(s, "output", 2, 3)
    shown(s, 6, memory(s, 4, forget, write, new), reveal)
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
    s = Sketch()
    s.add("x", "CellInput", at=(0, 1))
    s.add("h0", "CellInput", at=(0, 4), params={"optional": True})
    update = gate(s, "update", 2, 0)
    reset = gate(s, "reset", 2, 1)
    from_x = s.add("from_x", "Linear", at=(2, 2), params={"units": UNITS, "fan": UNITS}, title="W x + b", input="x")
    from_h = s.add(
        "from_h",
        "Linear",
        at=(2, 3),
        params={"units": UNITS, "fan": UNITS},
        title="U h + b",
        input="h_before",
    )
    kept = s.add("reset_h", "Multiply", at=(4, 2), title="r ⊙ (U h)", a=reset, b=from_h)
    total = s.add("total", "Add", at=(5, 2), a=from_x, b=kept)
    new = s.add("candidate", "Tanh", at=(6, 2), title="h′", input=total)
    rest = s.add("rest", "OneMinus", at=(4, 1), title="1 − z", input=update)
    old_part = s.add("old_part", "Multiply", at=(5, 0), title="z ⊙ h before", a=update, b="h_before")
    new_part = s.add("new_part", "Multiply", at=(7, 1.2), title="(1 − z) ⊙ h′", a=rest, b=new)
    state = s.add("state", "Add", at=(8, 0.5), title="h", a=old_part, b=new_part)
    s.add("h_before", "Delay", at=(1, 4), title="h before", input=state, initial="h0")
    s.add("h", "CellOutput", at=(9, 0.5), input=state)
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
