"""Sizes that contradict each other or the machine are told while one draws, and never end in an error of torch."""

from __future__ import annotations

from math import prod

import pytest
import torch

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check, compile_design
from rnnstudio.compiler.machine import machine_memory
from rnnstudio.design.design import Design, Var
from rnnstudio.design.edits import SetShared
from rnnstudio.design.errors import StudioError, lacks_memory
from rnnstudio.runtime import Network

from .checking import errors, found

CATALOG = standard()


def codes(design: Design) -> set[str]:
    return {d.code for d in check(design, CATALOG).diagnostics}


def loop(width: int) -> Design:
    drawing = rnnstudio.new()
    drawing.add("FeatureInput", "x", field="x", size=5)
    drawing.add("Delay", "before", width=width)
    drawing.add("Linear", "state", units=5, terms=2, input="x", input2="before")
    drawing.connect("state", "before.input")
    drawing.add("Output", "y", input="state")
    return drawing.design


def test_a_width_that_the_loop_contradicts_is_told() -> None:
    told = found(loop(6), "IdleWidth")
    assert (told.severity, told.nodes, told.param) == ("warning", ("before",), "width")
    assert told.message == "before keeps 5, as what it reads says; its width of 6 counts for nothing: set it to 0"
    assert told.fix is not None
    assert codes(told.fix.apply(loop(6))) == {"NoLoss"}
    assert codes(loop(5)) == codes(loop(0)) == {"NoLoss"}


def test_so_is_a_width_that_a_cell_hands_on() -> None:
    drawing = rnnstudio.new()
    sheet = drawing.define("Mine", wide=6)
    x = sheet.add("CellInput", "x")
    before = sheet.add("Delay", "before", width=Var("wide"))
    sheet.connect(x, f"{before}.input")
    sheet.add("CellOutput", "out", input=before)
    drawing.add("FeatureInput", "x", field="x", size=5)
    drawing.add("Mine", "mine", x="x")
    drawing.add("Output", "y", input="mine")
    told = found(drawing.design, "IdleWidth")
    assert (told.graph, told.nodes, told.param) == ("", ("mine",), "wide")
    assert told.fix is not None
    assert "IdleWidth" not in codes(told.fix.apply(drawing.design))


def two_inputs(kind: str, **second: object) -> Design:
    drawing = rnnstudio.new()
    drawing.add("FeatureInput", "x", field="data", size=4)
    drawing.add(kind, "z", field="data", **second)
    drawing.add("Output", "y", input="x")
    drawing.add("Output", "y2", input="z")
    return drawing.design


@pytest.mark.parametrize(
    ("kind", "second"),
    [
        ("FeatureInput", {"size": 7}),
        ("FeatureTarget", {"size": 7}),
        ("TokenInput", {"size": 4}),
        ("FeatureInput", {"size": 4, "axis": ""}),
    ],
)
def test_two_nodes_that_read_one_field_as_different_things_are_told(kind: str, second: dict[str, object]) -> None:
    design = two_inputs(kind, **second)
    told = found(design, "FieldClash")
    assert (told.severity, set(told.nodes)) == ("error", {"x", "z"})
    assert "x reads “data” as [batch, time, 4], z as [batch" in told.message
    if kind.startswith("Feature"):
        assert told.fix is not None
        assert errors(told.fix.apply(design)) == []


def test_two_nodes_may_read_a_field_alike_along_axes_of_two_names() -> None:
    assert errors(two_inputs("FeatureInput", size=4, axis="source")) == []


WIDEST = 65536
"""The most units that a node takes."""


def layers(kind: str, units: int, count: int = 1) -> Design:
    """A small layer, and then so many large ones."""
    drawing = rnnstudio.new()
    drawing.add("FeatureInput", "x", field="x", size=4)
    port, out = ("x", ".h") if kind in CATALOG.cells else ("input", "")
    drawing.add(kind, "small", units=4, **{port: "x"})
    before = "small"
    for i in range(count):
        before = drawing.add(kind, f"large{i}", units=units, **{port: f"{before}{out}"})
    drawing.add("Output", "y", input=f"{before}{out}")
    return drawing.design


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "StackedLSTM", "BidirectionalLSTM"])
def test_more_weights_than_the_machine_can_hold_are_told_with_the_node_and_the_memory(kind: str) -> None:
    design = layers(kind, WIDEST, 1 + machine_memory() // (8 * WIDEST**2))
    told = found(design, "TooLarge")
    assert (told.severity, told.nodes[0][:5]) == ("warning", "large")
    assert "GB (weights, gradients, optimiser " in told.message
    program = compile_design(design, CATALOG)
    weights = sum(prod(p.shape) for p in program.parameters if p.path.startswith(f"{told.nodes[0]}."))
    assert told.message.startswith(f"{told.nodes[0]} has {weights:,} weights; training takes about ")
    with pytest.raises(StudioError, match=r"of memory \(large.*Give it fewer units"):
        Network(program)


def test_what_the_machine_can_hold_is_not_told() -> None:
    assert "TooLarge" not in codes(layers("LSTM", 600))


def test_shared_weights_count_once() -> None:
    units = min(WIDEST, int((0.6 * machine_memory() / 16) ** 0.5))
    drawing = rnnstudio.new()
    drawing.add("FeatureInput", "x", field="x", size=units, axis="")
    names = [f"layer{i}" for i in range(2 + machine_memory() // (16 * units**2))]
    for name in names:
        drawing.add("Linear", name, units=units, input="x")
        drawing.add("Output", f"of_{name}", input=name)
    design = drawing.design
    assert found(design, "TooLarge").severity == "warning"
    for name in names[1:]:
        design = SetShared(name, names[0]).apply(design)
    assert "TooLarge" not in codes(design)


def test_values_that_memory_cannot_hold_are_told_with_their_node() -> None:
    network = Network(compile_design(layers("Linear", 8), CATALOG))
    endless = torch.zeros(1, 1, 4).expand(1, 10**15, 4)
    with pytest.raises(StudioError, match=r"There is not enough memory for its values \(small\)"):
        network({"x": endless})


@pytest.mark.parametrize("size", [10**15])
def test_the_words_of_torch_are_known(size: int) -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(size)
    assert lacks_memory(error.value)
