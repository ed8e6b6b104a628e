"""Proposes a recipe for a file that a person dropped in: the surest reader's guess from a bounded sample of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from rnnstudio.data import options as data_options
from rnnstudio.data import readers
from rnnstudio.data.files import check_encoding
from rnnstudio.data.opening import unpacked
from rnnstudio.data.options import FILE_OPTIONS, FileOptions, as_meant
from rnnstudio.data.packed import Inside
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import JSON, DataRecipe, is_made

Proposal: TypeAlias = tuple[float, DataRecipe, str]
"""How sure a reader is of a file, its recipe, and what it was seen by."""


def guess(path: Path | str, chosen: Mapping[str, JSON] | None = None) -> DataRecipe:
    """The recipe a person most likely wants for this file; every option is settled and can be changed.

    chosen: options that the person has given. The surest reader that has them all is meant, if there is one; the
    encoding and what of an archive is read are as given there.
    Raises StudioError when the file is missing, empty, or nothing that any reader knows.
    """
    return of_options(guesses(path, chosen), chosen or {})[1]


def of_options(found: Sequence[Proposal], chosen: Collection[str]) -> Proposal:
    """Of what was guessed, the surest whose reader has all of the options, else the surest of all."""
    wanted = set(chosen) - FILE_OPTIONS
    return next((one for one in found if wanted <= one[1].options.keys()), found[0])


def guesses(path: Path | str, chosen: Mapping[str, JSON] | None = None) -> list[Proposal]:
    """All readers that would read the file, the surest first: confidence, recipe, and what it was seen by.

    chosen: see guess. Raises StudioError when there is none.
    """
    shown = str(path)
    if is_made(shown):
        return [(1.0, made_by(readers.find_task(shown)), "a task")]
    sample, of_file = _sample(Path(path).expanduser(), shown, chosen or {})
    found = readers.guesses(sample)
    if not found:
        raise _nothing(sample)
    return [(made.confidence, _recipe(reader, made, sample, of_file), _why(made, sample)) for reader, made in found]


def guess_with(reader: Reader, path: Path, shown: str, chosen: Mapping[str, JSON] | None = None) -> DataRecipe:
    """The recipe for a file that a person has chosen a reader for, whether the reader would have it or not.

    Of a task, whatever the file. chosen: see guess.
    """
    if reader.made:
        return made_by(reader)
    if is_made(shown):
        raise StudioError(
            f"“{shown}” is a task and cannot be read as {reader.what or reader.title}", remedy="Choose a file first."
        )
    sample, of_file = _sample(path, shown, chosen or {})
    made = next((made for other, made in readers.guesses(sample) if other is reader), None)
    return _recipe(reader, made or Guess(0.0, reader.Options(), reader.parts), sample, of_file)


def like(own: DataRecipe, guessed: DataRecipe, chosen: Mapping[str, JSON]) -> DataRecipe:
    """What was guessed for a file, with a design's choices that do not depend on the file. own: the design's recipe."""
    sample, _ = _sample(Path(guessed.path).expanduser(), guessed.path, {**guessed.options, **chosen})
    options = readers.find(own.reader).like(sample, guessed.options, own.options)
    of_file = {name: value for name, value in guessed.options.items() if name in (*FILE_OPTIONS, "encoding")}
    return guessed.replace(options={**options, **of_file}, split=own.split)


def made_by(task: Reader) -> DataRecipe:
    """The recipe of a task as it comes."""
    return DataRecipe(task.name, task.name, data_options.to_json(task.Options()), task.parts)


def _recipe(reader: Reader, made: Guess, sample: Sample, of_file: Mapping[str, JSON]) -> DataRecipe:
    """The recipe, with the encoding that was found: whatever reader it is, all see the same."""
    options = made.options
    if getattr(options, "encoding", sample.encoding) != sample.encoding:
        options = dataclasses.replace(options, encoding=sample.encoding)
    return DataRecipe(reader.name, sample.shown, {**of_file, **data_options.to_json(options)}, made.split)


def _why(made: Guess, sample: Sample) -> str:
    textual = hasattr(made.options, "encoding") and sample.encoding != "utf-8"
    return f"{made.why}; read as {sample.encoding}" if textual else made.why


def _sample(path: Path, shown: str, chosen: Mapping[str, JSON]) -> tuple[Sample, dict[str, JSON]]:
    """What a guess looks at, and the options of the file: those that were given, and which of an archive is read."""
    of_file = as_meant(FileOptions, {name: value for name, value in chosen.items() if name in FILE_OPTIONS})
    encoding = chosen.get("encoding")
    given = check_encoding(encoding) if isinstance(encoding, str) else ""
    place = unpacked(path, shown, of_file)
    if isinstance(place, Inside) and place.is_dir() and not of_file.get("member"):
        member = _table_of(place)
        if member is not None:
            of_file["member"] = str(member.inner)
            place = member
    return Sample.of(place, shown, given), of_file


def _table_of(archive: Inside) -> Inside | None:
    """The largest file of an archive that is no text and no music: a table, or another file that stands by itself."""
    together = {suffix for reader in readers.every() if reader.together for suffix in reader.suffixes}
    alone = {suffix for reader in readers.every() for suffix in reader.suffixes} - together
    found = [entry for entry in archive.walk() if entry.suffix.lower() in alone | _TABLES]
    return max(found, key=lambda entry: (entry.size, entry.inner), default=None)


_TABLES = {".conllu", ".conll", ".dat", ".data"}


def _nothing(sample: Sample) -> StudioError:
    if sample.why_not is not None:
        return sample.why_not
    if not sample.text.strip():
        return StudioError("the file has only blank lines", where=sample.shown, remedy="Choose a file with data in it.")
    return StudioError("no reader knows this kind of file", where=sample.shown, remedy="Choose another file.")
