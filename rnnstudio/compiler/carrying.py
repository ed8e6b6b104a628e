"""Which states go on from one chunk of an axis to the next: those of the axis that is cut, and of no other."""

from __future__ import annotations

from collections.abc import Iterator

from ..design.signals import Signal
from .program import Map, Program
from .turned import turned_states


def states_that_go_on(program: Program, along: str = "") -> frozenset[str]:
    """The states (by their Delay) whose value at the end of a chunk begins the next one.

    along: the axis that is cut ("": the program's `cut`). A loop over another axis begins anew in every chunk, and so
    does one whose state has the cut axis itself, and one that runs against its sequence.
    """
    along = along or program.cut
    data = program.axes.get(along)
    cut = program.names_of(along) | {axis for axis, own in program.axes.items() if own == data}
    cut -= frozenset(program.trees)
    found = {name for name, axis, axes in _states(program) if axis in cut and cut.isdisjoint(axes)}
    return frozenset(found - turned_states(program.regions))


def _states(program: Program) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(Delay, axis it steps along, the further axes of its state) of everything outside of loops that keeps a state."""
    for region in program.regions:
        if not isinstance(region, Map):
            if not region.tree:
                yield from ((state.delay, region.axis, state.signal.axes) for state in region.states)
            continue
        for op in region.ops:
            if op.kind in ("delay", "clock", "step_number"):
                yield op.name, op.attrs["axis"], _without(op.signal, op.attrs["axis"])


def _without(signal: Signal, axis: str) -> tuple[str, ...]:
    return tuple(name for name in signal.axes if name != axis)
