"""Where the person looks: the cell that is entered and what is selected in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from ..design.design import MAIN, Design, Wire


@dataclass(frozen=True, slots=True)
class Step:
    """One breadcrumb: the graph shown, and the node through which it was entered ("" for the design itself)."""

    graph: str
    node: str = ""


class Focus(QObject):
    """Signals: trailChanging(), another graph is about to be shown; trailChanged(), it is; selectionChanged();
    revealRequested(), frame the selection; renamed(old, new), sent before trailChanged: the graph that is shown is the
    same drawing under another name.
    """

    trailChanging = Signal()
    trailChanged = Signal()
    selectionChanged = Signal()
    revealRequested = Signal()
    renamed = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.trail: tuple[Step, ...] = (Step(MAIN),)
        self.nodes: tuple[str, ...] = ()
        self.wires: tuple[Wire, ...] = ()
        self.frames: tuple[str, ...] = ()

    @property
    def graph(self) -> str:
        """The graph that is shown: MAIN or a cell's name."""
        return self.trail[-1].graph

    def select(self, nodes: Iterable[str] = (), wires: Iterable[Wire] = (), frames: Iterable[str] = ()) -> None:
        nodes, wires, frames = tuple(nodes), tuple(wires), tuple(frames)
        if (nodes, wires, frames) != (self.nodes, self.wires, self.frames):
            self.nodes, self.wires, self.frames = nodes, wires, frames
            self.selectionChanged.emit()

    def enter(self, graph: str, node: str = "") -> None:
        """Show a cell's drawing, one step deeper."""
        self._go((*self.trail, Step(graph, node)))

    def leave(self, depth: int | None = None) -> None:
        """Go back to the breadcrumb at `depth` (0 is the design), one step back by default."""
        depth = len(self.trail) - 2 if depth is None else depth
        if 0 <= depth < len(self.trail) - 1:
            left = self.trail[depth + 1].node
            self._go(self.trail[: depth + 1])
            if left:
                self.select((left,))

    def show(self, graph: str, nodes: Iterable[str] = (), wires: Iterable[Wire] = ()) -> None:
        """Go to a place of any graph, select it and ask the canvas to frame it."""
        if graph != self.graph:
            self._go((Step(MAIN),) if graph == MAIN else (Step(MAIN), Step(graph)))
        self.select(nodes, wires)
        self.revealRequested.emit()

    def reset(self) -> None:
        self._go((Step(MAIN),))

    def follow(self, before: Design, after: Design) -> None:
        """Stay where one is when a change gave the cells that are entered other names, or copies; forget what is gone.

        A cell that was entered through a node is the one that node stands for now.
        """
        trail = [self.trail[0]]
        for step in self.trail[1:]:
            graph = self._name_now(step, trail[-1].graph, before, after)
            trail.append(Step(graph, step.node))
        if tuple(trail) != self.trail and all(s.graph == MAIN or s.graph in after.cells for s in trail):
            old, kept = self.trail, (self.nodes, self.wires, self.frames)
            self.trail = tuple(trail)
            self.renamed.emit(old[-1].graph, self.graph)
            self.trailChanged.emit()
            self.select(*kept)
        self.prune(after)

    @staticmethod
    def _name_now(step: Step, outer: str, before: Design, after: Design) -> str:
        there = before.graph_of(outer) if outer == MAIN or outer in before.cells else None
        was = there.nodes.get(step.node) if there is not None and step.node else None
        now = after.graph_of(outer).nodes.get(step.node) if outer == MAIN or outer in after.cells else None
        if now is not None and now.kind == "cell" and step.node:
            name = str(now.params.get("cell", ""))
            if name in after.cells and (was is None or was.params.get("cell") != name):
                return name
        if step.graph in after.cells or step.graph not in before.cells:
            return step.graph
        drawing = before.cells[step.graph].graph
        return next((n for n, c in after.cells.items() if n not in before.cells and c.graph is drawing), step.graph)

    def prune(self, design: Design) -> None:
        """Forget what a change of the design took away."""
        depth = 0
        while depth < len(self.trail) and (self.trail[depth].graph == MAIN or self.trail[depth].graph in design.cells):
            depth += 1
        if depth < len(self.trail):
            self._go(self.trail[:depth])
        outer = (MAIN, *(step.graph for step in self.trail))
        # A node through which a cell was entered may be gone while its cell is still there.
        self.trail = tuple(
            step if step.node in design.graph_of(graph).nodes else Step(step.graph)
            for graph, step in zip(outer, self.trail, strict=False)
        )
        graph = design.graph_of(self.graph)
        wires = set(graph.wires) if self.wires else set()
        frames = {f.id for f in graph.frames}
        self.select(
            [n for n in self.nodes if n in graph.nodes],
            [w for w in self.wires if w in wires],
            [f for f in self.frames if f in frames],
        )

    def _go(self, trail: tuple[Step, ...]) -> None:
        if trail == self.trail:
            self.select()
            return
        self.trailChanging.emit()
        self.trail = trail
        self.nodes, self.wires, self.frames = (), (), ()
        self.trailChanged.emit()
        self.selectionChanged.emit()
