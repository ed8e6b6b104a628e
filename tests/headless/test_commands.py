"""The command line as a person at a terminal uses it: one process a command, real files, exit codes and JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnstudio.cli import main

TINY = (
    "--set",
    "hidden=12",
    "--set",
    "embedding=6",
    "--set",
    "chunk=20",
    "--set",
    "batch_size=4",
    "--set",
    "threads=1",
)
WORDS = "the quick brown fox jumps over the lazy dog and the dog sleeps on under the old tree. "


def rnnstudio(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rnnstudio", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "COLUMNS": "300"},
    )


def last_line(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


Here = Callable[..., Any]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Here:
    """A command in this process, where torch is loaded: what it prints last, parsed, or all of it without --json."""

    def run(*arguments: object) -> Any:
        capsys.readouterr()
        done = main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        finished = subprocess.CompletedProcess(arguments, done, told.out, told.err)
        return last_line(finished) if "--json" in arguments else finished

    return run


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "fox.txt"
    path.write_text(WORDS * 60, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(text: Path) -> Path:
    folder = text.parent / "run"
    last_line(rnnstudio("train", "char-lm", "--data", text, "--run", folder, "--steps", 40, "--json", *TINY))
    return folder


def test_examples_are_listed_and_pass_their_check(here: Here) -> None:
    listed = last_line(rnnstudio("examples", "--json"))["examples"]
    assert {"char-lm", "sunspots"} <= {item["name"] for item in listed}
    assert here("check", "sunspots", "--json") == {"ok": True, "diagnostics": []}


def test_an_example_is_copied_with_its_data_and_trains_there(tmp_path: Path, here: Here) -> None:
    done = rnnstudio("new", "sunspots", tmp_path / "mine")
    assert done.returncode == 0
    assert (tmp_path / "mine" / "sunspots.csv").is_file()
    again = here("new", "sunspots", tmp_path / "mine")
    assert again.returncode == 2
    assert "not empty" in again.stderr
    result = last_line(
        rnnstudio("train", tmp_path / "mine" / "sunspots.rnn", "--epochs", 2, "--set", "hidden=8", "--json")
    )
    assert Path(result["run"]) == tmp_path / "mine" / "runs" / "sunspots-1"
    assert result["steps"] > 0
    assert result["perplexity"] is None
    assert set(result["baselines"]) == {"mean", "persistence", "AR(9)"}


def test_the_same_seed_gives_the_same_result_and_another_one_another(text: Path, tmp_path: Path, here: Here) -> None:
    def command(name: str, seed: int) -> tuple[object, ...]:
        folder = tmp_path / name
        return ("train", "char-lm", "--data", text, "--run", folder, "--steps", 12, "--seed", seed, "--json", *TINY)

    first, second = (last_line(rnnstudio(*command(name, 3))) for name in ("a", "b"))
    other = here(*command("c", 4))
    for loss in ("loss", "validation_loss"):
        assert second[loss] == first[loss]
        assert other[loss] != first[loss]


def test_training_reports_what_a_script_needs(run: Path, text: Path) -> None:
    found = last_line(rnnstudio("evaluate", run, "--split", "validation", "--json"))
    assert found["places"] == len(WORDS * 60) - 1 - _predicted(text, "train", "test")
    assert found["perplexity"] == pytest.approx(2.718281828459045 ** found["loss"], rel=1e-6)
    assert 0 <= found["accuracy"] <= 1
    assert set(found["baselines"]) == {"unigram", "bigram", "trigram"}


def _predicted(text: Path, *parts: Any) -> int:
    from rnnstudio import data

    dataset = data.open(data.guess(text).replace(split=(0.9, 0.05, 0.05)), text.parent)
    return sum(dataset.split(part).steps for part in parts)


def test_a_resumed_run_goes_on_where_it_stopped(text: Path, tmp_path: Path, here: Here) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    common = ("train", "char-lm", "--data", text, "--json", *TINY, "--set", "schedule=constant")
    one = here(*common, "--run", whole, "--steps", 16)
    here(*common, "--run", parts, "--steps", 7)
    two = last_line(rnnstudio("train", "char-lm", "--resume", "--run", parts, "--steps", 16, "--json"))
    assert two["steps"] == one["steps"] == 16
    assert two["loss"] == one["loss"]


def test_a_language_model_writes_the_same_for_the_same_seed(run: Path, here: Here) -> None:
    ask = ("generate", run, "--prompt", "the ", "--length", 30, "--temperature", 0.7, "--json")
    first = last_line(rnnstudio(*ask, "--seed", 1))
    assert first == here(*ask, "--seed", 1)
    assert len(first["text"]) == 30
    assert first != here(*ask, "--seed", 2)


def test_an_exported_model_runs_where_the_studio_is_not(run: Path, tmp_path: Path, here: Here) -> None:
    found = last_line(rnnstudio("export", run, "--format", "python", "--out", tmp_path / "fox", "--json"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fox.certificate.json", "fox.py", "fox.safetensors"]
    assert all(c["difference"] <= found["tolerance"] * max(1, c["scale"]) for c in found["comparisons"])
    assert len({(c["batch"], c["length"]) for c in found["comparisons"]}) >= 3
    code = "import sys, fox; print(fox.write('the ', 10, 0)); assert 'rnnstudio' not in sys.modules"
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert alone.returncode == 0, alone.stderr
    own = here("generate", run, "--prompt", "the ", "--length", 10, "--temperature", 0)
    assert alone.stdout == own.stdout


def test_top_k_of_one_is_the_most_likely_token(run: Path, here: Here) -> None:
    ask = ("generate", run, "--prompt", "the ", "--length", 20, "--json")
    greedy = here(*ask, "--temperature", 0)
    assert here(*ask, "--temperature", 1, "--top-k", 1)["text"] == greedy["text"]


def test_a_forecaster_goes_on_with_its_series(tmp_path: Path, here: Here) -> None:
    folder = tmp_path / "run"
    last_line(
        rnnstudio("train", "sunspots", "--run", folder, "--epochs", 3, "--set", "hidden=8", "--json", cwd=tmp_path)
    )
    found = last_line(rnnstudio("forecast", folder, "--steps", 4, "--json"))
    assert found["columns"] == ["sunspots"]
    assert len(found["forecast"]) == 4
    assert all(-100 < row[0] < 400 for row in found["forecast"])
    assert here("forecast", folder, "--steps", 0).returncode == 2


def test_show_prints_program_source_and_lowering(here: Here) -> None:
    assert "scan lstm over time, forward" in here("show", "char-lm", "--program").stdout
    assert "class CharLm(nn.Module)" in here("show", "char-lm", "--source").stdout
    assert "lstm: " in rnnstudio("show", "char-lm", "--lowering").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "nothing.rnn"), "no such design file"),
        (("train", "no-example"), "char-lm"),
        (("train", "char-lm", "--data", "nothing.txt"), "nothing.txt"),
        (("train", "char-lm", "--set", "hidden"), "NAME=VALUE"),
        (("train", "char-lm", "--set", "hiden=3"), "hidden"),
        (("train", "char-lm", "--set", "learning_rate=-1"), "learning_rate"),
        (("train", "char-lm", "--set", "hidden=0"), "at least 1"),
        (("evaluate", "nothing"), "no such run"),
        (("generate", "."), "not a run"),
        (("export", "nothing", "--out", "x"), "no such run"),
        (("new", "no-example", "x"), "sunspots"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert told.out == ""
    assert list(tmp_path.iterdir()) == []


NUMBERS = {
    ("generate", "nothing"): ("--length", "--temperature", "--top-k", "--top-p", "--seed", "--beam", "--examples"),
    ("forecast", "nothing"): ("--steps",),
    ("train", "char-lm"): ("--epochs", "--steps", "--seed"),
}
SETTINGS = ("hidden", "learning_rate", "batch_size", "chunk", "seed", "steps", "temperature", "lstm.units")
OPTIONS = ("data.min_count", "data.size", "data.lowercase")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e400", "9" * 40, "9" * 5000, "", "x"])
def test_no_number_of_the_command_line_ends_in_a_traceback(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [(*command, f"{name}={value}") for command, names in NUMBERS.items() for name in names]
    commands += [("train", "char-lm", "--set", f"{name}={value}") for name in (*SETTINGS, *OPTIONS)]
    for command in commands:
        assert main(command) == 2, command
        told = capsys.readouterr()
        assert len(told.err.strip().splitlines()) == 1, command
        assert told.err.startswith("rnnstudio: ")
        assert len(told.err) < 1500
        assert told.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "x" * 300, "\x00"])
@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("show",),
        ("train",),
        ("evaluate",),
        ("new", "char-lm"),
        ("export", "nothing", "--out"),
        ("train", "char-lm", "--run"),
        ("train", "char-lm", "--data"),
    ],
)
def test_a_name_that_no_file_can_have_is_one_clear_line(
    command: tuple[str, ...], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, name]) == 2
    told = capsys.readouterr()
    assert len(told.err.strip().splitlines()) == 1
    assert "name" in told.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (bytes(range(256)) * 20, "not text"),
        (b"one line only\n", "one"),
    ],
)
def test_a_bad_text_file_is_one_clear_line(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    assert main(["train", "char-lm", "--data", str(path), "--run", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert words in told.lower()
    assert "bad.txt" in told
    assert len(told.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [("a,b\n1,2\n3\n4,5\n" * 10, "line 3"), ("a,b\n1,2\n3,x\n4,5\n" * 10, "line 3")],
)
def test_a_bad_table_names_its_line(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    assert main(["train", "sunspots", "--data", str(path), "--run", str(tmp_path / "run")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("design", "content", "told"),
    [
        ("char-lm", "t,x\n1,2\n2,3\n", "reads text, and this file is a table (other.csv)"),
        ("sunspots", "Once upon a time.\n", "reads a table, and this file is text (other.txt)"),
    ],
)
def test_data_of_another_kind_is_refused_before_anything_is_compiled(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    design: str,
    content: str,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    name = told[told.rindex("(") + 1 : -1]
    Path(name).write_text(content, encoding="utf-8")
    assert main(["train", design, "--data", name, "--run", "run"]) == 2
    line = capsys.readouterr().err
    assert told in line
    assert "rnnstudio examples" in line
    assert not Path("run").exists()


def test_a_file_in_another_encoding_trains_once_it_is_named(tmp_path: Path, here: Here) -> None:
    path = tmp_path / "masse.txt"
    path.write_bytes(("Größe und Maß. " * 100).encode("latin-1"))
    found = here(
        "train", "char-lm", "--data", path, "--run", tmp_path / "run", "--steps", 2, "--json", *TINY,
        "--set", "data.encoding=latin-1",
    )  # fmt: skip
    assert found["steps"] == 2
