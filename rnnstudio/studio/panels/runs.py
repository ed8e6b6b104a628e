"""The runs of this design: shown in the plots beside the live one, gone on with, exported, deleted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QIcon, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QMessageBox,
    QPushButton,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rnnstudio.design.errors import StudioError
from rnnstudio.training.events import Finished, Validated
from rnnstudio.training.runs import Run, list_runs

from ..background import Background
from ..live import Live, runs_folder
from ..plots.chart import number
from ..plots.curves import Curves, duration
from ..plots.gradients import swatch
from ..plots.look import current_look
from ..session import Session
from ..theme import SPACE
from .forms import note

STATES = {
    "running": "training",
    "paused": "paused",
    "finished": "done",
    "stopped": "stopped",
    "failed": "failed",
    "interrupted": "interrupted",
}


@dataclass(frozen=True)
class _Row:
    """One run as the table shows it."""

    folder: Path
    state: str
    best: float | None
    steps: int
    seconds: float
    started: str
    has_model: bool
    goes_on: int | None
    """The step that it can be resumed from; None: nothing whole was saved."""


class RunsPanel(QWidget):
    """A table of run folders with state, best loss, duration. A tick shows a run's curves in the plots.

    Signals: exportWanted(Path) with the run's folder; loaded() when the table has been filled anew.
    """

    exportWanted = Signal(object)
    loaded = Signal()

    COLUMNS = ("Run", "State", "Best", "Steps", "Time", "Started")

    def __init__(self, session: Session, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.live = live
        self._reader = Background(self)
        self._reader.done.connect(self._fill)
        self._reader.failed.connect(session.failed)
        self._curves = Background(self)
        self._curves.done.connect(live.compare)
        self._curves.failed.connect(self._not_readable)
        self._wanted: list[Path] = []
        self._rows: list[_Row] = []

        self.table = QTreeWidget()
        self.table.setHeaderLabels(list(self.COLUMNS))
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setAlternatingRowColors(True)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._menu)
        header = self.table.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.itemChanged.connect(self._ticked)
        self.table.currentItemChanged.connect(self._update_buttons)
        self.empty = note("No runs yet. Press Train, and each run will be listed here with what it reached.")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setMargin(24)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.table)

        self.go_on_button = self._button("Resume", "Go on from the last checkpoint", self.go_on)
        self.export_button = self._button("Export …", "Write the trained model to files of its own", self._export)
        self.folder_button = self._button("Open folder", "Show the run's files", self._open_folder)
        self.delete_button = self._button("Delete …", "Delete the run with its checkpoints", self.delete)
        hint = QLabel("Tick runs to compare them in the plots.")
        hint.setProperty("role", "faint")
        buttons = QHBoxLayout()
        buttons.setContentsMargins(SPACE, SPACE // 2, SPACE, SPACE // 2)
        buttons.setSpacing(4)
        for button in (self.go_on_button, self.export_button, self.folder_button, self.delete_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(hint)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.stack, 1)
        layout.addLayout(buttons)

        session.opened.connect(self.reload)
        session.pathChanged.connect(self.reload)
        live.stateChanged.connect(self.reload)
        live.curvesReplaced.connect(self._show_ticks)
        live.validated.connect(self._show_progress)
        self._update_buttons()

    def _button(self, text: str, tip: str, action: Callable[[], object]) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: action())
        return button

    # --- the table

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reload()

    def reload(self) -> None:
        """Read the runs' folder again, in a thread."""
        folder, own = runs_folder(self.session.path), self.session.path is not None
        name = "" if own else self.session.design.name
        self._reader.ask(lambda: _read(folder, name))

    def _fill(self, rows: list[_Row]) -> None:
        chosen = self.selected
        self._rows = rows
        self.table.blockSignals(True)
        self.table.clear()
        for row in rows:
            texts = [
                row.folder.name,
                STATES.get(row.state, row.state),
                "–" if row.best is None else number(row.best),
                f"{row.steps:,}",
                duration(row.seconds),
                row.started,
            ]
            item = QTreeWidgetItem(texts)
            item.setData(0, Qt.ItemDataRole.UserRole, row.folder)
            item.setToolTip(0, str(row.folder))
            for place in (2, 3, 4):
                item.setTextAlignment(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.addTopLevelItem(item)
            if row.folder == chosen:
                self.table.setCurrentItem(item)
        if self.table.currentItem() is None and rows:
            self.table.setCurrentItem(self._items()[0][0])
        self.table.blockSignals(False)
        self.stack.setCurrentWidget(self.table if rows else self.empty)
        self._show_ticks()
        self._update_buttons()
        self.loaded.emit()

    def _show_ticks(self) -> None:
        """A tick and a colour beside each run that the plots show; the live one cannot be unticked."""
        look = current_look()
        shown = {curves.folder: place for place, curves in enumerate(self.live.shown_runs())}
        self.table.blockSignals(True)
        for item, folder in self._items():
            on = folder in shown or folder in self._wanted
            item.setCheckState(0, Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            alive = self.live.alive and folder == self.live.run_folder
            flags = item.flags() | Qt.ItemFlag.ItemIsUserCheckable
            item.setFlags(flags & ~Qt.ItemFlag.ItemIsUserCheckable if alive else flags)
            item.setIcon(0, swatch(look.colour(shown[folder])) if folder in shown else QIcon())
        self.table.blockSignals(False)

    def _items(self) -> list[tuple[QTreeWidgetItem, Path]]:
        places = range(self.table.topLevelItemCount())
        items = [item for place in places if (item := self.table.topLevelItem(place))]
        return [(item, item.data(0, Qt.ItemDataRole.UserRole)) for item in items]

    def _show_progress(self, event: Validated) -> None:
        """The row of the run that trains, without reading the disk."""
        curves = self.live.curves
        for item, folder in self._items():
            if folder == curves.folder and curves.best_validation is not None:
                item.setText(2, number(curves.best_validation))
                item.setText(3, f"{event.step:,}")
                item.setText(4, duration(event.seconds))

    def _ticked(self, item: QTreeWidgetItem, column: int) -> None:
        folder = item.data(0, Qt.ItemDataRole.UserRole)
        if column != 0:
            return
        if item.checkState(0) == Qt.CheckState.Checked:
            self.show_run(folder)
        else:
            self._wanted = [other for other in self._wanted if other != folder]
            self.live.forget(folder)

    def show_run(self, folder: Path) -> None:
        """Load a run's curves into the plots. Runs asked for meanwhile follow one after the other."""
        if folder not in self._wanted and folder not in self.live.compared:
            self._wanted.append(folder)
            if len(self._wanted) == 1:
                self._load_next()

    def _load_next(self) -> None:
        if not self._wanted:
            return
        folder = self._wanted[0]
        self._curves.done.connect(self._loaded_one, Qt.ConnectionType.UniqueConnection)
        self._curves.ask(lambda: Curves.stored(Run.open(folder)))

    def _loaded_one(self) -> None:
        self._wanted = self._wanted[1:]
        self._show_ticks()
        self._load_next()

    def _not_readable(self, error: StudioError) -> None:
        self.session.failed.emit(error)
        self._loaded_one()

    # --- what is done with a run

    @property
    def selected(self) -> Path | None:
        """The folder of the selected run."""
        item = self.table.currentItem()
        return None if item is None else item.data(0, Qt.ItemDataRole.UserRole)

    def select(self, folder: Path) -> None:
        for item, other in self._items():
            if other == folder:
                self.table.setCurrentItem(item)

    def _row(self) -> _Row | None:
        return next((row for row in self._rows if row.folder == self.selected), None)

    def _update_buttons(self) -> None:
        row = self._row()
        alive = self.live.alive and row is not None and row.folder == self.live.run_folder
        resumable = row is not None and row.goes_on is not None
        self.go_on_button.setEnabled(resumable and not self.live.alive)
        if row is None:
            tip = "Go on from the last checkpoint"
        elif row.goes_on is None:
            tip = "Nothing whole was saved that it could go on from"
        else:
            tip = f"Go on from step {row.goes_on:,}"
        self.go_on_button.setToolTip(tip)
        self.export_button.setEnabled(row is not None and row.has_model)
        self.folder_button.setEnabled(row is not None)
        self.delete_button.setEnabled(row is not None and not alive and row.state not in ("running", "paused"))

    def _menu(self, place: QPoint) -> None:
        if self.selected is None:
            return
        menu = QMenu(self)
        for button in (self.go_on_button, self.export_button, self.folder_button, self.delete_button):
            action = menu.addAction(button.text())
            action.setEnabled(button.isEnabled())
            action.triggered.connect(button.click)
        row = self._row()
        menu.addSeparator()
        begin = menu.addAction("Begin the next training with its weights")
        begin.setEnabled(row is not None and row.has_model and not self.live.alive)
        begin.triggered.connect(self.begin_with)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.table.viewport().mapToGlobal(place))

    def go_on(self) -> None:
        if self.selected is not None:
            self.live.go_on(self.selected)

    def begin_with(self) -> None:
        """The next training begins with this run's weights, where they fit; the training panel says what is kept."""
        if self.selected is not None:
            self.live.beginning.offer(self.selected, chosen=True)

    def _export(self) -> None:
        if self.selected is not None:
            self.exportWanted.emit(self.selected)

    def _open_folder(self) -> None:
        if self.selected is not None and not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.selected))):
            self.session.message.emit(f"The run lies in {self.selected}")

    def delete(self) -> None:
        """Ask, then delete the run's folder."""
        folder = self.selected
        if folder is None:
            return
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Delete run")
        box.setText(f"Delete the run “{folder.name}”?")
        box.setInformativeText("Its curves and its trained model are lost. This cannot be undone.")
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Keep", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.exec()
        sure = box.clickedButton() is delete
        box.deleteLater()
        if not sure:
            return
        try:
            shutil.rmtree(folder)
        except OSError as error:
            self.session.failed.emit(
                StudioError(
                    f"The run cannot be deleted: {error.strerror}",
                    where=str(folder),
                    remedy="Is one of its files open elsewhere?",
                )
            )
        self.live.forget(folder)
        self.reload()


def _read(folder: Path, name: str) -> list[_Row]:
    """Runs in a thread. name: only runs of that design ("" = all). A run that cannot be read has no numbers."""
    rows = []
    for run in list_runs(folder):
        stem, _, count = run.name.rpartition("-")
        if name and not (stem == name and count.isdigit()):
            continue
        best, steps, seconds = None, 0, 0.0
        try:
            events = run.events()
        except StudioError:
            events = []  # the row says where it stands; what is wrong is told when a person opens it
        for event in events:
            steps, seconds = max(steps, event.step), max(seconds, event.seconds)
            if isinstance(event, Validated):
                best = event.loss if best is None else min(best, event.loss)
            elif isinstance(event, Finished) and best is None:
                best = event.best_validation_loss
        saved = run.has("last") or run.has("best")
        goes_on = run.step_to_resume()  # reads all of it, for its digest: here, in the thread that fills the table
        rows.append(_Row(run.folder, run.state, best, steps, seconds, _when(run), saved, goes_on))
    return rows


def _when(run: Run) -> str:
    try:
        return datetime.fromisoformat(str(run.info.get("started", ""))).strftime("%d %b %H:%M")
    except ValueError:
        return ""
