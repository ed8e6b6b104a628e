"""The worker process: waits for jobs, trains, and sends events. Started by client.py; no torch until it is needed.

Three threads: the main one trains, one reads what the client asks, one sends what happens: neither a slow window nor a
full pipe ever makes a step wait.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

from ..design import storage
from ..design.errors import StudioError, lacks_memory
from .events import Event, Failed
from .outbox import Outbox
from .requests import Request, Requests
from .settings import settings_from

SECONDS_BETWEEN_SENDS = 0.02
SECONDS_TO_END = 5.0
"""How long a worker whose window is gone may take to finish its step and save."""


@dataclass(frozen=True)
class Job:
    """A training as plain values: nothing of it is code, and nothing is unpickled into one.

    design: text of a design file. settings: see TrainingSettings. window: leave a core to it. warm: see WarmStart.
    """

    design: str
    base_folder: str
    settings: dict[str, Any]
    run_folder: str
    resume: bool = False
    window: bool = True
    command: tuple[str, ...] = field(default=())
    warm: dict[str, Any] | None = None


Message: TypeAlias = tuple[str, Any]
"""To the worker: ("train", Job), ("ask", Request), ("close", None). From it: ("events", list of events)."""


def perform(job: Job, emit: Callable[[Event], None], requests: Requests) -> None:
    """Train; whatever goes wrong becomes a Failed event. Runs in the worker's main thread, or in a client's thread."""
    from ..data import open_dataset
    from ..loading import load_plugins
    from .trainer import Trainer
    from .warm_start import WarmStart

    last = (0, 0.0)
    try:
        catalog = load_plugins().catalog  # before the data: a plugin may be its reader
        design = storage.loads(job.design, "design")
        if design.data is None:
            raise StudioError("There is no data to train on", remedy="Choose a file in the data panel.")
        warm = WarmStart(**job.warm) if job.warm is not None else None
        inherited = warm.inherited() if warm is not None else None
        dataset = open_dataset(design.data, Path(job.base_folder), fit=not job.resume, inherited=inherited)
        trainer = Trainer(
            design,
            dataset,
            settings_from(job.settings),
            job.run_folder,
            catalog,
            resume=job.resume,
            window=job.window,
            base_folder=job.base_folder,
            command=job.command,
            requests=requests,
            warm=warm,
        )
        trainer.tell = emit
        for event in trainer.events():
            last = (event.step, event.seconds)
            emit(event)
    except StudioError as error:
        emit(Failed(*last, error.what, error.where, error.remedy))
    except Exception as error:  # noqa: BLE001 (the border of the process: a bug is told, and the window lives on)
        details = traceback.format_exc()
        if lacks_memory(error):
            emit(Failed(*last, "There is not enough memory", f"step {last[0]}", _SMALLER, details))
        else:
            what = f"The trainer has a bug: {type(error).__name__}: {error}"
            emit(Failed(*last, what, f"step {last[0]}", "Please report it with the details.", details))


_SMALLER = "Make batch size, chunk or units smaller."


def main(connection: Connection) -> None:
    """What the worker process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is the window's affair
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _Worker(connection).run()


class _Worker:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.requests = Requests()
        self.outbox = Outbox()
        self.sending = threading.Lock()

    def run(self) -> None:
        threading.Thread(target=self._read, name="reads what the client asks", daemon=True).start()
        threading.Thread(target=self._send_events, name="sends events", daemon=True).start()
        from .machine import tune_allocator

        tune_allocator()
        from . import trainer  # noqa: F401 (the seconds that importing torch takes pass before Train is pressed)
        from .machine import release_memory

        while (job := self.jobs.get()) is not None:
            perform(job, self.outbox.put, self.requests)
            self._flush()
            release_memory()

    def _read(self) -> None:
        try:
            while True:
                word, what = self.connection.recv()
                if word == "train":
                    self.requests = Requests()
                    self.jobs.put(what)
                elif word == "ask":
                    self.requests.put(what)
                elif word == "close":
                    break
        except (EOFError, OSError):
            pass  # the client is gone, or killed: end as if it had said "close"
        self.requests.put("stop")
        self.jobs.put(None)
        time.sleep(SECONDS_TO_END)
        os._exit(1)  # stuck in a very long step: nobody waits for it any more

    def _send_events(self) -> None:
        while True:
            self.outbox.wait()
            self._flush()
            time.sleep(SECONDS_BETWEEN_SENDS)

    def _flush(self) -> None:
        with self.sending:
            events = self.outbox.drain()
            try:
                if events:
                    self.connection.send(("events", events))
            except OSError:
                self.requests.put("stop")  # nobody listens any more: save and end


def ask(request: Request) -> Message:
    return "ask", request
