"""Sizes and training settings for an amount of data: small enough to take a step at once, large enough to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..design.recipe import FieldSpec

CHUNK = 100
"""Steps of a window that back-propagation sees, where the data has so many."""
MOST_WHOLE = 1_000
"""Steps of an example that is still read whole."""
LEAST_BATCHES = 8
"""Batches that an epoch has at least, as far as there are examples: fewer are few steps for much reading."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much there is: examples, steps of the main axis in all of them, and whether they may be cut into windows.

    window: steps of a window that the recipe asks for, 0 = none. longest: steps of the longest example, 0 = not known.
    """

    examples: int
    steps: int
    cuttable: bool = False
    window: int = 0
    longest: int = 0

    @property
    def long(self) -> bool:
        """One long sequence, read in chunks."""
        return self.cuttable and self.examples == 1


def hidden(amount: Amount) -> int:
    """Units of a state."""
    return 32 if amount.steps < 2_000 else 64 if amount.steps < 50_000 else 128


def embedding(fields: Sequence[FieldSpec]) -> int:
    """Width of the vectors that stand for tokens of these fields."""
    largest = max((spec.size for spec in fields), default=0)
    return 8 if largest <= 20 else 32 if largest <= 2_000 else 64


def training(amount: Amount, *, carry: bool) -> dict[str, int | float | str | bool]:
    """Settings that differ from the usual ones. carry: no node looks ahead, so a state may go on to the next chunk."""
    chunk, pieces = CHUNK, amount.examples
    if amount.cuttable:
        each = amount.steps // max(amount.examples, 1)
        whole = not carry or amount.examples >= 4 * LEAST_BATCHES
        if amount.long:  # read as streams, side by side
            fitting = each // (4 * LEAST_BATCHES)
        elif whole:  # what stands at an example's beginning may tell what is said at its end
            fitting = max(CHUNK, amount.longest or 2 * each)
        else:  # a few long series
            fitting = each // 4 if each > CHUNK else CHUNK
        chunk = amount.window or max(8, min(MOST_WHOLE if whole else CHUNK, fitting))
        pieces = max(amount.examples, amount.steps // chunk)
    batch = max(1, min(pieces, 4), min(32, pieces // LEAST_BATCHES))
    steps = max(1, pieces // batch)
    return {
        "epochs": max(5, min(100, 2_000 // steps)),
        "batch_size": batch,
        "chunk": chunk,
        "carry": carry and amount.long,
        "optimiser": "adam",
        "learning_rate": 0.004,
        "schedule": "cosine",
        "clip_norm": 1.0,
    }
