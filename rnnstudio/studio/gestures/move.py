"""Move nodes and frames: select at the press, preview while dragging, one edit at the end.

A frame takes along what stands in it. A node without wires that is dropped on a wire goes in.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Self

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent

from ...design.design import Frame
from ..canvas.frame_item import SMALLEST
from ..canvas.guides import PULL, GuideLines, Guides
from ..canvas.room import snap
from .base import Gesture, Press

if TYPE_CHECKING:
    from ...design.design import Wire
    from ..canvas.view import CanvasView

ALT = Qt.KeyboardModifier.AltModifier


class MoveNodes(Gesture):
    """Of all that is selected, by a node or by the title of a frame. It falls in line with ports, edges and middles
    near by, along guides that are shown; Alt moves freely, and puts a node into no wire.
    """

    cursor = Qt.CursorShape.SizeAllCursor
    changes = True

    def __init__(self, view: CanvasView, press: Press) -> None:
        super().__init__(view, press)
        node, frame = press.hit.node, press.hit.frame
        self.key = node.key if node is not None else ""
        self._frame = frame.frame.id if frame is not None else ""
        focus = view.session.focus
        self._was_selected = self.key in focus.nodes or self._frame in focus.frames
        if press.adding:
            if self.key:
                view.select_node(self.key, adding=True)
            else:
                left = [f for f in focus.frames if f != self._frame]
                focus.select(focus.nodes, focus.wires, left if self._was_selected else [*left, self._frame])
        elif not self._was_selected:
            focus.select((self.key,) if self.key else (), (), (self._frame,) if self._frame else ())
        self._places: dict[str, QPointF] = {}
        self._frames: tuple[Frame, ...] = ()
        self._wire: Wire | None = None
        self._guides: Guides | None = None
        self._lines = GuideLines()

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        hit = press.hit
        if press.button != Qt.MouseButton.LeftButton or hit.port is not None:
            return None
        held = hit.node is not None or (hit.frame is not None and hit.edges == (0, 0))
        return cls(view, press) if held else None

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        graph = self.view.canvas.graph
        carried, frames = self.view.commands.arrange.carried()
        keys = list(carried) or ([self.key] if self.key in graph.nodes else [])
        by = at - self.press.at
        free = bool(event.modifiers() & ALT)
        by = self._guided(by, keys, frames, free)
        self._places = {k: QPointF(graph.nodes[k].x, graph.nodes[k].y) + by for k in keys}
        self._frames = tuple(f.replace(x=f.x + by.x(), y=f.y + by.y()) for f in frames)
        self.view.canvas.preview_move(self._places, self._frames)
        self._wire = None if free or self._frames else self._splice(keys, at)
        self.view.show_drop_target(self._wire)

    def _guided(self, by: QPointF, keys: Collection[str], frames: Collection[Frame], free: bool) -> QPointF:
        """The shift at which what is dragged falls in line with something near, the lines shown; `free`: as it is."""
        if self._guides is None:
            self._guides = Guides(self.view.canvas, keys, frames)
            self.view.canvas.addItem(self._lines)
        if free:
            self._lines.show_lines([])
            return by
        by, lines = self._guides.snap(by, PULL / self.view.zoom)
        self._lines.show_lines(lines)
        return by

    def _end(self) -> None:
        self.view.show_drop_target(None)
        if self._lines.scene() is not None:
            self.view.canvas.removeItem(self._lines)

    def _splice(self, keys: list[str], at: QPointF) -> Wire | None:
        if len(keys) != 1:
            return None
        canvas = self.view.canvas
        item = canvas.wire_at(self._places[keys[0]], besides=keys) or canvas.wire_at(at, besides=keys)
        if item is None or item.wire is None or self.view.commands.can_splice(keys[0], item.wire) is None:
            return None
        return item.wire

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        self._end()
        if self.dragging:
            self.view.commands.move(self._places, self._wire, self._frames)
            self.view.canvas.settle()
        elif self._was_selected and not self.press.adding:
            self.view.session.focus.select((self.key,) if self.key else (), (), (self._frame,) if self._frame else ())

    def cancel(self) -> None:
        self._end()
        self.view.canvas.settle()


class ResizeFrame(Gesture):
    """By an edge or a corner of a frame; what stands in it stays."""

    changes = True

    def __init__(self, view: CanvasView, press: Press) -> None:
        super().__init__(view, press)
        assert press.hit.frame is not None
        self._before = press.hit.frame.frame
        self._now = self._before
        view.session.focus.select((), (), (self._before.id,))
        self.cursor = cursor_of(press.hit.edges)

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        held = press.button == Qt.MouseButton.LeftButton and press.hit.frame is not None
        return cls(view, press) if held and press.hit.edges != (0, 0) else None

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        f, (x, y) = self._before, self.press.hit.edges
        by = at - self.press.at
        left, right = f.x, f.x + f.width
        top, bottom = f.y, f.y + f.height
        if x < 0:
            left = min(snap(left + by.x()), right - SMALLEST)
        elif x > 0:
            right = max(snap(right + by.x()), left + SMALLEST)
        if y < 0:
            top = min(snap(top + by.y()), bottom - SMALLEST)
        elif y > 0:
            bottom = max(snap(bottom + by.y()), top + SMALLEST)
        self._now = f.replace(x=left, y=top, width=right - left, height=bottom - top)
        self.view.canvas.preview_move({}, (self._now,))

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        if self._now != self._before:
            self.view.commands.arrange.put_frame(self._now, "Resize frame")
        self.view.canvas.settle()

    def cancel(self) -> None:
        self.view.canvas.settle()


def cursor_of(edges: tuple[int, int]) -> Qt.CursorShape:
    """The pointer's shape over a frame's edges."""
    if edges == (0, 0):
        return Qt.CursorShape.SizeAllCursor
    if 0 in edges:
        return Qt.CursorShape.SizeHorCursor if edges[0] else Qt.CursorShape.SizeVerCursor
    return Qt.CursorShape.SizeFDiagCursor if edges[0] == edges[1] else Qt.CursorShape.SizeBDiagCursor
