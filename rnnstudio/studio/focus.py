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
    """Signals: trailChanged(), another graph is shown; selectionChanged(); revealRequested(), frame the selection."""

    trailChanged = Signal()
    selectionChanged = Signal()
    revealRequested = Signal()

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

    def prune(self, design: Design) -> None:
        """Forget what a change of the design took away."""
        depth = 0
        while depth < len(self.trail) and (self.trail[depth].graph == MAIN or self.trail[depth].graph in design.cells):
            depth += 1
        if depth < len(self.trail):
            self._go(self.trail[:depth])
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
        self.trail = trail
        self.nodes, self.wires, self.frames = (), (), ()
        self.trailChanged.emit()
        self.selectionChanged.emit()
