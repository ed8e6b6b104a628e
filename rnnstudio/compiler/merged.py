"""Delays and Children drawn several times for the same values (one for each gate, say) become one: a loop keeps the
state once, and multiplies it by all its matrices at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..catalog.primitives import Op
from .flatten import Flat
from .loops import STATEFUL


def merged(flat: Flat) -> Flat:
    """The same drawing; of several Delays (or Children) that give the same the first one is left, for all who read."""
    ops = {op.name: op for op in flat.ops}
    names: dict[str, str] = {}
    while again := _repeated(ops):
        names = {name: again.get(kept, kept) for name, kept in names.items()} | again
        ops = {
            name: replace(op, inputs=tuple(again.get(source, source) for source in op.inputs))
            for name, op in ops.items()
            if name not in again
        }
    if not names:
        return flat
    losses = (
        replace(
            loss,
            prediction=names.get(loss.prediction, loss.prediction),
            target=names.get(loss.target, loss.target),
        )
        for loss in flat.losses
    )
    outputs = {name: names.get(value, value) for name, value in flat.outputs.items()}
    return replace(flat, ops=tuple(ops.values()), losses=tuple(losses), outputs=outputs)


def _repeated(ops: Mapping[str, Op]) -> dict[str, str]:
    """Delays that give what an earlier one gives → that one. Those with a first value learned each by itself do not."""
    first: dict[tuple[object, ...], str] = {}
    found: dict[str, str] = {}
    for op in ops.values():
        if op.kind in STATEFUL:
            kept = first.setdefault((op.kind, op.inputs, op.signal, frozenset(op.attrs.items())), op.name)
            if kept != op.name:
                found[op.name] = kept
    return found
