"""Files of trees (row 12 of the patterns): drawn by the Python API, trained and evaluated on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rnnstudio
from rnnstudio.cli import main
from rnnstudio.data import readers
from rnnstudio.data.guess import guess_with
from rnnstudio.design.design import Var
from tests.data.tree_files import heads, logic, penn, sentiment, sums

QUICK = ("--set", "threads=1", "--set", "learning_rate=0.02", "--set", "batch_size=8", "--seed", "1", "--json")


def over_trees(path: Path, cell: str, root: bool = False, **options: Any) -> rnnstudio.Drawing:
    """Words at the nodes, a cell from the leaves to the root, a score or a value at each node or at the root."""
    design = rnnstudio.new("trees")
    design.axis("tree", kind="tree")
    recipe = guess_with(readers.find("trees"), path, str(path))
    design.read(readers.choose(recipe, {"labels": "root" if root else "each node", **options}))
    design.add("TokenInput", "word", field="word", axis="tree")
    design.add("Embedding", "embedding", units=8, input="word")
    design.add(cell, "memory", units=16, x="embedding")
    end = "memory"
    if root:
        design.add("Root", "root", input="memory")
        end = "root"
    axis = "" if root else "tree"
    if "value" in design.design.data.readable:
        design.add("Linear", "readout", units=1, input=end)
        design.add("FeatureTarget", "value", field="value", axis=axis)
        design.add("MeanSquaredError", "loss", prediction="readout", target="value")
    else:
        design.add("Linear", "readout", units=Var("label_size"), input=end)
        design.add("TokenTarget", "label", field="label", axis=axis)
        design.add("CrossEntropy", "loss", prediction="readout", target="label")
    return design


@pytest.mark.parametrize(
    ("cell", "write", "root", "steps", "options"),
    [
        ("ChildSumTreeLSTM", sentiment, False, 100, {}),
        ("BinaryTreeLSTM", sentiment, True, 120, {}),
        ("BinaryTreeLSTM", penn, False, 40, {"binary": True}),
        ("TernaryTreeLSTM", penn, False, 40, {}),
        ("RecursiveNet", logic, False, 120, {}),
        ("RNTN", sentiment, False, 100, {}),
        ("ChildSumTreeLSTM", heads, False, 40, {}),
    ],
)
def test_a_net_over_trees_trains_and_evaluates_from_the_command_line(
    cell: str,
    write: Callable[[Path], Path],
    root: bool,
    steps: int,
    options: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scored = trained_and_scored(over_trees(write(tmp_path), cell, root, **options), steps, tmp_path, capsys)
    assert scored["accuracy"] >= 0.9
    assert scored["loss"] < 0.5 * scored["baselines"]["frequencies"]


def test_the_value_of_a_sum_is_learned_as_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scaled values vary by about 1 in the training part: the mean would be wrong by that much."""
    scored = trained_and_scored(over_trees(sums(tmp_path), "BinaryTreeLSTM"), 120, tmp_path, capsys)
    assert scored["loss"] < 0.2


def trained_and_scored(
    design: rnnstudio.Drawing, steps: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    assert [d for d in design.check() if d.severity == "error"] == []
    design.save(folder / "d.rnn")
    told = ("train", folder / "d.rnn", "--run", folder / "run", "--steps", steps, *QUICK)
    assert main([str(argument) for argument in told]) == 0
    assert main(["evaluate", str(folder / "run"), "--split", "validation", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return found
