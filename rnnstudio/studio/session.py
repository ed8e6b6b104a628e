"""What all panels of one window share: the document, its check, where the person looks, and the state of training.

A panel is a QWidget that takes a Session: it reads `session.design` and `session.checked`, changes things with
`session.do(edit)`, and follows the signals. It never holds a design of its own. All of this lives on the window's
thread and imports no torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from ..compiler.check import Checked, Checker
from ..compiler.diagnostics import Diagnostic
from ..compiler.lacking import MISSING, missing
from ..compiler.units import with_units
from ..design import storage
from ..design.design import Design
from ..design.edits import Edit, Restore, SetData
from ..design.errors import StudioError
from ..design.history import Change, Document
from ..design.standing import ChangedElsewhere, Standing, standing, standing_of, what_changed
from ..loading import Loaded, load_plugins
from .background import Background
from .focus import Focus
from .own_cells import OwnCells

SMALL = 250
"""Nodes, those of its cells included, of a design that is checked at once."""


@dataclass(frozen=True)
class Elsewhere:
    """What somebody else made of the open design's file. told: in one line, for people."""

    path: Path
    found: Standing
    told: str


class Session(QObject):
    """Owner of the Document and the Checker.

    Signals:
    - changing(): an edit, undo or redo, or another document, is about to come: what holds on to the design lets go;
    - designChanged(Change): after every edit, undo, redo, and after another document was opened (edit is None then);
    - opened(): another document took the place of the old one (sent before designChanged);
    - checkedChanged(Checked): a new check is ready, once after a burst of changes; `checked` is always up to date;
    - pathChanged(), dirtyChanged(bool), message(str), failed(StudioError);
    - elsewhere(Elsewhere): somebody else wrote or deleted the design's file; nothing was done about it yet;
    - readOnly(str): somebody tried to change the library cell of that name, which did nothing;
    - undone(): a step is about to be undone or redone.

    Training is not its business: `live.Live` owns that.
    """

    changing = Signal()
    designChanged = Signal(object)
    opened = Signal()
    checkedChanged = Signal(object)
    pathChanged = Signal()
    dirtyChanged = Signal(bool)
    elsewhere = Signal(object)
    asBefore = Signal()
    readOnly = Signal(str)
    undone = Signal()
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
        self.unfinished: list[Callable[[], StudioError | None]] = []
        """Each form says whether something typed in it cannot be taken, before what is drawn is used."""
        self.stands: Standing | None = None
        """What the design's file held when it was last read or written here; None while it has no file."""
        self._told: Standing | None = None
        self.own_cells = OwnCells(self)
        self.insisted = False
        self._checker = Checker(self.catalog)
        self._checked = self._checker.check(self.document.design)
        self._was_dirty = False
        self._end_watch = self.document.subscribe(self._follow)
        self._check_timer = QTimer(self, singleShot=True, interval=self.CHECK_AFTER_MS)
        self._check_timer.timeout.connect(self._check_soon)
        self._checking = Background(self)
        self._checking.done.connect(self._take_check)

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
        design = self.document.design
        if self._checked.design is not design:
            self._checked = self._checker.check(design)
        return self._checked

    @property
    def seen(self) -> Checked:
        """The check to show: of a large design the last one made, until `checkedChanged` tells of the next."""
        return self.checked if self.small else self._checked

    @property
    def small(self) -> bool:
        """Whether checking the whole design takes no longer than one sees."""
        design = self.document.design
        return len(design.graph.nodes) + sum(len(c.graph.nodes) for c in design.cells.values()) <= SMALL

    def trial(self, design: Design) -> Checked:
        """The check of a design that is not the document's: what an edit would lead to."""
        return self._checker.check(design)

    def quiet(self, checked: Checked) -> frozenset[Diagnostic]:
        """What is only not there yet, and so not told as a problem before the person asks to train."""
        return frozenset() if self.insisted else missing(checked)

    def severity(self, diagnostic: Diagnostic, quiet: frozenset[Diagnostic]) -> str:
        """How loudly a diagnostic is told: "error", "warning", "hint", or "missing"."""
        return MISSING if diagnostic in quiet else diagnostic.severity

    def insist(self) -> None:
        """The person asked to train: whatever is in the way is told as an error, until the drawing is sound."""
        if not self.insisted and not self.checked.ok:
            self.insisted = True
            self.checkedChanged.emit(self.checked)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What keeps the design from being trained."""
        return self.checked.errors

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is wrong with the studio itself, whatever the drawing: plugins that could not be loaded."""
        return tuple(Diagnostic("PluginFailed", "warning", problem.text()) for problem in self.plugins.problems)

    # Changes

    def is_fixed(self, cell: str) -> bool:
        """Whether the design's cell of that name is the library's, which is the same in every design."""
        there = self.design.cells.get(cell)
        return there is not None and self.catalog.draws(there)

    def refuses(self) -> bool:
        """Whether the drawing that is shown may not be changed; `readOnly` says so then."""
        graph = self.focus.graph
        if graph and self.is_fixed(graph):
            self.readOnly.emit(graph)
            return True
        return False

    def do(self, edit: Edit, merge: str = "") -> bool:
        """Apply an edit. A StudioError is sent as `failed`, nothing has changed then, and False is returned.

        A library cell is changed by no edit but to what the library draws today: `readOnly` is sent.
        """
        self.changing.emit()
        try:
            if cell := self._library_cell_changed(edit):
                self.readOnly.emit(cell)
                return False
            self.document.do(with_units(edit, self.design, self.catalog), merge=merge)
        except StudioError as error:
            self.failed.emit(error)
            return False
        return True

    def _library_cell_changed(self, edit: Edit) -> str:
        """The library cell that an edit would change, "" for none. Raises StudioError when the edit does not fit."""
        before = self.design
        if not before.cells:
            return ""
        after = edit.apply(before).cells
        for name, cell in before.cells.items():
            now = after.get(name)
            if now is None or now is cell or now == cell or not self.catalog.draws(cell):
                continue
            if now != self.catalog.definition(name):
                return name
        return ""

    def undo(self) -> None:
        self.changing.emit()
        self.undone.emit()
        self.document.undo()

    def redo(self) -> None:
        self.changing.emit()
        self.undone.emit()
        self.document.redo()

    # Files

    def new(self, design: Design | None = None) -> None:
        """Start an unnamed document, empty or with `design`. Unsaved changes are the caller's care."""
        self._become(Document(design), Path.cwd())

    def open(self, path: Path) -> bool:
        """Open a design file. When it is damaged the document stays as it was, and `failed` says why."""
        path = Path(path).resolve()
        try:
            text = storage.read_text(path)
            design = storage.loads(text, str(path))
        except StudioError as error:
            self.failed.emit(error)
            return False
        self._become(Document(design, path), path.parent, standing_of(text.encode("utf-8")))
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

    def show(self, design: Design, base: Path) -> None:
        """Open the drawing of a run: unnamed, with its data found from `base`."""
        self._become(Document(design), base)

    def recover(self, design: Design, path: Path | None, base: Path, stands: Standing | None = None) -> None:
        """Take over a design a crash left behind: it belongs to `path`, and is unsaved. stands: what `path` held."""
        document = Document(Design(), path)
        document.do(Restore(design))
        self._become(document, base, stands)

    def save(self) -> bool:
        """Write to the design's own file. False when it has none or it cannot be written."""
        return self.path is not None and self.save_as(self.path)

    def save_as(self, path: Path, *, over: bool = False) -> bool:
        """Write to `path` and belong to it. If it cannot be written all stays as it was, and `failed` says why.

        The design's own file is not written over when somebody else has changed or deleted it: `elsewhere` tells. With
        `over` it is.
        """
        path = Path(path).resolve()
        moved = self._data_seen_from(path.parent)
        design = self.design if moved is None else moved.apply(self.design)
        own = path == self.path
        try:
            stands = storage.save(design, path, self.stands if own and not over else None)
        except ChangedElsewhere:
            self.tell_again()
            return False
        except StudioError as error:
            self.failed.emit(error)
            return False
        if moved is not None:
            self.document.do(moved)
        self.stands = self._told = stands
        self.document.saved(path)
        self.base_folder = path.parent
        self.pathChanged.emit()
        self._announce_dirty()
        self.message.emit(f"Saved {path.name}")
        return True

    def look_at_file(self) -> None:
        """Whether the design's file is still what was read or written here.

        `elsewhere` tells once of each change, `asBefore` of a change that was taken back.
        """
        if self.path is None or self.stands is None:
            return
        found = standing(self.path)
        if found == self.stands:
            if self._told not in (None, found):
                self.asBefore.emit()
            self._told = None
        elif found != self._told:
            self._told = found
            self.elsewhere.emit(Elsewhere(self.path, found, self._what_changed(found)))

    def tell_again(self) -> None:
        """What was told of the file came to nothing: tell it once more."""
        self._told = None
        self.look_at_file()

    def _what_changed(self, found: Standing) -> str:
        assert self.path is not None
        if not found.there:
            return "It was deleted or moved away."
        try:
            now = storage.load(self.path)
        except StudioError as error:
            return f"It can no longer be opened: {error}"
        before = self.document.saved_design
        if before == Design():  # of a recovered copy it is not known what the file once held
            before = self.design
        unsaved = " There are unsaved changes here, too." if self.dirty else ""
        return f"It differs in: {what_changed(before, now)}.{unsaved}"

    def _data_seen_from(self, folder: Path) -> SetData | None:
        """The edit that keeps a relative data path true when the design moves to another folder."""
        recipe = self.design.data
        if recipe is None or recipe.made or folder == self.base_folder or not recipe.path:
            return None
        if Path(recipe.path).is_absolute():
            return None
        file = (self.base_folder / recipe.path).resolve()
        inside = file.is_relative_to(folder)
        return SetData(recipe.replace(path=os.path.relpath(file, folder) if inside else str(file)))

    def _become(self, document: Document, base: Path, stands: Standing | None = None) -> None:
        self.changing.emit()
        before = self.document.design
        self.stands, self._told = stands, None
        self._end_watch()
        self.document = document
        self.base_folder = base
        self._end_watch = document.subscribe(self._follow)
        self._checker = Checker(self.catalog)
        self.insisted = False
        self.focus.reset()
        self.opened.emit()
        self.pathChanged.emit()
        self._follow(Change(before, document.design, None))

    def _follow(self, change: Change) -> None:
        self.focus.follow(change.before, change.after)
        self.designChanged.emit(change)
        self._announce_dirty()
        self._check_timer.start()

    def _announce_dirty(self) -> None:
        if self.dirty != self._was_dirty:
            self._was_dirty = self.dirty
            self.dirtyChanged.emit(self._was_dirty)

    def _check_soon(self) -> None:
        """Check a small design at once, a large one beside the window's thread."""
        design, checker = self.document.design, self._checker
        if self.small or self._checked.design is design:
            self._checking.forget()
            self._tell_check(self.checked)
        else:
            self._checking.ask(lambda: checker.check(design))

    def _take_check(self, checked: Checked) -> None:
        if checked.design is self.document.design:
            if self._checked.design is not checked.design:
                self._checked = checked
            self._tell_check(self._checked)

    def _tell_check(self, checked: Checked) -> None:
        self.insisted = self.insisted and not checked.ok
        self.checkedChanged.emit(checked)

    def close(self) -> None:
        """Stop following the document; the window closes."""
        self._check_timer.stop()
        self._checking.forget()
