"""Events on their way to somebody who may be slow: history in order, pictures latest wins, memory bounded.

One stands at each end of the pipe between worker and window. Any thread may put and drain; neither ever waits for long.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from .events import PICTURES, Event, StepDone

STEPS_KEPT = 20_000
"""Steps that wait at most (some 6 MB). A reader further behind gets every second, fourth … one; the history has all."""


class Outbox:
    """Collects events until they are drained."""

    def __init__(self, steps_kept: int = STEPS_KEPT) -> None:
        self.thinned = 0
        """Steps that were left out because nobody drained."""
        self._steps_kept = steps_kept
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._count = 0
        self._steps = 0
        self._stride = 1
        self._events: list[tuple[int, Event]] = []
        self._pictures: dict[type[Event], tuple[int, Event]] = {}

    def put(self, *events: Event) -> None:
        with self._lock:
            for event in events:
                self._put(event)
        self._arrived.set()

    def _put(self, event: Event) -> None:
        self._count += 1
        if isinstance(event, PICTURES):
            self._pictures[type(event)] = (self._count, event)
            return
        if isinstance(event, StepDone):
            self._make_room()
            self._steps += 1
        self._events.append((self._count, event))

    def _make_room(self) -> None:
        """Keep every stride-th step and the newest one; the stride doubles when there are too many."""
        newest = self._events[-1][1] if self._events else None
        if isinstance(newest, StepDone) and newest.step % self._stride:
            self._events.pop()
            self._left_out(1)
        while self._steps >= self._steps_kept:
            self._stride *= 2
            kept = [item for item in self._events if not self._is_off(item[1])]
            self._left_out(len(self._events) - len(kept))
            self._events = kept

    def _is_off(self, event: Event) -> bool:
        return isinstance(event, StepDone) and event.step % self._stride != 0

    def _left_out(self, steps: int) -> None:
        self.thinned += steps
        self._steps -= steps

    def drain(self) -> list[Event]:
        """Everything that waits, in the order it happened."""
        with self._lock:
            events, pictures = self._events, self._pictures
            self._events, self._pictures, self._steps, self._stride = [], {}, 0, 1
            self._arrived.clear()
        return _merged(events, pictures.values())

    def wait(self, seconds: float | None = None) -> bool:
        """Sleep until something waits. False: the time ran out."""
        return self._arrived.wait(seconds)


def _merged(events: list[tuple[int, Event]], pictures: Iterable[tuple[int, Event]]) -> list[Event]:
    merged = [*events, *pictures]
    if len(merged) > len(events):
        merged.sort(key=lambda item: item[0])
    return [event for _, event in merged]
