"""Drawn cells against torch's own: forward and backward of one layer, as ratios to nn.LSTM, nn.GRU and nn.RNN.

Training times machine code with and without the processor's matrix unit once, and keeps the faster: both are shown.

RNNSTUDIO_BENCH=full measures every size of the issue (an hour); by default a cross-section in a few minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import torch
from torch import nn

from rnnstudio.compiler.program import Map, Program, Scan
from rnnstudio.runtime.context import Context
from rnnstudio.runtime.fused.loops import MACHINE, TILES, TORCH
from rnnstudio.runtime.fused.tile_machine import matrix_unit
from rnnstudio.runtime.network import Network
from rnnstudio.runtime.reference import run_map, run_scan
from tests.bench.side_by_side import keep_memory, machine, medians
from tests.runtime.fused.cells import CELLS, program

DRAWN = {"lstm": "LSTM", "peephole lstm": "LSTM", "invented": "LSTM", "gru": "GRU", "reset before": "GRU", "rnn": "RNN"}
"""Cell → the layer of torch.nn it is compared with."""

SHORT = ((32, 35, 64), (32, 100, 128), (64, 100, 256), (32, 35, 512), (1, 100, 128))
FULL = tuple((b, t, h) for h in (64, 128, 256, 512) for b in (32, 64) for t in (35, 100, 400))
FLOORS = {"LSTM": 4, "GRU": 3, "RNN": 1}
"""Layers of torch.nn → gates."""
LOOPED = 64
"""The node-by-node loop is timed up to this width; it is several times slower everywhere."""


def layer(made: Program, x: torch.Tensor, given: torch.Tensor, lowering: str) -> Callable[[], None]:
    """One forward and backward of the loop alone, as the network runs it."""
    net = Network(made)
    scan = next(region for region in made.regions if isinstance(region, Scan))
    before = [region for region in made.regions[: made.regions.index(scan)] if isinstance(region, Map)]
    net.set_lowering_choices({scan.name: lowering})
    steps, batch = x.shape[:2]

    def run() -> None:
        net.zero_grad()
        x.grad = None
        context = Context(
            net.weights, {"time": steps}, {}, batch, training=True, state={}, device=x.device, dtype=x.dtype
        )
        values = {"x": x}
        for region in before:
            run_map(region, values, context)
        if not net.loops.run(scan, values, context):
            run_scan(scan, values, context)
        values[scan.yields[0]].backward(given)

    return run


def built_in(kind: str, x: torch.Tensor, given: torch.Tensor, units: int) -> Callable[[], None]:
    module = getattr(nn, kind)(units, units)

    def run() -> None:
        module.zero_grad()
        x.grad = None
        module(x)[0].backward(given)

    return run


def products(gates: int, batch: int, steps: int, units: int) -> Callable[[], None]:
    """Only the six products of a layer, each over all steps at once: what a layer takes by torch's products alone."""
    x, slots = torch.randn(batch * steps, units), torch.randn(batch * steps, gates * units)
    weight, dweight = torch.randn(gates * units, units), torch.empty(gates * units, units)

    def run() -> None:
        for _ in range(2):
            torch.mm(x, weight.t(), out=slots)
            torch.mm(slots, weight, out=x)
            torch.mm(slots.t(), x, out=dweight)

    return run


def machine_codes() -> dict[str, str]:
    """What drawn cells are timed on, by the name that is printed."""
    return {"vectors": MACHINE} if isinstance(matrix_unit(), str) else {"vectors": MACHINE, "matrix unit": TILES}


def rows(sizes: tuple[tuple[int, int, int], ...]) -> Iterator[tuple[tuple[int, int, int], dict[str, dict[str, float]]]]:
    """Ratios for each size and machine code: drawn cells, one torch function, and where narrow the reference loop."""
    for batch, steps, units in sizes:
        x = torch.randn(steps, batch, units, requires_grad=True)
        given = torch.randn(steps, batch, units)
        ways = {kind: built_in(kind, x, given, units) for kind in ("LSTM", "GRU", "RNN")}
        for cell in DRAWN:
            made = program(CELLS[cell], units, inputs=units)
            ways |= {f"{cell} {on}": layer(made, x, given, lowering) for on, lowering in machine_codes().items()}
            if cell == "lstm":
                ways["torch function"] = layer(made, x, given, TORCH)
                if units <= LOOPED:
                    ways["node by node"] = layer(made, x, given, "reference")
        ways |= {f"{kind} floor": products(gates, batch, steps, units) for kind, gates in FLOORS.items()}
        times = medians(ways)
        found = {
            on: {cell: times[f"{cell} {on}"] / times[kind] for cell, kind in DRAWN.items()} for on in machine_codes()
        }
        rest = {name: times[name] / times["LSTM"] for name in ("torch function", "node by node") if name in times}
        rest |= {f"{kind} floor": times[f"{kind} floor"] / times[kind] for kind in FLOORS}
        found["vectors"] |= {"ms of nn.LSTM": times["LSTM"] * 1000, **rest}
        yield (batch, steps, units), found


def main() -> None:
    keep_memory()
    print(machine())
    sizes = FULL if os.environ.get("RNNSTUDIO_BENCH") == "full" else SHORT
    columns = ("ms of nn.LSTM", *DRAWN, "torch function", "node by node", *(f"{kind} floor" for kind in FLOORS))
    print("ratios to nn.LSTM (lstm, peephole lstm, invented, torch function, node by node), to nn.GRU (gru, reset")
    print("before), to nn.RNN (rnn); forward and backward, median of 7 interleaved rounds. floor: the layer's")
    print("six products alone, each over all steps at once, by torch.mm, as a ratio to the layer of torch.nn")
    print(f"{'threads':>7} {'B':>3} {'T':>4} {'H':>4} {'':>11} " + " ".join(f"{c:>14}" for c in columns))
    threads = torch.get_num_threads()
    try:
        for count in sorted({1, min(2, threads)}):
            torch.set_num_threads(count)
            for (batch, steps, units), found in rows(sizes):
                for on, ratios in found.items():
                    cells = " ".join(f"{ratios[c]:>14.2f}" if c in ratios else f"{'–':>14}" for c in columns)
                    print(f"{count:>7} {batch:>3} {steps:>4} {units:>4} {on:>11} {cells}", flush=True)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
