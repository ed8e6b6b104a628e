"""Cells that run over a tree, from the leaves to the root."""

from __future__ import annotations

from ..design.design import CellDefinition, Value, Var
from .families import CellFamily
from .node import letter
from .sketch import Sketch

UNITS = Var("units")


def _sides(children: int) -> tuple[str, ...]:
    """What the children of a node are called in the drawing."""
    usual = {1: ("only",), 2: ("left", "right"), 3: ("first", "second", "third")}
    return usual.get(children) or tuple(f"child{i + 1}" for i in range(children))


def _name(family: str, children: int, **usual: int) -> str:
    """The name of a family's drawing for so many children; some have one in the literature."""
    return next((name for name, number in usual.items() if number == children), f"{family}{children}")


def _states_of_children(s: Sketch, sides: tuple[str, ...]) -> None:
    """The plain nets' children, each by its number, reading the node “state”."""
    for i, side in enumerate(sides):
        s.add(side, "Children", at=(1, i + 1), params={"how": "slot", "slot": i}, input="state")


def recursive_net(children: int = 2) -> CellDefinition:
    """The plain recursive net, with a matrix for each child."""
    s = Sketch()
    sides = _sides(children)
    s.add("x", "CellInput", at=(0, 0))
    _states_of_children(s, sides)
    total = s.add(
        "total",
        "Linear",
        at=(2, 0.5),
        params={"units": UNITS, "terms": children + 1},
        title="W x + U left + V right + b" if children == 2 else "W x + Σ U_k h_k + b",
        input="x",
        **{f"input{i + 2}": side for i, side in enumerate(sides)},
    )
    h = s.add("state", "Tanh", at=(3, 0.5), title="h", input=total)
    s.add("h", "CellOutput", at=(4, 0.5), input=h)
    return s.cell(
        _name("RecursiveNet", children, RecursiveNet=2),
        {"units": 64},
        "The plain recursive net: a node's state is a squashed sum of its own input and its ordered children, each by "
        "a matrix of its own.",
        "h_n = tanh(W x_n + Σ_k U_k h_k + b),  k = 1 … " + str(children),
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


def n_ary_tree_lstm(children: int = 2) -> CellDefinition:
    """Tai et al. 2015, section 3.2: each child has its place, its matrices in every gate, and a forget gate."""
    sides = _sides(children)
    s = Sketch()
    many = len(sides)
    s.add("x", "CellInput", at=(0, many))
    for i, side in enumerate(sides):
        slot: dict[str, Value] = {"how": "slot", "slot": i}
        s.add(f"h_{side}", "Children", at=(1, many + 2 + i), params=slot, title=f"h of {_called(side)}", input="state")
        s.add(f"c_{side}", "Children", at=(4, i - many), params=slot, title=f"c of {_called(side)}", input="memory")

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
        kept[letter(i + 1)] = s.add(f"kept_{side}", "Multiply", at=(5, i - 0.5), a=forget, b=f"c_{side}")
    write, new, reveal = gate("input", many), gate("candidate", many + 1, "Tanh"), gate("output", many + 2)
    written = s.add("written", "Multiply", at=(5, many + 0.5), title="i ⊙ g", a=write, b=new)
    memory = s.add("memory", "Add", at=(6, 1), params={"terms": many + 1}, title="c", a=written, **kept)
    shown = s.add("shown", "Tanh", at=(7, 2), title="tanh c", input=memory)
    state = s.add("state", "Multiply", at=(7, many + 2), title="h", a=reveal, b=shown)
    s.add("h", "CellOutput", at=(8, many + 2), input=state)
    s.add("c", "CellOutput", at=(8, 1), input=memory)
    return s.cell(
        _name("NaryTreeLSTM", children, BinaryTreeLSTM=2, TernaryTreeLSTM=3),
        {"units": 64, "forget_bias": 1.0},
        f"The Tree-LSTM for up to {children} ordered children: every gate has a matrix for each of them, and each has "
        "a forget gate that reads them all.",
        "f_k = σ(W_f x_n + Σ_l U_f^(k,l) h_l + b_f)\ni = σ(W_i x_n + Σ_l U_i^(l) h_l + b_i)\n"
        "o = σ(W_o x_n + Σ_l U_o^(l) h_l + b_o)\ng = tanh(W_g x_n + Σ_l U_g^(l) h_l + b_g)\n"
        f"c_n = i ⊙ g + Σ_k f_k ⊙ c_k\nh_n = o ⊙ tanh(c_n),  k, l = 1 … {children}",
        "Tai, Socher and Manning 2015, section 3.2, equations 9–14",
    )


def _called(side: str) -> str:
    return f"child {side.removeprefix('child')}" if side.startswith("child") else f"{side} child"


def rntn(children: int = 2) -> CellDefinition:
    """The recursive neural tensor network."""
    s = Sketch()
    sides = _sides(children)
    s.add("x", "CellInput", at=(0, 0))
    _states_of_children(s, sides)
    pair = sides[0]
    if children > 1:
        ports = {letter(i): side for i, side in enumerate(sides)}
        terms: dict[str, Value] = {} if children == 2 else {"terms": children}
        pair = s.add("pair", "Concat", at=(2, 1.5), params=terms, title=f"[{', '.join(sides)}]", **ports)
    tensor = s.add("tensor", "Bilinear", at=(3, 2), params={"units": UNITS, "bias": False}, a=pair, b=pair)
    total = s.add(
        "total",
        "Linear",
        at=(3, 0.5),
        params={"units": UNITS, "terms": 2},
        title=f"W x + U [{', '.join(sides)}] + b" if children < 4 else "W x + U p + b",
        input="x",
        input2=pair,
    )
    both = s.add("both", "Add", at=(4, 1), a=total, b=tensor)
    h = s.add("state", "Tanh", at=(5, 1), title="h", input=both)
    s.add("h", "CellOutput", at=(6, 1), input=h)
    return s.cell(
        _name("RNTN", children, RNTN=2),
        {"units": 32},
        "The recursive neural tensor network: the ordered children also meet in a product, one matrix for each unit.",
        f"p = [{', '.join(f'h_{i + 1}' for i in range(children)) if children < 4 else f'h_1, …, h_{children}'}]\n"
        "h_n = tanh(pᵀ V p + W x_n + U p + b)",
        "Socher et al. 2013",
    )


FAMILIES = (
    CellFamily("RecursiveNet", "Recursive net", recursive_net),
    CellFamily("RNTN", "RNTN", rntn),
    CellFamily("NaryTreeLSTM", "N-ary Tree-LSTM", n_ary_tree_lstm),
)
"""Cells that are drawn for any number of children."""

CELLS = (child_sum_tree_lstm,)
