"""Tasks that make examples: each against its definition and values made by hand, and all by name, options and seed."""

from __future__ import annotations

import itertools
import operator
from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.dataset import Dataset
from rnnstudio.data.tasks.led import LIT, NAMES
from rnnstudio.data.tasks.morse import CODE
from rnnstudio.data.tasks.series import mackey_glass
from rnnstudio.design.errors import StudioError

EVERY = tuple(task.name for task in data.TASKS)


def made(name: str, **options: object) -> Dataset:
    return data.open(data.choose(data.guess(name), options))  # type: ignore[arg-type]


def pieces(dataset: Dataset, field: str, index: int) -> list[str]:
    vocabulary = dataset.recipe.field(field).vocabulary
    rows = dataset.tracks[field].values[dataset.rows_of(field, index)]
    return [vocabulary[int(number)] for number in np.atleast_1d(rows)]


@pytest.mark.parametrize("name", EVERY)
def test_the_seed_alone_says_which_examples_there_are(name: str) -> None:
    one, same, other = made(name, seed=7), made(name, seed=7), made(name, seed=8)
    assert one.recipe == same.recipe
    assert one.recipe.digest != other.recipe.digest
    assert any(not np.array_equal(one.tracks[key].values, other.tracks[key].values) for key in one.tracks)


@pytest.mark.parametrize("name", EVERY)
def test_every_task_says_where_it_comes_from(name: str) -> None:
    assert len((type(readers.find(name)).__doc__ or "").split()) > 25


def test_numpys_generator_draws_what_it_always_drew() -> None:
    """Else a seed would not mean the same data on every machine."""
    pick = np.random.default_rng(1)
    assert pick.integers(0, 100, 5).tolist() == [47, 51, 75, 95, 3]
    assert pick.random(2).tolist() == [0.9486494471372439, 0.31183145201048545]


def test_adding_marks_one_step_in_each_half_and_wants_their_sum() -> None:
    dataset = made("task:adding", steps=11, examples=4000)
    assert dataset.recipe.field("inputs").columns == ("value", "marker")
    example = dataset.example(3)
    values, marker = example["inputs"][:, 0], example["inputs"][:, 1]
    assert sorted(marker.tolist()) == [0.0] * 9 + [1.0] * 2
    assert marker[:5].sum() == marker[5:].sum() == 1
    assert float(values @ marker) == pytest.approx(float(np.ravel(example["targets"])[0]), abs=1e-6)
    sums = dataset.tracks["targets"].values
    assert float(((sums - 1.0) ** 2).mean()) == pytest.approx(1 / 6, rel=0.05)


def test_copy_is_symbols_blanks_a_sign_and_blanks() -> None:
    dataset = made("task:copy", steps=4, symbols=3, length=2, examples=20)
    read, said = pieces(dataset, "inputs", 0), pieces(dataset, "targets", 0)
    assert read[2:] == ["_", "_", "_", ":", "_", "_"]
    assert said == ["_"] * 6 + read[:2]
    assert set(read[:2]) <= {"1", "2", "3"}
    assert len(pieces(made("task:copy", examples=20), "targets", 0)) == 120


def test_parity_is_the_sum_of_the_bits_so_far_modulo_two() -> None:
    every = made("task:parity", steps=9, examples=50)
    at_the_end = made("task:parity", steps=9, examples=50, answer="end")
    for index in range(50):
        bits = list(map(int, pieces(every, "inputs", index)))
        wanted = ["odd" if total % 2 else "even" for total in itertools.accumulate(bits)]
        assert pieces(every, "targets", index) == wanted
        assert pieces(at_the_end, "targets", index) == wanted[-1:]


def test_reversal_and_addition_end_with_the_end_token() -> None:
    backwards, sums = made("task:reversal", examples=60), made("task:addition", examples=60, digits=3)
    for index in range(60):
        word = pieces(backwards, "source", index)
        assert pieces(backwards, "target", index) == [*word[::-1], "</s>"]
        one, other = "".join(pieces(sums, "source", index)).split("+")
        assert pieces(sums, "target", index) == [*str(int(one) + int(other)), "</s>"]
        assert all(len(number) <= 3 and (number == "0" or number[0] != "0") for number in (one, other))


def test_brackets_match_and_the_depth_is_counted() -> None:
    dataset = made("task:brackets", kinds=3, depth=3, pairs=8, examples=80)
    deepest = 0
    for index in range(80):
        word, opened = pieces(dataset, "inputs", index), list[str]()
        for bracket, depth in zip(word, map(int, pieces(dataset, "targets", index)), strict=True):
            if bracket in "([{":
                opened.append(bracket)
            else:
                assert opened.pop() + bracket in ("()", "[]", "{}")
            assert len(opened) == depth <= 3
            deepest = max(deepest, depth)
        assert opened == []
        assert len(word) <= 16
    assert deepest == 3


def test_the_partner_of_a_bracket_is_as_far_away_as_is_said() -> None:
    dataset = made("task:brackets", answer="partner", pairs=6, examples=40)
    for index in range(40):
        word, ways = pieces(dataset, "inputs", index), list(map(int, pieces(dataset, "targets", index)))
        for place, (bracket, way) in enumerate(zip(word, ways, strict=True)):
            if bracket in "([":
                assert word[place] + word[place + way] in ("()", "[]")
                assert ways[place + way] == way
                inside = word[place + 1 : place + way]
                assert sum(1 if b in "([" else -1 for b in inside) == 0
    assert (
        made("task:brackets", examples=40).recipe.digest
        == made("task:brackets", answer="depth", examples=40).recipe.digest
    )


def test_segments_show_a_digit_and_its_name() -> None:
    digits = made("task:led", faults=0.0, examples=60)
    names = made("task:led", faults=0.0, examples=60, answer="name")
    assert digits.recipe.field("inputs").columns[0] == "top"
    for index in range(60):
        digit = int(pieces(digits, "targets", index)[0])
        assert "".join(map(str, digits.example(index)["inputs"].astype(int).ravel())) == LIT[digit]
        assert "".join(pieces(names, "targets", index)[:-1]) == NAMES[digit]
    # 8 lights every segment, 1 the two on the right (the third and the sixth).
    assert LIT[8] == "1111111"
    assert [place for place, lit in enumerate(LIT[1]) if lit == "1"] == [2, 5]
    assert len(set(LIT)) == 10
    broken = made("task:led", faults=0.25, examples=2000)
    right = np.array([[int(lit) for lit in LIT[int(pieces(broken, "targets", i)[0])]] for i in range(2000)])
    shown = np.stack([broken.example(i)["inputs"].ravel() for i in range(2000)])
    assert float((right != shown).mean()) == pytest.approx(0.25, abs=0.02)


def test_autocomplete_wants_the_whole_word_at_every_letter() -> None:
    dataset = made("task:autocomplete", words=["ab", "abc", "b"], examples=300)
    words = ["".join(pieces(dataset, "inputs", index)) for index in range(300)]
    assert all(pieces(dataset, "targets", index) == [word] * len(word) for index, word in enumerate(words))
    assert [words.count(word) / 300 for word in ("ab", "abc", "b")] == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.08)


def test_mackey_glass_is_eulers_method_every_tenth_step() -> None:
    steady = mackey_glass([1.0] * 171, 3)  # 0.2 · 1 / 2 − 0.1 · 1 = 0: it stays
    assert steady == pytest.approx([1.0] * 3, abs=1e-15)
    # Of a history of zeros and then 1 nothing comes back for τ: y decays, ten steps of 1 − 0.01 a value.
    assert mackey_glass([0.0] * 170 + [1.0], 2) == pytest.approx([0.99**10, 0.99**20], rel=1e-12)
    dataset = made("task:mackey-glass", steps=400, washout=300)
    values = dataset.tracks["inputs"].values[:, 0]
    assert len(values) == 400
    assert -1.0 < values.min() < -0.4 < 0.2 < values.max() < 1.0  # 0.4 < y < 1.4: the attractor of τ = 17
    assert dataset.tracks["targets"].shift == 1


def test_sines_without_noise_follow_their_linear_recurrence() -> None:
    values = made("task:sines", sines=2, series=1, steps=60, shortest=5).tracks["inputs"].values[:, 0].astype(float)
    before = np.stack([values[k : k + 56] for k in range(4)], 1)
    fit, *_ = np.linalg.lstsq(before, values[4:], rcond=None)
    assert np.abs(before @ fit - values[4:]).max() < 1e-4
    assert fit[0] == pytest.approx(-1.0, abs=1e-2)  # z⁴ + … + 1: the roots come in pairs on the unit circle


def test_expressions_have_the_values_that_python_gives_them() -> None:
    by_class = made("task:expressions", examples=60, modulus=7, answer="class at every node")
    by_value = made("task:expressions", examples=60, modulus=7, answer="value")
    for index in range(60):
        symbols, parents = pieces(by_class, "symbols", index), by_class.example(index)["tree_parents"].tolist()
        root = parents.index(-1)
        value = _value(symbols, parents, root)
        assert pieces(by_class, "targets", index)[root] == str(value % 7)
        assert by_value.tracks["targets"].raw[index] == pytest.approx(value)  # type: ignore[index]


def _value(symbols: list[str], parents: list[int], node: int) -> int:
    below = [place for place, parent in enumerate(parents) if parent == node]
    if not below:
        return int(symbols[node])
    assert below[0] < node < below[1]
    one, other = (_value(symbols, parents, place) for place in below)
    return int({"+": operator.add, "-": operator.sub, "*": operator.mul}[symbols[node]](one, other))


def test_morse_is_sent_as_the_recommendation_says() -> None:
    dataset = made("task:morse", jitter=0, letters="ETA", examples=40)
    for index in range(40):
        letters = pieces(dataset, "targets", index)
        marks = ["0".join("1" if mark == "." else "111" for mark in CODE[letter]) for letter in letters]
        signal = "".join(str(int(value)) for value in dataset.example(index)["inputs"][:, 0])
        assert signal == "000".join(marks) + "000"


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("task:nonsense", {}, "there is no 'task:nonsense'.*task:adding"),
        ("task:reversal", {"letters": 27}, "26 letters"),
        ("task:brackets", {"kinds": 9}, "4 kinds"),
        ("task:led", {"faults": 1.5}, "chance of 1.5"),
        ("task:morse", {"letters": "é"}, "no Morse code for 'É'"),
        ("task:addition", {"digits": 40}, "40 digits"),
        ("task:autocomplete", {"words": ["a"]}, "two or more"),
        ("task:adding", {"steps": 1}, "steps"),
        ("task:adding", {"speed": 1}, "no data option 'speed'"),
    ],
)
def test_what_no_task_can_make_is_refused(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(StudioError, match=told):
        made(name, **options)


def test_a_task_is_no_file_wherever_a_design_lies(tmp_path: Path) -> None:
    recipe = data.guess("task:copy")
    assert recipe.path == recipe.reader == "task:copy"
    assert not data.outside(recipe.path, tmp_path)
    assert data.open(recipe, tmp_path).recipe == data.open(recipe).recipe
    with pytest.raises(StudioError, match="does not go with"):
        data.open(recipe.replace(reader="text"))
    with pytest.raises(StudioError, match="does not go with"):
        data.open(recipe.replace(path="story.txt"))
