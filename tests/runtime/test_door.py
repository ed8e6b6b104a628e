"""What a network refuses at its door, in which words, and what it brings into its own form: alike on every lowering."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rnnstudio.compiler.program import Program
from rnnstudio.design.errors import StudioError
from rnnstudio.runtime import Network
from rnnstudio.runtime.fused.loops import MACHINE
from rnnstudio.runtime.generate import forecast
from rnnstudio.runtime.stepper import Stepper
from tests.conformance.drawings import language_model, recurrent
from tests.conformance.running import Tensors, program_of
from tests.properties.mutations import MUTATIONS, PROGRAMS, hold, made, running_sum
from tests.runtime.fused.cells import CELLS, program
from tests.runtime.fused.tree_cells import tree_program

WAYS = pytest.mark.parametrize("way", ["reference", "kernel", MACHINE])


def network(drawn: Program, way: str) -> Network:
    made = Network(drawn, 1, reference=way == "reference").train(way == MACHINE)
    if way == MACHINE:
        made.set_lowering_choices({scan.name: MACHINE for scan in drawn.scans()})
    return made


def lstm(way: str = MACHINE) -> Network:
    """x [batch, time, 4] → LSTM of 5 → [batch, time, 2]."""
    return network(program(CELLS["lstm"], 5, inputs=4), way)


def fields(size: int = 2, steps: int = 6, width: int = 4) -> Tensors:
    return {"inputs": torch.randn(size, steps, width), "targets": torch.randn(size, steps, 2)}


def refused(call: Callable[[], object], *words: str) -> None:
    with pytest.raises(StudioError) as caught:
        call()
    said = str(caught.value)
    assert all(word in said for word in words), said


def test_what_is_no_dictionary_is_told_so() -> None:
    net = lstm()
    refused(lambda: net(torch.randn(2, 6, 4)), "fields are a Tensor", "dictionary")  # type: ignore[arg-type]
    refused(lambda: net(fields(), torch.tensor([3, 2])), "lengths are a Tensor")  # type: ignore[arg-type]
    refused(lambda: net(fields(), state=torch.zeros(2, 5)), "state is a Tensor")  # type: ignore[arg-type]


@WAYS
def test_features_of_another_width_are_refused_before_a_kernel_runs(way: str) -> None:
    net = lstm(way)
    wrong = fields(width=5)
    told = ("“inputs”", "[2, 6, 5]", "[batch, time, 4]")
    refused(lambda: net(wrong), *told)
    refused(lambda: net.losses(wrong), *told)
    refused(lambda: net.probe(wrong), *told)
    refused(lambda: net.first_non_finite(wrong), *told)


@WAYS
def test_a_state_of_another_batch_width_or_number_of_steps_is_refused(way: str) -> None:
    net = lstm(way)
    state = net(fields()).state
    (name, *_) = state
    for shape in ((1, 3, 5), (1, 1, 5), (1, 2, 6), (2, 2, 5), (2, 5), (1, 2, 5, 1)):
        wrong = {**state, name: torch.zeros(shape)}
        for call in (net.forward, net.losses, net.probe):
            refused(lambda: call(fields(), None, wrong), f"“{name}”", str(list(shape)), "[1, 2, 5]")  # noqa: B023
    refused(lambda: net(fields(), None, {"h": state[name]}), "“h” is no state of the drawing")
    refused(lambda: net(fields(), None, {**state, name: state[name].long()}), f"“{name}”", "int64", "float32")
    refused(lambda: net.begin_anew({name: torch.zeros(1, 2, 6)}, torch.ones(2, dtype=torch.bool)), "[1, 2, 6]")
    refused(lambda: net.begin_anew(state, torch.ones(2)), "bool of [batch]")


@WAYS
def test_a_state_of_another_precision_goes_on_as_if_it_had_the_networks(way: str) -> None:
    net = lstm(way)
    state = net(fields()).state
    given, doubled = fields(), {name: x.double() for name, x in state.items()}
    one, other = net(given, None, state), net(given, None, doubled)
    torch.testing.assert_close(other.outputs, one.outputs, rtol=0, atol=0)


@WAYS
@pytest.mark.parametrize(("name", "own", "words"), [
    ("tme", [6, 2], ("“tme”", "“time”")),
    ("time", [9, 2], ("“time”", "from 2 to 9", "6 long")),
    ("time", [6, 0], ("“time”", "from 0 to 6", "1 … 6")),
    ("time", [-1, 3], ("“time”", "from -1 to 3")),
    ("time", [6, 2, 1], ("“time”", "[3]", "[2]")),
    ("time", [[6, 2]], ("“time”", "[1, 2]", "[2]")),
    ("time", [6.0, 2.0], ("“time”", "float32", "int64")),
    ("time", [True, True], ("“time”", "bool", "int64")),
])  # fmt: skip
def test_lengths_are_refused_that_no_batch_can_have(way: str, name: str, own: list[int], words: tuple[str]) -> None:
    net = lstm(way)
    for call in (net.forward, net.losses, net.probe, net.first_non_finite):
        refused(lambda: call(fields(), {name: torch.tensor(own)}), *words)  # noqa: B023


def test_lengths_belong_to_the_processor_and_may_be_whole_numbers_of_any_size() -> None:
    net, given = lstm("kernel"), fields()
    refused(lambda: net(given, {"time": torch.tensor([6, 2], device="meta")}), "“time”", "meta", "cpu")
    short = net.losses(given, {"time": torch.tensor([6, 2], dtype=torch.int32)}).total
    assert torch.equal(short, net.losses(given, {"time": torch.tensor([6, 2])}).total)


@WAYS
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.bool]
)
def test_a_network_without_parameters_reads_every_type_of_number_right(way: str, dtype: torch.dtype) -> None:
    net = network(running_sum(), way)
    ones = torch.ones(2, 4, 3).to(dtype)
    (found,) = net({"inputs": ones}).outputs.values()
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert found[0, :, 0].tolist() == [1, 2, 3, 4]
    again = net({"inputs": ones}, None, net({"inputs": ones}).state).outputs.popitem()[1]
    assert again[0, :, 0].tolist() == [5, 6, 7, 8]


@WAYS
def test_features_take_the_precision_of_the_weights(way: str) -> None:
    net, given = lstm(way), fields()
    wanted = net.losses(given).total
    assert torch.equal(net.losses({name: x.double() for name, x in given.items()}).total, wanted)
    refused(lambda: net({**given, "inputs": given["inputs"] + 0j}), "“inputs”", "complex64", "real numbers")


@WAYS
def test_features_lie_in_memory_however_they_like(way: str) -> None:
    net, given = lstm(way), fields()
    x = given["inputs"]
    wanted = net(given).outputs["loss"]
    every = torch.stack([x, -x], 1)[:, 0]
    others = (x.transpose(0, 1).contiguous().transpose(0, 1), every, torch._neg_view(-x), x.clone().requires_grad_())
    for other in others:
        torch.testing.assert_close(net({**given, "inputs": other}).outputs["loss"], wanted)
    one = x[:1, :1]
    spread = net({**given, "inputs": one.expand(x.shape)}).outputs["loss"]
    torch.testing.assert_close(spread, net({**given, "inputs": one.expand(x.shape).contiguous()}).outputs["loss"])


def test_what_is_no_tensor_of_the_networks_device_is_refused() -> None:
    net, given = lstm("kernel"), fields()
    for wrong, word in (
        (given["inputs"].tolist(), "list"),
        (None, "NoneType"),
        (given["inputs"].to_sparse(), "sparse"),
    ):
        refused(lambda: net({**given, "inputs": wrong}), "“inputs”", word)  # noqa: B023
    refused(lambda: net({**given, "inputs": given["inputs"].to("meta")}), "“inputs”", "meta", "cpu")


@WAYS
def test_fields_that_do_not_fit_each_other_are_refused(way: str) -> None:
    net = lstm(way)
    refused(lambda: net({**fields(), "targets": torch.zeros(3, 6, 2)}), "“targets”", "3 examples", "have 2")
    refused(lambda: net({**fields(), "targets": torch.zeros(2, 5, 2)}), "“time”", "6 long", "“targets” has 5")
    refused(lambda: net(fields(size=0)), "“inputs”", "batch is empty")
    refused(lambda: net(fields(steps=0)), "“inputs”", "no step along “time”")
    refused(lambda: net({**fields(), "inputs": torch.zeros(2, 4)}), "[2, 4]", "[batch, time, 4]")
    refused(lambda: net.losses({"input": torch.zeros(2, 6, 4)}), "lacks the field “inputs”", "given is “input”")


@WAYS
@pytest.mark.parametrize("token", [-1, -100, -(2**62), 30, 2**40])
def test_tokens_beyond_the_vocabulary_are_refused(way: str, token: int) -> None:
    net = network(program_of(language_model()), way)
    (text, target) = (item.field for item in net.program.inputs)
    size = net.program.inputs[0].signal.content.size
    given = {name: torch.zeros(2, 6, dtype=torch.int64) for name in (text, target)}
    for name in (text, target):
        wrong = {**given, name: given[name].clone()}
        wrong[name][1, 5] = token
        told = (f"“{name}”", f"the token {token}", f"0 … {size - 1}")
        refused(lambda: net(wrong), *told)  # noqa: B023
        refused(lambda: net.losses(wrong), *told)  # noqa: B023
    refused(lambda: net({**given, text: given[text].float()}), f"“{text}”", "float32", "tokens")
    assert torch.equal(net({**given, text: given[text].int()}).outputs["loss"], net(given).outputs["loss"])


@WAYS
def test_trees_with_parents_that_cannot_be_are_refused(way: str) -> None:
    net = network(tree_program("ChildSumTreeLSTM", 5), way)
    right = {"inputs": torch.zeros(1, 3, 3), "targets": torch.zeros(1, 3, 2)}
    for parents in ([[-1, 0, 3]], [[-1, 0, -2]], [[-1, 2, 1]], [[-1, 1, 0]], [[-1, 0, -1]]):
        refused(lambda: net({**right, "tree_parents": torch.tensor(parents)}), "ree")  # noqa: B023
    for wrong in (torch.tensor([-1, 0, 0]), torch.tensor([[[-1, 0, 0]]])):
        refused(lambda: net({**right, "tree_parents": wrong}), "“tree_parents”", "[batch, tree]")  # noqa: B023
    refused(lambda: net({**right, "tree_parents": torch.tensor([[-1.0, 0, 0]])}), "“tree_parents”", "float32")
    refused(lambda: net({**right, "tree_parents": torch.tensor([[-1, 0, 0], [-1, 0, 0]])}), "2 examples")
    refused(lambda: net({**right, "tree_parents": torch.tensor([[-1, 0, 0, 0]])}), "“tree”", "3 long", "4 in another")


Change = Callable[[Tensor], Tensor]


@WAYS
@pytest.mark.parametrize(("change", "word"), [
    (lambda w: w[:, :-1], "shape"),
    (lambda w: w.flatten(), "shape"),
    (lambda w: w.double(), "float64"),
    (lambda w: w.bfloat16(), "bfloat16"),
    (lambda w: w[:1].expand(w.shape), "memory of their own"),
])  # fmt: skip
def test_a_weight_that_was_assigned_and_does_not_fit_is_refused(way: str, change: Change, word: str) -> None:
    net, given = lstm(way), fields()
    net.losses(given).total.backward()  # its weights lie together now
    weight = net.weights["readout.weight"]
    weight.data = change(weight.data)
    refused(lambda: net.losses(given), "“readout.weight”", word)
    refused(lambda: net.probe(given), "“readout.weight”", word)


def test_a_weight_on_another_device_is_refused() -> None:
    net = lstm("kernel")
    net.readout__weight = nn.Parameter(net.weights["readout.weight"].detach().to("meta"))
    refused(lambda: net(fields()), "“readout.weight”", "meta", "whole network")


@WAYS
def test_half_a_network_cannot_be_converted_but_a_whole_one_can(way: str) -> None:
    net, given = lstm(way), fields()
    some, *_ = [w for path, w in net.weights.items() if path.endswith("bias")]
    some.data = some.data.double()
    refused(lambda: net.losses(given), "float64", "whole network")
    assert net.double().losses(given).total.dtype == torch.float64
    some.data = torch.zeros(2 * len(some), dtype=torch.float64)[::2]
    refused(lambda: net.losses(given), "one after the other")


def test_a_twin_checks_its_own_weights() -> None:
    net, given = lstm(), fields()
    net.losses(given)
    twin = copy.deepcopy(net)
    weight = twin.weights["readout.weight"]
    weight.data = weight.data[:, :-1]
    refused(lambda: twin.losses(given), "“readout.weight”")
    net.losses(given)


def test_numbers_of_steps_are_counts_of_axes_that_no_field_has() -> None:
    net = lstm("kernel")
    refused(lambda: net(fields(), steps={"tim": 6}), "“tim”", "no axis of the drawing")
    refused(lambda: net(fields(), steps={"time": 7}), "7 steps", "fields have 6")
    for count in (0, -1, 2.5, True):
        refused(lambda: net(fields(), steps={"time": count}), repr(count), "1 or more")  # type: ignore[dict-item]  # noqa: B023
    assert net(fields(), steps={"time": 6}).outputs["loss"].shape[1] == 6


def test_one_example_is_looked_into_with_the_state_it_goes_on_from() -> None:
    """Tokens among the state have no width: the batch is the last of their places."""
    drawn = made("forced writer")
    net = Network(drawn, 1).eval()
    given = {"next": torch.zeros(3, 5, dtype=torch.int64)}
    state = net({"next": torch.tensor([[1, 2, 3, 0, 1], [4, 4, 0, 1, 2], [0, 0, 3, 3, 3]])}).state
    assert {x.is_floating_point() for x in state.values()} == {True, False}
    own = {name: x[:, :1] for name, x in state.items()}
    wanted = float(net.losses({"next": given["next"][:1]}, None, own).total.detach())
    assert net.probe(given, None, state).loss == pytest.approx(wanted)


def test_generating_refuses_what_the_network_was_not_drawn_for() -> None:
    model = Network(program_of(language_model()), 1).eval()
    stepper = Stepper(model)
    size = model.program.inputs[0].signal.content.size
    refused(lambda: stepper.read(torch.tensor([[size]])), f"the token {size}")
    refused(lambda: stepper.step(torch.tensor([-1])), "the token -1")
    refused(lambda: stepper.read(torch.zeros(1, 0, dtype=torch.int64)), "no step")
    refused(lambda: forecast(Network(program_of(recurrent("GRU")), 1), torch.zeros(1, 3, 9), 2), "")


SOME = st.lists(st.sampled_from(list(MUTATIONS)), min_size=1, max_size=3)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(list(PROGRAMS)), SOME, st.integers(0, 2**32))
def test_whatever_comes_in_is_computed_as_the_reference_does_or_refused(name: str, kinds: list[str], seed: int) -> None:
    hold(name, kinds, seed)


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_every_kind_of_network_takes_what_is_right_and_refuses_what_is_not(name: str) -> None:
    told = {hold(name, [kind], seed) for kind in MUTATIONS for seed in range(2)}
    assert told == {"equal", "refused"}
