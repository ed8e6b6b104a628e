"""Edits that put a mistake right, offered beside its diagnostic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..catalog.node import Mistake
from ..design.design import MAIN, Design, Graph, Node, Pin, Value, Var, Wire, frozen
from ..design.edits import AddNode, Compound, Connect, Disconnect, Edit, SetParam
from ..design.signals import Signal, Tokens

Fix = tuple[Edit, str]
"""An edit and what its button says."""


def splice(name: str, graph: Graph, wire: Wire, kind: str, params: Mapping[str, Value], port: str) -> Edit:
    """Put a new node of `kind` into a wire: the wire's source feeds its `port`, its "out" feeds the wire's target."""
    source, target = graph.nodes[wire.source.node], graph.nodes[wire.target.node]
    key = graph.free_id(kind.lower())
    aside = 110 if source is target else 70 if source.x > target.x else 0
    place = ((source.x + target.x) / 2, (source.y + target.y) / 2 + aside)
    node = Node(key, kind, frozen(params), *place)
    return Compound(
        (
            Disconnect((wire,), name),
            AddNode(node, name),
            Connect(Wire(wire.source, Pin(key, port)), name),
            Connect(Wire(Pin(key, "out"), wire.target), name),
        ),
        f"Insert {kind}",
    )


def insert_delay(name: str, graph: Graph, wires: Sequence[Wire]) -> Fix | None:
    """A Delay in the wire of a loop that runs most against the drawing's direction."""
    if not wires:
        return None

    def backwards(wire: Wire) -> float:
        return graph.nodes[wire.source.node].x - graph.nodes[wire.target.node].x

    return splice(name, graph, max(wires, key=backwards), "Delay", {}, "input"), "Insert a Delay"


def for_mistake(
    mistake: Mistake,
    graph_name: str,
    design: Design,
    node: str,
    feeds: Mapping[str, tuple[str, str]],
    found: Mapping[tuple[str, str], Signal | None],
) -> Fix | None:
    """The fix for a shape rule's complaint at `node`, where one is known."""
    graph = design.graph_of(graph_name)
    source = feeds.get(mistake.port)
    if source is None:
        return None
    if mistake.code == "TokensWhereFeaturesBelong" and mistake.port != "target":
        wire = Wire(Pin(*source), Pin(node, mistake.port))
        return splice(graph_name, graph, wire, "Embedding", {}, "input"), "Insert an Embedding"
    if mistake.code == "AxisMeetsItself":
        wire = Wire(Pin(*source), Pin(node, mistake.port))
        return splice(graph_name, graph, wire, "RenameAxis", {}, "input"), "Give it a second name by Rename axis"
    if mistake.code == "WidthClash" and mistake.port == "prediction" and "target" in feeds:
        target = found.get(feeds["target"])
        reader = graph.nodes[source[0]]
        if target is not None and reader.kind == "Linear":
            size = target.content.size if isinstance(target.content, Tokens) else target.content.width
            value = _size_of_the_data(design, graph_name, target) or size
            shown = f"{value} ({size})" if isinstance(value, Var) else str(size)
            return SetParam(reader.id, "units", value, graph_name), f"Set the units of {reader.label} to {shown}"
    return None


def _size_of_the_data(design: Design, graph_name: str, target: Signal) -> Var | None:
    """The variable that follows the data's vocabulary, so that another text fits as well."""
    fields = {spec.name for spec in design.data.fields} if design.data is not None else set()
    if graph_name != MAIN or not isinstance(target.content, Tokens) or target.content.field not in fields:
        return None
    return Var(f"{target.content.field}_size")
