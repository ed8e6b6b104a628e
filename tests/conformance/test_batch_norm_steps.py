"""Batch normalisation with statistics per step: the equations of Cooijmans et al. 2016, padded, printed, carried."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.signals import Axis
from rnnstudio.export import export_python
from rnnstudio.runtime import Network
from rnnstudio.runtime.stepper import Stepper
from tests.conformance.catalogue import (
    WIDTH,
    assert_padding_changes_nothing,
    design,
    in_chunks,
    inputs,
    looped,
    network,
    one,
    valid_parts,
    weighted,
)
from tests.conformance.drawings import design as drawing
from tests.conformance.running import (
    Answer,
    Tensors,
    answer,
    answer_of_module,
    answer_of_source,
    assert_same,
    assert_same_answers,
    batch_of,
    gradients_of,
    printed,
    program_of,
    ragged,
)

SMALL = {"rtol": 1e-9, "atol": 1e-9}
MOST = 4
"""T_max; the batches of the tests have 6 steps."""


def crossed() -> Design:
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("plane", "Multiply", at=(1, 0), a="x", b="m")
    s.add("node", "BatchNorm", at=(2, 0), params={"steps": MOST, "axis": "time"}, input="plane")
    return design(s, y="node")


def in_a_loop_over_the_other_axis() -> Design:
    """The steps are those of time, the loop runs over source."""
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("sum", "Linear", at=(1, 0), params={"units": WIDTH, "terms": 3}, input="x", input2="m", input3="before")
    s.add("node", "BatchNorm", at=(2, 0), params={"steps": MOST, "axis": "time"}, input="sum")
    s.add("state", "Tanh", at=(3, 0), input="node")
    s.add("before", "Delay", at=(1, 1), params={"axis": "source"}, input="state")
    return design(s, y="state")


DRAWINGS = {
    "outside": lambda: one("BatchNorm", steps=MOST),
    "in a loop": lambda: looped("BatchNorm", steps=MOST),
    "one step": lambda: looped("BatchNorm", steps=1),
    "plain": lambda: looped("BatchNorm", steps=MOST, scale=False, shift=False),
    "two axes": crossed,
    "another loop": in_a_loop_over_the_other_axis,
}


def trained_alike(made: Network, fields: Tensors, lengths: Tensors | None) -> tuple[Answer, Answer, Tensors, Tensors]:
    """Outputs and gradients while training, by the network and by its printed source, and the statistics after."""
    program = made.program
    model = printed(program, made.weights).train()
    made.train()
    result = made(fields, lengths)
    total = weighted(valid_parts(program, result.outputs, lengths))
    wanted = Answer(result.outputs, result.state, total.detach(), gradients_of(made, total))
    found = answer_of_module(program, model, fields, lengths)
    total = weighted(valid_parts(program, found.outputs, lengths))
    own = dict(model.named_parameters())
    names = {path.replace(".", "_"): path for path in wanted.gradients}
    grads = torch.autograd.grad(total, list(own.values()))
    gradients = {names[name]: grad for name, grad in zip(own, grads, strict=True)}
    statistics = {path: w for path, w in made.weights.items() if "running" in path}
    moved = {path: dict(model.named_buffers())[path.replace(".", "_")] for path in statistics}
    return Answer(found.outputs, found.state, total.detach(), gradients), wanted, moved, statistics


@pytest.mark.parametrize("name", DRAWINGS)
def test_it_is_checked_and_the_source_equals_the_network(name: str) -> None:
    drawn = DRAWINGS[name]()
    assert [d.text() for d in check(drawn, standard()).diagnostics if d.code != "NoLoss"] == []
    program = program_of(drawn)
    made = network(program)
    fields = batch_of(program)
    for lengths in (None, ragged(program)):
        wanted = answer(made.eval(), fields, lengths)
        assert_same_answers(program, answer_of_source(program, made.weights, fields, lengths), wanted, lengths)
        found, wanted, moved, statistics = trained_alike(made, fields, lengths)
        assert_same_answers(program, found, wanted, lengths)
        assert_same(moved, statistics)


@pytest.mark.parametrize("name", DRAWINGS)
def test_padding_changes_nothing_and_derivatives_are_right(name: str) -> None:
    made = network(program_of(DRAWINGS[name]()), reference=True)
    fields, lengths = batch_of(made.program), ragged(made.program)
    assert_padding_changes_nothing(made, fields, lengths)
    names = list(fields)
    for training in (False, True):
        made.train(training)

        def values(*given: Tensor) -> Tensor:
            return weighted(
                valid_parts(made.program, made(dict(zip(names, given, strict=True)), lengths).outputs, lengths)
            )

        moving = tuple(x.clone().requires_grad_() for x in fields.values())
        assert torch.autograd.gradcheck(values, moving, fast_mode=True, atol=1e-6)


def cooijmans(made: Network, x: Tensor, lengths: Tensor | None, training: bool) -> tuple[Tensor, Tensor, Tensor]:
    """h_t = W tanh(BN_t(U [x_t, h_(t−1)] + b)) + c by hand, step by step; and the statistics a training step leaves."""
    w = made.weights
    mean, variance = w["node.running_mean"].clone(), w["node.running_variance"].clone()
    h = x.new_zeros(len(x), WIDTH)
    steps = []
    for t in range(x.shape[1]):
        own = torch.ones(len(x), dtype=torch.bool) if lengths is None else t < lengths
        a = x[:, t] @ w["sum.weight"].T + h @ w["sum.weight2"].T + w["sum.bias"]
        row = min(t, MOST - 1)
        center, spread = mean[row], variance[row]
        if training:
            center, spread = a[own].mean(0), a[own].var(0, unbiased=False)
            if t < MOST and int(own.sum()) > 1:
                mean[t] = 0.9 * mean[t] + 0.1 * center.detach()
                variance[t] = 0.9 * variance[t] + 0.1 * a[own].var(0, unbiased=True).detach()
        y = (a - center) / (spread + 1e-5).sqrt() * w["node.weight"] + w["node.bias"]
        new = torch.tanh(y) @ w["state.weight"].T + w["state.bias"]
        h = torch.where(own[:, None], new, h)
        steps.append(new)
    return torch.stack(steps, 1), mean, variance


@pytest.mark.parametrize("way", ["", "reference", "torch function"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_it_equals_the_equations_step_by_step(way: str, training: bool, padded: bool) -> None:
    """Also when a contest of lowerings came before, which must leave the statistics alone."""
    made = network(program_of(looped("BatchNorm", steps=MOST))).train(training)
    program = made.program
    if way:
        made.set_lowering_choices({scan.name: way for scan in program.scans()})
    assert made.weights["node.running_mean"].shape == (MOST, WIDTH)
    x = batch_of(program)["x"]
    lengths = ragged(program) if padded else None
    wanted, mean, variance = cooijmans(made, x, lengths["time"] if lengths else None, training)
    found = made({"x": x}, lengths).outputs["y"]
    one, other = (valid_parts(program, {"y": y}, lengths) for y in (found, wanted))
    assert_same(one, other)
    assert_same(gradients_of(made, weighted(one)), gradients_of(made, weighted(other)))
    torch.testing.assert_close(made.weights["node.running_mean"], mean, **SMALL)
    torch.testing.assert_close(made.weights["node.running_variance"], variance, **SMALL)


def test_with_one_step_outside_loops_it_is_torch_s_batch_norm() -> None:
    made = network(program_of(one("BatchNorm", steps=1))).train()
    w = made.weights
    mean, variance = w["node.running_mean"][0].clone(), w["node.running_variance"][0].clone()
    x = batch_of(made.program, steps=1)["x"]
    layer = torch.nn.functional.linear(x, w["layer.weight"], w["layer.bias"])[:, 0]
    given = (mean, variance, w["node.weight"], w["node.bias"])
    wanted = torch.nn.functional.batch_norm(layer, *given, training=True)[:, None]
    found = made({"x": x}).outputs["y"]
    torch.testing.assert_close(found, wanted, **SMALL)
    assert_same(gradients_of(made, weighted({"y": found})), gradients_of(made, weighted({"y": wanted})))
    torch.testing.assert_close(w["node.running_mean"][0], mean, **SMALL)
    torch.testing.assert_close(w["node.running_variance"][0], variance, **SMALL)


def test_statistics_of_a_settling_state_differ_from_step_to_step() -> None:
    """What they are for: a state that starts at 0 has another spread at its first steps than later."""
    made = network(program_of(looped("BatchNorm", steps=5))).train()
    generator = torch.Generator().manual_seed(1)
    for _ in range(80):
        made({"x": torch.randn(64, 5, WIDTH, generator=generator, dtype=torch.float64)})
    variance = made.weights["node.running_variance"]
    first, later = (variance[1:4] / variance[0]).mean(), (variance[4] / variance[3]).mean()
    assert abs(float(first) - 1) > 5 * abs(float(later) - 1)


@pytest.mark.parametrize("name", ["outside", "in a loop"])
def test_the_number_of_the_step_goes_on_between_chunks(name: str) -> None:
    made = network(program_of(DRAWINGS[name]()))
    fields = batch_of(made.program)
    for cut in (1, 3, 5):
        assert_same(in_chunks(made, fields, cut), made(fields).outputs, 1e-12)
    first, second = batch_of(made.program), batch_of(made.program, steps=3)
    state = made(first).state
    wanted = answer(made, second, None, state)
    assert_same_answers(made.program, answer_of_source(made.program, made.weights, second, None, state), wanted)


def test_generation_counts_its_steps_on() -> None:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": WIDTH}, input="text")
    s.add("sum", "Linear", at=(2, 0), params={"units": WIDTH, "terms": 2}, input="embedding", input2="before")
    s.add("norm", "BatchNorm", at=(3, 0), params={"steps": MOST}, input="sum")
    s.add("state", "Tanh", at=(4, 0), input="norm")
    s.add("before", "Delay", at=(1, 1), input="state")
    s.add("readout", "Linear", at=(5, 0), params={"units": 5}, input="state")
    s.add("next", "TokenTarget", at=(5, 1))
    s.add("loss", "CrossEntropy", at=(6, 0), prediction="readout", target="next")
    made = network(program_of(drawing(s, "text", "next")))
    stepper = Stepper(made)
    stepper.start()
    text = torch.tensor([[1, 4, 2, 0, 3, 3, 1]])
    wanted = made({"text": text}).outputs["loss"][0]
    for t in range(text.shape[1]):
        torch.testing.assert_close(stepper.step(text[:, t])[0], wanted[t], **SMALL)


def test_an_example_that_begins_anew_counts_from_its_beginning() -> None:
    made = network(program_of(looped("BatchNorm", steps=MOST)))
    fields = batch_of(made.program)
    rows = torch.tensor([False, True, False])
    state = made.begin_anew(made(fields).state, rows)
    found = made(fields, state=state).outputs["y"]
    torch.testing.assert_close(found[rows], made(fields).outputs["y"][rows], **SMALL)
    made.train()
    before = made.weights["node.running_mean"].clone()
    made({"x": fields["x"][:, :1]}, state=state)
    moved = made.weights["node.running_mean"] - before
    assert bool((moved[0] != 0).any())
    assert bool((moved[1:] == 0).all())


def test_nodes_of_a_tree_are_no_steps() -> None:
    s = Sketch()
    inputs(s, x="nodes")
    s.add("node", "BatchNorm", at=(1, 0), params={"steps": 3}, input="x")
    drawn = design(s, y="node").replace(axes=frozen({"nodes": Axis("nodes", "tree")}))
    (problem,) = check(drawn, standard()).errors
    assert "a tree has no steps" in problem.message


def test_of_two_axes_one_is_chosen() -> None:
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("plane", "Multiply", at=(1, 0), a="x", b="m")
    s.add("node", "BatchNorm", at=(2, 0), params={"steps": 3}, input="plane")
    (problem,) = check(design(s, y="node"), standard()).errors
    assert problem.code == "MixedAxes"
    assert "set this node's" in problem.message


def test_it_is_exported_with_its_certificate(tmp_path: Path) -> None:
    made = Network(program_of(looped("BatchNorm", steps=MOST)), seed=3)
    made.train()
    made({"x": torch.randn(8, 6, WIDTH)})
    made.eval()
    assert export_python(made, None, tmp_path / "model.py").largest < 1e-5
