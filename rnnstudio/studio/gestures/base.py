"""What all gestures have in common: they begin at a press, follow the pointer, and end in an edit or are cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent

if TYPE_CHECKING:
    from ..canvas.scene import Hit
    from ..canvas.view import CanvasView

THRESHOLD = 5
"""Pixels of the screen a press must travel before it is a drag."""


@dataclass(frozen=True)
class Press:
    """Where and how a gesture may begin: scene point, viewport point, button, keys held, what lies there."""

    at: QPointF
    where: QPoint
    button: Qt.MouseButton
    keys: Qt.KeyboardModifier
    hit: Hit

    @property
    def adding(self) -> bool:
        """Whether the selection is to be added to."""
        return bool(self.keys & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier))


class Gesture:
    """`begin` looks at a press and returns a gesture, or None when it is not its own."""

    cursor = Qt.CursorShape.ArrowCursor
    changes = False
    """Whether a drag of it ends in a change of the drawing: a library cell refuses it before it begins."""

    def __init__(self, view: CanvasView, press: Press) -> None:
        self.view = view
        self.press = press
        self.button = press.button
        self.dragging = False
        self._refused = False

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        raise NotImplementedError

    def move(self, at: QPointF, event: QMouseEvent) -> None:
        """The pointer is at a scene point now."""
        far = (event.position().toPoint() - self.press.where).manhattanLength() >= THRESHOLD
        if far and not self.dragging and not self._refused:
            if self.changes and self.view.session.refuses():
                self._refused = True
                return
            self.dragging = True
            self.started()
        if self.dragging:
            self.drag(at, event)

    def started(self) -> None:
        """The press has become a drag."""

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        """Called for every movement of a drag."""

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        """The button was let go: make the edit."""

    def cancel(self) -> None:
        """Leave everything as it was."""
