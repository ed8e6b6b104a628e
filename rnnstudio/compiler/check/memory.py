"""What checking remembers: of each node between two checks, and of each graph while it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...catalog.catalog import Catalog
from ...catalog.node import Context, Mistake, Port, Signals
from ...design.design import CellDefinition, Node
from ...design.signals import Signal
from ..resolve import Problem, Variables
from ..whole import Proofs


@dataclass(slots=True)
class Remembered:
    """What inference of one node gave for some inputs. weights: how many numbers they have; None: not counted yet."""

    inputs: Signals
    outputs: Mapping[str, Signal | None]
    mistake: Mistake | None = None
    weights: int | None = None


@dataclass(slots=True)
class Inside:
    """All that checking the inside of a cell at one place gave for some inputs."""

    inputs: Signals
    outputs: Mapping[str, Signal | None] = field(default_factory=dict)
    reports: list[tuple[Any, ...]] = field(default_factory=list)
    settled: dict[str, Settled] = field(default_factory=dict)
    last: dict[tuple[str, str], Remembered] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """A node at one place with its ports and parameters, and what was found for it: valid while all it read stays."""

    node: Node
    variables: Variables
    context: Context
    within: Mapping[str, CellDefinition]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    params: Mapping[str, Any]
    problems: list[Problem]
    late: tuple[str, ...]
    found: list[Remembered] = field(default_factory=list)
    runs: list[Inside] = field(default_factory=list)
    input_names: frozenset[str] = field(init=False)
    output_names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.input_names = frozenset(port.name for port in self.inputs)
        self.output_names = frozenset(port.name for port in self.outputs)


@dataclass(slots=True)
class Drawn:
    """A node while its graph is checked."""

    node: Node
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    params: Mapping[str, Any]
    late: tuple[str, ...]
    plan: Plan
    cell: CellDefinition | None = None
    feeds: dict[str, tuple[str, str]] = field(default_factory=dict)
    broken: bool = False


@dataclass(slots=True)
class Settled:
    """A graph at one place, when its inference has ended; `restless`: nodes whose shapes still changed then.

    outside: the place of the graph around it and the cell node there, None for the design's own graph.
    inside: the way there, “graph:node” and “graph” of each cell around it, the innermost last.
    """

    graph: str
    drawn: dict[str, Drawn]
    found: dict[tuple[str, str], Signal | None]
    restless: tuple[str, ...]
    outside: tuple[str, str] | None = None
    inside: tuple[str, ...] = ()


class Memory:
    """What is kept from one check of a design to the next. Owner: the Checker."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.plans: dict[tuple[str, str], Plan] = {}
        self.proofs = Proofs(catalog)
        self.variables: Variables = {}
        self.context = Context({}, {})
        self._library: dict[str, tuple[CellDefinition, bool]] = {}

    def is_library(self, cell: CellDefinition) -> bool:
        """Whether the library draws a cell just so."""
        known = self._library.get(cell.name)
        if known is None or known[0] is not cell:
            known = self._library[cell.name] = cell, self.catalog.draws(cell)
        return known[1]
