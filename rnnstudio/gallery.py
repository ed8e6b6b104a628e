"""What one begins with: examples that ship with the studio, copied; patterns of the field, drawn on their data."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .design.errors import StudioError
from .design.storage import SUFFIX, load

if TYPE_CHECKING:
    from .catalog.catalog import Catalog
    from .design.design import Design
    from .proposals.composing import Composition
    from .proposals.patterns import Pattern


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


def pattern(name: str) -> Pattern:
    """The pattern of the field called `name`, or of that row. Raises StudioError listing those there are."""
    from .proposals.patterns import PATTERNS

    wanted = name.strip().lower()
    for item in PATTERNS:
        if wanted in (item.name, item.title.lower(), str(item.row)):
            return item
    listed = ", ".join(item.name for item in PATTERNS)
    raise StudioError(f"There is no pattern “{name}”", remedy=f"Patterns: {listed}.")


def draw_pattern(wanted: Pattern, catalog: Catalog) -> Design:
    """A pattern drawn on the data that its task makes: it can be trained at once. Raises StudioError."""
    from . import data

    return wanted.design(data.open(wanted.recipe()).recipe, catalog)


def compose(wanted: Composition, catalog: Catalog) -> tuple[Design, Path]:
    """A network of these answers, bound to data that shows it, and the folder its data is read from.

    Raises StudioError.
    """
    from . import data
    from .proposals import Amount, propose

    base, recipe = Path.cwd(), wanted.recipe
    if recipe is None:
        text = example("char-lm").path
        base = text.parent
        recipe = load(text).data
        assert recipe is not None
    preview = data.inspect(recipe, base, rows=0)
    seen = preview.statistics
    if seen is None or not preview.usable:
        told = "; ".join(str(problem) for problem in preview.problems)
        raise StudioError(f"The data cannot be read: {told}", where=recipe.path, remedy="Install rnnstudio again.")
    amount = Amount(seen.examples, seen.rows, seen.cuttable, 0, seen.longest)
    return propose(preview.recipe, amount, catalog, style=wanted.style), base
