"""Pan: drag with the middle or right button, or with the left one and Space. A right click asks for a menu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent

from .base import Gesture, Press

if TYPE_CHECKING:
    from ..canvas.view import CanvasView


class Pan(Gesture):
    cursor = Qt.CursorShape.ClosedHandCursor

    def __init__(self, view: CanvasView, press: Press) -> None:
        super().__init__(view, press)
        self._last = press.where

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        left = press.button == Qt.MouseButton.LeftButton and view.space_held
        return cls(view, press) if left or press.button == Qt.MouseButton.MiddleButton else None

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        now = event.position().toPoint()
        self.view.pan(now - self._last)
        self._last = now


class PanOrMenu(Pan):
    """The right button: what is under it is selected, unless it was; let go without a drag, its menu opens."""

    cursor = Qt.CursorShape.ArrowCursor

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        return cls(view, press) if press.button == Qt.MouseButton.RightButton else None

    def started(self) -> None:
        self.view.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        if not self.dragging:
            self.view.ask_menu(self.press.hit, self.press.at, event.globalPosition().toPoint())
