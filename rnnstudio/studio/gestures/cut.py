"""Wires are broken: Alt and a click on a port or a wire, or a stroke with Ctrl and the right button through several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsPathItem

from .. import theme
from .base import Gesture, Press

if TYPE_CHECKING:
    from ...design.design import Wire
    from ..canvas.view import CanvasView

CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


class BreakWires(Gesture):
    """Alt and a click: the wire that was hit, or all wires at the port that was hit."""

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        here = press.hit.pin is not None or press.hit.wire is not None
        return cls(view, press) if press.button == Qt.MouseButton.LeftButton and press.keys & ALT and here else None

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        hit = self.press.hit
        if hit.wire is not None and hit.wire.wire is not None:
            self.view.commands.disconnect((hit.wire.wire,))
        elif hit.pin is not None and hit.port is not None:
            self.view.commands.disconnect_port(hit.pin, hit.port[0])


class CutWires(Gesture):
    """A stroke; every wire it crosses lights up and is cut where the button is let go, in one step."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, view: CanvasView, press: Press) -> None:
        super().__init__(view, press)
        self.crossed: dict[Wire, None] = {}
        self._last = press.at
        self._path = QPainterPath(press.at)
        self._item: QGraphicsPathItem | None = None

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        return cls(view, press) if press.button == Qt.MouseButton.RightButton and press.keys & CTRL else None

    def started(self) -> None:
        pen = QPen(theme.current().color("error"), 1.6, Qt.PenStyle.DashLine)
        pen.setCosmetic(True)
        self._item = self.view.canvas.addPath(self._path, pen)
        self._item.setZValue(10)

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        stroke = QLineF(self._last, at)
        for wire, item in self.view.canvas.wires.items():
            if wire not in self.crossed and item.crosses(stroke):
                self.crossed[wire] = None
                item.mark(target_of_drop=True)
        self._last = at
        self._path.lineTo(at)
        if self._item is not None:
            self._item.setPath(self._path)
        count = len(self.crossed)
        many = "" if count == 1 else "s"
        self.view.hint.emit(f"Cuts {count} wire{many}" if count else "Draw through wires to cut them")

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        self._clear()
        if self.crossed:
            self.view.commands.disconnect(tuple(self.crossed))

    def cancel(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.view.hint.emit("")
        for wire in self.crossed:
            if wire in self.view.canvas.wires:
                self.view.canvas.wires[wire].mark(target_of_drop=False)
        if self._item is not None:
            self.view.canvas.removeItem(self._item)
            self._item = None
