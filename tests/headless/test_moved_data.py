"""A design whose data file moved or changed: which one, where it is now, what is different; nothing is read in its
place unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rnnstudio import data
from rnnstudio.cli import main
from rnnstudio.data import whereabouts
from rnnstudio.data.whereabouts import MissingFileError, fingerprint, relinked
from rnnstudio.design.storage import load, save
from rnnstudio.training.runs import Run

QUICK = ("--steps", "2", "--set", "sample_length=0", "--set", "threads=1", "--json")


def table(rows: int = 120, faults: str = "no yes") -> str:
    words = faults.split()
    return "level,flow,fault\n" + "".join(f"{n % 11},{n * 0.5},{words[n % len(words)]}\n" for n in range(rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A design drawn for `river.csv` in the same folder."""
    (tmp_path / "river.csv").write_text(table())
    assert main(["new", "--data", str(tmp_path / "river.csv"), str(tmp_path / "d.rnn")]) == 0
    return tmp_path


def train(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["train", str(folder / "d.rnn"), "--run", str(folder / "run"), *QUICK, *more])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def moved(folder: Path, name: str) -> Path:
    place = folder / name
    place.parent.mkdir(exist_ok=True)
    return (folder / "river.csv").rename(place)


def test_a_design_saves_size_fingerprint_and_rows_of_its_file(folder: Path) -> None:
    recipe = load(folder / "d.rnn").data
    assert recipe is not None
    (note,) = recipe.files
    assert (note.path.endswith("river.csv"), note.rows) == (True, 120)
    assert (note.size, note.sample) == fingerprint(folder / "river.csv")


@pytest.mark.parametrize("name", ["lake.csv", "measured/river.csv"])
def test_a_file_of_another_name_or_folder_is_found_by_its_content(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    place = moved(folder, name)
    code, _, said = train(folder, capsys)
    assert code != 0
    assert "river.csv” of" in said
    assert "is not there" in said
    assert f"--data {place}" in said.replace("\n", "")
    code, _, said = train(folder, capsys, "--data", str(place))
    assert code == 0
    assert Run.open(folder / "run").design().data.fields[0].columns == load(folder / "d.rnn").data.fields[0].columns


def test_a_file_of_its_name_with_other_content_is_named_as_such(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved(folder, "old/river.csv").write_text(table(90))
    code, _, said = train(folder, capsys)
    assert code != 0
    assert "has its name and other content" in said


def test_a_file_that_is_nowhere_is_told_with_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "river.csv").unlink()
    code, _, said = train(folder, capsys)
    assert code != 0
    assert "give --data FILE" in said


def test_what_changed_in_the_file_is_told_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "river.csv").write_text(table(120, "low high middle"))
    (folder / "d.rnn").unlink()
    assert main(["new", "--data", str(folder / "river.csv"), str(folder / "d.rnn")]) == 0
    (folder / "river.csv").write_text(table(150, "low high middle dry"))
    code, _, said = train(folder, capsys)
    assert code == 0
    (line,) = [line for line in said.splitlines() if "has changed since the design read it" in line]
    assert "150 rows, 120 before" in line
    assert "new classes of “fault”: 'dry'" in line
    code, _, said = train(folder, capsys, "--run", str(folder / "other"), "--data", str(folder / "river.csv"))
    assert "has changed" not in said


def test_a_column_that_holds_another_kind_now_is_told_before_the_design_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "river.csv").write_text(table(120, "no yes maybe"))
    code, _, said = train(folder, capsys)
    assert code != 0
    assert (
        "“river.csv” has changed since the design read it: “fault” holds 3 classes now: 'maybe', 'no', 'yes'." in said
    )


def test_a_file_as_it_was_is_told_nothing_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has changed" not in train(folder, capsys)[2]


def test_values_that_change_in_as_many_rows_are_told_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "river.csv").write_text(table().replace("\n3,", "\n4,"))
    assert "other values in as many rows" in train(folder, capsys)[2]


def test_a_run_records_the_file_it_was_trained_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(folder, capsys)
    record: dict[str, Any] = json.loads((folder / "run" / "run.json").read_text())
    (file,) = record["data_files"]
    size, sample = fingerprint(folder / "river.csv") or (0, "")
    assert file == {"path": str((folder / "river.csv").resolve()), "size": size, "sample": sample, "rows": 120}


def test_a_run_is_evaluated_on_its_file_wherever_that_moved_nearby(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(folder, capsys)
    assert main(["evaluate", str(folder / "run"), "--json"]) == 0
    before = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    place = moved(folder, "measured/lake.csv")
    assert main(["evaluate", str(folder / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["loss"] == before["loss"]
    place.write_text(table(90))
    assert main(["evaluate", str(folder / "run"), "--json"]) != 0
    assert "Bring it back" in capsys.readouterr().err


def test_a_second_file_that_is_gone_is_named_with_its_option(folder: Path) -> None:
    (folder / "later.csv").write_text(table(40))
    first = data.choose(data.guess(folder / "river.csv"), {"validation_file": "later.csv"})
    recipe = data.open(first.replace(path="river.csv"), folder).recipe
    place = (folder / "later.csv").rename(folder / "held-out.csv")
    with pytest.raises(MissingFileError, match=r"later\.csv.*--set data\.validation_file=") as told:
        data.open(recipe, folder)
    assert told.value.same == (place,)
    again = relinked(recipe, told.value.key, place, folder)
    assert again.dividing["validation_file"] == "held-out.csv"
    assert data.open(again, folder).recipe.digest == recipe.digest


def test_a_design_of_an_earlier_version_is_found_by_name(folder: Path) -> None:
    design = load(folder / "d.rnn")
    assert design.data is not None
    save(design.replace(data=design.data.replace(files=())), folder / "d.rnn")
    recipe = load(folder / "d.rnn").data
    assert recipe is not None
    assert recipe.files == ()
    place = moved(folder, "old/river.csv")
    with pytest.raises(MissingFileError) as told:
        data.open(recipe, folder)
    assert (told.value.same, told.value.alike) == ((), (place,))


def test_a_fingerprint_reads_a_bounded_part_of_a_large_file(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as stream:
        stream.truncate(3 << 30)  # sparse
        stream.seek((3 << 30) - 10)
        stream.write(b"0123456789")
    before = fingerprint(large)
    assert before is not None
    assert before[0] == 3 << 30
    with large.open("r+b") as stream:
        stream.seek((3 << 30) - 5)
        stream.write(b"x")
    assert fingerprint(large) != before
    assert whereabouts.SAMPLES * whereabouts.SAMPLE_BYTES < 1 << 20


def test_a_folder_is_known_by_the_names_and_sizes_of_its_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("some text")
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    (tmp_path / "two" / "b.txt").write_text("more")
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "two")
