"""Runs one slow function in a thread and hands its result to the window's thread; a late answer is dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from rnnstudio.design.errors import StudioError

NAME = "rnnstudio-background"
"""Of its threads."""


def all_ended(seconds: float) -> bool:
    """Wait that long for the threads of every Background, and say whether none is left.

    A file that is read, or a plugin at work, cannot be stopped from outside.
    """
    until = time.monotonic() + seconds
    left = [thread for thread in threading.enumerate() if thread.name == NAME]
    for thread in left:
        thread.join(max(until - time.monotonic(), 0.0))
    return not any(thread.is_alive() for thread in left)


class _Messenger(QObject):
    """Lives in the window's thread; the worker thread emits, Qt queues."""

    arrived = Signal(int, object)


class Background(QObject):
    """At most one answer is waited for: asking again makes the answer before it late, and late answers are dropped.

    Signals: done(result), failed(StudioError). Any other exception of the function is raised in the window's thread.
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._generation = 0
        self._waiting = False
        self._messenger = _Messenger()
        self._messenger.arrived.connect(self._arrived, Qt.ConnectionType.QueuedConnection)

    @property
    def waiting(self) -> bool:
        return self._waiting

    def ask(self, function: Callable[[], Any]) -> None:
        """Run `function` in a thread of its own. It must touch nothing of Qt."""
        self._generation += 1
        self._waiting = True
        generation, messenger = self._generation, self._messenger

        def run() -> None:
            answer: object
            try:
                answer = function()
            except Exception as error:  # noqa: BLE001 - raised again in the window's thread
                answer = _Raised(error)
            messenger.arrived.emit(generation, answer)

        threading.Thread(target=run, name=NAME, daemon=True).start()

    def forget(self) -> None:
        """Drop the answer that is being waited for."""
        self._generation += 1
        self._waiting = False

    def _arrived(self, generation: int, answer: object) -> None:
        if generation != self._generation:
            return
        self._waiting = False
        if not isinstance(answer, _Raised):
            self.done.emit(answer)
        elif isinstance(answer.error, StudioError):
            self.failed.emit(answer.error)
        else:
            raise answer.error


class _Raised:
    def __init__(self, error: Exception) -> None:
        self.error = error
