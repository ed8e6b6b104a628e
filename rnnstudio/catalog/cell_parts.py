"""Parts that the library's cells have in common: gates, and the memory of an LSTM."""

from __future__ import annotations

from ..design.design import CellDefinition, Value, Var, frozen
from .sketch import Sketch

UNITS = Var("units")


AXIS = "axis"

RUN_ALONG = ("Delay", "Children", "Clock", "Reverse", "Last", "RenameAxis", "cell")
"""Nodes of the library's cells that run along the axis of the cell's loop."""


def along_axis(cell: CellDefinition) -> CellDefinition:
    """The cell with a parameter for its loop's axis, where the input has several (a loop inside a loop)."""
    graph = cell.graph
    nodes = {
        key: node.replace(params=frozen({**node.params, AXIS: Var(AXIS)})) if node.kind in RUN_ALONG else node
        for key, node in graph.nodes.items()
    }
    if nodes == dict(graph.nodes):
        return cell
    return cell.replace(graph=graph.replace(nodes=frozen(nodes)), params=frozen({**cell.params, AXIS: ""}))


GATES = {
    "f": ("f   forget gate", "Data"),
    "i": ("i   input gate", "Trees"),
    "g": ("g   candidate", "Cells"),
    "o": ("o   output gate", "Layers"),
    "z": ("z   update gate", "Data"),
    "r": ("r   reset gate", "Trees"),
}
"""What is written on a gate's frame, and whose colour it wears."""

PORT, DELAY, SUM, SQUASH = 0.0, 14.0, 34.0, 48.0
"""Columns of a gated cell in steps of the canvas's grid: ports, states before, weighted sums, gates."""
GATE_HEIGHT = 11.0
"""Height of a gate's frame in the same steps."""


def grid() -> Sketch:
    """A pen whose places are those of the canvas's grid, every ten units."""
    return Sketch(10.0, 10.0)


def frame(
    s: Sketch,
    name: str,
    row: float,
    *,
    width: float = 27.0,
    height: float = GATE_HEIGHT,
    rows: int = 2,
    title: str = "",
) -> None:
    """The band of a gate. row: where its sum stands; rows: inputs of that sum, which grows to both sides."""
    usual, color = GATES[name]
    more = rows - 2
    s.frame(title or usual, (SUM - 10, row - 7 - more), (width, height + 2 * more), color)


def total(s: Sketch, name: str, at: tuple[float, float], symbol: str = "", **params: Value) -> str:
    """W x + U h + b of the inputs `x` and `h_before`. params: more of the Linear's."""
    sub = f"_{symbol}" if symbol else ""
    bias = f" + b{sub}" if params.get("bias", True) else ""
    return s.add(
        name,
        "Linear",
        at=at,
        params={"units": UNITS, "terms": 2, "fan": UNITS, **params},
        title=f"W{sub} x + U{sub} h{bias}",
        input="x",
        input2="h_before",
    )


def gate(s: Sketch, symbol: str, row: float, *, bias: float | Var = 0.0, squash: str = "Sigmoid") -> str:
    """A gate in a band of its own: σ(W x + U h + b), named by its symbol, the sum's node by its matrix."""
    frame(s, symbol, row)
    summed = total(s, f"W_{symbol}", (SUM, row), symbol, bias_value=bias)
    return s.add(symbol, squash, at=(SQUASH, row), input=summed)


def ports_of_lstm(s: Sketch, row: float, below: float) -> None:
    """x in a row, and the two optional initial states: c on top, h below x. A port's wire leaves one step below it."""
    s.add("x", "CellInput", at=(PORT, row))
    s.add("h0", "CellInput", at=(PORT, below), params={"optional": True})
    s.add("c0", "CellInput", at=(PORT, 0), params={"optional": True})


def memory(s: Sketch, column: float, row: float, forget: str, write: str, new: str, *, before: float = DELAY) -> str:
    """c = f ⊙ c before + i ⊙ g, with its Delay: a straight line on top. row: where i ⊙ g stands. before: the Delay."""
    s.add("c_before", "Delay", at=(before, 0), title="cₜ₋₁", input="memory", initial="c0")
    kept = s.add("kept", "Multiply", at=(column, 0), title="f ⊙ c", a="c_before", b=forget)
    written = s.add("written", "Multiply", at=(column, row), title="i ⊙ g", a=write, b=new)
    return s.add("memory", "Add", at=(column + 12, 0), title="cₜ", a=kept, b=written)


def shown(
    s: Sketch, column: float, row: float, below: float, made: str, reveal: str, *, through: str | None = None
) -> None:
    """h = o ⊙ tanh(c), with its Delay and the cell's outputs. row: that of the output gate, which comes in from below.

    below: where the Delay stands. through: what tanh reads instead of c.
    """
    squashed = s.add("shown", "Tanh", at=(column, row - 13), title="tanh c", input=through or made)
    state = s.add("state", "Multiply", at=(column + 11, row - 2), title="hₜ", a=squashed, b=reveal)
    s.add("h_before", "Delay", at=(DELAY, below), title="hₜ₋₁", input=state, initial="h0")
    s.add("h", "CellOutput", at=(column + 21, row - 3), input=state)
    s.add("c", "CellOutput", at=(column + 21, -1), input=made)
