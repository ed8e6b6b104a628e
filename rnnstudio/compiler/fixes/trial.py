"""Whether a drawing is better after a fix: the problem is gone, and nothing is wrong that was not wrong before."""

from __future__ import annotations

from ...catalog.catalog import Catalog
from ...design.design import Pin
from ..diagnostics import Checked, Diagnostic
from ..resolve import ports

AFTER_ALL_ELSE = (
    *("UnknownAxis", "SharedShapes", "WholeAxisInLoop", "SequenceAndTree", "ChildrenAcrossSteps"),
    *("UnknownShape", "EndlessShape", "MixedDirections", "LoopWithoutDelay"),
)
"""Codes that are looked for only when nothing else is wrong."""

Same = tuple[str, str, tuple[str, ...], str, str]


def same(d: Diagnostic) -> Same:
    """What makes two diagnostics of two drawings the same problem."""
    return d.code, d.graph, d.nodes, d.port, d.param


def worse(before: Checked, after: Checked, fixed: Diagnostic, catalog: Catalog) -> tuple[int, int] | None:
    """What a fix costs: errors that were hidden behind the one it mends, and new warnings and hints.

    None when it does not mend it, or makes an error of its own.
    """
    known = {same(d) for d in before.diagnostics}
    if same(fixed) in {same(d) for d in after.diagnostics}:
        return None
    new = [d for d in after.diagnostics if same(d) not in known]
    errors = [d for d in new if d.severity == "error"]
    if any(not uncovered(d, before, fixed, catalog) for d in errors):
        return None
    if fixed.code != "TargetLeaks" and any(d.code == "TargetLeaks" for d in new):
        return None
    return len(errors), len(new) - len(errors)


def uncovered(error: Diagnostic, before: Checked, fixed: Diagnostic, catalog: Catalog) -> bool:
    """Whether an error was there before, hidden: its node's inputs were not known, or it was not looked for yet."""
    if error.code == fixed.code == "LoopWithoutDelay" and set(error.nodes) < set(fixed.nodes):
        return True  # one of several loops through the same nodes
    if fixed.code == "LoopWithoutDelay" and error.code == "UnknownShape":
        return True  # no shape within the loop could be told before
    if fixed.code == "UnknownPort" and error.code == "Unconnected":
        return (error.graph, Pin(error.nodes[0], error.port)) == (fixed.graph, fixed.wires[0].target)
    if fixed.graph == error.graph and set(error.nodes) & set(fixed.nodes):
        return False
    graph = before.design.graph_of(error.graph) if error.graph in ("", *before.design.cells) else None
    if graph is None or not all(key in graph.nodes for key in error.nodes):
        return False
    if error.code in AFTER_ALL_ELSE and before.errors:
        return True
    return any(_unjudged(before, error.graph, key, catalog) for key in error.nodes)


def _unjudged(checked: Checked, name: str, key: str, catalog: Catalog) -> bool:
    """Whether some input of a node had no known signal."""
    graph = checked.design.graph_of(name)
    node = graph.nodes[key]
    fed = {wire.target.port: wire.source for wire in graph.wires_into(key)}
    found = ports(node, checked.design, catalog.of(node))
    inputs = found[0] if found is not None else ()
    sources: list[Pin | None] = [fed.get(port.name) for port in inputs if not port.optional or port.name in fed]
    return any(pin is None or (name, pin.node, pin.port) not in checked.signals for pin in sources)
