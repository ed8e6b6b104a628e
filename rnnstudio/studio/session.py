"""What all panels of one window share: the document, its check, where the person looks, and the state of training.

A panel is a QWidget that takes a Session: it reads `session.design` and `session.checked`, changes things with
`session.do(edit)`, and follows the signals. It never holds a design of its own. All of this lives on the window's
thread and imports no torch.
"""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from ..compiler.check import Checked, Checker
from ..compiler.diagnostics import Diagnostic
from ..compiler.units import with_units
from ..design import storage
from ..design.design import Design
from ..design.edits import Edit, Restore, SetData
from ..design.errors import StudioError
from ..design.history import Change, Document
from ..loading import Loaded, load_plugins
from .focus import Focus


class Session(QObject):
    """Owner of the Document and the Checker.

    Signals:
    - designChanged(Change): after every edit, undo, redo, and after another document was opened (edit is None then);
    - opened(): another document took the place of the old one (sent before designChanged);
    - checkedChanged(Checked): a new check is ready, once after a burst of changes; `checked` is always up to date;
    - pathChanged(), dirtyChanged(bool), message(str), failed(StudioError).

    Training is not its business: `live.Live` owns that.
    """

    designChanged = Signal(object)
    opened = Signal()
    checkedChanged = Signal(object)
    pathChanged = Signal()
    dirtyChanged = Signal(bool)
    message = Signal(str)
    failed = Signal(object)

    CHECK_AFTER_MS = 15

    def __init__(self, plugins: Loaded | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.plugins = plugins or load_plugins()
        self.catalog = self.plugins.catalog
        self.focus = Focus(self)
        self.document = Document()
        self.base_folder = Path.cwd()
        """The folder against which the data's path is read: the design file's own, or the gallery's."""
        self._checker = Checker(self.catalog)
        self._checked = self._checker.check(self.document.design)
        self._was_dirty = False
        self._end_watch = self.document.subscribe(self._follow)
        self._check_timer = QTimer(self, singleShot=True, interval=self.CHECK_AFTER_MS)
        self._check_timer.timeout.connect(self._announce_check)

    # What is there

    @property
    def design(self) -> Design:
        return self.document.design

    @property
    def path(self) -> Path | None:
        return self.document.path

    @property
    def dirty(self) -> bool:
        return self.document.dirty

    @property
    def checked(self) -> Checked:
        """The check of the design as it is now."""
        if self._checked.design is not self.document.design:
            self._checked = self._checker.check(self.document.design)
        return self._checked

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What keeps the design from being trained."""
        return self.checked.errors

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is wrong with the studio itself, whatever the drawing: plugins that could not be loaded."""
        return tuple(Diagnostic("PluginFailed", "warning", problem.text()) for problem in self.plugins.problems)

    # Changes

    def do(self, edit: Edit, merge: str = "") -> bool:
        """Apply an edit. A StudioError is sent as `failed`, nothing has changed then, and False is returned."""
        try:
            self.document.do(with_units(edit, self.design, self.catalog), merge=merge)
        except StudioError as error:
            self.failed.emit(error)
            return False
        return True

    def undo(self) -> None:
        self.document.undo()

    def redo(self) -> None:
        self.document.redo()

    # Files

    def new(self, design: Design | None = None) -> None:
        """Start an unnamed document, empty or with `design`. Unsaved changes are the caller's care."""
        self._become(Document(design), Path.cwd())

    def open(self, path: Path) -> bool:
        """Open a design file. When it is damaged the document stays as it was, and `failed` says why."""
        try:
            design = storage.load(Path(path))
        except StudioError as error:
            self.failed.emit(error)
            return False
        path = Path(path).resolve()
        self._become(Document(design, path), path.parent)
        return True

    def open_example(self, path: Path) -> bool:
        """Open a design as a template: unnamed, so that saving asks where; its data is found beside the template."""
        try:
            design = storage.load(Path(path))
        except StudioError as error:
            self.failed.emit(error)
            return False
        self._become(Document(design), Path(path).resolve().parent)
        return True

    def recover(self, design: Design, path: Path | None, base: Path) -> None:
        """Take over a design a crash left behind: it belongs to `path`, and is unsaved."""
        document = Document(Design(), path)
        document.do(Restore(design))
        self._become(document, base)

    def save(self) -> bool:
        """Write to the design's own file. False when it has none or it cannot be written."""
        return self.path is not None and self.save_as(self.path)

    def save_as(self, path: Path) -> bool:
        path = Path(path).resolve()
        try:
            self._follow_data_to(path.parent)
            storage.save(self.design, path)
        except StudioError as error:
            self.failed.emit(error)
            return False
        self.document.saved(path)
        self.base_folder = path.parent
        self.pathChanged.emit()
        self._announce_dirty()
        self.message.emit(f"Saved {path.name}")
        return True

    def _follow_data_to(self, folder: Path) -> None:
        """A relative data path stays true when the design moves to another folder."""
        recipe = self.design.data
        if recipe is None or folder == self.base_folder or not recipe.path or Path(recipe.path).is_absolute():
            return
        file = (self.base_folder / recipe.path).resolve()
        inside = file.is_relative_to(folder)
        self.document.do(SetData(recipe.replace(path=os.path.relpath(file, folder) if inside else str(file))))

    def _become(self, document: Document, base: Path) -> None:
        before = self.document.design
        self._end_watch()
        self.document = document
        self.base_folder = base
        self._end_watch = document.subscribe(self._follow)
        self._checker = Checker(self.catalog)
        self.focus.reset()
        self.opened.emit()
        self.pathChanged.emit()
        self._follow(Change(before, document.design, None))

    def _follow(self, change: Change) -> None:
        self.focus.prune(change.after)
        self.designChanged.emit(change)
        self._announce_dirty()
        self._check_timer.start()

    def _announce_dirty(self) -> None:
        if self.dirty != self._was_dirty:
            self._was_dirty = self.dirty
            self.dirtyChanged.emit(self._was_dirty)

    def _announce_check(self) -> None:
        self.checkedChanged.emit(self.checked)

    def close(self) -> None:
        """Stop following the document; the window closes."""
        self._check_timer.stop()
