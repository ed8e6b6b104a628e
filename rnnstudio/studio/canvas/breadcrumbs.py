"""The way out of cells, and where a cell is given another name: design › cell › cell."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from ...design.design import MAIN
from ..session import Session


class Breadcrumbs(QFrame):
    """A click leaves to that depth; a double-click on the cell that is shown, or F2, renames it where it stands."""

    def __init__(self, session: Session, rename: Callable[[str, str], bool], parent: QWidget) -> None:
        """rename: gives a cell another name; returns whether it did."""
        super().__init__(parent)
        self.session = session
        self._rename = rename
        self.setObjectName("breadcrumbs")
        self.buttons: list[QToolButton] = []
        self.field: QLineEdit | None = None
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 4, 10, 4)
        self._row.setSpacing(2)
        self._shown: object = None
        session.focus.trailChanged.connect(self.refresh)
        session.designChanged.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        trail = self.session.focus.trail
        wanted = (trail, self.session.design.name)
        if wanted == self._shown:
            return
        self._shown = wanted
        self.field = None
        while (item := self._row.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self.buttons = []
        for depth, step in enumerate(trail):
            if depth:
                arrow = QLabel("›")
                arrow.setProperty("role", "faint")
                self._row.addWidget(arrow)
            button = QToolButton()
            name = step.graph or self.session.design.name
            button.setText(f"{step.node} ({name})" if step.node and step.node != name else name)
            button.setProperty("here", depth == len(trail) - 1)
            button.clicked.connect(lambda _=False, depth=depth: self.session.focus.leave(depth))
            if depth and depth == len(trail) - 1:
                button.setToolTip("Double-click or F2 renames the cell")
                button.installEventFilter(self)
            self._row.addWidget(button)
            self.buttons.append(button)
        self._row.addStretch(1)
        if len(trail) > 1:
            back = QLabel("Esc leaves the cell")
            back.setProperty("role", "faint")
            self._row.addWidget(back)

    def rename_here(self) -> QLineEdit | None:
        """Type another name for the cell that is shown; a library cell says that it may not be changed."""
        name = self.session.focus.graph
        if name == MAIN or self.session.refuses():
            return None
        button = self.buttons[-1]
        field = self.field = QLineEdit(name, self)
        field.setObjectName("crumbField")
        field.setAccessibleName(f"name of the cell {name}")
        field.setFixedSize(max(button.width() + 40, 140), button.height())
        self._row.replaceWidget(button, field)
        button.hide()
        field.selectAll()
        field.setFocus()
        field.installEventFilter(self)
        return field

    def _finish(self, take: bool) -> None:
        field, self.field = self.field, None
        if field is None:
            return
        text, name = field.text().strip(), self.session.focus.graph
        if not (take and text and self._rename(name, text)):
            self._shown = None
            self.refresh()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field:
            if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
                if event.key() == Qt.Key.Key_Escape:
                    self._finish(False)
                    return True
                if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab):
                    self._finish(True)
                    return True
            elif event.type() == QEvent.Type.FocusOut:
                self._finish(True)
        elif event.type() == QEvent.Type.MouseButtonDblClick and watched in self.buttons[-1:]:
            self.rename_here()
            return True
        return super().eventFilter(watched, event)
