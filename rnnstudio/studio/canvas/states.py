"""Which wires of a drawing are the line of a state: what is held from step to step, and the way it takes there."""

from __future__ import annotations

from ...design.design import Graph, Pin, Wire

HOLDERS = ("Delay", "Children")
"""Kinds that hand a state on, to the next step or to a node's parent."""
ELEMENTWISE = ("Add", "Multiply", "Subtract", "Blend", "Clock", "Sum", "Reroute")
"""Kinds that a state goes through unit by unit, and stays the state."""


def state_wires(graph: Graph) -> frozenset[Wire]:
    """What a state's holder gives, what it takes in, whoever reads that, and the elementwise way between.

    Time: linear in the wires.
    """
    holders = {key for key, node in graph.nodes.items() if node.kind in HOLDERS}
    if not holders:
        return frozenset()
    on_the_way = {key for key, node in graph.nodes.items() if node.kind in ELEMENTWISE} | holders
    by_source: dict[str, list[Wire]] = {}
    by_target: dict[str, list[Wire]] = {}
    for wire in graph.wires:
        by_source.setdefault(wire.source.node, []).append(wire)
        by_target.setdefault(wire.target.node, []).append(wire)
    ahead: set[str] = set(holders)
    todo = list(holders)
    while todo:
        for wire in by_source.get(todo.pop(), ()):
            if wire.target.node in on_the_way and wire.target.node not in ahead:
                ahead.add(wire.target.node)
                todo.append(wire.target.node)
    back: set[str] = set(holders)
    todo = list(holders)
    while todo:
        for wire in by_target.get(todo.pop(), ()):
            if wire.source.node in on_the_way and wire.source.node not in back and wire.target.port != "initial":
                back.add(wire.source.node)
                todo.append(wire.source.node)
    given = {w.source for key in holders for w in by_target.get(key, ()) if w.target.port == "input"}
    pins = given | {Pin(key, "out") for key in holders}
    line = ahead & back
    between = (w for w in graph.wires if w.source.node in line and w.target.node in line)
    return frozenset((*between, *(w for w in graph.wires if w.source in pins)))
