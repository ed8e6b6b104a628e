"""Fused loops over trees give what the reference gives: outputs and all gradients, for any tree and any batch."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.program import Program
from rnnstudio.runtime.fused.loops import MACHINE, TORCH
from rnnstudio.runtime.network import Network

from .cells import AT, Draw, network
from .test_against_reference import force, same
from .test_tree_bounds import plan_of
from .tree_cells import DRAWN, Parents, chain, children, padded, random_trees, star, tree_program

LOWERINGS = (MACHINE, TORCH)
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
RAGGED = [*random_trees(5, 1, 12, 3, random.Random(1)), chain(6), star(5), [-1], [1, 2, -1, 2, 1]]


@pytest.fixture(autouse=True)
def _fresh_memory_is_nan() -> Iterator[None]:
    """Uninitialised tensors hold NaN, so that whatever is read unwritten shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def batch(trees: Sequence[Parents], dtype: torch.dtype, inputs: int = 3, outputs: int = 2) -> dict[str, Tensor]:
    parents, _ = padded(trees)
    g = torch.Generator().manual_seed(3)
    rows = [torch.randn(len(tree), inputs + outputs, generator=g, dtype=torch.float64) for tree in trees]
    whole = torch.zeros(len(trees), parents.shape[1], inputs + outputs, dtype=torch.float64)
    for row, own in zip(whole, rows, strict=True):
        row[: len(own)] = own
    x, y = whole.to(dtype).split((inputs, outputs), 2)
    return {"inputs": x, "targets": y, "tree_parents": parents}


def run(net: Network, trees: Sequence[Parents], dtype: torch.dtype) -> dict[str, Tensor]:
    fields = batch(trees, dtype)
    fields["inputs"] = fields["inputs"].clone().requires_grad_()
    _, lengths = padded(trees)
    found = net.losses(fields, {"tree": lengths})
    found.total.backward()
    (prediction,) = found.predictions.values()
    own = torch.arange(prediction.shape[1])[None, :] < lengths[:, None]
    gradients = {path: w.grad for path, w in net.weights.items()}
    loss = found.total.detach()
    return {"prediction": prediction * own[:, :, None], "loss": loss, "dx": fields["inputs"].grad, **gradients}


def compare(made: Program, lowering: str, dtype: torch.dtype, trees: Sequence[Parents]) -> None:
    expected = run(network(made, dtype, reference=True), trees, dtype)
    net = force(network(made, dtype), lowering)
    same(run(net, trees, dtype), expected, TOLERANCE[dtype])
    assert set(net.loops.served.values()) == {lowering}


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", DRAWN)
def test_values_and_gradients_are_the_references(name: str, lowering: str) -> None:
    compare(tree_program(DRAWN[name], 7), lowering, torch.float64, RAGGED)
    compare(tree_program(DRAWN[name], 7), lowering, torch.float32, RAGGED)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("trees", [[[-1]], [chain(9)], [star(9)], [[-1]] * 3, [chain(4), [-1], star(3)]])
def test_trees_of_every_shape(name: str, lowering: str, trees: list[Parents]) -> None:
    compare(tree_program(DRAWN[name], 5), lowering, torch.float64, trees)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", DRAWN)
def test_a_padded_batch_gives_what_each_tree_gives_alone(name: str, lowering: str) -> None:
    net = force(network(tree_program(DRAWN[name], 6), torch.float64), lowering)
    together = run(net, RAGGED, torch.float64)["prediction"]
    fields = batch(RAGGED, torch.float64)
    for i, tree in enumerate(RAGGED):
        own = {key: value[i : i + 1, : len(tree)] for key, value in fields.items()}
        (alone,) = net.losses(own, {"tree": torch.tensor([len(tree)])}).predictions.values()
        torch.testing.assert_close(alone[0], together[i, : len(tree)], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["child-sum", "binary", "weighted children", "rntn", "pooled", "attentive"])
def test_two_threads_give_what_one_gives(name: str) -> None:
    made = tree_program(DRAWN[name], 9)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(run(force(network(made, torch.float64), MACHINE), RAGGED, torch.float64))
    finally:
        torch.set_num_threads(before)
    same(found[1], found[0], 1e-12)
    same(found[2], found[0], 1e-12)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize(("units", "blocks"), [(65, 4), (129, 6)])
def test_wide_tensors_are_folded_in_blocks(units: int, blocks: int, lowering: str) -> None:
    """Not in float32: with random tensors so large the reference's own errors grow 1000-fold from level to level."""
    made = tree_program("RNTN", units)
    assert len(plan_of(made).form.blocks) == blocks
    compare(made, lowering, torch.float64, RAGGED[:3])


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("leaves_only", [False, True])
@pytest.mark.parametrize("name", ["child-sum", "binary", "asked twice"])
def test_words_are_looked_up_and_mapped_once_each(name: str, leaves_only: bool, lowering: str) -> None:
    made = tree_program(DRAWN[name], 6, inputs=4, words=9)
    trees = random_trees(6, 9, 14, 2, random.Random(2))
    parents, lengths = padded(trees)
    fields = batch(trees, torch.float64)
    g = torch.Generator().manual_seed(0)
    words = torch.randint(1, 9, parents.shape, generator=g)
    if leaves_only:
        for row, tree in zip(words, trees, strict=True):
            row[sorted({parent for parent in tree if parent >= 0})] = 0
    found = []
    for net in (network(made, torch.float64, reference=True), force(network(made, torch.float64), lowering)):
        loss = net.losses({**fields, "inputs": words}, {"tree": lengths})
        loss.total.backward()
        found.append({"loss": loss.total.detach(), **{path: w.grad for path, w in net.weights.items()}})
    same(found[1], found[0], 1e-9)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_a_value_without_the_trees_axis_is_the_same_at_all_its_nodes(lowering: str) -> None:
    """Attention to the question, say: what is known of the whole tree steers every node."""

    def steered(s: Sketch, units: int) -> str:
        whole = s.add("whole", "Sum", at=AT, params={"axis": "tree"}, input="x")
        total = children(s, "total", "h", axis="tree", width=units)
        ports = {"input": "x", "input2": total, "input3": whole}
        linear = s.add("linear", "Linear", at=AT, params={"units": units, "terms": 3}, **ports)
        return s.add("h", "Tanh", at=AT, input=linear)

    compare(tree_program(steered, 5), lowering, torch.float64, RAGGED)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("every_step", [False, True])
def test_dropout_drops_each_number_at_its_rate(every_step: bool, lowering: str) -> None:
    def dropped(s: Sketch, units: int) -> str:
        total = children(s, "total", "h", axis="tree", width=units)
        kept = s.add("kept", "Dropout", at=AT, params={"rate": 0.25, "every_step": every_step}, input=total)
        linear = s.add("linear", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2=kept)
        return s.add("h", "Tanh", at=AT, input=linear)

    net = force(network(tree_program(dropped, 40), torch.float64), lowering)
    with torch.no_grad():
        for path, weight in net.weights.items():
            weight.zero_()
            if path == "linear.weight2":
                weight.copy_(torch.eye(40, dtype=torch.float64))
            if path == "linear.bias":
                weight.fill_(0.01)
            if path == "readout.weight":
                weight.fill_(1.0)
    trees = [star(2)] * 200
    _, lengths = padded(trees)
    fields = batch(trees, torch.float64)
    (prediction,) = net.losses(fields, {"tree": lengths}).predictions.values()
    h_leaf = torch.tensor(0.01, dtype=torch.float64).tanh()
    low, high = (0.01 + torch.stack([torch.zeros((), dtype=torch.float64), h_leaf / 0.75])).tanh()
    kept = (prediction[:, 0, 0] - 40 * low) / (high - low) / 40
    assert float(kept.mean()) == pytest.approx(0.75, abs=0.02)
    assert float((kept * 40 - (kept * 40).round()).abs().max()) < 1e-6


def test_what_a_tree_runs_on_is_said_with_the_reason() -> None:
    (line,) = Network(tree_program("ChildSumTreeLSTM", 4)).lowerings()
    assert line == "cell: machine code, on a GPU torch function, level by level, all trees of the batch at once"
    (line,) = Network(tree_program("RNTN", 4)).lowerings()
    assert line.startswith("cell: machine code")
    (line,) = Network(tree_program(turned, 4)).lowerings()
    assert line.startswith("each: reference loop, level by level")
    assert "not fused: order is a reverse" in line
    (line,) = Network(tree_program("RecursiveNet", 4), reference=True).lowerings()
    assert "asked for" in line


def smooth(s: Sketch, units: int) -> str:
    total = children(s, "total", "h", axis="tree", width=units)
    linear = s.add("linear", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2=total)
    side = s.add("side", "Multiply", at=AT, a=s.add("sign", "Sign", at=AT, input=linear), b=total)
    return s.add("h", "Add", at=AT, a=s.add("soft", "Gelu", at=AT, input=linear), b=side)


def turned(s: Sketch, units: int) -> str:
    each = children(s, "each", "h", "each", axis="tree", width=units)
    order = s.add("order", "Reverse", at=AT, params={"axis": "tree_children"}, input=each)
    product = s.add("product", "Multiply", at=AT, a=order, b=each)
    total = s.add("total", "Sum", at=AT, input=product)
    linear = s.add("linear", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2=total)
    return s.add("h", "Tanh", at=AT, input=linear)


def test_what_has_no_machine_code_runs_in_plain_torch() -> None:
    made = tree_program(smooth, 5)
    expected = run(network(made, torch.float64, reference=True), RAGGED, torch.float64)
    net = network(made, torch.float64)
    same(run(net, RAGGED, torch.float64), expected, 1e-9)
    (line,) = net.lowerings()
    assert line.startswith("total: torch function, level by level")
    assert "no machine code: there is none for erf" in line


def test_what_cannot_be_fused_runs_by_the_reference_and_says_why() -> None:
    made = tree_program(turned, 3)
    net = network(made, torch.float64)
    expected = run(network(made, torch.float64, reference=True), RAGGED, torch.float64)
    same(run(net, RAGGED, torch.float64), expected, 1e-12)
    assert set(net.loops.served.values()) == {"reference"}


def dropped_children(s: Sketch, units: int, *, every_step: bool = False) -> str:
    each = children(s, "each", "h", "each", axis="tree", width=units)
    kept = s.add("kept", "Dropout", at=AT, params={"rate": 0.25, "every_step": every_step}, input=each)
    total = s.add("total", "Sum", at=AT, input=kept)
    linear = s.add("linear", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2=total)
    return s.add("h", "Tanh", at=AT, input=linear)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_all_children_share_the_mask_of_their_tree(lowering: str) -> None:
    made = tree_program(dropped_children, 6)
    found = []
    for net in (network(made, torch.float64, reference=True), force(network(made, torch.float64), lowering)):
        torch.manual_seed(0)
        found.append(run(net, RAGGED, torch.float64))
    same(found[1], found[0], 1e-9)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize(("every_step", "chances"), [(True, (1 / 16, 6 / 16, 9 / 16)), (False, (1 / 4, 0, 3 / 4))])
def test_each_child_may_be_dropped(every_step: bool, chances: tuple[float, ...], lowering: str) -> None:
    """Of two children the root keeps none, one or both: both alike where they share a mask."""
    made = tree_program(lambda s, units: dropped_children(s, units, every_step=every_step), 1)
    net = force(network(made, torch.float64), lowering)
    start = {"linear.weight2": 1.0, "linear.bias": 0.01, "readout.weight": 1.0}
    with torch.no_grad():
        for path, weight in net.weights.items():
            weight.fill_(start.get(path, 0.0))
    trees = [star(3)] * 2000
    (prediction,) = net.losses(batch(trees, torch.float64), {"tree": padded(trees)[1]}).predictions.values()
    leaf = torch.tensor(0.01, dtype=torch.float64).tanh()
    kept = (prediction[:, 0, 0].atanh() - 0.01) / leaf * 0.75
    assert float((kept - kept.round()).abs().max()) < 1e-9
    for count, chance in enumerate(chances):
        assert float((kept.round() == count).double().mean()) == pytest.approx(chance, abs=0.04)
    assert set(net.loops.served.values()) == {lowering}


UNARY = ("Sigmoid", "Tanh", "Relu", "Softplus", "OneMinus", "Scale")
BINARY = ("Add", "Multiply", "Subtract", "Maximum")
POOLS = ("Sum", "Mean", "Max", "First", "Last")


@st.composite
def cells(draw: st.DrawFn) -> Draw:
    """One to three memories, read as sums, in places, or each by each, with learned children where there are none."""
    how = st.sampled_from(("sum", "slot", "slot", "each"))
    reads = draw(st.lists(st.tuples(st.integers(0, 2), how, st.integers(0, 2), st.booleans()), min_size=1, max_size=5))
    memories = 1 + max(read[0] for read in reads)
    steps = draw(
        st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=12)
    )
    ends = [draw(st.integers(0, 99)) for _ in range(memories + 1)]

    def sketch(s: Sketch, units: int) -> str:
        nodes, edges = ["x0"], list[str]()
        s.add("x0", "Linear", at=AT, params={"units": units}, input="x")
        for i, (memory, way, slot, learned) in enumerate(reads):
            more = {"slot": slot, "initial": "learned" if learned else "zero"} if way == "slot" else {}
            made = children(s, f"k{i}", f"s{memory}", way, axis="tree", width=units, **more)
            (edges if way == "each" else nodes).append(made)
        for i, (what, a, b) in enumerate(steps):
            pool = [*nodes, *edges]
            one, two = pool[a % len(pool)], pool[b % len(pool)]
            kind = what % 8
            if kind in (0, 1):
                made = s.add(f"n{i}", "Linear", at=AT, params={"units": units, "terms": 2}, input=one, input2=two)
            elif kind == 2:
                made = s.add(f"n{i}", UNARY[what % len(UNARY)], at=AT, input=one)
                two = one
            elif kind == 3:
                made = s.add(f"n{i}", BINARY[what % len(BINARY)], at=AT, a=one, b=two)
            elif kind == 4 and one in edges:
                nodes.append(s.add(f"n{i}", POOLS[b % len(POOLS)], at=AT, input=one))
                continue
            elif kind == 6:
                made = s.add(f"n{i}", "Bilinear", at=AT, params={"units": units, "bias": b % 2 == 0}, a=one, b=two)
            elif kind == 7 and one in edges:
                made = s.add(f"n{i}", "Softmax", at=AT, params={"axis": "tree_children"}, input=one)
            else:
                both = s.add(f"both{i}", "Concat", at=AT, a=one, b=two)
                cut = what % units
                made = s.add(f"n{i}", "Slice", at=AT, params={"start": cut, "stop": cut + units}, input=both)
            (edges if one in edges or two in edges else nodes).append(made)
        for i in range(memories):
            mixed = s.add(f"m{i}", "Linear", at=AT, params={"units": units}, input="x")
            total = s.add(f"t{i}", "Add", at=AT, a=mixed, b=nodes[ends[i] % len(nodes)])
            s.add(f"s{i}", "Tanh", at=AT, input=total)
        last = s.add("last", "Add", at=AT, a=nodes[ends[-1] % len(nodes)], b="s0")
        return s.add("out", "Tanh", at=AT, input=last)

    return sketch


def check(cell: Draw, units: int, lowering: str) -> None:
    made = tree_program(cell, units)
    loops = [scan for scan in made.scans() if scan.tree]
    if loops:
        compare(made, lowering, torch.float64, RAGGED[::2])


@given(cells(), st.sampled_from((2, 5)))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_random_cells_as_one_torch_function(cell: Draw, units: int) -> None:
    check(cell, units, TORCH)


@given(cells(), st.sampled_from((3, 17)))
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_random_cells_as_machine_code(cell: Draw, units: int) -> None:
    check(cell, units, MACHINE)
