"""Wires are broken, or joined in a reroute point, by a stroke of the right button through them.

Ctrl cuts every wire the stroke crosses, Shift puts a point into each, one for all wires of one source. Alt and a click
break a single wire, or all at a port.
"""

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


class StrokeWires(Gesture):
    """A stroke of the right button; the wires it crosses light up, and one edit is made where the button is let go."""

    cursor = Qt.CursorShape.CrossCursor
    changes = True
    held = CTRL
    color = "error"
    does, asks = "Cuts {} wire{}", "Draw through wires to cut them"

    def __init__(self, view: CanvasView, press: Press) -> None:
        super().__init__(view, press)
        self.crossed: dict[Wire, QPointF] = {}
        self._last = press.at
        self._path = QPainterPath(press.at)
        self._item: QGraphicsPathItem | None = None

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        mine = press.button == Qt.MouseButton.RightButton and press.keys & cls.held
        return cls(view, press) if mine else None

    def started(self) -> None:
        pen = QPen(theme.current().color(self.color), 1.6, Qt.PenStyle.DashLine)
        pen.setCosmetic(True)
        self._item = self.view.canvas.addPath(self._path, pen)
        self._item.setZValue(10)

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        stroke = QLineF(self._last, at)
        for wire, item in self.view.canvas.wires.items():
            where = item.crossing(stroke) if wire not in self.crossed else None
            if where is not None:
                self.crossed[wire] = where
                item.mark(target_of_drop=True)
        self._last = at
        self._path.lineTo(at)
        if self._item is not None:
            self._item.setPath(self._path)
        count = len(self.crossed)
        self.view.hint.emit(self.does.format(count, "" if count == 1 else "s") if count else self.asks)

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        self._clear()
        if self.crossed:
            self.act()

    def act(self) -> None:
        """What becomes of the wires that were crossed."""
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


class RerouteWires(StrokeWires):
    held = Qt.KeyboardModifier.ShiftModifier
    color = "accent"
    does, asks = "Joins {} wire{} in a reroute point", "Draw through wires to join them in a reroute point"

    def act(self) -> None:
        self.view.commands.reroute(self.crossed)
