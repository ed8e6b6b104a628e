"""Wiring without a mouse: choose a port of the selected node, then what it is wired with, by arrows or by its name.

Ports that fit come first; the others stand behind them with the reason why not. Esc leaves everything as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint

from ...catalog.node import Port
from ...design.design import Pin, Wire
from ..offers import Offer, content_of
from .quick_add import QuickAdd
from .routing import forward

if TYPE_CHECKING:
    from .node_item import NodeItem
    from .view import CanvasView
    from .wire_item import WireItem


@dataclass(frozen=True)
class End:
    """A port: which node's, and whether it is an input."""

    pin: Pin
    is_input: bool


class WireByKeys:
    """One wiring, from the first list to the end."""

    def __init__(self, view: CanvasView, key: str) -> None:
        self.view = view
        self.key = key
        self._ends: dict[str, End] = {}
        self._begin: End | None = None
        self._item: WireItem | None = None
        self._turning = False
        self.ask_port()

    # First: a port of this node

    def ask_port(self) -> None:
        node = self.view.canvas.nodes[self.key]
        offers = [
            *(self._offer(node, port, False, of_node=False) for port in node.look.outputs),
            *(self._offer(node, port, True, of_node=False) for port in node.look.inputs),
        ]
        if not offers:
            self.view.session.message.emit(f"{node.look.title} has no port")
            return
        popup = self._list(offers, f"Wire {node.look.title}: from which output, to which input?", {})
        popup.chosen.connect(self._port_chosen)
        popup.closed.connect(self._closed)

    def _port_chosen(self, offer: Offer) -> None:
        self._turning = True
        self.ask_other(self._ends[offer.key])

    # Then: the other end

    def ask_other(self, begin: End) -> None:
        canvas = self.view.canvas
        reasons = canvas.reasons(begin.pin, begin.is_input)
        canvas.show_reasons(reasons)
        self._begin = begin
        offers: list[Offer] = []
        refused: dict[str, str] = {}
        for item in canvas.nodes.values():
            for port in item.look.outputs if begin.is_input else item.look.inputs:
                offer = self._offer(item, port, not begin.is_input, of_node=True)
                offers.append(offer)
                if reason := reasons[item.key].get((not begin.is_input, port.name)):
                    refused[offer.key] = reason
        fed = {w.target for w in canvas.wires}
        offers.sort(key=lambda offer: self._rank(offer, fed))
        offers.append(Offer("new", "A new node…", "", "Search for a node that fits, wired to this port."))
        if begin.is_input and begin.pin in fed:
            offers.append(Offer("off", "No wire", "", "Take the wire off that is there."))
        what = "What feeds" if begin.is_input else "What takes"
        popup = self._list(offers, f"{what} “{begin.pin.port}” of {canvas.nodes[self.key].look.title}?", refused)
        popup.pointed.connect(self._show)
        popup.back.connect(self._again)
        popup.chosen.connect(self._end_chosen)
        popup.closed.connect(self._closed)
        popup.point()

    def _again(self) -> None:
        """Back to the ports of this node."""
        self._turning = True
        if self.view.quick_add is not None:
            self.view.quick_add.dismiss()
        self.ask_port()

    def _rank(self, offer: Offer, fed: set[Pin]) -> tuple[bool, bool, float]:
        """Other nodes first, of these what is free, of this what is near."""
        pin, nodes = self._ends[offer.key].pin, self.view.canvas.nodes
        by = nodes[pin.node].pos() - nodes[self.key].pos()
        return pin.node == self.key, pin in fed, by.manhattanLength()

    def _end_chosen(self, offer: Offer) -> None:
        begin = self._begin
        self._clear()
        assert begin is not None
        commands = self.view.commands
        if offer.key == "new":
            self._turning = True
            place = self.view.canvas.nodes[self.key].port_place(begin.is_input, begin.pin.port)
            aside = QPoint(-60 if begin.is_input else 60, 40)
            where = self.view.viewportTransform().map(place).toPoint() + aside
            self.view.open_quick_add(where, begin.pin, begin.is_input)
        elif offer.key == "off":
            commands.disconnect_port(begin.pin, True)
        else:
            end = self._ends[offer.key].pin
            source, target = (end, begin.pin) if begin.is_input else (begin.pin, end)
            if Wire(source, target) in self.view.canvas.wires:
                self.view.session.message.emit(f"{source} and {target} are wired already")
            else:
                commands.connect(source, target)

    # What is seen meanwhile

    def _show(self, offer: Offer | None) -> None:
        """Draw the wire that Enter would make."""
        self._unshow()
        end, begin = self._ends.get(offer.key) if offer is not None else None, self._begin
        if end is None or begin is None or end.is_input == begin.is_input:
            return
        nodes = self.view.canvas.nodes
        here = nodes[begin.pin.node].port_place(begin.is_input, begin.pin.port)
        there = nodes[end.pin.node].port_place(end.is_input, end.pin.port)
        self._item = self.view.temporary_wire()
        self._item.mark(content=nodes[begin.pin.node].contents.get((begin.is_input, begin.pin.port), "any"))
        self._item.route(forward(there, here) if begin.is_input else forward(here, there))

    def _unshow(self) -> None:
        if self._item is not None:
            self.view.canvas.removeItem(self._item)
            self._item = None

    def _closed(self) -> None:
        if not self._turning:
            self._clear()
        self._turning = False

    def _clear(self) -> None:
        self._unshow()
        self.view.canvas.show_reasons(None)

    # Lists

    def _list(self, offers: list[Offer], hint: str, refused: dict[str, str]) -> QuickAdd:
        item = self.view.canvas.nodes[self.key]
        at = self.view.viewportTransform().map(item.sceneBoundingRect().bottomLeft()).toPoint()
        return self.view.search(offers, hint, at + QPoint(0, 28), refused=refused, placeholder="Type a name…")

    def _offer(self, item: NodeItem, port: Port, is_input: bool, *, of_node: bool) -> Offer:
        pin = Pin(item.key, port.name)
        canvas = self.view.canvas
        signal = canvas.signal_at(pin, is_input)
        carries = signal.text() if signal is not None else content_of(None, port)
        wired = [w for w in canvas.wires if (w.target if is_input else w.source) == pin]
        others = ", ".join(str(w.source if is_input else w.target) for w in wired[:3])
        now = f"{'fed by' if is_input else 'feeds'} {others}" if wired else "free" if is_input else "feeds nothing yet"
        doc = f"{'takes' if is_input and signal is None else 'carries'} {carries} · {now}"
        title = (
            f"{item.look.title} · {port.name}" if of_node else f"{port.name}   ({'input' if is_input else 'output'})"
        )
        key = f"{'in' if is_input else 'out'}:{pin}"
        self._ends[key] = End(pin, is_input)
        words = (item.key, port.name, str(pin), *port.doc.split()[:4])
        return Offer(key, title, item.look.family, doc, symbol=item.look.symbol, words=words)
