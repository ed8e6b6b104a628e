"""What the door of a network takes (runtime/door.py) of a training step: target, 1 % of the smallest there is.

The same batch is carried in again and again; the step is forward, backward and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from rnnstudio.runtime.fused import checked
from rnnstudio.runtime.network import Network
from tests.bench.bench_charlm import SIZES, drawn
from tests.bench.side_by_side import keep_memory, machine
from tests.runtime.fused.cells import CELLS, batch, program

TARGET, TURNS = 1.0, 200
SMALL = (32, 35, 64)
"""Batch, steps and units of the smallest layer that is measured anywhere."""


def took(what: Callable[[], object], turns: int = TURNS) -> float:
    """Median seconds."""
    what()
    found = []
    for _ in range(turns):
        start = time.perf_counter()
        what()
        found.append(time.perf_counter() - start)
    return median(found)


def main() -> None:
    keep_memory()
    print(f"{machine()}; every buffer checked: {'yes (RNNSTUDIO_CHECK)' if checked.CHECKING else 'no'}")
    print(f"{'':>16} {'step ms':>9} {'door µs':>9} {'share %':>9}")
    size, steps, units = SMALL
    cases = {f"{name} {size}x{steps}x{units}": program(CELLS[name], units, 16, 2) for name in ("rnn", "lstm", "gru")}
    networks = {
        name: (Network(made, 1).train(), batch(16, 2, size, steps, torch.float32)) for name, made in cases.items()
    }
    size, steps, units, embedding, tokens = SIZES[0]
    text = {name: torch.randint(tokens, (size, steps)) for name in ("text", "next")}
    networks["characters"] = drawn("lstm", units, embedding, tokens).train(), text
    for name, (network, fields) in networks.items():
        needed = network._needs_inputs(
            tuple(n for loss in network.program.losses for n in (loss.value, loss.prediction))
        )
        own = {"time": torch.full((next(iter(fields.values())).shape[0],), next(iter(fields.values())).shape[1])}
        step = took(lambda: network.losses(fields, own, keep_state=False).total.backward())  # noqa: B023
        weights = network.weights
        door = took(lambda: network._door.enter(fields, own, None, None, weights, needed), 10 * TURNS)  # noqa: B023
        share = 100 * door / step
        print(f"{name:>16} {step * 1e3:>9.3f} {door * 1e6:>9.1f} {share:>9.2f}{'' if share <= TARGET else '  over'}")


if __name__ == "__main__":
    main()
