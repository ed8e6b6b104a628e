"""The items of the graph that is shown. It follows the document and the check, and never changes either.

document → change → scene: nothing in here makes an edit. Gestures may preview a move or a wire; `settle` forgets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import is_

from PySide6.QtCore import QPointF, QRectF, QTimer
from PySide6.QtWidgets import QGraphicsScene

from ...catalog.catalog import CELL
from ...compiler.check import Checked
from ...compiler.contents import Contents
from ...compiler.diagnostics import Diagnostic
from ...compiler.lacking import MISSING
from ...design.design import Frame, Graph, Node, Pin, Wire
from ...design.history import Change, difference
from ...design.signals import Signal
from ..offers import content_of, why_not
from ..session import Session
from .finishing import Finishing
from .frame_item import FrameItem
from .look import look
from .node_item import NodeItem
from .routing import STUB, Obstacles, backward, forward, lane, leg, runs_back
from .shape import PORT
from .states import state_wires
from .wire_item import WireItem

LANES_AFTER_MS = 60
"""In a large drawing: how long after an edit the wires that it did not touch make way for it."""
COARSE = 48.0
"""How far below its ends a wire of a large drawing runs back while it is being moved."""
NODE, HELD = 2.0, 2.5
"""Heights of a node, and of one that is dragged: it passes over others."""
_RANK = {"": 0, MISSING: 1, "hint": 2, "warning": 3, "error": 4}


@dataclass(frozen=True)
class Hit:
    """What lies under the pointer: a port of a node, a node, a wire, a frame by its title or border, or nothing."""

    node: NodeItem | None = None
    port: tuple[bool, str] | None = None
    wire: WireItem | None = None
    frame: FrameItem | None = None
    edges: tuple[int, int] = (0, 0)
    """Of a frame: which of its edges are held (FrameItem.edges_at)."""

    @property
    def pin(self) -> Pin | None:
        return Pin(self.node.key, self.port[1]) if self.node is not None and self.port is not None else None


class CanvasScene(QGraphicsScene):
    """Items by node id and by wire, for the graph the session's focus names."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.session = session
        self.nodes: dict[str, NodeItem] = {}
        self.wires: dict[Wire, WireItem] = {}
        self.frames: dict[str, FrameItem] = {}
        self._shown = Graph()
        """The value of the graph that the items stand for."""
        self._sources: dict[Pin, Pin] = {}
        """What feeds each input, of the wires that are shown."""
        self._drawn: dict[str, tuple[object, ...]] = {}
        """Of each node: the signals its ports were last coloured by."""
        self.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self._route_timer = QTimer(self, singleShot=True, interval=0)
        self._lanes_timer = QTimer(self, singleShot=True, interval=LANES_AFTER_MS)
        self._lanes_timer.timeout.connect(self.route)
        self._moving: tuple[str, ...] = ()
        self.finishing = Finishing(self)
        self._hidden: frozenset[Wire] = frozenset()
        self._route_timer.timeout.connect(lambda: self.route(self._moving))
        session.designChanged.connect(self.follow)
        session.checkedChanged.connect(self.take)
        session.focus.trailChanged.connect(self.rebuild)
        session.focus.selectionChanged.connect(self.mark_selection)
        self.rebuild()

    @property
    def graph_name(self) -> str:
        return self.session.focus.graph

    @property
    def graph(self) -> Graph:
        return self.session.design.graph_of(self.graph_name)

    # Following the document

    def rebuild(self) -> None:
        """Show the focused graph from nothing."""
        for item in (*self.wires.values(), *self.nodes.values()):
            self.removeItem(item)
        self.wires.clear()
        self.nodes.clear()
        self._sources.clear()
        self._drawn.clear()
        graph = self._shown = self.graph
        self._show_frames(graph)
        for node in graph.nodes.values():
            self._add_node(node, graph)
        for wire in graph.wires:
            self._add_wire(wire)
        self._hidden = frozenset()
        self._mark_states(graph)
        self._hide_wires(graph)
        self.route()
        self.take(self.session.checked)
        self.mark_selection()

    def follow(self, change: Change) -> None:
        """Do what a change of the document did."""
        if change.edit is None:
            self.rebuild()
            return
        graph = self.graph
        # Not from the design before: where that took the cell away that was shown, another graph is shown anew already.
        found = difference(self._shown, graph)
        self._shown = graph
        for wire in found.wires_removed:
            if (item := self.wires.pop(wire, None)) is not None:
                self.removeItem(item)
            if self._sources.get(wire.target) == wire.source:
                del self._sources[wire.target]
        for node in found.removed:
            self._drawn.pop(node.id, None)
            if (gone := self.nodes.pop(node.id, None)) is not None:
                self.removeItem(gone)
        if found.frames_changed:
            self._show_frames(graph)
        for node in found.added:
            self._add_node(node, graph)
        for wire in found.wires_added:
            self._add_wire(wire)
        before, after = change.before, change.after
        everywhere = before.cells is not after.cells or before.variables is not after.variables
        everywhere = everywhere or before.data is not after.data
        touched = {w.source.node for w in (*found.wires_added, *found.wires_removed)}
        touched |= {w.target.node for w in (*found.wires_added, *found.wires_removed)}
        stale = graph.nodes.values() if everywhere else found.changed
        for node in (*stale, *(graph.nodes[k] for k in touched if k in graph.nodes)):
            self._refresh(node, graph)
        if found.added or found.removed or found.wires_added or found.wires_removed:
            self._mark_states(graph)
        self._hide_wires(graph)
        if everywhere or (not found.empty and self.session.small):
            self.route()
        elif not found.empty:
            self.route({*touched, *(n.id for n in (*found.added, *found.changed))})
            self._lanes_timer.start()
        self.mark_selection()

    def _mark_states(self, graph: Graph) -> None:
        is_state = state_wires(graph)
        for wire, item in self.wires.items():
            if item.state != is_state(wire):
                item.mark(state=not item.state)

    def _hide_wires(self, graph: Graph) -> None:
        """Tell the wires which of them are hidden, and what their ends say: titles may have changed."""
        for wire in self._hidden.union(graph.hidden):
            if wire in self.wires:
                hidden = wire in graph.hidden
                self.wires[wire].hide_as(hidden, self._names_at_ends(wire) if hidden else ("", ""))
        self._hidden = graph.hidden

    def _names_at_ends(self, wire: Wire) -> tuple[str, str]:
        """What a hidden wire's ends say: where it goes, and what comes."""
        source, target = self.nodes[wire.source.node].look, self.nodes[wire.target.node].look
        goes = target.title if len(target.inputs) == 1 else f"{target.title}.{wire.target.port}"
        comes = source.title if len(source.outputs) == 1 else f"{source.title}.{wire.source.port}"
        return f"→ {goes}", f"{comes} →"

    def _show_frames(self, graph: Graph) -> None:
        for item in self.frames.values():
            self.removeItem(item)
        self.frames = {frame.id: FrameItem(frame) for frame in graph.frames}
        for item in self.frames.values():
            self.addItem(item)

    def _add_node(self, node: Node, graph: Graph) -> None:
        item = NodeItem(node.id, look(node, self.session.design, self.session.catalog, graph.wires))
        item.setPos(node.x, node.y)
        if not self.session.small:  # moved or uncovered, it is not painted again
            item.setCacheMode(NodeItem.CacheMode.DeviceCoordinateCache)
        self.nodes[node.id] = item
        self.addItem(item)
        self._contents(item)

    def _refresh(self, node: Node, graph: Graph) -> None:
        item = self.nodes[node.id]
        item.take(look(node, self.session.design, self.session.catalog, graph.wires))
        item.setPos(node.x, node.y)
        self._contents(item)

    def _add_wire(self, wire: Wire) -> None:
        if wire.source.node in self.nodes and wire.target.node in self.nodes:
            item = WireItem(wire)
            self.wires[wire] = item
            self._sources[wire.target] = wire.source
            self.addItem(item)

    def settle(self) -> None:
        """Put everything where the document says: the end of a preview."""
        for key, node in self.graph.nodes.items():
            self.nodes[key].setPos(node.x, node.y)
            self.nodes[key].setZValue(NODE)
        for frame in self.graph.frames:
            self.frames[frame.id].preview(frame)
        self.route()

    def route(self, besides: Collection[str] | None = None) -> None:
        """Find the path of every wire. Those that run back go around the nodes, each on a lane of its own.

        With `besides`, only of the wires at those nodes: enough while they are dragged.
        """
        self._route_timer.stop()
        if besides is None:
            self._lanes_timer.stop()
        ways = self.finishing.finder() if besides is None else None
        taken: list[tuple[float, float, float]] = []
        turns: list[tuple[float, float, float]] = []
        back: list[tuple[float, WireItem, QPointF, QPointF]] = []
        onward: list[tuple[WireItem, QPointF, QPointF]] = []
        for wire, item in self.wires.items():
            if besides is not None and wire.source.node not in besides and wire.target.node not in besides:
                continue
            start = self.nodes[wire.source.node].port_place(False, wire.source.port)
            end = self.nodes[wire.target.node].port_place(True, wire.target.port)
            if runs_back(start, end):
                back.append((start.x() - end.x(), item, start, end))
            else:
                onward.append((item, start, end))
                if item.ends != (start, end):
                    item.route(forward(start, end))
            item.ends = (start, end)
        coarse = besides is not None and not self.session.small
        obstacles = Obstacles(item.body() for item in self.nodes.values()) if back and not coarse else Obstacles(())
        frames = [item.rect().adjusted(0, 0, 0, 8) for item in self.frames.values()]
        for _, item, start, end in sorted(back, key=lambda entry: entry[0]):
            if coarse:  # the way around the nodes is found at the end
                y = max(start.y(), end.y()) + COARSE
                item.route(backward(start, end, y, start.x() + STUB, end.x() - STUB))
                continue
            apart = [frame for frame in frames if not (frame.contains(start) or frame.contains(end))]
            y = lane(start, end, obstacles, taken, apart)
            left, right = end.x() - STUB, start.x() + STUB
            right = leg(right, start.y(), y, 1, obstacles, turns)
            left = leg(left, end.y(), y, -1, obstacles, turns)
            taken.append((left, right, y))
            turns += [(min(a.y(), y), max(a.y(), y), x) for a, x in ((start, right), (end, left))]
            path = backward(start, end, y, right, left)
            if ways is not None and item.wire is not None:
                path = ways.instead_of(path, start, end, (item.wire.source.node, item.wire.target.node))
            item.route(path)
        if ways is not None:
            self.finishing.ask(ways, onward)

    def preview_move(self, places: dict[str, QPointF], frames: Iterable[Frame] = ()) -> None:
        for key, place in places.items():
            if key in self.nodes:
                self.nodes[key].setPos(place)
                self.nodes[key].setZValue(HELD)
        for frame in frames:
            if frame.id in self.frames:
                self.frames[frame.id].preview(frame)
        self._moving = tuple(places)
        self.finishing.pause()
        self._route_timer.start()

    # Following the check

    def take(self, checked: Checked) -> None:
        """Write shapes on wires and mark what is wrong."""
        name, graph = self.graph_name, self.graph
        for item in self.nodes.values():
            self._contents(item, checked)
        worst: dict[str, str] = {}
        bad: dict[Wire, str] = {}
        quiet = self.session.quiet(checked)
        for d in self.diagnostics(checked):
            severity = self.session.severity(d, quiet)
            for key in d.nodes:
                if _RANK.get(severity, 1) > _RANK[worst.get(key, "")]:
                    worst[key] = severity
            for wire in d.wires:
                bad[wire] = severity
        inside = self._worst_inside(checked)
        for key, item in self.nodes.items():
            node = graph.nodes.get(key)
            within = inside.get(str(node.params.get("cell", "")), "") if node is not None and item.look.cell else ""
            item.mark(severity=max(worst.get(key, ""), within, key=lambda severity: _RANK[severity]))
        stale = False
        for wire, line in self.wires.items():
            signal = checked.signals.get((name, wire.source.node, wire.source.port))
            if line.signal is not signal:
                line.signal = signal
                line.mark(
                    content=content_of(signal, None),
                    text=signal.text() if signal is not None else "",
                    short=signal.content.text() if signal is not None else "",
                    middle=" × ".join((*signal.axes, signal.content.text())) if signal is not None else "",
                )
                stale = True
            line.mark(severity=bad.get(wire, ""))
        if stale:
            self.finishing.ask_labels()

    def _worst_inside(self, checked: Checked) -> dict[str, str]:
        """Cell → "error", "warning" or "missing" when its drawing, or that of a cell in it, has one."""
        worst: dict[str, str] = {}
        quiet = self.session.quiet(checked)
        for d in checked.diagnostics:
            severity = self.session.severity(d, quiet)
            if d.graph and severity != "hint" and _RANK.get(severity, 1) > _RANK[worst.get(d.graph, "")]:
                worst[d.graph] = severity
        grown = bool(worst)
        while grown:
            grown = False
            for name, cell in checked.design.cells.items():
                for node in cell.graph.nodes.values():
                    deeper = worst.get(str(node.params.get("cell", "")), "") if node.kind == CELL else ""
                    if _RANK[deeper] > _RANK[worst.get(name, "")]:
                        worst[name], grown = deeper, True
        return worst

    def diagnostics(self, checked: Checked | None = None) -> list[Diagnostic]:
        """Those of the graph that is shown."""
        found = (checked or self.session.checked).diagnostics
        return [d for d in found if d.graph == self.graph_name]

    def signal_at(self, pin: Pin, is_input: bool) -> Signal | None:
        """What a port carries: an input carries what its wire's source gives."""
        source = self._sources.get(pin) if is_input else pin
        if source is None:
            return None
        return self.session.checked.signals.get((self.graph_name, source.node, source.port))

    def _contents(self, item: NodeItem, checked: Checked | None = None) -> None:
        """Colour the ports by what they carry; at once where nothing of it changed."""
        signals = checked.signals if checked is not None else {}
        name, look = self.graph_name, item.look
        given = [signals.get((name, item.key, port.name)) for port in look.outputs]
        taken = [
            signals.get((name, source.node, source.port))
            if port.content == "any" and (source := self._sources.get(Pin(item.key, port.name))) is not None
            else None
            for port in look.inputs
        ]
        seen = (look, *given, *taken)
        if len(seen) == len(drawn := self._drawn.get(item.key, ())) and all(map(is_, seen, drawn)):
            return
        self._drawn[item.key] = seen
        outputs = {(False, port.name): content_of(s, port) for port, s in zip(look.outputs, given, strict=True)}
        inputs = {(True, port.name): content_of(s, port) for port, s in zip(look.inputs, taken, strict=True)}
        item.mark(contents={**inputs, **outputs})

    def content_at(self, pin: Pin, is_input: bool) -> str:
        """What a port takes or gives: by its signal, else, before sizes are known, by what it is wired to."""
        look = self.nodes[pin.node].look
        port = next((p for p in (look.inputs if is_input else look.outputs) if p.name == pin.port), None)
        if is_input:
            said = content_of(None, port)
        else:
            said = content_of(self.signal_at(pin, False), port)
        if said != "any":
            return said
        found = Contents(self.session.design.cells, self.session.catalog)
        return found.taken(self.graph, pin) if is_input else found.given(self.graph, pin)

    # Selection

    def mark_selection(self) -> None:
        focus = self.session.focus
        nodes, wires = set(focus.nodes), set(focus.wires)
        for item in self.nodes.values():
            if item.selected and item.key not in nodes:
                item.mark(selected=False)
        for line in self.wires.values():
            if line.selected and line.wire not in wires:
                line.mark(selected=False)
        for key in nodes & self.nodes.keys():
            self.nodes[key].mark(selected=True)
        for wire in wires:
            if wire in self.wires:
                self.wires[wire].mark(selected=True)
        for name, frame in self.frames.items():
            frame.mark(selected=name in focus.frames)

    # Finding things

    def hit(self, at: QPointF, reach: float, *, ports: bool = True) -> Hit:
        """What is at a point: a port within `reach`, else the upper node, else a wire, else a frame.

        The middle half of a node is always the node, however small it is on the screen; and a port of another node
        takes nothing away from one that lies under the point, but for its own disc. ports: whether any can be seen.
        """
        near = QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)
        close = [n for n in reversed(self.nodes.values()) if n.sceneBoundingRect().intersects(near)]
        body = next((item for item in close if item.contains_point(at)), None)
        best: tuple[float, NodeItem, tuple[bool, str]] | None = None
        for item in close if ports else ():
            within = reach
            if item is body:
                within = min(reach, item.shape_.rect.width() / 4)
            elif body is not None:
                within = min(reach, PORT + 1.5)
            found = item.port_near(at, within)
            if found is not None and (best is None or found[0] < best[0]):
                best = (found[0], item, found[1])
        if best is not None:
            return Hit(best[1], best[2])
        if body is not None:
            return Hit(body)
        wire = self.wire_at(at)
        if wire is not None:
            return Hit(wire=wire)
        for frame in sorted(self.frames.values(), key=lambda f: f.frame.width * f.frame.height):
            edges = frame.edges_at(at, min(reach / 2, 8.0))
            if edges is not None:
                return Hit(frame=frame, edges=edges)
        return Hit()

    def wire_at(self, at: QPointF, besides: Iterable[str] = ()) -> WireItem | None:
        """The wire under a point, not counting those of some nodes."""
        apart = set(besides)
        for wire, item in self.wires.items():
            if wire.source.node in apart or wire.target.node in apart:
                continue
            if item.boundingRect().contains(at) and item.shape().contains(at):
                return item
        return None

    def nodes_in(self, rect: QRectF) -> list[str]:
        return [k for k, n in self.nodes.items() if rect.intersects(n.shape_.rect.translated(n.pos()))]

    def frames_in(self, rect: QRectF) -> list[str]:
        """Frames that lie in a box as a whole: a box drawn inside one means what stands there."""
        return [k for k, f in self.frames.items() if rect.contains(f.rect())]

    def wires_in(self, rect: QRectF) -> list[Wire]:
        return [w for w, item in self.wires.items() if rect.contains(item.path.boundingRect())]

    def bounds(self, keys: Iterable[str] = ()) -> QRectF:
        """The rectangle around some nodes, or around everything; empty for an empty graph."""
        wanted = [self.nodes[k] for k in keys if k in self.nodes]
        rect = QRectF()
        for item in wanted or self.nodes.values():
            rect = rect.united(item.sceneBoundingRect())
        if not wanted:
            for line in self.wires.values():
                rect = rect.united(line.path.controlPointRect())
            for frame in self.frames.values():
                rect = rect.united(frame.boundingRect())
        return rect

    # While a wire is drawn

    def reasons(self, pin: Pin, is_input: bool) -> dict[str, dict[tuple[bool, str], str]]:
        """For a wire that begins at `pin`: node → port → why it cannot end there. Ports left out can take it."""
        begin = self.nodes[pin.node]
        carried = self.content_at(pin, is_input)
        found: dict[str, dict[tuple[bool, str], str]] = {}
        for key, item in self.nodes.items():
            reasons: dict[tuple[bool, str], str] = {}
            for port in item.look.inputs:
                if is_input:
                    reasons[True, port.name] = "" if key == pin.node and port.name == pin.port else _SAME[True]
                elif reason := why_not(carried, self.content_at(Pin(key, port.name), True)):
                    reasons[True, port.name] = f"“{port.name}” of {item.look.title} {reason}"
            for port in item.look.outputs:
                if not is_input:
                    reasons[False, port.name] = _SAME[False]
                    continue
                if reason := why_not(self.content_at(Pin(key, port.name), False), carried):
                    reasons[False, port.name] = f"“{pin.port}” of {begin.look.title} {reason}"
            found[key] = reasons
        return found

    def show_reasons(self, reasons: dict[str, dict[tuple[bool, str], str]] | None) -> None:
        for key, item in self.nodes.items():
            item.mark(refused=None if reasons is None else reasons.get(key, {}))


_SAME = {
    True: "an input is fed by an output, not by another input",
    False: "an output feeds inputs, not another output",
}
