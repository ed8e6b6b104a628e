"""The catalogue: every kind of node a design may name, and the library's cells. Nothing is looked up anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType

from ..design.design import CellDefinition, Node
from . import (
    activations,
    attention,
    axes,
    features,
    inputs,
    joins,
    layers,
    likelihoods,
    losses,
    normalisation,
    pointwise,
    recurrence,
    trees,
    updates,
)
from .cells import library
from .node import NodeKind

FAMILIES = ("Data", "Layers", "Cells", "Time", "Trees", "Pointwise", "Losses", "Cell")
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

    def definitions_for(self, name: str) -> dict[str, CellDefinition]:
        """All definitions that a design needs to use the library's cell `name`: itself, and the cells inside it.

        Raises KeyError when the library has no such cell.
        """
        found: dict[str, CellDefinition] = {}
        todo = [name]
        while todo:
            key = todo.pop()
            if key not in found:
                found[key] = self.cells[key]
                todo += [str(n.params["cell"]) for n in found[key].graph.nodes.values() if n.kind == CELL]
        return found

    def family(self, name: str) -> Iterator[NodeKind]:
        return (kind for kind in self.kinds.values() if kind.family == name)

    def with_kinds(self, kinds: Iterable[NodeKind]) -> Catalog:
        return Catalog((*self.kinds.values(), *kinds), self.cells)


@cache
def standard() -> Catalog:
    """The catalogue of the studio itself, without plugins."""
    modules = (
        *(inputs, layers, normalisation, joins),
        *(recurrence, updates, axes, attention, trees),
        *(pointwise, activations, features, losses, likelihoods),
    )
    return Catalog((kind for module in modules for kind in module.KINDS), library())
