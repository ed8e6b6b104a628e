"""Fused loops within mixed precision: torch's other operations round to 16 bits, and the loops go on in float32."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..context import Context
from .contest import Runner


def is_mixed(device: torch.device) -> bool:
    """Whether torch chooses the precision of each operation on a device now (torch.autocast)."""
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def in_full(runners: Mapping[str, Runner]) -> dict[str, Runner]:
    """The same, run in the precision of the weights, whatever the values come in."""
    return {name: _full(runner) for name, runner in runners.items()}


def _full(runner: Runner) -> Runner:
    def run(values: dict[str, Tensor], context: Context) -> None:
        def whole(x: Tensor) -> Tensor:
            return x.to(context.dtype) if x.is_floating_point() else x

        given = {name: whole(x) for name, x in values.items()}
        with torch.autocast(context.device.type, enabled=False):
            runner(given, context)
        values.update((name, x) for name, x in given.items() if name not in values)

    return run
