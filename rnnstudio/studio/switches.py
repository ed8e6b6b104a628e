"""What is switched on and off of the selection: muted nodes, collapsed nodes, hidden wires. Each makes one edit.

All of it is part of the document: saved in the file, and undone like any edit.
"""

from __future__ import annotations

from collections.abc import Collection

from ..compiler.muting import is_muted, why_not_muted
from ..design.design import Graph, Wire
from ..design.edits import HideWires, SetCollapsed, SetMuted
from .canvas.look import look
from .session import Session


class Switches:
    """Acts on the selection of a session. What is partly on goes on as a whole first."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def _name(self) -> str:
        return self.session.focus.graph

    @property
    def _graph(self) -> Graph:
        return self.session.design.graph_of(self._name)

    def mute(self) -> bool:
        """Mute the selected nodes, or let them work again where all are muted; says why where one cannot be."""
        session, graph = self.session, self._graph
        nodes = [graph.nodes[key] for key in session.focus.nodes]
        if not nodes:
            session.message.emit("Select the nodes to mute")
            return False
        if all(is_muted(node) for node in nodes):
            return session.do(SetMuted(tuple(n.id for n in nodes), False, self._name))
        awake = [node for node in nodes if not is_muted(node)]
        reasons = {node.id: why_not_muted(node, graph, session.design, session.catalog) for node in awake}
        able = tuple(key for key, reason in reasons.items() if not reason)
        if refused := [reason for reason in reasons.values() if reason]:
            first = f"{refused[0][:1].upper()}{refused[0][1:]}"
            more = f", and {len(refused) - 1} more cannot be muted" if len(refused) > 1 else ""
            session.message.emit(f"{first}{more}")
        return bool(able) and session.do(SetMuted(able, True, self._name))

    def collapse(self) -> bool:
        """Fold the selected nodes to their titles, or unfold them where all are folded."""
        session, graph = self.session, self._graph
        boxes = [k for k in session.focus.nodes if self.folds(k)]
        if not boxes:
            why = "A node drawn as a symbol is as small as it gets" if session.focus.nodes else ""
            session.message.emit(why or "Select the nodes to collapse")
            return False
        folded = [key for key in boxes if graph.nodes[key].collapsed]
        value = len(folded) < len(boxes)
        changed = tuple(key for key in boxes if graph.nodes[key].collapsed != value)
        return session.do(SetCollapsed(changed, value, self._name))

    def folds(self, key: str) -> bool:
        """Whether a node is drawn as a box, which can be folded."""
        session, node = self.session, self._graph.nodes.get(key)
        return node is not None and not look(node, session.design, session.catalog, self._graph.wires).symbol

    def hide_wires(self) -> bool:
        """Draw the selected wires by their ends alone, or whole where all are hidden."""
        wires = self.wires_meant()
        if not wires:
            self.session.message.emit("Select the wires to hide, or the nodes whose wires are to be hidden")
            return False
        hidden = self._graph.hidden
        value = not hidden.issuperset(wires)
        changed = tuple(wire for wire in wires if (wire in hidden) != value)
        return self.session.do(HideWires(changed, value, self._name))

    def show_all_wires(self) -> bool:
        """Draw every hidden wire of the graph whole again."""
        hidden = tuple(wire for wire in self._graph.wires if wire in self._graph.hidden)
        return bool(hidden) and self.session.do(HideWires(hidden, False, self._name))

    def wires_meant(self) -> tuple[Wire, ...]:
        """The selected wires; where none is, all wires at the selected nodes."""
        focus = self.session.focus
        if focus.wires:
            return focus.wires
        keys: Collection[str] = set(focus.nodes)
        return tuple(w for w in self._graph.wires if w.source.node in keys or w.target.node in keys)
