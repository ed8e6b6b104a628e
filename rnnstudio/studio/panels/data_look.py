"""What the data panel has done in a thread, and what it says of it: a file is looked at, recipes are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.formats.sniff import find_layout
from rnnstudio.data.formats.table import read_sample
from rnnstudio.data.opening import place_of
from rnnstudio.data.options import CsvOptions, parse
from rnnstudio.data.packed import Inside
from rnnstudio.data.whereabouts import missing
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


def look_at(
    recipe: DataRecipe, base: Path, bind: Callable[[data.Dataset], data.Dataset], sizes: tuple[int, int]
) -> Look:
    """Runs in a thread. Raises StudioError for a file that cannot be read at all."""
    if (gone := missing(recipe, base)) is not None:
        raise gone
    file = place_of(recipe, base)
    columns: dict[str, str] = {}
    if recipe.reader == "csv" and file.is_file():
        encoding = str(recipe.options.get("encoding", "utf-8"))
        options = parse(CsvOptions, {**recipe.options, "inputs": [], "targets": []})
        layout = find_layout(read_sample(file, recipe.path, encoding), options)
        columns = {name: layout.kind(name) for name in layout.names}
    members = None
    if isinstance(file, Inside):
        members = () if file.archive is None else tuple(map(str, file.archive.data_files()))
    return Look(data.inspect(recipe, base, PREVIEW_ROWS, bind, *sizes), columns, members)


def relative_to(recipe: DataRecipe, base: Path) -> DataRecipe:
    """A file inside the design's folder is named relative to it, so that the folder can be moved."""
    if recipe.made:
        return recipe
    path = Path(recipe.path)
    inside = path.is_relative_to(base)
    return recipe.replace(path=path.relative_to(base).as_posix() if inside else str(path))


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


def summary_of(preview: data.Preview) -> str:
    """The summary, a line for each part of it."""
    much, _, parts = preview.summary.rpartition("; ")
    return f"{much[:1].upper()}{much[1:]}\n{parts[:1].upper()}{parts[1:]}" if much else parts


def file_filter() -> str:
    """What the file dialog shows first: the files of all readers, plugins' among them."""
    suffixes = sorted({suffix for reader in readers.every() for suffix in reader.suffixes})
    packed = (".gz", ".bz2", ".xz", ".zip")
    return f"Data ({' '.join(f'*{suffix}' for suffix in (*suffixes, *packed))});;All files (*)"
