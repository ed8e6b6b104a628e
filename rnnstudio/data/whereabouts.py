"""Whether the files of a recipe are still there and still those that it was made of, and where they may have gone.

A recipe names its file or folder, and options may name others (`target_file`, `validation_file`): such options end
with `_file`. Each is noted with its size and a fingerprint of samples of its bytes, which costs a moment however large
the file is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rnnstudio.data.files import resolve
from rnnstudio.data.options import FILE_OPTIONS
from rnnstudio.design.errors import StudioError
from rnnstudio.design.file_note import FileNote
from rnnstudio.design.recipe import JSON, DataRecipe, FieldSpec

SAMPLE_BYTES = 1 << 16
SAMPLES = 5
"""Spread evenly over a file, its beginning and its end among them; a file of less is taken whole."""
MOST_ENTRIES = 2000
"""Of the folders that are looked through for a file that is gone, and of a folder that is fingerprinted."""


@dataclass(frozen=True)
class Named:
    """A file that a recipe names. key: "path", or the option's name; shown: as it is written; place: where that is."""

    key: str
    shown: str
    place: Path


def named(recipe: DataRecipe, base: Path) -> tuple[Named, ...]:
    """All files of a recipe, the main one first; none of a task. A reader's further files lie beside the main one."""
    if recipe.made or not recipe.path:
        return ()
    main = resolve(recipe.path, base)
    found = [Named("path", recipe.path, main)]
    for options, folder in ((recipe.options, main.parent), (recipe.dividing, base)):
        for key, value in options.items():
            if key.endswith("_file") and isinstance(value, str) and value:
                found.append(Named(key, value, resolve(value, folder)))
    return tuple(found)


def noted(recipe: DataRecipe, base: Path, rows: int) -> DataRecipe:
    """The recipe with what is to be known of its files, which were just read. rows: of the dataset."""
    found = []
    for item in named(recipe, base):
        marks = fingerprint(item.place)
        if marks is not None:
            found.append(FileNote(item.shown, *marks, rows if item.key == "path" else 0))
    return recipe.replace(files=tuple(found))


def fingerprint(place: Path) -> tuple[int, str] | None:
    """Size and fingerprint of a file, or of the names and sizes in a folder; None: there is none, or it may not be
    read."""
    try:
        if place.is_dir():
            sizes = [(path.relative_to(place).as_posix(), path.stat().st_size) for path in _files_below(place)]
            return sum(size for _, size in sizes), hashlib.sha256(repr(sizes).encode()).hexdigest()
        if not place.is_file():
            return None
        size = place.stat().st_size
        sha = hashlib.sha256(f"{size}:".encode())
        with place.open("rb") as stream:
            for number in range(SAMPLES):
                if size <= SAMPLES * SAMPLE_BYTES:
                    sha.update(stream.read(SAMPLE_BYTES))
                else:
                    stream.seek((size - SAMPLE_BYTES) * number // (SAMPLES - 1))
                    sha.update(stream.read(SAMPLE_BYTES))
        return size, sha.hexdigest()
    except (OSError, ValueError):
        return None


def _files_below(folder: Path) -> list[Path]:
    return sorted(islice((path for path in folder.rglob("*") if path.is_file()), MOST_ENTRIES))


class MissingFileError(StudioError):
    """A file of a recipe that was read before is not where it was.

    key: what names it ("path", or an option); same: where its very content lies now; alike: files of its name with
    other content.
    """

    key: str = "path"
    same: tuple[Path, ...] = ()
    alike: tuple[Path, ...] = ()


def missing(recipe: DataRecipe, base: Path) -> MissingFileError | None:
    """The first file that is not there, sought beside the design and where it was; None: all are, or it was never
    read."""
    if not recipe.fields:
        return None
    for item in named(recipe, base):
        try:
            if item.place.exists():
                continue
        except OSError:
            continue  # a folder that may not be looked into: who opens the file says so
        note = next((note for note in recipe.files if note.path == item.shown), None)
        same, alike = _sought(item, note, base)
        give = "--data" if item.key == "path" else f"--set data.{item.key}="
        space = " " if item.key == "path" else ""
        if same:
            remedy = f"The same file lies at {same[0]}: relink it, or give {give}{space}{_quoted(same[0])}."
        elif alike:
            remedy = (
                f"{alike[0]} has its name and other content: if it is meant, give {give}{space}{_quoted(alike[0])}."
            )
        else:
            remedy = f"Bring it back, find it in the data panel, or give {give}{space}FILE."
        size = f" of {note.size:,} bytes" if note is not None else ""
        error = MissingFileError(
            f"the data file “{item.shown}”{size} is not there", where=str(item.place), remedy=remedy
        )
        error.key, error.same, error.alike = item.key, same, alike
        return error
    return None


def is_same(recipe: DataRecipe, gone: MissingFileError, place: Path) -> bool:
    """Whether a file is the one that is gone, wherever it lies."""
    shown = next((item.shown for item in named(recipe, Path()) if item.key == gone.key), "")
    return any(fingerprint(place) == (note.size, note.sample) for note in recipe.files if note.path == shown)


def _quoted(place: Path) -> str:
    return f'"{place}"' if " " in str(place) else str(place)


def _sought(item: Named, note: FileNote | None, base: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Files of the same content, those of its name first, and others of its name."""
    same: list[Path] = []
    alike: list[Path] = []
    for place in _entries((base, item.place.parent)):
        by_name = place.name == item.place.name
        if note is not None and _size(place) == note.size and fingerprint(place) == (note.size, note.sample):
            same.insert(0 if by_name else len(same), place)
        elif by_name:
            alike.append(place)
    return tuple(same), tuple(alike)


def _size(place: Path) -> int | None:
    """Of a file; None of a folder, which is known by name alone."""
    try:
        return place.stat().st_size if place.is_file() else None
    except OSError:
        return None


def _entries(folders: tuple[Path, ...]) -> Iterator[Path]:
    """What lies in the folders and in those inside them, each once; bounded."""
    seen: set[Path] = set()
    for folder in folders:
        for entry in _listed(folder):
            for path in (entry, *(_listed(entry) if not entry.is_symlink() else ())):
                if len(seen) >= MOST_ENTRIES:
                    return
                if path not in seen:
                    seen.add(path)
                    yield path


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder / entry.name for entry in islice(os.scandir(folder), MOST_ENTRIES))
    except OSError:  # no folder, or one that may not be looked into: nothing is found there
        return []


def relinked(recipe: DataRecipe, key: str, place: Path, base: Path) -> DataRecipe:
    """The recipe with a file's new place, relative where it lies below the folder that it is sought from."""
    if key == "path":
        return recipe.replace(path=_written(place, base), files=_moved(recipe, recipe.path, _written(place, base)))
    if key in recipe.dividing:
        shown = _written(place, base)
        files = _moved(recipe, str(recipe.dividing[key]), shown)
        return recipe.replace(dividing={**recipe.dividing, key: shown}, files=files)
    shown = _written(place, resolve(recipe.path, base).parent)
    files = _moved(recipe, str(recipe.options.get(key)), shown)
    return recipe.replace(options={**recipe.options, key: shown}, files=files)


def _moved(recipe: DataRecipe, before: str, now: str) -> tuple[FileNote, ...]:
    return tuple(
        FileNote(now, note.size, note.sample, note.rows) if note.path == before else note for note in recipe.files
    )


def _written(place: Path, folder: Path) -> str:
    place, folder = place.resolve(), folder.resolve()
    return place.relative_to(folder).as_posix() if place.is_relative_to(folder) else str(place)


def changes(before: DataRecipe | None, now: DataRecipe) -> str:
    """One sentence for people: what was just read is no longer what a design notes of the same files; "" = it is.

    Of a file whose beginning alone was read (there is no digest then) size and fingerprint say it.
    """
    if before is None or before.made or not before.digest or before.digest == now.digest or not before.fields:
        return ""
    if before.path != now.path or before.reader != now.reader or _choosing(before) != _choosing(now):
        return ""
    if not now.digest:
        return _of_the_beginning(before, now)
    found = []
    rows = [sum(note.rows for note in recipe.files) for recipe in (before, now)]
    if all(rows) and rows[0] != rows[1]:
        found.append(f"{rows[1]:,} rows, {rows[0]:,} before")
    columns = [_columns(recipe) for recipe in (before, now)]
    for what, names in (("gone", columns[0] - columns[1]), ("new", columns[1] - columns[0])):
        if names:
            found.append(f"{'column' if len(names) == 1 else 'columns'} {what}: {_some(names)}")
    labels = [_classes(recipe) for recipe in (before, now)]
    for name in sorted(columns[0] & columns[1]):
        if name in labels[1] and name not in labels[0]:
            found.append(f"“{name}” holds {labels[1][name].size} classes now: {_some(set(labels[1][name].vocabulary))}")
        elif name in labels[0] and name not in labels[1]:
            found.append(f"“{name}” holds numbers now, not classes")
    known = {spec.name: set(spec.vocabulary) for spec in before.fields}
    for spec in now.fields:
        was, has = known.get(spec.name, set()), set(spec.vocabulary)
        if was and has and spec.shift_of not in known:
            kind = "classes" if spec.counts else "tokens"
            for what, names in (("new", has - was), ("gone", was - has)):
                if names:
                    found.append(f"{what} {kind} of “{spec.name}”: {_some(names)}")
    told = "; ".join(found) or "other values in as many rows"
    return f"“{before.path}” has changed since the design read it: {told}."


def _of_the_beginning(before: DataRecipe, now: DataRecipe) -> str:
    known = {note.path: note for note in before.files}
    for note in now.files:
        old = known.get(note.path, note)
        if old.size != note.size:
            return f"“{note.path}” has changed since the design read it: {note.size:,} bytes, {old.size:,} before."
        if old.sample != note.sample:
            return f"“{note.path}” has changed since the design read it: other content of the same size."
    return ""


def _choosing(recipe: DataRecipe) -> dict[str, JSON]:
    """What decides which bytes are read."""
    options = {**recipe.options, **recipe.dividing}
    return {key: value for key, value in options.items() if key in FILE_OPTIONS or key.endswith("_file")}


def _columns(recipe: DataRecipe) -> set[str]:
    return {name for spec in recipe.fields for name in spec.columns} | set(_classes(recipe))


def _classes(recipe: DataRecipe) -> dict[str, FieldSpec]:
    """By the column's name: a field of class labels is called so."""
    return {spec.name: spec for spec in recipe.fields if spec.counts}


def _some(names: set[str], most: int = 5) -> str:
    shown = ", ".join(map(repr, sorted(names)[:most]))
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def record_of(recipe: DataRecipe, base: Path) -> list[dict[str, JSON]]:
    """The files that a run is trained on, with their full paths, for the run's record."""
    places = {item.shown: str(item.place.resolve()) for item in named(recipe, base)}
    return [{**note.to_json(), "path": places.get(note.path, note.path)} for note in recipe.files]
