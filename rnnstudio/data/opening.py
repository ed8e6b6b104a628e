"""From a recipe to a dataset: its reader reads, everything is learned from the training part, and it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rnnstudio.data import options as data_options
from rnnstudio.data import readers
from rnnstudio.data.dataset import Dataset
from rnnstudio.data.dividing import dividing_of
from rnnstudio.data.examples import Examples
from rnnstudio.data.files import resolve, size_of
from rnnstudio.data.inherited import Inherited
from rnnstudio.data.joining import PartFile, joined
from rnnstudio.data.making import dataset_of
from rnnstudio.data.options import FILE_OPTIONS, file_options
from rnnstudio.data.packed import Bounds, Entry, Inside, located
from rnnstudio.data.problems import Problems, listed
from rnnstudio.data.progress import step
from rnnstudio.data.split import TITLES
from rnnstudio.data.whereabouts import missing, noted
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import JSON, DataRecipe


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


def _others(
    recipe: DataRecipe, base: Path, first: Examples, problems: Problems, most: int
) -> tuple[list[PartFile], bool]:
    """The files of validation and test, read as the first was, and whether a part of one was left out."""
    reader = readers.find(recipe.reader)
    if reader.made:
        raise StudioError(
            "a task reads no file", where="option validation_file", remedy="Clear it: a task makes all parts itself."
        )
    options = dict(recipe.options if first.options is None else data_options.to_json(first.options))
    of_file = {name: recipe.options[name] for name in FILE_OPTIONS - {"member"} if name in recipe.options}
    found, cut = [], False
    for part, shown in dividing_of(recipe).files().items():
        path = resolve(shown, base)
        if path.resolve() == resolve(recipe.path, base).resolve():
            raise StudioError(
                f"the file of the {TITLES[part]} part is the one that is learned from",
                where=f"option {part}_file",
                remedy="Give another file, or clear the option: the part is then cut out of this file.",
            )
        own = Problems(shown)
        # Whatever must be learned before a text is in pieces was learned from the first file.
        entry = unpacked(path, shown, of_file)
        examples, source = readers.read_with(
            reader, recipe.replace(path=shown, options=options), entry, own, False, most
        )
        problems.take_from(own)
        found.append(PartFile(part, shown, examples, examples.facts or source.facts()))
        cut = cut or source.cut
    return found, cut


def build(
    recipe: DataRecipe,
    base: Path,
    problems: Problems,
    fit: bool = True,
    inherited: Inherited | None = None,
    most: int = 0,
) -> Dataset:
    """As open_dataset, but bad cells only go to `problems`: with errors there, the dataset serves a preview only.

    most: bytes of the file that are read, where its reader can do with its beginning; 0 = all. A dataset of a part has
    no digest.
    """
    if not recipe.path:
        raise StudioError("no data file is chosen", where="data recipe", remedy="Choose a text or CSV file.")
    reader = readers.find(recipe.reader)
    if (gone := missing(recipe, base)) is not None:
        raise gone
    path = place_of(recipe, base)
    if isinstance(path, Inside) and path.is_file() and path.others():
        problems.hint(
            f"the archive holds other files, too: {listed(path.others())}", remedy="The option member chooses one."
        )
    taught = inherited.options(recipe) if inherited is not None and fit else None
    try:
        found, source = readers.read_with(reader, taught or recipe, path, problems, fit and taught is None, most)
        step("preparing")
        facts, cut = found.facts or source.facts(), source.cut
        if dividing_of(recipe).files():
            others, one_cut = _others(recipe, base, found, problems, most)
            found, facts = joined([PartFile("train", recipe.path, found, facts), *others])
            cut = cut or one_cut
        made = dataset_of(taught or recipe, found, facts, problems, fit, inherited)
        if cut:
            return replace(made, recipe=noted(made.recipe.replace(digest=""), base, 0), cut=True)
        return replace(made, recipe=noted(made.recipe, base, made.rows))
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
