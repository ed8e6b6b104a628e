"""Where things stand: nudged, tidied, aligned, distributed, and framed. Each makes one edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF

from ..catalog.catalog import CELL, Catalog
from ..compiler.check import Checked, late_inputs
from ..compiler.reach import reached
from ..design.design import Design, Frame, Node
from ..design.edits import Compound, Edit, MoveNodes, SetFrames
from .canvas.frame_item import MARGIN, TITLE_HEIGHT
from .canvas.layout import Edge, tidy
from .canvas.look import look
from .canvas.room import body_of, snap, with_room
from .canvas.shape import LABEL_SIZE, shape_of, text_width
from .session import Session


class Arrange:
    """Acts on the places of what is selected in the focused graph of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def _graph(self) -> str:
        return self.session.focus.graph

    def carried(self) -> tuple[tuple[str, ...], tuple[Frame, ...]]:
        """What moves when the selection does: its nodes and frames, with all that stands in those frames."""
        graph, focus = self.session.design.graph_of(self._graph), self.session.focus
        moved = [f for f in graph.frames if f.id in focus.frames]
        inside = [k for k, n in graph.nodes.items() if any(f.holds(n.x, n.y) for f in moved)]
        within = [f for f in graph.frames if f not in moved and any(_inside(f, outer) for outer in moved)]
        keys = dict.fromkeys((*(k for k in focus.nodes if k in graph.nodes), *inside))
        return tuple(keys), (*moved, *within)

    def nudge(self, dx: float, dy: float) -> None:
        graph, name = self.session.design.graph_of(self._graph), self._graph
        keys, frames = self.carried()
        edits: list[Edit] = []
        if keys:
            edits.append(MoveNodes({k: (graph.nodes[k].x + dx, graph.nodes[k].y + dy) for k in keys}, name))
        if frames:
            moved = {f.id: f.replace(x=f.x + dx, y=f.y + dy) for f in frames}
            edits.append(SetFrames(tuple(moved.get(f.id, f) for f in graph.frames), name))
        if edits:
            what = ",".join((*keys, *(f.id for f in frames)))
            self.session.do(edits[0] if len(edits) == 1 else Compound(tuple(edits), "Move"), merge=f"nudge {what}")

    def tidy(self) -> None:
        """Lay out the selected nodes, or all when fewer than two are selected."""
        session, name = self.session, self._graph
        graph = session.design.graph_of(name)
        keys = session.focus.nodes if len(session.focus.nodes) > 1 else tuple(graph.nodes)
        if keys:
            places = tidied(session.design, session.checked, session.catalog, name, keys)
            session.do(Compound(tuple(self._moved(places)), "Tidy"))

    def tidy_before(self) -> None:
        """Lay out the selected nodes and all that leads to them; the selected ones stay where they are."""
        self._tidy_part(backwards=True)

    def tidy_behind(self) -> None:
        """Lay out the selected nodes and all that they lead to; the selected ones stay where they are."""
        self._tidy_part(backwards=False)

    def _tidy_part(self, backwards: bool) -> None:
        session, name = self.session, self._graph
        graph, starts = session.design.graph_of(name), session.focus.nodes
        following: dict[str, list[str]] = {}
        for wire in graph.wires:
            if not _late(graph.nodes[wire.target.node], wire.target.port, session.design, session.catalog):
                begin, end = wire.source.node, wire.target.node
                following.setdefault(end if backwards else begin, []).append(begin if backwards else end)
        found = reached(starts, following)
        keys = tuple(key for key in graph.nodes if key in found)
        if not starts or len(keys) <= len(starts):
            where = "before" if backwards else "behind"
            session.message.emit(f"Nothing lies {where} what is selected" if starts else "Select a node first")
            return
        places = tidied(session.design, session.checked, session.catalog, name, keys, stay=starts[0])
        session.do(Compound(tuple(self._moved(places)), f"Tidy what lies {'before' if backwards else 'behind'}"))

    def _moved(self, places: Mapping[str, tuple[float, float]]) -> list[Edit]:
        """Nodes at new places; where others stand in their way these move aside."""
        edits: list[Edit] = [MoveNodes(places, self._graph)]
        whole = len(places) == len(self.session.design.graph_of(self._graph).nodes)
        return edits if whole else with_room(self.session, edits, places)

    def align(self, edge: str) -> bool:
        """Put the selected nodes on one line: by their "left", "middle", "right", "top", "centre" or "bottom"."""
        boxes = self._selected_boxes()
        if len(boxes) < 2:
            return False
        across = edge in ("left", "middle", "right")
        spans = {k: (r.left(), r.right()) if across else (r.top(), r.bottom()) for k, r in boxes.items()}
        lows, highs = [a for a, _ in spans.values()], [b for _, b in spans.values()]
        shifts: dict[str, tuple[float, float]] = {}
        for key, (low, high) in spans.items():
            if edge in ("left", "top"):
                by = min(lows) - low
            elif edge in ("right", "bottom"):
                by = max(highs) - high
            else:
                by = snap((sum(lows) + sum(highs)) / (2 * len(spans))) - (low + high) / 2
            shifts[key] = (by, 0.0) if across else (0.0, by)
        return self._shift_all(shifts, f"Align {edge}")

    def distribute(self, horizontally: bool) -> bool:
        """Make the gaps between the selected nodes equal; the outer two stay."""
        boxes = self._selected_boxes()
        if len(boxes) < 3:
            return False
        spans = {k: (r.left(), r.right()) if horizontally else (r.top(), r.bottom()) for k, r in boxes.items()}
        row = sorted(spans, key=lambda key: spans[key])
        room = max(b for _, b in spans.values()) - spans[row[0]][0] - sum(b - a for a, b in spans.values())
        place, gap = spans[row[0]][0], room / (len(row) - 1)
        shifts: dict[str, tuple[float, float]] = {}
        for key in row:
            low, high = spans[key]
            shifts[key] = (place - low, 0.0) if horizontally else (0.0, place - low)
            place += high - low + gap
        return self._shift_all(shifts, "Distribute")

    def _selected_boxes(self) -> dict[str, QRectF]:
        design = self.session.design
        graph = design.graph_of(self._graph)
        keys = [k for k in self.session.focus.nodes if k in graph.nodes]
        catalog = self.session.catalog
        shapes = {k: shape_of(look(graph.nodes[k], design, catalog, graph.wires)).rect for k in keys}
        return {k: shapes[k].translated(graph.nodes[k].x, graph.nodes[k].y) for k in keys}

    def _shift_all(self, shifts: Mapping[str, tuple[float, float]], name: str) -> bool:
        graph = self.session.design.graph_of(self._graph)
        places = {k: (graph.nodes[k].x + dx, graph.nodes[k].y + dy) for k, (dx, dy) in shifts.items() if dx or dy}
        return bool(places) and self.session.do(Compound((MoveNodes(places, self._graph),), name))

    def put_frame(self, frame: Frame, name: str) -> bool:
        """Change a frame that is there."""
        graph = self.session.design.graph_of(self._graph)
        frames = tuple(frame if f.id == frame.id else f for f in graph.frames)
        return frames != graph.frames and self.session.do(Compound((SetFrames(frames, self._graph),), name))

    def rename_frame(self, key: str, title: str) -> bool:
        frame = next(f for f in self.session.design.graph_of(self._graph).frames if f.id == key)
        return self.put_frame(frame.replace(title=title), "Rename frame")

    def frame(self, title: str = "Frame") -> str | None:
        """Draw a frame that fits around the selected nodes. Returns its id, None when nothing is selected."""
        session, name = self.session, self._graph
        graph = session.design.graph_of(name)
        boxes = self._selected_boxes()
        if not boxes:
            session.message.emit("Select the nodes to draw a frame around")
            return None
        area = QRectF()
        for key in boxes:
            area = area.united(body_of(graph.nodes[key], session.design, session.catalog, graph.wires))
        area.adjust(-MARGIN, -MARGIN - TITLE_HEIGHT, MARGIN, MARGIN)
        taken = {f.id for f in graph.frames}
        key = next(f"frame{i}" for i in range(1, len(taken) + 2) if f"frame{i}" not in taken)
        made = Frame(key, title, area.x(), area.y(), area.width(), area.height())
        if not session.do(Compound((SetFrames((*graph.frames, made), name),), "Frame")):
            return None
        session.focus.select((), (), (key,))
        return key


def tidied(
    design: Design, checked: Checked, catalog: Catalog, name: str, keys: Sequence[str], stay: str = ""
) -> dict[str, tuple[float, float]]:
    """Where these nodes of a graph stand in a tidy layout, as large as they are drawn. checked: of this design.

    stay: a node that keeps its place; without one the upper left corner of them all does.
    """
    signals = checked.signals
    graph = design.graph_of(name)
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
            late = _late(graph.nodes[wire.target.node], wire.target.port, design, catalog)
            edges.append(Edge(wire.source.node, wire.target.node, *dy, label, late))
    found = tidy(sizes, edges)
    if stay:
        right, down = graph.nodes[stay].x - found[stay][0], graph.nodes[stay].y - found[stay][1]
        return {k: (x + right, y + down) for k, (x, y) in found.items()}
    # The drawing stays where it was: the first node's corner is kept.
    left = min(graph.nodes[k].x - sizes[k][0] / 2 for k in keys) - min(found[k][0] - sizes[k][0] / 2 for k in keys)
    top = min(graph.nodes[k].y for k in keys) - min(y for _, y in found.values())
    return {k: (snap(x + left), snap(y + top)) for k, (x, y) in found.items()}


def _late(node: Node, port: str, design: Design, catalog: Catalog) -> bool:
    """Whether a wire to this input goes through time."""
    if node.kind == CELL:
        cell = design.cells.get(str(node.params.get("cell", "")))
        return cell is not None and port in late_inputs(cell, design, catalog)
    kind = catalog.of(node)
    return kind is not None and port in kind.late_ports


def _inside(frame: Frame, outer: Frame) -> bool:
    return outer.holds(frame.x, frame.y) and outer.holds(frame.x + frame.width, frame.y + frame.height)
