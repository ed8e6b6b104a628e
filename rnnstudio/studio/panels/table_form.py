"""The options of tables as a form: what a row is, what each column holds and is for, and how the file is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rnnstudio.data.options import COLUMN_KINDS, SCALINGS, CsvOptions, TableOptions
from rnnstudio.design.recipe import JSON

from .forms import Combo, Fold, Spin, form_of, sentence
from .reader_forms import ENCODINGS, LARGEST, ReaderForm, RecordForm

BY_HAND = (
    *("mode", "inputs", "targets", "order", "group", "horizon", "missing", "kinds", "scaling"),
    *("window", "delimiter", "decimal", "header", "encoding"),
)
"""Options of tables that the form below has its own fields for; all others get a row by themselves."""
TITLES = {"number": "Number", "yes/no": "Yes or no", "label": "Class label", "text": "Text", "ignored": "Ignored"}


SHOWN = 400
"""Columns that have a line of their own; of wider tables the others keep what they are for."""


class TableForm(ReaderForm):
    """What a row is, which columns are fed and predicted, how far ahead; how the file is written stands in a fold.

    kind: the reader's options, of a table that is written as text or of one whose file says more by itself. kinds: of
    all columns, as they are read. A right click on a column changes what it holds and how it is scaled.
    """

    def __init__(self, kind: type[TableOptions] = CsvOptions) -> None:
        super().__init__()
        self._keep: dict[str, JSON] = {}
        self._beyond: frozenset[str] = frozenset()
        self.kinds: Mapping[str, str] = {}
        self.mode = Combo(
            ("is one step", "row_is_step"),
            ("is one sequence", "row_is_sequence"),
            tip="Whether time runs down the file or along each row",
        )
        self.columns = QTreeWidget()
        self.columns.setHeaderLabels(["Column", "input", "target", "holds"])
        self.columns.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.columns.customContextMenuRequested.connect(self._menu_at)
        self.columns.setRootIsDecorated(False)
        self.columns.setUniformRowHeights(True)
        self.columns.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.columns.setToolTip(
            "Inputs are fed to the network at each step, targets are what it must say; "
            "a right click changes what a column holds and how it is scaled"
        )
        header = self.columns.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place in (1, 2, 3):
            header.setSectionResizeMode(place, QHeaderView.ResizeMode.ResizeToContents)
        self.columns.itemChanged.connect(self._ticked)
        self.order = Combo(tip="The column that labels the steps, such as a year; rows are put in its order")
        self.group = Combo(tip="The column whose values tell sequences apart")
        self.horizon = Spin(0, LARGEST, tip="How many steps ahead the targets lie", suffix=" ahead", zero="same step")
        self.missing = Combo(
            ("are errors", "error"),
            ("repeat the value before", "previous"),
            ("leave out the row", "drop"),
            ("count for nothing", "mask"),
            tip="What to do with a cell that holds no value",
        )
        top = QWidget()
        form = form_of(top)
        form.addRow("Each row", self.mode)
        below = QWidget()
        self._form = form_of(below)
        self._form.addRow("Order", self.order)
        self._form.addRow("Group", self.group)
        self._form.addRow("Predict", self.horizon)
        self._form.addRow("Empty cells", self.missing)
        self.window_length = Spin(
            0, LARGEST, tip="Steps of one training window, where the sequence is longer", zero="chunk"
        )
        self.delimiter = Combo(
            ("automatic", "auto"),
            ("comma", ","),
            ("semicolon", ";"),
            ("tab", "\t"),
            ("bar |", "|"),
            ("spaces", "whitespace"),
            tip="What separates the columns",
        )
        self.decimal = Combo(("automatic", "auto"), ("point 3.5", "."), ("comma 3,5", ","), tip="The decimal mark")
        self.header = Combo(
            ("automatic", "auto"), ("yes", True), ("no", False), tip="Whether the first row holds names"
        )
        self.encoding = Combo(*ENCODINGS, tip="How the file's bytes are to be read")
        self.written = issubclass(kind, CsvOptions)
        self.how = Fold("How the file is written" if self.written else "More")
        of_text = (
            ("Delimiter", self.delimiter),
            ("Decimal mark", self.decimal),
            ("Header", self.header),
            ("Encoding", self.encoding),
        )
        for title, field in (*(of_text if self.written else ()), ("Window", self.window_length)):
            self.how.form.addRow(title, field)
        for _, field in () if self.written else of_text:
            field.setParent(self.how)
            field.hide()
        self.rest = RecordForm(kind, BY_HAND)
        self.rest.changed.connect(self._tell)
        self.how.form.addRow(self.rest)
        self.forms = (form, self._form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (top, self.columns, below, self.how):
            layout.addWidget(widget)
        self.mode.activated.connect(self._mode_chosen)
        combos = (self.order, self.group, self.missing)
        for combo in (*combos, self.delimiter, self.decimal, self.header, self.encoding):
            combo.activated.connect(self._tell)
        for spin in (self.horizon, self.window_length):
            spin.valueChanged.connect(self._tell)

    def put(self, options: Mapping[str, JSON], columns: Sequence[str] = ()) -> None:
        """Show a recipe's options, without a signal. columns: the names of all the file's columns."""
        self._keep = dict(options)
        self.mode.put(options.get("mode", "row_is_step"))
        inputs, targets = _names(options.get("inputs")), _names(options.get("targets"))
        # A recipe may name columns that the file no longer has; they are shown, so that they can be unticked.
        named = list(dict.fromkeys((*columns, *inputs, *targets)))
        names, self._beyond = named[:SHOWN], frozenset(named[SHOWN:])
        fed, wanted = frozenset(inputs), frozenset(targets)
        self.columns.blockSignals(True)
        self.columns.clear()
        for name in names:
            item = QTreeWidgetItem([name, "", "", self._held(name)])
            item.setToolTip(0, name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(1, _tick(name in fed))
            item.setCheckState(2, _tick(name in wanted))
            self.columns.addTopLevelItem(item)
        if self._beyond:
            more = QTreeWidgetItem([f"… {len(self._beyond):,} more"])
            more.setFlags(Qt.ItemFlag.NoItemFlags)
            self.columns.addTopLevelItem(more)
        self.columns.blockSignals(False)
        rows = min(max(len(names), 2), 6)
        line = self.columns.sizeHintForRow(0) if names else 24
        self.columns.setFixedHeight(self.columns.header().sizeHint().height() + rows * line + 4)
        for combo, key in ((self.order, "order"), (self.group, "group")):
            combo.clear()
            combo.addItem("none", "")
            chosen = str(options.get(key) or "")
            for name in (*names, *(name for name in (chosen,) if name in self._beyond)):
                combo.addItem(name, name)
            combo.put(chosen)
        self.horizon.put(int(str(options.get("horizon", 1))))
        self.window_length.put(int(str(options.get("window", 0))))
        for combo, key, default in (
            (self.missing, "missing", "error"),
            (self.delimiter, "delimiter", "auto"),
            (self.decimal, "decimal", "auto"),
            (self.header, "header", "auto"),
            (self.encoding, "encoding", "utf-8"),
        ):
            combo.put(options.get(key, default))
        self.rest.put(options)
        self._suit()

    def _held(self, name: str) -> str:
        """What a column holds, and how it is scaled where that is not as usual."""
        scaling = self._keep.get("scaling")
        how = scaling.get(name) if isinstance(scaling, dict) else None
        return f"{self.kinds.get(name, '')}{f', {how}' if how else ''}"

    def menu_of(self, name: str) -> QMenu:
        """What can be changed of a column."""
        menu = QMenu(self)
        menu.addSection(name)
        order, group = self.order.currentData(), self.group.currentData()
        now = "time" if name == order else "group" if name == group else self.kinds.get(name, "")
        choices = [*((kind, TITLES.get(kind, kind)) for kind in COLUMN_KINDS), ("time", "Time: orders the steps")]
        for kind, title in (*choices, ("group", "Group: tells sequences apart")):
            action = menu.addAction(title)
            action.setCheckable(True)
            action.setChecked(kind == now)
            action.triggered.connect(lambda _checked=False, kind=kind: self.set_kind(name, kind))
        if now in ("number", "yes/no"):
            scaled = menu.addMenu("Scaling")
            chosen = self._keep.get("scaling")
            own = chosen.get(name, SCALINGS[0]) if isinstance(chosen, dict) else SCALINGS[0]
            for how in SCALINGS:
                action = scaled.addAction(sentence(how))
                action.setCheckable(True)
                action.setChecked(how == own)
                action.triggered.connect(lambda _checked=False, how=how: self.set_scaling(name, how))
        return menu

    def _menu_at(self, at: QPoint) -> None:
        item = self.columns.itemAt(at)
        if item in self._items():
            assert item is not None
            self.menu_of(item.text(0)).popup(self.columns.viewport().mapToGlobal(at))

    def set_kind(self, name: str, kind: str) -> None:
        """Let a column hold something else; what is neither number nor class is no input and no target."""
        for combo, role in ((self.order, "time"), (self.group, "group")):
            if kind == role:
                combo.put(name)
            elif combo.currentData() == name:
                combo.put("")
        if kind in COLUMN_KINDS:
            self._set_of_column("kinds", name, kind)
        if kind not in ("number", "yes/no", "label"):
            for place in (1, 2):
                self._untick([item for item in self._items() if item.text(0) == name], place)
        self._tell()

    def set_scaling(self, name: str, how: str) -> None:
        self._set_of_column("scaling", name, how)
        self._tell()

    def _set_of_column(self, option: str, name: str, value: str) -> None:
        before = self._keep.get(option)
        self._keep[option] = {**(before if isinstance(before, dict) else {}), name: value}

    def options(self) -> dict[str, JSON]:
        steps = self.mode.currentData() == "row_is_step"
        items = self._items()
        order = self.order.currentData() if steps else ""
        group = self.group.currentData() if steps else ""
        ticked = {
            place: [
                item.text(0)
                for item in items
                if item.checkState(place) == Qt.CheckState.Checked and item.text(0) not in (order, group)
            ]
            for place in (1, 2)
        }
        for place, role in ((1, "inputs"), (2, "targets")):
            ticked[place] += [n for n in _names(self._keep.get(role)) if n in self._beyond and n not in (order, group)]
        written = {
            "delimiter": self.delimiter.currentData(),
            "decimal": self.decimal.currentData(),
            "header": self.header.currentData(),
            "encoding": self.encoding.currentData(),
        }
        return {
            **self._keep,
            **self.rest.shown(),
            "mode": self.mode.currentData(),
            "inputs": list(ticked[1]),
            "targets": list(ticked[2]),
            "order": order,
            "group": group,
            "horizon": self.horizon.value(),
            "window": self.window_length.value(),
            "missing": self.missing.currentData(),
            **(written if self.written else {}),
        }

    def _items(self) -> list[QTreeWidgetItem]:
        """Those of columns."""
        found = [self.columns.topLevelItem(row) for row in range(self.columns.topLevelItemCount())]
        return [item for item in found if item is not None and item.flags() & Qt.ItemFlag.ItemIsUserCheckable]

    def _ticked(self, item: QTreeWidgetItem, place: int) -> None:
        """What is predicted of a sequence, or at the same step, is no input: the last tick counts."""
        sequences = self.mode.currentData() == "row_is_sequence"
        same_step = sequences or self.horizon.value() == 0
        if same_step and place in (1, 2) and item.checkState(place) == Qt.CheckState.Checked:
            self._untick((item,), 3 - place)
        self._tell()

    def _mode_chosen(self) -> None:
        """Where a row becomes a sequence, each column is a step of it, until one is ticked as its target."""
        items = self._items()
        if self.mode.currentData() == "row_is_sequence" and all(i.checkState(1) == i.checkState(2) for i in items):
            self._untick(items, 2)
        self._tell()

    def _untick(self, items: Sequence[QTreeWidgetItem], place: int) -> None:
        self.columns.blockSignals(True)
        for item in items:
            item.setCheckState(place, Qt.CheckState.Unchecked)
        self.columns.blockSignals(False)

    def _suit(self) -> None:
        steps = self.mode.currentData() == "row_is_step"
        for field in (self.order, self.group):
            self._form.setRowVisible(field, steps)
        self.rest.put_beside({"mode": self.mode.currentData()})

    def _tell(self) -> None:
        self._suit()
        self.changed.emit()


def _names(value: JSON) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list) else ()


def _tick(on: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
