"""The catalogue: every kind of node a design may name, and the library's cells. Nothing is looked up anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType

from ..design.design import CellDefinition, Node
from . import axes, inputs, layers, losses, pointwise, recurrence
from .cells import library
from .node import NodeKind

FAMILIES = ("Data", "Layers", "Cells", "Time", "Pointwise", "Losses", "Cell")
"""The order of the palette."""

CELL = "cell"
"""The kind of a node that stands for a cell definition; its params["cell"] names the definition."""


class Catalog:
    """Node kinds by name, and cell definitions that can be copied into a design."""

    def __init__(self, kinds: Iterable[NodeKind], cells: Mapping[str, CellDefinition]) -> None:
        self.kinds: Mapping[str, NodeKind] = MappingProxyType({kind.name: kind for kind in kinds})
        self.cells: Mapping[str, CellDefinition] = MappingProxyType(dict(cells))

    def get(self, name: str) -> NodeKind | None:
        """The kind called `name`; None for a cell node and for a kind of a missing plugin."""
        return self.kinds.get(name)

    def of(self, node: Node) -> NodeKind | None:
        return self.kinds.get(node.kind)

    def family(self, name: str) -> Iterator[NodeKind]:
        return (kind for kind in self.kinds.values() if kind.family == name)

    def with_kinds(self, kinds: Iterable[NodeKind]) -> Catalog:
        return Catalog((*self.kinds.values(), *kinds), self.cells)


@cache
def standard() -> Catalog:
    """The catalogue of the studio itself, without plugins."""
    modules = (inputs, layers, recurrence, axes, pointwise, losses)
    return Catalog((kind for module in modules for kind in module.KINDS), library())
