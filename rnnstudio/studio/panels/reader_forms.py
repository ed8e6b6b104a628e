"""The options of each data reader as a form: what is shown is a recipe's options, what is typed makes new ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QWidget,
)

from rnnstudio.data.options import Option, describe
from rnnstudio.design.recipe import JSON

from ..icons import icon
from .forms import Combo, Spin, form_of, sentence

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
        self._beside: Mapping[str, JSON] = {}
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
            if other in self._known or other in self._beside:
                value = self._value(self._known[other]) if other in self._known else self._beside[other]
                self._form.setRowVisible(self.rows[name], str(value) in wanted.split("|"))

    def put_beside(self, options: Mapping[str, JSON]) -> None:
        """Options that have a row elsewhere, beside whose values some here mean something."""
        self._beside = options
        self._suit()

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
