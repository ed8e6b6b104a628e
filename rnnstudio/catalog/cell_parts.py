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


def total(s: Sketch, name: str, column: float, row: float, **params: Value) -> str:
    """W x + U h + b of the inputs `x` and `h_before`. params: more of the Linear's."""
    return s.add(
        name,
        "Linear",
        at=(column, row),
        params={"units": UNITS, "terms": 2, "fan": UNITS, **params},
        title=f"W{name[0]} x + U{name[0]} h + b" if params.get("bias", True) else f"W{name[0]} x + U{name[0]} h",
        input="x",
        input2="h_before",
    )


def gate(s: Sketch, name: str, column: float, row: float, *, bias: float | Var = 0.0, squash: str = "Sigmoid") -> str:
    """A gate: σ(W x + U h + b), the sum's node called `<name>_sum`."""
    return s.add(name, squash, at=(column + 1, row), input=total(s, f"{name}_sum", column, row, bias_value=bias))


def ports_of_lstm(s: Sketch) -> None:
    """x, and the two optional initial states."""
    s.add("x", "CellInput", at=(0, 1))
    s.add("h0", "CellInput", at=(0, 4), params={"optional": True})
    s.add("c0", "CellInput", at=(0, -1), params={"optional": True})


def memory(s: Sketch, column: float, forget: str, write: str, new: str) -> str:
    """c = f ⊙ c before + i ⊙ g, with its Delay."""
    kept = s.add("kept", "Multiply", at=(column, 0), title="f ⊙ c before", a=forget, b="c_before")
    written = s.add("written", "Multiply", at=(column, 1.5), title="i ⊙ g", a=write, b=new)
    made = s.add("memory", "Add", at=(column + 1, 0.5), title="c", a=kept, b=written)
    s.add("c_before", "Delay", at=(column - 1, -1), title="c before", input=made, initial="c0")
    return made


def shown(s: Sketch, column: float, made: str, reveal: str, *, through: str | None = None) -> None:
    """h = o ⊙ tanh(c), with its Delay and the cell's outputs. through: what tanh reads instead of c."""
    squashed = s.add("shown", "Tanh", at=(column, 1.5), title="tanh c", input=through or made)
    state = s.add("state", "Multiply", at=(column + 1, 3), title="h", a=reveal, b=squashed)
    s.add("h_before", "Delay", at=(1, 4), title="h before", input=state, initial="h0")
    s.add("h", "CellOutput", at=(column + 2, 3), input=state)
    s.add("c", "CellOutput", at=(column + 2, 0.5), input=made)
