"""Which states run against their sequence: what is left of them at a chunk's end begins no other chunk."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog.primitives import Op
from .program import Map, Region


def turned_states(regions: Sequence[Region]) -> frozenset[str]:
    """The Delays that step forward along an axis which a Reverse has turned (the way back of a bidirectional net).

    Their last step is the sequence's first: like a Delay that looks ahead, they begin anew in every chunk of it.
    """
    axes: dict[str, frozenset[str]] = {}
    """Value → the axes along which it is turned."""
    found: set[str] = set()
    for region in regions:
        if isinstance(region, Map):
            for op in region.ops:
                axes[op.name] = _of(op, axes)
                if op.kind == "delay" and op.attrs["axis"] in axes[op.name]:
                    found.add(op.name)
            continue
        for op in region.projections:
            axes[op.name] = _of(op, axes)
        read = (*(read.name for read in region.reads), *region.constants)
        here = frozenset[str]().union(*(axes.get(name, frozenset()) for name in read))
        axes |= dict.fromkeys(region.yields, here)
        if region.axis in here:
            found |= {state.delay for state in region.states}
    return frozenset(found)


def _of(op: Op, axes: dict[str, frozenset[str]]) -> frozenset[str]:
    here = frozenset[str]().union(*(axes.get(name, frozenset()) for name in op.inputs))
    if op.kind == "reverse":
        return here ^ {op.attrs["axis"]}
    if op.kind == "rename" and op.attrs["axis"] in here:
        return here - {op.attrs["axis"]} | {op.attrs["to"]}
    return here.intersection(op.signal.axes)
