"""Who trains a run: a lock that the system takes away with the process, however it ends. No torch here.

A number of a process is given to another one later, and a worker outlives the training it did: neither of them says
whether a run is alive. Where the disk knows no locks, the number has to do.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

from ..design.drafts import alive
from ..design.errors import StudioError
from ..design.storage import plain

if sys.platform != "win32":
    import fcntl

LOCK = "run.lock"


class Hold:
    """This process trains the run in `folder`. Raises StudioError when another trainer does, here or elsewhere."""

    def __init__(self, folder: Path, pid: object = None) -> None:
        self._file: BinaryIO | None = None
        if sys.platform == "win32":
            return
        try:
            lock = folder / LOCK
            self._file = (plain(lock) if lock.exists() else lock).open("ab")
        except OSError:
            return  # writing the run itself says what is wrong with the folder
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise being_trained(folder, pid) from None
        except OSError:
            self.release()

    def release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def held(folder: Path, pid: object) -> bool:
    """Whether a trainer holds the run. pid: who trained it last, for where there are no locks."""
    if sys.platform == "win32":
        return alive(pid)
    try:
        with plain(folder / LOCK).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
    except OSError:
        return alive(pid)


def being_trained(folder: Path, pid: object) -> StudioError:
    who = "this process" if pid == os.getpid() else f"process {pid}"
    return StudioError(f"The run is being trained by {who}", where=str(folder), remedy="Stop it first.")
