"""Going through the drawing by keys: along the wires from node to node, or from thing to thing in reading order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF

from ...design.design import Graph, Wire

if TYPE_CHECKING:
    from .view import CanvasView

_BACK = {"left": "right", "right": "left"}


class Walking:
    """Where one is: the node that was selected last. A step back along a wire leads to where one came from."""

    def __init__(self, view: CanvasView) -> None:
        self.view = view
        self._came: tuple[str, str, str] = ("", "", "")
        """The way that leads back, the node where one is, the node one came from."""

    @property
    def _graph(self) -> Graph:
        return self.view.canvas.graph

    def step(self, way: str, *, keep: bool = False) -> None:
        """To the node that feeds this one ("left"), that it feeds ("right"), or "up" and "down" among its likes.

        keep: what is selected stays so, and the node is added to it.
        """
        view, focus = self.view, self.view.session.focus
        if view.gesture is not None:
            return
        here = self._here(way)
        to = here if here is not None and here not in focus.nodes else self._from(here, way)
        if to is None:
            return
        if way in _BACK and here is not None and to != here:
            self._came = (_BACK[way], to, here)
        focus.select((*(k for k in focus.nodes if k != to), to) if keep else (to,))
        view.show_whole(to)

    def _here(self, way: str) -> str | None:
        """The node that was selected last, or an end of the wire that is; else the first one that is seen."""
        focus = self.view.session.focus
        if focus.nodes:
            return focus.nodes[-1]
        if focus.wires:
            wire = focus.wires[-1]
            return wire.source.node if way in ("left", "up") else wire.target.node
        seen = self.view.viewport().rect()
        nodes = self._in_order(self._graph.nodes)
        there = [k for k in nodes if seen.contains(self._on_screen(k))]
        return next(iter(there or nodes), None)

    def _on_screen(self, key: str) -> QPoint:
        return self.view.viewportTransform().map(self.view.canvas.nodes[key].pos()).toPoint()

    def _from(self, here: str | None, way: str) -> str | None:
        if here is None:
            return None
        graph = self._graph
        if way not in _BACK:
            return self._beside(here, -1 if way == "up" else 1)
        ends = self._ends(graph.wires, here, way)
        if not ends:
            what = "feeds" if way == "left" else "is fed by"
            self.view.session.message.emit(f"Nothing {what} {graph.nodes[here].label}")
            return None
        if self._came[:2] == (way, here) and self._came[2] in ends:
            return self._came[2]
        place = self.view.canvas.nodes[here].pos()
        side = -1 if way == "left" else 1

        def turn(key: str) -> tuple[bool, float]:
            by = self.view.canvas.nodes[key].pos() - place
            return by.x() * side <= 0, abs(by.y())  # wires through time run back: they come last

        return min(ends, key=turn)

    @staticmethod
    def _ends(wires: Iterable[Wire], here: str, way: str) -> list[str]:
        if way == "left":
            return [w.source.node for w in wires if w.target.node == here != w.source.node]
        return [w.target.node for w in wires if w.source.node == here != w.target.node]

    def _beside(self, here: str, side: int) -> str | None:
        """The nearest node above or below: of those that share a source or reader with this one, else of all."""
        places = {k: item.pos() for k, item in self.view.canvas.nodes.items()}
        graph = self._graph
        likes = {
            other
            for way in _BACK
            for partner in self._ends(graph.wires, here, way)
            for other in self._ends(graph.wires, partner, _BACK[way])
        }
        for among in (likes, set(places)):
            there = {k: places[k] - places[here] for k in among if k != here and k in places}
            there = {k: by for k, by in there.items() if by.y() * side > 0}
            if there:
                return min(there, key=lambda k: abs(there[k].y()) + 2 * abs(there[k].x()))
        self.view.session.message.emit(f"Nothing stands {'above' if side < 0 else 'below'}")
        return None

    # In reading order

    def next_thing(self, by: int) -> None:
        """Select the next node, wire or frame, or the one before: every node, then every wire, then every frame."""
        view, focus = self.view, self.view.session.focus
        if view.gesture is not None:
            return
        nodes = self._in_order(self._graph.nodes)
        order = {key: i for i, key in enumerate(nodes)}
        wires = sorted(view.canvas.wires, key=lambda w: (order[w.source.node], order[w.target.node], str(w)))
        frames = [f.id for f in sorted(self._graph.frames, key=lambda f: (f.x, f.y, f.id))]
        things: list[tuple[str, str | Wire]] = [("node", key) for key in nodes]
        things += [("wire", wire) for wire in wires] + [("frame", key) for key in frames]
        if not things:
            return
        selected: list[tuple[str, str | Wire]] = [("node", key) for key in focus.nodes]
        selected += [("wire", wire) for wire in focus.wires] + [("frame", key) for key in focus.frames]
        at = things.index(selected[-1]) + by if selected else (0 if by > 0 else -1)
        what, thing = things[at % len(things)]
        if isinstance(thing, Wire):
            focus.select((), (thing,))
            view.show_item(view.canvas.wires[thing])
        elif what == "node":
            focus.select((thing,))
            view.show_whole(thing)
        else:
            focus.select((), (), (thing,))
            view.show_item(view.canvas.frames[thing])

    def _in_order(self, keys: Iterable[str]) -> list[str]:
        places: dict[str, QPointF] = {key: self.view.canvas.nodes[key].pos() for key in keys}
        return sorted(keys, key=lambda key: (places[key].x(), places[key].y(), key))
