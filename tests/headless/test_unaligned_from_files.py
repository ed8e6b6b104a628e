"""Labels that nobody aligned (row 17 of the patterns), and sequences of NumPy's files, trained on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import rnnstudio
from rnnstudio.cli import main
from rnnstudio.design.design import Var
from rnnstudio.design.storage import load
from rnnstudio.training.label_errors import edits
from rnnstudio.training.runs import Run
from tests.data.vector_files import morse_arrays, morse_lines, morse_rows, moves
from tests.headless.test_trees_from_files import trained_and_scored


def listener(path: Path) -> rnnstudio.Drawing:
    """A score for each letter and the blank at every frame; CTC sums over the alignments."""
    design = rnnstudio.new("listener")
    dataset = design.read(path)
    design.add("FeatureInput", "inputs", field="inputs")
    design.add("BidirectionalGRU", "memory", units=16, x="inputs")
    design.add("Linear", "scores", units=dataset.recipe.field("labels").size + 1, input="memory")
    design.add("TokenTarget", "labels", field="labels", axis="labels")
    design.add("Ctc", "loss", prediction="scores", target="labels")
    return design


@pytest.mark.parametrize("write", [morse_arrays, morse_lines, morse_rows])
def test_row_17_morse_is_read_without_an_alignment(
    write: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = trained_and_scored(listener(write(tmp_path)), 250, tmp_path, capsys)
    assert scored["label_error_rate"] < 0.1
    told = [event.label_error_rate for event in Run.open(scored["run"]).validations()]
    assert told[-1] == scored["label_error_rate"]


def test_a_net_for_unaligned_labels_is_drawn_trains_and_tells_its_label_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = morse_lines(tmp_path)
    assert main(["new", "--data", str(path), str(tmp_path / "mine")]) == 0
    assert "a net that hears labels which nobody aligned" in capsys.readouterr().out.lower()
    design = load(tmp_path / "mine.rnn")
    assert {node.kind for node in design.graph.nodes.values()} >= {"Ctc", "FeatureInput", "TokenTarget"}
    assert main(["check", str(tmp_path / "mine.rnn")]) == 0
    run = str(tmp_path / "run")
    assert main(["train", str(tmp_path / "mine.rnn"), "--run", run, "--steps", "40", "--set", "threads=1"]) == 0
    told = capsys.readouterr().err
    assert "label error rate" in told
    losses = Run.open(run).steps().loss
    assert losses[-5:].mean() < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("heard", "said", "wrong"),
    [("", "abc", 3), ("abc", "abc", 0), ("axc", "abc", 1), ("bc", "abc", 1), ("abcd", "bd", 2)],
)
def test_label_errors_are_changes_insertions_and_deletions(heard: str, said: str, wrong: int) -> None:
    assert edits(heard, said) == wrong


def test_row_6_sequences_of_an_array_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    design = rnnstudio.new("moves")
    design.read(moves(tmp_path))
    design.add("FeatureInput", "inputs", field="inputs")
    design.add("GRU", "memory", units=8, x="inputs")
    design.add("Last", "end", input="memory")
    design.add("Linear", "scores", units=Var("label_size"), input="end")
    design.add("TokenTarget", "label", field="label", axis="")
    design.add("CrossEntropy", "loss", prediction="scores", target="label")
    scored = trained_and_scored(design, 60, tmp_path, capsys)
    assert scored["accuracy"] >= 0.9
    assert scored["loss"] < 0.5 * scored["baselines"]["frequencies"]
