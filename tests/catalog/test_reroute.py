"""A reroute point means nothing to the compiler: with one in every wire the program is the same."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check, compile_design
from rnnstudio.design.design import MAIN, Design, Graph, Node, Pin, Wire, frozen
from tests.conformance.drawings import DRAWINGS


def with_points(design: Design) -> Design:
    """The design with a reroute point in every wire of its own graph and of its cells."""
    for name in (MAIN, *design.cells):
        graph = design.graph_of(name)
        nodes, wires = dict(graph.nodes), []
        for number, wire in enumerate(graph.wires):
            key = f"point{number}"
            nodes[key] = Node(key, "Reroute")
            wires += [Wire(wire.source, Pin(key, "input")), Wire(Pin(key, "out"), wire.target)]
        design = design.with_graph(name, Graph(frozen(nodes), tuple(wires)))
    return design


@pytest.mark.parametrize("name", ["lstm", "language model", "bidirectional lstm", "attention", "grid", "two losses"])
def test_a_point_in_every_wire_changes_nothing(name: str) -> None:
    plain = DRAWINGS[name]()
    led = with_points(plain)
    assert [d for d in check(led, standard()).diagnostics if d.severity == "error"] == []
    assert compile_design(led, standard()).text() == compile_design(plain, standard()).text()
