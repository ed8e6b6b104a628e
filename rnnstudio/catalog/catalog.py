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
    renaming,
    reroute,
    trees,
    updates,
)
from .cells import FAMILIES as CELL_FAMILIES
from .cells import library
from .editions import same
from .families import CellFamily
from .node import NodeKind

FAMILIES = ("Data", "Layers", "Cells", "Time", "Trees", "Pointwise", "Losses", "Cell")
"""The order of the palette."""

CELL = "cell"
"""The kind of a node that stands for a cell definition; its params["cell"] names the definition."""


REROUTE = "Reroute"
"""The kind of a point that a wire runs through."""


class Catalog:
    """Node kinds by name, and cell definitions that can be copied into a design."""

    def __init__(
        self, kinds: Iterable[NodeKind], cells: Mapping[str, CellDefinition], families: Iterable[CellFamily] = ()
    ) -> None:
        self.kinds: Mapping[str, NodeKind] = MappingProxyType({kind.name: kind for kind in kinds})
        self.families: Mapping[str, CellFamily] = MappingProxyType({f.name: f for f in families})
        drawn = (family.drawn(family.default) for family in self.families.values())
        self.cells: Mapping[str, CellDefinition] = MappingProxyType({**cells, **{cell.name: cell for cell in drawn}})
        """Every library cell by name; of a family the drawing for its usual number of children."""
        self._known: dict[str, tuple[CellDefinition, bool]] = {}

    def get(self, name: str) -> NodeKind | None:
        """The kind called `name`; None for a cell node and for a kind of a missing plugin."""
        return self.kinds.get(name)

    def of(self, node: Node) -> NodeKind | None:
        return self.kinds.get(node.kind)

    def family_of(self, cell: CellDefinition) -> tuple[CellFamily, int] | None:
        """The family a cell was drawn by, and its number of children; None for any other and for a changed drawing."""
        for family in self.families.values():
            if (children := family.children_of(cell)) is not None:
                return family, children
        return None

    def definition(self, name: str) -> CellDefinition | None:
        """The library's cell of that name; of a family any drawing, by its own name."""
        if name in self.cells:
            return self.cells[name]
        return next((cell for family in self.families.values() if (cell := family.named(name)) is not None), None)

    def draws(self, cell: CellDefinition) -> bool:
        """Whether a cell is the library's of that name: it computes the same, wherever its nodes stand."""
        known = self._known.get(cell.name)
        if known is None or known[0] is not cell:
            there = self.definition(cell.name)
            known = self._known[cell.name] = cell, there is not None and same(cell, there)
        return known[1]

    def definitions_for(self, name: str) -> dict[str, CellDefinition]:
        """All definitions that a design needs to use the library's cell `name`: itself, and the cells inside it.

        Raises KeyError when the library has no such cell.
        """
        found: dict[str, CellDefinition] = {}
        todo = [name]
        while todo:
            key = todo.pop()
            if key not in found:
                cell = self.definition(key)
                if cell is None:
                    raise KeyError(key)
                found[cell.name] = cell
                todo += [str(n.params["cell"]) for n in cell.graph.nodes.values() if n.kind == CELL]
        return found

    def family(self, name: str) -> Iterator[NodeKind]:
        return (kind for kind in self.kinds.values() if kind.family == name)

    def with_kinds(self, kinds: Iterable[NodeKind]) -> Catalog:
        return self.extended(kinds, ())

    def extended(self, kinds: Iterable[NodeKind], cells: Iterable[CellDefinition]) -> Catalog:
        """This catalogue with more in it, such as a plugin's."""
        return Catalog(
            (*self.kinds.values(), *kinds), {**self.cells, **{c.name: c for c in cells}}, self.families.values()
        )


@cache
def standard() -> Catalog:
    """The catalogue of the studio itself, without plugins."""
    modules = (
        *(inputs, layers, normalisation, joins),
        *(recurrence, updates, axes, renaming, reroute, attention, trees),
        *(pointwise, activations, features, losses, likelihoods),
    )
    return Catalog((kind for module in modules for kind in module.KINDS), library(), CELL_FAMILIES)
