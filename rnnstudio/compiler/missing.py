"""Targets of which some values are missing: their losses count what is known, and nothing else.

A loss is then Σ over known values / number of known values; what is missing gives no loss and no gradient. In a
program this is the attribute `partial` of the operations that read such a target, and a "known" beside each mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ..catalog.catalog import Catalog
from ..catalog.primitives import Op
from ..design.design import Design
from ..design.signals import Real, Signal
from .binding import field_of
from .flatten import Flat


def fields_with_gaps(design: Design) -> frozenset[str]:
    """The data's targets in which some value is missing."""
    specs = design.data.fields if design.data is not None else ()
    return frozenset(spec.name for spec in specs if spec.role == "target" and spec.missing)


def readers_of_gaps(design: Design, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Of the main drawing: each node that reads a target with gaps and cannot, the target's node, its field."""
    gaps = fields_with_gaps(design)
    nodes = design.graph.nodes
    for wire in design.graph.wires if gaps else ():
        source, reader = nodes.get(wire.source.node), nodes.get(wire.target.node)
        kind = catalog.of(source) if source is not None else None
        if source is None or reader is None or kind is None or kind.family != "Data":
            continue
        field = field_of(source, catalog)
        own = catalog.of(reader)
        masks = own is not None and own.masks and wire.target.port == "target"
        if field in gaps and not masks:
            yield reader.id, source.id, field


def masked(flat: Flat, design: Design) -> Flat:
    """The drawing in primitives, with the losses of targets with gaps made so."""
    gaps = fields_with_gaps(design)
    partial = {item.name for item in flat.inputs if item.field in gaps}
    if not partial:
        return flat
    ops = {op.name: op for op in flat.ops}
    before: dict[str, Op] = {}
    for loss in flat.losses:
        if loss.target not in partial:
            continue
        mean = ops[loss.value]
        each = ops[mean.inputs[0]]
        weights = [ops[name] for name in mean.inputs[1:]]
        for op in (each, *weights):
            ops[op.name] = dataclasses.replace(op, attrs={**op.attrs, "partial": True})
        counts = mean.inputs[1:]
        if not weights:
            signal = Signal(each.signal.axes, Real(1))
            attrs = {"tokens": each.kind == "cross_entropy"}
            known = Op(f"{mean.name}.known", "known", each.inputs[-1:], signal, mean.node, attrs)
            before[mean.name] = known
            counts = (known.name,)
        both = (mean.inputs[0], *counts)
        ops[mean.name] = dataclasses.replace(mean, inputs=both, attrs={**mean.attrs, "partial": True})
    ordered: list[Op] = []
    for op in flat.ops:
        if op.name in before:
            ordered.append(before[op.name])
        ordered.append(ops[op.name])
    inputs = tuple(dataclasses.replace(item, partial=item.name in partial) for item in flat.inputs)
    return dataclasses.replace(flat, ops=tuple(ordered), inputs=inputs)
