"""Cells of so many children under trees of more: told before a training stops at the first of them."""

from __future__ import annotations

from pathlib import Path

import rnnstudio
from rnnstudio.api import Drawing
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler.check import check
from rnnstudio.compiler.diagnostics import Diagnostic

OPS = "[MAX 2 9 [MIN 4 7 ] 0 ]\n[SM 8 3 ]\n[MIN 5 [MAX 1 2 ] ]\n"


def drawing(folder: Path, cell: str, **options: object) -> Drawing:
    """A cell over the trees of OPS, and a loss on the value of each node."""
    (folder / "ops.txt").write_text(OPS * 20)
    made = rnnstudio.new("ops")
    made.axis("tree", kind="tree")
    made.read(folder / "ops.txt", **options)
    size = made.design.data.field("word").size  # type: ignore[union-attr]
    made.add("TokenInput", "word", field="word", size=size, axis="tree")
    made.add("Embedding", "embedded", units=4, input="word")
    made.add(cell, "cell", x="embedded", units=4)
    made.add("FeatureTarget", "value", field="value", size=1, axis="tree")
    made.add("MeanSquaredError", "loss", prediction=made.add("Linear", "out", units=1, input="cell"), target="value")
    return made


def told(made: Drawing) -> list[Diagnostic]:
    assert not [one for one in made.check() if one.severity == "error"]
    return [one for one in made.check() if one.code == "MoreChildren"]


def test_a_binary_cell_under_more_children_is_told_with_both_ways_out(tmp_path: Path) -> None:
    (found,) = told(made := drawing(tmp_path, "BinaryTreeLSTM"))
    assert (found.severity, found.nodes) == ("warning", ("cell",))
    assert found.message == (
        "cell reads 2 children of a node, and nodes of the data have up to 4: take a cell for 4 or for any number "
        "(such as ChildSumTreeLSTM), or set the data's option binary, which joins them two by two"
    )
    assert found.fix_title == "Read 4 children"
    assert found.fix is not None
    after = check(found.fix.apply(made.design), standard())
    assert not [one for one in after.diagnostics if one.code == "MoreChildren"]


def test_cells_with_places_for_all_are_not_told(tmp_path: Path) -> None:
    assert told(drawing(tmp_path, "BinaryTreeLSTM", binary=True)) == []
    assert told(drawing(tmp_path, "ChildSumTreeLSTM")) == []
    assert [one.message.split(":")[0] for one in told(drawing(tmp_path, "TernaryTreeLSTM"))] == [
        "cell reads 3 children of a node, and nodes of the data have up to 4"
    ]


def test_designs_of_before_do_not_know_how_many_there_are(tmp_path: Path) -> None:
    made = drawing(tmp_path, "BinaryTreeLSTM")
    spec = made.design.data.field("tree_parents")  # type: ignore[union-attr]
    assert spec.children == 4
    assert spec.from_json({**spec.to_json(), "children": 0}).children == 0
    assert "children" not in spec.from_json({"name": "tree_parents", "content": "parents"}).to_json()
