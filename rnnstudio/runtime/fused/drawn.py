"""The random numbers of a loop's steps, drawn before it in the order in which the reference comes to them: what a loop
draws depends on no lowering.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ...catalog.primitives import Op
from ...compiler.program import Scan
from ..context import Context
from ..primitives import chances, taken


def draw_steps(scan: Scan, context: Context) -> dict[str, Tensor]:
    """By operation: [time, *axes, batch, width], dropout's scaled masks; [time, *axes, batch], bool where a choice is
    for its first input, or what decides which token is drawn.

    A processor draws the same numbers for one operation in one call as in a call for each step; a GPU does not.
    """
    kinds = {op.name: op for op in scan.ops() if _draws(op, context)}
    steps = context.sizes[scan.axis]
    if len(kinds) > 1 or context.device.type != "cpu":
        times = [{name: _draw(op, 1, context) for name, op in kinds.items()} for _ in range(steps)]
        found = {name: torch.cat([time[name] for time in times]) for name in kinds}
    else:
        found = {name: _draw(op, steps, context) for name, op in kinds.items()}
    return found if scan.forward else {name: x.flip(0) for name, x in found.items()}


def _draws(op: Op, context: Context) -> bool:
    if op.kind == "dropout":
        return context.training and bool(op.attrs["every_step"]) and op.attrs["rate"] > 0
    return op.kind == "choose" or (op.kind == "pick" and bool(op.attrs["sample"]))


def _draw(op: Op, steps: int, context: Context) -> Tensor:
    shape = (steps, *(context.sizes[axis] for axis in op.signal.axes), context.batch)
    if op.kind == "choose":
        return taken(op, shape, context)
    if op.kind == "pick":
        return chances(shape, context)
    ones = torch.ones((*shape, op.signal.width), dtype=context.dtype, device=context.device)
    return F.dropout(ones, op.attrs["rate"])


def draw_levels(scan: Scan, context: Context, like: Tensor) -> dict[str, Tensor]:
    """By operation: dropout's scaled masks of a loop over trees, drawn level by level: [nodes, width], or of what is
    made of each child [edges, width].
    """
    ops = [op for op in scan.ops() if op.kind == "dropout" and _draws(op, context)]
    levels: dict[str, list[Tensor]] = {op.name: [] for op in ops}
    forest = context.forest(scan.axis)
    for first, last in forest.levels if ops else ():
        table, _ = forest.children_of(first, last)
        for op in ops:
            if op.signal.axes:  # a row for each place a child could have
                mask = _dropped(like, (table.shape[1], last - first, op.signal.width), op)
                levels[op.name].append(mask.movedim(0, 1)[(table >= 0).to(like.device)])
            else:
                levels[op.name].append(_dropped(like, (last - first, op.signal.width), op))
    return {name: torch.cat(parts) for name, parts in levels.items()}


def _dropped(like: Tensor, shape: tuple[int, ...], op: Op) -> Tensor:
    return F.dropout(like.new_ones(shape), op.attrs["rate"])
