"""All windows of this process: which are open, which shows a file, and quitting, which asks for each that is unsaved.

Each window has a document, an undo, a training worker and a recovery copy of its own; the clipboard, the theme, the
keys and the recent files are common to all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

if TYPE_CHECKING:
    from .window import MainWindow


class Windows(QObject):
    """`changed` is sent when a window was opened or closed. Windows sign themselves in and out."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open: list[MainWindow] = []
        self._leaving: dict[int, MainWindow] = {}
        """Closed, and kept until Qt has taken them apart: a window must not vanish while it closes."""

    @property
    def open(self) -> tuple[MainWindow, ...]:
        """The one that was in front last comes last."""
        return tuple(self._open)

    def add(self, window: MainWindow) -> None:
        self._open.append(window)
        self.changed.emit()

    def to_front(self, window: MainWindow) -> None:
        """A window was given the keyboard."""
        if window in self._open:
            self._open.remove(window)
            self._open.append(window)

    def remove(self, window: MainWindow) -> None:
        """A window was closed."""
        if window in self._open:
            self._open.remove(window)
            self._leaving[window.number] = window
            number = window.number
            window.destroyed.connect(lambda *_: self._leaving.pop(number, None))
            self.changed.emit()

    def front(self) -> MainWindow | None:
        return self._open[-1] if self._open else None

    def showing(self, path: Path) -> MainWindow | None:
        """The window in which a file is open."""
        path = Path(path).resolve()
        return next((window for window in self._open if window.session.path == path), None)

    def quit(self) -> bool:
        """Close all windows, unless a person wants to keep one: then all stay as they are."""
        for window in reversed(self.open):
            if window.session.dirty:
                window.come_forward()
            if not window.may_leave(closing=True):
                return False
        for window in self.open:
            window.close_as_agreed()
        return True


def windows() -> Windows:
    """The application's one Windows."""
    app = QApplication.instance()
    found = app.findChild(Windows) if app is not None else None
    return found if isinstance(found, Windows) else Windows(app)
