"""Which keys a command has now: the table's, a preset's, and over them the person's own, kept in the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QObject, QSettings, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication

from .table import COMMANDS, FIXED_KEYS, PRESETS

STANDARD = "rnnstudio"
_STORED_PRESET, _STORED_OWN = "keys/preset", "keys/own"
_HELD = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier


def written(key: str) -> str:
    """A key as it is stored and compared; "" for what is none."""
    return QKeySequence(key, QKeySequence.SequenceFormat.PortableText).toString(
        QKeySequence.SequenceFormat.PortableText
    )


def native(key: str) -> str:
    """A key as this desktop writes it: with ⌘ on a Mac."""
    return QKeySequence(key, QKeySequence.SequenceFormat.PortableText).toString(QKeySequence.SequenceFormat.NativeText)


def types_something(key: str) -> bool:
    """Whether a key, pressed in a text field, would type or move the cursor there; a function key does not."""
    sequence = QKeySequence(key, QKeySequence.SequenceFormat.PortableText)
    if sequence.isEmpty():
        return False
    pressed = sequence[0]  # type: ignore[index]  # the stubs do not know it
    if pressed.keyboardModifiers() & _HELD:
        return False
    return not Qt.Key.Key_F1 <= pressed.key() <= Qt.Key.Key_F35


class Keymap(QObject):
    """The application's one; `changed` is sent when a command has other keys."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.preset = STANDARD
        self._own: dict[str, tuple[str, ...]] = {}
        self._now: dict[str, tuple[str, ...]] = {}
        self.load()

    # What is

    def keys(self, name: str) -> tuple[str, ...]:
        return self._now[name]

    def shown(self, name: str) -> str:
        """The first key of a command as menus write it; "" when it has none."""
        keys = self._now[name]
        return native(keys[0]) if keys else ""

    def standard(self, name: str) -> tuple[str, ...]:
        """The keys that the preset gives a command."""
        given = PRESETS[self.preset].get(name, COMMANDS[name].keys)
        return tuple(written(key) for key in given)

    def is_own(self, name: str) -> bool:
        """Whether a person chose the keys of a command, or chose its key for another."""
        return self._now[name] != self.standard(name)

    def holder(self, key: str) -> str | None:
        """The command that has a key now."""
        key = written(key)
        return next((name for name, keys in self._now.items() if key in keys), None)

    def why_not(self, key: str) -> str:
        """Why no command can have a key; "" when one can."""
        key = written(key)
        if not key:
            return "That is no key"
        return f"{native(key)} is fixed: {FIXED_KEYS[key]}" if key in FIXED_KEYS else ""

    # Changes

    def give(self, name: str, keys: Iterable[str]) -> None:
        """Give a command these keys and no others; who had one of them has it no more. Raises ValueError for no key."""
        wanted = tuple(dict.fromkeys(written(key) for key in keys))
        for key in wanted:
            if reason := self.why_not(key):
                raise ValueError(reason)
        for other, has in self._now.items():
            if other != name and set(has) & set(wanted):
                self._own[other] = tuple(key for key in has if key not in wanted)
        self._own[name] = wanted
        self._store()

    def reset(self, name: str) -> None:
        """Give a command the preset's keys again; they are taken from whom they were given to."""
        self.give(name, self.standard(name))

    def reset_all(self) -> None:
        self._own.clear()
        self._store()

    def use(self, preset: str) -> None:
        """Take the keys of a preset; those a person chose stay."""
        self.preset = preset if preset in PRESETS else STANDARD
        self._store()

    # Where it is kept

    def load(self) -> None:
        """Read what is stored; what cannot be read, or names no command, has no say (and stays stored)."""
        stored = QSettings().value(_STORED_PRESET)
        self.preset = stored if isinstance(stored, str) and stored in PRESETS else STANDARD
        self._own = _read(QSettings().value(_STORED_OWN))
        self._settle()

    def _store(self) -> None:
        self._own = {
            name: keys for name, keys in self._own.items() if name not in COMMANDS or keys != self.standard(name)
        }
        settings = QSettings()
        settings.setValue(_STORED_PRESET, self.preset)
        settings.setValue(_STORED_OWN, json.dumps(self._own))
        self._settle()

    def _settle(self) -> None:
        """One command for each key: a person's own choice before a preset's, the earlier in the table before others."""
        taken: set[str] = set()
        now: dict[str, tuple[str, ...]] = {}
        for name in sorted(COMMANDS, key=lambda name: name not in self._own):
            keys = self._own[name] if name in self._own else self.standard(name)
            now[name] = tuple(key for key in keys if key not in taken and not self.why_not(key))
            taken.update(now[name])
        now = {name: now[name] for name in COMMANDS}
        if now != self._now:
            self._now = now
            self.changed.emit()


def _read(stored: object) -> dict[str, tuple[str, ...]]:
    try:
        own = json.loads(str(stored)) if stored else {}
    except ValueError:
        return {}
    if not isinstance(own, Mapping):
        return {}
    lists = {str(name): keys for name, keys in own.items() if isinstance(keys, list)}
    return {name: tuple(w for key in keys if (w := written(str(key)))) for name, keys in lists.items()}


def keymap() -> Keymap:
    """The application's one Keymap."""
    app = QApplication.instance()
    found = app.findChild(Keymap) if app is not None else None
    return found if isinstance(found, Keymap) else Keymap(app)
