"""A name, typed where it stands: of a node by F2 or a double-click where it is no cell, of a frame likewise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit

if TYPE_CHECKING:
    from .naming import Naming


class RenameField(QLineEdit):
    """Enter takes the name, Esc leaves it; so does a click elsewhere take it, as a click on a form would."""

    def __init__(self, view: Naming, text: str, over: QRectF, take: Callable[[str], object]) -> None:
        """over: the line of text it stands in the place of, in scene units. take: is given the new name."""
        super().__init__(view.viewport())
        self.view = view
        self._take = take
        self._done = False
        self.setObjectName("renameField")
        self.setAccessibleName(f"name of {text}")
        self.setText(text)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        rect = view.viewportTransform().mapRect(over)
        width = max(round(rect.width()) + 8, self.fontMetrics().horizontalAdvance(text) + 48, 130)
        height = self.sizeHint().height()
        self.setFixedSize(width, height)
        self.move(QPoint(round(rect.center().x() - width / 2), round(rect.center().y() - height / 2)))
        self.selectAll()
        self.show()
        self.setFocus()
        self.installEventFilter(self)

    def _finish(self, take: bool) -> None:
        if self._done:
            return
        self._done = True
        if self.view.renaming is self:
            self.view.renaming = None
        had = self.hasFocus()
        self.hide()
        self.deleteLater()
        if take and self.text().strip():
            self._take(self.text().strip())
        if had:
            self.view.setFocus()

    def take(self) -> None:
        self._finish(True)

    def leave(self) -> None:
        self._finish(False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Escape:
                self._finish(False)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab):
                self._finish(True)
                return True
        return super().eventFilter(watched, event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:  # its own menu of copy and paste
            self._finish(True)
