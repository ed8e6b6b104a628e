"""From a recipe to a dataset: its reader reads, everything is learned from the training part, and it is complete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rnnstudio.data import readers
from rnnstudio.data.dataset import Dataset
from rnnstudio.data.files import resolve
from rnnstudio.data.inherited import Inherited
from rnnstudio.data.making import dataset_of
from rnnstudio.data.problems import Problems
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe


def open_dataset(
    recipe: DataRecipe, base: Path | str = ".", *, fit: bool = True, inherited: Inherited | None = None
) -> Dataset:
    """Reads the recipe's file and returns it as a dataset whose `recipe` is complete.

    base: the folder that a relative path starts from.
    fit: learn vocabulary and scaling from this file's training part; False keeps those of the recipe (evaluating a
    trained model on another file). inherited: what is taken over from a trained model when it is learned.
    Raises StudioError with file, line, column and remedy for anything wrong with the file or the options.
    """
    problems = Problems(recipe.path)
    dataset = build(recipe, Path(base), problems, fit, inherited)
    problems.raise_first()
    return replace(dataset, problems=tuple(problems.found))


def build(
    recipe: DataRecipe, base: Path, problems: Problems, fit: bool = True, inherited: Inherited | None = None
) -> Dataset:
    """As open_dataset, but bad cells only go to `problems`: with errors there, the dataset serves a preview only."""
    if not recipe.path:
        raise StudioError("no data file is chosen", where="data recipe", remedy="Choose a text or CSV file.")
    reader = readers.find(recipe.reader)
    path = resolve(recipe.path, base)
    taught = inherited.options(recipe) if inherited is not None and fit else None
    try:
        found, source = readers.read_with(reader, taught or recipe, path, problems, fit and taught is None)
        return dataset_of(taught or recipe, found, found.facts or source.facts(), problems, fit, inherited)
    except MemoryError as error:
        much = "so many examples do" if recipe.made else f"the file of {path.stat().st_size / 1e6:,.0f} MB does"
        raise StudioError(f"{much} not fit into memory", where=recipe.path, remedy="Use a part of it.") from error
