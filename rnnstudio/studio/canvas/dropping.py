"""What is dragged from the palette onto the canvas: into a wire, in a node's place, or where it is let go."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from ...design.design import Wire
from ..offers import MIME, Offer, bound, find
from ..session import Session
from .node_item import NodeItem
from .searching import Searching
from .wire_item import WireItem


class Dropping(Searching):
    """What a drop would do lights up before it is done. Alt held: it goes into no wire and replaces nothing."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._offer_in(event) is not None:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        offer = self._offer_in(event)
        if offer is None:
            event.ignore()
            return
        at = self.at(event.position())
        replaced = self._replace_target(offer, at, event.modifiers())
        self.show_drop_target(None if replaced else self._splice_target(offer, at, event.modifiers()), replaced)
        event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.show_drop_target(None)

    def dropEvent(self, event: QDropEvent) -> None:
        offer = self._offer_in(event)
        self.show_drop_target(None)
        if offer is None:
            event.ignore()
            return
        at, keys = self.at(event.position()), event.modifiers()
        replaced = self._replace_target(offer, at, keys)
        if replaced is not None and offer.key.startswith("field:"):
            edit = bound(offer, self.canvas.graph.nodes[replaced], self.session.design)
            if edit is not None and self.session.do(edit):
                self.session.focus.select((replaced,))
        elif replaced is not None:
            self.show_whole(self.commands.replace(replaced, offer))
        else:
            self.show_whole(self.commands.add(offer, at, wire=self._splice_target(offer, at, keys)))
        self.setFocus()
        event.acceptProposedAction()

    def show_drop_target(self, wire: Wire | None, node: str | None = None) -> None:
        """Light up the wire a node would be put into, or the node it would replace."""
        items: tuple[WireItem | NodeItem, ...] = (*self.canvas.wires.values(), *self.canvas.nodes.values())
        for item in items:
            if item.target_of_drop:
                item.mark(target_of_drop=False)
        if wire is not None and wire in self.canvas.wires:
            self.canvas.wires[wire].mark(target_of_drop=True)
        if node is not None and node in self.canvas.nodes:
            self.canvas.nodes[node].mark(target_of_drop=True)

    def _offer_in(self, event: QDropEvent) -> Offer | None:
        if not event.mimeData().hasFormat(MIME):
            return None
        key = bytes(event.mimeData().data(MIME).data()).decode()
        session = self.session
        return find(key, session.catalog, session.design, session.focus.graph, session.own_cells.cells)

    def _replace_target(self, offer: Offer, at: QPointF, keys: Qt.KeyboardModifier) -> str | None:
        """The node that a drop at a point replaces: one that lies there and whose wires all find a port. Alt: none."""
        node = self.canvas.hit(at, 1.0, ports=False).node
        if node is None or keys & Qt.KeyboardModifier.AltModifier:
            return None
        if offer.key.startswith("field:"):  # a field is bound to a node that reads the data, and replaces none
            there = self.canvas.graph.nodes.get(node.key)
            fits = there is not None and bound(offer, there, self.session.design) is not None
            return node.key if fits else None
        return node.key if self.commands.can_replace(node.key, offer, whole=True) else None
