"""Where a diagnostic is, and what its fixes need to know: the node, its ports, and what is wired to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...catalog.catalog import CELL, Catalog
from ...catalog.node import NodeKind, Param, Port
from ...design.design import MAIN, Design, Graph, Node, Pin, Value, Wire, frozen
from ...design.edits import AddNode, Compound, Connect, Disconnect, Edit, RemoveNodes, SetParam
from ...design.recipe import FieldSpec
from ...design.signals import Signal, Tokens
from ..diagnostics import Checked, Diagnostic, Fix
from ..reach import reached
from ..resolve import cell_params, ports, variables_of


@dataclass(frozen=True)
class Place:
    """A diagnostic in its drawing."""

    checked: Checked
    catalog: Catalog
    diagnostic: Diagnostic

    @property
    def design(self) -> Design:
        return self.checked.design

    @property
    def name(self) -> str:
        """The graph's name, for edits."""
        return self.diagnostic.graph

    @cached_property
    def graph(self) -> Graph:
        return self.design.graph_of(self.name)

    @cached_property
    def node(self) -> Node:
        """The first node at fault."""
        return self.graph.nodes[self.diagnostic.nodes[0]]

    @property
    def kind(self) -> NodeKind | None:
        return self.catalog.of(self.node)

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        data = self.design.data
        return data.readable if data is not None else {}

    @property
    def variables(self) -> Mapping[str, Value]:
        """What a parameter may read here: the design's variables, or the cell's own."""
        return variables_of(self.design) if self.name == MAIN else self.design.cells[self.name].params

    def params(self, node: Node) -> Mapping[str, Param]:
        if node.kind == CELL:
            cell = self.design.cells.get(str(node.params.get("cell", "")))
            return {p.name: p for p in cell_params(cell)} if cell is not None else {}
        kind = self.catalog.of(node)
        return {p.name: p for p in kind.params} if kind is not None else {}

    def ports(self, node: Node) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        return ports(node, self.design, self.catalog.of(node)) or ((), ())

    def source(self, port: str, node: Node | None = None) -> Pin | None:
        """What feeds an input; of the node at fault unless another is given."""
        pin = Pin((node or self.node).id, port)
        return next((w.source for w in self.graph.wires if w.target == pin), None)

    def signal(self, pin: Pin | None) -> Signal | None:
        return self.checked.signals.get((self.name, pin.node, pin.port)) if pin is not None else None

    def incoming(self, port: str) -> Signal | None:
        return self.signal(self.source(port))

    def label(self, pin: Pin) -> str:
        """A node's output as a button names it."""
        node = self.graph.nodes[pin.node]
        return f"{node.label}.{pin.port}" if len(self.ports(node)[1]) > 1 else node.label

    # Edits

    def set(self, param: str, value: Value, node: Node | None = None) -> Edit:
        return SetParam((node or self.node).id, param, value, self.name)

    def splice(self, wire: Wire, kind: str, params: Mapping[str, Value]) -> Edit:
        """Put a new node of `kind` into a wire: its source feeds the input, its "out" feeds the wire's target."""
        source, target = self.graph.nodes[wire.source.node], self.graph.nodes[wire.target.node]
        key = self.graph.free_id(kind.lower())
        aside = 110 if source is target else 70 if source.x > target.x else 0
        at = ((source.x + target.x) / 2, (source.y + target.y) / 2 + aside)
        edits = (
            Disconnect((wire,), self.name),
            AddNode(Node(key, kind, frozen(params), *at), self.name),
            Connect(Wire(wire.source, Pin(key, "input")), self.name),
            Connect(Wire(Pin(key, "out"), wire.target), self.name),
        )
        return Compound(edits, f"Insert {kind}")

    def spliced(self, port: str, kind: str, params: Mapping[str, Value], title: str) -> Iterator[Fix]:
        """A node of `kind` before an input of the node at fault."""
        source = self.source(port)
        if source is not None:
            yield self.splice(Wire(source, Pin(self.node.id, port)), kind, params), title

    def exchanged(self, kind: str, params: Mapping[str, Value] | None = None) -> Iterator[Fix]:
        """Another kind in the node's place, with the same wires, and the parameters that both have."""
        wanted = self.catalog.kinds[kind]
        known = {p.name for p in wanted.params}
        kept = {k: v for k, v in self.node.params.items() if k in known} | dict(params or {})
        node = self.node.replace(kind=kind, params=frozen(kept), shared="")
        wires = [w for w in self.graph.wires if self.node.id in (w.source.node, w.target.node)]
        edits: list[Edit] = [RemoveNodes((node.id,), self.name), AddNode(node, self.name)]
        edits += [Connect(wire, self.name) for wire in wires]
        title = f"Make it a {wanted.title}"
        yield Compound(tuple(edits), title), title

    def deleted(self) -> Iterator[Fix]:
        """The node at fault goes, where nothing reads it."""
        if not any(True for _ in self.graph.wires_from(self.node.id)):
            yield RemoveNodes((self.node.id,), self.name), f"Delete {self.node.label}"

    def added(self, kind: str, params: Mapping[str, Value], port: str, wanted: str, dy: float = 0.0) -> Iterator[Fix]:
        """A new node, left of the node at fault, wired to one of its inputs."""
        key = self.graph.free_id(wanted)
        node = Node(key, kind, frozen(params), self.node.x - 190.0, self.node.y + dy)
        title = f"Add a {self.catalog.kinds[kind].title}"
        wire = Wire(Pin(key, "out"), Pin(self.node.id, port))
        yield Compound((AddNode(node, self.name), Connect(wire, self.name)), title), f"{title} “{key}”"


def content_fits(signal: Signal, content: str) -> bool:
    """Whether an input for `content` can read the signal."""
    return content == "any" or isinstance(signal.content, Tokens) == (content == "tokens")


def size_of(signal: Signal) -> int:
    """The width, or the size of the vocabulary."""
    return signal.content.size if isinstance(signal.content, Tokens) else signal.content.width


def reached_within_step(start: str, wires: Iterable[Wire], late: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The nodes that a node leads to within one step. late: the inputs of each node that are read at another step."""
    readers: dict[str, list[str]] = {}
    for wire in wires:
        if wire.target.port not in late.get(wire.target.node, ()):
            readers.setdefault(wire.source.node, []).append(wire.target.node)
    return reached([start], readers)
