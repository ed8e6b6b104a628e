"""What is wrong with a drawing: where, in one sentence, and how to put it right; and the drawing with its types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..design.design import Design, Wire
from ..design.edits import Edit
from ..design.signals import Signal

Key = tuple[str, str, str]
"""(graph, node, port): graph is MAIN or the name of a cell."""

Fix = tuple[Edit, str]
"""An edit and what its button says."""


class Remedies(Protocol):
    """Who knows how the diagnostics of a drawing are put right."""

    def of(self, diagnostic: Diagnostic) -> Fix | None: ...


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. severity: "error" (it cannot be trained), "warning" (it can, but…), "hint".

    graph: MAIN ("") or the name of a cell; nodes, wires, port, param: the place. The fix is sought when it is asked
    for: tried on the drawing, it takes some milliseconds.
    """

    code: str
    severity: str
    message: str
    graph: str = ""
    nodes: tuple[str, ...] = ()
    wires: tuple[Wire, ...] = ()
    port: str = ""
    param: str = ""
    remedies: Remedies | None = field(default=None, compare=False, repr=False)

    @property
    def fix(self) -> Edit | None:
        """An edit that puts it right and breaks nothing else."""
        found = self.remedies.of(self) if self.remedies is not None else None
        return found[0] if found is not None else None

    @property
    def fix_title(self) -> str:
        """What the fix does, in a few words; "" without one."""
        found = self.remedies.of(self) if self.remedies is not None else None
        return found[1] if found is not None else ""

    @property
    def elsewhere(self) -> str:
        """Its place without what the message begins with."""
        names = "" if self.message.startswith(self.nodes) else ", ".join(self.nodes)
        return f"cell {self.graph}: {names}".removesuffix(": ") if self.graph else names

    def text(self) -> str:
        """One line: "error LoopWithoutDelay at a, b: …"."""
        place = ", ".join(self.nodes)
        if self.port:
            place += f".{self.port}"
        if self.graph:
            place = f"cell {self.graph}: {place}"
        return f"{self.severity} {self.code}" + (f" at {place}" if place else "") + f": {self.message}"


@dataclass(frozen=True, slots=True)
class Checked:
    """The typed design: the signal of every port that has one, and everything that is wrong."""

    design: Design
    signals: Mapping[Key, Signal]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether the design compiles."""
        return not self.errors
