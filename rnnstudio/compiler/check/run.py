"""One check while it runs: the signals and diagnostics found so far, over the design's graph and every cell it uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...design.design import CellDefinition, Node, Wire
from ...design.signals import Signal
from ..diagnostics import Diagnostic, Key, Remedies
from ..muting import Unmuted
from .memory import Inside, Memory, Remembered, Settled

LONGEST = 600
"""Letters of a message; only names that nobody types make a longer one."""


class Run:
    """Collects signals and diagnostics. Owner: the Checker, for the time of one check."""

    def __init__(self, memory: Memory, muting: Unmuted, remedies: Remedies) -> None:
        self.remedies = remedies
        self.memory = memory
        self.catalog = memory.catalog
        self.context = memory.context
        self.muting = muting
        self.design = muting.design
        self.signals: dict[Key, Signal] = {}
        self.diagnostics: list[Diagnostic] = []
        self.last: dict[tuple[str, str], Remembered] = {}
        self.tapes: list[Inside] = []
        self.live: set[str] = set()
        self.main: Mapping[str, Mapping[str, Any]] = {}
        self.seen: set[tuple[str, str, str, str]] = set()
        self.settled: dict[str, Settled] = {}
        self.late: dict[str, tuple[str, ...]] = {}
        self.within: dict[str, Mapping[str, CellDefinition]] = {}

    def of_library(self, name: str) -> bool:
        """Whether a graph is a cell as the library draws it: what is wrong there is wrong around it."""
        cell = self.design.cells.get(name)
        return cell is not None and self.memory.is_library(cell)

    def around_library(self, place: Settled, key: str) -> tuple[Settled, str]:
        """The place of a node, or of the cell around it that the library draws."""
        while place.outside is not None and self.of_library(place.graph):
            scope, key = place.outside
            place = self.settled[scope]
        return place, key

    def around(self, place: Settled, node: Node) -> Iterator[Node]:
        """A node and the cells around it, the outermost last."""
        yield node
        while place.outside is not None:
            scope, key = place.outside
            place = self.settled[scope]
            yield place.drawn[key].node

    def outermost(self, place: Settled, node: Node) -> Node:
        """The node of the design's own graph that a node is, or is inside of."""
        *_, last = self.around(place, node)
        return last

    def report(
        self,
        code: str,
        severity: str,
        message: str,
        graph: str,
        nodes: Iterable[str] = (),
        wires: Iterable[Wire] = (),
        port: str = "",
        param: str = "",
    ) -> None:
        """Add a diagnostic once: a cell used twice does not report its inside twice."""
        nodes, wires = tuple(nodes), tuple(wires)
        message = " ".join(message.splitlines())  # a file's names may hold anything
        if len(message) > LONGEST:
            message = f"{message[:LONGEST]}…"
        for tape in self.tapes:
            tape.reports.append((code, severity, message, graph, nodes, wires, port, param))
        key = (graph, code, ",".join(nodes), port + message)
        if key in self.seen:
            return
        self.seen.add(key)
        found = Diagnostic(code, severity, message, graph, nodes, wires, port, param, self.remedies)
        self.diagnostics.append(found)

    def remember(self, key: tuple[str, str], found: Remembered) -> None:
        self.last[key] = found
        for tape in self.tapes:
            tape.last[key] = found

    def settle(self, scope: str, place: Settled) -> None:
        self.settled[scope] = place
        for tape in self.tapes:
            tape.settled[scope] = place
