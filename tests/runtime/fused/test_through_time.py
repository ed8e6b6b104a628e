"""‖∂L/∂h_t‖ read from the way back of fused loops is autograd's, of every state, step and example."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.program import Map, Program, Scan, region_ops
from rnnstudio.runtime.context import Watch
from rnnstudio.runtime.fused import torch_loop
from rnnstudio.runtime.fused.loops import MACHINE, REFERENCE, TORCH
from rnnstudio.runtime.network import Network

from .cells import AT, CELLS, batch, delay, lengths, network, program
from .test_against_reference import force

LOWERINGS = (MACHINE, TORCH)


def expected(made: Program, fields: dict[str, Tensor], own: dict[str, Tensor] | None) -> dict[str, Tensor]:
    """[time, batch] by path, by autograd through the reference; L: each example's own mean loss."""
    net = network(made, torch.float64, reference=True)
    record: dict[str, list[Tensor]] = {}
    (loss,) = made.losses
    values, _ = net._run(fields, own, None, (loss.value,), record=record)
    nodes = {op.name: op.node for op in region_ops(made.regions)}
    found = {}
    size, steps = fields["inputs"].shape[:2]
    count = own["time"] if own is not None else torch.full((size,), steps)
    scale = count.sum() / count if made.signals[loss.target].axes else torch.full((size,), float(size))
    for scan in made.regions:
        if not isinstance(scan, Scan):
            continue
        inside = {op.name for region in scan.body if isinstance(region, Map) for op in region.ops}
        for state in scan.states:
            if state.source in inside:
                steps_of = record[state.source] if scan.forward else record[state.source][::-1]
                grads = torch.autograd.grad(
                    values[loss.value], steps_of, retain_graph=True, allow_unused=True, materialize_grads=True
                )
                rows = torch.stack([grad.norm(dim=-1) for grad in grads])
                found[nodes[state.source]] = rows * scale
                if own is not None:
                    found[nodes[state.source]][torch.arange(steps)[:, None] >= own["time"]] = torch.nan
    return found


def watched(net: Network, fields: dict[str, Tensor], own: dict[str, Tensor] | None) -> dict[str, Tensor]:
    watch: Watch = []
    net.losses(fields, own, watch=watch).total.backward()
    return net.state_gradients(watch, own, fields["inputs"].shape[0])


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert set(found) == set(wanted)
    for path, x in wanted.items():
        torch.testing.assert_close(found[path], x.detach(), rtol=0, atol=1e-9 * max(float(x.nan_to_num().max()), 1e-3),
                                   equal_nan=True)  # fmt: skip


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_totals_are_autograds(name: str, ragged: bool, lowering: str) -> None:
    made = program(CELLS[name], 5)
    fields, own = batch(3, 2, 4, 7, torch.float64), lengths(4, 7) if ragged else None
    found = watched(force(network(made, torch.float64), lowering), fields, own)
    wanted = expected(made, fields, own)
    assert wanted
    same(found, wanted)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_long_sequences_are_read_piece_by_piece(lowering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_loop, "_CHUNK", 3 * 4 * 5)
    made = program(CELLS["reset before"], 5)
    fields = batch(3, 2, 4, 11, torch.float64)
    same(watched(force(network(made, torch.float64), lowering), fields, None), expected(made, fields, None))


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", CELLS)
def test_who_is_watched_learns_the_same_bits(name: str, lowering: str) -> None:
    made = program(CELLS[name], 7)
    fields = batch(3, 2, 4, 6, torch.float32)
    found = []
    for watch in (None, []):
        net = force(network(made, torch.float32), lowering)
        net.losses(fields, watch=watch).total.backward()
        found.append({path: w.grad for path, w in net.weights.items() if w.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][path], found[1][path]) for path in found[0])


def half_shown(s: Sketch, units: int) -> str:
    """Half of a state goes into another state, which is all that leaves the loop."""
    terms = {"input": "x", "input2": "h_before", "input3": "m_before"}
    total = s.add("total", "Linear", at=AT, params={"units": units, "terms": 3}, **terms)
    h = s.add("h", "Tanh", at=AT, input=total)
    delay(s, "h_before", h)
    half = s.add("half", "Slice", at=AT, params={"start": 0, "stop": units // 2}, input=h)
    m = s.add("m", "Add", at=AT, a=half, b="m_before")
    delay(s, "m_before", m, width=units // 2)
    return m


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_a_state_of_which_columns_are_used_apart_is_left_to_the_probe(lowering: str) -> None:
    """The half is computed from what the state is made of: the state's own node misses that gradient."""
    made = program(half_shown, 6)
    fields = batch(3, 2, 4, 7, torch.float64)
    net = force(network(made, torch.float64), lowering)
    assert watched(net, fields, None) == {}
    assert all(net.loops.served[scan.name] == lowering for scan in made.regions if isinstance(scan, Scan))


def test_a_loop_on_the_reference_leaves_nothing() -> None:
    net = force(network(program(CELLS["lstm"], 5), torch.float64), REFERENCE)
    assert watched(net, batch(3, 2, 4, 7, torch.float64), None) == {}
