"""What is wrong with a wire into a cell is told at the wire, and put right there; the cell's drawing stays as it is."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Design, Value, Var, frozen
from rnnstudio.design.recipe import DataRecipe, FieldSpec

TEXT = DataRecipe(
    "text",
    "x.txt",
    fields=(
        FieldSpec("text", "tokens", 5, vocabulary=tuple("abcde")),
        FieldSpec("next", "tokens", 5, vocabulary=tuple("abcde"), shift_of="text", shift=1),
    ),
)


def tokens_into(cell: str) -> Design:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("memory", "cell", at=(1, 0), params={"cell": cell, "units": 4}, x="text")
    s.add("readout", "Linear", at=(2, 0), params={"units": 3}, input="memory.h")
    s.add("next", "TokenTarget", at=(2, 1))
    s.add("loss", "CrossEntropy", at=(3, 0), prediction="readout", target="next")
    return Design(graph=s.graph(), data=TEXT, cells=frozen(standard().definitions_for(cell)))


def test_tokens_wired_into_a_cell_are_one_error_at_the_wire_with_its_fix() -> None:
    design = tokens_into("LSTM")
    found = [d for d in check(design, standard()).diagnostics if d.code == "TokensWhereFeaturesBelong"]
    assert [(d.graph, d.nodes, d.port) for d in found] == [("", ("memory",), "x")]
    assert "“x” needs features" in found[0].message
    fix = found[0].fix
    assert fix is not None
    mended = fix.apply(design)
    assert mended.cells == design.cells
    assert [d.code for d in check(mended, standard()).diagnostics] == ["WidthClash"]


def test_the_same_through_a_cell_in_a_cell() -> None:
    found = check(tokens_into("StackedLSTM"), standard()).diagnostics
    wrong = [d for d in found if d.code == "TokensWhereFeaturesBelong"]
    assert [(d.graph, d.nodes, d.port) for d in wrong] == [("", ("memory",), "x")]


def two_axes(cell: str, **params: Value) -> Design:
    """A cell of the library that reads x_t + z_s, along two axes."""
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": 3})
    s.add("z", "FeatureInput", at=(0, 1), params={"field": "z", "size": 3, "axis": "source"})
    s.add("both", "Add", at=(1, 0), a="x", b="z")
    s.add("memory", "cell", at=(2, 0), params={"cell": cell, **params}, x="both")
    s.add("out", "Output", at=(3, 0), input="memory.h")
    return Design(graph=s.graph(), cells=frozen(standard().definitions_for(cell)))


@pytest.mark.parametrize("cell", ["LSTM", "StackedGRU", "BidirectionalLSTM", "SelfAttention", "ClockworkRNN"])
def test_a_cell_that_meets_two_axes_is_told_which_one_at_its_node(cell: str) -> None:
    design = two_axes(cell)
    wrong = check(design, standard()).errors
    assert {(d.code, d.graph, d.nodes, d.param) for d in wrong} == {("MixedAxes", "", ("memory",), "axis")}
    assert wrong[0].fix_title == "Set the axis to time"
    assert wrong[0].fix is not None
    mended = wrong[0].fix.apply(design)
    assert mended.cells == design.cells
    assert check(mended, standard()).errors == ()


@pytest.mark.parametrize("cell", ["LSTM", "StackedLSTM"])
def test_a_parameter_that_a_cell_hands_on_is_put_right_at_its_node(cell: str) -> None:
    design = two_axes(cell, axis="time", units=0)
    (wrong,) = check(design, standard()).errors
    assert (wrong.graph, wrong.nodes, wrong.param) == ("", ("memory",), "units")
    assert wrong.message == "memory: “units” must be at least 1, not 0"
    assert wrong.fix is not None
    assert check(wrong.fix.apply(design), standard()).errors == ()


def test_the_fix_of_a_readout_follows_the_vocabulary() -> None:
    design = tokens_into("LSTM")
    first = next(d.fix for d in check(design, standard()).diagnostics if d.code == "TokensWhereFeaturesBelong")
    assert first is not None
    mended = first.apply(design)
    (clash,) = check(mended, standard()).diagnostics
    assert "next_size (5)" in clash.fix_title
    assert clash.fix is not None
    done = clash.fix.apply(mended)
    assert done.graph.nodes["readout"].params["units"] == Var("next_size")
    assert check(done, standard()).diagnostics == ()


def test_a_delay_put_into_a_loop_of_one_node_lies_beside_it() -> None:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"size": 2})
    s.add("sum", "Add", at=(1, 0), a="x", b="sum")
    s.add("out", "Output", at=(2, 0), input="sum")
    design = Design(graph=s.graph())
    (loop,) = check(design, standard()).errors
    assert "sum forms a loop" in loop.message
    assert loop.fix is not None
    mended = loop.fix.apply(design)
    delay, node = mended.graph.nodes["delay"], mended.graph.nodes["sum"]
    assert abs(delay.y - node.y) > 60
