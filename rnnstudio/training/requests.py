"""What a person asks of a running training. Put from any thread; the trainer takes them between two steps."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal, TypeAlias

Word: TypeAlias = Literal["pause", "resume", "stop", "step"]
Request: TypeAlias = Word | tuple[Literal["set"], str, float]
"""pause, resume, stop; step: one step, then wait; ("set", name, value): change a setting of training."""

LIVE_SETTINGS = (
    "learning_rate",
    "weight_decay",
    "momentum",
    "clip_norm",
    "epochs",
    "steps",
    "patience",
    "validate_every",
    "checkpoint_every",
    "checkpoint_seconds",
    "sample_every",
    "sample_length",
    "temperature",
    "probe_seconds",
)
"""What may change while a run is alive."""


class Requests:
    """A queue of requests, and whether a stop is among them, which long work looks at."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.stop_asked = False

    def put(self, request: Request) -> None:
        if request == "stop":
            self.stop_asked = True
        self._queue.put(request)

    def take(self, *, wait: bool) -> Request | None:
        """The next one; None when there is none and `wait` is not set."""
        if not wait and self._queue.empty():  # half the time of an exception, every step
            return None
        return self._queue.get()


@contextmanager
def interrupt_stops(requests: Requests) -> Iterator[None]:
    """Ctrl+C asks for a stop: the step ends, the checkpoint is written. A second one interrupts as ever.

    For programs that train in their main thread.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        if requests.stop_asked:
            raise KeyboardInterrupt
        requests.put("stop")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
