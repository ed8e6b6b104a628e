"""`rnnstudio data`, `train` and `evaluate` say how the data is divided, what the parts hold, and what stands in two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rnnstudio.cli import BAD_INPUT, main
from rnnstudio.design.storage import load
from rnnstudio.training.runs import Run
from tests.data.sequence_files import reviews
from tests.data.test_dividing import patients, split_in_three


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str]:
    assert main([str(argument) for argument in arguments]) == 0
    found = capsys.readouterr()
    return found.out, found.err


def test_data_shows_parts_with_shares_of_classes_and_padding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = said(capsys, "data", reviews(tmp_path), "--set", "split=stratified", "--set", "fractions=60/20/20")
    assert "Parts: whole examples at random, every class alike in all parts, 60/20/20 %" in out
    assert "  validation: 12 examples: bad 50.0%, good 50.0%" in out
    assert "Padding in batches of 32: " in out
    assert "split = stratified" in out
    assert "fractions = 0.6,0.2,0.2" in out


def test_data_gives_the_same_to_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(
        capsys, "data", patients(tmp_path), "--set", "data.split=group", "--set", "split_column=patient", "--json"
    )
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    assert found["dividing"] == {"split": "group", "split_column": "patient"}
    assert [own["part"] for own in found["parts"]] == ["train", "validation", "test"]
    assert sum(own["examples"] for own in found["parts"]) == 120


def test_a_wrong_option_of_the_split_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(patients(tmp_path)), "--set", "split=sideways"]) == BAD_INPUT
    told = capsys.readouterr()
    assert "'sideways' is not a choice" in told.out + told.err


def test_train_and_evaluate_tell_what_stands_in_two_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = patients(tmp_path)
    said(capsys, "new", "--data", file, tmp_path / "mine", "--set", "split=random")
    quick = ("--steps", 3, "--set", "threads=1")
    _, err = said(capsys, "train", tmp_path / "mine.rnn", "--run", tmp_path / "run", *quick)
    assert "Parts: whole examples at random, 80/10/10 %" in err
    assert "warning: column 'patient': " in err
    out, err = said(capsys, "evaluate", tmp_path / "run", "--json")
    assert "warning: column 'patient': " in err
    assert "have a 'patient' that the training part has, too" in json.loads(out.strip().splitlines()[-1])["data"][0]
    assert "always well" in out


def test_the_split_of_a_training_is_chosen_on_the_command_line_and_kept_in_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train, valid, test = split_in_three(patients(tmp_path), 1, (90, 105))
    (tmp_path / "elsewhere").mkdir()
    said(capsys, "new", "--data", train, tmp_path / "elsewhere" / "mine")
    monkeypatch.chdir(tmp_path)  # files are named as the person sees them, not as from the design's folder
    files = ("--set", f"data.validation_file={valid.name}", "--set", f"data.test_file={test.name}")
    quick = ("--steps", 3, "--set", "threads=1")
    _, err = said(capsys, "train", "elsewhere/mine.rnn", "--run", "run", *quick, *files)
    assert "Parts: validation from valid.csv; test from test.csv" in err
    recipe = Run.open(tmp_path / "run").design().data
    assert recipe is not None
    assert recipe.dividing["validation_file"] == str(valid)
    out, _ = said(capsys, "evaluate", "run", "--split", "test", "--json")
    assert json.loads(out.strip().splitlines()[-1])["places"] == 15
    own = load(tmp_path / "elsewhere" / "mine.rnn").data
    assert own is not None
    assert "validation_file" not in own.dividing
