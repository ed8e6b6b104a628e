"""The history of a run in SQLite: every step and every event that is worth keeping. No torch here.

One process writes (the trainer), any number read at the same time (write-ahead log). Rows are collected and written
together, at most so often that writing stays below a hundredth of the time.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..design.errors import StudioError
from . import events as _events
from .events import Event, Failed, Finished, Paused, Probed, StepDone

SECONDS_BETWEEN_WRITES = 0.5
SHARE_OF_TIME = 0.005
"""What writing may cost: half of the hundredth, as the reader of a busy disk pays too."""

_STEP_COLUMNS = tuple(item.name for item in dataclasses.fields(StepDone))
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS steps ({", ".join(_STEP_COLUMNS)}, PRIMARY KEY (step));
CREATE TABLE IF NOT EXISTS events (step INTEGER, seconds REAL, kind TEXT, body TEXT);
CREATE INDEX IF NOT EXISTS events_by_kind ON events (kind, step);
"""
_INSERT_STEP = f"INSERT OR REPLACE INTO steps VALUES ({', '.join('?' * len(_STEP_COLUMNS))})"
_INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?)"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Steps:
    """All steps of a run as columns, each [steps]; as StepDone has them."""

    step: Ints
    seconds: Floats
    epoch: Ints
    loss: Floats
    learning_rate: Floats
    gradient_norm: Floats
    clipped: Ints
    tokens: Ints
    tokens_per_second: Floats
    carried: Ints

    def __len__(self) -> int:
        return len(self.step)


class History:
    """Writes one run's history. Owned by the trainer and used from its thread only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._steps: list[tuple[Any, ...]] = []
        self._events: list[tuple[int, float, str, str]] = []
        self._due = time.monotonic() + SECONDS_BETWEEN_WRITES
        with _readable(path):
            self._connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
            # A write-ahead log lets the window read while the trainer writes; NORMAL loses no old row in a crash.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)

    def record(self, event: Event) -> None:
        """Keep an event. Pictures of the inside (Probed) are large and only for watching: they are not kept."""
        if isinstance(event, StepDone):
            self._steps.append(tuple(getattr(event, name) for name in _STEP_COLUMNS))
        elif not isinstance(event, Probed):
            self._events.append((event.step, event.seconds, type(event).__name__, _body(event)))
        told = isinstance(event, Paused | Finished | Failed)  # whoever hears these may read the history next
        if told or time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write what was collected. Raises StudioError when the disk does not take it."""
        start = time.monotonic()
        with _readable(self._path), self._connection:
            self._connection.executemany(_INSERT_STEP, self._steps)
            self._connection.executemany(_INSERT_EVENT, self._events)
        self._steps.clear()
        self._events.clear()
        now = time.monotonic()
        self._due = now + max(SECONDS_BETWEEN_WRITES, (now - start) / SHARE_OF_TIME)

    def forget_after(self, step: int) -> None:
        """Take away what a run did after the checkpoint it now continues from."""
        with _readable(self._path), self._connection:
            self._connection.execute("DELETE FROM steps WHERE step > ?", (step,))
            self._connection.execute("DELETE FROM events WHERE step > ?", (step,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._connection.close()


def add(path: Path, event: Event) -> None:
    """Keep an event of a run whose writer is gone. Raises StudioError when the file cannot be written."""
    with History(path) as history:
        history.record(event)


def read_steps(path: Path, after: int = -1) -> Steps:
    """The steps behind step `after`, in order. Raises StudioError when the file is damaged or missing."""
    query = f"SELECT {', '.join(_STEP_COLUMNS)} FROM steps WHERE step > ? ORDER BY step"
    with _reading(path) as connection:
        rows = connection.execute(query, (after,)).fetchall()
    table = np.array(rows, np.float64).reshape(-1, len(_STEP_COLUMNS))
    columns: dict[str, Any] = {}
    for item in dataclasses.fields(Steps):
        column = table[:, _STEP_COLUMNS.index(item.name)]
        columns[item.name] = column.astype(np.int64) if item.type == "Ints" else np.ascontiguousarray(column)
    return Steps(**columns)


def read_events(path: Path, kind: type[Event] | None = None) -> list[Event]:
    """The kept events of one kind, or all but the steps, in the order they happened."""
    where = "" if kind is None else "WHERE kind = ?"
    with _reading(path) as connection:
        query = f"SELECT kind, body FROM events {where} ORDER BY rowid"
        rows = connection.execute(query, () if kind is None else (kind.__name__,)).fetchall()
    return [event for name, body in rows if (event := _event(name, body, path)) is not None]


def _body(event: Event) -> str:
    values = {item.name: getattr(event, item.name) for item in dataclasses.fields(event)}
    return json.dumps(values, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a history")


def _event(kind: str, body: str, path: Path) -> Event | None:
    """The event again. None for a kind that a newer studio wrote."""
    known = getattr(_events, kind, None)
    if not (isinstance(known, type) and issubclass(known, Event)):
        return None
    try:
        values = json.loads(body)
        names = {item.name: str(item.type) for item in dataclasses.fields(known)}
        return known(**{name: _typed(values[name], names[name]) for name in names if name in values})
    except (ValueError, TypeError) as error:
        what = f"The history is damaged: {error}"
        raise StudioError(what, where=str(path), remedy="The checkpoints still serve.") from error


def _typed(value: Any, kind: str) -> Any:
    if kind == "Array":
        return np.array(value, np.float32)
    return tuple(value) if kind.startswith("tuple") else value


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise StudioError("The run has no history", where=str(path), remedy="Was the run started at all?")
    address = f"{path.resolve().as_uri()}?mode=ro"
    with _readable(path), closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
        yield connection


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StudioError(
            f"The history cannot be used: {error}", where=str(path), remedy="Is the disk full, or the file damaged?"
        ) from error
