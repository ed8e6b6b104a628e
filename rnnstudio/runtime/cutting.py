"""Wires that are cut while one looks: what a node reads through them is 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..catalog.primitives import Op
from ..compiler.program import Program, region_ops
from ..design.errors import StudioError
from .context import Context
from .primitives import run_op


@dataclass(frozen=True, slots=True)
class Cut:
    """A wire that carries nothing: what the node `target` reads of the node `source` is 0, at `step` of the innermost
    loop around the reader (None: everywhere). A cell stands for all that is in it; from a cell to itself: what it
    remembers. A wire through a Delay may be named by the Delay or by what the Delay reads."""

    source: str
    target: str
    step: int | None = None


class Wires:
    """The cuts of a look, by the operations that read through them. Raises StudioError for a wire that is not there."""

    def __init__(self, program: Program, cuts: Sequence[Cut]) -> None:
        self._ops = {op.name: op for op in region_ops(program.regions)}
        made = {name: op.node for name, op in self._ops.items()}
        nodes: dict[str, tuple[str, ...]] = {item.name: (item.name,) for item in program.inputs}
        nodes |= {name: (node,) for name, node in made.items()}
        for scan in program.scans():
            for state in scan.states:
                nodes[state.delay] = (state.delay.split("/")[0], made.get(state.source, state.source))
        delays = {state.delay for scan in program.scans() for state in scan.states}
        self._cut: dict[tuple[str, str], list[Cut]] = {}
        for cut in cuts:
            found = False
            for op in self._ops.values():
                if not within(op.node, cut.target) or _joined(op):
                    continue
                for name in self._read(op):
                    between = any(within(node, cut.source) for node in nodes.get(name, ()))
                    inside = any(within(node, cut.target) for node in nodes.get(name, ()))
                    if between and (name in delays or not (inside and within(op.node, cut.source))):
                        self._cut.setdefault((op.name, name), []).append(cut)
                        found = True
            if not found:
                raise StudioError(
                    f"There is no wire from “{cut.source}” to “{cut.target}”, or nothing depends on it",
                    remedy="Give the two nodes that it joins.",
                )

    def _read(self, op: Op) -> tuple[str, ...]:
        """What an operation reads; a slice of a product that several maps share, what the product reads."""
        maker = self._ops.get(op.inputs[0]) if op.kind == "slice" else None
        return maker.inputs if maker is not None and _joined(maker) else op.inputs

    def reads(self, op: Op, values: Mapping[str, Tensor], context: Context) -> tuple[Tensor, ...] | None:
        """What an operation reads where a wire to it is cut; None where none is."""
        if not self._cut or not any((op.name, name) in self._cut for name in self._read(op)):
            return None
        read = tuple(self._after(op, name, values[name], context) for name in self._read(op))
        maker = self._ops.get(op.inputs[0])
        return read if maker is None or self._read(op) == op.inputs else (run_op(maker, read, context),)

    def _after(self, op: Op, name: str, value: Tensor, context: Context) -> Tensor:
        cuts = self._cut.get((op.name, name), ())
        if not cuts:
            return value
        if not torch.is_floating_point(value):
            raise StudioError(f"The wire to “{op.node}” carries tokens", remedy="Cut a wire that carries numbers.")
        value = value.clone()
        for cut in cuts:
            put(value, 0.0, None, cut.step, context)
        return value


def within(node: str, path: str) -> bool:
    """Whether a node is the one at a path, or in the cell there."""
    return node == path or node.startswith(f"{path}.")


def _joined(op: Op) -> bool:
    return op.kind == "linear" and not isinstance(op.attrs["weight"], str)


def put(value: Tensor, number: float, unit: int | None, step: int | None, context: Context) -> None:
    """Write a number into a value as it is at one step, or everywhere."""
    units = slice(None) if unit is None else unit
    if step is None:
        value[..., units] = number
    elif context.heights:
        value[..., _rows_of(step, context), units] = number
    elif not context.steps:
        if 0 <= step < len(value):  # what is not there is told when all lengths are known
            value[step, ..., units] = number
    elif step == next(reversed(context.steps.values())):
        value[..., units] = number


def _rows_of(node: int, context: Context) -> Tensor:
    """Where a node of the tree stands among those of one height; empty at every height but its own."""
    axis, level = next(reversed(context.heights.items()))
    assert context.above is not None
    forest = context.above[0].forest(axis)
    first, last = forest.levels[level]
    return torch.nonzero(forest.place[first:last] // forest.batch == node).flatten()
