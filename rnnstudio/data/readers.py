"""Readers that plugins bring: the base they derive from, and the list of those that are there.

The list is filled by rnnstudio.loading alone, when a process has loaded its plugins; everybody else only looks up. The
text and the CSV reader are no part of it, and cannot be replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from rnnstudio.data.problems import Problems
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe

if TYPE_CHECKING:
    from rnnstudio.data.dataset import Dataset

BUILT_IN = ("text", "csv")


class Reader:
    """Makes a dataset of a file in some format. A reader has no state: one instance serves every file.

    name: what recipes call it, for good; title: what people choose in the data panel; suffixes: of files that are
    proposed to it (".abc"), lower case.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()

    def propose(self, path: Path, shown: str) -> DataRecipe:
        """The recipe for a file that a person dropped in. shown: the path as the person knows it."""
        return DataRecipe(self.name, shown)

    def read(self, recipe: DataRecipe, path: Path, problems: Problems, fit: bool) -> Dataset:
        """The file as a dataset with a complete recipe; see `token_dataset` and `number_dataset`, which make one.

        problems: takes what is wrong at single places; errors there keep the dataset from being trained on. fit: learn
        vocabulary and scaling from this file; False keeps those of the recipe. Raises StudioError when nothing can be
        read at all, with the file, the line and what to do.
        """
        raise NotImplementedError

    def split(self, text: str) -> list[str]:
        """A prompt in the pieces that the vocabulary numbers. Raises StudioError for a text that has no such pieces."""
        return text.split()

    def join(self, tokens: Sequence[str]) -> str:
        """What a model wrote, as text."""
        return " ".join(tokens)


_plugged: Mapping[str, Reader] = MappingProxyType({})


def install(readers: Iterable[Reader]) -> None:
    """From now on these are the plugins' readers."""
    global _plugged
    _plugged = MappingProxyType({reader.name: reader for reader in readers})


def plugged() -> tuple[Reader, ...]:
    """The readers of the loaded plugins."""
    return tuple(_plugged.values())


def find(name: str) -> Reader:
    """The plugin's reader of that name. Raises StudioError when it is not there."""
    reader = _plugged.get(name)
    if reader is None:
        known = ", ".join((*BUILT_IN, *_plugged))
        raise StudioError(
            f"there is no data reader {name!r}: is a plugin missing?",
            where="data recipe",
            remedy=f"Install the plugin that brings it, or choose another file. Readers: {known}.",
        )
    return reader


def for_file(path: Path) -> Reader | None:
    """The plugin's reader that wants files of this suffix."""
    suffix = path.suffix.lower()
    return next((reader for reader in _plugged.values() if suffix and suffix in reader.suffixes), None)


def read_with(reader: Reader, recipe: DataRecipe, path: Path, problems: Problems, fit: bool) -> Dataset:
    """What the reader makes of the file. Whatever goes wrong in it is a StudioError with its name."""
    from rnnstudio.data.dataset import Dataset

    try:
        dataset = reader.read(recipe, path, problems, fit)
    except (StudioError, MemoryError):
        raise
    except Exception as error:
        raise _bug(reader, f"{type(error).__name__}: {error}", recipe.path) from error
    if not isinstance(dataset, Dataset):
        raise _bug(reader, f"it returned {type(dataset).__name__}, not a Dataset", recipe.path)
    return dataset


def propose_with(reader: Reader, path: Path, shown: str) -> DataRecipe:
    """The reader's proposal. Whatever goes wrong in it is a StudioError with its name."""
    try:
        recipe = reader.propose(path, shown)
    except StudioError:
        raise
    except Exception as error:
        raise _bug(reader, f"{type(error).__name__}: {error}", shown) from error
    if not isinstance(recipe, DataRecipe):
        raise _bug(reader, f"it proposed {type(recipe).__name__}, not a DataRecipe", shown)
    return recipe


def _bug(reader: Reader, why: str, where: str) -> StudioError:
    return StudioError(
        f"the data reader {reader.name!r} of a plugin failed: {why}",
        where=where,
        remedy="Report it to the plugin's author, or choose another file.",
    )
