"""A node's parameters as numbers: variables replaced, defaults filled in, values checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..catalog.catalog import CELL
from ..catalog.node import NodeKind, Param, Port
from ..design.design import CellDefinition, Design, Node, Var

Variables = Mapping[str, Any]

AXIS = "axis"
"""A cell's variable of this name is an axis where its default is a text."""


class Problem(NamedTuple):
    """A parameter that does not fit, and why in a sentence."""

    param: str
    text: str


def variables_of(design: Design) -> Variables:
    """The design's variables, and one the data gives for each of its fields: `next_size` is the size of “next”."""
    if design.data is None:
        return design.variables
    return {**{f"{spec.name}_size": spec.size for spec in design.data.readable.values()}, **design.variables}


def resolve(node: Node, params: tuple[Param, ...], variables: Variables) -> tuple[dict[str, Any], list[Problem]]:
    """The node's parameters by name, and what is wrong with values that do not fit (defaults stand in)."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for param in params:
        value = node.params.get(param.name, param.default)
        if isinstance(value, Var):
            if value.name not in variables:
                text = (
                    f"“{param.name}” reads the variable “{value.name}”, which does not exist: add it, or read another"
                )
                problems.append(Problem(param.name, text))
                values[param.name] = param.default
                continue
            value = variables[value.name]
        problem = param.problem(value)
        if not problem and param.type == "float":
            value = float(value)
        if problem:
            problems.append(Problem(param.name, problem))
            value = param.default
        values[param.name] = value
    known = {param.name for param in params}
    for name in node.params:
        if name not in known:
            problems.append(Problem(name, f"there is no parameter called “{name}”: remove it"))
    return values, problems


def cell_params(cell: CellDefinition) -> tuple[Param, ...]:
    """A cell's own variables as parameters of the nodes that use it."""
    found = [Param("cell", "cell", cell.name, "the definition this node stands for")]
    for name, default in cell.params.items():
        kind = "bool" if isinstance(default, bool) else "int" if isinstance(default, int) else "float"
        if isinstance(default, str):
            kind = "axis" if name == AXIS else "text"
        doc = "the axis its loop runs along; empty: its input's only axis" if name == AXIS else ""
        found.append(Param(name, kind, default, doc))
    return tuple(found)


def cell_ports(cell: CellDefinition) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Input and output ports of a cell, from top to bottom and left to right as they are drawn inside.

    Inputs that may be left open come last. An output h comes first: it is what the next layer reads, c is memory. So
    does h0, which it begins with.
    """
    order = sorted(cell.graph.nodes.values(), key=lambda n: (n.y, n.x, n.id))
    inputs = tuple(
        Port(n.id, n.title, "any", bool(n.params.get("optional", False))) for n in order if n.kind == "CellInput"
    )
    outputs = tuple(Port(n.id, n.title, "any") for n in order if n.kind == "CellOutput")
    main = sorted(inputs, key=lambda p: (p.optional, p.optional and p.name != "h0"))
    return tuple(main), tuple(sorted(outputs, key=lambda p: p.name != "h"))


def ports(node: Node, design: Design, kind: NodeKind | None) -> tuple[tuple[Port, ...], tuple[Port, ...]] | None:
    """Input and output ports of a node as drawn; None when its kind or cell is not known."""
    if node.kind == CELL:
        cell = design.cells.get(str(node.params.get("cell", "")))
        return cell_ports(cell) if cell is not None else None
    if kind is None:
        return None
    values, _ = resolve(node, kind.params, variables_of(design))
    return kind.input_ports(values), kind.output_ports(values)
