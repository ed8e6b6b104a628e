"""From a file to a first step: `rnnstudio new --data` draws for every kind of data, and what it draws trains."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from rnnstudio.cli import BAD_INPUT, main
from rnnstudio.design.design import Design, Var
from rnnstudio.design.storage import load
from rnnstudio.training.runs import Run
from tests.data.more_readers import bushes, marked_bushes, more_readers, spelt, vectors
from tests.data.reader_samples import table, text
from tests.data.sequence_files import conllu, folders, json_lines, pairs, reviews, tagged


@pytest.fixture(autouse=True)
def with_more_readers() -> Iterator[None]:
    with more_readers():
        yield


def gears(folder: Path) -> Path:
    """A class is predicted beside a number, of both before."""
    path = folder / "gears.csv"
    rows = (f"{n},{n % 30},{'low' if n % 30 < 12 else 'high'}\n" for n in range(200))
    path.write_text("time,speed,gear\n" + "".join(rows))
    return path


def switches(folder: Path) -> Path:
    """Yes or no at every step."""
    path = folder / "switches.csv"
    path.write_text("time,pump\n" + "".join(f"{n},{'yes' if n % 5 < 2 else 'no'}\n" for n in range(300)))
    return path


def shapes(folder: Path) -> Path:
    """A row is a sequence, with a class at its end."""
    rows = [",".join([*(str(n * k % 7 + (5 if n % 2 else 0)) for k in range(8)), "ab"[n % 2]]) for n in range(60)]
    path = folder / "shapes.csv"
    path.write_text(",".join([*(f"s{k}" for k in range(8)), "kind"]) + "\n" + "\n".join(rows) + "\n")
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main([str(argument) for argument in arguments]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def kinds(design: Design) -> set[str]:
    return {str(node.params["cell"]) if node.kind == "cell" else node.kind for node in design.graph.nodes.values()}


SEQUENCES = ("--set", "data.mode=row_is_sequence", "--set", "data.targets=kind")
ON = ("--set", "data.inputs=pump", "--set", "data.targets=pump")
BOTH = ("--set", "data.inputs=speed, gear", "--set", "data.targets=speed, gear")


@pytest.mark.parametrize(
    ("write", "chosen", "doc", "drawn"),
    [
        (text, (), "A language model", {"TokenInput", "Embedding", "LSTM", "CrossEntropy"}),
        (table, (), "A forecaster", {"FeatureInput", "LSTM", "MeanSquaredError"}),
        (gears, BOTH, "A forecaster", {"TokenInput", "FeatureInput", "Concat", "CrossEntropy", "MeanSquaredError"}),
        (switches, ON, "A forecaster", {"FeatureInput", "BinaryCrossEntropy"}),
        (shapes, SEQUENCES, "A classifier of sequences", {"FeatureInput", "LSTM", "Last", "CrossEntropy"}),
        (reviews, (), "A classifier of sequences", {"TokenInput", "LSTM", "Last", "CrossEntropy"}),
        (json_lines, (), "A classifier of sequences", {"Last"}),
        (folders, (), "A classifier of sequences", {"Last"}),
        (tagged, (), "A tagger that reads both ways", {"BidirectionalGRU"}),
        (conllu, (), "A tagger that reads both ways", {"BidirectionalGRU"}),
        (pairs, (), "An encoder–decoder with attention", {"BidirectionalGRU", "AttentionDecoder", "Feedback"}),
        (bushes, (), "A classifier of trees", {"ChildSumTreeLSTM", "Root"}),
        (marked_bushes, (), "A recursive net with an answer at every node", {"ChildSumTreeLSTM"}),
        (vectors, (), "A classifier of vectors", {"FeatureInput", "Linear", "Relu", "CrossEntropy"}),
        (spelt, (), "A decoder that makes a sequence of a vector", {"FeatureInput", "Decoder", "Feedback"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_network_is_drawn_for_a_file_and_learns_in_its_first_steps(
    write: Callable[[Path], Path],
    chosen: tuple[str, ...],
    doc: str,
    drawn: set[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path)
    made = told(capsys, "new", "--data", path, tmp_path / "mine", *chosen, "--json")
    assert made["doc"].startswith(doc)
    design = load(Path(made["design"]))
    assert drawn <= kinds(design)
    assert design.data is not None
    assert design.data.path == path.name  # both can be moved together
    units = [node.params["units"] for node in design.graph.nodes.values() if "units" in node.params]
    assert units
    assert all(isinstance(value, Var) for value in units)
    assert told(capsys, "check", made["design"], "--json")["diagnostics"] == []
    places = [(node.x, node.y) for node in design.graph.nodes.values()]
    assert all(abs(a - c) >= 260 or abs(b - d) >= 130 for (a, b), (c, d) in combinations(places, 2))
    run = tmp_path / "run"
    quick = ("--steps", 30, "--seed", 1, "--set", "threads=1", "--set", "learning_rate=0.02", "--json")
    assert told(capsys, "train", made["design"], "--run", run, *quick)["state"] == "finished"
    losses = Run.open(run).steps().loss
    assert losses[-5:].mean() < 0.97 * losses[0]


def test_what_a_target_that_is_yes_or_no_is_read_as_stays_0_and_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = told(capsys, "new", "--data", switches(tmp_path), tmp_path / "mine", *ON, "--json")
    data = load(Path(made["design"])).data
    assert data is not None
    assert not data.field("targets").is_scaled(0)


def test_a_series_between_0_and_1_is_no_yes_or_no(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "share.csv").write_text("time,share\n" + "".join(f"{n},{n % 11 / 10}\n" for n in range(200)))
    made = told(capsys, "new", "--data", tmp_path / "share.csv", tmp_path / "mine", "--json")
    assert "MeanSquaredError" in kinds(load(Path(made["design"])))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("new", "--data", "missing.txt", "mine"), "missing.txt"),
        (("new", "--data", "short.csv", "mine"), "No network can be drawn"),
        (("new", "--data", "story.txt", "there"), "There is a design of that name already"),
        (("new", "--data", "story.txt", "no/folder"), "There is no such folder"),
        (("new", "--data", "story.txt", "mine", "more"), "one name too many"),
        (("new", "char-lm"), "It is not said where"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line_and_nothing_is_written(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    text(tmp_path)
    (tmp_path / "short.csv").write_text("t,x\n1,2\n3,four\n5,6\n" + "7,8\n" * 40)
    (tmp_path / "there.rnn").write_text("mine")
    before = sorted(tmp_path.iterdir())
    assert main(list(arguments)) == BAD_INPUT
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.rnn").read_text() == "mine"
