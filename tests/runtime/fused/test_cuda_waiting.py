"""Nothing in a loop waits for a GPU: no number is read back, no mask picks elements, nothing lies on the processor.

The first is seen on the CPU, in what autograd really calls. The last is seen on torch's "meta" device, whose tensors
have shapes and no numbers: reading one back fails, and so does mixing them with those of the processor.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rnnstudio.runtime.fused import loops
from rnnstudio.runtime.fused.cuda_choice import REFERENCE, TORCH
from rnnstudio.runtime.network import Network

from .cells import CELLS, batch, lengths, network, program
from .test_against_reference import force

WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal.default", "masked_select", "unique", "index.Tensor")
"""Operations whose result, or its size, the processor has to wait for."""


class Calls(TorchDispatchMode):
    """Names of the operations that were called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(call))
        return call(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", CELLS)
def test_the_torch_function_reads_no_number_back(name: str) -> None:
    net = force(network(program(CELLS[name], 5), torch.float64), TORCH)
    fields, own = batch(3, 2, 4, 6, torch.float64), lengths(4, 6)
    net.losses(fields, own)  # whether a batch is ragged is asked of lengths, which are on the CPU, before the loop
    with Calls() as calls:
        found = net.losses(fields, own)
        asked = {call for call in calls.names if any(wait in call for wait in WAITS)}
        calls.names.clear()
        found.total.backward()
    assert asked <= {"aten._local_scalar_dense.default", "aten.is_nonzero.default"}
    assert not [call for call in calls.names if any(wait in call for wait in WAITS)]


@pytest.mark.parametrize("name", CELLS)
def test_everything_of_the_torch_function_lies_where_the_network_lies(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "LOWERINGS", (TORCH, REFERENCE))
    made = program(CELLS[name], 5)
    net = Network(made).to("meta")
    fields = {field: x.to("meta") for field, x in batch(3, 2, 4, 6, torch.float32).items()}
    for own in (None, lengths(4, 6)):
        net.zero_grad()
        found = net.losses(fields, own)
        found.total.backward()
        assert set(net.loops.served.values()) == {TORCH}
        assert {x.device.type for x in found.state.values()} <= {"meta"}
        assert any(w.grad is not None for w in net.weights.values())
        with pytest.raises(RuntimeError):
            float(found.total.detach())
