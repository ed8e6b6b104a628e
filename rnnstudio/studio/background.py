"""Runs one slow function in a thread and hands its result to the window's thread; a late answer is dropped."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from rnnstudio.data.progress import Cancelled, Watch, watched
from rnnstudio.design.errors import StudioError

NAME = "rnnstudio-background"
"""Of its threads."""


def all_ended(seconds: float) -> bool:
    """Call off what every Background waits for, wait that long for their threads, and say whether none is left.

    What reads a file stops within some milliseconds; a plugin at work cannot be stopped from outside.
    """
    for watch in list(_watches):
        watch.cancelled = True
    until = time.monotonic() + seconds
    left = [thread for thread in threading.enumerate() if thread.name == NAME]
    for thread in left:
        thread.join(max(until - time.monotonic(), 0.0))
    return not any(thread.is_alive() for thread in left)


_watches: weakref.WeakSet[Watch] = weakref.WeakSet()
"""Of all functions that are at work."""


class _Messenger(QObject):
    """Lives in the window's thread; the worker thread emits, Qt queues."""

    arrived = Signal(int, object)


class Background(QObject):
    """At most one answer is waited for: asking again makes the answer before it late, and late answers are dropped.

    A file that is read for an answer nobody waits for any more is let go of at once; how far the reading is, `watch`
    says.

    Signals: done(result), failed(StudioError). Any other exception of the function is raised in the window's thread.
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._generation = 0
        self._waiting = False
        self.watch = Watch()
        self._messenger = _Messenger()
        self._messenger.arrived.connect(self._arrived, Qt.ConnectionType.QueuedConnection)

    @property
    def waiting(self) -> bool:
        return self._waiting

    def ask(self, function: Callable[[], Any]) -> None:
        """Run `function` in a thread of its own. It must touch nothing of Qt."""
        self.forget()
        self._waiting = True
        self.watch = watch = Watch()
        _watches.add(watch)
        generation, messenger = self._generation, self._messenger

        def run() -> None:
            answer: object
            try:
                with watched(watch):
                    answer = function()
            except Cancelled:
                return
            except Exception as error:  # noqa: BLE001 - raised again in the window's thread
                answer = _Raised(error)
            messenger.arrived.emit(generation, answer)

        threading.Thread(target=run, name=NAME, daemon=True).start()

    def forget(self) -> None:
        """Drop the answer that is being waited for."""
        self._generation += 1
        self._waiting = False
        self.watch.cancelled = True

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
