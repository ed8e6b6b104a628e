"""Copies of unsaved designs, so that a crash loses at most a few seconds. One file for each open window.

A copy is removed when its window closes properly. One whose process is gone was left by a crash and is offered.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from ..design import storage
from ..design.design import Design
from ..design.errors import StudioError
from .places import user_data
from .session import Session

EVERY_MS = 4000
"""A copy is written at most this often, and at the latest this long after a change."""


@dataclass(frozen=True)
class Left:
    """A copy a crash left behind. `path`: the design's own file, None when it had none."""

    file: Path
    path: Path | None
    base: Path
    design: Design


def folder() -> Path:
    made = user_data() / "recovery"
    made.mkdir(parents=True, exist_ok=True)
    return made


class Autosave(QObject):
    """Writes the copy of one session. `close` removes it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.session = session
        self.file = folder() / f"{os.getpid()}-{id(session):x}.rnn"
        self._timer = QTimer(self, singleShot=True, interval=EVERY_MS)
        self._timer.timeout.connect(self.write)
        session.designChanged.connect(self._changed)
        session.dirtyChanged.connect(self._changed)

    def _changed(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def write(self) -> None:
        """Write the copy now, or remove it when nothing is unsaved."""
        session = self.session
        if not session.dirty:
            self.file.unlink(missing_ok=True)
            return
        note = {"path": str(session.path or ""), "base": str(session.base_folder), "pid": os.getpid()}
        text = json.dumps(note) + "\n" + storage.dumps(session.design)
        try:
            storage.write_atomically(self.file, text.encode())
        except StudioError as error:
            session.message.emit(f"No recovery copy could be written: {error}")

    def close(self) -> None:
        self._timer.stop()
        self.file.unlink(missing_ok=True)


def left_behind() -> list[Left]:
    """Copies of windows that did not close, newest first. What cannot be read is passed over."""
    found: list[tuple[float, Left]] = []
    for file in folder().glob("*.rnn"):
        try:
            head, _, body = file.read_text(encoding="utf-8").partition("\n")
            note = json.loads(head)
            if _alive(int(note["pid"])):
                continue
            path = Path(note["path"]) if note["path"] else None
            left = Left(file, path, Path(note["base"]), storage.loads(body, str(file)))
            found.append((file.stat().st_mtime, left))
        except (OSError, ValueError, KeyError, TypeError, StudioError):
            continue  # half a copy, or one of another version: there is nothing in it to offer
    return [left for _, left in sorted(found, key=lambda entry: -entry[0])]


def forget(copies: Iterable[Left]) -> None:
    """The person does not want them."""
    for copy in copies:
        copy.file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return True
    if os.name != "posix":
        return False  # there, signal 0 is no question but an interruption
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
