"""What stands in two parts at once is told with numbers and a remedy; the remedy makes it go away."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data import leaks, likeness
from rnnstudio.data.examples import Examples, numbers, tokens
from rnnstudio.data.likeness import fingerprints, occurring, stretches
from tests.data.sequence_files import pairs
from tests.data.test_dividing import examples_of, opened, patients, split_in_three, table


def warned(dataset: data.Dataset) -> list[data.Problem]:
    return [problem for problem in dataset.problems if problem.severity == "warning"]


def test_the_same_text_in_two_parts_is_told_and_kept_together_by_the_remedy(tmp_path: Path) -> None:
    path = patients(tmp_path)
    head, *rows = path.read_text().splitlines()
    doubled = [f"q{n}," + row.partition(",")[2] for n, row in enumerate(rows[:40])]
    path.write_text("\n".join([head, *rows, *doubled]) + "\n")
    found = warned(opened(path, split="random"))
    assert len(found) == 2
    texts = [row.split(",")[1] for row in (*rows, *doubled)]
    dataset = opened(path, split="random")
    train = {texts[n] for n in dataset.division.examples["train"].tolist()}
    twice = sum(texts[n] in train for n in dataset.division.examples["validation"].tolist())
    assert f"{twice} of 16 validation examples ({twice / 16:.1%})" in found[0].what
    assert "Set split to group" in found[0].remedy
    together = opened(path, split="group")
    train = {texts[n] for n in together.division.examples["train"].tolist()}
    others = {texts[n] for part in ("validation", "test") for n in together.division.examples[part].tolist()}
    assert not train & others
    assert not [p for p in warned(together) if "read the same" in p.what]


def test_a_group_in_two_parts_is_told(tmp_path: Path) -> None:
    found = warned(opened(patients(tmp_path), split="random"))
    assert "have a 'patient' that the training part has, too" in found[0].what
    assert "set split to group and split_column to patient" in found[0].remedy
    assert not warned(opened(patients(tmp_path), split="group", split_column="patient"))


def test_a_number_of_each_row_is_no_group(tmp_path: Path) -> None:
    path = patients(tmp_path)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *(f"{n},{row.partition(',')[2]}" for n, row in enumerate(rows))]) + "\n")
    assert not warned(opened(path, split="random"))


def test_windows_of_one_series_are_told_to_overlap(tmp_path: Path) -> None:
    series = np.cumsum(np.random.default_rng(1).normal(size=220)).round(4)
    rows = [",".join(map(str, series[n : n + 9])) for n in range(200)]
    path = tmp_path / "windows.csv"
    path.write_text(",".join([*(f"s{n}" for n in range(8)), "target"]) + "\n" + "\n".join(rows) + "\n")
    dataset = opened(path)
    assert dataset.recipe.options["mode"] == "row_is_sequence"
    told = warned(dataset)[-1]
    assert "windows of one series, each 1 step on: 20 of 20 validation examples" in told.what
    assert "Set split to order" in told.remedy
    assert "7 of 20 validation examples" in warned(opened(path, split="order"))[-1].what


def test_the_same_series_in_two_files_is_told(tmp_path: Path) -> None:
    train, valid, _ = split_in_three(table(tmp_path), 1, (60, 75))
    valid.write_text("t,shop,region,sold,part\n" + "".join(f"{t},g0,south,{t},valid\n" for t in range(30, 50)))
    found = warned(opened(train, inputs="sold", targets="sold", validation_file=str(valid)))
    assert "have a 'shop' that the training part has, too ('g0', say)" in found[-1].what


def prose(words: int, seed: int) -> str:
    pick = random.Random(seed)
    return " ".join("".join(pick.choice("abcdefgh") for _ in range(pick.randint(2, 7))) for _ in range(words))


def test_passages_that_stand_in_two_parts_of_a_text_are_told(tmp_path: Path) -> None:
    story, passage = prose(4000, 1), prose(60, 2)
    (tmp_path / "a.txt").write_text(story)
    assert not warned(data.open(data.guess(tmp_path / "a.txt")))
    (tmp_path / "b.txt").write_text(f"{passage} {story} {passage} {prose(20, 3)}")
    found = warned(data.open(data.guess(tmp_path / "b.txt")))
    assert "stretches of 50 characters that stand in the training part, too" in found[0].what
    assert "of the test part" in found[0].what


def test_only_the_last_of_a_long_training_part_is_searched_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaks, "SCANNED", 5000)
    passage = prose(60, 2)
    (tmp_path / "b.txt").write_text(f"{prose(4000, 1)} {passage} {prose(200, 4)} {passage} {prose(20, 3)}")
    dataset = data.open(data.choose(data.guess(tmp_path / "b.txt"), {"fractions": "0.95,0.0,0.05"}))
    assert "too, in its last 5,000" in warned(dataset)[0].what


def test_series_that_are_cut_along_time_are_no_leak(tmp_path: Path) -> None:
    assert not warned(opened(table(tmp_path), inputs="sold", targets="sold"))


def test_pairs_that_read_the_same_are_told(tmp_path: Path) -> None:
    assert "read the same as one of the training part" in warned(opened(pairs(tmp_path)))[0].what


def test_fingerprints_are_equal_where_examples_are(tmp_path: Path) -> None:
    found = examples_of(opened(pairs(tmp_path)))
    lines = [line.split("\t")[0] for line in (tmp_path / "backwards.tsv").read_text().splitlines()]
    marks = fingerprints(found).tolist()
    assert len(set(marks)) == len(set(lines))
    assert len(set(zip(marks, lines, strict=True))) == len(set(lines))


@pytest.mark.parametrize("block", [1, 3, 7, 1 << 18])
def test_fingerprints_do_not_depend_on_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    pick = np.random.default_rng(2)
    series = [pick.integers(0, 2, (length, 2)).astype(float) for length in (3, 0, 5, 1, 3, 8, 0, 2)] * 3
    found = Examples((numbers("inputs", series, ("a", "b")), tokens("word", [["x"] * len(own) for own in series])))
    whole = fingerprints(found)
    monkeypatch.setattr(likeness, "_BLOCK", block)
    assert np.array_equal(fingerprints(found), whole)
    keys = [own.tobytes() + bytes([len(own)]) for own in series]
    assert len(set(zip(keys, whole.tolist(), strict=True))) == len(set(keys)) == len(set(whole.tolist()))


def test_stretches_are_found_wherever_they_begin_and_nothing_else() -> None:
    tokens = np.random.default_rng(0).integers(0, 5, 3000)
    wanted = stretches(tokens, 20, 100)
    assert occurring(wanted, tokens[7:], 20).tolist() == [False, *([True] * (len(wanted) - 1))]
    assert not occurring(wanted, tokens[::-1], 20).any()
    assert len(stretches(tokens[:10], 20)) == 0
