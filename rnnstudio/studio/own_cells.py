"""The library of a person's own cells: `.rnncell` files in a folder of theirs, which other programs may change too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

from ..design.cell_file import SUFFIX, load_cells, save_cell
from ..design.design import CellDefinition
from ..design.errors import StudioError
from .places import own_cells


@dataclass(frozen=True)
class OwnCell:
    """A cell of the folder. inner: the cells drawn inside of it that no library has."""

    path: Path
    cell: CellDefinition
    inner: tuple[CellDefinition, ...] = ()

    @property
    def definitions(self) -> dict[str, CellDefinition]:
        """All that a design needs to use it, by name."""
        return {c.name: c for c in (self.cell, *self.inner)}


class OwnCells(QObject):
    """Read when first asked for, and again soon after the folder changed: `changed` is sent then.

    A file that is damaged is left out; `problems` has the reason.
    """

    changed = Signal()
    SOON_MS = 60

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cells: dict[str, OwnCell] | None = None
        self.problems: dict[Path, StudioError] = {}
        self._watcher: QFileSystemWatcher | None = None
        self._soon = QTimer(self, singleShot=True, interval=self.SOON_MS)
        self._soon.timeout.connect(self._again)

    @property
    def folder(self) -> Path:
        return own_cells()

    @property
    def cells(self) -> Mapping[str, OwnCell]:
        """By the cell's name. Where two files hold cells of one name the first in the order of file names counts."""
        if self._cells is None:
            self._cells = self._read()
            self._watch()
        return self._cells

    def save(self, cell: CellDefinition, inner: Iterable[CellDefinition] = ()) -> OwnCell:
        """Write a cell into the folder, over one of its name. Raises StudioError when it cannot be written."""
        there = self.cells.get(cell.name)
        path = there.path if there is not None else self.folder / f"{cell.name}{SUFFIX}"
        made = OwnCell(path, cell, tuple(inner))
        save_cell(cell, path, made.inner)
        self._again()
        return made

    def _read(self) -> dict[str, OwnCell]:
        found: dict[str, OwnCell] = {}
        self.problems = {}
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                first, *inner = load_cells(path)
            except StudioError as error:
                self.problems[path] = error
                continue
            found.setdefault(first.name, OwnCell(path, first, tuple(inner)))
        return found

    def _watch(self) -> None:
        """The folder tells of files that come and go, a file of its own changes."""
        if self._watcher is None:
            self._watcher = QFileSystemWatcher(self)
            self._watcher.directoryChanged.connect(lambda _: self._soon.start())
            self._watcher.fileChanged.connect(lambda _: self._soon.start())
        wanted = {str(self.folder), *(str(path) for path in self.folder.glob(f"*{SUFFIX}"))}
        watched = {*self._watcher.directories(), *self._watcher.files()}
        if gone := watched - wanted:
            self._watcher.removePaths(list(gone))
        if new := wanted - watched:
            self._watcher.addPaths(list(new))

    def _again(self) -> None:
        self._soon.stop()
        before, problems = self._cells, self.problems
        self._cells = self._read()
        self._watch()
        if (self._cells, self.problems) != (before, problems):
            self.changed.emit()
