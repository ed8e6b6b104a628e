"""Training as a window sees it: start, ask, drain. One background thread owns the worker process and reads its events.

No torch and no Qt here. Every public method may be called from the window's thread and returns at once; only `close`
waits, and not for long.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import multiprocessing.connection
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Literal, TypeAlias

from ..design import storage
from ..design.design import Design
from ..design.errors import StudioError
from . import worker
from .events import Event, Failed, Finished, Paused, Resumed, Started
from .outbox import Outbox
from .requests import Request, Requests
from .runs import Run, mark_interrupted
from .settings import TrainingSettings
from .warm_start import WarmStart
from .worker import Job, Message

State: TypeAlias = Literal["idle", "starting", "running", "paused", "stopping", "finished", "failed"]

SECONDS_TO_STOP = 6.0
"""How long `close` waits for a step to end and a checkpoint to be written, before it ends the process."""


class TrainingClient:
    """Drives one training at a time, in a worker process (or, with in_thread, in the client's own thread).

    Owner of the process. Always close it: afterwards neither thread nor process is left.
    """

    def __init__(self, *, in_thread: bool = False) -> None:
        self.in_thread = in_thread
        self._outbox = Outbox()
        self._lock = threading.Lock()
        self._state: State = "idle"
        self._driver: _ThreadDriver | _ProcessDriver | None = None
        self._closed = False

    @property
    def state(self) -> State:
        return self._state

    @property
    def alive(self) -> bool:
        """Whether a run is going on."""
        return self._state in ("starting", "running", "paused", "stopping")

    @property
    def thinned(self) -> int:
        """Steps left out because nobody drained for long; the run's history has them."""
        return self._outbox.thinned

    @property
    def worker_pid(self) -> int | None:
        """The process that trains; None while there is none of its own."""
        return self._driver.pid if self._driver is not None else None

    def prepare(self) -> None:
        """Let the worker start and import torch, so that the first `start` does not wait for it."""
        if not self._closed:
            self._drive()

    def start(
        self,
        design: Design,
        base_folder: Path | str,
        settings: TrainingSettings,
        run_folder: Path | str,
        resume: bool = False,
        *,
        window: bool = True,
        command: Sequence[str] = (),
        warm: WarmStart | None = None,
    ) -> None:
        """Begin a run, or go on with the one in `run_folder`. base_folder: where relative data paths start. warm: the
        run whose weights it begins with.

        Raises StudioError while another run goes on. Anything wrong with the design or the data arrives as Failed.
        """
        with self._lock:
            if self._closed or self.alive:
                what = "The training client is closed" if self._closed else "A run is going on"
                raise StudioError(what, remedy="Stop it first.")
            self._state = "starting"
        text = storage.dumps(design)
        folder = str(Path(run_folder).resolve())
        base = str(Path(base_folder).resolve())
        taken = dataclasses.asdict(warm) if warm is not None else None
        job = Job(text, base, settings.model_dump(), folder, resume, window, tuple(command), taken)
        self._drive().train(job)

    def pause(self) -> None:
        self._ask("pause")

    def resume(self) -> None:
        self._ask("resume")

    def step(self) -> None:
        """One optimiser step, then wait."""
        self._ask("step")

    def stop(self) -> None:
        """Finish the step, save, and end the run."""
        with self._lock:
            if not self.alive:
                return
            self._state = "stopping"
        self._ask("stop")

    def set(self, name: str, value: float) -> None:
        """Change a setting (learning_rate, clip_norm …) from the next step on."""
        self._ask(("set", name, value))

    def drain(self) -> list[Event]:
        """What happened since the last call, in order. Never waits."""
        return self._outbox.drain()

    def wait(self, seconds: float | None = None) -> bool:
        """Sleep until there is something to drain (for programs without an event loop). False: the time ran out."""
        return self._outbox.wait(seconds)

    def close(self) -> None:
        """Stop a run that goes on (it saves first), and end thread and process. May be called twice."""
        with self._lock:
            self._closed = True
            driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()
        if self.alive:
            self._state = "idle"

    def __enter__(self) -> TrainingClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drive(self) -> _ThreadDriver | _ProcessDriver:
        with self._lock:
            if self._driver is None:
                self._driver = _ThreadDriver(self._take) if self.in_thread else _ProcessDriver(self._take)
            return self._driver

    def _ask(self, request: Request) -> None:
        driver = self._driver
        if driver is not None and self.alive:
            driver.ask(request)

    def _take(self, events: Sequence[Event]) -> None:
        """From the driver's thread: what the trainer said."""
        for event in events:
            with self._lock:
                self._state = _state_after(event, self._state)
        self._outbox.put(*events)


def _state_after(event: Event, state: State) -> State:
    if isinstance(event, Finished):
        return "finished"
    if isinstance(event, Failed):
        return "failed"
    if state == "stopping":
        return state
    if isinstance(event, Paused):
        return "paused"
    return "running" if isinstance(event, Started | Resumed) else state


class _ThreadDriver:
    """Trains in a thread of this process: for debugging, and where processes cannot be started."""

    pid: int | None = None

    def __init__(self, take: Callable[[Sequence[Event]], None]) -> None:
        self._take = take
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._requests = Requests()
        self._thread = threading.Thread(target=self._run, name="rnnstudio training", daemon=True)
        self._thread.start()

    def train(self, job: Job) -> None:
        self._requests = Requests()
        self._jobs.put(job)

    def ask(self, request: Request) -> None:
        self._requests.put(request)

    def close(self) -> None:
        self._requests.put("stop")
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            worker.perform(job, lambda event: self._take([event]), self._requests)


class _ProcessDriver:
    """The thread that owns the worker process. All that is sent goes through its queue, so that nobody else waits."""

    def __init__(self, take: Callable[[Sequence[Event]], None]) -> None:
        self.pid: int | None = None
        self._take = take
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._wake_in, self._wake_out = multiprocessing.Pipe(duplex=False)
        self._closing = threading.Event()
        self._job: Job | None = None
        self._last = (0, 0.0)
        self._thread = threading.Thread(target=self._run, name="rnnstudio training client", daemon=True)
        self._thread.start()

    def train(self, job: Job) -> None:
        self._put(("train", job))

    def ask(self, request: Request) -> None:
        self._put(worker.ask(request))

    def close(self) -> None:
        self._closing.set()
        self._put(("close", None))
        self._thread.join()
        self._wake_in.close()
        self._wake_out.close()

    def _put(self, message: Message) -> None:
        self._messages.put(message)
        self._wake_out.send_bytes(b"\0")

    def _run(self) -> None:
        """A worker at a time; the next one starts when the last is gone and there is something to do."""
        while not self._closing.is_set():
            try:
                with _worker_process() as (process, connection):
                    self.pid = process.pid
                    self._serve(process, connection)
            except OSError as error:  # no memory or no process left on this machine
                self._refuse(error)
            self.pid = None
            if not self._closing.is_set():
                multiprocessing.connection.wait([self._wake_in])

    def _serve(self, process: SpawnProcess, connection: Connection) -> None:
        """Pass messages on until the worker is gone, or it is time to end it."""
        while True:
            ready = multiprocessing.connection.wait([connection, self._wake_in, process.sentinel])
            if self._wake_in in ready and not self._pass_on(connection):
                self._part(process, connection)
                return
            if (connection in ready or process.sentinel in ready) and not self._receive(connection):
                process.join(SECONDS_TO_STOP)
                self._tell_death(process)
                return

    def _pass_on(self, connection: Connection) -> bool:
        """Send the next message. False: it says goodbye."""
        self._wake_in.recv_bytes()
        message = self._messages.get()
        if message[0] == "train":
            self._job, self._last = message[1], (0, 0.0)
        with contextlib.suppress(OSError):  # the worker is gone: the next _receive finds out, and _tell_death says so
            connection.send(message)
        return message[0] != "close"

    def _receive(self, connection: Connection) -> bool:
        """Read all that has come. False: the worker is gone."""
        try:
            while connection.poll():
                word, what = connection.recv()
                if word == "events":
                    self._last = (what[-1].step, what[-1].seconds)
                    if any(isinstance(event, Finished | Failed) for event in what):
                        self._job = None
                    self._take(what)
        except (EOFError, OSError):
            return False
        return True

    def _part(self, process: SpawnProcess, connection: Connection) -> None:
        """Let a run end and save, hearing it out; a worker without a run is just ended."""
        end = time.monotonic() + SECONDS_TO_STOP
        while self._job is not None and (left := end - time.monotonic()) > 0:
            multiprocessing.connection.wait([connection, process.sentinel], left)
            if not self._receive(connection):
                return

    def _refuse(self, error: OSError) -> None:
        """No worker can be started: tell the run that waits for one."""
        while not self._messages.empty():
            self._wake_in.recv_bytes()
            message = self._messages.get()
            if message[0] == "train":
                what = f"The training process cannot be started: {error.strerror or error}"
                self._take([Failed(0, 0.0, what, "", "Close other programs, or train on the command line.")])

    def _tell_death(self, process: SpawnProcess) -> None:
        """The worker died under a run: that is the run's end, and nobody else can say so."""
        job, self._job = self._job, None
        if job is None:
            return
        code = process.exitcode
        name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        why = f"The training process was ended from outside ({name})"
        remedy = "If memory ran out, make batch size, chunk or units smaller."
        failed = Failed(*self._last, why, f"step {self._last[0]}", remedy)
        try:
            if (Path(job.run_folder) / "run.json").exists():
                step = Run.open(job.run_folder).step_to_resume()
                more = "Nothing was saved yet: start again." if step is None else f"Resume goes on from step {step:,}."
                failed = dataclasses.replace(failed, remedy=f"{remedy} {more}")
                mark_interrupted(Path(job.run_folder), failed)
        except StudioError as error:
            failed = dataclasses.replace(failed, remedy=f"{failed.remedy} {error}")
        self._take([failed])


@contextlib.contextmanager
def _worker_process() -> Iterator[tuple[SpawnProcess, Connection]]:
    """A worker, ended for certain: first by its own will, then by force."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=worker.main, args=(theirs,), name="rnnstudio worker", daemon=True)
    with _interrupt_blocked():
        process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        ours.close()
        for end in (process.terminate, process.kill):
            end()
            process.join(2.0)
            if process.exitcode is not None:
                process.close()
                break


@contextlib.contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """A process started meanwhile inherits the block: a Ctrl+C before it can ignore the signal does not end it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
