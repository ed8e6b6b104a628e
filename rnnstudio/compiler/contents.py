"""What ports carry before any size is known: tokens, features or a loss, found by following wires.

A cell's ports, and nodes that let through what comes in (Reroute, Rename axis), say “any”; what they carry is told by
what they are wired to, in the drawing and inside of cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..catalog.catalog import CELL, Catalog
from ..catalog.node import Port
from ..design.design import CellDefinition, Graph, Pin
from .resolve import cell_ports

Ports = tuple[tuple[Port, ...], tuple[Port, ...]]
ANY = "any"
THROUGH = ("Reroute", "RenameAxis", "Reverse")
"""Kinds whose one output is what their one input is."""


_KEPT: dict[tuple[int, int, int], tuple[object, Ports]] = {}
MOST = 256


def ports_of(cell: CellDefinition, cells: Mapping[str, CellDefinition], catalog: Catalog) -> Ports:
    """A cell's input and output ports, each with its content. Definitions never change, so that it is found once."""
    key = (id(cell), id(cells), id(catalog))
    kept = _KEPT.get(key)
    if kept is None:
        if len(_KEPT) >= MOST:
            _KEPT.clear()
        _KEPT[key] = kept = ((cell, cells, catalog), Contents(cells, catalog).ports_of(cell))
    return kept[1]


class Contents:
    """Of one catalogue and the cells of one design. It is made for a look and thrown away: cells change."""

    def __init__(self, cells: Mapping[str, CellDefinition], catalog: Catalog) -> None:
        self._cells = cells
        self._catalog = catalog
        self._inside: dict[str, tuple[dict[str, str], dict[str, str]]] = {}

    def ports_of(self, cell: CellDefinition) -> Ports:
        """A cell's input and output ports, each with its content."""
        into, out = self._of_cell(cell)
        inputs, outputs = cell_ports(cell)
        return (
            tuple(replace(port, content=into.get(port.name, ANY)) for port in inputs),
            tuple(replace(port, content=out.get(port.name, ANY)) for port in outputs),
        )

    def given(self, graph: Graph, pin: Pin) -> str:
        """What an output of a graph gives; “any” where nothing tells."""
        return self._given(graph, pin, frozenset())

    def taken(self, graph: Graph, pin: Pin) -> str:
        """What an input of a graph takes; “any” where nothing tells."""
        return self._taken(graph, pin, frozenset())

    def _of_cell(self, cell: CellDefinition) -> tuple[dict[str, str], dict[str, str]]:
        if cell.name not in self._inside:
            self._inside[cell.name] = ({}, {})  # a cell inside itself tells nothing
            inputs, outputs = cell_ports(cell)
            into = {p.name: self._entered(cell.graph, Pin(p.name, "out"), frozenset()) for p in inputs}
            out = {p.name: self._fed(cell.graph, Pin(p.name, "input"), frozenset()) for p in outputs}
            self._inside[cell.name] = (into, out)
        return self._inside[cell.name]

    def _port(self, graph: Graph, pin: Pin, is_input: bool) -> str:
        """What the node itself says of a port."""
        node = graph.nodes.get(pin.node)
        if node is None:
            return ANY
        if node.kind == CELL:
            name = str(node.params.get("cell", ""))
            cell = self._cells.get(name) or self._catalog.definition(name)
            return self._of_cell(cell)[0 if is_input else 1].get(pin.port, ANY) if cell is not None else ANY
        kind = self._catalog.of(node)
        if kind is None:
            return ANY
        ports = kind.input_ports(_plain(node.params)) if is_input else kind.output_ports(_plain(node.params))
        return next((port.content for port in ports if port.name == pin.port), ANY)

    def _given(self, graph: Graph, pin: Pin, seen: frozenset[Pin]) -> str:
        said = self._port(graph, pin, False)
        node = graph.nodes.get(pin.node)
        if said != ANY or node is None or node.kind not in THROUGH or pin in seen:
            return said
        return self._fed(graph, Pin(pin.node, "input"), seen | {pin})

    def _taken(self, graph: Graph, pin: Pin, seen: frozenset[Pin]) -> str:
        said = self._port(graph, pin, True)
        node = graph.nodes.get(pin.node)
        if said != ANY or node is None or node.kind not in THROUGH or pin in seen:
            return said
        return self._entered(graph, Pin(pin.node, "out"), seen | {pin})

    def _fed(self, graph: Graph, pin: Pin, seen: frozenset[Pin]) -> str:
        """What the wire into an input brings."""
        return next((self._given(graph, w.source, seen) for w in graph.wires if w.target == pin), ANY)

    def _entered(self, graph: Graph, pin: Pin, seen: frozenset[Pin]) -> str:
        """What all that an output leads to takes; “any” where they do not say one thing."""
        found = {self._taken(graph, w.target, seen) for w in graph.wires if w.source == pin} - {ANY}
        return found.pop() if len(found) == 1 else ANY


def _plain(params: Mapping[str, object]) -> Mapping[str, object]:
    """Numbers alone: a variable changes no port's content."""
    return {name: value for name, value in params.items() if isinstance(value, int | float | str | tuple)}
