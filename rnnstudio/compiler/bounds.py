"""A cell's own parameters with the bounds and words of what reads them inside: what a person may set at its node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..catalog.catalog import CELL, Catalog
from ..catalog.node import Param
from ..design.design import CellDefinition, Var
from .resolve import AXIS, cell_params


def bounded_params(
    cell: CellDefinition, catalog: Catalog, cells: Mapping[str, CellDefinition], _outer: tuple[str, ...] = ()
) -> tuple[Param, ...]:
    """As `cell_params`, narrowed to what every reader of a parameter takes. cells: the design's, for cells inside.

    Cells that hold themselves are the check's business; here they add nothing.
    """
    readers: dict[str, list[Param]] = {}
    for node in cell.graph.nodes.values():
        read = {key: value.name for key, value in node.params.items() if isinstance(value, Var)}
        if not read:
            continue
        kind = catalog.of(node)
        inside = cells.get(str(node.params.get(CELL, ""))) if node.kind == CELL else None
        params = kind.params if kind is not None else ()
        if inside is not None and inside.name not in _outer and inside is not cell:
            params = bounded_params(inside, catalog, cells, (*_outer, cell.name))
        for param in params:
            if param.name in read:
                readers.setdefault(read[param.name], []).append(param)
    return tuple(_narrowed(p, readers.get(p.name, [])) for p in cell_params(cell))


def _narrowed(param: Param, readers: list[Param]) -> Param:
    numbers = [p for p in readers if p.type in ("int", "float")]
    if param.type not in ("int", "float") or param.name == AXIS or not numbers:
        return param
    lows = [p.minimum for p in numbers if p.minimum is not None]
    highs = [p.maximum for p in numbers if p.maximum is not None]
    first = numbers[0]
    return replace(
        param,
        type="int" if any(p.type == "int" for p in numbers) and param.type == "int" else param.type,
        minimum=max(lows, default=None),
        maximum=min(highs, default=None),
        doc=param.doc or (first.doc if first.name == param.name else ""),
        unit=param.unit or first.unit,
        title=param.title or (first.title if first.name == param.name else ""),
    )
