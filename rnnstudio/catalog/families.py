"""Library cells that are drawn for a number of children: one cell to the person, a drawing of its own for each N.

A design holds the drawing for its N, as it holds every cell, so a file opens where the library has changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from ..design.design import CellDefinition, Design, Node
from ..design.edits import Compound, Edit, RemoveCell, SetCell, SetParam
from ..design.errors import StudioError
from .cell_parts import along_axis
from .editions import same

MOST = 64
"""Children that a drawing can tell apart: those of the node Children."""

CHILDREN = "children"
"""The parameter's name, in the inspector and in Python."""


@dataclass(frozen=True, slots=True)
class CellFamily:
    """A cell with N ordered children. draw: the drawing for an N of 1 … MOST; each N has a name of its own."""

    name: str
    title: str
    draw: Callable[[int], CellDefinition]
    default: int = 2

    def drawn(self, children: int) -> CellDefinition:
        """The drawing for so many children. Raises StudioError for a number that cannot be drawn."""
        if isinstance(children, bool) or not isinstance(children, int) or not 1 <= children <= MOST:
            raise StudioError(
                f"{self.title} cannot have {children} children", remedy=f"Give a whole number from 1 to {MOST}."
            )
        return along_axis(_drawn(self.draw, children))

    def named(self, name: str) -> CellDefinition | None:
        """The drawing of that name, or the usual one for the family's own name; None when there is none."""
        number = re.fullmatch(rf"{self.name}([1-9]\d?)", name)
        numbers = [int(number[1])] if number else [self.default, 1, 2, 3]
        drawn = [self.drawn(n) for n in numbers if n <= MOST]
        return next((cell for cell in drawn if cell.name == name), drawn[0] if name == self.name else None)

    def children_of(self, cell: CellDefinition) -> int | None:
        """The N for which a cell is this one's drawing as it was made (moved and retitled at most), or None."""
        slots = [n.params.get("slot") for n in cell.graph.nodes.values() if n.kind == "Children"]
        numbers = [slot for slot in slots if isinstance(slot, int)]
        count = max(numbers, default=-1) + 1
        if not 1 <= count <= MOST:
            return None
        return count if same(cell, self.drawn(count)) else None


@lru_cache(32)
def _drawn(draw: Callable[[int], CellDefinition], children: int) -> CellDefinition:
    return draw(children)


def set_children(design: Design, graph: str, node: Node, family: CellFamily, children: int) -> Edit:
    """Draw the cell of a node for another number of children; what is wired to the node and its other parameters stay.

    A drawing that nothing uses any longer goes. Raises StudioError for a number that cannot be drawn.
    """
    wanted = family.drawn(children)
    before = str(node.params.get("cell", ""))
    edits: list[Edit] = []
    there = design.cells.get(wanted.name)
    if there is None:
        edits.append(SetCell(wanted))
    elif family.children_of(there) != children:  # the person's own cell has that name
        wanted = wanted.replace(name=_free(wanted.name, design))
        edits.append(SetCell(wanted))
    edits.append(SetParam(node.id, "cell", wanted.name, graph))
    if wanted.name != before and not _used_elsewhere(design, before, graph, node.id):
        edits.append(RemoveCell(before))
    return Compound(tuple(edits), f"Set {node.id}: {CHILDREN}")


def _free(name: str, design: Design) -> str:
    number = 2
    while f"{name}_{number}" in design.cells:
        number += 1
    return f"{name}_{number}"


def _used_elsewhere(design: Design, cell: str, graph: str, node: str) -> bool:
    graphs = {"": design.graph, **{name: own.graph for name, own in design.cells.items()}}
    return any(
        n.kind == "cell" and n.params.get("cell") == cell and (name, n.id) != (graph, node)
        for name, own in graphs.items()
        for n in own.nodes.values()
    )
