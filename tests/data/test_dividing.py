"""How examples are dealt to training, validation and test: every way, from the seed alone, for every kind of file."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.batches import Batches
from rnnstudio.data.dividing import WAYS, Dividing
from rnnstudio.data.examples import Examples
from rnnstudio.data.joining import PartFile, joined
from rnnstudio.data.problems import Problems
from rnnstudio.data.split import PARTS
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import JSON, DataRecipe
from tests.data.reader_samples import text
from tests.data.sequence_files import pairs, reviews, tagged


def patients(folder: Path, count: int = 120) -> Path:
    """Texts of patients, a few of each; a rare class; a column that names the parts."""
    pick = random.Random(1)
    words = ("cough", "fever", "pain", "rest", "sleep", "walk", "eat", "drink", "run", "read")
    rows = []
    for n in range(count):
        said = " ".join(pick.choice(words) for _ in range(8))
        rows.append(f"p{n % 24},{said},{'ill' if n % 15 == 0 else 'well'},{'dev' if n < 20 else 'Train'}\n")
    path = folder / "patients.csv"
    path.write_text("patient,text,label,fold\n" + "".join(rows))
    return path


def opened(path: Path, **options: JSON) -> data.Dataset:
    return data.open(data.choose(data.guess(path), options))


def members(dataset: data.Dataset) -> dict[str, set[int]]:
    return {part: set(dataset.division.examples[part].tolist()) for part in PARTS}


def counts(dataset: data.Dataset, of: list[str]) -> dict[str, Counter[str]]:
    return {part: Counter(of[n] for n in own) for part, own in members(dataset).items()}


def cells(path: Path, column: int) -> list[str]:
    return [line.split(",")[column] for line in path.read_text().splitlines()[1:]]


@pytest.mark.parametrize("way", ["order", "random", "stratified", "group"])
def test_every_example_is_in_one_part_whatever_the_way(tmp_path: Path, way: str) -> None:
    dataset = opened(patients(tmp_path), split=way)
    parts = members(dataset)
    assert sum(len(own) for own in parts.values()) == 120
    assert set.union(*parts.values()) == set(range(120))
    assert [len(parts[part]) for part in PARTS] == pytest.approx([96, 12, 12], abs=2)
    assert members(data.open(dataset.recipe)) == parts
    assert members(data.open(DataRecipe.from_json(dataset.recipe.to_json()), fit=False)) == parts
    assert dataset.divided.startswith(WAYS[way])


@pytest.mark.parametrize("way", ["random", "stratified", "group"])
def test_the_seed_of_the_split_deals_other_examples_and_alone_does(tmp_path: Path, way: str) -> None:
    path = patients(tmp_path)
    first = members(opened(path, split=way))
    other = members(opened(path, split=way, split_seed="7"))
    assert other != first
    assert members(opened(path, split=way, split_seed=7)) == other


def test_in_the_order_of_the_file_the_last_are_the_test(tmp_path: Path) -> None:
    parts = members(opened(patients(tmp_path), split="order", fractions="0.5,0.25,0.25"))
    assert parts == {"train": set(range(60)), "validation": set(range(60, 90)), "test": set(range(90, 120))}


def test_every_class_is_alike_in_all_parts_when_stratified(tmp_path: Path) -> None:
    path = patients(tmp_path)
    found = counts(opened(path, split="stratified"), cells(path, 2))
    assert [found[part]["ill"] for part in PARTS] == [6, 1, 1]
    assert [found[part]["well"] for part in PARTS] == [90, 11, 11]


def test_rare_classes_are_stratified_by_themselves_and_plenty_are_not(tmp_path: Path) -> None:
    assert opened(patients(tmp_path)).divided == "whole examples at random, every class alike in all parts, 80/10/10 %"
    many = opened(patients(tmp_path, 1500))
    assert many.divided == "whole examples at random, 80/10/10 %"


def test_a_class_of_one_example_is_learned(tmp_path: Path) -> None:
    path = patients(tmp_path)
    path.write_text(path.read_text() + "p99,a walk in the rain,dead,train\n")
    for seed in range(5):
        dataset = opened(path, split="stratified", split_seed=seed)
        assert 120 in members(dataset)["train"]


def test_groups_stay_together(tmp_path: Path) -> None:
    path = patients(tmp_path)
    dataset = opened(path, split="group", split_column="patient")
    found = counts(dataset, cells(path, 0))
    assert not set(found["train"]) & set(found["validation"])
    assert not set(found["train"]) & set(found["test"])
    assert not [p for p in dataset.problems if "patient" in p.what]
    assert dataset.divided == "whole groups at random “patient”, 80/10/10 %"


def test_a_column_says_the_part(tmp_path: Path) -> None:
    dataset = opened(patients(tmp_path), split="column", split_column="fold")
    assert members(dataset) == {"validation": set(range(20)), "train": set(range(20, 120)), "test": set()}
    assert "fold" not in " ".join(p.what for p in dataset.problems)


def test_a_cell_that_names_no_part_is_told_with_its_line(tmp_path: Path) -> None:
    path = patients(tmp_path)
    path.write_text(path.read_text().replace("dev\n", "later\n", 1))
    with pytest.raises(StudioError, match=r"'later' names no part \(column 'fold', line 2\)"):
        opened(path, split="column", split_column="fold")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"split": "sideways"}, "'sideways' is not a choice"),
        ({"split": "time"}, "sequences with one target each cannot be cut along time"),
        ({"split": "group", "split_column": "doctor"}, "there is no column 'doctor' to split by"),
        ({"split": "column"}, "it is not said which column says"),
        ({"split": "column", "split_column": "doctor"}, "there is no column 'doctor'"),
        ({"fractions": "0.8,0.2"}, "is not three shares"),
        ({"fractions": "0.8,0.8,0.1"}, "three fractions that sum to 1"),
        ({"split_seed": "-1"}, "-1 is below 0"),
        ({"validation_file": "nothing.csv"}, "nothing.csv"),
        ({"test_file": "patients.csv"}, "is the one that is learned from"),
    ],
)
def test_a_wrong_way_is_told(tmp_path: Path, options: dict[str, JSON], told: str) -> None:
    recipe = data.guess(patients(tmp_path))
    with pytest.raises(StudioError) as caught:
        data.open(data.choose(recipe.replace(path="patients.csv"), options), tmp_path)
    assert told in str(caught.value)


def test_pairs_know_no_class_to_be_alike_in(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="there is no class of which every part could have alike"):
        opened(pairs(tmp_path), split="stratified")


# Tables


def table(folder: Path, groups: int = 3, steps: int = 30) -> Path:
    rows = [
        f"{t},g{g},{'north' if g % 2 else 'south'},{g * 100 + t},{_fold(t)}\n"
        for g in range(groups)
        for t in range(steps)
    ]
    path = folder / "table.csv"
    path.write_text("t,shop,region,sold,part\n" + "".join(rows))
    return path


def _fold(t: int) -> str:
    return "train" if t < 20 else "valid" if t < 25 else "test"


def test_few_series_are_cut_along_time_and_many_are_dealt_out_by_group(tmp_path: Path) -> None:
    few = opened(table(tmp_path), inputs="sold", targets="sold")
    assert few.divided == "each sequence cut along time, 80/10/10 %"
    many = opened(table(tmp_path, 40), inputs="sold", targets="sold")
    assert many.divided == "whole examples at random, 80/10/10 %"
    assert opened(table(tmp_path, 40), split="time").divided.startswith("each sequence cut along time")


def test_a_column_cuts_each_series(tmp_path: Path) -> None:
    dataset = opened(table(tmp_path), inputs="sold", targets="sold", split="column", split_column="part")
    assert dataset.sequences == 3
    for part, low, high in (("train", 0, 20), ("validation", 20, 25), ("test", 25, 30)):
        split = dataset.split(part)
        assert [split.labels(place) for place in range(3)] == [tuple(map(str, range(low or 1, high)))] * 3


def test_series_of_one_region_stay_together(tmp_path: Path) -> None:
    path = table(tmp_path, 40)
    dataset = opened(path, inputs="sold", targets="sold", split="group", split_column="region", fractions="0.5,0.5,0")
    north = {n for n in range(40) if n % 2}
    assert members(dataset)["train"] in (north, set(range(40)) - north)


def test_the_column_that_tells_parts_apart_is_not_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,fold,b\n" + "".join(f"{n},{n % 4},{n % 7}\n" for n in range(60)))
    recipe = data.choose(data.guess(path), {"split": "group", "split_column": "fold"})
    assert recipe.options["inputs"] == ["a", "b"]


# Files of their own


def split_in_three(path: Path, header: int, edges: tuple[int, int], sep: str = "\n") -> list[Path]:
    lines = path.read_text().rstrip("\n").split(sep)
    head, body = lines[:header], lines[header:]
    found = []
    for name, low, high in zip(("train", "valid", "test"), (0, *edges), (*edges, len(body)), strict=True):
        own = path.with_name(f"{name}{path.suffix}")
        own.write_text(sep.join([*head, *body[low:high]]) + "\n")
        found.append(own)
    return found


@pytest.mark.parametrize(
    ("write", "header", "sep", "edges"),
    [
        (patients, 1, "\n", (90, 105)),
        (reviews, 1, "\n", (40, 50)),
        (pairs, 0, "\n", (90, 105)),
        (tagged, 0, "\n\n", (30, 35)),
        (table, 1, "\n", (60, 75)),
        (text, 0, " ", (40, 60)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_files_of_their_own_are_validation_and_test(
    tmp_path: Path, write: Callable[[Path], Path], header: int, sep: str, edges: tuple[int, int]
) -> None:
    train, valid, test = split_in_three(write(tmp_path), header, edges, sep)
    recipe = data.guess(train).replace(path=train.name)
    dataset = data.open(data.choose(recipe, {"validation_file": valid.name, "test_file": test.name}), tmp_path)
    parts = {part: dataset.split(part) for part in PARTS}
    for part, path in zip(PARTS, (train, valid, test), strict=True):
        alone = data.open(
            dataset.recipe.replace(path=path.name, dividing={}, split=(1.0, 0.0, 0.0)), tmp_path, fit=False
        )
        assert parts[part].steps == alone.split("train").steps
        assert len(parts[part]) == len(alone.split("train"))
        for name in dataset.tracks:
            here, there = dataset.values_of(part, name), alone.values_of("train", name)
            assert np.array_equal(here, there)
    assert "validation from valid" in dataset.divided
    assert dataset.facts.digest != data.open(recipe, tmp_path).facts.digest
    again = data.open(DataRecipe.from_json(dataset.recipe.to_json()), tmp_path, fit=False)
    assert again.recipe == dataset.recipe


def test_three_texts_are_read_as_streams_as_one_text_is(tmp_path: Path) -> None:
    train, valid, _ = split_in_three(text(tmp_path), 0, (60, 90), " ")
    dataset = opened(train, validation_file=str(valid))
    assert dataset.long
    assert dataset.summary().startswith(f"{dataset.rows:,} characters")
    batches = Batches(dataset, "train", 4, 10, carry=True)
    assert batches.carries
    seen = np.concatenate([batch.fields["text"].numpy().reshape(4, -1) for batch in batches], axis=1)
    assert dataset.vocabulary is not None
    assert dataset.vocabulary.decode(seen[0]) == train.read_text()[: seen.shape[1]]


def test_a_test_file_alone_leaves_validation_to_be_cut_out(tmp_path: Path) -> None:
    train, _, test = split_in_three(patients(tmp_path), 1, (90, 105))
    dataset = opened(train, test_file=str(test), split="order")
    assert [len(dataset.split(part)) for part in PARTS] == [80, 10, 15]
    assert dataset.divided == "whole examples in the order of the file, 89/11/0 %; test from test.csv"


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    train, valid, _ = split_in_three(table(tmp_path), 1, (60, 75))
    valid.write_text(valid.read_text().replace("sold", "bought"))
    with pytest.raises(StudioError, match=r"there is no column 'sold' .*valid.csv"):
        opened(train, inputs="sold", targets="sold", validation_file=str(valid))


def test_fields_of_two_files_must_be_the_same(tmp_path: Path) -> None:
    one, other = opened(patients(tmp_path)), opened(pairs(tmp_path))
    found = [
        PartFile(part, f"{part}.csv", examples, dataset.facts)
        for part, dataset, examples in (
            ("train", one, examples_of(one)),
            ("test", other, examples_of(other)),
        )
    ]
    with pytest.raises(StudioError, match=r"its fields are source, target, those of train.csv are text, label"):
        joined(found)


def examples_of(dataset: data.Dataset) -> Examples:
    recipe = dataset.recipe
    return readers.read_with(readers.find(recipe.reader), recipe, Path(recipe.path), Problems(recipe.path))[0]


def test_what_is_wrong_in_another_file_is_told_with_its_name_and_line(tmp_path: Path) -> None:
    train, valid, _ = split_in_three(table(tmp_path), 1, (60, 75))
    valid.write_text(valid.read_text().replace("210", "many"))
    preview = data.inspect(
        data.choose(data.guess(train), {"inputs": "sold", "targets": "sold", "validation_file": str(valid)})
    )
    assert not preview.usable
    wrong = [p for p in preview.problems if p.severity == "error"]
    assert "valid.csv" in wrong[0].what
    assert "line" in wrong[0].what
    assert wrong[0].line == 0


# What was divided before


def test_a_table_of_an_earlier_version_is_divided_as_it_was(tmp_path: Path) -> None:
    dataset = opened(table(tmp_path, 40), inputs="sold", targets="sold", split="time")
    written = dataset.recipe.to_json()
    assert written.pop("dividing") == {"split": "time"}
    written["options"]["split_by"] = "time"  # type: ignore[index,call-overload]
    again = data.open(DataRecipe.from_json(written))
    assert members(again) == members(dataset)
    assert again.recipe.dividing == {"settled": "time"}
    assert "split_by" not in again.recipe.options
    assert data.open(data.choose(again.recipe, {"horizon": 2})).divided.startswith("whole examples")


def test_what_a_run_has_learned_from_is_not_divided_anew_by_a_version_that_knows_better(tmp_path: Path) -> None:
    recipe = opened(patients(tmp_path)).recipe
    assert recipe.dividing == {"settled": "stratified"}
    before = recipe.replace(dividing={})  # as a design of the time before has it
    assert data.open(before, fit=False).divided == "whole examples at random, 80/10/10 %"


def test_the_usual_is_not_written(tmp_path: Path) -> None:
    assert Dividing().way == "auto"
    assert "dividing" not in data.guess(patients(tmp_path)).to_json()


@pytest.mark.parametrize(
    ("write", "options", "long"),
    [
        (text, {}, True),
        (lambda folder: "task:mackey-glass", {}, True),
        (lambda folder: "task:sines", {}, False),
        (lambda folder: table(folder, 1), {"inputs": "sold", "targets": "sold", "group": ""}, True),
        (table, {"inputs": "sold", "targets": "sold"}, False),
        (reviews, {}, False),
        (pairs, {}, False),
    ],
)
def test_a_recipe_says_whether_all_of_it_is_one_long_sequence(
    tmp_path: Path, write: Callable[[Path], Path], options: dict[str, JSON], long: bool
) -> None:
    recipe = opened(write(tmp_path), **options).recipe
    assert recipe.long is long
    assert DataRecipe.from_json(recipe.to_json()).long is long
