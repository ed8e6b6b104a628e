"""The data that ships is what its README says, and has the baselines that the gallery's models are held against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data.baselines import series_baselines
from rnnstudio.data.ngrams import text_baselines
from rnnstudio.design.recipe import DataRecipe

GALLERY = Path(__file__).parents[2] / "resources" / "gallery"


@pytest.fixture(scope="module")
def plays() -> data.Dataset:
    return data.open(DataRecipe("text", "shakespeare.txt"), GALLERY / "char-lm")


def test_the_plays_are_plain_clean_text(plays: data.Dataset) -> None:
    text = (GALLERY / "char-lm" / "shakespeare.txt").read_text("ascii")
    assert 1_000_000 <= len(text) <= 1_600_000
    assert plays.vocabulary is not None
    assert len(plays.vocabulary) == 68
    assert not any(character < " " and character != "\n" for character in text)
    assert not any(word in text.lower() for word in ("gutenberg", "etext", "copyright", "www.", "http"))
    assert "\n\n\n" not in text
    assert "To be thus is nothing" in text
    readme = (GALLERY / "char-lm" / "README.md").read_text("utf-8")
    assert f"{len(text):,} characters" in readme
    assert "public domain" in readme


def test_the_baselines_of_the_plays(plays: data.Dataset) -> None:
    found = text_baselines(plays)
    assert found.text_bigram == pytest.approx(2.4826, abs=1e-4)
    assert found.unigram == pytest.approx(3.303, abs=1e-3)
    assert found.bigram == pytest.approx(2.529, abs=1e-3)
    assert found.trigram == pytest.approx(1.993, abs=1e-3)


def test_the_sunspots_and_their_baselines() -> None:
    recipe = data.guess(GALLERY / "sunspots" / "sunspots.csv")
    dataset = data.open(recipe)
    assert dataset.steps[0] == "1700"
    assert dataset.steps[-1] == "2008"
    assert dataset.raw is not None
    assert dataset.raw.shape == (309, 1)
    assert np.array_equal(dataset.raw[:3, 0], [5, 11, 16])
    found = series_baselines(dataset)
    assert found.persistence == pytest.approx(0.999, abs=1e-3)
    assert found.autoregressive == pytest.approx(0.369, abs=1e-3)
    assert "public domain" in (GALLERY / "sunspots" / "README.md").read_text("utf-8")
