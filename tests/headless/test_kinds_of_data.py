"""Each kind of data a person has in a file: drawn by the Python API, trained and evaluated on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rnnstudio
from rnnstudio.cli import main
from rnnstudio.design.design import Var
from rnnstudio.headless.design_file import DesignFile, open_data
from rnnstudio.training import checkpoints
from rnnstudio.training.runs import Run
from tests.data.sequence_files import conllu, folders, json_lines, pairs, reviews, tagged

QUICK = ("--set", "threads=1", "--set", "learning_rate=0.02", "--set", "batch_size=8", "--seed", "1", "--json")


def classifier(path: Path) -> rnnstudio.Drawing:
    """Many to one: words, a GRU, its last state, a score for each class."""
    design = rnnstudio.new("classifier")
    design.read(path)
    design.add("TokenInput", "text", field="text")
    design.add("Embedding", "embedding", units=8, input="text")
    design.add("GRU", "memory", units=12, x="embedding")
    design.add("Last", "end", input="memory")
    design.add("Linear", "scores", units=Var("label_size"), input="end")
    design.add("TokenTarget", "label", field="label", axis="")
    design.add("CrossEntropy", "loss", prediction="scores", target="label")
    return design


def tagger(path: Path) -> rnnstudio.Drawing:
    design = rnnstudio.new("tagger")
    design.read(path)
    design.add("TokenInput", "text", field="text")
    design.add("Embedding", "embedding", units=8, input="text")
    design.add("LSTM", "memory", units=12, x="embedding")
    design.add("Linear", "scores", units=Var("tags_size"), input="memory")
    design.add("TokenTarget", "tags", field="tags")
    design.add("CrossEntropy", "loss", prediction="scores", target="tags")
    return design


def translator(path: Path) -> rnnstudio.Drawing:
    """An encoder along one axis, a decoder along another, fed with what it wrote."""
    design = rnnstudio.new("translator")
    design.read(path)
    design.add("TokenInput", "source", field="source", axis="source")
    design.add("Embedding", "read", units=8, input="source")
    design.add("GRU", "encoder", units=32, x="read")
    design.add("Last", "thought", input="encoder")
    design.add("TokenTarget", "target", field="target", axis="target")
    design.add("Feedback", "before", target="target")
    design.add("Embedding", "written", units=8, input="before")
    design.add("GRU", "decoder", units=32, x="written", h0="thought")
    design.add("Linear", "scores", units=Var("target_size"), input="decoder")
    design.connect("scores", "before.prediction")
    design.add("CrossEntropy", "loss", prediction="scores", target="target")
    return design


@pytest.mark.parametrize(
    ("draw", "write", "steps", "accuracy"),
    [
        (classifier, reviews, 80, 0.95),
        (classifier, json_lines, 80, 0.95),
        (classifier, folders, 80, 0.95),
        (tagger, tagged, 60, 0.95),
        (tagger, conllu, 40, 0.95),
        (translator, pairs, 300, 0.75),
    ],
)
def test_it_trains_and_evaluates_from_the_command_line(
    draw: Callable[[Path], rnnstudio.Drawing],
    write: Callable[[Path], Path],
    steps: int,
    accuracy: float,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    design = draw(write(tmp_path))
    assert [d for d in design.check() if d.severity == "error"] == []
    design.save(tmp_path / "d.rnn")
    run = tmp_path / "run"

    def told(*arguments: object) -> Any:
        assert main([str(argument) for argument in arguments]) == 0
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    trained = told("train", tmp_path / "d.rnn", "--run", run, "--steps", steps, *QUICK)
    assert trained["state"] == "finished"
    scored = told("evaluate", run, "--split", "validation", "--json")
    assert scored["accuracy"] >= accuracy
    if draw is not translator:
        assert scored["loss"] < scored["baselines"]["frequencies"]
    else:
        answers = told("generate", run, "--examples", 2, "--json")["answers"]
        assert all(answer["read"] == answer["truth"][::-1] for answer in answers)


def test_a_resumed_training_on_two_axes_goes_on_bit_for_bit(tmp_path: Path) -> None:
    translator(pairs(tmp_path)).save(tmp_path / "d.rnn")
    weights = []
    for name, parts in (("whole", (20,)), ("halves", (10, 20))):
        run = tmp_path / name
        for place, steps in enumerate(parts):
            more = ("--steps", str(steps), *(["--resume"] if place else []), *QUICK)
            assert main(["train", str(tmp_path / "d.rnn"), "--run", str(run), *more]) == 0
        weights.append(checkpoints.load(Run.open(run).checkpoint("last")).weights)
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][path], weights[1][path]) for path in weights[0])


def test_another_file_is_read_in_the_designs_way_and_bound_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    design = classifier(reviews(tmp_path))
    design.set("text", field="words", axis="time")
    design.save(tmp_path / "d.rnn")
    other = json_lines(tmp_path)
    arguments = ("train", tmp_path / "d.rnn", "--data", other, "--run", tmp_path / "run", "--steps", "5", *QUICK)
    assert main([str(argument) for argument in arguments]) == 0
    assert "text reads “text” (the data has no “words”)" in capsys.readouterr().err


def test_a_file_is_told_with_fields_examples_and_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = reviews(tmp_path)
    assert main(["data", str(path)]) == 0
    told = capsys.readouterr().out
    for line in (
        "texts with a class (the column 'text' holds texts and 'label' classes)",
        "It could also be read as",
        "label: target, 2 classes, one for each example: bad",
        "hint: not used: the column 'id' ('7000').",
        "text: dull story",
        "level = words",
    ):
        assert line in told
    assert main(["data", str(path), "--json", "--set", "data.level=characters", "--examples", "2"]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert (found["reader"], found["usable"], len(found["examples"])) == ("labelled", True, 2)
    assert found["examples"][0]["fields"]["text"]["pieces"][:4] == list("dull")
    assert sum(found["fields"][1]["counts"].values()) == 48
    path.write_text("t,x\n1,2\n3,four\n5,6\n" + "7,8\n" * 40)
    assert main(["data", str(path)]) == 2
    assert "error: line 3, column 'x': this is not a number: 'four'" in capsys.readouterr().out


def test_the_designs_roles_stay_where_another_table_has_their_columns(tmp_path: Path) -> None:
    rows = "".join(f"{day},{shop},{day * 7 % 5},{day * 3 % 11}\n" for shop in ("Rome", "Oslo") for day in range(40))
    (tmp_path / "a.csv").write_text("day,shop,rain,sold\n" + rows)
    design = rnnstudio.new("sales")
    chosen = {"inputs": ["rain"], "targets": ["sold"], "horizon": 0, "group": "shop", "order": "day"}
    own = design.read(tmp_path / "a.csv", **chosen)
    file = DesignFile(design.design, tmp_path)
    again = open_data(file, tmp_path / "a.csv")
    assert again.recipe.options == own.recipe.options
    assert again.fields == own.fields
    (tmp_path / "b.csv").write_text("day;sold;rain;shop\n" + "".join(f"{d};{d % 7};{d % 3};Bern\n" for d in range(50)))
    other = open_data(file, tmp_path / "b.csv")
    assert [spec.columns for spec in other.fields] == [("rain",), ("sold",)]
    assert other.recipe.options["delimiter"] == ";"
    (tmp_path / "c.csv").write_text("t,v\n" + "".join(f"{t},{t % 7}\n" for t in range(50)))
    assert [spec.columns for spec in open_data(file, tmp_path / "c.csv").fields] == [("v",), ("v",)]
