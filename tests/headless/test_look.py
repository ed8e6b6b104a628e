"""`rnnstudio look RUN`: the values of an example of a run, as a table and as arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnstudio
from rnnstudio.cli import BAD_INPUT, main
from rnnstudio.training.evaluate import load_trained
from tests.headless.field_drawings import attending

QUICK = ("--steps", 3, "--seed", 1, "--set", "threads=1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of letters, trained a little."""
    folder = tmp_path_factory.mktemp("look")
    text = folder / "letters.txt"
    text.write_text("the cat sat on the mat, and the dog sat on the log.\n" * 60)
    assert main(["new", "--data", str(text), str(folder / "mine")]) == 0
    (design,) = folder.glob("**/*.rnn")
    assert main(["train", str(design), "--run", str(folder / "run"), *map(str, QUICK)]) == 0
    return folder / "run"


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def cell_of(run: Path) -> str:
    return next(op.split(".")[0] for op in load_trained(run).network.weights if ".W_f." in op)


def test_the_arrays_are_the_values_of_the_example(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = cell_of(run)
    out = tmp_path / "look.npz"
    found = told(capsys, "look", run, "--example", 1, "--gradients", "--values", f"{cell}.f", "--out", out, "--json")
    with np.load(out) as arrays:
        forget = arrays[f"value/{cell}.f"]
        total, direct = arrays[f"total/{cell}.f"], arrays[f"direct/{cell}.f"]
        tokens = arrays["tokens/text"].tolist()
    (row,) = found["values"]
    assert row["shape"] == list(forget.shape) == list(total.shape) == list(direct.shape)
    assert row["mean"] == pytest.approx(float(forget.mean()), rel=1e-6)
    assert row["low"] == pytest.approx(float((forget < 0.1).mean()))
    assert found["tokens"]["text"] == tokens
    assert len(tokens) == forget.shape[0]
    assert found["examples"] > 1


def test_a_typed_text_is_read_letter_by_letter(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "look", run, "--text", "the cat", "--json")
    assert found["tokens"]["text"] == list("the ca")
    assert found["tokens"]["next"] == list("he cat")


def test_in_python_it_is_the_same(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = rnnstudio.look(run, text="the cat", gradients=False)
    assert seen.look.loss == pytest.approx(told(capsys, "look", run, "--text", "the cat", "--json")["loss"])
    assert not seen.look.total


def test_a_held_gate_changes_the_loss_and_not_the_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = cell_of(run)
    free = told(capsys, "look", run, "--text", "the cat", "--json")
    held = told(capsys, "look", run, "--text", "the cat", "--hold", f"{cell}.f@2=0", "--json")
    assert held["loss"] != free["loss"]
    assert told(capsys, "look", run, "--text", "the cat", "--json")["loss"] == free["loss"]


def test_a_cut_wire_is_told_beside_the_run_as_it_is(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = cell_of(run)
    free = told(capsys, "look", run, "--text", "the cat", "--json")
    assert free["free_loss"] is None
    out = tmp_path / "look.npz"
    cut = told(capsys, "look", run, "--text", "the cat", "--cut", f"{cell}:{cell}@3", "--out", out, "--json")
    assert cut["free_loss"] == free["loss"] != cut["loss"]
    (loss,) = cut["losses"]
    assert cut["losses"][loss][:3] == cut["free_losses"][loss][:3] == free["losses"][loss][:3]
    assert cut["losses"][loss][3] != cut["free_losses"][loss][3]
    assert cut["free_predicted"] == free["predicted"]
    with np.load(out) as arrays:
        state, before = arrays[f"value/{cell}.state"], arrays[f"free/{cell}.state"]
        assert np.array_equal(state[:3], before[:3])
        assert not np.allclose(state[3], before[3])
    assert told(capsys, "look", run, "--text", "the cat", "--json")["loss"] == free["loss"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--example", "99999999"), "no example 99999999"),
        (("--values", "nowhere"), "nowhere"),
        (("--hold", "nonsense"), "nonsense"),
        (("--cut", "nonsense"), "no wire to cut"),
        (("--text", "the cat", "--cut", "nowhere:readout"), "no wire from “nowhere”"),
        (("--of", "x[1"), "no value to ask for"),
        (("--text", "a"), "too short"),
        (("--text", "the cat", "--example", "1"), "two looks"),
    ],
)
def test_bad_words_are_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], word: str
) -> None:
    capsys.readouterr()
    assert main(["look", str(run), *arguments]) == BAD_INPUT
    told = capsys.readouterr().err.strip()
    assert word in told
    assert "\n" not in told


def test_an_attention_takes_what_its_weights_say(tmp_path: Path) -> None:
    attending(tmp_path).save(tmp_path / "d.rnn")
    steps = ("--steps", "2", "--set", "threads=1", "--seed", "1", "--json")
    assert main(["train", str(tmp_path / "d.rnn"), "--run", str(tmp_path / "run"), *steps]) == 0
    seen = rnnstudio.look(tmp_path / "run").look
    weights = seen.weights["looked"]
    assert seen.axes["looked"] == ("target",)
    assert weights.shape == (len(seen.values["looked"]), len(seen.values["encoder.state"]))
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
    torch.testing.assert_close(weights @ seen.values["encoder.state"], seen.values["looked"])
