"""Every way a design changes, as a value: `apply` makes the next design, `inverse` the edit that undoes it.

An edit that does not fit (an unknown node, a port fed twice) raises StudioError and nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .design import MAIN, CellDefinition, Design, Frame, Graph, Node, Pin, Value, Var, Wire, frozen
from .errors import StudioError
from .recipe import DataRecipe
from .signals import Axis


@dataclass(frozen=True)
class Edit:
    """Base of all edits. `title` is what the Edit menu shows behind "Undo"."""

    @property
    def title(self) -> str:
        return _words(type(self).__name__)

    def apply(self, design: Design) -> Design:
        raise NotImplementedError

    def inverse(self, before: Design) -> Edit:
        """The edit that turns `apply(before)` back into `before`."""
        return Restore(before)


@dataclass(frozen=True)
class Restore(Edit):
    """Become an earlier value. Designs share what they have in common, so this holds only what differed."""

    design: Design

    def apply(self, design: Design) -> Design:
        return self.design


@dataclass(frozen=True)
class Compound(Edit):
    """Several edits that are one step of the history."""

    edits: tuple[Edit, ...]
    name: str = ""

    @property
    def title(self) -> str:
        return self.name or (self.edits[0].title if self.edits else "Nothing")

    def apply(self, design: Design) -> Design:
        for edit in self.edits:
            design = edit.apply(design)
        return design


@dataclass(frozen=True)
class AddNode(Edit):
    node: Node
    graph: str = ""

    @property
    def title(self) -> str:
        return f"Add {self.node.label}"

    def apply(self, design: Design) -> Design:
        graph = _graph(design, self.graph)
        check_name(self.node.id)
        if self.node.id in graph.nodes:
            raise StudioError(f"A node is called “{self.node.id}” already", remedy="Choose another name.")
        return design.with_graph(self.graph, graph.replace(nodes=frozen({**graph.nodes, self.node.id: self.node})))


@dataclass(frozen=True)
class RemoveNodes(Edit):
    """Remove nodes with all their wires."""

    ids: tuple[str, ...]
    graph: str = ""

    @property
    def title(self) -> str:
        return f"Delete {self.ids[0]}" if len(self.ids) == 1 else f"Delete {len(self.ids)} nodes"

    def apply(self, design: Design) -> Design:
        graph = _graph(design, self.graph)
        for name in self.ids:
            _node(graph, name)
        gone = set(self.ids)
        nodes = {name: node for name, node in graph.nodes.items() if name not in gone}
        wires = tuple(w for w in graph.wires if w.source.node not in gone and w.target.node not in gone)
        return design.with_graph(self.graph, graph.replace(nodes=frozen(nodes), wires=wires))


@dataclass(frozen=True)
class Connect(Edit):
    """Add a wire. An input port takes one wire: one that is there already is replaced when `replace` is set."""

    wire: Wire
    graph: str = ""
    replace: bool = True

    def apply(self, design: Design) -> Design:
        graph = _graph(design, self.graph)
        _node(graph, self.wire.source.node)
        _node(graph, self.wire.target.node)
        target = self.wire.target
        node, port = target.node, target.port
        there = [w for w in graph.wires if w.target.port == port and w.target.node == node]
        if self.wire in there:
            return design
        kept = tuple(w for w in graph.wires if w not in there) if there else graph.wires
        if len(kept) != len(graph.wires) and not self.replace:
            raise StudioError(f"{self.wire.target} is connected already", remedy="Delete the other wire first.")
        return design.with_graph(self.graph, graph.replace(wires=(*kept, self.wire)))


@dataclass(frozen=True)
class Disconnect(Edit):
    wires: tuple[Wire, ...]
    graph: str = ""

    @property
    def title(self) -> str:
        return "Delete wire" if len(self.wires) == 1 else f"Delete {len(self.wires)} wires"

    def apply(self, design: Design) -> Design:
        graph = _graph(design, self.graph)
        gone = set(self.wires)
        missing = gone - set(graph.wires)
        if missing:
            raise StudioError(f"There is no wire {next(iter(missing))}")
        return design.with_graph(self.graph, graph.replace(wires=tuple(w for w in graph.wires if w not in gone)))


@dataclass(frozen=True)
class MoveNodes(Edit):
    """Set the places of nodes: id → (x, y) in scene units."""

    places: Mapping[str, tuple[float, float]]
    graph: str = ""

    @property
    def title(self) -> str:
        return "Move"

    def apply(self, design: Design) -> Design:
        def moved(node: Node) -> Node:
            x, y = self.places[node.id]
            return node.replace(x=float(x), y=float(y))

        return _change_nodes(design, self.graph, tuple(self.places), moved)


@dataclass(frozen=True)
class SetParam(Edit):
    """Set one parameter of a node. None takes the value away, so that the kind's default holds again."""

    node: str
    param: str
    value: Value
    graph: str = ""

    @property
    def title(self) -> str:
        return f"Set {self.node}: {self.param}"

    def apply(self, design: Design) -> Design:
        def changed(node: Node) -> Node:
            params = {**node.params, self.param: self.value}
            if self.value is None:
                del params[self.param]
            return node.replace(params=frozen(params))

        return _change_nodes(design, self.graph, (self.node,), changed)


@dataclass(frozen=True)
class SetTitle(Edit):
    """What is written on the node; its id, and so its parameters' names, stay."""

    node: str
    value: str
    graph: str = ""

    def apply(self, design: Design) -> Design:
        return _change_nodes(design, self.graph, (self.node,), lambda node: node.replace(title=self.value))


@dataclass(frozen=True)
class SetShared(Edit):
    """Nodes of one kind with the same non-empty shared name use the same parameters."""

    node: str
    value: str
    graph: str = ""

    def apply(self, design: Design) -> Design:
        return _change_nodes(design, self.graph, (self.node,), lambda node: node.replace(shared=self.value))


@dataclass(frozen=True)
class SetMuted(Edit):
    """Mute nodes: what comes in goes out, as if they were not there; or let them work again."""

    nodes: tuple[str, ...]
    value: bool
    graph: str = ""

    @property
    def title(self) -> str:
        verb = "Mute" if self.value else "Unmute"
        return f"{verb} {self.nodes[0]}" if len(self.nodes) == 1 else f"{verb} {len(self.nodes)} nodes"

    def apply(self, design: Design) -> Design:
        return _change_nodes(design, self.graph, self.nodes, lambda node: node.replace(muted=self.value))


@dataclass(frozen=True)
class SetCollapsed(Edit):
    """Draw nodes as their titles alone, or whole again."""

    nodes: tuple[str, ...]
    value: bool
    graph: str = ""

    @property
    def title(self) -> str:
        verb = "Collapse" if self.value else "Unfold"
        return f"{verb} {self.nodes[0]}" if len(self.nodes) == 1 else f"{verb} {len(self.nodes)} nodes"

    def apply(self, design: Design) -> Design:
        return _change_nodes(design, self.graph, self.nodes, lambda node: node.replace(collapsed=self.value))


@dataclass(frozen=True)
class HideWires(Edit):
    """Draw wires by their ends alone, or whole again."""

    wires: tuple[Wire, ...]
    value: bool
    graph: str = ""

    @property
    def title(self) -> str:
        verb = "Hide" if self.value else "Show"
        return f"{verb} wire" if len(self.wires) == 1 else f"{verb} {len(self.wires)} wires"

    def apply(self, design: Design) -> Design:
        graph = _graph(design, self.graph)
        missing = set(self.wires) - set(graph.wires)
        if missing:
            raise StudioError(f"There is no wire {next(iter(missing))}")
        hidden = graph.hidden.union(self.wires) if self.value else graph.hidden.difference(self.wires)
        return design.with_graph(self.graph, graph.replace(hidden=hidden))


@dataclass(frozen=True)
class RenameNode(Edit):
    """Give a node another id; its wires follow, and those at the nodes of a cell whose port is renamed."""

    node: str
    new: str
    graph: str = ""

    @property
    def title(self) -> str:
        return f"Rename {self.node} to {self.new}"

    def apply(self, design: Design) -> Design:
        graph = _graph(design, self.graph)
        _node(graph, self.node)
        if self.new == self.node:
            return design
        check_name(self.new)
        if self.new in graph.nodes:
            raise StudioError(f"A node is called “{self.new}” already", remedy="Choose another name.")
        nodes = {
            (self.new if name == self.node else name): (node.replace(id=self.new) if name == self.node else node)
            for name, node in graph.nodes.items()
        }

        def pin(old: Pin) -> Pin:
            return Pin(self.new, old.port) if old.node == self.node else old

        renamed = design.with_graph(self.graph, _rewired(graph.replace(nodes=frozen(nodes)), pin))
        if graph.nodes[self.node].kind in ("CellInput", "CellOutput"):
            for name in (MAIN, *renamed.cells):
                renamed = renamed.with_graph(name, self._port_renamed(renamed.graph_of(name)))
        return renamed

    def _port_renamed(self, graph: Graph) -> Graph:
        """A graph in which the nodes of the cell `self.graph` have a port of the new name."""
        users = {n.id for n in graph.nodes.values() if n.kind == "cell" and n.params.get("cell") == self.graph}
        if not users:
            return graph

        def pin(old: Pin) -> Pin:
            return Pin(old.node, self.new) if old.node in users and old.port == self.node else old

        return _rewired(graph, pin)


@dataclass(frozen=True)
class SetFrames(Edit):
    frames: tuple[Frame, ...]
    graph: str = ""

    def apply(self, design: Design) -> Design:
        return design.with_graph(self.graph, _graph(design, self.graph).replace(frames=self.frames))


@dataclass(frozen=True)
class SetVariable(Edit):
    """Set a named size. None removes it; a variable some node still reads is not removed."""

    name: str
    value: float | int | None

    @property
    def title(self) -> str:
        return f"Set {self.name}"

    def apply(self, design: Design) -> Design:
        variables = dict(design.variables)
        if self.value is None:
            reader = next((n for n in design.graph.nodes.values() if Var(self.name) in n.params.values()), None)
            if reader is not None:
                raise StudioError(
                    f"The variable “{self.name}” is still read by {reader.label}", remedy="Change that node first."
                )
            variables.pop(self.name, None)
        else:
            check_name(self.name)
            variables[self.name] = self.value
        return design.replace(variables=frozen(variables))


@dataclass(frozen=True)
class SetCell(Edit):
    """Add a cell definition, or put another in its place."""

    cell: CellDefinition

    @property
    def title(self) -> str:
        return f"Define cell {self.cell.name}"

    def apply(self, design: Design) -> Design:
        return design.replace(cells=frozen({**design.cells, self.cell.name: self.cell}))


@dataclass(frozen=True)
class RemoveCell(Edit):
    name: str

    def apply(self, design: Design) -> Design:
        for graph in (design.graph, *(c.graph for n, c in design.cells.items() if n != self.name)):
            for node in graph.nodes.values():
                if node.kind == "cell" and node.params.get("cell") == self.name:
                    raise StudioError(
                        f"The cell “{self.name}” is used by {node.label}", remedy="Delete that node first."
                    )
        return design.replace(cells=frozen({n: c for n, c in design.cells.items() if n != self.name}))


@dataclass(frozen=True)
class SetData(Edit):
    """Load other data: the recipe with its fields, vocabulary and split."""

    recipe: DataRecipe | None

    def apply(self, design: Design) -> Design:
        return design.replace(data=self.recipe)


@dataclass(frozen=True)
class SetTraining(Edit):
    """Set training settings; a value of None goes back to the default."""

    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return "Set " + ", ".join(name.replace("_", " ") for name in self.values)

    def apply(self, design: Design) -> Design:
        merged = {**design.training, **self.values}
        return design.replace(training=frozen({k: v for k, v in merged.items() if v is not None}))


@dataclass(frozen=True)
class SetAxis(Edit):
    axis: Axis

    def apply(self, design: Design) -> Design:
        return design.replace(axes=frozen({**design.axes, self.axis.name: self.axis}))


@dataclass(frozen=True)
class SetName(Edit):
    name: str
    doc: str | None = None

    def apply(self, design: Design) -> Design:
        return design.replace(name=self.name, doc=design.doc if self.doc is None else self.doc)


def check_name(name: str) -> None:
    """Names of nodes and variables become names in Python source and parameter paths. Raises StudioError."""
    if not name.isidentifier() or name.startswith("_"):
        raise StudioError(
            f"“{name}” is not a usable name", remedy="Use letters, digits and _, beginning with a letter."
        )


def _graph(design: Design, name: str) -> Graph:
    try:
        return design.graph_of(name)
    except KeyError:
        raise StudioError(f"The design has no cell called “{name}”") from None


def _node(graph: Graph, name: str) -> Node:
    try:
        return graph.nodes[name]
    except KeyError:
        raise StudioError(f"There is no node called “{name}”") from None


def _change_nodes(design: Design, name: str, ids: tuple[str, ...], change: Callable[[Node], Node]) -> Design:
    graph = _graph(design, name)
    nodes = dict(graph.nodes)
    for key in ids:
        nodes[key] = change(_node(graph, key))
    return design.with_graph(name, graph.replace(nodes=frozen(nodes)))


def _rewired(graph: Graph, pin: Callable[[Pin], Pin]) -> Graph:
    """The graph with every end of a wire at `pin` of it."""
    wires = {wire: Wire(pin(wire.source), pin(wire.target)) for wire in graph.wires}
    return graph.replace(wires=tuple(wires.values()), hidden=frozenset(wires[wire] for wire in graph.hidden))


def _words(name: str) -> str:
    out = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return out[:1].upper() + out[1:]
