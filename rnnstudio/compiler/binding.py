"""Binds a drawing's inputs and targets to the fields of its data, by name, role, content and axis.

A node whose field the data has stays as it is. One that reads a field that is not there gets the field that fits it
best, where one alone does: same content (tokens or features), same role (input or target), not read by another node of
that role; of several the one that is called alike, or that alone runs along an axis as the node does. Sizes that were
the old field's (`next_size`) become the new one's. So a drawing meets another file, whose fields are called otherwise,
without a hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ..catalog.catalog import Catalog
from ..design.design import Design, Node, Var
from ..design.edits import Compound, Edit, SetParam
from ..design.recipe import FieldSpec
from .resolve import variables_of


def field_of(node: Node, catalog: Catalog) -> str:
    """The field of the data that a node reads, by itself or as its kind does; "" of one that reads none."""
    kind = catalog.of(node)
    default = (
        next((param.default for param in kind.params if param.name == "field"), None) if kind is not None else None
    )
    return "" if default is None else str(node.params.get("field", default))


@dataclass(frozen=True)
class Binding:
    """A node of the main drawing and the field that it is to read."""

    node: str
    before: str
    field: FieldSpec

    def text(self) -> str:
        """One line for people."""
        return f"{self.node} reads “{self.field.name}” (the data has no “{self.before}”)"


def bindings(design: Design, catalog: Catalog) -> tuple[Binding, ...]:
    """What to change so that every node that reads the data finds a field. Empty where nothing fits, or nothing lacks.

    Nodes are taken in the order of their names; a field that two nodes could read goes to the one it is called like.
    """
    fields = design.data.readable if design.data is not None else {}
    lacking: list[tuple[Node, str, list[FieldSpec]]] = []
    taken: set[str] = set()
    for _, node in sorted(design.graph.nodes.items()):
        kind = catalog.of(node)
        if kind is None or not hasattr(kind, "target") or "field" not in {param.name for param in kind.params}:
            continue
        name = field_of(node, catalog)
        tokens, target = bool(getattr(kind, "tokens", False)), bool(kind.target)
        spec = fields.get(name)
        if spec is not None and (spec.content == "tokens") == tokens:
            taken.add(name)
            continue
        fits = [f for f in fields.values() if (f.content == "tokens") == tokens and (f.role == "target") == target]
        lacking.append((node, name, fits))
    found: list[Binding] = []
    for node, name, fits in lacking:
        free = [field for field in fits if field.name not in taken]
        chosen = free[0] if len(free) == 1 else _called_like(name, node, free) or _along_like(node, free, catalog)
        if chosen is not None:
            taken.add(chosen.name)
            found.append(Binding(node.id, name, chosen))
    return tuple(found)


def _called_like(name: str, node: Node, fields: list[FieldSpec]) -> FieldSpec | None:
    """The field that is called like the node or what it read, where that is clear."""
    scored = sorted(((_likeness(field.name, (name, node.id)), field.name, field) for field in fields), reverse=True)
    if not scored or scored[0][0] < 0.6 or (len(scored) > 1 and scored[1][0] > scored[0][0] - 0.2):
        return None
    return scored[0][2]


def _along_like(node: Node, fields: list[FieldSpec], catalog: Catalog) -> FieldSpec | None:
    """The one field that runs along an axis, where the node does; or that runs along none, where it does not."""
    kind = catalog.of(node)
    default = next((param.default for param in kind.params if param.name == "axis"), "") if kind is not None else ""
    along = bool(node.params.get("axis", default))
    alike = [field for field in fields if bool(field.axis) == along]
    return alike[0] if len(alike) == 1 else None


def _likeness(one: str, others: tuple[str, ...]) -> float:
    return max(SequenceMatcher(None, one.lower(), other.lower()).ratio() for other in others)


def bind(design: Design, catalog: Catalog) -> Edit | None:
    """The edit that makes the bindings, with the axis each field runs along and the sizes that were another field's.

    None where there is nothing to do.
    """
    edits: list[Edit] = []
    made = bindings(design, catalog)
    for found in made:
        edits.append(SetParam(found.node, "field", found.field.name))
        edits.append(SetParam(found.node, "axis", found.field.axis or ""))
    edits += _sizes(design, made)
    return Compound(tuple(edits), "Bind to the data") if edits else None


def _sizes(design: Design, made: Sequence[Binding]) -> list[Edit]:
    """Every parameter that reads the size of a field that is no longer there reads that of the field in its place."""
    known = variables_of(design)
    instead = {Var(f"{own.before}_size"): Var(f"{own.field.name}_size") for own in made}
    instead = {old: new for old, new in instead.items() if old.name not in known}
    return [
        SetParam(node.id, name, instead[value])
        for _, node in sorted(design.graph.nodes.items())
        for name, value in sorted(node.params.items())
        if isinstance(value, Var) and value in instead
    ]
