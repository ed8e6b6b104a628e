"""What is shown of a node: title, symbol, ports, a value worth showing. Computed from the design alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...catalog.catalog import CELL, REROUTE, Catalog
from ...catalog.node import Port
from ...compiler.contents import ports_of
from ...compiler.muting import is_muted, passages
from ...compiler.resolve import cell_params, ports
from ...design.design import CellDefinition, Design, Node, Var, Wire
from ...design.titles import is_default

_ALWAYS_SHOWN = ("units", "field", "rate")
"""Parameters worth a place on the node even at their default."""
_NEVER_SHOWN = ("terms", "cell", "fan", "size")


@dataclass(frozen=True, slots=True)
class Look:
    """A node as it is drawn. `value` is a short text beside the title or output, such as "hidden" or "rate 0.2"."""

    title: str
    value: str
    symbol: str
    family: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    cell: bool = False
    known: bool = True
    shared: str = ""
    named: bool = True
    """Whether the title says more than the symbol does."""
    square: bool = False
    """The black square of the textbooks."""
    dot: bool = False
    """A point that a wire runs through."""
    collapsed: bool = False
    muted: bool = False
    passing: tuple[tuple[str, str], ...] = ()
    """Of a muted node: each output, and the input that goes out there."""


def look(node: Node, design: Design, catalog: Catalog, wires: Iterable[Wire] = ()) -> Look:
    """How `node` looks. Ports that only wires know of (a plugin is missing, a cell lost an input) are drawn too."""
    kind = catalog.of(node)
    found = ports(node, design, kind)
    cell = design.cells.get(str(node.params.get("cell", ""))) if node.kind == CELL else None
    if cell is not None:
        found = ports_of(cell, design.cells, catalog)
    inputs, outputs = (list(side) for side in (found if found is not None else ((), ())))
    wires = tuple(wires)
    for wire in wires:
        if wire.target.node == node.id and all(p.name != wire.target.port for p in inputs):
            inputs.append(Port(wire.target.port, "unknown", "any"))
        if wire.source.node == node.id and all(p.name != wire.source.port for p in outputs):
            outputs.append(Port(wire.source.port, "unknown", "any"))
    muted = is_muted(node)
    passing: tuple[tuple[str, str], ...] = ()
    if muted:
        fed = {wire.target.port for wire in wires if wire.target.node == node.id}
        passing = tuple(passages(inputs, outputs, fed, kind).items())
    title = node.title or _own_name(node, kind.title if kind is not None else "")
    symbol = kind.symbol if kind is not None else ""
    if len(inputs) > 8:
        symbol = ""
    return Look(
        title=title,
        value=_value(node, design, catalog, cell),
        symbol=symbol,
        family="Cells" if node.kind == CELL else kind.family if kind is not None else "",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        cell=node.kind == CELL,
        known=found is not None,
        shared=node.shared,
        named=kind is None or title != kind.title,
        square=symbol == "■",
        dot=node.kind == REROUTE,
        collapsed=node.collapsed and not symbol,
        muted=muted,
        passing=passing,
    )


def _own_name(node: Node, kind_title: str) -> str:
    """A node nobody has named shows its kind, or its cell's name; one with a name of its own shows that."""
    if node.kind == CELL:
        cell = str(node.params.get("cell", ""))
        return cell if cell and is_default(node, cell) else node.id
    given = node.id.rstrip("0123456789").replace("_", "")
    return kind_title if kind_title and given == node.kind.lower() else node.id


def _value(node: Node, design: Design, catalog: Catalog, cell: CellDefinition | None) -> str:
    kind = catalog.of(node)
    params = cell_params(cell) if cell is not None else kind.params if kind is not None else ()
    for param in params:
        if param.name in _NEVER_SHOWN:
            continue
        raw = node.params.get(param.name, param.default)
        if param.name in _ALWAYS_SHOWN or (param.name in node.params and raw != param.default):
            if isinstance(raw, Var):
                if param.type == "axis":
                    continue  # in a cell: whatever axis its node is told
                return raw.name
            shown = raw
            if isinstance(shown, bool):
                return param.name.replace("_", " ") if shown else f"no {param.name.replace('_', ' ')}"
            text = f"{shown:g}" if isinstance(shown, float) else str(shown)
            return text if param.name in ("units", "field") else f"{param.name.replace('_', ' ')} {text}"
        if param.name in ("units", "field"):
            break
    return ""
