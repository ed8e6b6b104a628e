"""Editors of the inspector, one for each type of parameter. Wrong input shows its reason and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QCompleter,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...catalog.node import Param
from ...design.design import Value, Var
from ..icons import icon

Variables = Mapping[str, Any]


class Mixed:
    """What several nodes have in common when they differ."""


MIXED = Mixed()


def shown(value: Any) -> str:
    """A value as people type it."""
    if isinstance(value, Mixed) or value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
        return ", ".join(shown(v) for v in value)
    return str(value)


def parse_number(text: str, whole: bool, variables: Variables) -> Value:
    """A number or a variable's name. Raises ValueError with a sentence for the person."""
    text = text.strip().replace("−", "-")
    if text.isidentifier() and text.lower() not in ("nan", "inf", "infinity"):
        if text not in variables:
            known = ", ".join(variables) or "none yet"
            raise ValueError(f"There is no variable “{text}”. Variables: {known}.")
        return Var(text)
    try:
        if whole:
            return int(text)
        return float(text)
    except ValueError:
        what = "a whole number" if whole else "a number"
        raise ValueError(f"“{text}” is not {what} and not a variable's name.") from None


class NumberEdit(QAbstractSpinBox):
    """Takes a number, with arrows to step, or a variable's name."""

    committed = Signal(str, bool)
    """The text, and whether it came from a step (steps in a row undo as one)."""
    given_up = Signal()
    """Esc: what was typed is not wanted."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.whole = whole
        self.setKeyboardTracking(False)
        self.setMinimumWidth(90)
        self.lineEdit().setTextMargins(4, 0, 0, 0)
        self.editingFinished.connect(lambda: self.committed.emit(self.text(), False))

    def suggest(self, names: Sequence[str]) -> None:
        completer = QCompleter(list(names), self)
        completer.setCompletionMode(QCompleter.CompletionMode.InlineCompletion)
        self.lineEdit().setCompleter(completer)

    def setText(self, text: str) -> None:
        if self.lineEdit().text() != text:
            self.lineEdit().setText(text)

    def taken(self) -> None:
        """What is typed is the document's now: undo is the drawing's, no longer the field's."""
        self.lineEdit().setText(self.lineEdit().text())

    def _number(self) -> float | None:
        try:
            return float(self.text().replace("−", "-"))
        except ValueError:
            return None

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        if self._number() is None:
            return QAbstractSpinBox.StepEnabledFlag.StepNone
        return QAbstractSpinBox.StepEnabledFlag.StepUpEnabled | QAbstractSpinBox.StepEnabledFlag.StepDownEnabled

    def stepBy(self, steps: int) -> None:
        """Whole numbers by 1; others by a tenth of their own size, so that 0.001 steps as handily as 10."""
        number = self._number()
        if number is None:
            return
        if self.whole:
            text = str(int(number) + steps)
        else:
            size = 10.0 ** int(f"{abs(number):e}".split("e")[1]) if number else 1.0
            text = f"{number + steps * size / 10:.6g}"
        self.setText(text)
        self.committed.emit(text, True)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return QValidator.State.Acceptable, text, position

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.given_up.emit()
            return
        super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scrolling the form must not change numbers on the way."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class QuietComboBox(QComboBox):
    """Scrolling the form does not change it."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Field(QWidget):
    """An editor with the reason below it when its input is wrong. `changed(value, stepped)` gives a proper value."""

    changed = Signal(object, bool)
    resetWanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.note = QLabel()
        """Beside the editor: unit and range, what a variable stands for, where a size comes from."""
        self.note.setProperty("role", "muted")
        self.note.hide()
        self.reset = QToolButton(autoRaise=True)
        self.reset.setIcon(icon("reset", "muted"))
        self.reset.setIconSize(QSize(14, 14))
        self.reset.clicked.connect(lambda _=False: self.resetWanted.emit())
        self.reset.hide()
        self.row = QHBoxLayout()
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(6)
        self.reason = QLabel(wordWrap=True)
        self.reason.setProperty("role", "problem")
        self.reason.hide()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addLayout(self.row)
        box.addWidget(self.reason)

    def finish_row(self) -> None:
        """Put the note and the way back to the default behind the editor."""
        self.row.addWidget(self.note)
        self.row.addWidget(self.reset)

    def say(self, note: str) -> None:
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def offer_reset(self, default: Any, changed: bool) -> None:
        """Show the way back to a default where the value is another."""
        self.reset.setVisible(changed)
        words = shown(default) or "empty"
        self.reset.setToolTip(f"Back to the default: {words}")
        self.reset.setAccessibleName(f"back to the default {words}")

    def complain(self, reason: str) -> None:
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))

    def forget(self) -> None:
        """Show the document's value again: what was typed and not taken goes."""

    def show_value(self, value: Any, variables: Variables) -> None:
        """Show what the document says, unless the person is typing something else right now."""
        raise NotImplementedError


class NumberField(Field):
    def __init__(self, param: Param) -> None:
        super().__init__()
        self.param = param
        self.variables: Variables = {}
        self.value: Any = None
        self.edit = NumberEdit(param.type == "int")
        self.edit.committed.connect(self._commit)
        self.edit.given_up.connect(self.forget)
        self.edit.lineEdit().textChanged.connect(self._typed)
        self.row.addWidget(self.edit, 1)
        self.finish_row()

    @property
    def resolved(self) -> QLabel:
        """Where a variable's number is told."""
        return self.note

    def forget(self) -> None:
        self.edit.setText(shown(self.value))
        self.complain("")

    def _typed(self, text: str) -> None:
        if text == shown(self.value) and self.reason.isVisible():
            self.complain("")  # taken back, letter by letter

    def show_value(self, value: Any, variables: Variables) -> None:
        if variables != self.variables:
            self.variables = dict(variables)
            self.edit.suggest([n for n, v in variables.items() if isinstance(v, int | float)])
        changed = value != self.value or type(value) is not type(self.value)
        self.value = value
        if changed or not self.reason.isVisible():
            self.edit.setText(shown(value))
            self.edit.lineEdit().setPlaceholderText("different" if value is MIXED else "")
            self.complain("")
        known = isinstance(value, Var) and value.name in variables
        self.say(f"= {shown(variables[value.name])}" if known else "")
        if isinstance(value, Var) and not known:
            self.complain(f"There is no variable “{value.name}”.")

    def _commit(self, text: str, stepped: bool) -> None:
        if text == shown(self.value) or (not text.strip() and self.value is MIXED):
            if not isinstance(self.value, Var) or self.value.name in self.variables:
                self.complain("")
            return
        try:
            value = parse_number(text, self.param.type == "int", self.variables)
        except ValueError as error:
            self.complain(str(error))
            return
        plain = self.variables[value.name] if isinstance(value, Var) else value
        if self.param.type == "float" and isinstance(plain, int) and not isinstance(plain, bool):
            plain = float(plain)
        if problem := self.param.problem(plain):
            self.complain(problem.replace(f"“{self.param.name}”", f"“{self.param.label}”"))
            return
        self.complain("")
        self.edit.taken()
        self.changed.emit(value, stepped)


class BoolField(Field):
    def __init__(self, param: Param) -> None:
        super().__init__()
        self.box = QCheckBox()
        self.box.clicked.connect(lambda on: self.changed.emit(bool(on), False))
        self.row.addWidget(self.box)
        self.row.addStretch(1)
        self.finish_row()

    def show_value(self, value: Any, variables: Variables) -> None:
        if isinstance(value, Var):
            value = variables.get(value.name, False)
        self.box.setTristate(value is MIXED)
        if value is MIXED:
            self.box.setCheckState(Qt.CheckState.PartiallyChecked)
        else:
            self.box.setChecked(bool(value))


class ChoiceField(Field):
    """A list to choose from; with `free`, what else may be typed, in words (a new name), that too.

    empty: the words of the entry without a value.
    """

    def __init__(self, choices: Callable[[], Sequence[str]], free: str = "", empty: str = "") -> None:
        super().__init__()
        self.choices = choices
        self.empty = empty
        self.value: Any = None
        self.box = QuietComboBox()
        self.box.setEditable(bool(free))
        self.box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(8)
        self.box.activated.connect(lambda _: self._commit())
        if free:
            line = self.box.lineEdit()
            assert line is not None
            line.setPlaceholderText(empty)
            self.box.setToolTip(f"Choose from the list, or type {free}.")
            line.editingFinished.connect(self._commit)
            line.installEventFilter(self)
        self.row.addWidget(self.box, 1)
        self.finish_row()

    def forget(self) -> None:
        self.show_value(self.value, {})

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.forget()
            return True
        return super().eventFilter(watched, event)

    def _commit(self) -> None:
        text = self.box.currentText().strip()
        row = self.box.findText(text, Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchCaseSensitive)
        if row >= 0 and self.box.itemData(row) is not None:
            text = str(self.box.itemData(row))  # an entry's words are not always its value
        if text != self.value and not (self.value is MIXED and not text):
            self.changed.emit(text, False)

    def show_value(self, value: Any, variables: Variables) -> None:
        self.value = value
        listed = list(self.choices())
        if isinstance(value, str) and value not in listed:
            listed.append(value)
        entries = [(name or self.empty or "—", name) for name in listed]
        if [(self.box.itemText(i), self.box.itemData(i)) for i in range(self.box.count())] != entries:
            self.box.clear()
            for text, data in entries:
                self.box.addItem(text, data)
        if self.box.isEditable():
            self.box.setEditText(shown(value))
        else:
            self.box.setCurrentIndex(listed.index(value) if value in listed else -1)


class TextField(Field):
    """A line of text. `check` returns what is wrong with it, or nothing."""

    def __init__(self, check: Callable[[str], str] | None = None, hint: str = "") -> None:
        super().__init__()
        self.check = check
        self.value = ""
        self.edit = QLineEdit(placeholderText=hint)
        self.edit.editingFinished.connect(self._commit)
        self.edit.textChanged.connect(self._typed)
        self.edit.installEventFilter(self)
        self.row.addWidget(self.edit, 1)
        self.finish_row()

    def forget(self) -> None:
        self.edit.setText(self.value)
        self.complain("")

    def _typed(self, text: str) -> None:
        if text == self.value and self.reason.isVisible():
            self.complain("")

    def show_value(self, value: Any, variables: Variables) -> None:
        text = shown(value)
        if text != self.value or not self.reason.isVisible():
            self.value = text
            if self.edit.text() != text:
                self.edit.setText(text)
            self.complain("")

    def _commit(self) -> None:
        text = self.edit.text().strip()
        if text == self.value:
            self.complain("")
            return
        problem = self.check(text) if self.check is not None else ""
        self.complain(problem)
        if not problem:
            self.edit.setText(text)  # undo is the drawing's from here on, no longer the field's
            self.changed.emit(text, False)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.forget()
            return True
        return super().eventFilter(watched, event)


class ListField(TextField):
    """Numbers between commas."""

    def __init__(self, param: Param) -> None:
        super().__init__(self._problem, "numbers, between commas")
        self.whole = param.type == "ints"

    def _problem(self, text: str) -> str:
        try:
            self._numbers(text)
        except ValueError:
            return f"“{text}” is not a list of {'whole ' if self.whole else ''}numbers between commas."
        return ""

    def _numbers(self, text: str) -> tuple[int | float, ...]:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return tuple(int(part) if self.whole else float(part) for part in parts)

    def _commit(self) -> None:
        text = self.edit.text().strip()
        if text == self.value:
            return
        problem = self._problem(text)
        self.complain(problem)
        if not problem:
            self.changed.emit(self._numbers(text), False)
