"""Each pattern of the field, drawn on small data: trained and evaluated on the command line, beside who guesses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.cli import main
from tests.headless import field_drawings as draw

QUICK = ("--set", "threads=1", "--set", "learning_rate=0.02", "--set", "batch_size=16", "--seed", "1", "--json")
RIDGE = ("--set", "optimiser=ridge", "--set", "weight_decay=1e-6", "--set", "batch_size=1", "--set", "washout=50")

ROWS: tuple[tuple[str, draw.Draw, int, str, float], ...] = (
    ("2 delay taps", draw.taps, 100, "mean", 0.3),
    ("3 state only", draw.state_only, 100, "mean", 0.6),
    ("4 output at every step", draw.tagging, 60, "frequencies", 0.3),
    ("5 output to hidden", draw.output_to_hidden, 100, "mean", 0.3),
    ("6 many to one", draw.many_to_one, 80, "frequencies", 0.3),
    ("8 conditioned on a sequence", draw.conditioned, 200, "frequencies", 0.6),
    ("9 bidirectional", draw.both_ways, 60, "frequencies", 0.3),
    ("10 encoder-decoder", draw.encoder_decoder, 200, "frequencies", 0.6),
    ("11 deep in three ways", draw.deep, 80, "frequencies", 0.6),
    ("12 tree", draw.over_trees, 200, "mean", 0.3),
    ("13 lstm", draw.gated, 300, "mean", 0.3),
    ("13 peephole", draw.peephole, 300, "mean", 0.3),
    ("14 slow units", draw.slow, 100, "mean", 0.3),
    ("15 echo state", draw.echo_state, 0, "mean", 0.01),
    ("16 attention", draw.attending, 200, "frequencies", 0.5),
    ("18 carried state", draw.carried, 60, "trigram", 1.0),
    ("19 regularised", draw.regularised, 150, "frequencies", 0.5),
    ("20 identity start", draw.initialised, 150, "frequencies", 0.6),
)
"""Row of the field, drawing, training steps, and the share of a guesser's loss that it must come below."""


@pytest.mark.parametrize(("row", "drawing", "steps", "guesser", "share"), ROWS, ids=[row[0] for row in ROWS])
def test_it_trains_and_evaluates_from_the_command_line(
    row: str, drawing: draw.Draw, steps: int, guesser: str, share: float, tmp_path: Path, told: Any
) -> None:
    design = drawing(tmp_path)
    assert [problem for problem in design.check() if problem.severity == "error"] == []
    design.save(tmp_path / "d.rnn")
    chosen = RIDGE if drawing is draw.echo_state else ("--steps", str(steps))
    extra = ("--set", "chunk=20") if drawing is draw.carried else ()
    trained = told("train", tmp_path / "d.rnn", "--run", tmp_path / "run", *QUICK, *chosen, *extra)
    assert trained["state"] == "finished"
    scored = told("evaluate", tmp_path / "run", "--split", "validation", "--json")
    assert scored["loss"] < share * scored["baselines"][guesser]


def test_unaligned_labels_are_learned_from(tmp_path: Path, told: Any) -> None:
    """Row 17. No guess is known for CTC: what it says is compared with what it said before it learned."""
    draw.unaligned(tmp_path).save(tmp_path / "d.rnn")
    losses = []
    for steps in (1, 150):
        run = tmp_path / str(steps)
        assert told("train", tmp_path / "d.rnn", "--run", run, "--steps", steps, *QUICK)["state"] == "finished"
        losses.append(told("evaluate", run, "--split", "validation", "--json")["loss"])
    assert losses[1] < 0.5 * losses[0]


def test_polyphonic_music_is_foretold_better_than_by_how_often_each_key_is_down(tmp_path: Path, told: Any) -> None:
    """Row 4, with a loss of yes and no for each of 88 keys."""
    design = draw.polyphonic(tmp_path)
    design.save(tmp_path / "d.rnn")
    trained = told("train", tmp_path / "d.rnn", "--run", tmp_path / "run", "--steps", 80, *QUICK, "--set", "chunk=16")
    assert trained["state"] == "finished"
    scored = told("evaluate", tmp_path / "run", "--split", "validation", "--json")
    dataset = data.open(design.design.data)  # type: ignore[arg-type]
    share = (dataset.values_of("train", "targets").sum(0) + 1) / (dataset.split("train").steps + 2)
    down = dataset.values_of("validation", "targets")
    guessed = -float((down * np.log(share) + (1 - down) * np.log(1 - share)).mean())
    assert scored["loss"] < 0.7 * guessed


def test_a_task_on_the_command_line_stands_where_a_file_would(
    tmp_path: Path, told: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    draw.gated(tmp_path).save(tmp_path / "d.rnn")
    where = ("--data", "task:adding", "--set", "data.steps=7", "--set", "data.seed=5")
    assert told("train", tmp_path / "d.rnn", "--run", tmp_path / "run", "--steps", 3, *where, *QUICK)["state"]
    assert math.isfinite(told("evaluate", tmp_path / "run", "--json")["loss"])
    found = told("data", "task:copy", "--json", "--set", "data.steps=3", "--examples", 1)
    assert (found["path"], found["reader"], found["options"]["steps"]) == ("task:copy", "task:copy", 3)
    assert found["examples"][0]["fields"]["inputs"]["length"] == 23
    assert main(["new", "--data", "task:copy", str(tmp_path / "drawn.rnn")]) == 0
    assert told("train", tmp_path / "drawn.rnn", "--run", tmp_path / "drawn", "--steps", 2, *QUICK)["state"]
    assert main(["data", "task:copying"]) == 2
    assert "Tasks: task:adding, task:copy" in capsys.readouterr().err


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """The command line's last line, of JSON."""

    def ask(*arguments: object) -> Any:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return json.loads(printed.out.strip().splitlines()[-1])

    return ask
