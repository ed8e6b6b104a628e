"""Cells by hand: a selection becomes one, one is taken apart, copied for a node alone, or begun empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPointF

from ..catalog.catalog import CELL
from ..compiler.resolve import variables_of
from ..design.bringing import bring, equal
from ..design.design import CellDefinition, Graph, Node, Pin, Wire, frozen
from ..design.edits import AddNode, Compound, Edit, SetCell
from ..design.errors import StudioError
from ..design.grouping import RenameCell, group, ungroup
from ..design.owning import Place, check_cell_name, inner_cells, own_copies, restored, stem, used_by, users
from .canvas.room import snap, with_room
from .canvas.shape import GRID
from .offers import BOTH, Offer
from .session import Session


class CellCommands:
    """Acts on the focused graph and the selection of a session; each makes one step of the history."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.ask_over: Callable[[str], bool] = lambda name: False
        """Whether another own cell of that name is to be written over."""
        self.ask_which: Callable[[str, str], str | None] = lambda name, used: BOTH
        """What becomes of an own cell when the design has another of its name: see Offer.collision. None: nothing."""

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
        return self.unique_in(self._graph, key)

    def unique_in(self, graph: str, key: str) -> bool:
        """As make_unique, for a node of any graph."""
        session = self.session
        if session.is_fixed(graph):
            session.readOnly.emit(graph)
            return False
        node = session.design.graph_of(graph).nodes[key]
        name = str(node.params.get(CELL, ""))
        if node.kind != CELL or name not in session.design.cells:
            session.message.emit("Select a node of a cell to give it a drawing of its own")
            return False
        if not session.is_fixed(name) and len(users(session.design, name)) == 1:
            session.message.emit(f"“{name}” is used by {node.label} alone already")
            return False
        return self._copy([name], (graph, key)) is not None

    def make_editable(self, *, alone: bool = False) -> str | None:
        """Give the design a copy of the library cell that is entered, and go on in it. Returns its name.

        Every node of the design's own follows, or, `alone`, the one through which it was entered.
        """
        session = self.session
        trail = session.focus.trail
        names = [s.graph for s in trail[1:] if session.is_fixed(s.graph)]
        if not names or names[-1] != session.focus.graph:
            return None
        only = (trail[-2].graph, trail[-1].node) if alone and trail[-1].node and len(names) == 1 else None
        return self._copy(names, only)

    def copy_of(self, name: str) -> str | None:
        """Make a library cell editable from outside: every node of the design's own follows the copy."""
        return self._copy([name], None) if self.session.is_fixed(name) else None

    def _copy(self, names: list[str], only: Place | None) -> str | None:
        session = self.session
        edit, renamed = own_copies(session.design, names, session.catalog.draws, session.catalog.cells, only)
        if not session.do(edit):
            return None
        new = renamed[names[-1]]
        session.message.emit(f"“{new}” is a cell of this design: change it as you like (F2 renames it)")
        return new

    def restore(self, name: str) -> bool:
        """Put the library's cell back in the place of one that was changed here, or copied from it."""
        session = self.session
        library = self.origin(name)
        if library is None:
            session.message.emit("Only a cell that came from the library can be restored")
            return False
        done = session.do(restored(session.design, name, library))
        if done:
            session.message.emit(f"“{library.name}” is the library's cell again")
        return done

    def origin(self, name: str) -> CellDefinition | None:
        """The library cell that a cell of the design is a changed one, an earlier drawing or a copy of."""
        there = self.session.design.cells.get(name)
        if there is None:
            return None
        for known in (name, stem(name)):
            library = self.session.catalog.definition(known)
            if library is not None and not (known == name and equal(library, there, name)):
                return library
        return None

    def rename(self, old: str, new: str) -> bool:
        """Give a cell of the design another name; its nodes follow, and titles that were the old name."""
        session = self.session
        if new == old:
            return False
        if session.is_fixed(old):
            session.readOnly.emit(old)
            return False
        try:
            check_cell_name(session.design, old, new, session.catalog.cells)
        except StudioError as error:
            session.failed.emit(error)
            return False
        return session.do(RenameCell(old, new))

    # The library of one's own cells

    def save_own(self, name: str) -> bool:
        """Put a cell of the design into the person's own library, with the cells inside of it that no library has."""
        session = self.session
        shelf = session.own_cells
        cell = session.design.cells[name]
        if name in session.catalog.cells:
            what = f"“{name}” is a cell of the library" if session.is_fixed(name) else f"The library has a “{name}” too"
            remedy = "Make it editable first." if session.is_fixed(name) else "Rename this one first."
            session.failed.emit(StudioError(what, remedy=remedy))
            return False
        inner = [c for c in inner_cells(session.design, name) if not session.catalog.draws(c)]
        there = shelf.cells.get(name)
        if there is not None and there.cell != cell and not self.ask_over(name):
            return False
        try:
            made = shelf.save(cell, inner)
        except StudioError as error:
            session.failed.emit(error)
            return False
        session.message.emit(f"“{name}” is among your own cells: {made.path}")
        return True

    def settle(self, offer: Offer) -> Offer | None:
        """An own cell whose name the design has for another: as the person wants it; None: not at all."""
        if not offer.cells:
            return offer
        there = self.session.design.cells.get(offer.name)
        if there is None or bring(offer.cells, self.session.design).renamed.get(offer.name) is None:
            return offer
        wanted = self.ask_which(offer.name, used_by(self.session.design, offer.name))
        return None if wanted is None else replace(offer, collision=wanted)

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
