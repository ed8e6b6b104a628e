"""`rnnstudio train --from RUN`: what is kept, new and dropped is told before training, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rnnstudio.cli import main
from rnnstudio.training import checkpoints
from rnnstudio.training.runs import Run
from tests.training.test_warm_start import CATS, FOXES, written

QUICK = ("--steps", "4", "--set", "sample_length=0", "--set", "threads=1", "--set", "chunk=20", "--json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A drawn design and a run of it, on a text of cats; a text of foxes."""
    written(tmp_path, "cats.txt", CATS)
    written(tmp_path, "foxes.txt", FOXES)
    assert main(["new", "--data", str(tmp_path / "cats.txt"), str(tmp_path / "d.rnn")]) == 0
    assert main(["train", str(tmp_path / "d.rnn"), "--run", str(tmp_path / "one"), *QUICK]) == 0
    return tmp_path


def train(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    where = ("--from", str(folder / "one"), "--run", str(folder / "two"))
    assert main(["train", str(folder / "d.rnn"), *where, *QUICK, *more]) == 0
    printed = capsys.readouterr()
    return json.loads(printed.out.strip().splitlines()[-1]), printed.err


def test_on_other_data_it_is_told_what_is_kept_new_and_dropped(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, said = train(folder, capsys, "--data", str(folder / "foxes.txt"))
    lines = said.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("From run one, checkpoint best (step"))
    assert "weights kept, 3 in part" in lines[start]
    assert any(line.startswith("  in part  embedding.weight") and "rows kept" in line for line in lines[start:])
    assert any(line.startswith("Words of “text” are merged: 14 kept, 4 of which do not occur here") for line in lines)
    first = next(place for place, line in enumerate(lines) if line.startswith("step "))
    assert start < first
    assert "step 0: validation loss" in said
    found = told["from"]
    assert found["run"] == str((folder / "one").resolve())
    assert sorted(found["in_part"]) == ["embedding.weight", "scores.bias", "scores.weight"]
    assert (found["new"], found["dropped"], found["words"], found["scaling"]) == ([], [], "keep", "run")
    assert len(found["kept"]) == 12
    (words,) = found["vocabularies"]
    assert (words["kept"], set(words["new"]), set(words["absent"])) == (14, set("!,bfrxz"), set(".cgl"))
    before, now = (checkpoints.load(Run.open(folder / name).checkpoint("best")).weights for name in ("one", "two"))
    assert before["scores.bias"].shape == (14,)
    assert now["scores.bias"].shape == (21,)


def test_on_the_same_data_it_begins_where_the_run_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, _ = train(folder, capsys)
    assert not told["from"]["new"] + told["from"]["in_part"] + told["from"]["dropped"]
    best, first = Run.open(folder / "one").best(), Run.open(folder / "two").validations()[0]
    assert best is not None
    assert (first.step, first.loss) == (0, best.loss)


def test_a_changed_design_keeps_what_fits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, said = train(folder, capsys, "--set", "hidden=70", "--checkpoint", "last")
    assert set(told["from"]["kept"]) == {"embedding.weight", "scores.bias"}
    assert told["from"]["which"] == "last"
    assert "2 of 15 weights kept, 13 new" in said
    assert "new      memory.W_f.weight [70 × 8, was 64 × 8]" in said


def test_a_widened_layer_keeps_its_part_when_asked_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, said = train(folder, capsys, "--set", "hidden=70", "--widened")
    assert told["from"]["new"] == []
    assert "memory.W_f.weight [70 × 8]: 64 of 70 rows kept" in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--words", "drop"), "--words is for a run that weights are taken from"),
        (("--from", "nowhere"), "There is no such run"),
        (("--from", "one", "--resume", "--run", "one"), "A run that is resumed has weights of its own"),
        (("--from", "one", "--data", "foxes.txt", "--words", "refuse"), "the model does not know '!', ','"),
        (("--from", "one", "--words", "some"), "invalid choice: 'some'"),
        (("--from", "."), "This folder is not a run"),
    ],
)
def test_what_does_not_go_is_one_clear_line(
    folder: Path,
    options: tuple[str, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    capsys.readouterr()
    assert main(["train", "d.rnn", *QUICK, *options]) == 2
    said = capsys.readouterr().err.strip()
    assert told in said
    assert len(said.splitlines()) == 1
    assert not (folder / "runs").exists()
