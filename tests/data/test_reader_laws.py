"""The laws of reader_laws.py, for every registered reader: the studio's own and those of our example plugins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rnnstudio.data import readers
from tests.data import reader_laws as laws
from tests.data.reader_samples import SAMPLES, with_plugins

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
def test_a_bad_file_gives_one_clear_error(name: str, write: Write, tmp_path: Path) -> None:
    path = write(tmp_path)
    recipe = laws.it_proposes_its_own_file(readers.find(name), path)
    if path.is_file():
        laws.a_bad_file_gives_one_clear_error(readers.find(name), recipe, path)
