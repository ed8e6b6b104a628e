"""Select: a click on a wire or on nothing, or a box drawn from an empty place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent, QPen
from PySide6.QtWidgets import QGraphicsRectItem

from .. import theme
from .base import Gesture, Press

if TYPE_CHECKING:
    from ..canvas.view import CanvasView


class BoxSelect(Gesture):
    """With Shift or Ctrl it adds to what is selected."""

    def __init__(self, view: CanvasView, press: Press) -> None:
        super().__init__(view, press)
        focus = view.session.focus
        self._before = (focus.nodes, focus.wires)
        self._box: QGraphicsRectItem | None = None
        if not press.adding:
            focus.select()

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        return cls(view, press) if press.button == Qt.MouseButton.LeftButton else None

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        rect = QRectF(self.press.at, at).normalized()
        if self._box is None:
            t = theme.current()
            pen = QPen(t.color("accent"), 1)
            pen.setCosmetic(True)
            self._box = self.view.canvas.addRect(rect, pen, t.color("accent", 0.12))
            self._box.setZValue(10)
        self._box.setRect(rect)
        nodes, wires = self.view.canvas.nodes_in(rect), self.view.canvas.wires_in(rect)
        if self.press.adding:
            nodes = list(dict.fromkeys((*self._before[0], *nodes)))
            wires = list(dict.fromkeys((*self._before[1], *wires)))
        self.view.session.focus.select(nodes, wires)

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        self._clear()

    def cancel(self) -> None:
        self._clear()
        self.view.session.focus.select(*self._before)

    def _clear(self) -> None:
        if self._box is not None:
            self.view.canvas.removeItem(self._box)
            self._box = None
