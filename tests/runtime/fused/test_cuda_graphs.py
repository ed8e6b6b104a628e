"""A recorded loop computes what the loop computes, whatever was in its memory before. On the CPU "recording" is to keep
the work and do it again on the same memory, which is what a graph does; on a GPU the graphs are real.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnstudio.runtime.fused import cuda_graphs
from rnnstudio.runtime.fused.cuda_graphs import GraphedLoop, Work, record
from rnnstudio.runtime.fused.serve import FusedLoop
from rnnstudio.runtime.fused.torch_loop import TorchLoop
from rnnstudio.runtime.network import Network

from .cells import CELLS, batch, lengths, network, program
from .test_against_reference import run, same

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def again(work: Work) -> Work:
    work()
    return work


RECORDER = record if DEVICE.type == "cuda" else again


def graphed(net: Network, *, ragged: bool = False, recorder=RECORDER) -> GraphedLoop:
    """The network runs its loop recorded, whatever a contest would say."""
    (scan,) = net.program.scans()
    fused = net.loops.fused(scan, ragged=ragged, training=True)
    assert isinstance(fused, FusedLoop)
    loop = GraphedLoop(TorchLoop(fused.plan), recorder)

    def serve(scan, values, context) -> bool:
        fused.run(loop, values, context)
        return True

    net.loops.run = serve
    return loop


def here(fields: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: x.to(DEVICE) for name, x in fields.items()}


def on_cpu(found: dict[str, Tensor | None]) -> dict[str, Tensor | None]:
    return {name: x if x is None else x.cpu() for name, x in found.items()}


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_other_data_other_weights_and_other_states_reach_a_recorded_loop(name: str, ragged: bool) -> None:
    made = program(CELLS[name], 5)
    net, oracle = network(made, torch.float64).to(DEVICE), network(made, torch.float64, reference=True)
    loop = graphed(net, ragged=ragged)
    state = None
    for i in range(4):
        with torch.no_grad():
            for path, weight in oracle.weights.items():
                weight.mul_(1 + 0.1 * i)
                net.weights[path].copy_(weight)
        fields, own = batch(3, 2, 4, 5, torch.float64, seed=i), lengths(4, 5, i) if ragged else None
        net.zero_grad()
        oracle.zero_grad()
        expected, last = run(oracle, fields, own, state)
        found, ended = run(net, here(fields), own, None if state is None else here(state))
        same(on_cpu(found), expected, 1e-9)
        same(on_cpu(ended), last, 1e-9)
        state = last
    assert loop.off == ""
    assert len(loop._graphs) == 1


def test_two_runs_may_be_under_way_before_the_first_goes_back() -> None:
    made = program(CELLS["invented"], 5)
    net, oracle = network(made, torch.float64).to(DEVICE), network(made, torch.float64, reference=True)
    graphed(net)
    for _ in range(3):
        net.zero_grad()
        oracle.zero_grad()
        for one in (net, oracle):
            device = DEVICE if one is net else torch.device("cpu")
            fields = [{n: x.to(device) for n, x in batch(3, 2, 4, 5, torch.float64, seed=i).items()} for i in (1, 2)]
            first, second = (one.losses(f).total for f in fields)
            first.backward()
            second.backward()
        grads = {path: w.grad for path, w in net.weights.items()}
        same(on_cpu(grads), {path: w.grad for path, w in oracle.weights.items()}, 1e-9)


def test_a_graph_that_is_gone_back_through_twice_gives_the_same_gradients() -> None:
    net = network(program(CELLS["invented"], 5), torch.float64).to(DEVICE)
    graphed(net)
    fields = here(batch(3, 2, 4, 5, torch.float64))
    for _ in range(3):
        net.zero_grad()
        total = net.losses(fields).total
        total.backward(retain_graph=True)
        once = {path: w.grad.clone() for path, w in net.weights.items()}
        total.backward()
        assert all(torch.allclose(w.grad, 2 * once[path], rtol=1e-12) for path, w in net.weights.items())


def trained(net: Network, steps: int) -> None:
    net.losses(here(batch(3, 2, 4, steps, torch.float64))).total.backward()


def test_a_shape_is_recorded_when_it_comes_again_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "KEPT", 2)
    net = network(program(CELLS["rnn"], 5), torch.float64).to(DEVICE)
    loop = graphed(net)
    kept = []
    for steps in (3, 4, 3, 4, 5, 5, 4):
        trained(net, steps)
        kept.append({shape[0] for shape in loop._graphs})
    assert kept == [set(), set(), {3}, {3, 4}, {3, 4}, {4, 5}, {4, 5}]


def test_memory_that_was_given_back_is_taken_again_when_it_is_needed() -> None:
    net = network(program(CELLS["rnn"], 5), torch.float64).to(DEVICE)
    loop = graphed(net)
    grads = []
    for _ in range(2):
        trained(net, 3)
        trained(net, 3)
        assert len(loop._graphs) == 1
        grads.append({path: w.grad.clone() for path, w in net.weights.items()})
        net.zero_grad()
        loop.forget()
        assert not loop._graphs
    assert all(torch.allclose(x, grads[1][path], rtol=1e-12) for path, x in grads[0].items())


def test_where_lengths_never_settle_recording_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "MOST", 2)
    net = network(program(CELLS["rnn"], 5), torch.float64).to(DEVICE)
    loop = graphed(net)
    for steps in (2, 3, 4, 2, 3, 4):
        trained(net, steps)
    assert loop.off == "batches have more than 2 different shapes"
    assert {shape[0] for shape in loop._graphs} == {2, 3}


def test_what_cannot_be_recorded_runs_as_it_is_and_the_reason_is_kept() -> None:
    def refused(work: Work) -> Work:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    made = program(CELLS["lstm"], 5)
    net, oracle = network(made, torch.float64).to(DEVICE), network(made, torch.float64, reference=True)
    loop = graphed(net, recorder=refused)
    for i in range(3):
        fields = batch(3, 2, 4, 5, torch.float64, seed=i)
        net.zero_grad()
        oracle.zero_grad()
        expected, _ = run(oracle, fields, None, None)
        same(on_cpu(run(net, here(fields), None, None)[0]), expected, 1e-9)
    assert loop.off == "recording failed: operation not permitted when stream is capturing"
    assert not loop._graphs
