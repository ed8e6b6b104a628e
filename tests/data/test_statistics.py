"""What is counted of data for people: lengths, classes, words, and how much of it was looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data import statistics
from rnnstudio.data.statistics import BARS, Lengths, Statistics, lengths_of
from tests.data.sequence_files import reviews, tagged


def of(path: Path) -> Statistics:
    found = data.inspect(data.guess(path)).statistics
    assert found is not None
    return found


@pytest.mark.parametrize("lengths", [[5], [3, 3, 4], list(range(1, 200)), [1, 100_000]])
def test_every_length_is_in_one_bar(lengths: list[int]) -> None:
    found = lengths_of(np.array(lengths))
    assert sum(found.counts) == len(lengths)
    assert len(found.counts) <= BARS
    for low, high, count in zip(found.edges, found.edges[1:], found.counts, strict=False):
        assert count == sum(low <= length < high for length in lengths)


def test_no_example_is_no_bar() -> None:
    assert lengths_of(np.zeros(0, np.int64)) == Lengths((0, 1), (0,), 0, 0, 0.0)


def test_words_are_counted_the_most_frequent_first_and_classes_in_their_order(tmp_path: Path) -> None:
    found = of(reviews(tmp_path))
    counts = [count for _, count in found.tokens["text"].entries]
    assert counts == sorted(counts, reverse=True)
    assert dict(found.tokens["label"].entries).keys() == {"good", "bad"}
    assert sum(dict(found.tokens["label"].entries).values()) == 60
    assert found.tokens["label"].classes


def test_of_much_data_the_first_rows_are_counted_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "COUNTED", 50)
    found = of(tagged(tmp_path)).tokens["text"]
    assert found.sampled
    assert (found.rows, sum(count for _, count in found.entries)) == (50, 50)


def test_unknown_words_are_counted(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("so it goes and so it goes\n" * 40 + "once only\n" + "so it goes\n" * 20)
    recipe = data.choose(data.guess(tmp_path / "words.txt"), {"level": "words", "min_count": 2})
    found = data.inspect(recipe).statistics
    assert found is not None
    assert found.tokens["text"].unknown == 2
