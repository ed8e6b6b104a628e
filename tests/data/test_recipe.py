"""A recipe is a value: it survives JSON unchanged, and a damaged one is refused with the entry named."""

from __future__ import annotations

import dataclasses
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec

names = st.text(min_size=1, max_size=12)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def token_fields(draw: st.DrawFn) -> FieldSpec:
    vocabulary = tuple(draw(st.lists(names, max_size=6, unique=True)))
    shift = draw(st.integers(0, 5))
    return FieldSpec(
        draw(names), "tokens", len(vocabulary), vocabulary=vocabulary, shift_of="text" if shift else "", shift=shift
    )


@st.composite
def real_fields(draw: st.DrawFn) -> FieldSpec:
    size = draw(st.integers(1, 4))
    return FieldSpec(
        name=draw(names),
        content="real",
        size=size,
        axis=draw(st.sampled_from(["time", None])),
        columns=tuple(draw(st.lists(names, min_size=size, max_size=size))),
        mean=tuple(draw(st.lists(finite, min_size=size, max_size=size))),
        std=tuple(draw(st.lists(st.floats(1e-6, 1e6), min_size=size, max_size=size))),
    )


fields = st.lists(st.one_of(token_fields(), real_fields()), max_size=3, unique_by=lambda spec: spec.name)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(
    reader=st.sampled_from(["text", "csv"]),
    path=st.text(),
    options=st.dictionaries(names, json_values, max_size=4),
    validation=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
    specs=fields,
)
def test_any_recipe_survives_json_and_pickle(reader, path, options, validation, test, specs) -> None:
    recipe = DataRecipe(reader, path, options, (1 - validation - test, validation, test), tuple(specs), "ab" * 32)
    assert DataRecipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_a_recipe_shares_nothing_that_can_change() -> None:
    inputs = ["a"]
    options = {"inputs": inputs}
    recipe = DataRecipe("csv", "x.csv", options)
    inputs.append("b")
    options["group"] = "c"
    assert recipe.options == {"inputs": ["a"]}
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.path = "y.csv"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reader": ""}, "the data has no reader"),
        ({"reader": 3}, "'reader' is not a text"),
        ({"path": None}, "'path' is missing"),
        ({"split": [0.9, 0.2, 0.1]}, "not three fractions that sum to 1"),
        ({"split": [0.0, 0.5, 0.5]}, "not three fractions that sum to 1"),
        ({"split": [0.5, 0.5]}, "2 fractions, not 3"),
        ({"split": "0.9"}, "'split' is not a list"),
        ({"options": []}, "'options' is not an object"),
        ({"fields": {}}, "'fields' is not a list"),
        ({"fields": [{"name": "x", "content": "pictures"}]}, "unknown content 'pictures'"),
        (
            {"fields": [{"name": "x", "content": "tokens", "size": 2, "vocabulary": ["a"]}]},
            "1 vocabulary entries for 2",
        ),
        ({"fields": [{"name": "x", "content": "real", "size": 1, "std": [0]}]}, "not above 0"),
        ({"fields": [{"name": "x", "content": "real", "size": 1, "mean": ["1"]}]}, "not a number"),
        ({"fields": [{"name": "x", "content": "real"}, {"name": "x", "content": "real"}]}, "two data fields"),
    ],
)
def test_a_damaged_recipe_is_refused_with_its_entry(change, told) -> None:
    whole = DataRecipe("text", "a.txt").to_json()
    with pytest.raises(StudioError, match=told):
        DataRecipe.from_json({**whole, **change})


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    recipe = DataRecipe("text", "a.txt", fields=(FieldSpec("text", "tokens"), FieldSpec("next", "tokens")))
    with pytest.raises(StudioError, match=r"no field 'labels' \(a.txt\)\. Fields: text, next\."):
        recipe.field("labels")
