"""Every pattern of the field on a file: drawn, trained on what a person has, and evaluated, from the command line.

A pattern is drawn for data that it makes itself; `train --data` binds it to the fields of the file.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnstudio.cli import main
from rnnstudio.proposals.patterns import PATTERNS
from tests.data.sequence_files import pairs, reviews, tagged
from tests.data.tree_files import logic
from tests.data.vector_files import digits, flowers, morse_rows

QUICK = ("--set", "threads=1", "--seed", "1", "--json")
LEARNING = ("--set", "learning_rate=0.02", "--set", "batch_size=16")


def waves(folder: Path) -> Path:
    """A time, and two sines with some noise."""
    pick = random.Random(1)
    rows = [math.sin(t / 4) + 0.5 * math.sin(t / 7) + pick.gauss(0, 0.02) for t in range(600)]
    path = folder / "waves.csv"
    path.write_text("t,x\n" + "".join(f"{t},{x:.5f}\n" for t, x in enumerate(rows)))
    return path


def marked_sums(folder: Path, steps: int = 8) -> Path:
    """Each row a sequence of two features, a value and whether it counts, and the sum of those that do."""
    pick = random.Random(2)
    lines = [",".join(f"t{step}_{name}" for step in range(steps) for name in ("value", "marked")) + ",sum"]
    for _ in range(500):
        values, marked = [pick.random() for _ in range(steps)], set(pick.sample(range(steps), 2))
        cells = [f"{values[step]:.4f},{int(step in marked)}" for step in range(steps)]
        lines.append(",".join((*cells, f"{sum(values[step] for step in marked):.4f}")))
    path = folder / "marked.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


SPELT = ("--set", "data.spell=true")
ROOTS = ("--set", "data.labels=root")
BLANK = ("--set", "with_blank=6")
ROWS: tuple[tuple[str, Callable[[Path], Path], int, tuple[str, ...], str, float], ...] = (
    ("one-to-one", flowers, 80, (), "frequencies", 0.3),
    ("delay-taps", waves, 80, (), "persistence", 0.6),
    ("state-only", waves, 80, (), "mean", 0.4),
    ("output-at-every-step", tagged, 60, (), "frequencies", 0.3),
    ("output-to-hidden", waves, 80, (), "mean", 0.2),
    ("many-to-one", reviews, 80, (), "frequencies", 0.3),
    ("vector-to-sequence", digits, 120, SPELT, "frequencies", 0.3),
    ("conditioned-sequence", pairs, 150, (), "frequencies", 0.6),
    ("bidirectional", tagged, 60, (), "frequencies", 0.3),
    ("encoder-decoder", pairs, 150, (), "frequencies", 0.5),
    ("deep", tagged, 80, (), "frequencies", 0.3),
    ("recursive-over-a-tree", logic, 150, ROOTS, "frequencies", 0.6),
    ("gated-cells", marked_sums, 200, (), "mean", 0.1),
    ("time-scales", waves, 80, (), "persistence", 0.6),
    ("echo-state-network", waves, 0, (), "persistence", 0.3),
    ("attention", pairs, 150, (), "frequencies", 0.5),
    ("ctc", morse_rows, 300, BLANK, "", 0.2),
    ("truncated-back-propagation", waves, 80, (), "persistence", 0.6),
    ("regularisation", tagged, 80, (), "frequencies", 0.3),
    ("initialisation", tagged, 60, (), "frequencies", 0.3),
)
"""Pattern, file, training steps (0: in closed form), options, whose loss it must come below, and which share of it.

Where nobody guesses (CTC), the share is of the labels that are heard wrongly.
"""


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """The command line's last line, of JSON."""

    def ask(*arguments: object) -> Any:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return json.loads(printed.out.strip().splitlines()[-1])

    return ask


def test_every_pattern_has_a_file() -> None:
    assert [row[0] for row in ROWS] == [item.name for item in PATTERNS]


@pytest.mark.parametrize(
    ("pattern", "write", "steps", "chosen", "guesser", "share"),
    ROWS,
    ids=[f"{place}-{row[0]}-{row[1].__name__}" for place, row in enumerate(ROWS, 1)],
)
def test_it_is_drawn_trained_on_a_file_and_evaluated(
    pattern: str,
    write: Callable[[Path], Path],
    steps: int,
    chosen: tuple[str, ...],
    guesser: str,
    share: float,
    tmp_path: Path,
    told: Any,
) -> None:
    drawn = told("new", "--pattern", pattern, tmp_path / "mine", "--json")["design"]
    how = ("--steps", steps, *LEARNING) if steps else ()
    file = write(tmp_path)
    trained = told("train", drawn, "--data", file, "--run", tmp_path / "run", *how, *QUICK, *chosen)
    assert trained["state"] == "finished"
    scored = told("evaluate", tmp_path / "run", "--split", "validation", "--json")
    if guesser:
        assert scored["loss"] < share * scored["baselines"][guesser]
    else:
        assert scored["label_error_rate"] < share


def test_a_drawing_that_reads_a_file_takes_no_file_of_another_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a task says nothing of how a file is to be read."""
    assert main(["new", "--data", str(waves(tmp_path)), str(tmp_path / "mine")]) == 0
    assert main(["train", str(tmp_path / "mine.rnn"), "--data", str(tagged(tmp_path)), "--steps", "1"]) == 2
    assert "reads a table, and this file is tagged words" in capsys.readouterr().err
