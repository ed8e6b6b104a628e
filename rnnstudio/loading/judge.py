"""Whether a plugin can be taken in: everything it adds is looked at before any of it is used."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..catalog.catalog import CELL, Catalog
from ..catalog.node import NodeKind, Param, Port
from ..compiler.check import check
from ..compiler.resolve import cell_ports
from ..data import readers as data_readers
from ..data.options import describe, parse
from ..data.readers import Reader
from ..design.cell_file import load_cell
from ..design.design import CellDefinition, Design, Graph, Node, frozen
from ..design.edits import check_name
from ..design.errors import StudioError
from .guard import GuardedKind
from .plugin import RESERVED_FORMATS, Exporter, Plugin

_OWN_SUFFIXES = (".txt", ".csv", ".tsv")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


class Unfit(Exception):  # noqa: N818 (a verdict)
    """Why a plugin is not taken in, in one sentence."""


@dataclass(frozen=True)
class Stock:
    """What has been taken in so far: catalogue, readers and exporters by name, and the plugins' names."""

    catalog: Catalog
    readers: Mapping[str, Reader]
    exporters: Mapping[str, Exporter]
    names: frozenset[str] = frozenset()

    def with_plugin(self, plugin: object) -> tuple[Stock, Plugin]:
        """The stock with all that the plugin adds, and the plugin with its cells read. Raises Unfit."""
        if not isinstance(plugin, Plugin):
            raise Unfit(f"it gives {_what(plugin)} where a Plugin belongs")
        if not isinstance(plugin.name, str) or not plugin.name.strip():
            raise Unfit("it has no name")
        if plugin.name in self.names:
            raise Unfit("another plugin has the same name")
        for kind in _each(plugin.nodes, NodeKind, "nodes"):
            _judge_kind(kind)
        cells = tuple(load_cell(c) if isinstance(c, Path) else c for c in _listed(plugin.cells, "cells"))
        readers = _each(plugin.readers, Reader, "readers")
        exporters = _each(plugin.exporters, Exporter, "exporters")
        for reader in readers:
            self._judge_reader(reader)
        for exporter in exporters:
            _judge_text(exporter, "name", "title")
            _judge_name(exporter, "an exporter")
            if exporter.suffix and not re.fullmatch(r"\.\w+", exporter.suffix):
                raise Unfit(f"the exporter {exporter.name!r} has the suffix {exporter.suffix!r}: write it like “.py”")
        _unique("a node", plugin.nodes, {*self.catalog.kinds, CELL})
        _unique("a cell", _each(cells, CellDefinition, "cells"), self.catalog.cells)
        _unique("a reader", readers, {*self.readers, *(reader.name for reader in data_readers.own())})
        _unique("an exporter", exporters, {*self.exporters, *RESERVED_FORMATS})
        guarded = [GuardedKind(kind, plugin.name) for kind in plugin.nodes]
        catalog = self.catalog.extended(guarded, cells)
        for cell in cells:
            _judge_cell(cell, catalog)
        stock = Stock(
            catalog,
            {**self.readers, **{reader.name: reader for reader in readers}},
            {**self.exporters, **{exporter.name: exporter for exporter in exporters}},
            self.names | {plugin.name},
        )
        return stock, replace(plugin, cells=cells)

    def _judge_reader(self, reader: Reader) -> None:
        _judge_text(reader, "name", "title")
        _judge_name(reader, "a reader")
        _judge_options(reader)
        taken = {suffix for other in self.readers.values() for suffix in other.suffixes}
        for suffix in reader.suffixes:
            if not isinstance(suffix, str) or not suffix.startswith(".") or suffix != suffix.lower():
                raise Unfit(f"the reader {reader.name!r} has the suffix {suffix!r}: write it like “.abc”")
            if suffix in _OWN_SUFFIXES or suffix in taken:
                raise Unfit(f"the reader {reader.name!r} wants {suffix} files, which have a reader already")


def _judge_options(reader: Reader) -> None:
    """The record of a reader's options: forms and `--set` are made of it."""
    if not dataclasses.is_dataclass(reader.Options):
        raise Unfit(f"the Options of the reader {reader.name!r} are no dataclass")
    bare = {item.name for item in dataclasses.fields(reader.Options)} - {item.name for item in describe(reader.Options)}
    if bare:
        raise Unfit(f"the option {min(bare)!r} of the reader {reader.name!r} is not made by option(…)")
    try:
        parse(reader.Options, {})
    except StudioError as error:
        raise Unfit(f"the options of the reader {reader.name!r} have a default that does not fit: {error}") from None


def _what(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def _listed(values: Any, what: str) -> Sequence[Any]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise Unfit(f"its {what} are {_what(values)}, not a list")
    return values


def _each(values: Any, kind: type[Any], what: str) -> Sequence[Any]:
    for value in _listed(values, what):
        if isinstance(value, type) and issubclass(value, kind):
            raise Unfit(f"its {what} hold the class {value.__name__}: give an instance, {value.__name__}()")
        if not isinstance(value, kind):
            raise Unfit(f"its {what} hold {_what(value)}, not a {kind.__name__}")
    return list(values)


def _unique(what: str, values: Iterable[Any], taken: Iterable[str]) -> None:
    seen = set(taken)
    for value in values:
        if value.name in seen:
            raise Unfit(f"it adds {what} called {value.name!r}, and there is one already")
        seen.add(value.name)


def _judge_text(value: object, *names: str) -> None:
    for name in names:
        text = getattr(value, name, None)
        if not isinstance(text, str) or not text:
            raise Unfit(f"{type(value).__name__} has no {name}")


def _judge_name(value: Reader | Exporter, what: str) -> None:
    if not _NAME.fullmatch(value.name):
        raise Unfit(f"{what} is called {value.name!r}: use small letters, digits, - and _")


def _judge_kind(kind: NodeKind) -> None:
    """What every kind must have; a broken one would otherwise be met long after, in the palette or the inspector."""
    _judge_text(kind, "name", "title", "family", "doc")
    try:
        check_name(kind.name)
    except StudioError as error:
        raise Unfit(error.what) from None
    if kind.family in ("Cell", "Data"):
        raise Unfit(f"the node {kind.name} is of the family {kind.family}, which only the studio's own nodes are")
    for param in kind.params:
        if not isinstance(param, Param):
            raise Unfit(f"the parameters of {kind.name} hold {_what(param)}, not a Param")
        if problem := param.problem(param.default):
            raise Unfit(f"the node {kind.name} has a default that does not fit: {problem}")
    defaults = {param.name: param.default for param in kind.params}
    inputs, outputs = kind.input_ports(defaults), kind.output_ports(defaults)
    for port in (*inputs, *outputs):
        if not isinstance(port, Port):
            raise Unfit(f"the ports of {kind.name} hold {_what(port)}, not a Port")
    for ports in (inputs, outputs):
        names = [port.name for port in ports]
        if len(set(names)) < len(names):
            raise Unfit(f"two ports of {kind.name} have the same name")
    if missing := set(kind.late_ports) - {port.name for port in inputs}:
        raise Unfit(f"{kind.name} has no input {min(missing)!r} to be late")
    for method in ("infer", "build"):
        if getattr(type(kind), method) is getattr(NodeKind, method):
            raise Unfit(f"the node {kind.name} does not define {method}()")


def _judge_cell(cell: CellDefinition, catalog: Catalog) -> None:
    """A drawing that could not be used by anybody is refused: unknown nodes, loops without a Delay, loose wires."""
    try:
        check_name(cell.name)
    except StudioError as error:
        raise Unfit(error.what) from None
    used = dict(_cells_in(cell, catalog))
    loose = [end.node for w in cell.graph.wires for end in (w.source, w.target) if end.node not in cell.graph.nodes]
    if loose:
        raise Unfit(f"a wire of the cell {cell.name} leads to “{loose[0]}”, which is not in its drawing")
    if not cell_ports(cell)[1]:
        raise Unfit(f"the cell {cell.name} has no CellOutput")
    node = Node("cell", CELL, frozen({"cell": cell.name}))
    checked = check(Design(graph=Graph(frozen({node.id: node})), cells=frozen(used)), catalog)
    wrong = next((d for d in checked.errors if d.graph == cell.name), None)
    if wrong is not None:
        raise Unfit(f"the cell {cell.name} is drawn wrongly: {wrong.message}")


def _cells_in(cell: CellDefinition, catalog: Catalog) -> Iterator[tuple[str, CellDefinition]]:
    """The cell and all cells inside it, by name."""
    seen: set[str] = set()
    todo = [cell]
    while todo:
        here = todo.pop()
        if here.name in seen:
            continue
        seen.add(here.name)
        yield here.name, here
        inner = [str(n.params.get("cell", "")) for n in here.graph.nodes.values() if n.kind == CELL]
        todo += [catalog.cells[name] for name in inner if name in catalog.cells]
