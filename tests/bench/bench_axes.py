"""Loops with more in them than one layer has: as many times faster than the reference loop, forward and backward.

Loops inside a loop, beside a further axis, along two axes; decoders that attend to an encoder's states and that read
their own tokens. Embedding, readout and loss are part of every step that is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rnnstudio.compiler.program import Program
from rnnstudio.design.signals import Tokens
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE, REFERENCE, TORCH
from rnnstudio.runtime.network import Network
from tests.bench.side_by_side import keep_memory, machine, medians
from tests.runtime.fused.axes import beside, inside, two_dimensional_lstm
from tests.runtime.fused.cells import CELLS
from tests.runtime.fused.decoders import attending, writing

Case = tuple[str, Program, int, dict[str, int]]

UNITS = 128


def cases() -> Iterator[Case]:
    """Name, program, batch, steps by axis."""
    long, words = {"time": 30, "source": 30}, {"time": 8, "source": 20}
    yield "LSTM inside a loop", inside(CELLS["lstm"], UNITS), 32, words
    yield "invented cell inside a loop", inside(CELLS["invented"], UNITS), 32, words
    yield "invented cell inside a loop, few rows", inside(CELLS["invented"], 32), 4, words
    yield "LSTM beside a further axis", beside(CELLS["lstm"], UNITS), 4, {"time": 30, "source": 16}
    yield "invented cell beside a further axis", beside(CELLS["invented"], UNITS), 4, {"time": 30, "source": 16}
    yield "two-dimensional LSTM", two_dimensional_lstm(64), 32, {"time": 14, "source": 14}
    yield "attention, additive", attending(UNITS, score="additive"), 32, long
    yield "attention, scaled dot", attending(UNITS, score="scaled_dot", apart=True), 32, long
    yield "attention, two heads", attending(UNITS, score="dot", heads=2), 32, long
    yield "scheduled sampling", writing(UNITS, size=64), 32, long
    yield "scheduled sampling with attention", writing(UNITS, size=64, attention=True), 32, long


def fields_of(program: Program, batch: int, steps: dict[str, int]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for item in program.inputs:
        shape = (batch, *(steps[program.axes[axis]] for axis in item.signal.axes))
        if isinstance(item.signal.content, Tokens):
            found[item.field] = torch.randint(item.signal.content.size, shape)
        else:
            found[item.field] = torch.randn(*shape, item.signal.width)
    return found


def step(program: Program, lowering: str, fields: dict[str, Tensor]) -> tuple[Network, Callable[[], None]]:
    network = Network(program, reference=lowering == REFERENCE)
    network.set_lowering_choices({scan.name: lowering for scan in program.scans()})

    def run() -> None:
        network.zero_grad()
        network.losses(fields).total.backward()

    return network, run


def main() -> None:
    keep_memory()
    print(machine())
    print("times as fast as the reference loop; whole networks, median of 7 interleaved rounds; – : does not serve")
    threads = torch.get_num_threads()
    columns = (MACHINE, TORCH, KERNEL)
    try:
        torch.set_num_threads(1)
        print(f"{'':>38} {'B':>3} {'ms':>7} " + " ".join(f"{c:>15}" for c in columns))
        for name, program, batch, steps in cases():
            fields = fields_of(program, batch, steps)
            ways = {REFERENCE: step(program, REFERENCE, fields)[1]}
            for lowering in columns:
                network, run = step(program, lowering, fields)
                run()
                if lowering in network.loops.served.values():
                    ways[lowering] = run
            times = medians(ways)
            ratios = (f"{times[REFERENCE] / times[c]:>15.2f}" if c in times else f"{'–':>15}" for c in columns)
            print(f"{name:>38} {batch:>3} {times[REFERENCE] * 1000:>7.1f} {' '.join(ratios)}", flush=True)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
