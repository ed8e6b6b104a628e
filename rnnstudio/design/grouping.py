"""Cells made of what is drawn, and taken apart again: group, ungroup, rename. Values in, one edit out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .design import MAIN, CellDefinition, Design, Frame, Graph, Node, Pin, Value, Var, Wire, frozen
from .edits import AddNode, Compound, Connect, Edit, HideWires, RemoveNodes, SetCell, SetFrames, check_name
from .errors import StudioError
from .titles import retitled

CELL = "cell"
PORTS = ("CellInput", "CellOutput")
ROOM = 160.0
"""How far outside of what was grouped the new cell's ports stand, in scene units."""


def group(
    design: Design, graph: str, keys: Collection[str], taken: Collection[str] = (), data_sizes: Iterable[str] = ()
) -> tuple[Edit, str]:
    """The edit that makes a cell of some nodes, and the id of the node that stands for it.

    What came in from one output becomes one input of the cell, what goes out of one output one output. Variables that
    the nodes read become the cell's own, handed on by the new node.
    taken: names of cells that are not to be used (the library's). data_sizes: variables that the data gives.
    Raises StudioError where nothing is chosen, or a port of the cell that is open.
    """
    drawn = design.graph_of(graph)
    nodes = {key: node for key, node in drawn.nodes.items() if key in keys}
    if not nodes:
        raise StudioError("Nothing is selected", remedy="Select the nodes that shall become a cell.")
    port = next((n for n in nodes.values() if n.kind in PORTS), None)
    if port is not None:
        raise StudioError(f"“{port.label}” is a port of this cell", remedy="Leave it out of the selection.")
    made = _Boundary(drawn, nodes)
    name = _free("Cell", {*design.cells, *taken})
    params = _params(design, graph, nodes.values(), data_sizes)
    inside = tuple(f for f in drawn.frames if _only_holds(f, drawn, nodes))
    cell = CellDefinition(name, made.graph.replace(frames=inside), frozen(params))
    key = drawn.free_id(name.lower())
    x = round(sum(n.x for n in nodes.values()) / len(nodes) / 10) * 10.0
    y = round(sum(n.y for n in nodes.values()) / len(nodes) / 10) * 10.0
    handed = {p: Var(p) for p in params}
    node = Node(key, CELL, frozen({CELL: name, **handed}), x, y)
    edits: list[Edit] = [SetCell(cell), RemoveNodes(tuple(nodes), graph), AddNode(node, graph)]
    if inside:
        edits.append(SetFrames(tuple(f for f in drawn.frames if f not in inside), graph))
    edits += [Connect(Wire(source, Pin(key, port)), graph) for source, port in made.inputs.items()]
    edits += [Connect(Wire(Pin(key, made.outputs[w.source]), w.target), graph) for w in made.leaving]
    return Compound(tuple(edits), f"Group {len(nodes)} nodes" if len(nodes) > 1 else "Group a node"), key


class _Boundary:
    """What crosses the border of a group: its drawing with ports, `inputs` by outer source, `outputs` by inner one."""

    def __init__(self, drawn: Graph, nodes: dict[str, Node]) -> None:
        within = [w for w in drawn.wires if w.source.node in nodes and w.target.node in nodes]
        entering = [w for w in drawn.wires if w.source.node not in nodes and w.target.node in nodes]
        self.leaving = [w for w in drawn.wires if w.source.node in nodes and w.target.node not in nodes]
        entering.sort(key=lambda w: (nodes[w.target.node].y, nodes[w.target.node].x))
        sources = list(dict.fromkeys(w.source for w in entering))
        ends = sorted({w.source for w in self.leaving}, key=lambda p: (nodes[p.node].y, nodes[p.node].x, str(p)))
        left, right = min(n.x for n in nodes.values()) - ROOM, max(n.x for n in nodes.values()) + ROOM
        taken = set(nodes)

        def named(pin: Pin, alone: str) -> str:
            wanted = alone or (pin.node if pin.port == "out" else pin.port)
            found = _free(wanted, taken)
            taken.add(found)
            return found

        self.inputs = {pin: named(pin, "x" if len(sources) == 1 else "") for pin in sources}
        self.outputs = {pin: named(pin, "y" if len(ends) == 1 and pin.port == "out" else "") for pin in ends}
        made = dict(nodes)
        wires = list(within)
        rows: set[float] = set()
        for pin, name in self.inputs.items():
            targets = [w.target for w in entering if w.source == pin]
            y = _free_row(min(nodes[t.node].y for t in targets), rows)
            outer = drawn.nodes[pin.node]
            # What may be left open outside may be left open inside.
            optional = {"optional": True} if outer.kind == "CellInput" and outer.params.get("optional") else {}
            made[name] = Node(name, "CellInput", frozen(optional), x=left, y=y)
            wires += [Wire(Pin(name, "out"), target) for target in targets]
        rows.clear()
        for pin, name in self.outputs.items():
            made[name] = Node(name, "CellOutput", x=right, y=_free_row(nodes[pin.node].y, rows))
            wires.append(Wire(pin, Pin(name, "input")))
        self.graph = Graph(frozen(made), tuple(wires), hidden=drawn.hidden.intersection(within))


def _params(design: Design, graph: str, nodes: Iterable[Node], data_sizes: Iterable[str]) -> dict[str, Value]:
    """The variables that nodes read, with their values now."""
    there = design.variables if graph == MAIN else design.cells[graph].params
    sizes = set(data_sizes) if graph == MAIN else set()
    read = dict.fromkeys(v.name for n in nodes for v in n.params.values() if isinstance(v, Var))
    found: dict[str, Value] = {}
    for name in read:
        if name in there:
            found[name] = there[name]
        elif name in sizes:
            found[name] = 1
    return found


def ungroup(design: Design, graph: str, key: str) -> tuple[Edit, tuple[str, ...]]:
    """The edit that puts a cell's drawing in the place of a node of it, and the ids of what was in it.

    Raises StudioError for a node that is no cell, or shares its weights with others.
    """
    drawn = design.graph_of(graph)
    node, cell = _cell_of(design, graph, key)
    if node.shared:
        raise StudioError(
            f"“{node.label}” shares its weights as “{node.shared}”", remedy="Clear its Weights first, then ungroup it."
        )
    if node.muted:
        raise StudioError(f"“{node.label}” is muted, so its drawing is not used", remedy="Unmute it first.")
    inner = {k: n for k, n in cell.graph.nodes.items() if n.kind not in PORTS}
    if not inner:
        raise StudioError(f"The cell “{cell.name}” has no nodes but its ports", remedy="Delete the node instead.")
    taken = set(drawn.nodes) - {key}
    names: dict[str, str] = {}
    for old in inner:
        names[old] = _free(old if old not in taken else f"{key}_{old}", taken)
        taken.add(names[old])
    dx = node.x - round((min(n.x for n in inner.values()) + max(n.x for n in inner.values())) / 20) * 10.0
    dy = node.y - round((min(n.y for n in inner.values()) + max(n.y for n in inner.values())) / 20) * 10.0

    def value_of(value: Value) -> Value:
        if isinstance(value, Var) and value.name in cell.params:
            return node.params.get(value.name, cell.params[value.name])
        return value

    edits: list[Edit] = [RemoveNodes((key,), graph)]
    for old, item in inner.items():
        params = frozen({p: value_of(v) for p, v in item.params.items()})
        shared = f"{key}_{item.shared}" if item.shared else ""
        edits.append(
            AddNode(item.replace(id=names[old], params=params, shared=shared, x=item.x + dx, y=item.y + dy), graph)
        )
    sources = {w.target.port: w.source for w in drawn.wires if w.target.node == key}
    readers = [(w.source.port, w.target) for w in drawn.wires if w.source.node == key]

    def origin(pin: Pin) -> Pin | None:
        if cell.graph.nodes[pin.node].kind == "CellInput":
            return sources.get(pin.node)
        return Pin(names[pin.node], pin.port)

    for wire in cell.graph.wires:
        begin = origin(wire.source)
        if begin is None:
            continue
        if wire.target.node in names:
            if begin.node != key:
                put = Wire(begin, Pin(names[wire.target.node], wire.target.port))
                edits.append(Connect(put, graph))
                edits += [HideWires((put,), True, graph)] if wire in cell.graph.hidden else []
            continue
        edits += [Connect(Wire(begin, target), graph) for port, target in readers if port == wire.target.node]
    frames = tuple(
        f.replace(id=_free(f.id, {old.id for old in drawn.frames}), x=f.x + dx, y=f.y + dy) for f in cell.graph.frames
    )
    if frames:
        edits.append(SetFrames((*drawn.frames, *frames), graph))
    edits = [e for e in edits if not (isinstance(e, Connect) and key in (e.wire.source.node, e.wire.target.node))]
    return Compound(tuple(edits), f"Ungroup {node.label}"), tuple(names.values())


@dataclass(frozen=True)
class RenameCell(Edit):
    """Give a cell another name; every node of it follows."""

    name: str
    new: str

    @property
    def title(self) -> str:
        return f"Rename cell {self.name} to {self.new}"

    def apply(self, design: Design) -> Design:
        if self.name not in design.cells:
            raise StudioError(f"The design has no cell called “{self.name}”")
        if self.new == self.name:
            return design
        check_name(self.new)
        if self.new in design.cells:
            raise StudioError(f"A cell is called “{self.new}” already", remedy="Choose another name.")

        def follow(graph: Graph) -> Graph:
            nodes = {
                k: retitled(n.replace(params=frozen({**n.params, CELL: self.new})), self.name, self.new)
                if n.kind == CELL and n.params.get(CELL) == self.name
                else n
                for k, n in graph.nodes.items()
            }
            return graph.replace(nodes=frozen(nodes)) if nodes != dict(graph.nodes) else graph

        cells = {}
        for name, cell in design.cells.items():
            called = self.new if name == self.name else name
            cells[called] = cell.replace(name=called, graph=follow(cell.graph))
        return design.replace(graph=follow(design.graph), cells=frozen(cells))


def _cell_of(design: Design, graph: str, key: str) -> tuple[Node, CellDefinition]:
    node = design.graph_of(graph).nodes.get(key)
    cell = design.cells.get(str(node.params.get(CELL, ""))) if node is not None and node.kind == CELL else None
    if node is None or cell is None:
        raise StudioError(f"“{node.label if node else key}” is no cell", remedy="Select a node of a cell.")
    return node, cell


def _only_holds(frame: Frame, drawn: Graph, nodes: Collection[str]) -> bool:
    held = {k for k, n in drawn.nodes.items() if frame.holds(n.x, n.y)}
    return bool(held) and held <= set(nodes)


def _free(wanted: str, taken: Collection[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}{number}", number + 1
    return name


def _free_row(y: float, rows: set[float]) -> float:
    """`y`, or the next place below it where no port stands yet."""
    while any(abs(y - other) < 50 for other in rows):
        y += 50
    rows.add(y)
    return y
