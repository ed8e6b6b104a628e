"""Draw a wire from a port, either way; or take the end of a wire somewhere else, or off.

While it is drawn, ports that cannot take it are dimmed, and say why under the pointer. Let go on nothing, a new wire
offers the nodes that fit; one that was taken off is deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QToolTip

from ...design.design import Pin, Wire
from ..canvas.routing import forward
from .base import Gesture, Press

if TYPE_CHECKING:
    from ..canvas.node_item import NodeItem
    from ..canvas.view import CanvasView
    from ..canvas.wire_item import WireItem

SNAP = 22.0
"""How near to a port a wire jumps to it, in pixels of the screen."""
GRIP = 30.0
"""So much of a wire, from its end, can be taken elsewhere; a drag begun on the rest draws a box, as on nothing."""


class DrawWire(Gesture):
    """`fixed` is the end that stays; `taken` the wire that was picked up, if one was."""

    cursor = Qt.CursorShape.CrossCursor
    changes = True

    def __init__(self, view: CanvasView, press: Press, fixed: Pin, fixed_is_input: bool, taken: Wire | None) -> None:
        super().__init__(view, press)
        self.fixed = fixed
        self.fixed_is_input = fixed_is_input
        self.taken = taken
        self.end: Pin | None = None
        self.reason = ""
        """Why the port under the pointer cannot take the wire; "" when it can or there is none."""
        self._reasons = view.canvas.reasons(fixed, fixed_is_input)
        self._item: WireItem | None = None
        if taken is not None and press.hit.port is None:
            view.session.focus.select((), (taken,))

    @classmethod
    def begin(cls, view: CanvasView, press: Press) -> Self | None:
        if press.button != Qt.MouseButton.LeftButton or press.keys & Qt.KeyboardModifier.AltModifier:
            return None
        hit = press.hit
        if hit.pin is not None and hit.port is not None:
            if hit.port[0]:
                taken = next((w for w in view.canvas.wires if w.target == hit.pin), None)
                if taken is not None:
                    return cls(view, press, taken.source, False, taken)
            return cls(view, press, hit.pin, hit.port[0], None)
        if hit.wire is not None and hit.wire.wire is not None:
            wire = hit.wire.wire
            if press.adding:
                return None
            off = hit.wire.end_near(press.at, GRIP / view.zoom)
            if off is not None:
                return cls(view, press, wire.source if off else wire.target, not off, wire)
        return None

    def started(self) -> None:
        canvas = self.view.canvas
        canvas.show_reasons(self._reasons)
        self._item = self.view.temporary_wire()
        begin = canvas.nodes[self.fixed.node]
        self._item.mark(content=begin.contents.get((self.fixed_is_input, self.fixed.port), "any"))
        if self.taken is not None and self.taken in canvas.wires:
            canvas.wires[self.taken].setVisible(False)

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        canvas = self.view.canvas
        self.end, self.reason, place = self._target(at)
        start = canvas.nodes[self.fixed.node].port_place(self.fixed_is_input, self.fixed.port)
        tip = place if self.end is not None and place is not None else at
        if self._item is not None:
            self._item.route(forward(tip, start) if self.fixed_is_input else forward(start, tip))
        if self.reason:
            QToolTip.showText(event.globalPosition().toPoint(), self.reason, self.view.viewport())
        else:
            QToolTip.hideText()
        self.view.hint.emit(self.reason)

    def _target(self, at: QPointF) -> tuple[Pin | None, str, QPointF | None]:
        """The port that would be wired, or why the one under the pointer cannot be. On a node's body: its first fit."""
        canvas, wants_input = self.view.canvas, not self.fixed_is_input
        reach = SNAP / self.view.zoom
        hit = self.view.hit(at, 9)
        over = self._reasons.get(hit.node.key, {}) if hit.node is not None else {}
        if hit.port is not None and (reason := over.get(hit.port, "")):
            return None, reason, None
        near: tuple[float, NodeItem, str] | None = None
        for item in canvas.nodes.values():
            for is_input, places in ((True, item.shape_.inputs), (False, item.shape_.outputs)):
                for name in places:
                    apart = (item.port_place(is_input, name) - at).manhattanLength()
                    refused = self._reasons[item.key].get((is_input, name))
                    fits = refused is None and is_input == wants_input
                    if fits and apart < reach and (near is None or apart < near[0]):
                        near = (apart, item, name)
        if near is not None:
            _, item, name = near
            return Pin(item.key, name), "", item.port_place(wants_input, name)
        if hit.node is None or hit.port is not None:
            return None, "", None
        return self._first_fit(hit.node, over)

    def _first_fit(
        self, item: NodeItem, reasons: dict[tuple[bool, str], str]
    ) -> tuple[Pin | None, str, QPointF | None]:
        wants_input = not self.fixed_is_input
        if item.key == self.fixed.node:
            return None, "", None
        ports = item.look.inputs if wants_input else item.look.outputs
        fits = [p.name for p in ports if (wants_input, p.name) not in reasons]
        if not fits:
            why = next((reasons[wants_input, p.name] for p in ports), "")
            return None, why or f"{item.look.title} has no {'input' if wants_input else 'output'}", None
        fed = {w.target for w in self.view.canvas.wires if w != self.taken}
        name = next((n for n in fits if not wants_input or Pin(item.key, n) not in fed), fits[0])
        return Pin(item.key, name), "", item.port_place(wants_input, name)

    def finish(self, at: QPointF, event: QMouseEvent) -> None:
        self._clear()
        if not self.dragging:
            if self.press.hit.node is not None:
                self.view.select_node(self.press.hit.node.key, adding=self.press.adding)
            return
        commands = self.view.commands
        if self.end is not None:
            source, target = (self.end, self.fixed) if self.fixed_is_input else (self.fixed, self.end)
            commands.connect(source, target, instead_of=self.taken)
        elif self.reason:
            self.view.session.message.emit(self.reason[:1].upper() + self.reason[1:])
        elif self.taken is not None:
            commands.disconnect((self.taken,))
        elif self.view.hit(at, 1).node is None:
            self.view.open_quick_add(event.position().toPoint(), self.fixed, self.fixed_is_input)

    def cancel(self) -> None:
        self._clear()

    def _clear(self) -> None:
        canvas = self.view.canvas
        QToolTip.hideText()
        self.view.hint.emit("")
        canvas.show_reasons(None)
        if self._item is not None:
            canvas.removeItem(self._item)
            self._item = None
        if self.taken is not None and self.taken in canvas.wires:
            canvas.wires[self.taken].setVisible(True)
