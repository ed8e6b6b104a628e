"""The history of a run in SQLite: every step and every event that is worth keeping. No torch here.

One process writes (the trainer), any number read at the same time (write-ahead log). Rows are collected and written
together, at most so often that writing stays below a hundredth of the time.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
import types
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from ..design.errors import StudioError
from . import events as _events
from .events import Answered, Baselines, Event, Failed, Finished, Forecast, Paused, Probed, Sampled, StepDone, Validated

FORMAT = 1
"""Of the file, in SQLite's user_version; 0: written before there were numbers."""

SECONDS_BETWEEN_WRITES = 0.5
SHARE_OF_TIME = 0.005
"""What writing may cost: half of the hundredth, as the reader of a busy disk pays too."""

DONE_AGAIN = (Validated, Baselines, Forecast, Answered, Sampled)
"""What may come of a checkpoint's own step after it: going on from there makes it again."""

_STEP_COLUMNS = tuple(item.name for item in dataclasses.fields(StepDone))
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS steps ({", ".join(_STEP_COLUMNS)}, PRIMARY KEY (step));
CREATE TABLE IF NOT EXISTS events (step INTEGER, seconds REAL, kind TEXT, body TEXT);
CREATE INDEX IF NOT EXISTS events_by_kind ON events (kind, step);
"""
_INSERT_STEP = f"INSERT OR REPLACE INTO steps VALUES ({', '.join('?' * len(_STEP_COLUMNS))})"
_INSERT_EVENT = "INSERT INTO events (rowid, step, seconds, kind, body) VALUES (?, ?, ?, ?, ?)"

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
        self._closed = False
        self._steps: list[tuple[Any, ...]] = []
        self._events: list[tuple[int, int, float, str, str]] = []
        self._due = time.monotonic() + SECONDS_BETWEEN_WRITES
        with _readable(path):
            self._connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
        try:
            with _readable(path):
                _check_format(self._connection, path)
                # A write-ahead log lets the window read while the trainer writes; NORMAL loses no old row in a crash.
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
                self._connection.executescript(_SCHEMA)
                self._connection.execute(f"PRAGMA user_version={FORMAT}")
                (last,) = self._connection.execute("SELECT max(rowid) FROM events").fetchone()
        except BaseException:
            self._connection.close()
            raise
        self.mark = int(last or 0)
        """The number of the last event that was recorded: what a checkpoint made now stands for."""

    def record(self, event: Event) -> None:
        """Keep an event. Pictures of the inside (Probed) are large and only for watching: they are not kept."""
        if isinstance(event, StepDone):
            self._steps.append(tuple(getattr(event, name) for name in _STEP_COLUMNS))
        elif not isinstance(event, Probed):
            self.mark += 1
            self._events.append((self.mark, event.step, event.seconds, type(event).__name__, _body(event)))
        told = isinstance(event, Paused | Finished | Failed)  # whoever hears these may read the history next
        if told or time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write what was collected. Raises StudioError when the disk does not take it; it is then kept for later."""
        start = time.monotonic()
        with _readable(self._path), self._connection:
            self._connection.executemany(_INSERT_STEP, self._steps)
            self._connection.executemany(_INSERT_EVENT, self._events)
        self._steps.clear()
        self._events.clear()
        now = time.monotonic()
        self._due = now + max(SECONDS_BETWEEN_WRITES, (now - start) / SHARE_OF_TIME)

    def secure(self) -> None:
        """Write what was collected, and have the disk keep it before this returns, whatever happens to the machine.

        Before a checkpoint gets its name: what it stands for is then in the history. Raises StudioError as `flush`.
        """
        with _readable(self._path):
            self._connection.execute("PRAGMA synchronous=FULL")
            try:
                self.flush()
                # Always a change, so that rows which an earlier flush wrote reach the disk with it.
                self._connection.execute(f"PRAGMA user_version={FORMAT}")
            finally:
                self._connection.execute("PRAGMA synchronous=NORMAL")

    def forget_after(self, step: int, mark: int | None = None) -> None:
        """Take away what a run did after the checkpoint it now continues from.

        mark: the checkpoint's; None: it was made when they had none, and all of its own step stays.
        """
        kinds = tuple(kind.__name__ for kind in DONE_AGAIN)
        with _readable(self._path), self._connection:
            self._connection.execute("DELETE FROM steps WHERE step > ?", (step,))
            self._connection.execute("DELETE FROM events WHERE step > ?", (step,))
            if mark is not None:
                again = f"DELETE FROM events WHERE rowid > ? AND kind IN ({', '.join('?' * len(kinds))})"
                self._connection.execute(again, (mark, *kinds))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what was collected, and close; nothing when it is closed already."""
        if self._closed:
            return
        try:
            self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without writing what was collected: the disk has just refused something."""
        self._closed = True
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
    try:
        table = np.array(rows, np.float64).reshape(-1, len(_STEP_COLUMNS))
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(error, path) from error
    columns: dict[str, Any] = {}
    for item in dataclasses.fields(Steps):
        column = table[:, _STEP_COLUMNS.index(item.name)]
        whole = item.type == "Ints"
        if whole and not bool(((column >= -(2.0**62)) & (column <= 2.0**62)).all()):
            raise _damaged(f"a step's {item.name} is no number", path)
        columns[item.name] = column.astype(np.int64) if whole else np.ascontiguousarray(column)
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
        return known(**{name: _typed(values[name], hint) for name, hint in _FIELDS[kind].items() if name in values})
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _damaged(error, path) from error


_FIELDS: dict[str, dict[str, Any]] = {
    name: get_type_hints(kind)
    for name, kind in vars(_events).items()
    if isinstance(kind, type) and issubclass(kind, Event)
}
"""Kind of event → field → what stands there."""


def _damaged(why: object, path: Path) -> StudioError:
    return StudioError(
        f"The history is damaged: {why}",
        where=str(path),
        remedy="The run's checkpoints serve without it; move it away to resume.",
    )


def _typed(value: Any, kind: Any) -> Any:
    """A value as the field of an event has it. Raises TypeError or ValueError where JSON has something else there."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is types.UnionType:
        return None if value is None else _typed(value, inner[0])
    if kind is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif origin is np.ndarray:
        array = np.array(value, get_args(inner[1])[0])
        if value is None or not isinstance(value, list):
            raise TypeError(f"{str(value)[:40]!r} is no array")
        return array
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_typed(item, inner[0]) for item in value)
        fits = False
    elif origin is dict:
        if isinstance(value, dict):
            return {name: _typed(item, inner[1]) for name, item in value.items()}
        fits = False
    else:
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits:
        raise TypeError(f"{str(value)[:40]!r} stands where {getattr(kind, '__name__', kind)} belongs")
    return value


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise StudioError("The run has no history", where=str(path), remedy="Was the run started at all?")
    address = f"{path.resolve().as_uri()}?mode=ro"
    with _readable(path), closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
        _check_format(connection, path)
        yield connection


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    if number > FORMAT:
        raise StudioError(f"The history has format {number}", where=str(path), remedy="Update rnnstudio.")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        remedy = _REMEDIES.get(
            code, "Is the file damaged? The run's checkpoints serve without it; move it away to resume."
        )
        raise StudioError(f"The history cannot be used: {error}", where=str(path), remedy=remedy) from error


_REMEDIES = {
    sqlite3.SQLITE_FULL: "Free some space on that disk.",
    sqlite3.SQLITE_IOERR: "Is the disk full?",
    sqlite3.SQLITE_BUSY: "Another program holds the file: close it.",
    sqlite3.SQLITE_LOCKED: "Another program holds the file: close it.",
    sqlite3.SQLITE_READONLY: "Allow writing in the run's folder.",
    sqlite3.SQLITE_CANTOPEN: "Allow reading and writing in the run's folder.",
}
