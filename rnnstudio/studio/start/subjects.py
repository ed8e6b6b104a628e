"""What the cards stand for: files opened last, the patterns, the examples. Each with its words and its picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...catalog.catalog import Catalog
from ...design import storage
from ...design.errors import StudioError
from ...gallery import draw_pattern
from ...proposals.patterns import PATTERNS, Pattern
from ..places import gallery
from .thumbnails import Drawn, Subject


@dataclass(frozen=True)
class Offer:
    """path: the file of a design or an example, None for a pattern."""

    subject: Subject
    title: str
    says: str
    path: Path | None = None
    pattern: Pattern | None = None


def recent_files(paths: list[Path]) -> list[Offer]:
    return [
        Offer(Subject(f"file:{path}", _stamp(path), partial(_read, path)), path.stem, _place(path), path)
        for path in paths
        if path.exists()
    ]


def patterns() -> list[Offer]:
    return [
        Offer(
            Subject(f"pattern:{item.name}", "", partial(_draw, item)),
            f"{item.title[:1].upper()}{item.title[1:]}",
            item.says,
            pattern=item,
        )
        for item in PATTERNS
    ]


def examples() -> list[Offer]:
    found = []
    for path in gallery():
        try:
            design = storage.load(path)
            title, says = design.name, design.doc
        except StudioError as error:
            title, says = path.parent.name, str(error)
        found.append(Offer(Subject(f"example:{path}", _stamp(path), partial(_read, path)), title, says, path))
    return found


def _draw(item: Pattern, catalog: Catalog) -> Drawn:
    return Drawn(draw_pattern(item, catalog), Path.cwd())


def _read(path: Path, _catalog: Catalog) -> Drawn:
    return Drawn(storage.load(path), path.parent, lay_out=False)


def _stamp(path: Path) -> str:
    seen = path.stat()
    return f"{seen.st_mtime_ns} {seen.st_size}"


def _place(path: Path) -> str:
    """The folder, from the person's own on."""
    home, folder = Path.home(), path.parent
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
