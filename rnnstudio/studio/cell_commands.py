"""Cells by hand: a selection becomes one, one is taken apart, copied for a node alone, or begun empty."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from ..catalog.catalog import CELL
from ..compiler.resolve import variables_of
from ..design.design import CellDefinition, Graph, Node, Pin, Wire, frozen
from ..design.edits import AddNode, Compound, Edit, SetCell
from ..design.errors import StudioError
from ..design.grouping import group, make_unique, ungroup
from .canvas.room import snap, with_room
from .canvas.shape import GRID
from .session import Session


class CellCommands:
    """Acts on the focused graph and the selection of a session; each makes one step of the history."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def _graph(self) -> str:
        return self.session.focus.graph

    def group(self) -> bool:
        """Make a cell of the selected nodes."""
        session, graph = self.session, self._graph
        try:
            sizes = variables_of(session.design)
            edit, key = group(session.design, graph, session.focus.nodes, session.catalog.cells, sizes)
            made = edit.apply(session.design)
        except StudioError as error:
            session.failed.emit(error)
            return False
        before = {d.code for d in session.checked.errors}
        loop = next((d for d in session.trial(made).errors if d.code == "LoopWithoutDelay"), None)
        if loop is not None and loop.code not in before:
            between = ", ".join(n for n in loop.nodes if n != key)
            what = "These nodes cannot be one cell: what leaves it comes back into it in the same step"
            session.failed.emit(StudioError(what, where=between, remedy=f"Select {between} as well."))
            return False
        if session.do(edit):
            session.focus.select((key,))
            return True
        return False

    def ungroup(self) -> bool:
        """Put the drawing of each selected cell in its place."""
        session, graph = self.session, self._graph
        design = session.design
        cells = [k for k in session.focus.nodes if design.graph_of(graph).nodes[k].kind == CELL]
        if not cells:
            session.message.emit("Select a cell to take it apart")
            return False
        edits: list[Edit] = []
        names: list[str] = []
        try:
            for key in cells:
                edit, inner = ungroup(design, graph, key)
                design = edit.apply(design)
                edits.append(edit)
                names += inner
        except StudioError as error:
            session.failed.emit(error)
            return False
        edits = with_room(session, edits, names)
        name = edits[0].title if len(cells) == 1 else f"Ungroup {len(cells)} cells"
        done = session.do(Compound(tuple(edits), name))
        if done:
            session.focus.select(names)
        return done

    def make_unique(self, key: str) -> bool:
        """Give a node a copy of its cell, which others do not follow; it may be changed where the library's may not."""
        session = self.session
        try:
            edit, name = make_unique(session.design, self._graph, key, session.catalog.cells)
        except StudioError as error:
            session.failed.emit(error)
            return False
        done = session.do(edit)
        if done:
            session.message.emit(f"{key} is drawn by a cell of its own now: {name}")
        return done

    def new_cell(self, at: QPointF) -> str | None:
        """Add an empty cell, x → h, to be drawn."""
        session, graph = self.session, self._graph
        taken = {*session.catalog.cells, *session.design.cells}
        name = next(n for n in ("Cell", *(f"Cell{i}" for i in range(2, len(taken) + 3))) if n not in taken)
        nodes = {"x": Node("x", "CellInput", x=0.0), "h": Node("h", "CellOutput", x=30 * GRID)}
        key = session.design.graph_of(graph).free_id(name.lower())
        node = Node(key, CELL, frozen({CELL: name}), snap(at.x()), snap(at.y()))
        cell = CellDefinition(name, Graph(frozen(nodes), (Wire(Pin("x", "out"), Pin("h", "input")),)))
        edits = with_room(session, [SetCell(cell), AddNode(node, graph)], (key,))
        if not session.do(Compound(tuple(edits), "New cell")):
            return None
        session.focus.select((key,))
        return key
