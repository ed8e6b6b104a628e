"""The part of a drawing with nothing wrong in it, so that it can be counted while something is wrong elsewhere."""

from __future__ import annotations

from ..catalog.catalog import CELL, Catalog
from ..design.design import MAIN, Design, Graph, Node, Pin, Wire, frozen
from .check import Checked, check
from .resolve import ports

ROUNDS = 4
"""What is cut away can lay bare what was wrong beside it; so often it is looked again."""


def sound_part(checked: Checked, catalog: Catalog) -> Design | None:
    """The design without the nodes of the main drawing that have an error, or read one that has, its open ends led to
    Outputs. The design itself where nothing is wrong and something leads to a loss or an output; None where nothing is
    left.
    """
    design = checked.design
    for _ in range(ROUNDS):
        wrong = {key for d in checked.errors if d.graph == MAIN for key in d.nodes}
        cells = {d.graph for d in checked.errors if d.graph != MAIN}
        wrong |= {key for key, node in design.graph.nodes.items() if node.kind == CELL and _holds(node, cells, design)}
        if not wrong and checked.errors:
            return None  # something of the whole: it has no place to be cut away
        left = _without(design, wrong, catalog) if wrong else design
        left = _with_ends(left, catalog)
        if not left.graph.nodes:
            return None
        if left == design and checked.ok:
            return left
        design, checked = left, check(left, catalog)
        if checked.ok:
            return design
    return None


def _holds(node: Node, cells: set[str], design: Design) -> bool:
    """Whether a cell node stands for one of these cells, or one is inside of it."""
    todo, seen = [str(node.params.get("cell", ""))], set[str]()
    while todo:
        name = todo.pop()
        if name in cells:
            return True
        if name not in seen and name in design.cells:
            seen.add(name)
            inside = design.cells[name].graph.nodes.values()
            todo += [str(n.params.get("cell", "")) for n in inside if n.kind == CELL]
    return False


def _without(design: Design, wrong: set[str], catalog: Catalog) -> Design:
    """Without these nodes, and those that need what they gave."""
    nodes, wires = dict(design.graph.nodes), list(design.graph.wires)
    todo = set(wrong)
    while todo:
        for key in todo:
            nodes.pop(key, None)
        wires = [w for w in wires if w.source.node in nodes and w.target.node in nodes]
        fed = {w.target for w in wires}
        todo = {
            key
            for key, node in nodes.items()
            for found in [ports(node, design, catalog.of(node))]
            if found is None or any(not p.optional and Pin(key, p.name) not in fed for p in found[0])
        }
    return design.replace(graph=Graph(frozen(nodes), tuple(wires)))


def _with_ends(design: Design, catalog: Catalog) -> Design:
    """Every output that nobody reads is led to an Output: else it would be left out as dead."""
    graph = design.graph
    read = {wire.source for wire in graph.wires}
    nodes, wires = dict(graph.nodes), list(graph.wires)
    for key, node in graph.nodes.items():
        kind = catalog.of(node)
        found = ports(node, design, kind)
        outputs = found[1] if found is not None else ()
        if any(Pin(key, port.name) in read for port in outputs) or (kind is not None and kind.family == "Data"):
            continue
        for port in outputs:
            if port.content in ("real", "any"):
                end = graph.free_id(f"{key}_{port.name}_end") if len(outputs) > 1 else graph.free_id(f"{key}_end")
                nodes[end] = Node(end, "Output")
                wires.append(Wire(Pin(key, port.name), Pin(end, "input")))
                break
    if len(nodes) == len(graph.nodes):
        return design
    return design.replace(graph=graph.replace(nodes=frozen(nodes), wires=tuple(wires)))
