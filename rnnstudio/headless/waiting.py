"""Reading a file in a terminal: a bar where it takes long, and Ctrl+C that answers at once, whatever reads.

The file is read in a thread of its own: Python's signals wait for the end of what numpy or polars do to a large array.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ..data.progress import Cancelled, Watch, watched

Answer = TypeVar("Answer")

SHOWN_AFTER = 0.5
"""Seconds; what is read sooner is read without a word."""
_LOOK = 0.05
"""Seconds between two looks at how far it is."""


def read_with_a_bar(read: Callable[[], Answer]) -> Answer:
    """What `read` returns, or raises. Ctrl+C calls the reading off and raises KeyboardInterrupt within `_LOOK`."""
    watch, done = Watch(), threading.Event()
    answers: list[Answer] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with watched(watch):
                answers.append(read())
        except Cancelled:
            pass
        except BaseException as error:  # noqa: BLE001 (raised again by whoever waits)
            errors.append(error)
        finally:
            done.set()

    try:
        threading.Thread(target=run, name="reads the data", daemon=True).start()
        if not done.wait(SHOWN_AFTER):
            _show(watch, done)
    except KeyboardInterrupt:
        watch.cancelled = True
        raise
    if errors:
        raise errors[0]
    return answers[0]


def _show(watch: Watch, done: threading.Event) -> None:
    """Until it is done. Without a terminal nothing is shown."""
    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task: TaskID = bar.add_task("reading the data", total=None)
        while not done.wait(_LOOK):
            what = watch.what or "reading"
            bar.update(task, description=f"{what} the data", completed=watch.done, total=watch.total or None)
