"""A network can be drawn for the sample of every reader there is, and what is drawn has nothing wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check, compile_design
from rnnstudio.data import readers
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.proposals import Amount, propose
from rnnstudio.proposals.sizes import training
from rnnstudio.training.settings import settings_from
from tests.data.reader_samples import SAMPLES, with_plugins

pytestmark = pytest.mark.usefixtures("with_plugins")
__all__ = ["with_plugins"]

ENOUGH = Amount(100, 5_000)


@pytest.mark.parametrize(("name", "write"), SAMPLES, ids=[write.__name__ for _, write in SAMPLES])
def test_what_is_drawn_for_a_sample_has_nothing_wrong_with_it(
    name: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path)
    preview = data.inspect(data.guess_with(readers.find(name), path, str(path)))
    assert preview.usable, preview.problems
    seen = preview.statistics
    assert seen is not None
    catalog = standard()
    design = propose(preview.recipe, Amount(seen.examples, seen.rows, seen.cuttable), catalog)
    assert check(design, catalog).diagnostics == ()
    assert compile_design(design, catalog).losses


def text_field(name: str, role: str, axis: str | None = "time") -> FieldSpec:
    return FieldSpec(name, "tokens", 3, axis, ("a", "b", "c"), role=role, counts=(1, 1, 1))  # type: ignore[arg-type]


def numbers(name: str, role: str, axis: str | None = "time") -> FieldSpec:
    return FieldSpec(name, "real", 2, axis, columns=("p", "q"), role=role)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        (text_field("word", "input"), numbers("shape", "input"), text_field("tag", "target")),
        (text_field("word", "input"), numbers("whole", "input", None), text_field("kind", "target", None)),
        (text_field("one", "input", "left"), text_field("two", "input", "right"), text_field("kind", "target", None)),
        (text_field("one", "input", "left"), numbers("whole", "input", None), text_field("out", "target", "right")),
        (numbers("frames", "input", "source"), numbers("out", "target", "target")),
        (numbers("whole", "input", None), text_field("kind", "input", None), numbers("out", "target", None)),
        (text_field("word", "input"), text_field("tag", "target"), text_field("kind", "target", None)),
        (text_field("word", "input"), numbers("other", "input", "other"), text_field("tag", "target")),
        (
            FieldSpec("tree_parents", "parents", 0, "tree"),
            text_field("word", "input", "tree"),
            text_field("written", "target", "letters"),
        ),
    ],
    ids=lambda fields: "+".join(f"{spec.name}@{spec.axis}" for spec in fields),
)
def test_fields_of_any_mixture_get_one_drawing(fields: tuple[FieldSpec, ...]) -> None:
    catalog = standard()
    design = propose(DataRecipe("text", "some.txt", fields=fields), ENOUGH, catalog)
    assert check(design, catalog).diagnostics == ()
    compile_design(design, catalog)


@pytest.mark.parametrize(
    ("scaling", "loss"),
    [
        ({}, "BinaryCrossEntropy"),  # as in the file: a piano roll, with a key that is never down
        ({"mean": (0.3, 0.0), "std": (math.sqrt(0.21), 1.0)}, "BinaryCrossEntropy"),
        ({"mean": (0.3, 0.0), "std": (0.2, 1.0)}, "MeanSquaredError"),  # between 0 and 1, but not only these
    ],
)
def test_zeros_and_ones_get_a_loss_of_probabilities(scaling: dict[str, tuple[float, ...]], loss: str) -> None:
    keys = {"columns": ("C", "D"), "low": (0.0, 0.0), "high": (1.0, 0.0), **scaling}
    given = FieldSpec("inputs", "real", 2, role="input", **keys)  # type: ignore[arg-type]
    wanted = FieldSpec("targets", "real", 2, role="target", shift_of="inputs", shift=1, **keys)  # type: ignore[arg-type]
    recipe = DataRecipe("text", "some.txt", fields=(given, wanted))
    design = propose(recipe, ENOUGH, standard())
    assert loss in {node.kind for node in design.graph.nodes.values()}
    assert check(design, standard()).diagnostics == ()


@pytest.mark.parametrize(
    ("amount", "carry", "chunk", "batch", "carried"),
    [
        (Amount(1, 1_000_000, True), True, 100, 32, True),  # a long text
        (Amount(1, 600, True), True, 18, 4, True),  # a short one: there are several chunks
        (Amount(1, 600, True, window=40), True, 40, 4, True),  # as the recipe says
        (Amount(500, 60_000, True, longest=120), True, 120, 32, False),  # the beginning tells the end
        (Amount(40, 400, True, longest=19), False, 100, 5, False),  # sentences
        (Amount(3, 600, True, longest=200), True, 50, 4, False),  # a few series
        (Amount(3, 90_000, True, longest=30_000), False, 1000, 11, False),  # too long to stay whole
        (Amount(2, 0), False, 100, 2, False),
    ],
)
def test_settings_fit_the_amount(amount: Amount, carry: bool, chunk: int, batch: int, carried: bool) -> None:
    found = training(amount, carry=carry)
    assert (found["chunk"], found["batch_size"], found["carry"]) == (chunk, batch, carried)
    assert settings_from(found).epochs >= 5


@pytest.mark.parametrize(("role", "says"), [("input", "to be predicted"), ("target", "to read")])
def test_without_something_given_and_something_to_be_said_nothing_is_drawn(role: str, says: str) -> None:
    recipe = DataRecipe("text", "some.txt", fields=(text_field("word", role),))
    with pytest.raises(StudioError, match=says):
        propose(recipe, ENOUGH, standard())
