"""The random numbers of a loop's steps, drawn before it in the order in which the reference comes to them."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ...catalog.primitives import Op
from ...compiler.program import Scan
from ..context import Context
from ..primitives import taken


def draw_steps(scan: Scan, context: Context) -> dict[str, Tensor]:
    """By operation: [time, *axes, batch, width], dropout's scaled masks, or [time, *axes, batch] bool, where a choice
    is for its first input.

    On a GPU numbers come in another order anyway, and one call for all steps of an operation is quicker.
    """
    kinds = {op.name: op for op in scan.ops() if _draws(op, context)}
    steps = context.sizes[scan.axis]
    if len(kinds) > 1 and context.device.type == "cpu":
        times = [{name: _draw(op, 1, context) for name, op in kinds.items()} for _ in range(steps)]
        found = {name: torch.cat([time[name] for time in times]) for name in kinds}
    else:
        found = {name: _draw(op, steps, context) for name, op in kinds.items()}
    return found if scan.forward else {name: x.flip(0) for name, x in found.items()}


def _draws(op: Op, context: Context) -> bool:
    if op.kind == "dropout":
        return context.training and bool(op.attrs["every_step"]) and op.attrs["rate"] > 0
    return op.kind == "choose"


def _draw(op: Op, steps: int, context: Context) -> Tensor:
    shape = (steps, *(context.sizes[axis] for axis in op.signal.axes), context.batch)
    if op.kind == "choose":
        return taken(op, shape, context)
    ones = torch.ones((*shape, op.signal.width), dtype=context.dtype, device=context.device)
    return F.dropout(ones, op.attrs["rate"])
