"""Whether a drawing is a library cell's own: what it computes counts, not where things stand or what they are called.

A design holds the cells that it uses, so a file may hold the drawing of an earlier studio. It is the library's cell
still, where it differs only in the names that its nodes had then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..design.design import CellDefinition, Pin, Value, Wire
from .cell_parts import along_axis

_GATES = {"forget": "f", "input": "i", "candidate": "g", "output": "o", "update": "z", "reset": "r"}
_PARTS = {"norm": "norm", "seen": "seen", "both": "both"}

_COMMUTES = ("Add", "Multiply")
"""Kinds of which it does not matter which input reads what."""

Meaning = tuple[dict[str, tuple[str, dict[str, Value], str, bool]], Counter[Wire], dict[str, Value]]


def meaning(cell: CellDefinition) -> Meaning:
    """A drawing without what is only seen: its nodes, its wires and its parameters."""
    nodes = {key: (n.kind, dict(n.params), n.shared, n.muted) for key, n in cell.graph.nodes.items()}

    def any_port(wire: Wire) -> Wire:
        entered = cell.graph.nodes.get(wire.target.node)
        commutes = entered is not None and entered.kind in _COMMUTES
        return Wire(wire.source, Pin(wire.target.node, "")) if commutes else wire

    return nodes, Counter(any_port(w) for w in cell.graph.wires), dict(cell.params)


def same(cell: CellDefinition, library: CellDefinition) -> bool:
    """Whether a cell is the library's as it is drawn now, or as an earlier studio drew it."""
    if cell is library:
        return True
    wanted = meaning(library)
    if len(wanted[1]) != len(cell.graph.wires) or len(wanted[0]) != len(cell.graph.nodes):
        return False
    return any(meaning(edition) == wanted for edition in (cell, along_axis(cell), renamed(along_axis(cell))))


def renamed(cell: CellDefinition) -> CellDefinition:
    """An earlier drawing with the names of today: `forget_sum` and `forget` are W_f and f, as in the equations."""
    names = {key: new for key in cell.graph.nodes if (new := _name_now(key, cell.graph.nodes)) != key}
    if not names or set(names.values()) & set(cell.graph.nodes):
        return cell

    def pin(old: Pin) -> Pin:
        return Pin(names.get(old.node, old.node), old.port)

    nodes = {names.get(k, k): n.replace(id=names.get(k, k)) for k, n in cell.graph.nodes.items()}
    wires = tuple(Wire(pin(w.source), pin(w.target)) for w in cell.graph.wires)
    return cell.replace(graph=cell.graph.replace(nodes=nodes, wires=wires))


def _name_now(key: str, there: Mapping[str, object]) -> str:
    """What a node is called today that was `key` in an earlier drawing of a gated cell or of a GRU."""
    if "from_x" in there and key in ("from_x", "from_h"):
        return {"from_x": "W", "from_h": "U"}[key]
    gate, _, rest = key.partition("_")
    if gate not in _GATES or (gate == "candidate" and "candidate_sum" not in there):
        return key
    new = _GATES[gate]
    if rest == "sum":
        return f"W_{new}"
    if rest == "peephole":
        return f"p_{new}"
    if rest in _PARTS:
        return f"{new}_{rest}"
    if rest.endswith("_sum"):
        return f"W_{new}_{rest.removesuffix('_sum')}"
    if rest == "h":  # the GRU's r ⊙ (U h), no gate
        return key
    return f"{new}_{rest}" if rest else new
