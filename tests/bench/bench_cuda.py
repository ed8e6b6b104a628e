"""Drawn cells on a GPU against cuDNN's own layers, as ratios, and the whole step of a character model.

RNNSTUDIO_BENCH=full measures every size. Without a GPU there is nothing to measure, and it says so.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from rnnstudio.compiler.program import Map, Program, Scan
from rnnstudio.runtime.context import Context
from rnnstudio.runtime.fused.cuda_choice import ON_GPU, REFERENCE, TORCH
from rnnstudio.runtime.fused.triton_loop import no_triton
from rnnstudio.runtime.network import Network
from rnnstudio.runtime.reference import run_map, run_scan
from rnnstudio.training.machine import set_precision
from tests.bench.bench_charlm import Expert, drawn, step
from tests.bench.side_by_side import ROUNDS
from tests.runtime.fused.cells import CELLS, program

DRAWN = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "peephole lstm": "LSTM", "invented": "LSTM", "reset before": "GRU"}
"""Cell → the layer of torch.nn it is compared with."""

SHORT = ((32, 100, 128), (64, 100, 256), (64, 400, 512), (256, 100, 1024))
FULL = tuple((b, t, h) for h in (64, 128, 256, 512, 1024) for b in (32, 64, 256) for t in (35, 100, 400))
CHARACTERS = ((32, 100, 192, 48, 65), (64, 100, 512, 512, 65))
"""Batch, steps, hidden, embedding, characters; the first is the gallery's language model."""

Way = Callable[[], object]


def layer(made: Program, x: Tensor, given: Tensor, lowering: str = "") -> tuple[Way, Network]:
    """One forward and backward of the loop alone, as the network runs it; by its contest where none is given, in which
    the experimental lowerings take part.
    """
    net = Network(made).to(x.device)
    net.loops.experimental_gpu = True
    (scan,) = (region for region in made.regions if isinstance(region, Scan))
    before = [region for region in made.regions[: made.regions.index(scan)] if isinstance(region, Map)]
    if lowering:
        net.set_lowering_choices({scan.name: lowering})
    sizes, batch = {"time": x.shape[0]}, x.shape[1]

    def run() -> None:
        net.zero_grad()
        x.grad = None
        context = Context(net.weights, sizes, {}, batch, training=True, state={}, device=x.device, dtype=x.dtype)
        values = {"x": x}
        for region in before:
            run_map(region, values, context)
        if not net.loops.run(scan, values, context):
            run_scan(scan, values, context)
        values[scan.yields[0]].backward(given)

    return run, net


def built_in(kind: str, x: Tensor, given: Tensor) -> Way:
    module = getattr(nn, kind)(x.shape[2], given.shape[2]).to(x.device)

    def run() -> None:
        module.zero_grad()
        x.grad = None
        module(x)[0].backward(given)

    return run


def medians(ways: Mapping[str, Way], seconds: float = 0.05) -> dict[str, float]:
    """Seconds per call by the GPU's clock: the median of 7 interleaved rounds after four calls to warm up."""
    calls = {}
    for name, way in ways.items():
        for _ in range(4):  # kernels are compiled, the contest is held, graphs are recorded
            way()
        calls[name] = max(1, min(200, int(seconds / max(_clocked(way, 1), 1e-7))))
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            found[name].append(_clocked(way, calls[name]))
    return {name: statistics.median(times) for name, times in found.items()}


def _clocked(way: Way, calls: int) -> float:
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    first.record()
    for _ in range(calls):
        way()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / 1000 / calls


def tensors(batch: int, steps: int, units: int) -> tuple[Tensor, Tensor]:
    return (
        torch.randn(steps, batch, units, device="cuda", requires_grad=True),
        torch.randn(steps, batch, units, device="cuda"),
    )


def cells(sizes: tuple[tuple[int, int, int], ...]) -> None:
    """Each cell on what its contest has chosen."""
    print("ratios to nn.LSTM, nn.GRU and nn.RNN of cuDNN; forward and backward of one layer, TF32 off")
    heads = " ".join(f"{cell:>14}" for cell in DRAWN)
    print(f"{'B':>3} {'T':>4} {'H':>4} {'ms of nn.LSTM':>14} {heads}  invented runs on")
    for batch, steps, units in sizes:
        x, given = tensors(batch, steps, units)
        ways: dict[str, Way] = {kind: built_in(kind, x, given) for kind in ("LSTM", "GRU", "RNN")}
        nets = {}
        for cell in DRAWN:
            ways[cell], nets[cell] = layer(program(CELLS[cell], units, inputs=units), x, given)
        times = medians(ways)
        ratios = " ".join(f"{times[cell] / times[kind]:>14.2f}" for cell, kind in DRAWN.items())
        on = next(iter(nets["invented"].loops.served.values()))
        print(f"{batch:>3} {steps:>4} {units:>4} {times['LSTM'] * 1000:>14.2f} {ratios}  {on}", flush=True)


def lowerings(sizes: tuple[tuple[int, int, int], ...]) -> None:
    """The invented cell on every lowering: what the contest chooses among."""
    names = (*ON_GPU, TORCH, REFERENCE)
    print("the invented cell on each lowering, as ratios to nn.LSTM of cuDNN")
    print(f"{'B':>3} {'T':>4} {'H':>4} " + " ".join(f"{name:>27}" for name in names))
    for batch, steps, units in sizes:
        x, given = tensors(batch, steps, units)
        ways: dict[str, Way] = {"LSTM": built_in("LSTM", x, given)}
        nets = {}
        for name in names:
            ways[name], nets[name] = layer(program(CELLS["invented"], units, inputs=units), x, given, name)
        times = medians(ways)
        served = {name: next(iter(net.loops.served.values())) for name, net in nets.items()}
        shown = [f"{times[name] / times['LSTM']:>27.2f}" if served[name] == name else f"{'–':>27}" for name in names]
        print(f"{batch:>3} {steps:>4} {units:>4} " + " ".join(shown), flush=True)
        for line in (line for net in nets.values() for line in net.lowerings() if "; no " in line):
            print(f"    {line}")


def characters() -> None:
    """The whole training step of a character model against an expert's."""
    print("whole training step of a character model as a ratio to the expert's (nn.Embedding, nn.LSTM, readout)")
    print(f"{'B':>3} {'T':>4} {'H':>4} {'ms of expert':>13} {'lstm':>6} {'invented':>9}")
    for batch, steps, hidden, embedding, tokens in CHARACTERS:
        text = torch.randint(0, tokens, (batch, steps + 1), device="cuda")
        fields = {"text": text[:, :-1].contiguous(), "next": text[:, 1:].contiguous()}
        expert = Expert(hidden, embedding, tokens).to("cuda")
        nets = {cell: drawn(cell, hidden, embedding, tokens).to("cuda") for cell in ("lstm", "invented")}
        ways: dict[str, Way] = {"expert": step(expert, lambda e=expert, f=fields: e(f["text"], f["next"]))}
        ways |= {cell: step(net, lambda net=net, f=fields: net.losses(f).total) for cell, net in nets.items()}
        times = medians(ways)
        ratios = [times[cell] / times["expert"] for cell in nets]
        sizes = f"{batch:>3} {steps:>4} {hidden:>4} {times['expert'] * 1000:>13.2f}"
        print(f"{sizes} {ratios[0]:>6.2f} {ratios[1]:>9.2f}", flush=True)


def main() -> None:
    if not torch.cuda.is_available():
        print("there is no GPU that torch can use: nothing measured")
        return
    set_precision("float32")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {no_triton() or 'Triton is there'}")
    sizes = FULL if os.environ.get("RNNSTUDIO_BENCH") == "full" else SHORT
    cells(sizes)
    lowerings(sizes)
    characters()


if __name__ == "__main__":
    main()
