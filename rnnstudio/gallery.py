"""The examples that ship with the studio: where they are, and how to make one's own copy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from .design.errors import StudioError
from .design.storage import SUFFIX, load


@dataclass(frozen=True, slots=True)
class Example:
    """name: of its folder and design; doc: one sentence."""

    name: str
    path: Path
    doc: str


def gallery_folder() -> Path:
    """`resources/gallery`: inside the installed package, or beside it in a checkout. Raises StudioError without it."""
    here = Path(__file__).resolve().parent
    for place in (here / "resources" / "gallery", here.parent / "resources" / "gallery"):
        if place.is_dir():
            return place
    raise StudioError("The gallery is missing", where=str(here), remedy="Install rnnstudio again.")


def examples() -> list[Example]:
    """All examples, by name."""
    found = []
    for path in sorted(gallery_folder().glob(f"*/*{SUFFIX}")):
        found.append(Example(path.stem, path, load(path).doc))
    return found


def example(name: str) -> Example:
    """The example called `name`. Raises StudioError listing those there are."""
    known = examples()
    for item in known:
        if item.name == name:
            return item
    listed = ", ".join(item.name for item in known)
    raise StudioError(f"There is no example “{name}”", remedy=f"Examples: {listed}.")


def copy_example(name: str, folder: Path) -> Path:
    """Copy an example with its data into a new or empty folder and return its design file. Raises StudioError."""
    source = example(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudioError("The folder is not empty", where=str(folder), remedy="Choose a new one.")
    try:
        shutil.copytree(source.path.parent, folder, dirs_exist_ok=True)
    except OSError as error:
        raise StudioError(
            f"The example cannot be copied: {error.strerror}", where=str(folder), remedy="Choose another folder."
        ) from None
    return folder / source.path.name
