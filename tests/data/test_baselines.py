"""The baselines are right where the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio import data
from rnnstudio.data.baselines import KneserNey, baselines_of, bigram_entropy, series_baselines, text_baselines
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe


@given(
    tokens=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    history=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    order=st.integers(1, 4),
)
@settings(deadline=None)
def test_the_probabilities_of_all_next_tokens_sum_to_one(tokens, history, order: int) -> None:
    model = KneserNey(np.array(tokens), 5, order)
    logs = [model.log_probabilities(np.array([*history, token]), 3)[0] for token in range(5)]
    assert np.isfinite(logs).all()
    assert np.exp(logs).sum() == pytest.approx(1.0)


def test_bigram_entropy_of_known_sequences() -> None:
    assert bigram_entropy(np.array([0, 1] * 50), 2) == pytest.approx(0.0)
    random = np.random.default_rng(0).integers(0, 8, 200_000)
    assert bigram_entropy(random, 8) == pytest.approx(np.log(8), abs=1e-3)
    sticky = np.cumsum(np.random.default_rng(1).random(200_000) < 0.1) % 2
    assert bigram_entropy(sticky, 2) == pytest.approx(-(0.1 * np.log(0.1) + 0.9 * np.log(0.9)), abs=5e-3)


def test_longer_grams_learn_what_shorter_ones_cannot(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    bits = list(random.integers(0, 2, 2))
    for _ in range(20_000):  # the exclusive or of the last two, one time in ten wrong: no bigram can tell
        bits.append(bits[-1] ^ bits[-2] ^ int(random.random() < 0.1))
    (tmp_path / "a.txt").write_text("".join("ab"[bit] for bit in bits))
    dataset = data.open(DataRecipe("text", "a.txt"), tmp_path)
    found = text_baselines(dataset)
    noise = -(0.1 * np.log(0.1) + 0.9 * np.log(0.9))
    assert found.uniform == pytest.approx(np.log(2))
    assert found.bigram == pytest.approx(np.log(2), abs=0.02)
    assert found.trigram == pytest.approx(noise, abs=0.06)
    assert found.text_bigram == pytest.approx(np.log(2), abs=0.01)


def test_unigram_entropy_matches_counting(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("aaab" * 2500)
    found = text_baselines(data.open(DataRecipe("text", "a.txt"), tmp_path), "test")
    assert found.unigram == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=1e-3)


def test_blocks_change_no_entropy(monkeypatch) -> None:
    tokens = np.random.default_rng(0).integers(0, 5, 500)
    model = KneserNey(tokens[:300], 5, 3)
    whole = model.entropy(tokens, 300)
    assert whole == pytest.approx(-model.log_probabilities(tokens, 300).mean())
    monkeypatch.setattr("rnnstudio.data.baselines._BLOCK", 7)
    assert model.entropy(tokens, 300) == pytest.approx(whole)


def test_autoregression_finds_the_process_that_made_the_series(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    values = [0.0, 0.0]
    for _ in range(4000):
        values.append(1.6 * values[-1] - 0.8 * values[-2] + random.normal())
    (tmp_path / "t.csv").write_text("v\n" + "".join(f"{value:.9f}\n" for value in values))
    dataset = data.open(DataRecipe("csv", "t.csv", split=(0.8, 0.1, 0.1)), tmp_path)
    found = series_baselines(dataset, order=2)
    assert found.raw_autoregressive[0] == pytest.approx(1.0, abs=0.15)
    assert found.autoregressive == pytest.approx(found.raw_autoregressive[0] / dataset.fields[0].std[0] ** 2)
    run = dataset.split("validation").sequence(0)
    assert found.persistence == pytest.approx(((run["inputs"] - run["targets"]) ** 2).mean(), rel=1e-5)
    assert found.mean == pytest.approx((run["targets"] ** 2).mean(), rel=1e-5)
    assert found.autoregressive < found.persistence


def test_baselines_of_groups_look_at_their_own_sequence_only(tmp_path: Path) -> None:
    content = "g,v\n" + "".join(f"{group},{group}\n" for group in range(30) for _ in range(6))
    (tmp_path / "t.csv").write_text(content)
    dataset = data.open(DataRecipe("csv", "t.csv", {"group": "g", "inputs": ["v"]}), tmp_path)
    assert series_baselines(dataset, order=3).persistence == 0.0


def test_what_has_no_baseline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{n},{n}\n" for n in range(40)))
    same_row = data.open(DataRecipe("csv", "t.csv", {"inputs": ["a"], "targets": ["b"], "horizon": 0}), tmp_path)
    with pytest.raises(StudioError, match="need targets that lie ahead"):
        series_baselines(same_row)
    (tmp_path / "a.txt").write_text("ab" * 50)
    whole = data.open(DataRecipe("text", "a.txt", split=(1.0, 0.0, 0.0)), tmp_path)
    with pytest.raises(StudioError, match="the validation part is empty"):
        text_baselines(whole)


def test_numbers_that_follow_no_series_are_guessed_by_their_mean() -> None:
    """The adding problem: who always says 1 has an error of 1/6."""
    dataset = data.open(data.choose(data.guess("task:adding"), {"steps": 10, "examples": 8000}))
    assert baselines_of(dataset) == {"mean": pytest.approx(1 / 6, rel=0.1)}


def test_the_mean_of_a_series_that_is_not_scaled_is_taken_off() -> None:
    recipe = data.choose(data.guess("task:mackey-glass"), {"steps": 2000})
    found = baselines_of(data.open(recipe))
    values = data.open(recipe).tracks["inputs"].values
    assert found["mean"] == pytest.approx(float(values.var()), rel=0.15)


def test_what_a_decoder_writes_is_guessed_by_frequencies() -> None:
    dataset = data.open(data.choose(data.guess("task:reversal"), {"letters": 2, "shortest": 3, "longest": 3}))
    a_quarter_ends = -0.75 * np.log(0.375) - 0.25 * np.log(0.25)
    assert baselines_of(dataset) == {"frequencies": pytest.approx(a_quarter_ends, rel=0.02)}
