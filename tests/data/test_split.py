"""Parts share no target, and nothing is learned from validation or test."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio import data
from rnnstudio.data.split import PARTS, boundaries, by_sequence, by_time
from rnnstudio.design.recipe import DataRecipe

fractions = st.tuples(st.floats(0.2, 1), st.floats(0, 1), st.floats(0, 1)).map(
    lambda parts: tuple(part / sum(parts) for part in parts)
)
lengths = st.lists(st.integers(0, 30), min_size=1, max_size=12)


@given(rows=st.integers(1, 1000), split=fractions)
def test_boundaries_cover_the_rows_in_order(rows: int, split) -> None:
    one, two = boundaries(rows, split)
    assert 0 < one <= two <= rows
    if split[1] == 0:
        assert one == two
    if split[2] == 0:
        assert two == rows
    if rows >= 3:
        assert (two > one) == (split[1] > 0)
        assert (rows > two) == (split[2] > 0)
    assert abs(one - rows * split[0]) <= 2


@given(lengths=lengths, shift=st.integers(0, 5), split=fractions, whole=st.booleans())
def test_every_row_is_a_target_once_and_of_one_part(lengths, shift: int, split, whole: bool) -> None:
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    division = (by_sequence if whole else by_time)(offsets, shift, split)
    seen = []
    for part in PARTS:
        spans = division.spans[part]
        owned = {row for low, high in division.rows[part].tolist() for row in range(low, high)}
        for sequence, origin, first, end in zip(
            spans.sequence.tolist(), spans.origin.tolist(), spans.first.tolist(), spans.end.tolist(), strict=True
        ):
            assert origin == offsets[sequence]
            assert origin <= first < end <= offsets[sequence + 1] - shift
            targets = range(first + shift, end + shift)
            assert owned.issuperset(targets)
            seen.extend(targets)
    assert len(seen) == len(set(seen))
    expected = {row for low, high in itertools.pairwise(offsets) for row in range(int(low) + shift, int(high))}
    assert set(seen) == expected


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=12, max_size=40),
    other=st.floats(-1e9, 1e9),
    horizon=st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_scaling_ignores_validation_and_test(tmp_path_factory, values, other: float, horizon: int) -> None:
    folder: Path = tmp_path_factory.mktemp("scaling")
    train = boundaries(len(values), (0.6, 0.2, 0.2))[0]
    recipe = DataRecipe("csv", "t.csv", {"horizon": horizon, "header": False}, (0.6, 0.2, 0.2))
    (folder / "t.csv").write_text("".join(f"{value!r}\n" for value in values))
    before = data.open(recipe, folder).fields
    (folder / "t.csv").write_text("".join(f"{value!r}\n" for value in values[:train] + [other] * (len(values) - train)))
    assert [(f.mean, f.std) for f in data.open(recipe, folder).fields] == [(f.mean, f.std) for f in before]
    learned = np.array(values[:train])
    assert before[0].mean[0] == pytest.approx(learned.mean(), abs=1e-6)
    assert before[0].std[0] == pytest.approx(learned.std() or 1.0, rel=1e-6) or before[0].std[0] == 1.0


def test_scaling_looks_at_the_training_sequences_only(tmp_path: Path) -> None:
    rows = [(group, step, group * 100 + step) for group in range(30) for step in range(5)]
    recipe = DataRecipe("csv", "t.csv", {"group": "g", "inputs": ["v"]}, (0.6, 0.2, 0.2))
    (tmp_path / "t.csv").write_text("g,t,v\n" + "".join(f"{g},{t},{v}\n" for g, t, v in rows))
    dataset = data.open(recipe, tmp_path)
    train = set(dataset.split("train").spans.sequence.tolist())
    learned = np.array([value for group, _, value in rows if group in train])
    assert dataset.recipe.field("inputs").mean == (pytest.approx(learned.mean()),)
    assert dataset.recipe.field("inputs").std == (pytest.approx(learned.std()),)
