"""Cells that run over a tree, from the leaves to the root."""

from __future__ import annotations

from ..design.design import CellDefinition, Value, Var
from .cell_parts import DELAY, GATE_HEIGHT, PORT, SQUASH, SUM, UNITS, frame, grid
from .families import CellFamily
from .node import letter
from .sketch import Sketch


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
        title="W x + Σ Uₖ hₖ + b",
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
    s = grid()
    s.add("x", "CellInput", at=(PORT, 19))
    s.add("c_each", "Children", at=(DELAY, 0), params={"how": "each"}, title="cₖ", input="memory")
    s.add("h_each", "Children", at=(DELAY, 12), params={"how": "each"}, title="hₖ", input="state")
    s.add("h_sum", "Children", at=(DELAY, 44), title="Σ hₖ", input="state")

    def gate(symbol: str, row: float, squash: str = "Sigmoid", *, of: str = "h_sum", bias: float | Var = 0.0) -> str:
        each = of == "h_each"
        frame(s, symbol, row, title="f_k   forget gate of each child" if each else "")
        sub = "hₖ" if each else "h"
        summed = s.add(
            f"W_{symbol}",
            "Linear",
            at=(SUM, row),
            params={"units": UNITS, "terms": 2, **({"bias_value": bias} if bias != 0.0 else {})},
            title=f"W_{symbol} x + U_{symbol} {sub} + b_{symbol}",
            input="x",
            input2=of,
        )
        return s.add(symbol, squash, at=(SQUASH, row), title="fₖ" if each else "", input=summed)

    forget = gate("f", 14, of="h_each", bias=Var("forget_bias"))
    write, new, reveal = gate("i", 27), gate("g", 40, "Tanh"), gate("o", 53)
    kept = s.add("kept", "Multiply", at=(58, 0), title="fₖ ⊙ cₖ", a="c_each", b=forget)
    kept_sum = s.add("kept_sum", "Sum", at=(71, -1), title="Σ fₖ ⊙ cₖ", input=kept)
    written = s.add("written", "Multiply", at=(58, 27), title="i ⊙ g", a=write, b=new)
    made = s.add("memory", "Add", at=(85, 0), title="cₙ", a=kept_sum, b=written)
    squashed = s.add("shown", "Tanh", at=(93, 40), title="tanh c", input=made)
    state = s.add("state", "Multiply", at=(104, 51), title="hₙ", a=squashed, b=reveal)
    s.add("h", "CellOutput", at=(119, 50), input=state)
    s.add("c", "CellOutput", at=(119, -1), input=made)
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
    many = len(sides)
    s = grid()
    more = many - 1
    """Inputs of a sum beyond two: half of them above, half below where it stands."""
    pitch = GATE_HEIGHT + 2 * more + 2
    first = 14.0 + 9 * more
    """Row of the first gate: the children's memories lie above, each on a line of its own."""
    rows = [first + pitch * i for i in range(many + 3)]
    s.add("x", "CellInput", at=(PORT, round(rows[0] + 4)))
    for i, side in enumerate(sides):
        slot: dict[str, Value] = {"how": "slot", "slot": i}
        s.add(f"c_{side}", "Children", at=(DELAY, 8 * i), params=slot, title=f"c {_short(side)}", input="memory")
        below = round(rows[many]) + 8 * i
        s.add(f"h_{side}", "Children", at=(DELAY, below), params=slot, title=f"h {_short(side)}", input="state")

    def gate(symbol: str, row: float, squash: str = "Sigmoid", *, of: str = "", bias: float | Var = 0.0) -> str:
        ports = {f"input{i + 2}": f"h_{side}" for i, side in enumerate(sides)}
        key = f"{symbol}_{of}" if of else symbol
        frame(s, symbol, row, rows=many + 1, title=f"f   forget gate, {_called(of)}" if of else "")
        summed = s.add(
            f"W_{key}",
            "Linear",
            at=(SUM, row),
            params={"units": UNITS, "terms": many + 1, "bias_value": bias},
            title=f"W_{symbol} x + Σ Uₖ hₖ + b_{symbol}",
            input="x",
            **ports,
        )
        return s.add(key, squash, at=(SQUASH, row - more), title="f" if of else "", input=summed)

    kept = {}
    for i, side in enumerate(sides):
        forget = gate("f", rows[i], of=side, bias=Var("forget_bias"))
        at = (58.0 + 9 * i, 8.0 * i)
        kept[letter(i)] = s.add(f"kept_{side}", "Multiply", at=at, title="f ⊙ c", a=f"c_{side}", b=forget)
    write, new, reveal = gate("i", rows[many]), gate("g", rows[many + 1], "Tanh"), gate("o", rows[many + 2])
    right = 58.0 + 9 * many
    written = s.add("written", "Multiply", at=(right, rows[many] - more), title="i ⊙ g", a=write, b=new)
    terms = {**kept, letter(many): written}
    made = s.add("memory", "Add", at=(right + 13, many), params={"terms": many + 1}, title="cₙ", **terms)
    squashed = s.add("shown", "Tanh", at=(right + 24, rows[-1] - more - 13), title="tanh c", input=made)
    state = s.add("state", "Multiply", at=(right + 35, rows[-1] - more - 2), title="hₙ", a=squashed, b=reveal)
    s.add("h", "CellOutput", at=(right + 50, rows[-1] - more - 3), input=state)
    s.add("c", "CellOutput", at=(right + 50, many - 1), input=made)
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


def _short(side: str) -> str:
    return side.removeprefix("child")


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
