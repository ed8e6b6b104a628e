"""A window's QActions, made from the table of commands; they follow the keymap, so menus show the keys that work."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QWidget

from .. import theme
from ..icons import icon
from .keymap import keymap, types_something
from .table import COMMANDS

_WIDGET, _WINDOW = Qt.ShortcutContext.WidgetShortcut, Qt.ShortcutContext.WindowShortcut


class Actions(QObject):
    """`canvas` is the widget on which keys that type something work. The window has every action made here."""

    def __init__(self, window: QMainWindow, canvas: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._canvas = canvas
        self._made: dict[str, QAction] = {}
        self._plain: dict[str, list[QShortcut]] = {}
        self._tips: dict[str, str] = {}
        self._pictures: dict[str, str] = {}
        keymap().changed.connect(self._follow)
        theme.changes().changed.connect(self._redress)

    def __getitem__(self, name: str) -> QAction:
        return self._made[name]

    def __contains__(self, name: str) -> bool:
        return name in self._made

    def add(self, name: str, do: Callable[[], object], checked: bool | None = None) -> QAction:
        """The action of a command of the table. checked: it is one that is on or off, and how it begins."""
        command = COMMANDS[name]
        action = QAction(command.title, self._window)
        action.setObjectName(name)
        if checked is not None:
            action.setCheckable(True)
            action.setChecked(checked)
        action.triggered.connect(lambda _checked=False: do())
        self._made[name] = action
        self._window.addAction(action)
        self._canvas.addAction(action)
        if command.picture:
            self.picture(action, command.picture)
        self._key(name)
        self.tip(action, command.about or command.plain)
        return action

    def tip(self, action: QAction, text: str) -> None:
        """What its button tells under the pointer; the key is added."""
        name = action.objectName()
        self._tips[name] = text
        key = keymap().shown(name)
        action.setToolTip(f"{text} ({key})" if key else text)
        action.setStatusTip("")

    def picture(self, action: QAction, picture: str) -> None:
        """Give an action an icon, in the colours of the theme worn now and of those to come."""
        self._pictures[action.objectName()] = picture
        action.setIcon(icon(picture))

    def _key(self, name: str) -> None:
        """A key that types something works on the canvas alone, by a shortcut of the canvas's own."""
        action, keys = self._made[name], keymap().keys(name)
        for old in self._plain.pop(name, ()):
            old.setEnabled(False)
            old.deleteLater()
        plain = [key for key in keys if types_something(key)]
        # Where all of them type something, the action itself can have them, and its menu shows them.
        alone = COMMANDS[name].on_canvas or (len(plain) == len(keys) > 0)
        action.setShortcutContext(_WIDGET if alone else _WINDOW)
        own = [key for key in keys if alone or key not in plain]
        action.setShortcuts([QKeySequence(key) for key in own])
        if not alone:
            self._plain[name] = [self._on_canvas(key, action) for key in plain]

    def _on_canvas(self, key: str, action: QAction) -> QShortcut:
        made = QShortcut(QKeySequence(key), self._canvas, context=_WIDGET)
        made.activated.connect(action.trigger)
        return made

    def _follow(self) -> None:
        for name, action in self._made.items():
            self._key(name)
            self.tip(action, self._tips[name])

    def _redress(self) -> None:
        for name, picture in self._pictures.items():
            self._made[name].setIcon(icon(picture))
