"""How far the reading of a file is, and whether it is to go on: for whoever waits for it. Any thread.

Who reads calls `step` or `check` every few milliseconds of work; who waits holds the `Watch`. Nothing is handed from
function to function, so that a plugin's reader is watched like our own: `Reading` tells for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer")
Item = TypeVar("Item")


class Cancelled(BaseException):
    """The reading was called off. No Exception: whoever catches those, as plugins' readers may, lets it through."""


@dataclass(eq=False)
class Watch:
    """Of one reading. Owner: who waits; the reading thread writes what, done and total, the waiting one `cancelled`.

    what: what is being done; done, total: bytes of the file that have been read, of all; total 0: not known.
    """

    what: str = ""
    done: int = 0
    total: int = 0
    cancelled: bool = False

    @property
    def share(self) -> float | None:
        """0 to 1; None where it is not known."""
        return min(self.done / self.total, 1.0) if self.total else None


_watch: ContextVar[Watch | None] = ContextVar("rnnstudio-reading", default=None)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """What is read inside, in this thread, is told to `watch`; it raises Cancelled once that is called off."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def check() -> None:
    """Raises Cancelled where the reading was called off."""
    watch = _watch.get()
    if watch is not None and watch.cancelled:
        raise Cancelled


_AT_ONCE = 256


def going(items: Iterable[Item]) -> Iterator[Item]:
    """The same items. Raises Cancelled between two of them as `check` does, looking every so often."""
    for place, item in enumerate(items):
        if place % _AT_ONCE == 0:
            check()
        yield item


def step(what: str, done: int = 0, total: int = 0) -> None:
    """Say how far it is. Raises Cancelled as `check` does."""
    watch = _watch.get()
    if watch is None:
        return
    if watch.cancelled:
        raise Cancelled
    watch.what, watch.done, watch.total = what, done, total


def while_watched(watch: Watch, function: Callable[[], Answer]) -> Answer:
    """What the function returns; see watched."""
    with watched(watch):
        return function()
