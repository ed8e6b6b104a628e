"""The searches that open on the canvas: for a node to add, to put in another's place, or to find."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QWidget

from ...design.design import Pin, Wire
from ..commands import Commands
from ..offers import Offer, fitting, nodes_of, offer_ports, offers
from ..session import Session
from .looking import Looking
from .quick_add import QuickAdd


class Searching(Looking):
    """One search at a time; what is chosen becomes an edit by the commands."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.commands = Commands(session)
        self.quick_add: QuickAdd | None = None

    def open_quick_add(self, where: QPoint, pin: Pin | None = None, is_input: bool = False) -> QuickAdd | None:
        """Search for a node to add at a point of the viewport; with `pin`, one that fits it, wired to it.

        A library cell takes none.
        """
        session = self.session
        if session.refuses():
            return None
        among = offers(session.catalog, session.design, session.focus.graph, session.own_cells.cells)
        ports: dict[str, str] = {}
        hint = ""
        if pin is not None:
            content = self.canvas.nodes[pin.node]
            here = next(p for p in (content.look.inputs if is_input else content.look.outputs) if p.name == pin.port)
            signal = self.canvas.signal_at(pin, is_input) if not is_input else None
            carried = self.canvas.content_at(pin, is_input)
            side = {"wanted": carried} if is_input else {"carried": carried}
            ports = {o.key: port for o, port in fitting(among, session.catalog, session.design, **side)}
            among = [o for o in among if o.key in ports]
            shape = signal.text() if signal is not None else here.content
            hint = f"What gives “{pin.port}” of {content.look.title} ({shape})" if is_input else f"What takes {shape}"
        place = self.at(where)
        popup = self.search(among, hint, where)
        popup.chosen.connect(lambda o: self._add_chosen(o, place, pin, is_input, ports.get(o.key, "")))
        return popup

    def open_quick_add_at_pointer(self) -> QuickAdd | None:
        """Search for a node to add where the mouse is, or in the middle of the view."""
        inside = self.viewport().rect().contains(self._pointer)
        return self.open_quick_add(self._pointer if inside else self.viewport().rect().center())

    def open_find(self) -> QuickAdd:
        """Search among the nodes that are there, in every cell; the one chosen is selected and shown."""
        places = nodes_of(self.session.catalog, self.session.design)
        popup = self.search(list(places), "Find a node", QPoint(self.viewport().width() // 2 - 140, 28))

        def chosen(offer: Offer) -> None:
            graph, key = places[offer]
            self.session.focus.show(graph, (key,))

        popup.chosen.connect(chosen)
        return popup

    def open_replace(self, key: str) -> QuickAdd | None:
        """Search for what shall stand in a node's place, its wires kept where they fit. Nothing in a library cell."""
        if self.session.refuses():
            return None
        item = self.canvas.nodes[key]
        session = self.session
        among = [
            o
            for o in offers(session.catalog, session.design, session.focus.graph, session.own_cells.cells)
            if self.commands.can_replace(key, o) and o.key != f"kind:{self.canvas.graph.nodes[key].kind}"
        ]
        place = self.viewportTransform().map(item.pos()).toPoint()
        popup = self.search(among, f"In the place of {item.look.title}", place)
        popup.chosen.connect(lambda offer: self.commands.replace(key, offer))
        return popup

    def search(self, among: list[Offer], hint: str, where: QPoint, **options: Any) -> QuickAdd:
        """Open a search among offers at a point of the viewport; one at a time."""
        if self.quick_add is not None:
            self.quick_add.dismiss()
        popup = QuickAdd(self, among, hint, where, **options)
        popup.closed.connect(lambda: self._quick_add_closed(popup))
        self.quick_add = popup
        return popup

    def _quick_add_closed(self, popup: QuickAdd) -> None:
        if self.quick_add is popup:  # else another one took its place
            self.quick_add = None
            self.setFocus()

    def _add_chosen(self, offer: Offer, place: QPointF, pin: Pin | None, is_input: bool, port: str) -> None:
        if pin is None:
            self.commands.add(offer, place, wire=self._splice_target(offer, place))
            return
        if is_input:
            self.commands.add(offer, place, target=pin, port=port)
        else:
            self.commands.add(offer, place, source=pin, port=port)

    def add_offer(self, offer: Offer, at: QPointF | None = None) -> str | None:
        """Add a node at a point of the scene, or in the middle of the view."""
        key = self.commands.add(offer, self.commands.free_place(offer, self.middle() if at is None else at))
        self.show_whole(key)
        self.setFocus()
        return key

    def _splice_target(
        self, offer: Offer, at: QPointF, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> Wire | None:
        """The wire that a drop at a point is put into. With Alt none."""
        item = self.canvas.wire_at(at)
        if item is None or item.wire is None or keys & Qt.KeyboardModifier.AltModifier:
            return None
        ports = offer_ports(offer, self.session.catalog, self.session.design)
        return item.wire if self.commands.into_wire("new", ports, item.wire) is not None else None
