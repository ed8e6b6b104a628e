"""Proposes a recipe for a file that a person dropped in: the surest reader's guess from a bounded sample of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeAlias

from rnnstudio.data import options as data_options
from rnnstudio.data import readers
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, is_made

Proposal: TypeAlias = tuple[float, DataRecipe, str]
"""How sure a reader is of a file, its recipe, and what it was seen by."""


def guess(path: Path | str, chosen: Collection[str] = ()) -> DataRecipe:
    """The recipe a person most likely wants for this file; every option is settled and can be changed.

    chosen: options that the person has named. The surest reader that has them all is meant, if there is one.
    Raises StudioError when the file is missing, empty, or nothing that any reader knows.
    """
    return of_options(guesses(path), chosen)[1]


def of_options(found: Sequence[Proposal], chosen: Collection[str]) -> Proposal:
    """Of what was guessed, the surest whose reader has all of the options, else the surest of all."""
    return next((one for one in found if set(chosen) <= one[1].options.keys()), found[0])


def guesses(path: Path | str) -> list[Proposal]:
    """All readers that would read the file, the surest first: confidence, recipe, and what it was seen by.

    Raises StudioError when there is none.
    """
    shown = str(path)
    if is_made(shown):
        return [(1.0, made_by(readers.find_task(shown)), "a task")]
    sample = Sample.of(Path(path).expanduser(), shown)
    found = readers.guesses(sample)
    if not found:
        raise _nothing(sample)
    return [(made.confidence, _recipe(reader, made, shown), made.why) for reader, made in found]


def guess_with(reader: Reader, path: Path, shown: str) -> DataRecipe:
    """The recipe for a file that a person has chosen a reader for, whether the reader would have it or not.

    Of a task, whatever the file.
    """
    if reader.made:
        return made_by(reader)
    if is_made(shown):
        raise StudioError(
            f"“{shown}” is a task and cannot be read as {reader.what or reader.title}", remedy="Choose a file first."
        )
    made = next((made for other, made in readers.guesses(Sample.of(path, shown)) if other is reader), None)
    return _recipe(reader, made or Guess(0.0, reader.Options(), reader.parts), shown)


def made_by(task: Reader) -> DataRecipe:
    """The recipe of a task as it comes."""
    return _recipe(task, Guess(1.0, task.Options(), task.parts), task.name)


def _recipe(reader: Reader, made: Guess, shown: str) -> DataRecipe:
    return DataRecipe(reader.name, shown, data_options.to_json(made.options), made.split)


def _nothing(sample: Sample) -> StudioError:
    if sample.why_not is not None:
        return sample.why_not
    if not sample.text.strip():
        return StudioError("the file has only blank lines", where=sample.shown, remedy="Choose a file with data in it.")
    return StudioError("no reader knows this kind of file", where=sample.shown, remedy="Choose another file.")
