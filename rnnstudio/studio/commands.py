"""What menus, keys and gestures do to the drawing: each makes one edit, one step of the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QPointF
from PySide6.QtWidgets import QApplication

from ..catalog.catalog import CELL, REROUTE
from ..catalog.node import Port
from ..design import storage
from ..design.bringing import bring, bring_variables, node_renamed, variables_read
from ..design.cell_file import load_cells
from ..design.design import MAIN, CellDefinition, Design, Frame, Graph, Node, Pin, Wire, frozen
from ..design.edits import (
    AddNode,
    Compound,
    Connect,
    Disconnect,
    Edit,
    HideWires,
    MoveNodes,
    RemoveNodes,
    RenameNode,
    SetCell,
    SetFrames,
    SetTitle,
    SetVariable,
)
from ..design.errors import StudioError
from ..design.grouping import RenameCell
from .arrange import Arrange
from .canvas.look import look
from .canvas.room import body_of, free_shift, snap, with_room
from .canvas.shape import GRID, shape_of
from .cell_commands import CellCommands
from .offers import OWN, Offer, cell_of, content_of, make, offer_ports, why_not
from .session import Session
from .switches import Switches

CLIP = "application/x-rnnstudio-nodes"


class Commands:
    """Acts on the focused graph and the selection of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.arrange = Arrange(session)
        self.cells = CellCommands(session)
        self.switches = Switches(session)

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
        """Add a node, and wire its `port` to `source` or `target`, or put it into `wire`. Returns the new node's id.

        It stands with its middle at `at`, or with its `port` there when one is given; neighbours make room for it.
        """
        session, graph = self.session, self._graph
        settled = None if session.refuses() else self.cells.settle(offer)
        if settled is None:
            return None
        offer = settled
        node, edits = make(offer, session.catalog, session.design, graph, snap(at.x()), snap(at.y()))
        if port:
            node, edits = self._port_at(node, edits, port, target is None, at)
        if source is not None:
            edits.append(Connect(Wire(source, Pin(node.id, port)), graph))
        if target is not None:
            edits.append(Connect(Wire(Pin(node.id, port), target), graph))
        if wire is not None:
            edits += self.into_wire(node.id, offer_ports(offer, session.catalog, session.design), wire) or []
        name = f"Add {offer.title}"
        edits = with_room(self.session, edits, (node.id,), in_line=wire is not None)
        if not session.do(Compound(tuple(edits), name) if len(edits) > 1 else edits[0]):
            return None
        session.focus.select((node.id,))
        self._tell_room(edits)
        return node.id

    def _tell_room(self, edits: Iterable[Edit]) -> None:
        """Say which cells changed here got another name, for the library's of theirs."""
        moved = [f"your “{e.name}” is called “{e.new}” now" for e in edits if isinstance(e, RenameCell)]
        if moved:
            self.session.message.emit(f"{', '.join(moved)}: the library's cell has its name")

    def _port_at(
        self, node: Node, edits: list[Edit], port: str, is_input: bool, at: QPointF
    ) -> tuple[Node, list[Edit]]:
        """The new node moved so that its port lies at a point."""
        design = Compound(tuple(edits)).apply(self.session.design)
        shape = shape_of(look(node, design, self.session.catalog))
        places = shape.inputs if is_input else shape.outputs
        offset = places.get(port, QPointF())
        moved = node.replace(x=snap(at.x() - offset.x()), y=snap(at.y() - offset.y()))
        return moved, [AddNode(moved, e.graph) if isinstance(e, AddNode) else e for e in edits]

    def free_place(self, offer: Offer, at: QPointF) -> QPointF:
        """`at`, or the next place near it where a node for the offer lies on nothing."""
        session = self.session
        node, edits = make(offer, session.catalog, session.design, self._graph, snap(at.x()), snap(at.y()))
        design = Compound(tuple(edits)).apply(session.design)
        graph = design.graph_of(self._graph)
        boxes = {k: body_of(n, design, session.catalog, graph.wires) for k, n in graph.nodes.items()}
        new = boxes.pop(node.id)
        return QPointF(node.x, node.y) + free_shift([new], list(boxes.values()), QPointF())

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
        wires = tuple(wires)
        return bool(wires) and self.session.do(Disconnect(wires, self._graph))

    def disconnect_port(self, pin: Pin, is_input: bool) -> bool:
        """Break all wires at a port."""
        wires = self.session.design.graph_of(self._graph).wires
        return self.disconnect(w for w in wires if (w.target if is_input else w.source) == pin)

    def disconnect_selected(self) -> bool:
        """Break all wires between the selected nodes and others."""
        keys = set(self.session.focus.nodes)
        wires = self.session.design.graph_of(self._graph).wires
        return self.disconnect(w for w in wires if (w.source.node in keys) != (w.target.node in keys))

    def reroute(self, crossed: Mapping[Wire, QPointF]) -> bool:
        """Put a reroute point into wires, where each was crossed; wires of one source share theirs."""
        session, name = self.session, self._graph
        graph = session.design.graph_of(name)
        taken = graph
        edits: list[Edit] = []
        made: list[str] = []
        for source in dict.fromkeys(wire.source for wire in crossed):
            wires = [wire for wire in crossed if wire.source == source]
            x = sum(crossed[w].x() for w in wires) / len(wires)
            y = sum(crossed[w].y() for w in wires) / len(wires)
            node = Node(taken.free_id("reroute"), REROUTE, x=snap(x), y=snap(y))
            taken = taken.replace(nodes={**taken.nodes, node.id: node})
            made.append(node.id)
            edits += [Disconnect(tuple(wires), name), AddNode(node, name)]
            edits.append(Connect(Wire(source, Pin(node.id, "input")), name))
            edits += [Connect(Wire(Pin(node.id, "out"), wire.target), name) for wire in wires]
        done = session.do(Compound(tuple(edits), "Reroute"))
        if done:
            session.focus.select(made)
        return done

    # Names, and what stands where

    def rename(self, key: str, text: str) -> bool:
        """Call a node `text`: its name where that can be one, which names its parameters too; else what it shows."""
        session, graph = self.session, self._graph
        node = session.design.graph_of(graph).nodes[key]
        if text == (node.title or node.id):
            return False
        if not text.isidentifier() or text.startswith("_"):
            return session.do(SetTitle(key, text, graph))
        edits: list[Edit] = [SetTitle(key, "", graph)] if node.title else []
        if text != key:
            edits.append(RenameNode(key, text, graph))
        done = session.do(edits[0] if len(edits) == 1 else Compound(tuple(edits), f"Rename {key} to {text}"))
        if done:
            session.focus.select((text,))
        return done

    def can_replace(self, key: str, offer: Offer, *, whole: bool = False) -> bool:
        """Whether a node for `offer` could take over some wire of a node; whole: all of them, and there are any."""
        session = self.session
        wires = [w for w in session.design.graph_of(self._graph).wires if key in (w.source.node, w.target.node)]
        kept = self._kept_wires(key, "new", offer_ports(offer, session.catalog, session.design))
        return len(kept) == len(wires) > 0 if whole else bool(kept) or not wires

    def replace(self, key: str, offer: Offer) -> str | None:
        """Put a new node in a node's place. Its wires are kept where they fit, parameters that both have as well."""
        session, graph = self.session, self._graph
        settled = None if session.refuses() else self.cells.settle(offer)
        if settled is None:
            return None
        offer = settled
        old = session.design.graph_of(graph).nodes[key]
        node, edits = make(offer, session.catalog, session.design, graph, old.x, old.y)
        ports = offer_ports(offer, session.catalog, session.design)
        known = self._param_names(offer)
        kept = {name: value for name, value in old.params.items() if name in known and name != CELL}
        node = node.replace(params=frozen({**node.params, **kept}))
        edits = [AddNode(node, e.graph) if isinstance(e, AddNode) else e for e in edits]
        edits.append(RemoveNodes((key,), graph))
        edits += [Connect(wire, graph) for wire in self._kept_wires(key, node.id, ports)]
        edits = with_room(self.session, edits, (node.id,))
        if not session.do(Compound(tuple(edits), f"Replace {old.label} with {offer.title}")):
            return None
        session.focus.select((node.id,))
        self._tell_room(edits)
        return node.id

    def _param_names(self, offer: Offer) -> set[str]:
        catalog, design = self.session.catalog, self.session.design
        if (cell := cell_of(offer, catalog, design)) is not None:
            return set(cell.params)
        return {p.name for p in catalog.kinds[offer.name].params}

    def _kept_wires(self, key: str, new: str, ports: tuple[tuple[Port, ...], tuple[Port, ...]]) -> list[Wire]:
        """A node's wires, as they go to a new node: to the port of the same name, else to the first that is free."""
        graph, signals = self.session.design.graph_of(self._graph), self.session.checked.signals
        kinds = {p.name: content_of(signals.get((self._graph, key, p.name)), p) for p in self._outputs(key)}
        found: list[Wire] = []
        fed: set[str] = set()
        given: dict[str, str] = {}
        entering = [w for w in graph.wires if w.target.node == key and w.source.node != key]
        named = {p.name for p in ports[0]}
        for wire in sorted(entering, key=lambda w: w.target.port not in named):
            carried = content_of(signals.get((self._graph, wire.source.node, wire.source.port)), None)
            fits = [p.name for p in ports[0] if p.name not in fed and not why_not(carried, p.content)]
            if fits:
                port = wire.target.port if wire.target.port in fits else fits[0]
                fed.add(port)
                found.append(Wire(wire.source, Pin(new, port)))
        for wire in graph.wires:
            if wire.source.node == key and wire.target.node != key:
                carried = kinds.get(wire.source.port, "any")
                fits = [p.name for p in ports[1] if not why_not(p.content, carried)]
                same = wire.source.port if wire.source.port in fits else next(iter(fits), "")
                if port := given.setdefault(wire.source.port, same):
                    found.append(Wire(Pin(new, port), wire.target))
        return found

    def _outputs(self, key: str) -> tuple[Port, ...]:
        node = self.session.design.graph_of(self._graph).nodes[key]
        return look(node, self.session.design, self.session.catalog).outputs

    # Places

    def move(self, places: Mapping[str, QPointF], wire: Wire | None = None, frames: Sequence[Frame] = ()) -> bool:
        """Put nodes and frames at places; a single node dropped on `wire` is spliced into it."""
        graph = self.session.design.graph_of(self._graph)
        now = {k: (graph.nodes[k].x, graph.nodes[k].y) for k in places}
        changed = {k: (p.x(), p.y()) for k, p in places.items() if now[k] != (p.x(), p.y())}
        moved = {f.id: f for f in frames}
        after = tuple(moved.get(f.id, f) for f in graph.frames)
        edits: list[Edit] = [MoveNodes(changed, self._graph)] if changed else []
        if after != graph.frames:
            edits.append(SetFrames(after, self._graph))
        if not edits:
            return False
        edit: Edit = Compound(tuple(edits), "Move") if len(edits) > 1 else edits[0]
        if wire is not None and len(places) == 1:
            key = next(iter(places))
            if (spliced := self.can_splice(key, wire)) is not None:
                edits = with_room(self.session, [edit, *spliced], (key,), in_line=True)
                edit = Compound(tuple(edits), f"Insert {graph.nodes[key].label}")
        return self.session.do(edit)

    def can_splice(self, key: str, wire: Wire) -> list[Edit] | None:
        """Edits that put a node without wires into a wire; None when it has wires or does not fit."""
        design = self.session.design
        graph = design.graph_of(self._graph)
        if any(w.source.node == key or w.target.node == key for w in graph.wires):
            return None
        seen = look(graph.nodes[key], design, self.session.catalog)
        return self.into_wire(key, (seen.inputs, seen.outputs), wire)

    # Selection

    def select_all(self) -> None:
        graph = self.session.design.graph_of(self._graph)
        self.session.focus.select(graph.nodes, (), [frame.id for frame in graph.frames])

    def delete(self) -> None:
        focus = self.session.focus
        edits: list[Edit] = []
        if focus.frames:
            kept = tuple(f for f in self.session.design.graph_of(self._graph).frames if f.id not in focus.frames)
            edits.append(SetFrames(kept, self._graph))
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
        frames = tuple(f for f in graph.frames if f.id in self.session.focus.frames)
        incoming = [[str(w.source), str(w.target)] for w in graph.wires if w.target.node in keys and w not in inside]
        read = variables_read(Graph(nodes))
        return Design(
            name="clipboard",
            variables=frozen({k: v for k, v in _scope(design, self._graph).items() if k in read}),
            graph=graph.replace(nodes=frozen(nodes), wires=inside, frames=frames),
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
        mime: QMimeData | None = QApplication.clipboard().mimeData()
        if mime is None:  # of an empty clipboard, on some desktops
            return
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
        brought = bring(clip.cells, design)
        wanted = {key: value for key, value in clip.variables.items() if key in variables_read(clip.graph)}
        added, variables = bring_variables(wanted, _scope(design, graph_name))
        edits: list[Edit] = [*brought.edits]
        if graph_name == MAIN:
            edits += [SetVariable(key, value) for key, value in added.items()]
        elif added:
            cell = design.cells[graph_name]
            edits.append(SetCell(cell.replace(params=frozen({**cell.params, **added}))))
        taken = graph
        for node in clip.graph.nodes.values():
            fresh_name = node.id if node.id not in taken.nodes else node.id.rstrip("0123456789") or node.id
            names[node.id] = taken.free_id(fresh_name)
            fresh = node_renamed(node, brought.renamed, variables)
            fresh = fresh.replace(id=names[node.id], x=node.x + moved.x(), y=node.y + moved.y())
            taken = taken.replace(nodes={**taken.nodes, fresh.id: fresh})
            edits.append(AddNode(fresh, graph_name))

        def renamed(pin: Pin) -> Pin:
            return Pin(names[pin.node], pin.port)

        edits += [Connect(Wire(renamed(w.source), renamed(w.target)), graph_name) for w in clip.graph.wires]
        if hidden := tuple(Wire(renamed(w.source), renamed(w.target)) for w in clip.graph.hidden):
            edits.append(HideWires(hidden, True, graph_name))
        if keep_incoming:
            for source, target in clip.extra.get("incoming", ()):
                begin, end = Pin(*str(source).split(".", 1)), Pin(*str(target).split(".", 1))
                if begin.node in graph.nodes and end.node in names:
                    edits.append(Connect(Wire(begin, renamed(end)), graph_name))
        frames = _renamed_frames(clip.graph.frames, {f.id for f in graph.frames}, moved)
        if frames:
            edits.append(SetFrames((*graph.frames, *frames), graph_name))
        if self.session.do(Compound(tuple(edits), name)):
            self.session.focus.select(names.values(), (), [f.id for f in frames])
            if told := [f"“{old}” came as “{new}”" for old, new in {**brought.renamed, **variables}.items()]:
                self.session.message.emit(f"{', '.join(told)}: the design has another of that name")

    def bring_cell(self, file: Path, at: QPointF) -> None:
        """Put a node of a cell file's cell at a place. Where the design has another cell of its name, it is asked."""
        try:
            first, *inner = load_cells(file)
        except StudioError as error:
            self.session.failed.emit(error)
            return
        cells = {c.name: c for c in (first, *inner)}
        self.add(Offer(f"own:{first.name}", first.name, "Cells", section=OWN, cells=cells), at)

    def _shift(self, clip: Design, at: QPointF | None) -> QPointF:
        """How far pasted nodes are moved: to the pointer, or a little aside, and on until they lie on nothing."""
        xs, ys = [n.x for n in clip.graph.nodes.values()], [n.y for n in clip.graph.nodes.values()]
        wanted = QPointF(4 * GRID, 4 * GRID)
        if at is not None:
            wanted = QPointF(snap(at.x() - (min(xs) + max(xs)) / 2), snap(at.y() - (min(ys) + max(ys)) / 2))
        design, catalog = self.session.design, self.session.catalog
        graph = design.graph_of(self._graph)
        there = [body_of(n, design, catalog, graph.wires) for n in graph.nodes.values()]
        known = design.replace(cells=frozen({**clip.cells, **design.cells}))
        new = [body_of(n, known, catalog, clip.graph.wires) for n in clip.graph.nodes.values()]
        return free_shift(new, there, wanted)


def _renamed_frames(frames: Iterable[Frame], taken: set[str], by: QPointF) -> list[Frame]:
    """Copies of frames, moved, each with an id of its own."""
    found: list[Frame] = []
    for frame in frames:
        key = next(f"frame{i}" for i in range(1, len(taken) + 2) if f"frame{i}" not in taken)
        taken.add(key)
        found.append(frame.replace(id=key, x=frame.x + by.x(), y=frame.y + by.y()))
    return found


def _scope(design: Design, graph: str) -> Mapping[str, float | int]:
    """The variables that nodes of a graph read: the design's, or the numbers among the cell's own."""
    if graph == MAIN:
        return design.variables
    return {
        key: value
        for key, value in design.cells[graph].params.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


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
