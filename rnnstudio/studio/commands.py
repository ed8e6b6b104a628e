"""What menus, keys and gestures do to the drawing: each makes one edit, one step of the history."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QMimeData, QPointF, QRectF
from PySide6.QtWidgets import QApplication

from ..catalog.catalog import CELL
from ..catalog.node import Port
from ..compiler.check import late_inputs
from ..design import storage
from ..design.design import CellDefinition, Design, Frame, Node, Pin, Wire, frozen
from ..design.edits import (
    AddNode,
    Compound,
    Connect,
    Disconnect,
    Edit,
    MoveNodes,
    RemoveNodes,
    SetCell,
    SetFrames,
    SetVariable,
)
from ..design.errors import StudioError
from .canvas.frame_item import MARGIN, TITLE_HEIGHT
from .canvas.layout import Edge, tidy
from .canvas.look import look
from .canvas.shape import GRID, LABEL_SIZE, shape_of, text_width
from .offers import Offer, content_of, make, offer_ports, why_not
from .session import Session

CLIP = "application/x-rnnstudio-nodes"


class Commands:
    """Acts on the focused graph and the selection of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def _graph(self) -> str:
        return self.session.focus.graph

    # Adding

    def add(
        self,
        offer: Offer,
        at: QPointF,
        *,
        source: Pin | None = None,
        target: Pin | None = None,
        port: str = "",
        wire: Wire | None = None,
    ) -> str | None:
        """Add a node, and wire its `port` to `source` or `target`, or put it into `wire`. Returns the new node's id."""
        session, graph = self.session, self._graph
        node, edits = make(offer, session.catalog, session.design, graph, snap(at.x()), snap(at.y()))
        if source is not None:
            edits.append(Connect(Wire(source, Pin(node.id, port)), graph))
        if target is not None:
            edits.append(Connect(Wire(Pin(node.id, port), target), graph))
        if wire is not None:
            edits += self.into_wire(node.id, offer_ports(offer, session.catalog, session.design), wire) or []
        name = f"Add {offer.title}"
        if not session.do(Compound(tuple(edits), name) if len(edits) > 1 else edits[0]):
            return None
        session.focus.select((node.id,))
        return node.id

    def free_place(self, at: QPointF) -> QPointF:
        """`at`, or a place near it where no node stands yet."""
        taken = [(n.x, n.y) for n in self.session.design.graph_of(self._graph).nodes.values()]
        x, y = snap(at.x()), snap(at.y())
        while any(abs(x - a) < 30 and abs(y - b) < 30 for a, b in taken):
            x, y = x + 3 * GRID, y + 4 * GRID
        return QPointF(x, y)

    def into_wire(self, node: str, ports: tuple[tuple[Port, ...], tuple[Port, ...]], wire: Wire) -> list[Edit] | None:
        """Edits that put a node between a wire's ends; None when it has no fitting input and output."""
        graph = self._graph
        signal = self.session.checked.signals.get((graph, wire.source.node, wire.source.port))
        carried = content_of(signal, None)
        entry = next((p for p in ports[0] if not why_not(carried, p.content)), None)
        if entry is None or not ports[1]:
            return None
        exit_ = ports[1][0]
        return [
            Disconnect((wire,), graph),
            Connect(Wire(wire.source, Pin(node, entry.name)), graph),
            Connect(Wire(Pin(node, exit_.name), wire.target), graph),
        ]

    # Wires

    def connect(self, source: Pin, target: Pin, *, instead_of: Wire | None = None) -> bool:
        """Draw a wire; `instead_of` is one that was picked up and put down here."""
        wire = Wire(source, target)
        if instead_of is None or instead_of == wire:
            return self.session.do(Connect(wire, self._graph))
        edits = (Disconnect((instead_of,), self._graph), Connect(wire, self._graph))
        return self.session.do(Compound(edits, "Move wire"))

    def disconnect(self, wires: Iterable[Wire]) -> bool:
        return self.session.do(Disconnect(tuple(wires), self._graph))

    # Places

    def move(self, places: Mapping[str, QPointF], wire: Wire | None = None) -> bool:
        """Put nodes at places; a single one dropped on `wire` is spliced into it."""
        graph = self.session.design.graph_of(self._graph)
        now = {k: (graph.nodes[k].x, graph.nodes[k].y) for k in places}
        changed = {k: (p.x(), p.y()) for k, p in places.items() if now[k] != (p.x(), p.y())}
        if not changed:
            return False
        edit: Edit = MoveNodes(changed, self._graph)
        if wire is not None and len(places) == 1:
            key = next(iter(places))
            if (spliced := self.can_splice(key, wire)) is not None:
                edit = Compound((edit, *spliced), f"Insert {graph.nodes[key].label}")
        return self.session.do(edit)

    def can_splice(self, key: str, wire: Wire) -> list[Edit] | None:
        """Edits that put a node without wires into a wire; None when it has wires or does not fit."""
        design = self.session.design
        graph = design.graph_of(self._graph)
        if any(w.source.node == key or w.target.node == key for w in graph.wires):
            return None
        seen = look(graph.nodes[key], design, self.session.catalog)
        return self.into_wire(key, (seen.inputs, seen.outputs), wire)

    def nudge(self, dx: float, dy: float) -> None:
        graph = self.session.design.graph_of(self._graph)
        keys = self.session.focus.nodes
        if keys:
            places = {k: (graph.nodes[k].x + dx, graph.nodes[k].y + dy) for k in keys}
            self.session.do(MoveNodes(places, self._graph), merge=f"nudge {','.join(keys)}")

    def frame_of_selection(self) -> Frame | None:
        """The smallest frame around everything that is selected."""
        graph = self.session.design.graph_of(self._graph)
        places = [(graph.nodes[k].x, graph.nodes[k].y) for k in self.session.focus.nodes if k in graph.nodes]
        around = [
            f
            for f in graph.frames
            if places and all(f.x <= x <= f.x + f.width and f.y <= y <= f.y + f.height for x, y in places)
        ]
        return min(around, key=lambda f: f.width * f.height, default=None)

    def frame(self, title: str) -> bool:
        """Draw a frame around the selected nodes; where there is one, give it this title, or remove it without one."""
        session, name = self.session, self._graph
        graph = session.design.graph_of(name)
        title, there = title.strip(), self.frame_of_selection()
        others = tuple(f for f in graph.frames if f is not there)
        if there is not None:
            again = (dataclasses.replace(there, title=title),) if title else ()
            return session.do(SetFrames((*others, *again), name))
        nodes = [graph.nodes[k] for k in session.focus.nodes if k in graph.nodes]
        if not nodes or not title:
            return False
        area = QRectF()
        for node in nodes:
            shape = shape_of(look(node, session.design, session.catalog, graph.wires))
            area = area.united(shape.rect.translated(node.x, node.y))
        area.adjust(-MARGIN, -MARGIN - TITLE_HEIGHT, MARGIN, MARGIN)
        taken = {f.id for f in graph.frames}
        key = next(f"frame{i}" for i in range(1, len(taken) + 2) if f"frame{i}" not in taken)
        made = Frame(key, title, area.x(), area.y(), area.width(), area.height())
        return session.do(SetFrames((*graph.frames, made), name))

    def tidy(self) -> None:
        """Lay out the selected nodes, or all when fewer than two are selected."""
        session, name = self.session, self._graph
        design, catalog, signals = session.design, session.catalog, session.checked.signals
        graph = design.graph_of(name)
        keys = session.focus.nodes if len(session.focus.nodes) > 1 else tuple(graph.nodes)
        shapes = {k: shape_of(look(graph.nodes[k], design, catalog, graph.wires)) for k in keys}
        sizes = {
            k: (s.rect.width(), s.rect.height() + (18 if s.caption else 0) + (8 if graph.nodes[k].kind == CELL else 0))
            for k, s in shapes.items()
        }
        edges = []
        for wire in graph.wires:
            if wire.source.node in shapes and wire.target.node in shapes:
                out, into = shapes[wire.source.node].outputs, shapes[wire.target.node].inputs
                signal = signals.get((name, wire.source.node, wire.source.port))
                label = text_width(signal.text(), LABEL_SIZE) if signal is not None else 0.0
                dy = (out.get(wire.source.port, QPointF()).y(), into.get(wire.target.port, QPointF()).y())
                late = self._late(graph.nodes[wire.target.node], wire.target.port)
                edges.append(Edge(wire.source.node, wire.target.node, *dy, label, late))
        found = tidy(sizes, edges)
        if not found:
            return
        # The drawing stays where it was: the first node's corner is kept.
        left = min(graph.nodes[k].x - sizes[k][0] / 2 for k in keys) - min(found[k][0] - sizes[k][0] / 2 for k in keys)
        top = min(graph.nodes[k].y for k in keys) - min(y for _, y in found.values())
        places = {k: (snap(x + left), snap(y + top)) for k, (x, y) in found.items()}
        session.do(Compound((MoveNodes(places, name),), "Tidy"))

    def _late(self, node: Node, port: str) -> bool:
        design, catalog = self.session.design, self.session.catalog
        if node.kind == CELL:
            cell = design.cells.get(str(node.params.get("cell", "")))
            return cell is not None and port in late_inputs(cell, design, catalog)
        kind = catalog.of(node)
        return kind is not None and port in kind.late_ports

    # Selection

    def select_all(self) -> None:
        self.session.focus.select(self.session.design.graph_of(self._graph).nodes)

    def delete(self) -> None:
        focus = self.session.focus
        edits: list[Edit] = []
        if focus.nodes:
            edits.append(RemoveNodes(focus.nodes, self._graph))
        gone = set(focus.nodes)
        wires = tuple(w for w in focus.wires if w.source.node not in gone and w.target.node not in gone)
        if wires:
            edits.append(Disconnect(wires, self._graph))
        if edits:
            self.session.do(edits[0] if len(edits) == 1 else Compound(tuple(edits), "Delete"))

    # Clipboard

    def copy(self) -> bool:
        """The selected nodes with the wires between them, the cells they use and the variables, as a small design."""
        clip = self._clip()
        if clip is None:
            return False
        mime = QMimeData()
        text = storage.dumps(clip)
        mime.setData(CLIP, text.encode())
        mime.setText(text)
        QApplication.clipboard().setMimeData(mime)
        return True

    def _clip(self) -> Design | None:
        design = self.session.design
        graph = design.graph_of(self._graph)
        keys = set(self.session.focus.nodes)
        if not keys:
            return None
        nodes = {k: n for k, n in graph.nodes.items() if k in keys}
        inside = tuple(w for w in graph.wires if w.source.node in keys and w.target.node in keys)
        incoming = [[str(w.source), str(w.target)] for w in graph.wires if w.target.node in keys and w not in inside]
        return Design(
            name="clipboard",
            variables=design.variables,
            graph=graph.replace(nodes=frozen(nodes), wires=inside, frames=()),
            cells=frozen(_used_cells(design, nodes.values())),
            extra=frozen({"incoming": incoming}),
        )

    def cut(self) -> None:
        if self.copy():
            self.delete()

    def duplicate(self) -> None:
        clip = self._clip()
        if clip is not None:
            self._insert(clip, None, False, "Duplicate")

    def paste(self, at: QPointF | None = None, *, keep_incoming: bool = False) -> None:
        """Insert what was copied, around `at`, or beside where it came from. With its incoming wires where they fit."""
        mime = QApplication.clipboard().mimeData()
        if mime.hasFormat(CLIP):
            text = bytes(mime.data(CLIP).data()).decode()
        elif mime.text().lstrip().startswith("{"):
            text = mime.text()
        else:
            return
        try:
            clip = storage.loads(text, "clipboard")
        except StudioError as error:
            self.session.failed.emit(error)
            return
        self._insert(clip, at, keep_incoming, "Paste")

    def _insert(self, clip: Design, at: QPointF | None, keep_incoming: bool, name: str) -> None:
        design, graph_name = self.session.design, self._graph
        graph = design.graph_of(graph_name)
        if not clip.graph.nodes:
            return
        moved = self._shift(clip, at)
        names: dict[str, str] = {}
        edits: list[Edit] = [SetCell(cell) for key, cell in clip.cells.items() if key not in design.cells]
        edits += [SetVariable(key, value) for key, value in clip.variables.items() if key not in design.variables]
        taken = graph
        for node in clip.graph.nodes.values():
            fresh_name = node.id if node.id not in taken.nodes else node.id.rstrip("0123456789") or node.id
            names[node.id] = taken.free_id(fresh_name)
            fresh = node.replace(id=names[node.id], x=node.x + moved.x(), y=node.y + moved.y())
            taken = taken.replace(nodes={**taken.nodes, fresh.id: fresh})
            edits.append(AddNode(fresh, graph_name))

        def renamed(pin: Pin) -> Pin:
            return Pin(names[pin.node], pin.port)

        edits += [Connect(Wire(renamed(w.source), renamed(w.target)), graph_name) for w in clip.graph.wires]
        if keep_incoming:
            for source, target in clip.extra.get("incoming", ()):
                begin, end = Pin(*str(source).split(".", 1)), Pin(*str(target).split(".", 1))
                if begin.node in graph.nodes and end.node in names:
                    edits.append(Connect(Wire(begin, renamed(end)), graph_name))
        if self.session.do(Compound(tuple(edits), name)):
            self.session.focus.select(names.values())

    def _shift(self, clip: Design, at: QPointF | None) -> QPointF:
        xs, ys = [n.x for n in clip.graph.nodes.values()], [n.y for n in clip.graph.nodes.values()]
        if at is not None:
            return QPointF(snap(at.x() - (min(xs) + max(xs)) / 2), snap(at.y() - (min(ys) + max(ys)) / 2))
        places = {(n.x, n.y) for n in self.session.design.graph_of(self._graph).nodes.values()}
        shift = 4 * GRID
        while any((n.x + shift, n.y + shift) in places for n in clip.graph.nodes.values()):
            shift += 4 * GRID
        return QPointF(shift, shift)


def _used_cells(design: Design, nodes: Iterable[Node]) -> dict[str, CellDefinition]:
    """Definitions the nodes need, and those these need in turn."""
    found: dict[str, CellDefinition] = {}
    todo = list(nodes)
    while todo:
        node = todo.pop()
        name = str(node.params.get("cell", "")) if node.kind == CELL else ""
        if name in design.cells and name not in found:
            found[name] = design.cells[name]
            todo += design.cells[name].graph.nodes.values()
    return found


def snap(value: float) -> float:
    return round(value / GRID) * GRID
