"""The inspector's form when nothing is selected: name, description, variables and axes of the design, or of a cell."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...catalog.node import Param
from ...catalog.renaming import RenameAxis
from ...catalog.trees import CHILDREN
from ...compiler.check import Checked
from ...compiler.resolve import variables_of
from ...design.design import MAIN, Value, frozen
from ...design.edits import Edit, SetCell, SetName, SetVariable, check_name
from ...design.errors import StudioError
from ..icons import icon
from ..session import Session
from .axis_form import AxisForm
from .fields import Field, NumberField, TextField


class DesignForm(QWidget):
    """Of the design's own graph, or of the cell that is entered."""

    def __init__(self, session: Session, graph: str) -> None:
        super().__init__()
        self.session = session
        self.graph = graph
        self.values: dict[str, Field] = {}
        self._axes_of: tuple[Checked, set[str]] | None = None
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(10)
        title = QLabel("Design" if graph == MAIN else "Cell")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        font.setWeight(font.Weight.DemiBold)
        title.setFont(font)
        box.addWidget(title)
        self.name: TextField | None = None
        if graph == MAIN:
            self.name = TextField(self._check_design_name)
            self.name.changed.connect(lambda text, _: session.do(SetName(text)))
            box.addWidget(self.name)
        else:
            box.addWidget(QLabel(graph))
        self.doc = QPlainTextEdit(placeholderText="What it is for")
        self.doc.setTabChangesFocus(True)
        self.doc.setFixedHeight(4 * self.fontMetrics().lineSpacing() + 12)
        self.doc.installEventFilter(self)
        box.addWidget(self.doc)
        box.addWidget(_section("Variables" if graph == MAIN else "Parameters of the cell"))
        self.variables = QGridLayout()
        self.variables.setHorizontalSpacing(8)
        self.variables.setVerticalSpacing(6)
        self.variables.setColumnStretch(1, 1)
        box.addLayout(self.variables)
        box.addLayout(self._adding())
        self.trouble = QLabel(wordWrap=True)
        self.trouble.setProperty("role", "problem")
        self.trouble.hide()
        box.addWidget(self.trouble)
        self.given = QLabel(wordWrap=True)
        self.given.setProperty("role", "muted")
        box.addWidget(self.given)
        self.axes_title = _section("Axes")
        box.addWidget(self.axes_title)
        self.axes = QVBoxLayout()
        box.addLayout(self.axes)
        box.addStretch(1)
        self._rows: tuple[str, ...] = ()
        self._boxes: dict[str, AxisForm] = {}
        self.refresh()

    def _adding(self) -> QHBoxLayout:
        self.new_name = QLineEdit(
            placeholderText="new variable, e.g. hidden" if self.graph == MAIN else "new parameter, e.g. units"
        )
        self.new_name.returnPressed.connect(self._add)
        button = QPushButton("Add")
        button.clicked.connect(self._add)
        row = QHBoxLayout()
        row.addWidget(self.new_name, 1)
        row.addWidget(button)
        return row

    # What the document says

    def _current(self) -> dict[str, Any]:
        design = self.session.design
        return dict(design.variables if self.graph == MAIN else design.cells[self.graph].params)

    def refresh(self) -> None:
        design = self.session.design
        if self.graph != MAIN and self.graph not in design.cells:
            return
        if self.name is not None:
            self.name.show_value(design.name, {})
        doc = design.doc if self.graph == MAIN else design.cells[self.graph].doc
        if self.doc.toPlainText() != doc and not self.doc.hasFocus():
            self.doc.setPlainText(doc)
        current = self._current()
        if tuple(current) != self._rows:
            self._build_variables(current)
        for name, value in current.items():
            self.values[name].show_value(value, {})
        data: dict[str, Any] = {}
        if self.graph == MAIN:
            data = {k: v for k, v in variables_of(design).items() if k not in design.variables}
        self.given.setText("\n".join(f"{name} = {size} (from the data)" for name, size in data.items()))
        self.given.setVisible(bool(data))
        self._refresh_axes()

    def forget(self) -> None:
        """What was typed and not taken goes: undo went past it."""
        for field in (*self.values.values(), *([self.name] if self.name is not None else [])):
            field.forget()
        self.trouble.hide()

    def _build_variables(self, current: dict[str, Any]) -> None:
        while (item := self.variables.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._rows = tuple(current)
        self.values = {}
        for row, (name, value) in enumerate(current.items()):
            kind = "int" if isinstance(value, int) and not isinstance(value, bool) else "float"
            field: Field = TextField() if isinstance(value, str) else NumberField(Param(name, kind, value))
            field.changed.connect(lambda new, stepped, name=name: self._set(name, new, stepped))
            self.values[name] = field
            remove = QToolButton(autoRaise=True)
            remove.setIcon(icon("close", "muted"))
            remove.setToolTip(f"Remove {name}")
            remove.setAccessibleName(f"remove {name}")
            remove.clicked.connect(lambda _=False, name=name: self._set(name, None, False))
            self.variables.addWidget(QLabel(name), row, 0)
            self.variables.addWidget(field, row, 1)
            self.variables.addWidget(remove, row, 2)

    def _own_axes(self) -> set[str]:
        """Axes the drawing has, less those that are another name of one that an input has: they have its settings."""
        checked, catalog = self.session.seen, self.session.catalog
        if self._axes_of is not None and self._axes_of[0] is checked:
            return self._axes_of[1]
        seen: set[str] = set()
        renamed: set[str] = set()
        given: set[str] = set()
        for (graph, key, _), signal in checked.signals.items():
            seen.update(signal.axes)
            node = checked.design.graph_of(graph).nodes[key]
            kind = catalog.of(node)
            if node.kind == RenameAxis.name:
                renamed.update(signal.axes)
            elif kind is not None and kind.family == "Data":
                given.update(signal.axes)
        own = {a for a in seen if not a.endswith(CHILDREN)} - (renamed - given)
        self._axes_of = (checked, own)
        return own

    def _refresh_axes(self) -> None:
        design = self.session.design
        names: list[str] = []
        if self.graph == MAIN:
            names = sorted(self._own_axes() | set(design.axes))
        if names != list(self._boxes):
            for old in self._boxes.values():
                old.hide()
                self.axes.removeWidget(old)
                old.deleteLater()
            self._boxes = {}
            for name in names:
                form = AxisForm(self.session, name)
                self.axes.addWidget(form)
                self._boxes[name] = form
        for form in self._boxes.values():
            form.refresh()
        self.axes_title.setVisible(bool(names))

    # What the person does

    def _set(self, name: str, value: Any, stepped: bool) -> None:
        edit: Edit
        if self.graph == MAIN:
            edit = SetVariable(name, value)
        else:
            edit = self._cell_edit(name, value)
        self.session.do(edit, f"variable {self.graph}/{name}" if stepped else "")

    def _cell_edit(self, name: str, value: Value) -> Edit:
        cell = self.session.design.cells[self.graph]
        params = {k: v for k, v in cell.params.items() if k != name or value is not None}
        if value is not None:
            params[name] = value
        return SetCell(cell.replace(params=frozen(params)))

    def _add(self) -> None:
        """`name` or `name = value`; a new variable begins at 128."""
        text, _, wanted = self.new_name.text().partition("=")
        name = text.strip()
        if not name:
            return
        problem = ""
        value: int | float = 128
        try:
            check_name(name)
            if wanted.strip():
                value = float(wanted) if any(c in wanted for c in ".eE") else int(wanted)
        except StudioError as error:
            problem = str(error)
        except ValueError:
            problem = f"“{wanted.strip()}” is not a number."
        if not problem and name in self._current():
            problem = f"There is a variable “{name}” already."
        self.trouble.setText(problem)
        self.trouble.setVisible(bool(problem))
        if not problem:
            self.new_name.clear()
            self._set(name, value, False)

    def _check_design_name(self, text: str) -> str:
        return "" if text else "A design needs a name."

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.doc and event.type() == QEvent.Type.FocusOut:
            self._commit_doc()
        return super().eventFilter(watched, event)

    def _commit_doc(self) -> None:
        design, text = self.session.design, self.doc.toPlainText().strip()
        if self.graph == MAIN:
            if text != design.doc:
                self.session.do(SetName(design.name, text))
        elif self.graph in design.cells and text != design.cells[self.graph].doc:
            self.session.do(SetCell(design.cells[self.graph].replace(doc=text)))


def _section(text: str) -> QLabel:
    label = QLabel(text, alignment=Qt.AlignmentFlag.AlignLeft)
    label.setProperty("role", "section")
    return label
