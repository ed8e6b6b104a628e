"""What of a program is needed for some of its values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .program import Input, Map, Program, Region, Scan, region_ops, scans_of


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
            for op in region.projections:
                live.update(op.inputs)
            live.update((*(read.name for read in region.reads), *region.constants))
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


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be given to compute some values. inputs: in the program's order; trees: axes whose trees are read, or
    that no input has.

    free: other axes that no input has (a network left to itself writes along them): their length must be said.
    """

    inputs: tuple[Input, ...]
    trees: tuple[str, ...]
    free: tuple[str, ...]


def needs(program: Program, wanted: Iterable[str]) -> Needs:
    """What the values `wanted` of a program depend on."""
    wanted = tuple(wanted)
    regions = prune(program.regions, wanted)
    ops = list(region_ops(regions))
    scans = [region for region in regions if isinstance(region, Scan)]
    read = {*wanted, *(name for op in ops for name in op.inputs)}
    read |= {state.given for scan in scans for state in scan.states if state.given}
    read |= {state.source for scan in scans for state in scan.states}
    inputs = tuple(item for item in program.inputs if item.name in read)
    used = {axis for name in (*read, *(op.name for op in ops)) for axis in _axes(program, name)}
    used |= {scan.axis for scan in scans}
    given = {axis for item in inputs for axis in item.signal.axes}
    used |= {program.copies[axis] for axis in used & program.copies.keys()}
    trees = trees_of(regions) | (used - given)
    free = tuple(a for a in program.axes if a in used - given and a not in program.copies and a not in program.trees)
    return Needs(inputs, tuple(axis for axis in program.trees if axis in trees), free)


def trees_of(regions: tuple[Region, ...]) -> set[str]:
    """The axes of which some regions read who is whose child."""
    loops = {scan.axis for scan in scans_of(regions) if scan.tree}
    return loops | {op.attrs["axis"] for op in region_ops(regions) if op.kind in ("children", "root")}


def _axes(program: Program, name: str) -> tuple[str, ...]:
    signal = program.signals.get(name)
    return signal.axes if signal is not None else ()
