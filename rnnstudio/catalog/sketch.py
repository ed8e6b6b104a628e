"""A small pen for drawing graphs in Python: cells of the library, examples and tests are drawn with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..design.design import CellDefinition, Frame, Graph, Node, Pin, Value, Wire, frozen


class Sketch:
    """Collects nodes and wires. A node is placed on a grid: `at=(column, row)`.

    >>> s = Sketch()
    >>> x = s.add("x", "CellInput", at=(0, 0))
    >>> s.add("y", "CellOutput", at=(1, 0), input=x)
    'y.out'
    """

    COLUMN, ROW = 190.0, 100.0

    def __init__(self, column: float = COLUMN, row: float = ROW) -> None:
        """column: distance of two columns; 260 leaves room for the shapes on the wires of wide nodes.

        row: that of two rows. With 10 and 10 places are those of the canvas's grid, for drawings laid out by hand.
        """
        self.column = column
        self.row = row
        self._nodes: dict[str, Node] = {}
        self._wires: list[Wire] = []
        self._frames: list[Frame] = []

    def add(
        self,
        name: str,
        kind: str,
        *,
        at: tuple[float, float],
        params: Mapping[str, Value] | None = None,
        title: str = "",
        shared: str = "",
        **inputs: str,
    ) -> str:
        """Draw a node and wire its inputs: `port="node.port"`, or `port="node"` for its output "out".

        Returns "name.out".
        """
        x, y = at[0] * self.column, at[1] * self.row
        self._nodes[name] = Node(name, kind, frozen(params or {}), x, y, title, shared)
        for port, source in inputs.items():
            self.wire(source, f"{name}.{port}")
        return f"{name}.out"

    def wire(self, source: str, target: str) -> None:
        """Connect two ports. The nodes may be added later."""
        node, _, port = source.partition(".")
        to, _, entry = target.partition(".")
        self._wires.append(Wire(Pin(node, port or "out"), Pin(to, entry or "input")))

    def frame(self, title: str, at: tuple[float, float], size: tuple[float, float], color: str = "") -> None:
        """A titled rectangle behind nodes. at: its upper left corner, and size, both in columns and rows."""
        x, y, width, height = at[0] * self.column, at[1] * self.row, size[0] * self.column, size[1] * self.row
        self._frames.append(Frame(f"frame{len(self._frames) + 1}", title, x, y, width, height, color))

    def graph(self) -> Graph:
        return Graph(frozen(self._nodes), tuple(self._wires), tuple(self._frames))

    def cell(self, name: str, params: dict[str, Any], doc: str, formula: str, source: str = "") -> CellDefinition:
        return CellDefinition(name, self.graph(), frozen(params), doc, formula, source)
