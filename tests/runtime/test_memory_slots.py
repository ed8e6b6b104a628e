"""A state that begins with a value of further axes has them too: the slots of a memory, kept from step to step.

Each network is written beside by hand in plain torch; every way to run it equals that in values and gradients.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rnnstudio
from rnnstudio.api import Drawing
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check, compile_design
from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetParam
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.export import export_python
from rnnstudio.runtime import Network
from rnnstudio.runtime.fused.loops import MACHINE, TORCH
from rnnstudio.runtime.generate import forecast
from tests.conformance.running import answer_of_source, gradients_of, network_of

STEPS, SLOTS, PARTS, WIDTH, EXAMPLES = 6, 3, 2, 4, 3


def loop(*axes: str, fixed: bool = False, backward: bool = False) -> Drawing:
    """m_t = m_(t−1) + a_t ⊙ (W x_t − m_(t−1)),  a_t = softmax over the slots of v·(m_(t−1) ⊙ K x_t) + b.

    fixed: a_t by the memory as it began. axes: “parts” beside the slots, of which a first value of their own is added.
    """
    drawing = rnnstudio.new()
    drawing.add("FeatureInput", "x", field="x", size=3)
    drawing.add("FeatureInput", "m0", field="m0", size=WIDTH, axis="slots")
    first = "m0"
    if "parts" in axes:
        drawing.add("FeatureInput", "p0", field="p0", size=WIDTH, axis="parts")
        first = drawing.add("Add", "first", a="p0", b="m0")
    drawing.add("Delay", "before", axis="time", k=-1 if backward else 1)
    drawing.connect(first, "before.initial")
    drawing.add("Linear", "key", units=WIDTH, input="x")
    drawing.add("Linear", "new", units=WIDTH, input="x")
    drawing.add("Multiply", "match", a=first if fixed else "before", b="key")
    drawing.add("Linear", "score", units=1, input="match")
    drawing.add("Softmax", "address", axis="slots", input="score")
    drawing.add("Subtract", "change", a="new", b="before")
    drawing.add("Multiply", "written", a="address", b="change")
    drawing.add("Add", "memory", a="before", b="written")
    drawing.connect("memory", "before.input")
    drawing.add("Multiply", "seen", a="address", b="memory")
    drawing.add("Sum", "read", axis="slots", input="seen")
    if "parts" in axes:
        drawing.add("Mean", "parted", axis="parts", input="read")
    drawing.add("Linear", "said", units=2, input="parted" if "parts" in axes else "read")
    drawing.add("FeatureTarget", "y", field="y", size=2)
    drawing.add("MeanSquaredError", "loss", prediction="said", target="y")
    drawing.add("Output", "out", input="said")
    return drawing


def by_hand(w: dict[str, Tensor], fields: dict[str, Tensor], *, fixed: bool, backward: bool) -> Tensor:
    """[batch, time, 2]: what is said at each step."""
    x, m = fields["x"], fields["m0"]
    if "p0" in fields:
        m = fields["p0"][:, :, None] + m[:, None]
    begun = m
    key, new = (x @ w[f"{name}.weight"].T + w[f"{name}.bias"] for name in ("key", "new"))
    said: list[Tensor] = []
    for t in reversed(range(STEPS)) if backward else range(STEPS):
        k, n = (v[:, t].reshape(EXAMPLES, *[1] * (m.dim() - 2), WIDTH) for v in (key, new))
        score = ((begun if fixed else m) * k) @ w["score.weight"].T + w["score.bias"]
        a = torch.softmax(score, -2)
        m = m + a * (n - m)
        read = (a * m).sum(-2)
        read = read.mean(1) if "p0" in fields else read
        said.append(read @ w["said.weight"].T + w["said.bias"])
    return torch.stack(said[::-1] if backward else said, 1)


def given(*axes: str) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(5)
    shapes = {"x": (STEPS, 3), "m0": (SLOTS, WIDTH), "y": (STEPS, 2)}
    if "parts" in axes:
        shapes["p0"] = (PARTS, WIDTH)
    return {name: torch.randn(EXAMPLES, *shape, generator=g, dtype=torch.float64) for name, shape in shapes.items()}


WAYS: dict[str, tuple[tuple[str, ...], dict[str, bool]]] = {
    "slots": ((), {"fixed": False, "backward": False}),
    "slots, backward": ((), {"fixed": False, "backward": True}),
    "slots of parts": (("parts",), {"fixed": False, "backward": False}),
    "fixed": ((), {"fixed": True, "backward": False}),
    "fixed, backward": ((), {"fixed": True, "backward": True}),
    "fixed, of parts": (("parts",), {"fixed": True, "backward": False}),
}


@pytest.mark.parametrize("lowering", ["reference", MACHINE, TORCH])
@pytest.mark.parametrize("way", WAYS)
def test_a_memory_of_slots_is_what_plain_torch_computes(way: str, lowering: str) -> None:
    axes, how = WAYS[way]
    drawing = loop(*axes, **how)
    assert check(drawing.design, standard()).errors == ()
    program = compile_design(drawing.design, standard())
    network = network_of(program, reference=lowering == "reference").train()
    network.set_lowering_choices({scan.name: lowering for scan in program.scans() if lowering != "reference"})
    fields = given(*axes)
    own = {**fields, "x": fields["x"].clone().requires_grad_(), "m0": fields["m0"].clone().requires_grad_()}
    found = network.losses(own)
    (said,) = found.predictions.values()
    weights = dict(network.weights)
    gradients = torch.autograd.grad(found.total, [*weights.values(), own["x"], own["m0"]])
    wanted = by_hand(weights, own, **how)
    loss = ((wanted - fields["y"]) ** 2).mean()
    torch.testing.assert_close(said, wanted, rtol=0, atol=1e-10)
    other = torch.autograd.grad(loss, [*weights.values(), own["x"], own["m0"]])
    for name, one, two in zip([*weights, "x", "m0"], gradients, other, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11, msg=name)
    (line,) = network.lowerings()
    if lowering != "reference" and how["fixed"]:
        assert set(network.loops.served.values()) == {lowering}
    elif lowering != "reference":
        assert line.startswith("before: reference loop")
        assert "and address (softmax_axis) needs it as a whole" in line


@pytest.mark.parametrize("way", WAYS)
def test_its_printed_source_gives_the_same(way: str) -> None:
    axes, how = WAYS[way]
    program = compile_design(loop(*axes, **how).design, standard())
    network = network_of(program)
    fields = given(*axes)
    said = answer_of_source(program, network.weights, fields)
    torch.testing.assert_close(said.outputs["out"], by_hand(network.weights, fields, **how))
    gradients = gradients_of(network, network.losses(fields).total)
    for path, gradient in gradients.items():
        torch.testing.assert_close(said.gradients[path], gradient, msg=path)


@pytest.mark.parametrize("printed", [False, True])
def test_a_memory_is_carried_from_chunk_to_chunk(printed: bool) -> None:
    program = compile_design(loop().design, standard())
    network, fields = network_of(program), given()
    whole = network(fields).outputs["out"]
    state: dict[str, Tensor] | None = None
    parts = []
    for start in range(0, STEPS, 2):
        chunk = {**fields, **{name: fields[name][:, start : start + 2] for name in ("x", "y")}}
        found: Any = (
            answer_of_source(program, network.weights, chunk, state=state) if printed else network(chunk, None, state)
        )
        state = found.state
        parts.append(found.outputs["out"])
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_a_padded_example_is_what_it_is_alone() -> None:
    network, fields = network_of(compile_design(loop().design, standard())), given()
    lengths = {"time": torch.tensor([STEPS, 2, 4]), "slots": torch.tensor([2, SLOTS, 1])}
    together = network(fields, lengths).outputs["out"]
    for i in range(EXAMPLES):
        steps, slots = int(lengths["time"][i]), int(lengths["slots"][i])
        sizes = {"x": steps, "y": steps, "m0": slots}
        alone = network({name: value[i : i + 1, : sizes[name]] for name, value in fields.items()}).outputs["out"]
        torch.testing.assert_close(together[i, :steps], alone[0])


@pytest.mark.parametrize("axis", ["time", ""])
def test_a_sum_with_the_state_has_the_slots(axis: str) -> None:
    drawing = rnnstudio.new()
    drawing.add("FeatureInput", "x", field="x", size=WIDTH)
    drawing.add("FeatureInput", "m0", field="m0", size=WIDTH, axis="slots")
    drawing.add("Delay", "before", axis=axis)
    drawing.connect("m0", "before.initial")
    drawing.add("Add", "memory", a="before", b="x")
    drawing.connect("memory", "before.input")
    drawing.add("Output", "y", input="memory")
    x, m0 = torch.randn(2, 5, WIDTH), torch.randn(2, SLOTS, WIDTH)
    program = compile_design(drawing.design, standard())
    assert program.signals[program.outputs["y"]].axes == ("time", "slots")
    for network in (Network(program), Network(program, reference=True)):
        found = network({"x": x, "m0": m0}).outputs["y"]
        torch.testing.assert_close(found, m0[:, None] + x.cumsum(1)[:, :, None])


def outside(k: int) -> Design:
    """A Delay in no loop, of a sequence of vectors that begins with the slots of a memory."""
    drawing = rnnstudio.new()
    drawing.add("FeatureInput", "x", field="x", size=WIDTH)
    drawing.add("FeatureInput", "m0", field="m0", size=WIDTH, axis="slots")
    drawing.add("Delay", "late", k=k, input="x")
    drawing.connect("m0", "late.initial")
    drawing.add("Output", "y", input="late")
    return drawing.design


@pytest.mark.parametrize("k", [1, 2, -1])
def test_a_delay_in_no_loop_has_them_too(k: int) -> None:
    program = compile_design(outside(k), standard())
    network = network_of(program)
    x, m0 = torch.randn(2, 5, WIDTH, dtype=torch.float64), torch.randn(2, SLOTS, WIDTH, dtype=torch.float64)
    ends = m0[:, None].expand(2, abs(k), SLOTS, WIDTH)
    long = x[:, :, None].expand(2, 5, SLOTS, WIDTH)
    wanted = torch.cat([ends, long[:, :-k]], 1) if k > 0 else torch.cat([long[:, -k:], ends], 1)
    torch.testing.assert_close(network({"x": x, "m0": m0}).outputs["y"], wanted)
    torch.testing.assert_close(answer_of_source(program, {}, {"x": x, "m0": m0}).outputs["y"], wanted)


def test_axes_in_another_order_are_put_in_order() -> None:
    """The state is [slots, parts], its first value has the slots alone."""
    drawing = rnnstudio.new()
    drawing.add("FeatureInput", "x", field="x", size=WIDTH, axis="time")
    drawing.add("FeatureInput", "m0", field="m0", size=WIDTH, axis="slots")
    drawing.add("FeatureInput", "p", field="p", size=WIDTH, axis="parts")
    drawing.add("Delay", "before", axis="time")
    drawing.connect("m0", "before.initial")
    drawing.add("Add", "memory", a="before", b="x", c="p", terms=3)
    drawing.connect("memory", "before.input")
    drawing.add("Sum", "all", axis="parts", input="memory")
    drawing.add("Output", "y", input="all")
    program = compile_design(drawing.design, standard())
    same = 3  # as many slots as parts: an axis in the place of another would not be noticed by its size
    x, m0, p = (torch.randn(2, n, WIDTH, dtype=torch.float64) for n in (5, same, same))
    count = torch.arange(1, 6, dtype=torch.float64)[:, None, None, None]
    memory = m0[:, None, :, None] + x.cumsum(1)[:, :, None, None] + count * p[:, None, None, :]
    fields = {"x": x, "m0": m0, "p": p}
    for found in (
        network_of(program)(fields).outputs["y"],
        network_of(program, reference=True)(fields).outputs["y"],
        answer_of_source(program, {}, fields).outputs["y"],
    ):
        torch.testing.assert_close(found, memory.sum(3))


def forecaster() -> Design:
    """The loop, said of what comes next: what it says is read a step later."""
    design = loop().design
    for node, name, value in (("x", "field", "inputs"), ("y", "field", "targets"), ("said", "units", 3)):
        design = SetParam(node, name, value).apply(design)
    fields = (
        FieldSpec("inputs", "real", 3),
        FieldSpec("targets", "real", 3, shift_of="inputs", shift=1),
        FieldSpec("m0", "real", WIDTH, "slots"),
    )
    return design.replace(data=DataRecipe("csv", "x.csv", fields=fields))


def test_a_memory_goes_on_step_by_step() -> None:
    network = network_of(compile_design(forecaster(), standard()))
    past, m0 = given()["x"], given()["m0"]
    found = forecast(network, past, 4, {"m0": m0})
    whole = past
    for _ in range(4):
        whole = torch.cat([whole, network({"inputs": whole, "m0": m0}).outputs["out"][:, -1:]], 1)
    torch.testing.assert_close(found, whole[:, STEPS:])


def test_an_exported_memory_is_proved_equal_on_writing(tmp_path: Path) -> None:
    network = Network(compile_design(forecaster(), standard())).eval()
    certificate = export_python(network, forecaster().data, tmp_path / "memory")
    assert certificate.largest <= certificate.tolerance
    assert (tmp_path / "memory.py").is_file()


def test_a_state_of_another_number_of_slots_is_refused() -> None:
    network, fields = network_of(compile_design(loop().design, standard())), given()
    state = network(fields).state
    assert {name: tuple(x.shape) for name, x in state.items()} == {"before": (1, SLOTS, EXAMPLES, WIDTH)}
    with pytest.raises(StudioError, match=r"The state “before” has shape .* but \[1, 3, 3, 4\] is expected"):
        network(fields, None, {"before": state["before"][:, :2]})


def test_a_first_value_of_the_loops_own_axis_is_still_told_with_its_last() -> None:
    design = SetParam("m0", "axis", "time").apply(outside(1))
    (told,) = [d for d in check(design, standard()).errors if d.code == "MixedAxes"]
    assert "the initial state must not have the axis “time” itself" in told.message
    assert told.fix_title == "Insert a Last over time"
