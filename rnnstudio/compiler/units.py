"""Which features of the data must stay as the file has them, because a loss or another node means their very values.

A binary cross-entropy takes 0 … 1: of a standardised target it has no lower bound, and no prediction is a probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..catalog.catalog import Catalog
from ..catalog.node import Port
from ..design.design import Design, Pin
from ..design.edits import Compound, Edit, SetData
from ..design.recipe import DataRecipe, FieldSpec
from .muting import without_muted
from .resolve import resolve, variables_of

Column: TypeAlias = tuple[str, int]
"""A data field, and the place of one of its features."""

Unscaled: TypeAlias = Mapping[str, frozenset[int]]
"""By field: the features that are not scaled."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A node's input that takes only values within `port.within`, and the data's features that reach it unchanged."""

    node: str
    port: Port
    columns: tuple[Column, ...]


def bounds(design: Design, catalog: Catalog) -> Iterator[Bound]:
    """The inputs of the main drawing that mean values of the file, with what reaches them."""
    if design.data is None:
        return
    fields = {spec.name: spec for spec in design.data.fields}
    design = without_muted(design, catalog)
    trace: _Trace | None = None
    for node in design.graph.nodes.values():
        kind = catalog.of(node)
        if kind is None or not any(port.within for port in kind.input_ports(node.params)):
            continue
        trace = trace or _Trace(design, catalog, fields)
        for port in kind.input_ports(node.params):
            if port.within and (columns := tuple(trace.into(node.id, port.name))):
                yield Bound(node.id, port, columns)


def unscaled(design: Design, catalog: Catalog) -> Unscaled:
    """The features that reach a loss of probabilities. A field and its shift have one unit, as they are one column."""
    found: dict[str, set[int]] = {}
    for bound in bounds(design, catalog):
        for field, feature in bound.columns:
            found.setdefault(field, set()).add(feature)
    for spec in design.data.fields if design.data is not None and found else ():
        if spec.shift_of:
            both = found.get(spec.name, set()) | found.get(spec.shift_of, set())
            if both:
                found[spec.name] = found[spec.shift_of] = both
    return {field: frozenset(features) for field, features in found.items()}


def as_in_file(recipe: DataRecipe, features: Unscaled) -> DataRecipe:
    """The recipe with these features not scaled; itself when they are not."""
    fields = tuple(spec.as_in_file(features.get(spec.name, ())) for spec in recipe.fields)
    return recipe if all(a is b for a, b in zip(fields, recipe.fields, strict=True)) else recipe.replace(fields=fields)


def with_units(edit: Edit, design: Design, catalog: Catalog) -> Edit:
    """An edit of this design, and in the same step what it asks of the data: that such features are not scaled.

    Raises StudioError when the edit does not fit.
    """
    after = edit.apply(design)
    if after.data is None:
        return edit
    recipe = as_in_file(after.data, unscaled(after, catalog))
    return edit if recipe is after.data else Compound((edit, SetData(recipe)), edit.title)


class _Trace:
    """Follows values backwards to the data, through nodes that hand them on as they are."""

    def __init__(self, design: Design, catalog: Catalog, fields: Mapping[str, FieldSpec]) -> None:
        self.design = design
        self.catalog = catalog
        self.fields = fields
        self.variables = variables_of(design)
        self.feeds: dict[Pin, Pin] = {wire.target: wire.source for wire in design.graph.wires}
        self.known: dict[str, Sequence[Column]] = {}

    def into(self, node: str, port: str) -> Sequence[Column]:
        """What an input reads."""
        source = self.feeds.get(Pin(node, port))
        return self._out(source.node) if source is not None else ()

    def _out(self, start: str) -> Sequence[Column]:
        """What a node gives. Without recursion: a drawing may hand values on through thousands of nodes."""
        todo = [start]
        while todo:
            key = todo[-1]
            if key in self.known:
                todo.pop()
                continue
            read = self._reads(key)
            waiting = [source for source in read.values() if source not in self.known and source not in todo]
            if waiting:
                todo += waiting
                continue
            todo.pop()  # a source that is still being sought is a loop, and hands nothing on
            self.known[key] = self._judge(key, {port: self.known.get(source, ()) for port, source in read.items()})
        return self.known[start]

    def _reads(self, key: str) -> dict[str, str]:
        node = self.design.graph.nodes.get(key)
        kind = self.catalog.of(node) if node is not None else None
        if node is None or kind is None or kind.family == "Data":
            return {}
        ports = (port.name for port in kind.input_ports(node.params))
        return {port: source.node for port in ports if (source := self.feeds.get(Pin(key, port))) is not None}

    def _judge(self, key: str, inputs: Mapping[str, Sequence[Column]]) -> Sequence[Column]:
        node = self.design.graph.nodes.get(key)
        kind = self.catalog.of(node) if node is not None else None
        if node is None or kind is None:
            return ()
        params: dict[str, Any] = resolve(node, kind.params, self.variables)[0]
        if kind.family != "Data":
            return tuple(kind.handed_on(inputs, params))
        spec = self.fields.get(str(params.get("field", "")))
        return tuple((spec.name, place) for place in range(spec.size)) if spec and spec.content == "real" else ()
