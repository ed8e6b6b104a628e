"""Plain stages that have machine code: which they are, and how the generated time loops run them. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator

from . import glance_code, pick_code
from .canonical import Form
from .glance import Glance, glance
from .glance_code import Key, Loop
from .ir import Target
from .pick import Pick, pick

NUMBERS = glance_code.NUMBERS
"""Kinds of keys that are numbers, not addresses."""


def stages_of(form: Form) -> tuple[Glance | Pick, ...]:
    """The plain stages of a loop as what machine code can do. Raises Declined with what it cannot."""
    if form.plain is None:
        return ()
    found = []
    for stage in form.plain.stages:
        looks = any(op.kind in ("softmax_axis", "contract", "match") for op in stage.ops)
        found.append(glance(stage, form.plain) if looks else pick(stage, form.plain))
    return tuple(found)


def widths_of(stages: tuple[Glance | Pick, ...]) -> dict[str, int]:
    """Result → its width."""
    found: dict[str, int] = {}
    for stage in stages:
        found |= {stage.out: stage.width} if isinstance(stage, Glance) else {n: w for n, _, w in stage.tables}
    return found


def keys_of(number: int, stage: Glance | Pick, backward: bool) -> Iterator[Key]:
    """What a loop is given for one stage."""
    if isinstance(stage, Glance):
        yield from glance_code.keys_of(number, stage, backward)
    else:
        yield from pick_code.keys_of(number, stage, backward)


def declared(t: Target, stages: tuple[Glance | Pick, ...]) -> str:
    """The intrinsics that the stages use beside the usual ones."""
    return pick_code.declared(t) if any(isinstance(stage, Pick) for stage in stages) else ""


def forward(loop: Loop, number: int, stage: Glance | Pick, rows: str) -> None:
    """All rows of the range at one step."""
    (glance_code.forward if isinstance(stage, Glance) else pick_code.forward)(loop, number, stage, rows)  # type: ignore[arg-type]


def backward(loop: Loop, number: int, stage: Glance | Pick, rows: str) -> None:
    """All rows of the range at one step, back. A chosen token passes nothing on."""
    if isinstance(stage, Glance):
        glance_code.backward(loop, number, stage, rows)


def arriving(loop: Loop, stages: tuple[Glance | Pick, ...], name: str, row: str, r: str, start: int) -> str:
    """Where the gradient of a result is left: by row of the batch, or of all steps where the rows of a table wait."""
    for stage in stages:
        if isinstance(stage, Glance) and stage.out == name:
            return loop.f.address(loop.args["dplain", name], loop.f.add(loop.f.mul(r, stage.width), str(start)))
    return loop._at(("dplain", name), row, start)
