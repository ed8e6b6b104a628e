"""Weights that several nodes use by one name: whose settings hold, and where the settings differ.

They are frozen when any of the nodes says so. They start as the node says whose own name they have; else the first of
the nodes in the order of their names, which is the same however the drawing was made or saved.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..catalog.primitives import Parameter
from ..design.errors import StudioError


@dataclass(frozen=True, slots=True)
class Clash:
    """Nodes that share weights and disagree. nodes: their paths, the one first that decides how the weights start.

    frozen: those that freeze them, where others do not; starts: whether they start them differently.
    """

    nodes: tuple[str, ...]
    frozen: tuple[str, ...]
    starts: bool


@dataclass(frozen=True, slots=True)
class _Request:
    """What one node wants of a parameter. own: it has the node's own name."""

    node: str
    kind: str
    own: bool
    wanted: Parameter


class SharedParameters:
    """Collects what every node wants of its parameters."""

    def __init__(self) -> None:
        self._requests: dict[str, list[_Request]] = {}

    def ask(self, wanted: Parameter, node: str, weights: str, kind: str) -> None:
        """node: the path of who asks; weights: the name of its weights. Raises StudioError when the shapes differ."""
        there = self._requests.setdefault(wanted.path, [])
        if there and there[0].wanted.shape != wanted.shape:
            raise StudioError(
                f"{node} shares “{wanted.path}” of shape {list(there[0].wanted.shape)} but needs {list(wanted.shape)}",
                where=node,
                remedy="Give both nodes the same sizes, or other shared names.",
            )
        there.append(_Request(node, kind, node == weights, wanted))

    def settled(self) -> tuple[Parameter, ...]:
        """Each parameter as it will be, in the order in which they were asked for first."""
        found = []
        for requests in self._requests.values():
            first = _deciding(requests)[0].wanted
            trainable = all(r.wanted.trainable for r in requests)
            found.append(Parameter(first.path, first.shape, first.init, trainable))
        return tuple(found)

    def clashes(self) -> tuple[Clash, ...]:
        """Where nodes disagree, once for the same nodes. Nodes of two kinds have different starts by nature: an
        embedding that is tied to a readout starts as the one that decides, and nothing is wrong."""
        found: dict[tuple[str, ...], Clash] = {}
        for requests in self._requests.values():
            if len(requests) == 1:
                continue
            ordered = _deciding(requests)
            frozen = tuple(dict.fromkeys(r.node for r in ordered if not r.wanted.trainable))
            some = frozen if not all(not r.wanted.trainable for r in ordered) else ()
            starts = any(r.kind == ordered[0].kind and r.wanted.init != ordered[0].wanted.init for r in ordered)
            nodes = tuple(dict.fromkeys(r.node for r in ordered))
            if (some or starts) and len(nodes) > 1:
                before = found.get(nodes)
                found[nodes] = Clash(
                    nodes, some or (before.frozen if before else ()), starts or bool(before and before.starts)
                )
        return tuple(found.values())


def _deciding(requests: list[_Request]) -> list[_Request]:
    return sorted(requests, key=lambda r: (not r.own, r.node))
