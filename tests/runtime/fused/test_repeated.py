"""Calls in machine code that are repeated without their Python give the same bits, wherever their inputs lie."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import Tensor

from rnnstudio.runtime.fused.jit import host
from rnnstudio.runtime.fused.job_products import JobProducts
from rnnstudio.runtime.fused.jobs import address_of
from rnnstudio.runtime.fused.loops import MACHINE, TILES
from rnnstudio.runtime.fused.machine_loop import MachineLoop, products_at_once
from rnnstudio.runtime.fused.multiply import BY_TORCH
from rnnstudio.runtime.fused.repeated import Calling, Listening, Results
from rnnstudio.runtime.fused.tile_machine import matrix_unit
from rnnstudio.runtime.fused.tile_products import TileProducts
from rnnstudio.runtime.fused.vector_products import VectorProducts
from rnnstudio.runtime.network import Network

from .cells import CELLS, batch, lengths, network, program
from .test_against_reference import force, run

UNITS, ROWS, STEPS = 64, 8, 20
REPEATED = ("rnn", "relu", "lstm", "peephole lstm", "lstm, backward", "invented", "lstm, learned start")


@dataclass(frozen=True)
class Way:
    """A machine code, and the products that go with it."""

    lowering: str
    products: Callable[..., JobProducts]

    def made(self, name: str) -> Network:
        """A network whose loops have been tried, on a size of its own: a trial is a call, too."""
        net = force(network(program(CELLS[name], UNITS, inputs=UNITS), torch.float32), self.lowering)
        step(net, numbers(0, 2))
        return net

    def calling(self) -> Calling:
        return Calling(self.products().code.calls)


@pytest.fixture(params=[MACHINE, TILES])
def way(request: pytest.FixtureRequest) -> Way:
    if request.param == TILES:
        unit = matrix_unit()
        if isinstance(unit, str):
            pytest.skip(unit)
        return Way(TILES, partial(TileProducts, unit))
    if products_at_once(host(False)) is BY_TORCH:
        pytest.skip("products over all steps are torch's on this processor")
    return Way(MACHINE, partial(VectorProducts, host(False)))


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def callings(net: Network) -> list[Calling]:
    loops = [runner.args[0] for runner in net.loops._runners.values() if not isinstance(runner, str)]
    found = [loop.multiply.calling for loop in loops if isinstance(loop, MachineLoop)]
    assert found
    return found


def repeats(net: Network) -> int:
    return sum(calling.repeats for calling in callings(net))


def never(net: Network) -> Network:
    """Every call of its loops is made in Python."""
    for calling in callings(net):
        calling._known.clear()
    return net


def numbers(seed: int, steps: int = STEPS) -> dict[str, Tensor]:
    return batch(UNITS, 2, ROWS, steps, torch.float32, seed)


def step(net: Network, fields: dict[str, Tensor], own: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    for weight in net.weights.values():
        weight.grad = None
    found, last = run(net, fields, own, None)
    return {**found, **{f"final {name}": x for name, x in last.items()}}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert set(a) == set(b)
    for name, x in a.items():
        y = b[name]
        assert (x is None) == (y is None), name
        assert x is None or torch.equal(x, y), name


@pytest.mark.parametrize("ragged", [False, True], ids=["", "ragged"])
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_gives_the_same_bits(name: str, ragged: bool, threads: int, way: Way) -> None:
    net = way.made(name)
    own = lengths(ROWS, STEPS) if ragged else None
    first = step(net, numbers(0), own)
    for _ in range(3):
        same(step(net, numbers(0), own), first)


@pytest.mark.parametrize("name", REPEATED)
def test_what_is_repeated(name: str, threads: int, way: Way) -> None:
    net = way.made(name)
    for count in (0, 0, 2, 4):
        step(net, numbers(0))
        assert repeats(net) == count, [calling.refusals() for calling in callings(net)]


@pytest.mark.parametrize("name", ["rnn", "lstm", "invented"])
def test_other_inputs_other_sizes_and_trained_weights(name: str, threads: int, way: Way) -> None:
    net, other = way.made(name), way.made(name)
    other.load_state_dict(net.state_dict())
    ways = [torch.optim.SGD(x.parameters(), lr=0.1) for x in (net, other)]
    kept = []  # so that nothing lies twice in the same place
    step(other, numbers(0))
    for seed in range(8):
        fields = numbers(seed, STEPS + seed % 2)
        found, wanted = step(net, fields), step(never(other), fields)
        same(found, wanted)
        kept.append((found, {key: x if x is None else x.clone() for key, x in found.items()}))
        for way in ways:
            way.step()
    assert repeats(net) == 8
    assert repeats(other) == 0
    for found, before in kept:
        same(
            {k: x for k, x in found.items() if k in ("prediction", "dx")}, {k: before[k] for k in ("prediction", "dx")}
        )


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_weights_that_move(name: str, way: Way) -> None:
    net = way.made(name)
    for _ in range(3):
        step(net, numbers(0))
    assert repeats(net) == 2
    for weight in net.parameters():
        weight.data = weight.data.clone() * 0.5
    other = way.made(name)
    other.load_state_dict(net.state_dict())
    same(step(net, numbers(0)), step(other, numbers(0)))
    assert repeats(net) == 2


def test_weights_that_are_turned_where_they_lie(way: Way) -> None:
    calling, w, x = way.calling(), torch.randn(128, 128), torch.randn(200, 128)
    for weight in (w, w, w, w.t(), w.t()):
        made = multiplied(way, calling, x, weight)
        torch.testing.assert_close(made, x @ weight, rtol=1e-4, atol=1e-4)


def test_a_graph_that_is_kept_is_gone_through_again(way: Way) -> None:
    net = way.made("lstm")
    for _ in range(3):
        step(net, numbers(0))
    wanted = step(net, numbers(0))
    for _ in range(3):
        for weight in net.weights.values():
            weight.grad = None
        total = net.losses(numbers(0)).total
        total.backward(retain_graph=True)
        once = {path: w.grad.clone() for path, w in net.weights.items() if w.grad is not None}
        total.backward()
        for path, grad in once.items():
            assert torch.equal(grad, wanted[path])
            doubled = net.weights[path].grad
            assert doubled is not None
            assert torch.equal(doubled, 2 * grad)


@pytest.mark.parametrize("before", [0, 3])
def test_hooks_that_copy_what_is_saved(before: int, way: Way) -> None:
    """Copies have no gaps between rows, which 4 · 128 pre-activations have."""
    made = program(CELLS["lstm"], 128, inputs=UNITS)
    net, other = (force(network(made, torch.float32), way.lowering) for _ in range(2))
    step(other, numbers(0))
    for _ in range(before):
        step(net, numbers(0))
    for seed in range(4):
        with torch.autograd.graph.saved_tensors_hooks(lambda x: x.clone(), lambda x: x):
            found = step(net, numbers(seed))
        same(found, step(never(other), numbers(seed)))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_layers_weight_that_is_turned_where_it_lies(name: str, way: Way) -> None:
    net = way.made(name)
    for _ in range(3):
        step(net, numbers(0))
    path = next(path for path, w in net.weights.items() if w.shape == (UNITS, UNITS) and "readout" not in path)
    net.weights[path].data = net.weights[path].data.t()
    other = way.made(name)
    other.load_state_dict(net.state_dict())
    found, wanted = step(net, numbers(1)), step(other, numbers(1))
    for key, x in found.items():
        torch.testing.assert_close(x, wanted[key], rtol=1e-4, atol=1e-4)


def test_memory_is_the_processors_whatever_torch_takes_by_itself(way: Way) -> None:
    calling, w, x = way.calling(), torch.randn(128, 128), torch.randn(200, 128)
    for _ in range(2):
        multiplied(way, calling, x, w)
    with torch.device("meta"):
        made = multiplied(way, calling, x, w)
    assert calling.repeats == 1
    torch.testing.assert_close(made, x @ w, rtol=1e-4, atol=1e-4)


def test_calls_that_cannot_be_repeated_say_why(way: Way) -> None:
    net = way.made("lstm, delay 2")
    for _ in range(4):
        step(net, numbers(0))
    (calling,) = callings(net)
    assert any(why.startswith("it runs aten::") for why in calling.refusals())


def multiplied(way: Way, calling: Calling, x: Tensor, w: Tensor) -> Tensor:
    """x · w, where w seldom moves."""

    def work(listener: Listening | None) -> Results:
        products = way.products(put_off=True, listener=listener)
        made = products(x, w)
        products.finish()
        return [made]

    (made,) = calling.call("product", [x], [w], work)
    assert made is not None
    return made


def added(way: Way, calling: Calling, x: Tensor, y: Tensor, more: Tensor | None = None) -> Results:
    """Sums of the rows of x and of y, and of more."""

    def work(listener: Listening | None) -> Results:
        products = way.products(put_off=True, listener=listener)
        out = torch.zeros(2, x.shape[1])
        for i, part in enumerate((x, y) if more is None else (x, more)):
            products.sum_rows(part, out[i])
        products.finish()
        return [out[0], None, out]

    return calling.call("sums", [x, y], [], work)


def test_results_are_views_of_one_memory(way: Way) -> None:
    calling = way.calling()
    for seed in range(4):
        x, y = torch.randn(2, 3, 21, generator=torch.Generator().manual_seed(seed))
        first, nothing, both = added(way, calling, x.clone(), y.clone())
        assert nothing is None
        assert first is not None
        assert both is not None
        torch.testing.assert_close(both, torch.stack([x.sum(0), y.sum(0)]))
        assert first.data_ptr() == both.data_ptr()
    assert calling.repeats == 2


def test_inputs_that_share_memory_are_not_told_apart(way: Way) -> None:
    calling = way.calling()
    x = torch.randn(3, 21)
    for _ in range(4):
        added(way, calling, x, x[1:])
    assert calling.repeats == 0
    assert calling.refusals() == ["inputs share memory"]


def test_memory_that_nobody_told_of(way: Way) -> None:
    calling = way.calling()
    x, y, more = torch.randn(3, 3, 21).unbind()
    for _ in range(4):
        added(way, calling, x.clone(), y.clone(), more)
    assert calling.repeats == 0
    assert calling.refusals() == ["a table names memory that nobody told of"]


def test_no_more_calls_are_remembered_than_are_worth_it(way: Way) -> None:
    calling = way.calling()
    for key in range(100):
        calling.call(key, [], [], lambda listener: [])
    assert len(calling._known) <= 32


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 33, 5000])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_sums(rows: int, width: int, add: bool, threads: int, way: Way) -> None:
    products = way.products()
    parts = torch.randn(rows, width + 3, generator=torch.Generator().manual_seed(width))[:, :width]
    whole = torch.full((width + 32,), 7.25)
    products.sum_rows(parts, whole[16:-16], add=add)
    wanted = parts.double().sum(0) + (7.25 if add else 0)
    torch.testing.assert_close(whole[16:-16].double(), wanted, rtol=1e-5, atol=1e-5)
    assert bool((whole[:16] == 7.25).all())
    assert bool((whole[-16:] == 7.25).all())


@pytest.mark.parametrize("width", [1, 16, 33, 500])
@pytest.mark.parametrize("rows", [0, 1, 100])
def test_copies_of_a_row(rows: int, width: int, threads: int, way: Way) -> None:
    row = torch.randn(width, generator=torch.Generator().manual_seed(width))
    whole = torch.full((rows + 2, width + 7), 7.25)
    way.products().spread(row, whole[1:-1, 3:-4])
    assert torch.equal(whole[1:-1, 3:-4], row.expand(rows, -1))
    whole[1:-1, 3:-4] = 7.25
    assert bool((whole == 7.25).all())


def test_a_table_is_known_by_where_it_lies(way: Way) -> None:
    listening = Listening([], [])
    tables = [way.products().code.begin(listening).table("i", [i]) for i in range(3)]
    assert len({address_of(table) for table in tables}) == 3


def test_listening_does_not_load_torchs_compiler() -> None:
    code = """
import sys, torch
from rnnstudio.runtime.fused.repeated import Listening
with Listening([], []) as heard:
    torch.zeros(3)
assert heard._blocks and "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
