"""The document as an immutable value: nodes, wires, cells, variables. Edits make new values; nothing mutates one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as _replace
from types import MappingProxyType
from typing import Any

from .recipe import DataRecipe
from .signals import Axis

MAIN = ""
"""The name by which edits and diagnostics address the design's own graph; a cell's graph goes by the cell's name."""


@dataclass(frozen=True, slots=True)
class Var:
    """A parameter value that reads one of the design's (or the cell's) variables, such as `hidden`."""

    name: str

    def __str__(self) -> str:
        return self.name


Value = bool | int | float | str | Var | tuple[Any, ...] | None
"""What a node's parameter can hold. Lists of a file become tuples."""

_EMPTY: Mapping[str, Any] = MappingProxyType({})


def frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy of `mapping`."""
    return MappingProxyType(dict(mapping)) if mapping else _EMPTY


@dataclass(frozen=True, slots=True)
class Pin:
    """One end of a wire: a port of a node."""

    node: str
    port: str

    def __str__(self) -> str:
        return f"{self.node}.{self.port}"


@dataclass(frozen=True, slots=True)
class Wire:
    """A directed connection from an output port to an input port."""

    source: Pin
    target: Pin

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


@dataclass(frozen=True, slots=True)
class Node:
    """A drawn node. `id` is unique in its graph, stable, and names its parameters; `title` is what is shown ("" = id).

    `kind` is a catalogue name, or "cell" with params["cell"] naming a cell definition of the design.
    `shared`: nodes of one kind with the same non-empty name use the same parameters.
    `muted`: the node is as good as not there: what comes in goes out (compiler/muting.py says which input).
    `collapsed`: it is drawn as its title alone; that means nothing to the compiler.
    `extra` keeps what a file said that this version does not know, and is saved back unchanged.
    """

    id: str
    kind: str
    params: Mapping[str, Value] = field(default_factory=lambda: _EMPTY)
    x: float = 0.0
    y: float = 0.0
    title: str = ""
    shared: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    muted: bool = False
    collapsed: bool = False

    @property
    def label(self) -> str:
        return self.title or self.id

    def replace(self, **changes: Any) -> Node:
        return _replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Frame:
    """A titled rectangle drawn behind nodes; it means nothing to the compiler. x, y: its upper left corner.

    color: a family of nodes whose colour it wears ("" = none). note: a text below the title. extra: as of a Node.
    """

    id: str
    title: str
    x: float
    y: float
    width: float
    height: float
    color: str = ""
    note: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: _EMPTY, hash=False)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it: a node belongs to the frames that hold its middle."""
        return self.x <= x <= self.x + self.width and self.y <= y <= self.y + self.height

    def replace(self, **changes: Any) -> Frame:
        return _replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by id (in drawing order) and the wires between them. extra: as of a Node.

    `hidden`: wires that are drawn by their two ends alone; they mean what any wire means.
    """

    nodes: Mapping[str, Node] = field(default_factory=lambda: _EMPTY)
    wires: tuple[Wire, ...] = ()
    frames: tuple[Frame, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: _EMPTY, hash=False)
    hidden: frozenset[Wire] = frozenset()

    def replace(self, **changes: Any) -> Graph:
        """A graph with these changes. A wire that goes is no hidden one any more."""
        if self.hidden and "wires" in changes and "hidden" not in changes:
            changes["hidden"] = self.hidden.intersection(changes["wires"])
        return _replace(self, **changes)

    def wires_into(self, node: str) -> Iterator[Wire]:
        return (wire for wire in self.wires if wire.target.node == node)

    def wires_from(self, node: str) -> Iterator[Wire]:
        return (wire for wire in self.wires if wire.source.node == node)

    def free_id(self, wanted: str) -> str:
        """`wanted`, or the first of wanted2, wanted3 … that no node has."""
        if wanted not in self.nodes:
            return wanted
        number = 2
        while f"{wanted}{number}" in self.nodes:
            number += 1
        return f"{wanted}{number}"


@dataclass(frozen=True, slots=True)
class CellDefinition:
    """A reusable drawing. Its CellInput and CellOutput nodes are the ports of every node that uses it.

    `params` are the cell's own variables with their default values; a node of the cell may override each.
    `doc`: one sentence; `formula`: the equations, one a line; `source`: the literature. `extra`: as of a Node.
    """

    name: str
    graph: Graph
    params: Mapping[str, Value] = field(default_factory=lambda: _EMPTY)
    doc: str = ""
    formula: str = ""
    source: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: _EMPTY, hash=False)

    def replace(self, **changes: Any) -> CellDefinition:
        return _replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Design:
    """The whole document. `variables` are named sizes; `training` are the trainer's settings as plain JSON values."""

    name: str = "untitled"
    doc: str = ""
    variables: Mapping[str, float | int] = field(default_factory=lambda: _EMPTY)
    graph: Graph = field(default_factory=Graph)
    cells: Mapping[str, CellDefinition] = field(default_factory=lambda: _EMPTY)
    axes: Mapping[str, Axis] = field(default_factory=lambda: _EMPTY)
    data: DataRecipe | None = None
    training: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    extra: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)

    def replace(self, **changes: Any) -> Design:
        return _replace(self, **changes)

    def graph_of(self, name: str) -> Graph:
        """The graph called `name`: MAIN or a cell's. Raises KeyError when there is no such cell."""
        return self.graph if name == MAIN else self.cells[name].graph

    def with_graph(self, name: str, graph: Graph) -> Design:
        if name == MAIN:
            return self.replace(graph=graph)
        cells = dict(self.cells)
        cells[name] = cells[name].replace(graph=graph)
        return self.replace(cells=frozen(cells))

    def axis(self, name: str) -> Axis:
        """The settings of an axis; an axis nobody has set up is a plain sequence."""
        return self.axes.get(name) or Axis(name)
