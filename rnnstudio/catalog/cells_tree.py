"""Cells that run over a tree, from the leaves to the root."""

from __future__ import annotations

from ..design.design import CellDefinition, Value, Var
from .sketch import Sketch

UNITS = Var("units")


def recursive_net() -> CellDefinition:
    """The plain recursive net for binary trees."""
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    s.add("left", "Children", at=(1, 1), params={"how": "slot", "slot": 0}, input="state")
    s.add("right", "Children", at=(1, 2), params={"how": "slot", "slot": 1}, input="state")
    total = s.add(
        "total",
        "Linear",
        at=(2, 0.5),
        params={"units": UNITS, "terms": 3},
        title="W x + U left + V right + b",
        input="x",
        input2="left",
        input3="right",
    )
    h = s.add("state", "Tanh", at=(3, 0.5), title="h", input=total)
    s.add("h", "CellOutput", at=(4, 0.5), input=h)
    return s.cell(
        "RecursiveNet",
        {"units": 64},
        "The plain recursive net: a node's state is a squashed sum of its own input and its two children.",
        "h_n = tanh(W x_n + U_1 h_left + U_2 h_right + b)",
        "Socher et al. 2011",
    )


def child_sum_tree_lstm() -> CellDefinition:
    """The Tree-LSTM for any number of children, in any order."""
    s = Sketch()
    s.add("x", "CellInput", at=(0, 1))
    s.add("h_sum", "Children", at=(1, 3), title="Σ h of children", input="state")
    s.add("h_each", "Children", at=(1, -1), params={"how": "each"}, title="h of each child", input="state")
    s.add("c_each", "Children", at=(3, -2), params={"how": "each"}, title="c of each child", input="memory")

    def gate(name: str, row: float, squash: str) -> str:
        total = s.add(
            f"{name}_sum",
            "Linear",
            at=(2, row),
            params={"units": UNITS, "terms": 2},
            title="W x + U h + b",
            input="x",
            input2="h_sum",
        )
        return s.add(name, squash, at=(3, row), input=total)

    write = gate("input", 1, "Sigmoid")
    new = gate("candidate", 2, "Tanh")
    reveal = gate("output", 3, "Sigmoid")
    total = s.add(
        "forget_sum",
        "Linear",
        at=(2, -1),
        params={"units": UNITS, "terms": 2, "bias_value": Var("forget_bias")},
        title="W x + U h_k + b",
        input="x",
        input2="h_each",
    )
    forget = s.add("forget", "Sigmoid", at=(3, -1), title="f of each child", input=total)
    kept = s.add("kept", "Multiply", at=(4, -1.5), title="f_k ⊙ c_k", a=forget, b="c_each")
    kept_sum = s.add("kept_sum", "Sum", at=(5, -1.5), title="Σ f_k ⊙ c_k", input=kept)
    written = s.add("written", "Multiply", at=(4, 1.5), title="i ⊙ g", a=write, b=new)
    memory = s.add("memory", "Add", at=(6, 0), title="c", a=written, b=kept_sum)
    shown = s.add("shown", "Tanh", at=(7, 1.5), title="tanh c", input=memory)
    state = s.add("state", "Multiply", at=(7, 3), title="h", a=reveal, b=shown)
    s.add("h", "CellOutput", at=(8, 3), input=state)
    s.add("c", "CellOutput", at=(8, 0), input=memory)
    return s.cell(
        "ChildSumTreeLSTM",
        {"units": 64, "forget_bias": 1.0},
        "The Tree-LSTM for any number of children: one forget gate for each child.",
        "h̃ = Σ_k h_k\nf_k = σ(W_f x_n + U_f h_k + b_f)\ni = σ(W_i x_n + U_i h̃ + b_i)\no = σ(W_o x_n + U_o h̃ + b_o)\n"
        "g = tanh(W_g x_n + U_g h̃ + b_g)\nc_n = i ⊙ g + Σ_k f_k ⊙ c_k\nh_n = o ⊙ tanh(c_n)",
        "Tai, Socher and Manning 2015, section 3.1",
    )


def binary_tree_lstm() -> CellDefinition:
    """The N-ary Tree-LSTM with two ordered children."""
    return _n_ary_tree_lstm("BinaryTreeLSTM", ("left", "right"), "two")


def ternary_tree_lstm() -> CellDefinition:
    """The N-ary Tree-LSTM with three ordered children."""
    return _n_ary_tree_lstm("TernaryTreeLSTM", ("first", "second", "third"), "three")


def _n_ary_tree_lstm(name: str, sides: tuple[str, ...], number: str) -> CellDefinition:
    """Tai et al. 2015, section 3.2: each child has its place, its matrices in every gate, and a forget gate."""
    s = Sketch()
    many = len(sides)
    s.add("x", "CellInput", at=(0, many))
    for i, side in enumerate(sides):
        slot: dict[str, Value] = {"how": "slot", "slot": i}
        s.add(f"h_{side}", "Children", at=(1, many + 2 + i), params=slot, title=f"h of {side} child", input="state")
        s.add(f"c_{side}", "Children", at=(4, i - many), params=slot, title=f"c of {side} child", input="memory")

    def gate(key: str, row: float, squash: str = "Sigmoid", bias: float | Var = 0.0) -> str:
        ports = {f"input{i + 2}": f"h_{side}" for i, side in enumerate(sides)}
        total = s.add(
            f"{key}_sum",
            "Linear",
            at=(2.5, row),
            params={"units": UNITS, "terms": many + 1, "bias_value": bias},
            title="W x + Σ U_k h_k + b",
            input="x",
            **ports,
        )
        return s.add(key, squash, at=(4, row), input=total)

    kept = {}
    for i, side in enumerate(sides):
        forget = gate(f"forget_{side}", i, bias=Var("forget_bias"))
        kept["bcd"[i]] = s.add(f"kept_{side}", "Multiply", at=(5, i - 0.5), a=forget, b=f"c_{side}")
    write, new, reveal = gate("input", many), gate("candidate", many + 1, "Tanh"), gate("output", many + 2)
    written = s.add("written", "Multiply", at=(5, many + 0.5), title="i ⊙ g", a=write, b=new)
    memory = s.add("memory", "Add", at=(6, 1), params={"terms": many + 1}, title="c", a=written, **kept)
    shown = s.add("shown", "Tanh", at=(7, 2), title="tanh c", input=memory)
    state = s.add("state", "Multiply", at=(7, many + 2), title="h", a=reveal, b=shown)
    s.add("h", "CellOutput", at=(8, many + 2), input=state)
    s.add("c", "CellOutput", at=(8, 1), input=memory)
    return s.cell(
        name,
        {"units": 64, "forget_bias": 1.0},
        f"The Tree-LSTM for {number} ordered children: every gate tells them apart.",
        "f_k = σ(W_f x_n + Σ_l U_f^(k,l) h_l + b_f)\ni = σ(W_i x_n + Σ_l U_i^(l) h_l + b_i)\n"
        "o, g alike\nc_n = i ⊙ g + Σ_k f_k ⊙ c_k\nh_n = o ⊙ tanh(c_n)",
        "Tai, Socher and Manning 2015, section 3.2",
    )


def rntn() -> CellDefinition:
    """The recursive neural tensor network for binary trees."""
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    s.add("left", "Children", at=(1, 1), params={"how": "slot", "slot": 0}, input="state")
    s.add("right", "Children", at=(1, 2), params={"how": "slot", "slot": 1}, input="state")
    pair = s.add("pair", "Concat", at=(2, 1.5), title="[left, right]", a="left", b="right")
    tensor = s.add("tensor", "Bilinear", at=(3, 2), params={"units": UNITS, "bias": False}, a=pair, b=pair)
    total = s.add(
        "total",
        "Linear",
        at=(3, 0.5),
        params={"units": UNITS, "terms": 2},
        title="W x + U [left, right] + b",
        input="x",
        input2=pair,
    )
    both = s.add("both", "Add", at=(4, 1), a=total, b=tensor)
    h = s.add("state", "Tanh", at=(5, 1), title="h", input=both)
    s.add("h", "CellOutput", at=(6, 1), input=h)
    return s.cell(
        "RNTN",
        {"units": 32},
        "The recursive neural tensor network: the children also meet in a product, one matrix for each unit.",
        "p = [left, right]\nh_n = tanh(pᵀ V p + W x_n + U p + b)",
        "Socher et al. 2013",
    )


CELLS = (recursive_net, rntn, child_sum_tree_lstm, binary_tree_lstm, ternary_tree_lstm)
