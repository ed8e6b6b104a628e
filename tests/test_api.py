"""Drawing from Python: the same document as in the window, and a torch module of it."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import rnnstudio
from rnnstudio import StudioError, Var
from rnnstudio.design.design import Pin, Wire
from rnnstudio.design.signals import Axis
from rnnstudio.design.storage import dumps, load


def speller() -> rnnstudio.Drawing:
    design = rnnstudio.new("speller")
    text = design.add("TokenInput", "text", size=7)
    design.add("Embedding", "embedding", units=5, input=text)
    design.add("LSTM", "memory", units=6, x="embedding")
    design.add("Linear", "readout", units=7, input="memory.h")
    design.add("Output", "scores", input="readout")
    return design


def test_a_drawing_is_built_as_a_torch_module_that_computes_what_torch_computes() -> None:
    network = rnnstudio.build(speller(), seed=4).double()
    assert isinstance(network, torch.nn.Module)
    w = network.weights
    lstm = torch.nn.LSTM(5, 6, batch_first=True).double()
    gates = "ifgo"
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.cat([w[f"memory.W_{g}.weight"] for g in gates]))
        lstm.weight_hh_l0.copy_(torch.cat([w[f"memory.W_{g}.weight2"] for g in gates]))
        lstm.bias_ih_l0.copy_(torch.cat([w[f"memory.W_{g}.bias"] for g in gates]))
        lstm.bias_hh_l0.zero_()
    tokens = torch.randint(7, (3, 11))
    h, _ = lstm(w["embedding.weight"][tokens])
    expected = h @ w["readout.weight"].T + w["readout.bias"]
    assert (network({"text": tokens}).outputs["scores"] - expected).abs().max() < 1e-12


def test_what_is_saved_opens_as_the_same_document(tmp_path: Path) -> None:
    design = speller()
    with pytest.raises(StudioError, match="has no file yet"):
        design.save()
    design.save(tmp_path / "speller.rnn")
    assert dumps(load(tmp_path / "speller.rnn")) == dumps(design.design)
    again = rnnstudio.load(tmp_path / "speller.rnn")
    again.set("memory", units=9)
    again.save()
    assert rnnstudio.load(tmp_path / "speller.rnn").nodes["memory"].params["units"] == 9


def test_a_wire_without_ports_goes_from_the_first_output_to_the_first_free_input() -> None:
    design = rnnstudio.new()
    a = design.add("FeatureInput", "a", size=3)
    b = design.add("FeatureInput", "b", field="others", size=3)
    total = design.add("Add", "total")
    design.connect(a, total)
    design.connect(b, total)
    wires = design.design.graph.wires
    assert wires == (Wire(Pin("a", "out"), Pin("total", "a")), Wire(Pin("b", "out"), Pin("total", "b")))
    with pytest.raises(StudioError, match="no free input"):
        design.connect(a, total)
    design.connect("b.out", "total.a")
    assert Wire(Pin("b", "out"), Pin("total", "a")) in design.design.graph.wires


def test_an_input_called_like_a_parameter_is_named_in_inputs() -> None:
    design = rnnstudio.new()
    x = design.add("FeatureInput", "x", size=3)
    start = design.add("FeatureInput", "start", field="start", axis="", size=3)
    design.add("Delay", "before", k=2, input=x, inputs={"initial": start})
    assert Wire(Pin("start", "out"), Pin("before", "initial")) in design.design.graph.wires


def test_a_library_cell_brings_what_is_inside_it_and_can_be_changed() -> None:
    design = rnnstudio.new()
    x = design.add("FeatureInput", "x", size=3)
    design.add("BidirectionalGRU", "both", units=4, x=x)
    assert len(design.design.cells) > 1
    inside = design.cell("BidirectionalGRU")
    assert inside.name == "BidirectionalGRU"
    assert "x" in inside.nodes


def test_a_variable_is_one_place_to_change() -> None:
    design = rnnstudio.new()
    hidden = design.variable("hidden", 4)
    x = design.add("FeatureInput", "x", size=3)
    for name in ("one", "two"):
        design.add("Output", f"{name}_out", input=design.add("Linear", name, units=hidden, input=x))
    assert rnnstudio.build(design).weights["two.weight"].shape == (4, 3)
    design.variable("hidden", 6)
    assert rnnstudio.build(design).weights["two.weight"].shape == (6, 3)


def test_an_invented_cell_equals_its_equation_with_its_gradients() -> None:
    design = rnnstudio.new("mine")
    cell = design.define("Fading", units=4)
    units = Var("units")
    x = cell.add("CellInput", "x")
    before = cell.add("Delay", "before")
    total = cell.add("Linear", "total", units=units, terms=2, input=x, input2=before)
    state = cell.add("Tanh", "state", input=cell.add("Multiply", "faded", a=total, b=before))
    shifted = cell.add("Add", "shifted", a=state, b=cell.add("Weights", "shift", units=units, value=0.3))
    cell.connect(shifted, before)
    cell.add("CellOutput", "h", input=shifted)
    design.add("Output", "h", input=design.add("Fading", "rec", x=design.add("FeatureInput", "x", size=3)))
    network = rnnstudio.build(design).double()
    w = network.weights
    x_BTN = torch.randn(2, 7, 3, dtype=torch.float64)
    h, steps = torch.zeros(2, 4, dtype=torch.float64), []
    for step in x_BTN.unbind(1):
        a = step @ w["rec.total.weight"].T + w["rec.total.bias"] + h @ w["rec.total.weight2"].T
        h = torch.tanh(a * h) + w["rec.shift.weight"]
        steps.append(h)
    found, expected = network({"inputs": x_BTN}).outputs["h"], torch.stack(steps, 1)
    assert (found - expected).abs().max() < 1e-12
    mine = torch.autograd.grad(found.square().sum(), list(w.values()))
    theirs = torch.autograd.grad(expected.square().sum(), list(w.values()))
    assert all((a - b).abs().max() < 1e-9 for a, b in zip(mine, theirs, strict=True))


def test_build_tells_every_error_at_once() -> None:
    design = rnnstudio.new("wrong")
    x = design.add("FeatureInput", "x", size=3)
    design.add("Add", "total", a=x)
    design.add("Embedding", "table", input=x)
    with pytest.raises(rnnstudio.DrawingError, match=r"2 errors: 1\).*; 2\)") as caught:
        rnnstudio.build(design)
    assert {d.code for d in caught.value.diagnostics} == {"Unconnected", "FeaturesWhereTokensBelong"}


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda d: d.add("Linaer"), "no node or cell called “Linaer”.*Did you mean: Linear"),
        (lambda d: d.add("Linear", size=3), "“Linear” has no parameter or input “size”.*units"),
        (lambda d: d.add("Linear", y="x"), "“Linear” has no parameter or input “y”"),
        (lambda d: d.add("Linear", input="nowhere"), "no node called “nowhere”.*Nodes: x"),
        (lambda d: d.add("Linear", input="x.side"), "“x” has no output “side”.*Outputs: out"),
        (lambda d: d.add("Linear", "x"), "“x” already"),
        (lambda d: d.add("Linear", "a b"), "not a usable name"),
        (lambda d: d.connect("x", "x.input"), "“x” has no input “input”"),
        (lambda d: d.set("x", color="red"), "no parameter or input “color”"),
        (lambda d: d.define("Linear"), "“Linear” already"),
        (lambda d: d.cell("LSTM"), "no cell called “LSTM”"),
    ],
)
def test_a_slip_says_what_there_is_and_draws_nothing(draw: object, told: str) -> None:
    design = rnnstudio.new()
    design.add("FeatureInput", "x", size=3)
    before = design.design
    with pytest.raises(StudioError, match=told):
        draw(design)  # type: ignore[operator]
    assert design.design is before


def test_a_step_can_be_undone() -> None:
    design = speller()
    before = dumps(design.design)
    design.add("GRU", "other", x="embedding")
    assert design.undo()
    assert dumps(design.design) == before


def test_data_is_read_and_its_fields_are_known(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question. " * 20, encoding="utf-8")
    design = rnnstudio.new()
    dataset = design.read(tmp_path / "text.txt", level="characters")
    design.add("TokenInput", "text")
    design.add("Embedding", "embedding", units=3, input="text")
    design.add("Output", "out", input="embedding")
    assert rnnstudio.build(design).weights["embedding.weight"].shape[0] == dataset.recipe.field("text").size


def test_the_example_invents_a_cell_in_under_thirty_lines(pytestconfig: pytest.Config) -> None:
    path = pytestconfig.rootpath / "resources" / "examples" / "invent_a_cell.py"
    found = runpy.run_path(str(path))
    assert len([line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]) < 30
    assert found["result"].outputs["scores"].shape == (8, 100, 65)
    assert found["design"].check()[0].code == "NoLoss"


def test_the_example_of_self_attention_is_torch_s_own(pytestconfig: pytest.Config) -> None:
    found = runpy.run_path(str(pytestconfig.rootpath / "resources" / "examples" / "self_attention.py"))
    assert [problem.code for problem in found["design"].check()] == ["NoLoss"]
    assert found["difference"] < 1e-5


def test_importing_the_package_loads_nothing_but_what_is_asked_for() -> None:
    code = (
        "import sys, rnnstudio; print('rnnstudio.api' in sys.modules); rnnstudio.new(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\nFalse\n"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        rnnstudio.nonsense  # noqa: B018


def test_a_tree_net_is_drawn_and_an_axis_keeps_what_it_was_told() -> None:
    design = rnnstudio.new("tree")
    leaf = design.add("FeatureInput", "leaf", field="leaf", size=3, axis=design.axis("tree", kind="tree"))
    design.add("Output", "out", input=design.add("Root", "root", input=design.add("ChildSumTreeLSTM", "net", x=leaf)))
    assert [d.code for d in design.check()] == ["NoLoss"]
    network = rnnstudio.build(design)
    found = network({"leaf": torch.randn(1, 3, 3), "tree_parents": torch.tensor([[2, 2, -1]])}).outputs["out"]
    assert found.shape == (1, 64)
    design.axis("tree", chunk=20)
    design.axis("tree", carry=True)
    assert design.design.axis("tree") == Axis("tree", "tree", 20, True)
    assert design.undo()
    assert design.design.axis("tree") == Axis("tree", "tree", 20, None)


@pytest.mark.parametrize("wrong", [{"kind": "bush"}, {"chunk": -1}, {"chunk": 2.5}, {"name": "no name"}])
def test_an_axis_refuses_what_it_cannot_be(wrong: dict[str, Any]) -> None:
    design = rnnstudio.new()
    with pytest.raises(StudioError):
        design.axis(**{"name": "time", **wrong})
    assert not design.undo()
