"""A pen that finds the place of each node itself: right of what it reads, in its own row or the next free one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..catalog.catalog import CELL, Catalog
from ..catalog.sketch import Sketch
from ..design.design import CellDefinition, Graph, Value

COLUMN, ROW = 260.0, 130.0


class Pen:
    """Draws nodes and returns what each gives, "node.port". cells: the library's cells that were drawn."""

    def __init__(self, catalog: Catalog) -> None:
        self._sketch = Sketch(COLUMN)
        self._catalog = catalog
        self._at: dict[str, tuple[int, int]] = {}
        self.cells: dict[str, CellDefinition] = {}

    def node(
        self,
        kind: str,
        wanted: str,
        params: Mapping[str, Value] | None = None,
        *,
        title: str = "",
        out: str = "out",
        inputs: Mapping[str, str] | None = None,
        right_of: Iterable[str] = (),
        row: int | None = None,
        at: tuple[int, int] | None = None,
        shared: str = "",
        **sources: str,
    ) -> str:
        """Draw a node, or a cell of the library. Returns its output.

        wanted: its id, as far as it is free. sources, inputs: outputs by port. right_of: further nodes, not
        wired (yet), that it is to stand behind; row: where it has no source to stand beside; at: column and row,
        where neither tells. shared: nodes with one name here have one set of weights.
        """
        made = dict(params or {})
        sources |= inputs or {}
        if kind not in self._catalog.kinds:
            self.cells |= self._catalog.definitions_for(kind)
            kind, made = CELL, {"cell": kind, **made}
        key = self._free(wanted)
        before = [source.partition(".")[0] for source in (*sources.values(), *right_of)]
        column = 1 + max((self._at[name][0] for name in before), default=-1)
        if at is None:
            at = column, row if row is not None else self._at[before[0]][1] if before else 0
        while at in self._at.values():
            at = at[0], at[1] + 1
        self._at[key] = at
        place = (at[0], at[1] * ROW / Sketch.ROW)
        self._sketch.add(key, kind, at=place, params=made, title=title, shared=shared, **sources)
        return f"{key}.{out}"

    def wire(self, source: str, target: str) -> None:
        """Connect an output to an input of a node that was drawn before."""
        self._sketch.wire(source, target)

    @property
    def rows(self) -> int:
        """The first row below everything."""
        return 1 + max((row for _, row in self._at.values()), default=-1)

    def knows(self, cell: str) -> bool:
        """Whether the library has a cell of that name."""
        return self._catalog.definition(cell) is not None

    def place_of(self, output: str) -> tuple[int, int]:
        """Column and row of the node that gives this output."""
        return self._at[output.partition(".")[0]]

    def graph(self) -> Graph:
        return self._sketch.graph()

    def _free(self, wanted: str) -> str:
        plain = re.sub(r"\W+", "_", wanted).strip("_").lower() or "node"
        key, number = plain, 2
        while key in self._at:
            key, number = f"{plain}{number}", number + 1
        return key
