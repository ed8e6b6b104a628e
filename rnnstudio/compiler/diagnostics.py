"""What is wrong with a drawing: where, in one sentence, and how to put it right."""

from __future__ import annotations

from dataclasses import dataclass

from ..design.design import Wire
from ..design.edits import Edit


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. severity: "error" (it cannot be trained), "warning" (it can, but…), "hint".

    graph: MAIN ("") or the name of a cell; nodes, wires, port: the place. `fix` is an edit that would put it right.
    """

    code: str
    severity: str
    message: str
    graph: str = ""
    nodes: tuple[str, ...] = ()
    wires: tuple[Wire, ...] = ()
    port: str = ""
    fix: Edit | None = None
    fix_title: str = ""

    def text(self) -> str:
        """One line: "error LoopWithoutDelay at a, b: …"."""
        place = ", ".join(self.nodes)
        if self.port:
            place += f".{self.port}"
        if self.graph:
            place = f"cell {self.graph}: {place}"
        return f"{self.severity} {self.code}" + (f" at {place}" if place else "") + f": {self.message}"
