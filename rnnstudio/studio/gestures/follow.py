"""A click on the end of a hidden wire goes to its other end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent

from .base import Gesture, Press

if TYPE_CHECKING:
    from ..canvas.view import CanvasView


class FollowWire(Gesture):
    """The wire is selected, so that both ends light up, and the end that was not clicked comes into view."""

    cursor = Qt.CursorShape.PointingHandCursor

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        item = press.hit.wire
        plain = press.button == Qt.MouseButton.LeftButton and press.keys == Qt.KeyboardModifier.NoModifier
        return cls(view, press) if plain and item is not None and item.stub_at(press.at) is not None else None

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        item = self.press.hit.wire
        if self.dragging or item is None or item.wire is None:
            return
        begins_at_target = item.stub_at(self.press.at)
        self.view.session.focus.select((), (item.wire,))
        end = item.path.pointAtPercent(0.0 if begins_at_target else 1.0)
        self.view.look_at(end)
