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

SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


class BoxSelect(Gesture):
    """A box selects what it touches; with Shift it adds that, with Ctrl it takes it away."""

    def __init__(self, view: CanvasView, press: Press) -> None:
        super().__init__(view, press)
        focus = view.session.focus
        self._before = (focus.nodes, focus.wires, focus.frames)
        self._box: QGraphicsRectItem | None = None
        wire = press.hit.wire.wire if press.hit.wire is not None else None
        if not press.adding:
            focus.select((), (wire,) if wire is not None else ())
        elif wire is not None:
            rest = tuple(w for w in focus.wires if w != wire)
            focus.select(focus.nodes, rest if wire in focus.wires else (*focus.wires, wire), focus.frames)

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
        canvas = self.view.canvas
        nodes, wires, frames = canvas.nodes_in(rect), canvas.wires_in(rect), canvas.frames_in(rect)
        if self.press.keys & CTRL:
            inside, cut, framed = set(nodes), set(wires), set(frames)
            nodes = [key for key in self._before[0] if key not in inside]
            wires = [wire for wire in self._before[1] if wire not in cut]
            frames = [frame for frame in self._before[2] if frame not in framed]
        elif self.press.keys & SHIFT:
            nodes = list(dict.fromkeys((*self._before[0], *nodes)))
            wires = list(dict.fromkeys((*self._before[1], *wires)))
            frames = list(dict.fromkeys((*self._before[2], *frames)))
        self.view.session.focus.select(nodes, wires, frames)

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        self._clear()

    def cancel(self) -> None:
        self._clear()
        self.view.session.focus.select(*self._before)

    def _clear(self) -> None:
        if self._box is not None:
            self.view.canvas.removeItem(self._box)
            self._box = None
