"""What a drawing that is not finished still lacks, apart from what is wrong with it."""

from __future__ import annotations

from .diagnostics import Checked, Diagnostic

MISSING = "missing"
"""In the place of a severity: how what is only not there yet is told, by a quiet mark."""
LACKING = ("Unconnected", "NoData", "NoLoss", "DeadNode")
"""A wire, a size that data will tell, a loss, something that reads a node: whoever draws comes to it by drawing on."""


def missing(checked: Checked) -> frozenset[Diagnostic]:
    """The diagnostics that say no more than what is not there yet, and those of nodes whose inputs are not there."""
    found = {d for d in checked.diagnostics if d.code in LACKING}
    open_nodes = {(d.graph, key) for d in found if d.code == "Unconnected" for key in d.nodes}
    for d in checked.diagnostics:
        if d.nodes and not d.wires and not d.param and all((d.graph, key) in open_nodes for key in d.nodes):
            found.add(d)
    return frozenset(found)
