"""What of a program is needed for some of its values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .program import Map, Region


def prune(regions: tuple[Region, ...], wanted: Iterable[str]) -> tuple[Region, ...]:
    """The regions, and of a Map the operations, that `wanted` depends on. A loop is needed as a whole."""
    live = set(wanted)
    kept: list[Region] = []
    for region in reversed(regions):
        if isinstance(region, Map):
            ops = []
            for op in reversed(region.ops):
                if op.name in live:
                    ops.append(op)
                    live.update(op.inputs)
            if ops:
                kept.append(replace(region, ops=tuple(reversed(ops))))
        elif live & set(region.yields):
            kept.append(region)
            for op in (*region.projections, *region.ops()):
                live.update(op.inputs)
            live.update(state.given for state in region.states if state.given)
    return tuple(reversed(kept))


def without(regions: tuple[Region, ...], known: Iterable[str]) -> tuple[Region, ...]:
    """The regions without what makes values that are known already."""
    names = set(known)
    kept: list[Region] = []
    for region in regions:
        if isinstance(region, Map):
            ops = tuple(op for op in region.ops if op.name not in names)
            if ops:
                kept.append(replace(region, ops=ops))
        elif not set(region.yields) <= names:
            kept.append(region)
    return tuple(kept)
