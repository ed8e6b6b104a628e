"""Muted nodes: the drawing as it is when they are not there, and the way back from it to what a person sees.

Everything in the compiler works on the drawing without them (`without_muted`), so that the program, its source, every
lowering and what is exported never know of a muted node. What is found in it is told of the drawing with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..catalog.catalog import Catalog
from ..catalog.node import NodeKind, Port
from ..design.design import MAIN, Design, Graph, Node, Pin, Wire, frozen
from ..design.edits import SetMuted
from ..design.signals import Signal
from .diagnostics import Diagnostic, Fix, Key
from .resolve import ports

CELL_PORTS = ("CellInput", "CellOutput")
"""Kinds of nodes that are the ports of a cell: a mute on one of these means nothing."""


def is_muted(node: Node) -> bool:
    return node.muted and node.kind not in CELL_PORTS


def passages(
    inputs: Iterable[Port], outputs: Iterable[Port], fed: Collection[str], kind: NodeKind | None = None
) -> dict[str, str]:
    """By output of a muted node: the input that goes out there, the first that fits; those with a wire come first.

    An output that no input fits is left out. fed: names of the inputs that have a wire.
    """
    aside = kind.shape_only if kind is not None else ()
    ordered = sorted((port for port in inputs if port.name not in aside), key=lambda port: port.name not in fed)
    found = {}
    for out in outputs:
        fitting = (p.name for p in ordered if "any" in (p.content, out.content) or p.content == out.content)
        if (name := next(fitting, "")) != "":
            found[out.name] = name
    return found


def why_not_muted(node: Node, graph: Graph, design: Design, catalog: Catalog) -> str:
    """Why muting a node would leave others without what they read, in a sentence; "" where it may be muted."""
    if node.kind in CELL_PORTS:
        return f"{node.label} is a port of this cell, so it cannot be muted: delete it instead"
    kind = catalog.of(node)
    found = ports(node, design, kind)
    if found is None:
        return f"{node.label} is of a kind that is not known here, so nothing tells what could pass"
    inputs, outputs = found
    if not inputs:
        return f"nothing comes into {node.label} that could go out: delete it, or its wires"
    passing = passages(inputs, outputs, {w.target.port for w in graph.wires_into(node.id)}, kind)
    read = {wire.source.port for wire in graph.wires_from(node.id)}
    for port in outputs:
        if port.name not in passing and (port.name in read or len(outputs) == 1):
            takes = " and ".join(dict.fromkeys(_named(p.content) for p in inputs))
            gives = _named(port.content)
            return f"{node.label} takes {takes} and gives {gives}, so what comes in cannot go out at “{port.name}”"
    return ""


def _named(content: str) -> str:
    return {"real": "features", "any": "anything", "loss": "a loss"}.get(content, content)


@dataclass(frozen=True)
class Unmuted:
    """A design without its muted nodes. `design` is the one that was given where nothing is muted."""

    design: Design
    ways: Mapping[str, Mapping[Wire, tuple[Wire, ...]]] = field(default_factory=dict)
    """By graph: each wire that stands for a way through muted nodes, with the wires of that way, the last one first."""
    outputs: Mapping[Key, Pin | None] = field(default_factory=dict)
    """What each output of a muted node gives: an output that is there, or nothing."""
    open: Mapping[str, tuple[Wire, ...]] = field(default_factory=dict)
    """By graph: wires from muted nodes into which nothing comes that could go out."""

    def signals(self, found: Mapping[Key, Signal]) -> dict[Key, Signal]:
        """The signals of the drawing with its muted nodes."""
        passed = {
            key: found[key[0], pin.node, pin.port]
            for key, pin in self.outputs.items()
            if pin is not None and (key[0], pin.node, pin.port) in found
        }
        return {**found, **passed}

    def told(self, diagnostic: Diagnostic, whole: Design) -> Diagnostic:
        """A diagnostic of the drawing without muted nodes, said of `whole`, the one with them."""
        ways = self.ways.get(diagnostic.graph, {})
        if not ways or diagnostic.code == "NothingPasses":  # which says so itself
            return diagnostic
        wires = tuple(dict.fromkeys(w for wire in diagnostic.wires for w in ways.get(wire, (wire,))))
        through = replace(diagnostic, wires=wires)
        if diagnostic.severity != "error" or not (muted := _muted_before(whole, through)):
            return through
        labels = [whole.graph_of(diagnostic.graph).nodes[key].label for key in muted]
        are = f"{' and '.join(labels)} {'are' if len(labels) > 1 else 'is'} muted"
        return replace(through, message=f"{diagnostic.message} ({are})")


def without_muted(design: Design, catalog: Catalog) -> Design:
    """The design without its muted nodes; itself where there is none."""
    return unmuted(design, catalog).design


def unmuted(design: Design, catalog: Catalog) -> Unmuted:
    """The design without its muted nodes: who read one reads what came into it."""
    names = [n for n in (MAIN, *design.cells) if any(is_muted(node) for node in design.graph_of(n).nodes.values())]
    if not names:
        return Unmuted(design)
    ways: dict[str, dict[Wire, tuple[Wire, ...]]] = {}
    outputs: dict[Key, Pin | None] = {}
    open_: dict[str, tuple[Wire, ...]] = {}
    bare = design
    for name in names:
        graph = _Graph(design, catalog, name)
        bare = bare.with_graph(name, graph.bare)
        ways[name], open_[name] = graph.ways, tuple(graph.open)
        outputs |= {(name, pin.node, pin.port): source for pin, source in graph.outputs.items()}
    return Unmuted(bare, ways, outputs, open_)


class _Graph:
    """One graph without its muted nodes."""

    def __init__(self, design: Design, catalog: Catalog, name: str) -> None:
        self._whole = graph = design.graph_of(name)
        self._feeds = {wire.target: wire for wire in graph.wires}
        muted = {key: node for key, node in graph.nodes.items() if is_muted(node)}
        self._passing: dict[str, dict[str, str]] = {}
        self.ways: dict[Wire, tuple[Wire, ...]] = {}
        self.open: list[Wire] = []
        self.outputs: dict[Pin, Pin | None] = {}
        for key, node in muted.items():
            kind = catalog.of(node)
            found = ports(node, design, kind)
            fed = {target.port for target in self._feeds if target.node == key}
            self._passing[key] = passages(*found, fed, kind) if found is not None else {}
            for port in found[1] if found is not None else ():
                source, _ = self._back(Pin(key, port.name))
                self.outputs[Pin(key, port.name)] = source
        self.bare = graph.replace(
            nodes=frozen({key: node for key, node in graph.nodes.items() if key not in muted}),
            wires=tuple(self._wires(muted)),
        )

    def _back(self, pin: Pin) -> tuple[Pin | None, tuple[Wire, ...]]:
        """Where what an output gives comes from, and the wires of the way there; None where nothing comes."""
        way: list[Wire] = []
        seen: set[Pin] = set()
        while pin.node in self._passing:
            port = self._passing[pin.node].get(pin.port)
            wire = self._feeds.get(Pin(pin.node, port)) if port is not None else None
            if wire is None or pin in seen:  # a ring of muted nodes gives nothing
                return None, tuple(way)
            seen.add(pin)
            way.append(wire)
            pin = wire.source
        return pin, tuple(way)

    def _wires(self, muted: Collection[str]) -> Iterator[Wire]:
        for wire in self._whole.wires:
            if wire.target.node in muted:
                continue
            source, way = self._back(wire.source)
            if source is None:
                self.open.append(wire)
                continue
            through = Wire(source, wire.target)
            if way:
                self.ways[through] = (wire, *way)
            yield through


def to_unmute(whole: Design, diagnostic: Diagnostic) -> Iterator[Fix]:
    """For a problem behind a muted node: that it works again."""
    nodes = whole.graph_of(diagnostic.graph).nodes
    for key in _muted_before(whole, diagnostic):
        yield SetMuted((key,), False, diagnostic.graph), f"Unmute {nodes[key].label}"


def _muted_before(whole: Design, diagnostic: Diagnostic) -> list[str]:
    """The muted nodes on the wires of a problem, and those that the nodes at fault read."""
    graph = whole.graph_of(diagnostic.graph)
    at_fault = set(diagnostic.nodes)
    wires = (*diagnostic.wires, *(wire for wire in graph.wires if wire.target.node in at_fault))
    sources = dict.fromkeys(wire.source.node for wire in wires)
    return [key for key in sources if key in graph.nodes and is_muted(graph.nodes[key])]
