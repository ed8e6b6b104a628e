"""The baselines are right where the answer is known."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio import data
from rnnstudio.data import ngrams
from rnnstudio.data.baselines import Measure, accuracy_baselines, baselines_of, series_baselines
from rnnstudio.data.ngrams import KneserNey, bigram_entropy, text_baselines
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from tests.data.test_dividing import patients


@given(
    tokens=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    history=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    order=st.integers(1, 4),
)
@settings(deadline=None)
def test_the_probabilities_of_all_next_tokens_sum_to_one(tokens, history, order: int) -> None:
    model = KneserNey(np.array(tokens), 5, order)
    last, first = np.array([3]), np.array([0])
    logs = [model.log_probabilities(np.array([*history, token]), last, first)[0] for token in range(5)]
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


def test_blocks_change_no_entropy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = np.random.default_rng(0).integers(0, 5, 500)
    (tmp_path / "a.txt").write_text("".join("abcde"[letter] for letter in letters))
    dataset = data.open(DataRecipe("text", "a.txt", split=(0.6, 0.4, 0.0)), tmp_path)
    whole = text_baselines(dataset)
    monkeypatch.setattr(ngrams, "_BLOCK", 7)
    assert dataclasses.astuple(text_baselines(dataset)) == pytest.approx(dataclasses.astuple(whole))


def by_hand(sequences: list[list[int]], size: int) -> dict[tuple[int, int], float]:
    """Bigram probabilities of Kneser and Ney, counted one by one."""
    pairs = Counter(pair for own in sequences for pair in pairwise(own))
    fronts = {w: len({v for v, x in pairs if x == w}) + any(own[0] == w for own in sequences) for w in range(size)}
    kinds = [count for count in fronts.values() if count]
    probability = {}
    d1, d2 = (_discount(list(counts)) for counts in (kinds, pairs.values()))
    total = sum(kinds)
    lower = {w: (max(fronts[w] - d1, 0) + d1 * len(kinds) / size) / total for w in range(size)}
    for v in range(size):
        after = {w: pairs[v, w] for w in range(size) if pairs[v, w]}
        for w in range(size):
            own = sum(after.values())
            more = max(after.get(w, 0) - d2, 0) / own + d2 * len(after) / own * lower[w] if own else lower[w]
            probability[v, w] = more
    return probability


def _discount(counts: list[int]) -> float:
    once, twice = counts.count(1), counts.count(2)
    return once / (once + 2 * twice) if once and twice else 0.5


@given(
    sequences=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=6),
    pair=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
@settings(deadline=None, max_examples=60)
def test_no_gram_reaches_over_the_border_of_two_sequences(sequences: list[list[int]], pair: tuple[int, int]) -> None:
    flat = np.array([token for own in sequences for token in own])
    model = KneserNey(flat, 4, 2, np.array([len(own) for own in sequences]))
    found = model.log_probabilities(np.array(pair), np.array([1]), np.array([0]))
    assert np.exp(found[0]) == pytest.approx(by_hand(sequences, 4)[pair])


def test_several_texts_have_their_ngrams_too(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}.txt").write_text("abc" * 20)
    found = baselines_of(data.open(data.guess(tmp_path)))
    assert list(found) == ["unigram", "bigram", "trigram"]
    assert found["unigram"] == pytest.approx(np.log(3), abs=0.02)
    assert found["bigram"] < 0.05


def test_of_a_long_text_the_last_tokens_are_counted_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("ab" * 2000 + "cd" * 1000)
    dataset = data.open(DataRecipe("text", "a.txt", split=(0.9, 0.1, 0.0)), tmp_path)
    assert list(baselines_of(dataset)) == ["unigram", "bigram", "trigram"]
    monkeypatch.setattr(ngrams, "COUNTED", 800)
    found = baselines_of(dataset)
    assert list(found)[1] == "bigram, counted on 800 of 5,400 tokens"
    learned = dataset.tracks["text"].values[4600:5400]
    model = KneserNey(learned, 4, 2)
    places = np.arange(5400, 6000)
    logs = model.log_probabilities(dataset.tracks["text"].values, places, np.zeros(600, np.int64))
    assert list(found.values())[1] == pytest.approx(-logs.mean())


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


# In the measure of the loss


def seasons(folder: Path, rows: int = 400) -> data.Dataset:
    pick = np.random.default_rng(4)
    values = [[10, 30, 20, 40][n % 4] + pick.normal() * 0.5 for n in range(rows)]
    (folder / "t.csv").write_text("v\n" + "".join(f"{value:.6f}\n" for value in values))
    return data.open(DataRecipe("csv", "t.csv", split=(0.8, 0.1, 0.1)), folder)


@pytest.mark.parametrize(
    ("measure", "of"),
    [
        (Measure("squared_error"), lambda p, y: torch.nn.functional.mse_loss(p, y)),
        (Measure("absolute_error"), lambda p, y: torch.nn.functional.l1_loss(p, y)),
        (Measure("huber", 0.5), lambda p, y: torch.nn.functional.huber_loss(p, y, delta=0.5)),
    ],
)
def test_simple_forecasts_are_measured_as_the_loss_measures(
    tmp_path: Path, measure: Measure, of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> None:
    dataset = seasons(tmp_path)
    run = {name: torch.from_numpy(values) for name, values in dataset.split("validation").sequence(0).items()}
    found = baselines_of(dataset, "validation", measure, season=4)
    constant = "median" if measure.name == "absolute_error" else "mean"
    assert list(found) == [constant, "persistence", "seasonal naive", "AR(9)"]
    assert found["persistence"] == pytest.approx(float(of(run["inputs"], run["targets"])), rel=1e-5)
    train = dataset.split("train").sequence(0)["targets"]
    middle = np.median(train) if constant == "median" else train.mean()
    level = torch.full_like(run["targets"], float(middle))
    assert found[constant] == pytest.approx(float(of(level, run["targets"])), rel=1e-5)
    whole = torch.from_numpy(dataset.tracks["targets"].values)
    first = int(dataset.split("validation").spans.first[0])
    steps = len(run["targets"])
    before = whole[first + 1 - 4 : first + 1 - 4 + steps]
    assert found["seasonal naive"] == pytest.approx(float(of(before, run["targets"])), rel=1e-5)
    assert found["seasonal naive"] < found["persistence"] / 5


def test_a_likelihood_has_the_spread_of_training(tmp_path: Path) -> None:
    dataset = seasons(tmp_path)
    train, found = (dataset.split(part).sequence(0)["targets"] for part in ("train", "validation"))
    mean, spread = torch.tensor(train.mean()), torch.tensor(train.var())
    level, truth = mean.expand(len(found), 1), torch.from_numpy(found)
    wanted = torch.nn.functional.gaussian_nll_loss(level, truth, spread.expand(len(found), 1), full=True)
    reached = baselines_of(dataset, "validation", Measure("gaussian_likelihood"))
    assert reached["mean"] == pytest.approx(float(wanted), rel=1e-4)


def test_yes_or_no_is_guessed_by_its_rate() -> None:
    dataset = data.open(data.guess(Path(__file__).parent / "rare-event.csv")).as_in_file({"targets": {0}})
    train, found = (torch.from_numpy(dataset.values_of(p, "targets")) for p in ("train", "validation"))
    rate = (train.sum() + 1) / (len(train) + 2)
    wanted = torch.nn.functional.binary_cross_entropy(rate.expand(len(found), 1), found)
    assert baselines_of(dataset, "validation", Measure("binary_cross_entropy")) == {
        "rate": pytest.approx(float(wanted), rel=1e-5)
    }


def test_the_most_frequent_class_is_right_so_often(tmp_path: Path) -> None:
    dataset = data.open(data.guess(patients(tmp_path)))
    assert accuracy_baselines(dataset, "validation") == {"always well": 11 / 12}


def test_what_measures_otherwise_has_no_baseline(tmp_path: Path) -> None:
    assert baselines_of(seasons(tmp_path), "validation", Measure("ctc")) == {}
