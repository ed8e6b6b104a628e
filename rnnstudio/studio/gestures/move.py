"""Move nodes: select at the press, preview while dragging, one edit at the end. Dropped on a wire, a node goes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent

from ..canvas.room import snap
from .base import Gesture, Press

if TYPE_CHECKING:
    from ...design.design import Wire
    from ..canvas.view import CanvasView


class MoveNodes(Gesture):
    """Places snap to the grid; Alt moves freely, and puts a node into no wire."""

    cursor = Qt.CursorShape.SizeAllCursor

    def __init__(self, view: CanvasView, press: Press) -> None:
        super().__init__(view, press)
        assert press.hit.node is not None
        self.key = press.hit.node.key
        focus = view.session.focus
        self._was_selected = self.key in focus.nodes
        if press.adding:
            left = [k for k in focus.nodes if k != self.key]
            focus.select(left if self._was_selected else [*left, self.key], focus.wires)
        elif not self._was_selected:
            focus.select((self.key,))
        self._places: dict[str, QPointF] = {}
        self._wire: Wire | None = None

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        hit = press.hit
        if press.button != Qt.MouseButton.LeftButton or hit.node is None or hit.port is not None:
            return None
        return cls(view, press)

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        nodes = self.view.canvas.graph.nodes
        keys = [k for k in self.view.session.focus.nodes if k in nodes] or [self.key]
        first = nodes[self.key]
        by = at - self.press.at
        if not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            by = QPointF(snap(first.x + by.x()) - first.x, snap(first.y + by.y()) - first.y)
        self._places = {k: QPointF(nodes[k].x, nodes[k].y) + by for k in keys}
        self.view.canvas.preview_move(self._places)
        free = event.modifiers() & Qt.KeyboardModifier.AltModifier
        self._wire = None if free else self._splice(keys, at)
        self.view.show_drop_target(self._wire)

    def _splice(self, keys: list[str], at: QPointF) -> Wire | None:
        if len(keys) != 1:
            return None
        canvas = self.view.canvas
        item = canvas.wire_at(self._places[keys[0]], besides=keys) or canvas.wire_at(at, besides=keys)
        if item is None or item.wire is None or self.view.commands.can_splice(keys[0], item.wire) is None:
            return None
        return item.wire

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        self.view.show_drop_target(None)
        if self.dragging:
            self.view.commands.move(self._places, self._wire)
            self.view.canvas.settle()
        elif self._was_selected and not self.press.adding:
            self.view.session.focus.select((self.key,))

    def cancel(self) -> None:
        self.view.show_drop_target(None)
        self.view.canvas.settle()
