"""What the data panel asks of a file, in a thread: its first examples as the model will see them, its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.formats.csv_file import TableReader
from rnnstudio.data.opening import place_of
from rnnstudio.data.packed import Inside
from rnnstudio.data.source import Sample
from rnnstudio.data.whereabouts import changes, missing
from rnnstudio.design.recipe import DataRecipe

PREVIEW_ROWS = 20


@dataclass(frozen=True)
class Look:
    """What the thread found: preview (with the completed recipe) and, of a table, all columns and what each holds.

    members: the files of an archive; None = the file is not packed.
    """

    preview: data.Preview
    columns: Mapping[str, str]
    members: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Looking:
    """How files are looked at for a design. bind: what it makes of data; sizes: batch size and chunk of its training.

    base: the folder that paths are relative to.
    """

    base: Path
    bind: Callable[[data.Dataset], data.Dataset]
    sizes: tuple[int, int]

    def look(self, recipe: DataRecipe, whole: bool = False, fit: bool = True) -> Look:
        """Of a large file its beginning, unless `whole`. fit: learn vocabulary and scaling, else keep the recipe's.

        Raises StudioError for a file that cannot be read at all.
        """
        if (gone := missing(recipe, self.base)) is not None:
            raise gone
        file = place_of(recipe, self.base)
        columns: dict[str, str] = {}
        reader = next((own for own in readers.every() if own.name == recipe.reader), None)  # none: a plugin is missing
        if isinstance(reader, TableReader) and file.is_file():
            encoding = str(recipe.options.get("encoding", "utf-8"))
            columns = reader.columns(Sample.of(file, recipe.path, encoding), recipe.options)
        members = None
        if isinstance(file, Inside):
            members = () if file.archive is None else tuple(map(str, file.archive.data_files()))
        most = 0 if whole else data.bytes_of_a_look(recipe, self.base)
        preview = data.inspect(recipe, self.base, PREVIEW_ROWS, self.bind, *self.sizes, most=most, fit=fit or not most)
        return Look(preview, columns, members)

    def relative(self, recipe: DataRecipe) -> DataRecipe:
        """A file inside the design's folder is named relative to it, so that the folder can be moved."""
        if recipe.made:
            return recipe
        path = Path(recipe.path)
        inside = path.is_relative_to(self.base)
        return recipe.replace(path=path.relative_to(self.base).as_posix() if inside else str(path))


def reads_the_same(one: DataRecipe, other: DataRecipe) -> bool:
    """Whether what was read just now is what a design notes; one that was saved earlier may know no extremes."""
    if len(one.fields) != len(other.fields) or (one.split, one.dividing) != (other.split, other.dividing):
        return False
    pairs = zip(one.fields, other.fields, strict=True)
    noted = [spec if known.low else replace(spec, low=(), high=()) for spec, known in pairs]
    noted = [
        spec if known.children else replace(spec, children=0) for spec, known in zip(noted, other.fields, strict=True)
    ]
    return tuple(noted) == other.fields and other.digest in ("", one.digest)


def is_beginning_of(seen: DataRecipe, known: DataRecipe) -> bool:
    """Whether a file whose beginning alone was read is, as far as one sees, the one that a design notes."""
    return seen.replace(digest=known.digest, files=known.files) == known and not changes(known, seen)


def in_lines(preview: data.Preview) -> str:
    """The summary, a line for each part of it."""
    much, _, parts = preview.summary.rpartition("; ")
    return "\n".join(f"{part[:1].upper()}{part[1:]}" for part in (much, parts) if part)


def file_filter() -> str:
    """What the file dialog shows first: the files of all readers, plugins' among them."""
    suffixes = sorted({suffix for reader in readers.every() for suffix in reader.suffixes})
    packed = (".gz", ".bz2", ".xz", ".zip")
    return f"Data ({' '.join(f'*{suffix}' for suffix in (*suffixes, *packed))});;All files (*)"
