"""Cells and variables that come from another design, a file or the library: nothing here ever takes another's name.

What is equal is shared; what only has the same name comes under another one, and all that refers to it follows.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .design import CellDefinition, Design, Graph, Node, Var, frozen
from .edits import Edit, SetCell
from .titles import retitled

CELL = "cell"
"""The kind of a node that stands for a cell; its parameter of the same name says for which."""


@dataclass(frozen=True)
class Brought:
    """cells: the definitions as they are in the design now, by the names they came with. edits: what adds the new ones.

    renamed: those that had to get another name, old → new.
    """

    cells: Mapping[str, CellDefinition]
    edits: list[Edit]
    renamed: Mapping[str, str]


def bring(cells: Mapping[str, CellDefinition], design: Design) -> Brought:
    """Take `cells` into `design`. What is inside comes before what it is inside of, so that equal trees are found."""
    there: dict[str, CellDefinition] = dict(design.cells)
    found: dict[str, CellDefinition] = {}
    edits: list[Edit] = []
    renamed: dict[str, str] = {}
    for name in _inside_first(cells):
        cell = with_cells_renamed(cells[name], renamed)
        known = next((key for key in _names(name, there) if equal(there[key], cell, key)), None)
        if known is None:
            known = free(name, {*there, *cells}) if name in there else name
            there[known] = cell.replace(name=known, graph=_renamed(cell.graph, {name: known}))
            edits.append(SetCell(there[known]))
        if known != name:
            renamed[name] = known
        found[name] = there[known]
    return Brought(found, edits, renamed)


def bring_variables(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The variables to add, and those that come under another name since theirs has another value: old → new."""
    added: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    for name, value in wanted.items():
        known = next((key for key in _names(name, there) if _same_number(there[key], value)), None)
        if known is None:
            known = free(name, {*there, *wanted, *added}) if name in there else name
            added[known] = value
        if known != name:
            renamed[name] = known
    return added, renamed


def with_cells_renamed(cell: CellDefinition, names: Mapping[str, str]) -> CellDefinition:
    return cell.replace(graph=_renamed(cell.graph, names)) if names else cell


def node_renamed(node: Node, cells: Mapping[str, str], variables: Mapping[str, str]) -> Node:
    """The node, with the cell it stands for and the variables it reads under their new names."""
    params = {key: Var(variables.get(v.name, v.name)) if isinstance(v, Var) else v for key, v in node.params.items()}
    if node.kind == CELL and params.get(CELL) in cells:
        old = str(params[CELL])
        params[CELL] = cells[old]
        node = retitled(node, old, cells[old])
    return node.replace(params=frozen(params)) if params != node.params else node


def variables_read(graph: Graph) -> set[str]:
    return {value.name for node in graph.nodes.values() for value in node.params.values() if isinstance(value, Var)}


def _renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    nodes = {key: node_renamed(node, names, {}) for key, node in graph.nodes.items()}
    return graph.replace(nodes=frozen(nodes)) if any(nodes[k] is not n for k, n in graph.nodes.items()) else graph


def equal(there: CellDefinition, cell: CellDefinition, name: str) -> bool:
    """Whether both say and show the same, names aside. The order in which something was drawn says nothing.

    name: what `there` is called, where `cell` stands for itself inside its own drawing.
    """
    one, other = there.graph, _renamed(cell.graph, {cell.name: name})
    return (
        there.replace(name=cell.name, graph=Graph()) == cell.replace(graph=Graph())
        and one.replace(wires=(), frames=()) == other.replace(wires=(), frames=())
        and set(one.wires) == set(other.wires)
        and {f.id: f for f in one.frames} == {f.id: f for f in other.frames}
    )


def _names(name: str, there: Mapping[str, object]) -> Iterator[str]:
    """The name and its numbered ones, of those that are there."""
    stem, _, number = name.rpartition("_")
    stem = stem if stem and number.isdigit() else name
    for key in there:
        if key in (name, stem) or (key.startswith(f"{stem}_") and key.removeprefix(f"{stem}_").isdigit()):
            yield key


def free(name: str, taken: Container[str]) -> str:
    """The first numbered name that is free: LSTM_2, with a line between, as TreeLSTM3 is another cell than TreeLSTM."""
    stem, _, digits = name.rpartition("_")
    stem = stem if stem and digits.isdigit() else name
    number = 2
    while f"{stem}_{number}" in taken:
        number += 1
    return f"{stem}_{number}"


def _inside_first(cells: Mapping[str, CellDefinition]) -> list[str]:
    """Names in an order in which a cell comes after those inside it; a cell inside itself is the check's business."""
    order: list[str] = []
    seen: set[str] = set()
    todo: list[tuple[str, bool]] = [(name, False) for name in reversed(list(cells))]
    while todo:
        name, done = todo.pop()
        if done:
            order.append(name)
        elif name not in seen:
            seen.add(name)
            todo.append((name, True))
            inner = (str(n.params.get(CELL, "")) for n in cells[name].graph.nodes.values() if n.kind == CELL)
            todo += [(key, False) for key in inner if key in cells and key not in seen]
    return order


def _same_number(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
