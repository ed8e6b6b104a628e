"""The options of each data reader as a form: what is shown is a recipe's options, what is typed makes new ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rnnstudio.data.options import COLUMN_KINDS, SCALINGS, CsvOptions, Option, describe
from rnnstudio.design.recipe import JSON

from ..icons import icon
from .forms import Combo, Fold, Spin, form_of, sentence

ENCODINGS = (
    ("UTF-8", "utf-8"),
    ("UTF-16", "utf-16"),
    ("Western European (cp1252)", "cp1252"),
    ("Central European (cp1250)", "cp1250"),
    ("Cyrillic (cp1251)", "cp1251"),
    ("Cyrillic (koi8-r)", "koi8-r"),
    ("Japanese (shift_jis)", "shift_jis"),
    ("Japanese (euc-jp)", "euc-jp"),
    ("Chinese (gb18030)", "gb18030"),
    ("Chinese (big5)", "big5"),
    ("Korean (cp949)", "cp949"),
    ("DOS (cp437)", "cp437"),
    ("Latin-1", "latin-1"),
)
_TITLE_OF = {encoding: title for title, encoding in ENCODINGS}
LARGEST = 1_000_000


class ReaderForm(QWidget):
    """The options of one reader. Signal: changed() when a person has changed one. forms: its rows, to be aligned."""

    changed = Signal()
    forms: tuple[QFormLayout, ...] = ()

    def put(self, options: Mapping[str, JSON], columns: Sequence[str] = ()) -> None:
        """Show a recipe's options, without a signal. columns: the names of all the file's columns."""
        raise NotImplementedError

    def options(self) -> dict[str, JSON]:
        """What the form shows."""
        raise NotImplementedError


class RecordForm(ReaderForm):
    """A form made from a reader's record of options: a row for each, with its title and help.

    leave_out: options that another part of a form shows. An option that means something only beside a value of
    another one is hidden where that has none.
    """

    def __init__(self, kind: type, leave_out: Collection[str] = ()) -> None:
        super().__init__()
        self.rows: dict[str, QWidget] = {}
        self._known = {item.name: item for item in describe(kind) if item.name not in leave_out and not item.learned}
        self._keep: dict[str, JSON] = {}
        self.changed.connect(self._suit)
        self._form = form_of(self)
        for item in self._known.values():
            field = self._field(item)
            field.setToolTip(sentence(item.help))
            field.setAccessibleName(sentence(item.title))
            self.rows[item.name] = field
            self._form.addRow(sentence(item.title), field)
        self.forms = (self._form,)

    def _field(self, item: Option) -> QWidget:
        if item.kind == "yes/no":
            box = QCheckBox()
            box.clicked.connect(self.changed)
            return box
        if item.choices:
            titles = _TITLE_OF if item.name == "encoding" else {}
            combo = Combo(*((titles.get(choice, str(choice)), choice) for choice in item.choices))
            combo.activated.connect(self.changed)
            if item.free:  # others may be typed
                combo.setEditable(True)
                combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
                typed = combo.lineEdit()
                assert typed is not None
                typed.editingFinished.connect(self._entered)
            return combo
        if item.kind == "number" and not isinstance(item.default, float):
            least, zero = (-1, "automatic") if item.automatic else (int(item.minimum or 0), "")
            spin = Spin(least, LARGEST, zero=zero)
            spin.valueChanged.connect(self.changed)
            return spin
        line = FileLine() if item.file else QLineEdit()
        line.editingFinished.connect(self._entered)
        return line

    def _entered(self) -> None:
        lines = [f.lineEdit() if isinstance(f, Combo) else f for f in self.rows.values()]
        typed = [line for line in lines if isinstance(line, QLineEdit) and line.isModified()]
        if typed:
            for line in typed:
                line.setModified(False)
            self.changed.emit()

    def _suit(self) -> None:
        for name, item in self._known.items():
            other, _, wanted = item.when.partition("=")
            if other in self._known:
                self._form.setRowVisible(self.rows[name], str(self._value(self._known[other])) in wanted.split("|"))

    def put(self, options: Mapping[str, JSON], columns: Sequence[str] = ()) -> None:
        self._keep = dict(options)
        for name, item in self._known.items():
            value, field = options.get(name, _as_json(item.default)), self.rows[name]
            if isinstance(field, QCheckBox):
                field.setChecked(bool(value))
            elif isinstance(field, Combo):
                field.put(value)
            elif isinstance(field, Spin):
                field.put(-1 if value is None else int(str(value)))
            elif isinstance(field, QLineEdit):
                field.setText(_as_text(value))
                field.setModified(False)
        self._suit()

    def options(self) -> dict[str, JSON]:
        return {**self._keep, **self.shown()}

    def shown(self) -> dict[str, JSON]:
        """The options that have a row here."""
        return {name: self._value(item) for name, item in self._known.items()}

    def _value(self, item: Option) -> JSON:
        field = self.rows[item.name]
        if isinstance(field, QCheckBox):
            return field.isChecked()
        if isinstance(field, Combo):
            place = field.findText(field.currentText())
            chosen: JSON = field.itemData(place) if place >= 0 else field.currentText().strip()
            return chosen
        if isinstance(field, Spin):
            return None if item.automatic and field.value() < 0 else field.value()
        assert isinstance(field, QLineEdit)
        text = field.text()
        return float(text) if isinstance(item.default, float) and _is_number(text) else text


class FileLine(QLineEdit):
    """The path of a file, typed or chosen. base: where a choice begins; what lies in it is named relative to it."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path()
        self.setPlaceholderText("none")
        self.setClearButtonEnabled(True)
        self.choose = self.addAction(icon("open"), QLineEdit.ActionPosition.TrailingPosition)
        self.choose.setText("Choose a file")
        self.choose.triggered.connect(self._choose)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "choose"):
            self.choose.setIcon(icon("open"))  # of another theme

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "A file of its own", str(self.base))
        if chosen:
            self.put_chosen(Path(chosen))

    def put_chosen(self, path: Path) -> None:
        """As when it is typed."""
        inside = path.is_relative_to(self.base.absolute())
        self.setText(path.relative_to(self.base.absolute()).as_posix() if inside else str(path))
        self.setModified(True)
        self.editingFinished.emit()


def _as_json(value: object) -> JSON:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value  # type: ignore[return-value]


def _as_text(value: JSON) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {chosen}" for name, chosen in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


BY_HAND = (
    *("mode", "inputs", "targets", "order", "group", "horizon", "missing", "kinds", "scaling"),
    *("window", "delimiter", "decimal", "header", "encoding"),
)
"""Options of tables that the form below has its own fields for; all others get a row by themselves."""
TITLES = {"number": "Number", "yes/no": "Yes or no", "label": "Class label", "text": "Text", "ignored": "Ignored"}


class TableForm(ReaderForm):
    """What a row is, which columns are fed and predicted, how far ahead; how the file is written stands in a fold.

    kinds: of all columns, as they are read. A right click on a column changes what it holds and how it is scaled.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keep: dict[str, JSON] = {}
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
        self.how = Fold("How the file is written")
        for title, field in (
            ("Delimiter", self.delimiter),
            ("Decimal mark", self.decimal),
            ("Header", self.header),
            ("Encoding", self.encoding),
            ("Window", self.window_length),
        ):
            self.how.form.addRow(title, field)
        self.rest = RecordForm(CsvOptions, BY_HAND)
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
        names = list(dict.fromkeys((*columns, *inputs, *targets)))
        self.columns.blockSignals(True)
        self.columns.clear()
        for name in names:
            item = QTreeWidgetItem([name, "", "", self._held(name)])
            item.setToolTip(0, name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(1, _tick(name in inputs))
            item.setCheckState(2, _tick(name in targets))
            self.columns.addTopLevelItem(item)
        self.columns.blockSignals(False)
        rows = min(max(len(names), 2), 6)
        line = self.columns.sizeHintForRow(0) if names else 24
        self.columns.setFixedHeight(self.columns.header().sizeHint().height() + rows * line + 4)
        for combo, key in ((self.order, "order"), (self.group, "group")):
            combo.clear()
            combo.addItem("none", "")
            for name in names:
                combo.addItem(name, name)
            combo.put(options.get(key) or "")
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
        if item is not None:
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
            rows = range(self.columns.topLevelItemCount())
            items = [item for row in rows if (item := self.columns.topLevelItem(row)) and item.text(0) == name]
            for place in (1, 2):
                self._untick(items, place)
        self._tell()

    def set_scaling(self, name: str, how: str) -> None:
        self._set_of_column("scaling", name, how)
        self._tell()

    def _set_of_column(self, option: str, name: str, value: str) -> None:
        before = self._keep.get(option)
        self._keep[option] = {**(before if isinstance(before, dict) else {}), name: value}

    def options(self) -> dict[str, JSON]:
        steps = self.mode.currentData() == "row_is_step"
        items = [item for row in range(self.columns.topLevelItemCount()) if (item := self.columns.topLevelItem(row))]
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
            "delimiter": self.delimiter.currentData(),
            "decimal": self.decimal.currentData(),
            "header": self.header.currentData(),
            "encoding": self.encoding.currentData(),
        }

    def _ticked(self, item: QTreeWidgetItem, place: int) -> None:
        """What is predicted of a sequence, or at the same step, is no input: the last tick counts."""
        sequences = self.mode.currentData() == "row_is_sequence"
        same_step = sequences or self.horizon.value() == 0
        if same_step and place in (1, 2) and item.checkState(place) == Qt.CheckState.Checked:
            self._untick((item,), 3 - place)
        self._tell()

    def _mode_chosen(self) -> None:
        """Where a row becomes a sequence, each column is a step of it, until one is ticked as its target."""
        items = [item for row in range(self.columns.topLevelItemCount()) if (item := self.columns.topLevelItem(row))]
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

    def _tell(self) -> None:
        self._suit()
        self.changed.emit()


def _names(value: JSON) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list) else ()


def _tick(on: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
