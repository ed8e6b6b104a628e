"""A field that takes the next key pressed, whatever it is: Tab and Del too."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QKeyCombination, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit

from .keymap import native

_ALONE = (
    *(Qt.Key.Key_Control, Qt.Key.Key_Shift, Qt.Key.Key_Alt, Qt.Key.Key_AltGr, Qt.Key.Key_Meta),
    *(Qt.Key.Key_Super_L, Qt.Key.Key_Super_R, Qt.Key.Key_CapsLock, Qt.Key.Key_NumLock, Qt.Key.Key_unknown, 0),
)


class KeyField(QLineEdit):
    """Click it, or go to it by Tab, and press a key: `pressed` gives it as the table writes keys. Esc leaves it."""

    pressed = Signal(str)
    left = Signal()

    def __init__(self, hint: str) -> None:
        super().__init__(placeholderText=hint, readOnly=True)
        self.hint = hint
        self.key = ""
        self.setAccessibleName(hint)

    def show_key(self, key: str) -> None:
        self.key = key
        self.setText(native(key))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # no command of the window gets it
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            self._take(event)
            return True
        return super().event(event)

    def _take(self, event: QKeyEvent) -> None:
        key, held = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key in _ALONE:
            return
        if key == Qt.Key.Key_Escape:
            self.left.emit()
            return
        if key == Qt.Key.Key_Backtab:
            key = Qt.Key.Key_Tab
        if Qt.Key.Key_Exclam <= key <= Qt.Key.Key_AsciiTilde and not Qt.Key.Key_A <= key <= Qt.Key.Key_Z:
            held &= ~Qt.KeyboardModifier.ShiftModifier  # "?" has Shift on one keyboard and none on another
        combined = QKeyCombination(held, Qt.Key(key))
        self.show_key(QKeySequence(combined).toString(QKeySequence.SequenceFormat.PortableText))
        self.pressed.emit(self.key)
