"""What the generated time loops are given for the plain stages of one run."""

from __future__ import annotations

from .glance import Glance
from .glance_run import GlanceRun, Room
from .pick import Pick
from .pick_run import PickRun
from .plain import PlainRun


def stage_runs(
    stages: tuple[Glance | Pick, ...], plain: PlainRun, lanes: int, steps: int, batch: int, room: Room
) -> None:
    """Lays the stages of a run out, once: the way back finds them there. lanes: numbers in a vector."""
    if plain.machine:
        return
    for i, stage in enumerate(stages):
        if isinstance(stage, Glance):
            plain.machine.append(GlanceRun(i, stage, plain, lanes, steps, batch, room))
        else:
            plain.machine.append(PickRun(i, stage, plain, steps, batch, room))
