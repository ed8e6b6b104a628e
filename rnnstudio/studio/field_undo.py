"""Undo and redo by keyboard while a text field has the focus: the field's own first, then the drawing's.

Qt's fields take the keys whether or not they have anything to undo, so that nothing would reach the drawing.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from .keys.keymap import keymap

_FIELDS = QLineEdit | QAbstractSpinBox | QComboBox | QPlainTextEdit | QTextEdit


class FieldUndo(QObject):
    """One is enough for all windows. It watches the field that has the keyboard alone: a filter of all events of the
    application would slow each of them down.
    """

    @classmethod
    def of_application(cls) -> FieldUndo:
        """The application's one, made when it is missing."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        found = app.findChild(cls)
        if isinstance(found, cls):
            return found
        made = cls(app)
        app.focusChanged.connect(made.follow)
        return made

    def follow(self, before: QWidget | None, now: QWidget | None) -> None:
        if before is not None:
            before.removeEventFilter(self)
        if isinstance(now, _FIELDS):
            now.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
            return False
        key = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
        undo, redo = (key in keymap().keys(name) for name in ("undo", "redo"))
        field = watched.lineEdit() if isinstance(watched, QAbstractSpinBox | QComboBox) else watched
        if not (undo or redo) or has_own(field, redo=redo):
            return False
        event.ignore()  # not taken by the field: it is a shortcut, and the window's action does it
        return True


def has_own(field: QObject | None, *, redo: bool = False) -> bool:
    """Whether a text field has a step of its own to undo or redo; a field that is only read has none."""
    if isinstance(field, QLineEdit):
        return not field.isReadOnly() and (field.isRedoAvailable() if redo else field.isUndoAvailable())
    if isinstance(field, QPlainTextEdit | QTextEdit):
        document = field.document()
        return not field.isReadOnly() and (document.isRedoAvailable() if redo else document.isUndoAvailable())
    return False
