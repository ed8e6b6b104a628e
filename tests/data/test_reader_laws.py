"""The laws of reader_laws.py, for every registered reader: the studio's own and those of our example plugins."""

from __future__ import annotations

import sys
import textwrap
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from tests.data import reader_laws as laws
from tests.data.reader_samples import SAMPLES, with_plugins
from tests.read_only import closed_folder

pytestmark = pytest.mark.usefixtures("with_plugins")
__all__ = ["with_plugins"]

Write = Callable[[Path], Path]
of_each = pytest.mark.parametrize(("name", "write"), SAMPLES, ids=[write.__name__ for _, write in SAMPLES])


def test_every_reader_has_a_sample_to_be_held_against() -> None:
    assert set(laws.every_registered_reader()) == {name for name, _ in SAMPLES}


@of_each
def test_it_proposes_its_own_file_and_its_options_go_round(name: str, write: Write, tmp_path: Path) -> None:
    reader = readers.find(name)
    laws.options_go_round(reader, laws.it_proposes_its_own_file(reader, write(tmp_path)))


@of_each
def test_the_same_file_gives_the_same_dataset(name: str, write: Write, tmp_path: Path) -> None:
    dataset = laws.the_same_file_gives_the_same_dataset(
        laws.it_proposes_its_own_file(readers.find(name), write(tmp_path))
    )
    laws.nothing_is_learned_from_other_parts(dataset)
    laws.the_preview_holds_what_batches_hold(dataset)


@of_each
def test_a_guess_reads_a_bounded_sample(name: str, write: Write, tmp_path: Path) -> None:
    path = write(tmp_path)
    if path.is_file():
        laws.a_guess_reads_a_bounded_sample(readers.find(name), path)


@of_each
def test_a_beginning_is_a_file_of_its_own(name: str, write: Write, tmp_path: Path) -> None:
    path = write(tmp_path)
    recipe = laws.it_proposes_its_own_file(readers.find(name), path)
    laws.a_beginning_is_a_file_of_its_own(readers.find(name), recipe, path)


@of_each
def test_a_reading_that_is_called_off_ends(name: str, write: Write, tmp_path: Path) -> None:
    laws.a_reading_that_is_called_off_ends(laws.it_proposes_its_own_file(readers.find(name), write(tmp_path)))


@of_each
def test_a_bad_file_gives_one_clear_error(name: str, write: Write, tmp_path: Path) -> None:
    path = write(tmp_path)
    recipe = laws.it_proposes_its_own_file(readers.find(name), path)
    if path.is_file():
        laws.a_bad_file_gives_one_clear_error(readers.find(name), recipe, path)


@of_each
def test_a_badly_packed_file_gives_one_clear_error(name: str, write: Write, tmp_path: Path) -> None:
    path = write(tmp_path)
    recipe = laws.it_proposes_its_own_file(readers.find(name), path)
    if path.is_file():
        laws.a_badly_packed_file_gives_one_clear_error(readers.find(name), recipe, path)


@of_each
def test_what_is_no_file_is_told(name: str, write: Write, tmp_path: Path) -> None:
    path = write(tmp_path)
    recipe = laws.it_proposes_its_own_file(readers.find(name), path)
    if not recipe.made:
        laws.what_is_no_file_is_told(readers.find(name), recipe, tmp_path)


def test_the_reader_of_the_tour_does_what_is_said_of_it(tmp_path: Path) -> None:
    tour = (readers.__doc__ or "").split("CLASS:\n")[-1].partition("TAB class")[2]
    code = textwrap.dedent("\n".join(line for line in tour.split("\n") if line.startswith("    ") or not line))
    place: dict[str, object] = {"__name__": "tour"}
    sys.modules["tour"] = types.ModuleType("tour")  # dataclasses look their module up
    try:
        exec("from dataclasses import dataclass\nfrom rnnstudio.plugins import *\n" + code, place)
    finally:
        del sys.modules["tour"]
    before = readers.plugged()
    readers.install((*before, *place["plugin"].readers))  # type: ignore[attr-defined]
    try:
        path = tmp_path / "a.words"
        path.write_text("".join(f"{'ab' * (n % 4 + 1)}\t{'odd' if n % 2 else 'even'}\n" for n in range(40)))
        dataset = data.open(data.guess(path))
        assert dataset.recipe.reader == "words-with-class"
        assert [spec.name for spec in dataset.fields] == ["word", "class"]
        path.write_text("ab\todd\nno tab\n" * 20)
        with pytest.raises(StudioError, match=r"there is no tab .*line 2; 19 more.*Write WORD, a tab, CLASS"):
            data.open(dataset.recipe)
    finally:
        readers.install(before)


def test_a_file_in_a_folder_that_may_not_be_looked_into_is_one_clear_error() -> None:
    with closed_folder() as folder, pytest.raises(StudioError, match="cannot be reached: Permission denied"):
        data.open(DataRecipe("text", str(folder / "a.txt")))
