"""Which wires of a drawing are the line of a state: what is held from step to step, and the way it takes there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ...design.design import Graph, Wire

HOLDERS = ("Delay", "Children")
"""Kinds that hand a state on, to the next step or to a node's parent."""
ELEMENTWISE = ("Add", "Multiply", "Subtract", "Blend", "Clock", "Sum", "Reroute")
"""Kinds that a state goes through unit by unit, and stays the state."""


def state_wires(graph: Graph) -> Callable[[Wire], bool]:
    """Whether a wire is the line of a state: what a holder gives, what it takes in, whoever reads that, and the
    elementwise way between.

    Time: linear in the wires; it runs at every edit, so it works on names alone.
    """
    holders = {key for key, node in graph.nodes.items() if node.kind in HOLDERS}
    if not holders:
        return lambda wire: False
    on_the_way = {key for key, node in graph.nodes.items() if node.kind in ELEMENTWISE} | holders
    ahead: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    given = {(key, "out") for key in holders}
    for wire in graph.wires:
        source, target = wire.source, wire.target
        if target.node not in on_the_way:
            continue
        if target.node in holders and target.port == "input":
            given.add((source.node, source.port))
        if source.node in on_the_way and target.port != "initial":
            ahead.setdefault(source.node, []).append(target.node)
            back.setdefault(target.node, []).append(source.node)
    line = _reached(holders, ahead) & _reached(holders, back)

    def is_state(wire: Wire) -> bool:
        source = wire.source
        if source.node in line and wire.target.node in line and wire.target.port != "initial":
            return True
        return (source.node, source.port) in given

    return is_state


def _reached(start: Iterable[str], steps: Mapping[str, list[str]]) -> set[str]:
    found = set(start)
    todo = list(found)
    while todo:
        for key in steps.get(todo.pop(), ()):
            if key not in found:
                found.add(key)
                todo.append(key)
    return found
