"""What people draw wrong with the nodes of the catalogue: a diagnostic at the node, in a sentence that helps."""

from __future__ import annotations

from typing import Any

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Design
from tests.conformance.catalogue import attention, attention_from_parts, design, inputs, one, updated
from tests.conformance.running import program_of
from tests.conformance.test_nodes_losses import aligned_by_ctc, classified, regressed


def wide(kind: str, a: str, b: str, width: int = 3, **params: Any) -> Design:
    """Two inputs of different widths into the ports a and b of a node."""
    s = Sketch()
    inputs(s, x="time")
    s.add("z", "FeatureInput", at=(0, 1), params={"field": "z", "axis": "source", "size": width})
    s.add("node", kind, at=(1, 0), params=params, **{a: "x", b: "z"})
    return design(s, y="node")


def same_axis() -> Design:
    s = Sketch()
    inputs(s, x="time")
    s.add("node", "Attention", at=(1, 0), query="x", keys="x")
    return design(s, y="node")


def ctc_on_one_axis() -> Design:
    s = Sketch()
    inputs(s, x="time")
    s.add("scores", "Linear", at=(1, 0), params={"units": 6}, input="x")
    s.add("label", "TokenTarget", at=(1, 1), params={"field": "label", "axis": "time", "size": 5})
    s.add("loss", "Ctc", at=(2, 0), prediction="scores", target="label")
    return design(s)


def ctc_without_a_blank() -> Design:
    drawn = aligned_by_ctc("last")
    scores = drawn.graph.nodes["scores"]
    nodes = {**drawn.graph.nodes, "scores": scores.replace(params={**scores.params, "units": 5})}
    return drawn.replace(graph=drawn.graph.replace(nodes=nodes))


def oblong_reservoir() -> Design:
    s = Sketch()
    inputs(s, x="time")
    s.add("node", "Linear", at=(1, 0), params={"units": 7, "init": "spectral_radius"}, input="x")
    return design(s, y="node")


MISTAKES: dict[str, tuple[Design, str, str]] = {
    "softmax over an axis that is not there": (one("Softmax", axis="source"), "MixedAxes", "has no axis “source”"),
    "taps without an axis": (one("Taps", axis="other"), "MixedAxes", "has no axis “other”"),
    "a clock whose groups are unequal": (updated("Clock", periods=(1, 2, 3)), "WidthClash", "3 periods do not divide"),
    "a period of 0": (updated("Clock", periods=(0, 1)), "WrongParameter", "a period is at least 1"),
    "periods that are no list": (
        updated("Clock", periods="often"),
        "WrongParameter",
        "must be a list of whole numbers",
    ),
    "a rate of zoneout above 1": (updated("Zoneout", rate=2.0), "WrongParameter", "at most 0.99"),
    "dot products of different widths": (
        wide("Attention", "query", "keys", score="dot"),
        "WidthClash",
        "the query has width 4 but the keys 3",
    ),
    "heads that do not divide": (attention(score="scaled_dot", heads=3), "WidthClash", "3 heads do not divide"),
    "heads that do not divide the values": (attention(heads=3), "WidthClash", "3 heads do not divide the width 4"),
    "a query along the keys' axis": (same_axis(), "AxisMeetsItself", "give them a second name for it"),
    "scores along another axis": (
        attention_from_parts(score="dot", axis="time"),
        "MixedAxes",
        "the keys [batch, source, 4] have no axis “time”",
    ),
    "a geometric spacing from 0": (
        design(_weights := Sketch(), y=_weights.add("w", "Weights", at=(0, 0), params={"spacing": "geometric"})),
        "WrongParameter",
        "two positive numbers",
    ),
    "a spectral radius of an oblong matrix": (oblong_reservoir(), "WidthClash", "needs a square matrix"),
    "too few class weights": (classified(class_weights=(1.0, 2.0)), "WidthClash", "2 class weights for 5 tokens"),
    "negative class weights": (
        classified(class_weights=(-1.0, 1.0, 1.0, 1.0, 1.0)),
        "WrongParameter",
        "not be negative",
    ),
    "CTC along one axis": (ctc_on_one_axis(), "MixedAxes", "CTC needs two axes"),
    "CTC without a score for the blank": (ctc_without_a_blank(), "WidthClash", "5 labels and the blank need 6"),
    "a delta of 0": (regressed("Huber", delta=0.0), "WrongParameter", "at least 1e-06"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_reported_where_it_is(name: str) -> None:
    drawing, code, words = MISTAKES[name]
    found = check(drawing, standard()).errors
    assert [d.code for d in found] == [code], [d.text() for d in found]
    assert words in found[0].message
    assert found[0].nodes


def _tied(units: int, table: int = 5, shared: str = "table") -> Design:
    """A language model whose readout is its embedding's table."""
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0), params={"field": "text", "axis": "time", "size": 5})
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 3}, shared=shared, input="text")
    s.add("rnn", "cell", at=(2, 0), params={"cell": "RNN", "units": units}, x="embedding")
    s.add("readout", "Linear", at=(3, 0), params={"units": table, "bias": False}, shared="table", input="rnn.h")
    return design(s, y="readout")


def test_an_embedding_and_the_readout_share_one_matrix_by_its_name() -> None:
    assert check(_tied(3), standard()).errors == ()
    paths = [p.path for p in program_of(_tied(3)).parameters]
    assert paths == ["table.weight", "rnn.total.weight", "rnn.total.bias", "rnn.total.weight2"]


@pytest.mark.parametrize("drawing", [_tied(4), _tied(3, table=6)])
def test_shared_matrices_of_different_shapes_are_told_before_compiling(drawing: Design) -> None:
    found = check(drawing, standard()).errors
    assert len(found) == 1
    assert found[0].code == "SharedShapes"
    assert found[0].nodes
    assert "table.weight" in found[0].message
    assert "[5, 3]" in found[0].message
