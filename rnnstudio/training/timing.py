"""Two clocks of a training: the time it has trained, and what its optional work may cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds of training, pauses not counted; goes on from `before` when a run is resumed."""

    def __init__(self, before: float = 0.0) -> None:
        self._before = before
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else time.perf_counter() - self._since)

    def start(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        self._before, self._since = self.seconds, None


class Budget:
    """Lets something happen at once, and then so seldom that it costs at most a share of all time.

    share: of the time, by the cost of the last occasion. at_least: seconds between two occasions.
    """

    def __init__(self, share: float, at_least: float = 0.0) -> None:
        self.share = share
        self.at_least = at_least
        self._cost = 0.0
        self._last: float | None = None

    @property
    def due(self) -> bool:
        if self._last is None:
            return True
        return time.perf_counter() - self._last >= max(self.at_least, self._cost / self.share)

    @contextmanager
    def spending(self, *, more: bool = False) -> Iterator[None]:
        """Around the work itself. more: it belongs to the occasion that was just paid for."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._last = time.perf_counter()
            cost = self._last - start
            self._cost = self._cost + cost if more else cost
