"""How long data takes: opening the example's text, making batches of it. CPU time, so that others hardly count."""

from __future__ import annotations

import time

from rnnstudio import data
from rnnstudio.data.batches import Batches
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.gallery import example


def main() -> None:
    folder = example("char-lm").path.parent
    before = time.process_time()
    dataset = data.open(DataRecipe("text", "shakespeare.txt"), folder)
    print(f"open {dataset.rows:,} characters: {(time.process_time() - before) * 1000:.0f} ms")
    for carry in (True, False):
        batches = Batches(dataset, "train", 32, 100, carry=carry)
        batches.batch(0, 0)
        before = time.process_time()
        for index in range(len(batches)):
            batches.batch(0, index)
        spent = (time.process_time() - before) / len(batches)
        print(f"one batch of 32 × 100, {'carried' if carry else 'shuffled'}: {spent * 1e6:.0f} µs")
