"""Room for what is added: neighbours move aside, and what is pasted finds a free place. Nothing lands on something."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import ceil

from PySide6.QtCore import QPointF, QRectF

from ...catalog.catalog import Catalog
from ...design.design import MAIN, Design, Node, Pin, Wire
from ...design.edits import Compound, Edit, MoveNodes
from ...design.errors import StudioError
from ..session import Session
from .look import look
from .shape import GRID, shape_of

GAP = 3 * GRID
"""What is left free between a new node and its neighbours."""
CAPTION = 16.0


def body_of(node: Node, design: Design, catalog: Catalog, wires: Iterable[Wire] = ()) -> QRectF:
    """The rectangle a node takes up, its caption included, in scene units."""
    shape = shape_of(look(node, design, catalog, wires))
    rect = shape.rect.translated(node.x, node.y)
    return rect.adjusted(0, 0, 0, CAPTION) if shape.caption else rect


def make_room(boxes: Mapping[str, QRectF], new: Collection[str]) -> dict[str, tuple[float, float]]:
    """How far others move so that the `new` ones lie free: node → (dx, dy). The new ones stay where the hand put them.

    What lies on a new node or too near to it, by its middle to the right, moves right with all that stands right of it
    in its rows, so that the order of a drawing stays; what lies left of it moves left likewise.
    """
    shifts: dict[str, tuple[float, float]] = {}
    now = dict(boxes)
    for key in new:
        box = now[key].adjusted(-GAP, -GRID / 2, GAP, GRID / 2)
        others = {k: r for k, r in now.items() if k not in new}
        touched = {k: r for k, r in others.items() if r.intersects(box)}
        middle = now[key].center().x()
        right = [r for r in touched.values() if r.center().x() >= middle]
        left = [r for r in touched.values() if r.center().x() < middle]
        by_right = _steps(max((box.right() - r.left() for r in right), default=0.0))
        by_left = _steps(max((r.right() - box.left() for r in left), default=0.0))
        for k, r in others.items():
            by = 0.0
            if by_right and r.center().x() >= middle and (k in touched or r.left() >= min(x.left() for x in right)):
                by = by_right
            elif by_left and r.center().x() < middle and (k in touched or r.right() <= max(x.right() for x in left)):
                by = -by_left
            if by:
                before = shifts.get(k, (0.0, 0.0))
                shifts[k] = (before[0] + by, before[1])
                now[k] = r.translated(by, 0.0)
    return shifts


def with_room(
    session: Session, edits: list[Edit], new: Collection[str], graph: str | None = None, *, in_line: bool = False
) -> list[Edit]:
    """Edits that put `new` nodes into a graph (the focused one), and one more that moves others aside for them.

    in_line: the new ones move too, up or down, so that the port by which they are fed stands on its source's line.
    """
    name = session.focus.graph if graph is None else graph
    design = Compound(tuple(edits)).apply(session.design)
    places: dict[str, tuple[float, float]] = {}
    if in_line:
        places = _in_line(design, session.catalog, name, new)
        design = MoveNodes(places, name).apply(design)
    drawn = design.graph_of(name)
    boxes = {k: body_of(n, design, session.catalog, drawn.wires) for k, n in drawn.nodes.items()}
    shifted = make_room(boxes, new)
    places |= {k: (drawn.nodes[k].x + dx, drawn.nodes[k].y + dy) for k, (dx, dy) in shifted.items()}
    return [*edits, MoveNodes(places, name)] if places else edits


def do_with_room(session: Session, edit: Edit) -> bool:
    """Make an edit that somebody else thought of, such as a fix: what it adds stands in line and lies on nothing."""
    before = session.design
    try:
        after = edit.apply(before)
    except StudioError as error:
        session.failed.emit(error)
        return False
    edits: list[Edit] = [edit]
    for name in (MAIN, *(cell for cell in after.cells if cell in before.cells)):
        new = [key for key in after.graph_of(name).nodes if key not in before.graph_of(name).nodes]
        if new:
            edits = with_room(session, edits, new, name, in_line=True)
    return session.do(edit if len(edits) == 1 else Compound(tuple(edits), edit.title))


def _in_line(design: Design, catalog: Catalog, name: str, new: Collection[str]) -> dict[str, tuple[float, float]]:
    """Where new nodes stand so that a wire at each is straight: from what feeds it, else to what it feeds."""
    graph = design.graph_of(name)
    nodes = dict(graph.nodes)

    def height(pin: Pin, is_input: bool) -> float:
        shape = shape_of(look(graph.nodes[pin.node], design, catalog, graph.wires))
        place = (shape.inputs if is_input else shape.outputs).get(pin.port, QPointF())
        return nodes[pin.node].y + place.y()

    found: dict[str, tuple[float, float]] = {}
    for key in new:
        node = nodes[key]
        fed = [w for w in graph.wires if w.target.node == key and w.source.node not in (key, *set(new) - set(found))]
        feeds = [w for w in graph.wires if w.source.node == key and w.target.node not in new]
        for wire in (*fed, *feeds):
            if nodes[wire.source.node].x < nodes[wire.target.node].x:  # a wire that runs back goes its own way
                by = height(wire.source, False) - height(wire.target, True)
                node = node.replace(y=node.y + (by if wire.target.node == key else -by))
                break
        nodes[key] = node
        if node.y != graph.nodes[key].y:
            found[key] = (node.x, node.y)
    return found


def snap(value: float) -> float:
    return round(value / GRID) * GRID


def _steps(length: float) -> float:
    return ceil(length / GRID) * GRID if length > 0 else 0.0


def free_shift(new: Sequence[QRectF], there: Sequence[QRectF], wanted: QPointF) -> QPointF:
    """The shift nearest to `wanted`, in steps down and to the right, by which no new box lies on one that is there."""

    def free(dx: float, dy: float) -> bool:
        moved = [r.translated(dx, dy).adjusted(-GRID / 2, -GRID / 2, GRID / 2, GRID / 2) for r in new]
        return not any(a.intersects(b) for a in moved for b in there)

    if free(wanted.x(), wanted.y()):
        return wanted
    step = 2 * GRID
    around = sorted(
        ((i, j) for i in range(-20, 61) for j in range(-20, 61)),
        key=lambda p: (p[0] ** 2 + p[1] ** 2 + (2000 if p[1] < 0 or p[0] < 0 else 0), p),
    )
    for i, j in around:
        dx, dy = wanted.x() + i * step, wanted.y() + j * step
        if free(dx, dy):
            return QPointF(dx, dy)
    bottom = max(r.bottom() for r in there) - min(r.top() for r in new) + GAP
    return QPointF(wanted.x(), _steps(bottom))
