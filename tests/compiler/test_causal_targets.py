"""A target that must be told from what stands before it: who reads later steps knows the answer, and that is told."""

from __future__ import annotations

import pytest

import rnnstudio
from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.proposals import Amount, propose

TASKS = ("task:copy", "task:parity", "task:brackets", "task:autocomplete")


def drawn(task: str, cell: str) -> rnnstudio.Drawing:
    design = rnnstudio.new("by hand")
    dataset = design.read(task, examples=200)
    names = [spec.name for spec in dataset.fields]
    design.add("TokenInput", "inputs", field=names[0])
    design.add("Embedding", "embedding", units=4, input="inputs")
    design.add(cell, "memory", units=4, x="embedding")
    design.add("Linear", "scores", units=dataset.recipe.field(names[1]).size, input="memory")
    design.add("TokenTarget", "targets", field=names[1])
    design.add("CrossEntropy", "loss", prediction="scores", target="targets")
    return design


@pytest.mark.parametrize("task", TASKS)
def test_a_net_that_reads_both_ways_is_told(task: str) -> None:
    told = [found for found in drawn(task, "BidirectionalGRU").check() if found.code == "ReadsAhead"]
    assert len(told) == 1
    assert "later steps of “inputs” are read, by inputs → embedding → " in told[0].message
    assert told[0].severity == "warning"


@pytest.mark.parametrize("task", TASKS)
def test_a_net_that_reads_one_way_is_not(task: str) -> None:
    assert drawn(task, "GRU").check() == ()


@pytest.mark.parametrize("task", TASKS)
def test_what_is_drawn_for_it_reads_one_way(task: str) -> None:
    recipe = data.open(data.choose(data.guess(task), {"examples": 200})).recipe
    design = propose(recipe, Amount(200, 4000, True), standard())
    assert "BidirectionalGRU" not in {str(node.params.get("cell")) for node in design.graph.nodes.values()}


def test_it_is_kept_in_a_design() -> None:
    spec = FieldSpec("y", "tokens", 2, vocabulary=("a", "b"), role="target", causal=True)
    recipe = DataRecipe("csv", "t.csv", fields=(spec,))
    assert DataRecipe.from_json(recipe.to_json()).field("y").causal
    assert "causal" not in FieldSpec("y", "real").to_json()
