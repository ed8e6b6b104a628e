"""The way from the processor's memory to a GPU's, without waiting for what the GPU is doing."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """The same numbers on a device.

    To a GPU they go through page-locked memory, which torch keeps and uses again: a copy from ordinary memory would
    wait for all work that the GPU still has.
    """
    if device.type != "cuda" or x.device.type != "cpu":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)
