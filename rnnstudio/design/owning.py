"""Cells that are shared: who uses one, copies of one's own, the way back to the library's. Values in, one edit out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from .bringing import CELL
from .bringing import free as free_name
from .design import MAIN, CellDefinition, Design, frozen
from .edits import Compound, Edit, RemoveCell, SetCell
from .errors import StudioError
from .titles import retitled

Place = tuple[str, str]
"""A graph (MAIN or a cell's name) and a node in it."""


def users(design: Design, cell: str) -> list[Place]:
    """Every node that stands for a cell, in the drawing and in all cells."""
    return [
        (graph, node.id)
        for graph in (MAIN, *design.cells)
        for node in design.graph_of(graph).nodes.values()
        if node.kind == CELL and node.params.get(CELL) == cell
    ]


def used_by(design: Design, cell: str) -> str:
    """How many nodes follow a definition, in words."""
    count = len(users(design, cell))
    return "used by no node" if count == 0 else "used by 1 node" if count == 1 else f"used by {count} nodes"


def own_copies(
    design: Design,
    names: Sequence[str],
    fixed: Callable[[CellDefinition], bool],
    taken: Collection[str] = (),
    only: Place | None = None,
) -> tuple[Edit, dict[str, str]]:
    """The edit that gives the design copies of library cells, which may be changed; and their names, old → new.

    Nodes in the drawing and in cells of the design's own follow; those inside library cells do not, as these may not be
    changed either. A library cell that nothing uses any longer goes.
    fixed: whether a cell is the library's. taken: names that are not to be used. only: the one node that follows.
    """
    after = design
    edits: list[Edit] = []
    renamed: dict[str, str] = {}

    def do(edit: Edit) -> None:
        nonlocal after
        edits.append(edit)
        after = edit.apply(after)

    for name in names:
        new = free_name(name, {*after.cells, *taken})
        renamed[name] = new
        do(SetCell(after.cells[name].replace(name=new)))
        for graph, key in users(after, name):
            own = graph in (MAIN, new) or graph in renamed.values() or not fixed(after.cells[graph])
            if own and only in (None, (graph, key)):
                do(_Follow(key, name, new, graph))
        if not users(after, name):
            do(RemoveCell(name))
    return Compound(tuple(edits), f"Make {' and '.join(names)} editable"), renamed


def restored(design: Design, name: str, library: CellDefinition) -> Edit:
    """The edit that puts a library cell in the place of one that was changed, or of a copy of it.

    Wires to ports that the library's has not are kept, and told by the check: nothing is lost unseen.
    """
    if library.name == name:
        return Compound((SetCell(library),), f"Restore {name}")
    edits: list[Edit] = [] if library.name in design.cells else [SetCell(library)]
    edits += [_Follow(key, name, library.name, graph) for graph, key in users(design, name)]
    return Compound((*edits, RemoveCell(name)), f"Restore {library.name}")


@dataclass(frozen=True)
class _Follow(Edit):
    """Let a node stand for another cell; its title follows where it was the cell's name."""

    node: str
    old: str
    new: str
    graph: str

    def apply(self, design: Design) -> Design:
        graph = design.graph_of(self.graph)
        node = graph.nodes[self.node]
        changed = retitled(node.replace(params=frozen({**node.params, CELL: self.new})), self.old, self.new)
        return design.with_graph(self.graph, graph.replace(nodes=frozen({**graph.nodes, self.node: changed})))


def follow(node: str, old: str, new: str, graph: str) -> Edit:
    """The edit by which a node stands for another cell."""
    return _Follow(node, old, new, graph)


def stem(name: str) -> str:
    """The name of which a copy's is a numbered one: LSTM of LSTM_2; the name itself where it has no number."""
    first, _, number = name.rpartition("_")
    return first if first and number.isdigit() else name


def inner_cells(design: Design, name: str) -> Iterator[CellDefinition]:
    """The definitions that a cell's drawing uses, and those they use."""
    seen = {name}
    todo = [name]
    while todo:
        for node in design.cells[todo.pop()].graph.nodes.values():
            key = str(node.params.get(CELL, "")) if node.kind == CELL else ""
            if key in design.cells and key not in seen:
                seen.add(key)
                todo.append(key)
                yield design.cells[key]


def check_cell_name(design: Design, old: str, new: str, library: Collection[str]) -> None:
    """Raise StudioError where a cell of the design cannot be called so."""
    if new != old and new in library:
        raise StudioError(f"“{new}” is the name of a cell of the library", remedy="Choose another name.")
