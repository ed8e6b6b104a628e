"""Chooses the file a design learns from, and shows its first rows as the model will see them.

A file is looked at in a thread; what the panel shows and what the design holds stay as they were until it has been
read. The design changes only with "Use this data", as one edit that can be undone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QFontMetrics
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from rnnstudio import data
from rnnstudio.compiler.binding import bind
from rnnstudio.compiler.units import unscaled
from rnnstudio.data import readers
from rnnstudio.data.formats.csv_file import TableReader
from rnnstudio.data.options import FILE_OPTIONS, renamed
from rnnstudio.data.problems import Problem
from rnnstudio.data.whereabouts import MissingFileError, changes, is_same, relinked
from rnnstudio.design.design import MAIN
from rnnstudio.design.edits import Compound, Edit, SetData
from rnnstudio.design.errors import StudioError
from rnnstudio.design.history import Change
from rnnstudio.design.recipe import JSON, DataRecipe
from rnnstudio.training.settings import TrainingSettings

from ..background import Background
from ..proposing import drawn_for
from ..session import Session
from ..theme import SPACE, current, monospace
from .class_weights import ClassWeights
from .counts import CountsPicture
from .data_look import Look, Looking, file_filter, in_lines, is_beginning_of, reads_the_same
from .elided import Elided
from .examples import ExamplePicture
from .field_list import FieldList
from .forms import Combo, Spin, align_labels, form_of, note, sentence
from .missing_file import MissingFileRow
from .packed_form import PackedForm
from .parts import PartsPicture
from .problem_list import ProblemList
from .reader_forms import ReaderForm, RecordForm
from .reading_bar import ReadingBar
from .row_table import RowTable
from .split_form import DividingForm, SplitForm
from .table_form import TableForm

LOOK_AFTER_MS = 120
"""A changed option is looked at after this pause in typing."""


class DataPanel(QWidget):
    """File, preview, reader options, statistics; "Use this data" is a SetData edit, "Draw a network" one that draws.

    Signals: looked() whenever a file has been looked at, well or in vain; drawn() when a network was.
    """

    looked = Signal()
    drawn = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.preview: data.Preview | None = None
        self._recipe: DataRecipe | None = None
        self._of_design = False
        self._named_in: JSON = None
        """The encoding that columns were last read in: one that cannot read the file changes no name."""
        self.setAcceptDrops(True)
        self._background = Background(self)
        self._background.done.connect(self._show)
        self._background.failed.connect(self._show_failure)
        self._timer = QTimer(self, singleShot=True, interval=LOOK_AFTER_MS)
        self._timer.timeout.connect(self._look_again)

        self.choose_button = QPushButton("Choose file …")
        self.choose_button.setToolTip("Open a data file (or drop one here, or a folder of texts)")
        self.choose_button.clicked.connect(self._choose)
        self.task_button = QPushButton("Task …")
        self.task_button.setToolTip("Examples that are made: the adding problem, copy, Mackey-Glass and others")
        self.task_button.setMenu(self._tasks())
        self.file_label = Elided()
        self.error = note("", "problem")
        self.error.hide()
        self.missing = MissingFileRow()
        self.missing.found.connect(self._relink)
        self.missing.sought.connect(self._find)
        self.changed_note = note("")
        self.changed_note.hide()
        self._told: tuple[str, str] | None = None
        """What a change was told of: the path and the fingerprint."""
        self.empty = note(
            "Drop a data file or a folder here, or choose one.\n\nThe network learns from it; where there is none yet, "
            "one can be drawn for it."
        )
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)

        self.reader = Combo(
            *((reader.title, reader.name) for reader in readers.every()), tip="How the file is understood"
        )
        self.reader.activated.connect(self._reader_chosen)
        every = readers.every()
        self.table_forms = {own.name: TableForm(own.Options) for own in every if isinstance(own, TableReader)}
        self.table_form = self.table_forms["csv"]
        self.record_forms = {own.name: RecordForm(own.Options) for own in every if not isinstance(own, TableReader)}
        self.reader_forms: dict[str, ReaderForm] = {**self.table_forms, **self.record_forms}
        self.split_form = SplitForm()
        self.packed_form = PackedForm()
        self.packed_form.memberChosen.connect(self._member_chosen)
        self.dividing_form = DividingForm()
        forms = (*self.reader_forms.values(), self.packed_form, self.dividing_form)
        for changed in (*(form.changed for form in forms), self.split_form.changed):
            changed.connect(self._changed)
        self.summary = note("")
        self.problems = ProblemList()
        self.problems.chosen.connect(self._show_problem)
        self.excerpt = QPlainTextEdit()
        self.excerpt.setReadOnly(True)
        self.excerpt.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.excerpt.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.excerpt.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.excerpt.setFont(monospace())
        self.excerpt.setFixedHeight(6 * QFontMetrics(self.excerpt.font()).lineSpacing() + 12)
        self.fields = FieldList(self._in_use)
        self.examples = ExamplePicture()
        self.parts = PartsPicture()
        self.class_weights = ClassWeights(session)
        self.counts = CountsPicture()
        self.table = RowTable()
        self.table.columnMenuWanted.connect(self._column_menu)
        self.use_button = QPushButton("Use this data")
        self.use_button.setToolTip("Put this file and these options into the design (can be undone)")
        self.use_button.clicked.connect(self.use)
        self.draw_button = QPushButton("Draw a network")
        self.draw_button.setToolTip(
            "Draw a network for this data, ready to be trained; a drawing that is there gives way (can be undone)"
        )
        self.draw_button.clicked.connect(self.draw_network)
        self.back_button = QPushButton("Back")
        self.back_button.setToolTip("Show the design's own data again")
        self.back_button.clicked.connect(self._show_design)
        self.state = note("")
        self.reading = ReadingBar(self._background)
        self.reading.stopped.connect(self._stopped)
        self.read_button = QPushButton("Read it all")
        self.read_button.setToolTip("Read the file to its end, so that the network can learn from it")
        self.read_button.clicked.connect(self._read_all)
        self._lay_out()
        session.unfinished.append(self.unfinished)
        session.designChanged.connect(self._follow)
        self._show_design()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.choose_button)
        top.addWidget(self.task_button)
        top.addWidget(self.file_label, 1)
        self.details = QWidget()
        reader = QWidget()
        form = form_of(reader)
        form.addRow("Read as", self.reader)
        split = QWidget()
        split_rows = form_of(split)
        split_rows.addRow("Shares", self.split_form)
        split_rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)  # the widest of all rows
        forms = (*self.reader_forms.values(), self.dividing_form)
        labelled = (rows for own in forms for rows in own.forms)
        align_labels(form, split_rows, *self.packed_form.forms, *labelled)
        inner = QVBoxLayout(self.details)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(SPACE)
        # What the guess leads to comes first; how to change it below.
        for widget in (reader, self.summary, self.fields, self.examples, note("How it is read", "section")):
            inner.addWidget(widget)
        forms_of_file = (self.packed_form, *self.reader_forms.values())
        for widget in (*forms_of_file, note("How it is divided", "section"), split):
            inner.addWidget(widget)
        for widget in (self.dividing_form, self.parts, self.class_weights):
            inner.addWidget(widget)
        self.rows_title, self.counts_title = note("Rows", "section"), note("How often", "section")
        for widget in (self.counts_title, self.counts, self.rows_title, self.excerpt):
            inner.addWidget(widget)
        inner.addWidget(self.table, 1)
        inner.addStretch()  # takes the room where there is no table
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        column.setSpacing(SPACE)
        column.addLayout(top)
        column.addWidget(self.error)
        column.addWidget(self.missing)
        column.addWidget(self.changed_note)
        column.addWidget(self.problems)  # before the options: what is wrong is seen without scrolling
        column.addWidget(self.empty, 1)
        column.addWidget(self.details, 1)
        column.addStretch()  # takes the room where only a missing file is told
        self.area = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(content)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.bottom = QWidget()
        rows = QVBoxLayout(self.bottom)
        rows.setContentsMargins(SPACE, SPACE // 2, SPACE, SPACE)
        rows.setSpacing(SPACE // 2)
        rows.addWidget(self.state)
        rows.addWidget(self.reading)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.back_button, self.read_button, self.draw_button, self.use_button):
            buttons.addWidget(button)
        rows.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.bottom)
        self.setMinimumWidth(270)

    def sizeHint(self) -> QSize:
        return QSize(330, 620)

    # --- a file

    def open_file(self, path: Path | str) -> None:
        """Look at a file and propose how to read it; nothing changes when it cannot be read."""
        path, looking = Path(path).expanduser().absolute(), self._looking()
        self._of_design = False
        self._timer.stop()
        self._ask(lambda: looking.look(looking.relative(data.guess(path))), f"Reading {path.name} …")

    def _tasks(self) -> QMenu:
        menu = QMenu(self)
        for task in (reader for reader in readers.every() if reader.made):
            action = menu.addAction(sentence(task.title.removeprefix("task: ")))
            action.setToolTip(sentence(task.what))
            action.triggered.connect(lambda checked=False, name=task.name: self.open_task(name))
        return menu

    def open_task(self, name: str) -> None:
        """Look at the examples that a task makes as it comes; see open_file."""
        self._of_design = False
        self._timer.stop()
        self._look_at(data.guess(name))

    def _choose(self) -> None:
        none = self._recipe is None or self._recipe.made
        start = self.session.base_folder if none else self._file().parent
        chosen, _ = QFileDialog.getOpenFileName(self, "Data to learn from", str(start), file_filter())
        if chosen:
            self.open_file(chosen)

    def _file(self) -> Path:
        assert self._recipe is not None
        return data.resolve(self._recipe.path, self.session.base_folder)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self._mark_drop(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._mark_drop(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._mark_drop(False)
        files = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if files:
            event.acceptProposedAction()
            self.open_file(files[0])

    def _mark_drop(self, on: bool) -> None:
        accent = current().accent
        self.setStyleSheet(f"DataPanel {{ border: 2px solid {accent}; }}" if on else "")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground, on)

    # --- options

    def _changed(self) -> None:
        self._of_design = False
        self._timer.start()
        self._update_buttons()

    def _reader_chosen(self) -> None:
        if self._recipe is None or self.reader.currentData() == self._recipe.reader:
            return
        reader, old, looking = readers.find(self.reader.currentData()), self._recipe, self._looking()
        file, chosen = self._file(), self.packed_form.options()
        self._of_design = False
        self._ask(lambda: looking.look(data.guess_with(reader, file, old.path, chosen).replace(path=old.path)))

    def _member_chosen(self, member: str) -> None:
        """Another file of the archive: it may be of another kind."""
        assert self._recipe is not None
        file, looking, chosen = self._file(), self._looking(), self.packed_form.options()
        self._of_design = False
        self._ask(lambda: looking.look(looking.relative(data.guess(file, chosen))))

    def _look_again(self) -> None:
        if self._recipe is None:
            return
        reader = self._recipe.reader
        form = self.reader_forms.get(reader)  # none where the plugin is missing: its options stay
        options = self._recipe.options if form is None else form.options()
        if options.get("encoding") not in (None, self._named_in):
            named = renamed(readers.find(reader).Options, options, self._named_in, options["encoding"])
            if named is not None:
                options, self._named_in = named, options["encoding"]
        options = {k: v for k, v in options.items() if k not in FILE_OPTIONS} | self.packed_form.options()
        try:
            divided = self.dividing_form.dividing()
            recipe = DataRecipe(reader, self._recipe.path, options, self.split_form.split(), dividing=divided)
        except StudioError as error:
            self._show_failure(error)
            return
        self._look_at(recipe)

    def _look_at(self, recipe: DataRecipe, whole: bool = False) -> None:
        looking = self._looking()
        # Of a large file that the design has learned from already its beginning is enough to be shown.
        fit = whole or not (self._of_design and recipe.fields)
        self._ask(lambda: looking.look(recipe, whole, fit), "Reading all of it …" if whole else "Reading …")

    def _ask(self, look: Callable[[], Look], text: str = "Reading …") -> None:
        self._background.ask(look)
        self.state.setText(text)
        self.bottom.show()
        self.reading.begin()
        self._update_buttons()

    def _looking(self) -> Looking:
        """The design as it is now: the targets of losses of probabilities are not scaled."""
        design, catalog = self.session.design, self.session.catalog
        settings = TrainingSettings(**design.training)
        return Looking(
            self.session.base_folder,
            lambda dataset: dataset.as_in_file(unscaled(design.replace(data=dataset.recipe), catalog)),
            (settings.batch_size, settings.chunk),
        )

    def _stopped(self) -> None:
        """A person called the reading off: what is shown and what the design holds stay."""
        if self.preview is None:
            self.bottom.hide()
            if self.session.design.data is None:
                self.empty.show()
        self._update_buttons()
        self.looked.emit()

    def _read_all(self) -> None:
        assert self._recipe is not None
        self._look_at(self._recipe, whole=True)

    # --- what was found

    def _show(self, look: Look) -> None:
        preview = look.preview
        self.preview = preview
        other = self._recipe is None or self._recipe.path != preview.recipe.path
        self._recipe = recipe = preview.recipe
        if preview.usable or other:
            self._named_in = recipe.options.get("encoding")
        self.error.hide()
        self.missing.put(None)
        self.empty.hide()
        self.details.show()
        self._tell_changes(recipe)
        self.bottom.show()
        self.file_label.put(recipe.path, str(self._file()))
        self.reader.put(recipe.reader)
        for name, form in self.reader_forms.items():
            form.setVisible(name == recipe.reader)
        for table in self.table_forms.values():
            table.kinds = look.columns
        if recipe.reader in self.reader_forms:
            self.reader_forms[recipe.reader].put(recipe.options, tuple(look.columns))
        self.packed_form.put(recipe.options, look.members or ())
        self.packed_form.setVisible(look.members is not None)
        self.split_form.put(recipe.split)
        self.dividing_form.put_recipe(recipe.dividing, self.session.base_folder)
        self.summary.setText(in_lines(preview))
        self.summary.setVisible(bool(preview.summary))
        self.problems.put(preview.problems)
        self.fields.put(recipe)
        self.fields.setVisible(bool(recipe.fields))
        self.examples.put(preview.examples, self._window())
        self.examples.setVisible(bool(preview.examples))
        self.parts.put(preview.statistics)
        self.class_weights.put(preview.statistics.yes_or_no if preview.statistics is not None else {})
        self.counts.put(preview.statistics)
        for widget in (self.counts, self.counts_title):
            widget.setVisible(bool(self.counts.told))
        self.rows_title.setVisible(bool(preview.rows))
        self.excerpt.setVisible(bool(preview.excerpt))
        self.excerpt.setPlainText("\n".join(preview.excerpt.splitlines()[:40]))
        self.table.put(preview, tuple(look.columns))
        self.reading.end()
        if not preview.whole and not self._of_design and preview.usable:
            self._read_all()  # what is learned from it is learned from all of it
        self._update_buttons()
        self.looked.emit()

    def _window(self) -> int:
        """Steps of a training window of what is shown; 0: examples stay whole."""
        assert self.preview is not None
        if self.preview.statistics is None or not self.preview.statistics.cuttable:
            return 0
        asked = self.preview.recipe.options.get("window")
        chunk = self.session.design.training.get("chunk", TrainingSettings.model_fields["chunk"].default)
        return int(str(asked or chunk))

    def _show_failure(self, error: StudioError) -> None:
        """The file could not be read at all: what is shown and what the design holds stay."""
        kept = " The data shown below is unchanged." if self._recipe is not None else ""
        self.reading.end()
        self.error.setText(f"{sentence(str(error))}{kept}")
        self.error.show()
        self.missing.put(error if isinstance(error, MissingFileError) else None)
        if isinstance(error, MissingFileError):
            self.error.setText(f"{sentence(error.what)}.{kept}")
            self.file_label.put(error.where, error.where)
            if self._told != (mark := (error.where, "")):  # said once; the row stays
                self._told = mark
                self.session.message.emit(f"{sentence(error.what)}: see the data panel")
        self.bottom.setVisible(self._recipe is not None)
        self.details.setVisible(self._recipe is not None)
        self.empty.setVisible(self._recipe is None and not isinstance(error, MissingFileError))
        self._update_buttons()
        self.looked.emit()

    def _tell_changes(self, recipe: DataRecipe) -> None:
        """What the design's own file holds now that it did not: a quiet line, and one message, once."""
        told = changes(self.session.design.data, recipe) if self._of_design else ""
        self.changed_note.setText(told)
        self.changed_note.setVisible(bool(told))
        if told and self._told != (mark := (recipe.path, recipe.digest)):
            self._told = mark
            self.session.message.emit(told)

    # --- a file that is gone

    def _find(self) -> None:
        """Ask where the design's file is now."""
        start = self.session.base_folder
        title = f"Where is {self.missing.name}?"
        chosen, _ = QFileDialog.getOpenFileName(self, title, str(start), f"{self.missing.name};;All files (*)")
        if chosen:
            self._relink(Path(chosen))

    def _relink(self, place: Path) -> None:
        """The design reads its file from there. With the same content at once, as one step; any other is shown first,
        read in the design's way."""
        recipe, gone, base = self.session.design.data, self.missing.error, self.session.base_folder
        if recipe is None or gone is None:
            return
        new = relinked(recipe, gone.key, place, base)
        if place in gone.same or is_same(recipe, gone, place):
            if self.session.do(SetData(new)):
                self.session.message.emit(f"The design reads {place.name} from {place.parent}")
            return
        self._of_design = False
        self._look_at(new)

    def _column_menu(self, name: str, at: QPoint) -> None:
        """The menu of a column of the file; the table of any other reader has none."""
        table = next((form for form in self.table_forms.values() if form.isVisibleTo(self)), None)
        if table is not None and name in table.kinds:
            table.menu_of(name).popup(at)

    def _show_problem(self, problem: Problem) -> None:
        """Select the cell that a problem is about, where the table shows its row."""
        cell = self.table.show_cell(problem.line, problem.column)
        if cell is not None:
            self.area.ensureWidgetVisible(self.table)
        elif problem.line:
            self.session.message.emit(f"Line {problem.line:,} of the file has no row that could be shown")

    # --- the design

    def use(self) -> None:
        """Put what is shown into the design."""
        if self.use_button.isEnabled() and self.preview is not None:
            self._of_design = True
            edit: Edit = SetData(self.preview.recipe)
            # Inputs and targets that read fields which this data calls otherwise follow it, in the same step.
            bound = bind(edit.apply(self.session.design), self.session.catalog)
            if self.session.do(edit if bound is None else Compound((edit, bound), edit.title)):
                self.session.message.emit(f"The network now learns from {Path(self.preview.recipe.path).name}")
            self._update_buttons()

    def _in_use(self) -> bool:
        """Whether the design reads what is shown; it does from now on, where it can."""
        self.use()
        return self.preview is not None and not self.use_button.isEnabled() and self.preview.usable

    def lengths(self) -> tuple[dict[str, int], bool] | None:
        """Of the design's own data, where it was read: steps of the longest example by axis, the main one first, and
        whether examples may be cut.
        """
        preview, design = self.preview, self.session.design
        if preview is None or preview.statistics is None or design.data is None:
            return None
        if not reads_the_same(preview.recipe, design.data):
            return None
        seen = preview.statistics
        return {axis: found.most for axis, found in seen.lengths.items()}, seen.cuttable

    def draw_network(self) -> None:
        """Draw a network for what is shown, in one step."""
        if not self.draw_button.isEnabled() or self.preview is None:
            return
        self._of_design = True
        there = bool(self.session.design.graph.nodes)
        try:
            edit = drawn_for(self.preview, self.session)
        except StudioError as error:
            self.session.failed.emit(error)
            return
        if self.session.do(edit):
            design = self.session.design
            self.session.focus.show(MAIN)
            undo = "; undo brings the drawing before back" if there else ""
            self.session.message.emit(f"{design.doc} Press Train to begin{undo}.")
            self.drawn.emit()
        self._update_buttons()

    def unfinished(self) -> StudioError | None:
        """A field that cannot be read, or options that a person changed and the design does not have yet."""
        if not self.details.isVisibleTo(self):
            return None
        for spin in self.details.findChildren(Spin):
            if spin.isVisibleTo(self) and (reason := spin.finish()):
                spin.setFocus()
                return StudioError(
                    f"An option of the data cannot be used: {reason}",
                    where=f"data panel: {spin.toolTip()}",
                    remedy="Correct it, or leave the field for the value before.",
                )
        if self._timer.isActive() or (self.use_button.isEnabled() and not self._of_design):
            return StudioError(
                "The data panel shows data or options that the design does not use yet",
                where="data panel",
                remedy="Press “Use this data” there, or “Back” for those of the design.",
            )
        return None

    def _follow(self, change: Change) -> None:
        if change.edit is None:  # another document: nothing of the one before is shown, not even while this one is read
            self.preview, self._recipe = None, None
            self.details.hide()
            self.problems.hide()
            self.empty.hide()
            self.missing.put(None)
            self.changed_note.hide()
            self._told = None
            self.file_label.put("", "")
        if change.edit is None or change.before.data != change.after.data:
            if self.preview is not None and change.edit is not None and change.after.data == self.preview.recipe:
                self._update_buttons()
            else:
                self._show_design()
        elif bool(change.before.graph.nodes) != bool(change.after.graph.nodes):
            self._update_buttons()

    def _show_design(self) -> None:
        """Show the design's own data, or the empty state."""
        self._timer.stop()
        recipe = self.session.design.data
        self._of_design = True
        self.error.hide()
        self.missing.put(None)
        if recipe is None:
            self.changed_note.hide()
            self.problems.hide()
            self._background.forget()
            self.reading.end()
            self.preview, self._recipe = None, None
            self.file_label.put("", "")
            self.details.hide()
            self.bottom.hide()
            self.empty.show()
            return
        self._look_at(recipe)

    def _update_buttons(self) -> None:
        recipe = self.session.design.data
        busy = self._background.waiting or self._timer.isActive()
        shown = None if self.preview is None else self.preview.recipe
        # The design's own options may leave open ("auto") what reading the file has settled.
        same = False
        if shown is not None and recipe is not None:
            same = shown == recipe or (self._of_design and reads_the_same(shown, recipe))
        beginning = self.preview is not None and not self.preview.whole
        if beginning and self._of_design and shown is not None and recipe is not None:
            same = is_beginning_of(shown, recipe)
        usable = self.preview is not None and self.preview.usable and not beginning
        self.read_button.setVisible(beginning and not busy and not same)
        self.use_button.setEnabled(usable and not same and not busy)
        self.draw_button.setEnabled(usable and not busy)
        drawn = bool(self.session.design.graph.nodes)
        self.use_button.setDefault(usable and not same and drawn)
        self.draw_button.setDefault(usable and not drawn)
        self.back_button.setVisible(recipe is not None and not same and not busy and not self._of_design)
        if busy:
            return
        if same:
            self.state.setText("In use; its beginning is shown" if beginning else "In use")
        elif beginning:
            self.state.setText("Only its beginning was read")
        elif not usable:
            self.state.setText("Cannot be used yet")
        elif self._of_design:
            self.state.setText("The file gives other numbers than the design holds")
        else:
            self.state.setText("Not in use yet")
