"""What is done when the wires of a scene are routed: ways around nodes, names of hidden wires, labels.

At once where it is a matter of moments; of a large drawing a few at a time between other work, so that no hand waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, QRectF, QTimer

from ...design.design import MAIN, Pin
from . import hidden_wires
from .places import Boxes, Lines, Point, lines_of
from .shape import LABEL_SIZE, text_width
from .wayfinding import Wayfinder, Ways
from .wire_labels import Wanted, placed

if TYPE_CHECKING:
    from .scene import CanvasScene
    from .wire_item import WireItem

AT_ONCE = 300
"""A drawing of so many wires is done at once."""
SLICE = 0.004
"""Seconds of the window's thread that a large one takes at a time."""
EDGE = 4.0
"""What is written in a label keeps so far from its sides."""
PORT_ROOM = 6.0
"""How far ports reach beyond a node."""

Onward = Sequence[tuple["WireItem", QPointF, QPointF]]
"""Wires that run forward, with their ends."""


class Finishing(QObject):
    """Owner of the ways around nodes and of where labels stand. `finish` waits for all of it (for a picture)."""

    def __init__(self, scene: CanvasScene) -> None:
        super().__init__(scene)
        self._scene = scene
        self._known: Ways = {}
        self._onward: Onward = ()
        self._finder: Wayfinder | None = None
        self._work: Iterator[None] | None = None
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._go_on)

    @property
    def small(self) -> bool:
        return len(self._scene.wires) <= AT_ONCE

    def finder(self) -> Wayfinder:
        """For the nodes as they stand now."""
        return Wayfinder(_bodies(self._scene), self._known)

    def ask(self, finder: Wayfinder, onward: Onward) -> None:
        """All wires were routed: find out which go around nodes; then labels."""
        self._finder, self._onward = finder, onward
        self._work = None
        if self.small:
            for _ in self._detours():
                pass
        self.ask_labels()

    def ask_labels(self) -> None:
        """Wires carry something else: all labels are placed anew, soon."""
        self._work = None
        self._timer.start()

    def pause(self) -> None:
        """A hand moves things: what is not done waits for the next `ask`, when they are put down."""
        self._timer.stop()
        self._work = None

    def finish(self) -> None:
        """Do all that is not done yet."""
        if self._timer.isActive():
            self._timer.stop()
            for _ in self._work or self._all():
                pass
            self._work = None

    def _go_on(self) -> None:
        if self._work is None:
            self._work = self._all()
        end = perf_counter() + SLICE
        for _ in self._work:
            if perf_counter() > end and not self.small:
                self._timer.start()
                return
        self._work = None

    def _all(self) -> Iterator[None]:
        yield from self._detours()
        self._names()
        yield from self._labels()

    def _detours(self) -> Iterator[None]:
        finder, onward = self._finder, self._onward
        if finder is not None:
            for item, start, end in onward:
                if item.wire is not None and item.scene() is not None:
                    item.route(finder.forward(start, end, (item.wire.source.node, item.wire.target.node)))
                yield
            self._known = finder.known()
        self._finder, self._onward = None, ()

    def _names(self) -> None:
        """The names at the ends of hidden wires."""
        scene = self._scene
        hidden = [(w, item.path, item.ends_named) for w, item in scene.wires.items() if item.hidden]
        if not hidden:
            return
        bodies = Boxes((k, (r.left(), r.top(), r.right(), r.bottom())) for k, r in _bodies(scene))
        lines = Lines()
        for item in scene.wires.values():
            lines.add(lines_of(item.points()) if not item.hidden else ())
        for wire, boxes in hidden_wires.placed(hidden, bodies, lines):
            scene.wires[wire].place_stubs(boxes)

    def _labels(self) -> Iterator[None]:
        """Places one label after the other."""
        scene = self._scene
        bodies = Boxes()
        for key, item in scene.nodes.items():
            rect = item.body().adjusted(-PORT_ROOM, -2, PORT_ROOM, 2)
            bodies.add(key, (rect.left(), rect.top(), rect.right(), rect.bottom()))
        for key, frame in scene.frames.items():
            title = frame.title_box()
            bodies.add(f"title of {key}", (title.left(), title.top(), title.right(), title.bottom()))
        for number, box in enumerate(box for line in scene.wires.values() for box in line.stubs()):
            bodies.add(f"stub {number}", (box.left(), box.top(), box.right(), box.bottom()))
        lines = Lines()
        ways: dict[WireItem, list[Point]] = {}
        for line in scene.wires.values():
            if not line.hidden:
                ways[line] = line.points()
                lines.add(lines_of(ways[line]))
            yield
        sources: dict[Pin, list[WireItem]] = {}
        for wire, line in scene.wires.items():
            if line.text and not line.hidden:
                sources.setdefault(wire.source, []).append(line)
        inside = scene.graph_name != MAIN
        wanted = [
            Wanted(
                tuple((text, text_width(text, LABEL_SIZE) + 2 * EDGE) for text in same[0].texts(inside)),
                tuple((line.wire, ways[line]) for line in same if line.wire is not None),
            )
            for same in sources.values()
        ]
        for same, found in zip(sources.values(), placed(wanted, bodies, lines), strict=True):
            for line in same:
                if found is not None and line.wire == found.wire:
                    left, top, right, bottom = found.box
                    line.write(found.text, QRectF(left, top, right - left, bottom - top))
                else:
                    line.write("", None)
            yield


def _bodies(scene: CanvasScene) -> Iterator[tuple[str, QRectF]]:
    """The rectangles that wires and labels keep off."""
    return ((key, item.body()) for key, item in scene.nodes.items())
