"""A loop's products, however its cell was drawn: those of inputs before it, one for each state inside it, one for each
weight's gradient after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rnnstudio.runtime.fused.loops import MACHINE, TORCH
from rnnstudio.runtime.fused.plan import Plan
from rnnstudio.runtime.fused.serve import FusedLoop
from rnnstudio.runtime.network import Network

from .cells import CELLS, batch, network, program
from .test_against_reference import force

UNITS = 8

PRODUCTS: Mapping[str, tuple[int, list[list[int]]]] = {
    "rnn": (8, [[8]]),
    "lstm": (32, [[32]]),
    "gru": (24, [[24]]),
    "peephole lstm": (32, [[32]]),
    "lstm, delay 2": (32, [[32]]),
    "concat": (8, [[8]]),
    "sliced gates": (16, [[16]]),
    "reset before": (24, [[16], [8]]),
    "invented": (32, [[32]]),
    "deep": (8, [[8], [11], [8]]),
    "two lags": (8, [[8, 8, 8], [13, 13]]),
    "normalised": (16, [[16]]),
    "wired start": (8, [[8]]),
}
"""Cell → numbers a step that the product of its inputs makes for all steps at once, and those of each stage."""


def plan_of(name: str) -> Plan:
    made = program(CELLS[name], UNITS)
    (scan,) = made.scans()
    fused = Network(made).loops.fused(scan, ragged=False, training=True)
    assert isinstance(fused, FusedLoop)
    return fused.plan


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_hoisted_and_joined(name: str) -> None:
    plan, (inputs, inside) = plan_of(name), PRODUCTS[name]
    assert [(product.source, product.size) for product in plan.projections] == [(("read", "x"), inputs)]
    assert [[product.size for product in stage.products] for stage in plan.stages] == inside


@pytest.mark.parametrize(
    ("name", "numbers"), [("lstm", 5), ("gru", 4), ("invented", 6), ("rnn", 1), ("reset before", 4)]
)
def test_of_a_step_gates_are_kept_in_place_and_little_else(name: str, numbers: int) -> None:
    """Beside inputs and states: of an LSTM four gates and tanh c, of a GRU three gates and U h."""
    plan = plan_of(name)
    assert plan.columns + sum(plan.saved) + sum(plan.sources) == numbers * UNITS


class _Products(TorchDispatchMode):
    """Counts the products that torch makes."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        name = func._overloadpacket.__name__.rstrip("_")
        if name in ("mm", "addmm", "bmm", "baddbmm"):
            self.made[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("lowering", "a_step"), [(MACHINE, 0), (TORCH, 1)])
@pytest.mark.parametrize("steps", [3, 12])
def test_what_is_multiplied_step_by_step_is_the_state_alone(lowering: str, a_step: int, steps: int) -> None:
    """Forward: readout and inputs. Backward: two of the readout, and the gradients of W, U and of the inputs; the torch
    function sums up the gradient of the biases as a product, too.
    """
    made = program(CELLS["invented"], UNITS)
    net, fields = force(network(made, torch.float64), lowering), batch(3, 2, 4, steps, torch.float64)
    fields["inputs"].requires_grad_()
    net.losses(fields).total.backward()  # weights are laid together in the first run
    with _Products() as forward:
        total = net.losses(fields).total
    with _Products() as backward:
        total.backward()
    assert sum(forward.made.values()) == 2 + a_step * steps
    assert sum(backward.made.values()) == 2 + 3 + (lowering == TORCH) + a_step * steps
