"""Products over all steps at once: our machine code for vectors against torch.mm, as loops use them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rnnstudio.runtime.fused.jit import host
from rnnstudio.runtime.fused.machine_loop import products_at_once
from rnnstudio.runtime.fused.multiply import BY_TORCH, Multiply
from tests.bench.side_by_side import keep_memory, machine, medians

SIZES = ((32, 35, 64), (32, 100, 128), (64, 100, 256), (32, 35, 512), (32, 35, 1024))
GATES = (4, 1)
SETS = 4
"""Each call takes the next set of numbers, as a training finds none of them in a near cache."""


class Layer:
    """The numbers of one layer: x [rows, units], slots and their gradients [rows, gates · units]."""

    def __init__(self, rows: int, units: int, gates: int) -> None:
        self.x, self.h = (torch.randn(rows, units) for _ in range(2))
        self.slots = torch.randn(rows, gates * units + 16)[:, : gates * units]  # with gaps between rows, as loops have
        self.weight = torch.randn(gates * units, units)
        self.dweights = [torch.empty(gates * units, units) for _ in range(2)]
        self.dx = torch.empty(rows, units)

    def forward(self, multiply: Multiply) -> None:
        multiply(self.x, self.weight.t(), self.slots)

    def inputs(self, multiply: Multiply) -> None:
        multiply(self.slots, self.weight, self.dx)

    def weights(self, multiply: Multiply) -> None:
        factors: list[tuple[Tensor, Tensor]] = list(zip((self.x, self.h), self.dweights, strict=True))
        multiply.several([(self.slots.t(), factors)])


KINDS: dict[str, tuple[Callable[[Layer, Multiply], None], int]] = {
    "of inputs": (Layer.forward, 1),
    "inputs' gradient": (Layer.inputs, 1),
    "weights' gradients": (Layer.weights, 2),
}
"""Kind → how it is made, and how many products it is."""


def turns(layers: list[Layer], make: Callable[[Layer, Multiply], None], multiply: Multiply) -> Callable[[], None]:
    def run() -> None:
        layers.append(layers.pop(0))
        make(layers[0], multiply)

    return run


def main() -> None:
    keep_memory()
    print(machine())
    own = products_at_once(host(False))
    if own is BY_TORCH:
        print("products over all steps are torch's on this processor")
        return
    print("billions of multiplications and additions a second, and our time as a ratio to torch.mm's; median of 7")
    print(
        f"{'threads':>7} {'rows':>6} {'units':>5} {'gates':>5}  {'product':<18} {'torch':>6} {'ours':>6} {'ratio':>6}"
    )
    before = torch.get_num_threads()
    try:
        for threads in sorted({1, min(2, before)}):
            torch.set_num_threads(threads)
            for batch, steps, units in SIZES:
                for gates in GATES:
                    rows = batch * steps
                    layers = [Layer(rows, units, gates) for _ in range(SETS)]
                    for kind, (make, count) in KINDS.items():
                        times = medians({n: turns(layers, make, m) for n, m in (("torch", BY_TORCH), ("ours", own))})
                        work = 2e-9 * count * rows * units * units * gates
                        rates = " ".join(f"{work / times[name]:>6.0f}" for name in ("torch", "ours"))
                        ratio = times["ours"] / times["torch"]
                        print(
                            f"{threads:>7} {rows:>6} {units:>5} {gates:>5}  {kind:<18} {rates} {ratio:>6.2f}",
                            flush=True,
                        )
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    main()
