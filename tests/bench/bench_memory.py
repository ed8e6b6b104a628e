"""Peak resident memory of forward and backward of one layer, each way in a process of its own, as ratios to torch's."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import torch

from rnnstudio.runtime.fused.loops import MACHINE, TORCH
from tests.bench.bench_cells import DRAWN, built_in, layer, machine_codes
from tests.bench.side_by_side import keep_memory, machine
from tests.runtime.fused.cells import CELLS, program

SIZES = ((32, 100, 128), (64, 100, 256), (64, 400, 256), (32, 100, 512))
_STATUS = Path("/proc/self/status")


def peak(way: str, batch: int, steps: int, units: int) -> float:
    """MB that one layer's training needs beyond what the process holds before it."""
    torch.set_num_threads(1)
    keep_memory()
    x = torch.randn(steps, batch, units, requires_grad=True)
    given = torch.randn(steps, batch, units)
    kind, _, lowering = way.partition("/")
    if kind in CELLS:
        run = layer(program(CELLS[kind], units, inputs=units), x, given, lowering)
        small = torch.randn(2, 1, units, requires_grad=True)
        layer(program(CELLS[kind], units, inputs=units), small, torch.randn(2, 1, units), lowering)()  # compiles
    else:
        run = built_in(kind, x, given, units)
        built_in(kind, torch.randn(2, 1, units, requires_grad=True), torch.randn(2, 1, units), units)()
    before = _resident()
    for _ in range(3):
        run()
    return _highest() - before


def _resident() -> float:
    """MB now; the highest so far where the system does not tell."""
    if not _STATUS.exists():
        return _highest()
    Path("/proc/self/clear_refs").write_text("5")  # the highest is measured from here on
    return _line("VmRSS")


def _highest() -> float:
    if _STATUS.exists():
        return _line("VmHWM")
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def _line(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def measured(way: str, *sizes: int) -> float:
    call = [sys.executable, "-m", "tests.bench.bench_memory", way, *map(str, sizes)]
    return float(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    print(machine())
    print("peak resident memory of three training steps, as ratios to the layer of torch.nn; 1 thread")
    columns = (*DRAWN, "torch function")
    print(f"{'B':>3} {'T':>4} {'H':>4} {'':>11} {'MB of nn.LSTM':>14} " + " ".join(f"{c:>14}" for c in columns))
    for sizes in SIZES:
        base = {kind: measured(kind, *sizes) for kind in ("LSTM", "GRU", "RNN")}
        batch, steps, units = sizes
        for on, lowering in machine_codes().items():
            found = [measured(f"{cell}/{lowering}", *sizes) / base[kind] for cell, kind in DRAWN.items()]
            if lowering == MACHINE:
                found.append(measured(f"lstm/{TORCH}", *sizes) / base["LSTM"])
            row = " ".join(f"{ratio:>14.2f}" for ratio in found)
            print(f"{batch:>3} {steps:>4} {units:>4} {on:>11} {base['LSTM']:>14.0f} {row}", flush=True)


if __name__ == "__main__":
    print(peak(sys.argv[1], *map(int, sys.argv[2:])))
