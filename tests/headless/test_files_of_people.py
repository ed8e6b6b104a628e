"""Files in other encodings and packed ones on the command line: looked at, learned from, resumed, evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnstudio.cli import main
from rnnstudio.design.storage import load
from rnnstudio.training.runs import Run
from tests.data.packed_files import bomb, packed, zipped
from tests.data.test_encodings import RUSSIAN, table

TINY = ("--set", "threads=1", "--set", "batch_size=4", "--json")
Told = Callable[..., Any]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """The text that a command prints, or its last line as JSON; it must succeed."""

    def run(*arguments: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == code
        out = capsys.readouterr().out.strip()
        return json.loads(out.splitlines()[-1]) if "--json" in arguments else out

    return run


def test_data_says_what_a_file_is_read_as(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(table("дата;знач").encode("cp1251"))
    out = told("data", path)
    assert "(the suffix .csv; read as cp1251)" in out
    assert "steps; read as cp1251;" in out
    assert "encoding = cp1251" in out
    assert "дата, знач" in out
    other = told("data", path, "--set", "data.encoding=koi8-r")
    assert "steps; read as koi8-r;" in other
    assert "member" not in other
    assert "read as" not in told("data", packed_text(tmp_path))


def packed_text(folder: Path) -> Path:
    (folder / "fox.txt").write_text("The quick brown fox jumps over the lazy dog.\n" * 60)
    return packed(folder / "fox.txt", ".xz")


def test_data_says_what_of_an_archive_is_read_and_what_it_may_unpack_to(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    path.write_bytes(
        zipped({"a.csv": table("one;two").encode(), "in/b.csv": (table("one;three") + "7;8\n" * 90).encode()})
    )
    out = told("data", path)
    assert "member = in/b.csv" in out
    assert "hint: the archive holds other files, too: a.csv. The option member chooses one" in out
    assert "one, two" in told("data", path, "--set", "member=a.csv")
    zeros = tmp_path / "zeros.csv.xz"
    zeros.write_bytes(bomb(".xz", 66))
    assert "Set the option unpacked_times to more" in told("data", zeros, code=2)
    assert "unpacks to more than 40 MB" in told("data", zeros, "--set", "unpacked_megabytes=40", code=2)


def test_what_was_guessed_is_the_same_when_a_run_goes_on(told: Told, tmp_path: Path) -> None:
    """The encoding stands in the run: whatever a later guess would say, it reads what it has read."""
    path = tmp_path / "story.txt"
    path.write_bytes((RUSSIAN * 40).encode("koi8-r"))
    design = told("new", "--data", packed(path, ".gz"), tmp_path / "mine", "--json")["design"]
    run = tmp_path / "run"
    told("train", design, "--run", run, "--steps", 6, *TINY)
    kept = Run.open(run).design().data
    assert kept is not None
    assert kept.options["encoding"] == "koi8-r"
    assert load(Path(design)).data.options["encoding"] == "koi8-r"  # type: ignore[union-attr]
    told("train", design, "--run", run, "--resume", "--steps", 12, *TINY)
    after = Run.open(run).design().data
    assert after == kept
    assert "Москве"[0] in after.field("text").vocabulary  # type: ignore[union-attr]
    assert told("evaluate", run, "--json")["loss"] > 0
