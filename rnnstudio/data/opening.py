"""From a recipe to a dataset: its reader reads, everything is learned from the training part, and it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rnnstudio.data import readers
from rnnstudio.data.dataset import Dataset
from rnnstudio.data.files import resolve, size_of
from rnnstudio.data.making import dataset_of
from rnnstudio.data.options import file_options
from rnnstudio.data.packed import Bounds, Entry, Inside, located
from rnnstudio.data.problems import Problems, listed
from rnnstudio.data.progress import step
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import JSON, DataRecipe


def open_dataset(recipe: DataRecipe, base: Path | str = ".", *, fit: bool = True) -> Dataset:
    """Reads the recipe's file and returns it as a dataset whose `recipe` is complete.

    base: the folder that a relative path starts from.
    fit: learn vocabulary and scaling from this file's training part; False keeps those of the recipe (evaluating a
    trained model on another file).
    Raises StudioError with file, line, column and remedy for anything wrong with the file or the options.
    """
    problems = Problems(recipe.path)
    dataset = build(recipe, Path(base), problems, fit)
    problems.raise_first()
    return replace(dataset, problems=tuple(problems.found))


def build(recipe: DataRecipe, base: Path, problems: Problems, fit: bool = True, most: int = 0) -> Dataset:
    """As open_dataset, but bad cells only go to `problems`: with errors there, the dataset serves a preview only.

    most: bytes of the file that are read, where its reader can do with its beginning; 0 = all. A dataset of a part has
    no digest.
    """
    if not recipe.path:
        raise StudioError("no data file is chosen", where="data recipe", remedy="Choose a text or CSV file.")
    reader = readers.find(recipe.reader)
    path = place_of(recipe, base)
    if isinstance(path, Inside) and path.is_file() and path.others():
        problems.hint(
            f"the archive holds other files, too: {listed(path.others())}", remedy="The option member chooses one."
        )
    try:
        found, source = readers.read_with(reader, recipe, path, problems, fit, most)
        step("preparing")
        dataset = dataset_of(recipe, found, found.facts or source.facts(), problems, fit)
        return replace(dataset, recipe=dataset.recipe.replace(digest=""), cut=True) if source.cut else dataset
    except MemoryError as error:
        much = "so many examples do" if recipe.made else f"the file of {size_of(path) / 1e6:,.0f} MB does"
        raise StudioError(f"{much} not fit into memory", where=recipe.path, remedy="Use a part of it.") from error


def place_of(recipe: DataRecipe, base: Path) -> Entry:
    """The recipe's file or folder, unpacked. Raises StudioError for an archive that cannot be read."""
    path = resolve(recipe.path, base)
    return path if recipe.made else unpacked(path, recipe.path, recipe.options)


def unpacked(path: Path, shown: str, options: Mapping[str, JSON]) -> Entry:
    """What the path holds, as the options of files among these say. Raises StudioError; see packed.located."""
    said = file_options(options)
    return located(path, shown, Bounds(said.unpacked_megabytes, said.unpacked_times), said.member)
