"""Copies of unsaved designs, so that a crash loses at most a few seconds. One file for each open window.

A copy is removed when what it holds was saved, or let go by name by the person whose window it was; one that a crash
left behind, only when it was taken over (and stands in the other window's copy) or refused by name.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from ..design import storage
from ..design.design import Design
from ..design.errors import StudioError
from ..design.standing import Standing
from ..loading.processes import lives, started
from .places import user_data
from .session import Session

EVERY_MS = 4000
"""A copy is written at most this often, and at the latest this long after a change."""


@dataclass(frozen=True)
class Left:
    """A copy a crash left behind. `path`: the design's own file, None when it had none; stands: what that held.

    when: seconds since 1970 at which the copy was written.
    """

    file: Path
    path: Path | None
    base: Path
    design: Design
    stands: Standing | None
    when: float

    @property
    def name(self) -> str:
        return self.path.name if self.path is not None else self.design.name

    def told(self) -> str:
        """Where it belongs and when it was kept, for people."""
        place = str(self.path) if self.path is not None else "it never had a file"
        return f"{place}; kept {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.when))}"


def folder() -> Path:
    made = user_data() / "recovery"
    made.mkdir(parents=True, exist_ok=True)
    return made


class _Told(QObject):
    """Carries what a thread says to the window's."""

    written = Signal(object, str)


class Autosave(QObject):
    """Writes the copy of one session. `close` removes it. Signal: kept() when a copy stands on the disk."""

    kept = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.session = session
        self._since = started(os.getpid())
        self.file = folder() / f"{os.getpid()}-{time.time_ns():x}.rnn"
        self._timer = QTimer(self, singleShot=True, interval=EVERY_MS)
        self._timer.timeout.connect(self._write_beside)
        self._writing: threading.Thread | None = None
        self._told = _Told()
        self._told.written.connect(self._written, Qt.ConnectionType.QueuedConnection)
        session.designChanged.connect(self._changed)
        session.dirtyChanged.connect(self._changed)

    def _changed(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def write(self) -> bool:
        """Write the copy now, or remove it when nothing is unsaved. False when it could not be written."""
        self._timer.stop()
        self._wait()
        if not self.session.dirty:
            self.file.unlink(missing_ok=True)
            return True
        design = self.session.design
        return self._written(design, self._copy()())

    def _write_beside(self) -> None:
        """The same beside the window's thread: a large design takes a while to become text."""
        self._wait()
        if not self.session.dirty:
            self.file.unlink(missing_ok=True)
            return
        copy, told, design = self._copy(), self._told, self.session.design
        self._writing = threading.Thread(target=lambda: told.written.emit(design, copy()), name="rnnstudio-recovery")
        self._writing.start()

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.join()
            self._writing = None

    def _copy(self) -> Callable[[], str]:
        """Writes the design as it is now. It returns why it could not; "" when it could."""
        session, design, file = self.session, self.session.design, self.file
        note = {
            "path": str(session.path or ""),
            "base": str(session.base_folder),
            "stands": session.stands.digest if session.stands is not None else None,
            "pid": os.getpid(),
            "since": self._since,
        }

        def write() -> str:
            try:
                text = json.dumps(note) + "\n" + storage.dumps(design)
                storage.write_atomically(file, text.encode())
            except (StudioError, UnicodeEncodeError) as error:
                return str(error)
            return ""

        return write

    def _written(self, design: Design, problem: str) -> bool:
        if problem:
            self.session.message.emit(f"No recovery copy could be written: {problem}")
            return False
        if self.session.design is design:  # else the next copy is due, which holds what came since
            self.kept.emit()
        return True

    def take_over(self, left: Left) -> None:
        """Become the keeper of what was left: its file goes only when a copy of this session's own holds it."""
        self.session.recover(left.design, left.path, left.base, left.stands)
        if self.write():
            left.file.unlink(missing_ok=True)

    def close(self) -> None:
        """The window closes: what was unsaved has been saved, or let go by its name."""
        self._timer.stop()
        self._wait()
        self.file.unlink(missing_ok=True)


def left_behind() -> list[Left]:
    """Copies of windows whose process is gone, newest first. What cannot be read is passed over, and stays."""
    found: list[Left] = []
    for file in folder().glob("*.rnn"):
        try:
            if not file.is_file():
                continue
            head, _, body = file.read_text(encoding="utf-8").partition("\n")
            note = json.loads(head)
            if lives(int(note["pid"]), str(note.get("since", ""))):
                continue
            path = Path(note["path"]) if note["path"] else None
            held = note.get("stands")
            design = storage.loads(body, str(file))
            stands = Standing(held) if isinstance(held, str) else None
            found.append(Left(file, path, Path(note["base"]), design, stands, file.stat().st_mtime))
        except (OSError, ValueError, KeyError, TypeError, StudioError):
            continue  # half a copy, or one of another version: there is nothing in it to offer
    return sorted(found, key=lambda left: -left.when)


def refuse(left: Left) -> None:
    """The person does not want this one."""
    left.file.unlink(missing_ok=True)
