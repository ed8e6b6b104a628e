"""The batches of a training on their way to its device; a GPU gets the next one while it works on the one before."""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.batches import Batch, Batches
from ..runtime.transfer import to_device


class Feed:
    """Batches with their fields on a device. Every batch is the same whether it was prepared ahead or not."""

    def __init__(self, batches: Batches, device: torch.device) -> None:
        self.batches = batches
        self.device = device
        self._ahead: tuple[tuple[int, int], tuple[Batch, dict[str, Tensor]]] | None = None

    def take(self, epoch: int, index: int) -> tuple[Batch, dict[str, Tensor]]:
        """A batch, and its fields on the device."""
        if self._ahead is not None and self._ahead[0] == (epoch, index):
            found, self._ahead = self._ahead[1], None
            return found
        return self._made(epoch, index)

    def prepare(self, epoch: int, index: int) -> None:
        """Get the batch after this one ready. To be called when the device has work: a processor is not asked to."""
        if self.device.type == "cpu":
            return
        after = (epoch, index + 1) if index + 1 < len(self.batches) else (epoch + 1, 0)
        self._ahead = after, self._made(*after)

    def _made(self, epoch: int, index: int) -> tuple[Batch, dict[str, Tensor]]:
        batch = self.batches.batch(epoch, index)
        return batch, {name: to_device(tensor, self.device) for name, tensor in batch.fields.items()}
