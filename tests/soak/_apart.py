"""One kind of trials in a process of its own: a crash of it is a failure, and not the end of all."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple


class Score(NamedTuple):
    name: str
    title: str
    done: int
    failures: list[str]
    seconds: float


def held(name: str, seed: int, scale: float) -> Score:
    """One kind, with user folders of its own."""
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_perform, args=(name, seed, scale, theirs))
    process.start()
    theirs.close()
    try:
        title, done, failures = ours.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        title, done, failures = name, 0, [f"the process of the trials ended: {how}"]
    process.join()
    return Score(name, title, done, failures, time.monotonic() - began)


def _perform(name: str, seed: int, scale: float, told: Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="rnnstudio-soak-") as folder:
        for kind in ("CONFIG", "CACHE", "DATA", "STATE"):
            os.environ[f"XDG_{kind}_HOME"] = str(Path(folder) / kind.lower())
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # of what the screen that is none cannot do
        module = importlib.import_module(f"tests.soak.{name}")
        title = (module.__doc__ or name).strip().splitlines()[0].rstrip(".")
        done, failures = module.trials(max(1, round(module.COUNT * scale)), seed)
    told.send((title, done, failures))
