"""What can be wrong with axes: which one is meant, where one is missing, and what order and chunks mean along it."""

from __future__ import annotations

import pytest

import rnnstudio
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.compiler.check.axes import CARRY
from rnnstudio.design.design import frozen
from rnnstudio.design.edits import SetParam
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.design.signals import Axis
from rnnstudio.training.settings import TrainingSettings
from tests.compiler.checking import CATALOG, errors, found, linear_model
from tests.conformance.drawings import attending_text, design, features, language_model


def test_a_pool_of_a_vector_has_no_axis_to_cross() -> None:
    s = Sketch()
    s.add("vector", "FeatureInput", at=(0, 0), params={"field": "vector"})
    s.add("last", "Last", at=(1, 0), input="vector")
    s.add("out", "Output", at=(2, 0), input="last")
    assert found(design(s, "vector"), "NoAxis").nodes == ("last",)


def test_a_delay_of_two_axes_must_choose_one() -> None:
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=(0, 1), params={"field": "other", "axis": "source"})
    s.add("plane", "Add", at=(1, 0), a="inputs", b="other")
    s.add("late", "Delay", at=(2, 0), input="plane")
    s.add("out", "Output", at=(3, 0), input="late")
    drawn = design(s, "inputs", "other")
    assert found(drawn, "MixedAxes").nodes == ("late",)
    assert errors(SetParam("late", "axis", "source").apply(drawn)) == []
    assert found(SetParam("late", "axis", "elsewhere").apply(drawn), "MixedAxes").nodes == ("late",)


def test_a_prediction_at_every_step_does_not_meet_a_target_at_the_end() -> None:
    s = linear_model()
    s.add("amount", "FeatureTarget", at=(8, 2), params={"field": "amount"})
    s.add("end", "MeanSquaredError", at=(9, 2), prediction="readout", target="amount")
    one = found(design(s, "inputs", "targets", "amount"), "MixedAxes")
    assert (one.nodes, one.port) == (("end",), "target")


def test_an_initial_state_has_not_the_axis_that_the_state_steps_along() -> None:
    s = Sketch()
    features(s)
    s.add("late", "Delay", at=(1, 0), input="inputs", initial="inputs")
    s.add("out", "Output", at=(2, 0), input="late")
    one = found(design(s, "inputs"), "MixedAxes")
    assert (one.nodes, one.port) == (("late",), "initial")


def test_an_initial_state_has_the_width_of_the_state() -> None:
    s = Sketch()
    features(s)
    s.add("vector", "FeatureInput", at=(0, 1), params={"field": "vector"})
    s.add("wide", "Linear", at=(1, 1), params={"units": 9}, input="vector")
    s.add("late", "Delay", at=(1, 0), input="inputs", initial="wide")
    s.add("out", "Output", at=(2, 0), input="late")
    assert found(design(s, "inputs", "vector"), "WidthClash").nodes == ("late",)


def test_attention_in_chunks_of_a_text_is_told_while_states_are_carried() -> None:
    drawn = attending_text()
    hint = found(drawn, "SeesItsChunk")
    assert hint.severity == "hint"
    assert hint.nodes == ("looks",)
    assert "“looks” sees the steps of its own chunk only" in hint.message
    assert "\n" not in hint.message
    table = DataRecipe("csv", "x.csv", options={"group": "name"}, fields=drawn.data.fields if drawn.data else ())
    quiet = (
        drawn.replace(training=frozen({"carry": False})),
        drawn.replace(axes=frozen({"time": Axis("time", carry=False)})),
        drawn.replace(data=table),
        language_model(),
    )
    for other in quiet:
        assert not [d for d in check(other, CATALOG).diagnostics if d.code == "SeesItsChunk"]
    asked = drawn.replace(data=table, axes=frozen({"time": Axis("time", carry=True)}))
    assert found(asked, "SeesItsChunk").nodes == ("looks",)


@pytest.mark.parametrize("node", ["Delay", "Last", "First", "Reverse", "Taps", "Clock", "GRU", "Feedback"])
@pytest.mark.parametrize("kind", ["tree", "sequence"])
def test_a_node_that_takes_the_nodes_of_a_tree_in_the_order_of_the_data(node: str, kind: str) -> None:
    design = rnnstudio.new("tree")
    design.axis("tree", kind=kind)
    design.add("FeatureInput", "x", field="x", size=4, axis="tree")
    if node == "Clock":
        design.add(node, "node", period=2, new="x", old="x")
    elif node == "GRU":
        design.add(node, "node", units=3, x="x")
    elif node == "Feedback":
        design.add("FeatureTarget", "y", field="y", size=4, axis="tree")
        design.add(node, "node", prediction="x", target="y")
    else:
        design.add(node, "node", input="x")
    design.add("Output", "out", input=design.add("Linear", "map", units=2, input="node"))
    told = [d for d in design.check() if d.code == "TreeInOrder"]
    if kind == "sequence":
        assert not told
        return
    (warning,) = told
    assert (warning.severity, warning.nodes) == ("warning", ("node",))
    begins = "hₜ₋₁ in node" if node == "GRU" else "node"
    assert warning.message.startswith(begins + " takes the nodes of the tree “tree” one after another")
    assert "use Children" in warning.message


@pytest.mark.parametrize("tree", ["asking", "asked"])
def test_causal_attention_needs_steps_in_an_order_on_both_sides(tree: str) -> None:
    design = rnnstudio.new("tree")
    design.axis(tree, kind="tree")
    design.add("FeatureInput", "query", field="x", size=4, axis="asking")
    design.add("FeatureInput", "keys", field="y", size=4, axis="asked")
    design.add("Match", "scores", causal=True, query="query", keys="keys")
    design.add("Output", "out", input="scores")
    assert f"the nodes of the tree “{tree}” have no order: switch causal off" in str(design.check()[0])
    design.set("scores", causal=False)
    assert not [d for d in design.check() if d.severity == "error"]


def test_the_children_of_a_node_have_an_order() -> None:
    design = rnnstudio.new("tree")
    design.axis("tree", kind="tree")
    design.add("FeatureInput", "x", field="x", size=4, axis="tree")
    design.add("Children", "kids", how="each", axis="tree", width=4)
    design.add("Last", "youngest", input="kids")
    design.add("Add", "h", a="x", b="youngest")
    design.connect("h", "kids")
    design.add("Output", "out", input=design.add("Root", "root", input="h"))
    assert [d.code for d in design.check()] == ["NoLoss"]


def test_states_are_carried_where_nobody_says_otherwise() -> None:
    """The check knows no training, so it keeps the default of its own."""
    assert TrainingSettings().carry is CARRY
