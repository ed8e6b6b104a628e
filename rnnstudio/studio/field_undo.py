"""Undo and redo by keyboard while a text field has the focus: the field's own first, then the drawing's.

Qt's fields take the keys whether or not they have anything to undo, so that nothing would reach the drawing.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QPlainTextEdit, QTextEdit

Key = QKeySequence.StandardKey


class FieldUndo(QObject):
    """Watches the application's keys; one is enough for all windows."""

    @classmethod
    def of_application(cls) -> FieldUndo:
        """The application's one, made when it is missing."""
        app = QApplication.instance()
        assert app is not None
        found = app.findChild(cls)
        if isinstance(found, cls):
            return found
        made = cls(app)
        app.installEventFilter(made)
        return made

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
            return False
        undo, redo = event.matches(Key.Undo), event.matches(Key.Redo)
        field = watched.lineEdit() if isinstance(watched, QAbstractSpinBox) else watched
        if not (undo or redo) or not isinstance(field, QLineEdit | QPlainTextEdit | QTextEdit):
            return False
        if has_own(field, redo=redo):
            return False
        event.ignore()  # not taken by the field: it is a shortcut, and the window's action does it
        return True


def has_own(field: QObject, *, redo: bool = False) -> bool:
    """Whether a text field has a step of its own to undo or redo."""
    if isinstance(field, QLineEdit):
        return field.isRedoAvailable() if redo else field.isUndoAvailable()
    if isinstance(field, QPlainTextEdit | QTextEdit):
        document = field.document()
        return document.isRedoAvailable() if redo else document.isUndoAvailable()
    return False
