"""A run is a folder: the design as it was, settings, what happened, checkpoints. Read here by window and CLI. No torch.

design.rnn  settings.json  run.json  history.sqlite  samples.txt  checkpoints/{last,best}.{safetensors,json}
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..design.design import Design
from ..design.errors import StudioError
from ..design.storage import load, save, write_atomically
from .events import Event, Failed, Finished, Forecast, ParameterNorms, Sampled, Validated
from .history import Steps, add, read_events, read_steps
from .settings import TrainingSettings, settings_from

FORMAT = 1
State: TypeAlias = Literal["running", "paused", "finished", "stopped", "failed", "interrupted"]
Which: TypeAlias = Literal["best", "last"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder, opened for reading. Everything is read anew when asked, as a trainer may be writing."""

    folder: Path
    info: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """Raises StudioError when the folder is missing or is not a run, or its run.json is damaged."""
        folder = Path(folder)
        if not folder.is_dir():
            raise StudioError("There is no such run", where=str(folder), remedy="Give the folder of a run.")
        path = folder / "run.json"
        if not path.exists():
            raise StudioError("This folder is not a run", where=str(folder), remedy="A run has a file run.json.")
        info = read_json(path)
        if not isinstance(info.get("state"), str) or not isinstance(info.get("format"), int):
            raise StudioError("The run is damaged: no state or format", where=str(path), remedy="Repair that file.")
        if info["format"] > FORMAT:
            raise StudioError(f"The run has format {info['format']}", where=str(path), remedy="Update rnnstudio.")
        return cls(folder, info)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> State:
        """ "interrupted" for a run that says it is alive and whose process is gone."""
        state: State = self.info["state"]
        if state in ("running", "paused") and not _alive(self.info.get("pid")):
            return "interrupted"
        return state

    @property
    def base_folder(self) -> Path:
        """The folder that the data's relative path starts from."""
        return Path(str(self.info.get("base_folder") or "."))

    def design(self) -> Design:
        """The design as it was trained, with its data recipe complete."""
        return load(self.folder / "design.rnn")

    def settings(self) -> TrainingSettings:
        return settings_from(read_json(self.folder / "settings.json"))

    def steps(self, after: int = -1) -> Steps:
        """Every step behind step `after`, as columns."""
        return read_steps(self._history, after)

    def events(self) -> list[Event]:
        """Everything that was kept but the steps."""
        return read_events(self._history)

    def validations(self) -> list[Validated]:
        return [event for event in read_events(self._history, Validated) if isinstance(event, Validated)]

    def best(self) -> Validated | None:
        """The validation with the lowest loss; None before the first."""
        return min(self.validations(), key=lambda event: event.loss, default=None)

    def samples(self) -> list[Sampled]:
        return [event for event in read_events(self._history, Sampled) if isinstance(event, Sampled)]

    def forecasts(self) -> list[Forecast]:
        return [event for event in read_events(self._history, Forecast) if isinstance(event, Forecast)]

    def norms(self) -> list[ParameterNorms]:
        return [event for event in read_events(self._history, ParameterNorms) if isinstance(event, ParameterNorms)]

    def result(self) -> Finished | Failed | None:
        """How it ended; None while it has not."""
        ends = [event for event in self.events() if isinstance(event, Finished | Failed)]
        return ends[-1] if ends else None

    def has(self, which: Which) -> bool:
        return (self.folder / "checkpoints" / f"{which}.safetensors").is_file()

    def checkpoint(self, which: Which = "best") -> Path:
        """The checkpoint file; for "best" the last one where nothing was validated. Raises StudioError without one."""
        for name in (which, "last") if which == "best" else (which,):
            path = self.folder / "checkpoints" / f"{name}.safetensors"
            if path.is_file():
                return path
        raise StudioError(
            f"The run has no checkpoint “{which}” yet", where=str(self.folder), remedy="Train it longer first."
        )

    @property
    def _history(self) -> Path:
        return self.folder / "history.sqlite"


def list_runs(folder: Path | str) -> Iterator[Run]:
    """The runs in a folder, the newest first. What is no run, or a damaged one, is passed over."""
    found = []
    base = Path(folder)
    for entry in base.iterdir() if base.is_dir() else ():
        if (entry / "run.json").is_file():
            try:
                found.append(Run.open(entry))
            except StudioError:
                continue
    return iter(sorted(found, key=lambda run: str(run.info.get("started", "")), reverse=True))


class RunFolder:
    """A run's folder as the trainer writes it: everything but history and checkpoints."""

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder = folder
        self.info = info

    @classmethod
    def create(cls, folder: Path, design: Design, settings: TrainingSettings, info: Mapping[str, Any]) -> RunFolder:
        """Make a new run. Raises StudioError when the folder holds something already or cannot be made."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StudioError(
                "The run's folder is not empty", where=str(folder), remedy="Choose another one, or resume that run."
            )
        try:
            (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudioError(
                f"The run's folder cannot be made: {error.strerror}", where=str(folder), remedy="Choose another one."
            ) from error
        save(design, folder / "design.rnn")
        run = cls(folder, {"format": FORMAT, "state": "running", "started": _now(), **info})
        run.write_settings(settings)
        run.mark("running")
        return run

    @classmethod
    def reopen(cls, folder: Path, info: Mapping[str, Any]) -> RunFolder:
        """Go on with a run. Raises StudioError when another process is training it."""
        run = Run.open(folder)
        if run.state in ("running", "paused") and run.info.get("pid") != os.getpid():
            raise StudioError(
                f"The run is being trained by process {run.info.get('pid')}", where=str(folder), remedy="Stop it first."
            )
        return cls(folder, {**run.info, **info})

    def mark(self, state: State, **facts: Any) -> None:
        """Note how the run stands."""
        self.info = {**self.info, **facts, "state": state, "pid": os.getpid(), "changed": _now()}
        write_json(self.folder / "run.json", self.info)

    def write_settings(self, settings: TrainingSettings) -> None:
        write_json(self.folder / "settings.json", settings.model_dump())

    def write_sample(self, event: Sampled) -> None:
        """Add a sample to the text that people read."""
        head = f"──── step {event.step:,}, {event.seconds:.0f} s, temperature {event.temperature:g}\n"
        with (self.folder / "samples.txt").open("a", encoding="utf-8") as file:
            file.write(f"{head}{as_text(event)}\n\n")

    def rewrite_samples(self, samples: list[Sampled]) -> None:
        (self.folder / "samples.txt").unlink(missing_ok=True)
        for event in samples:
            self.write_sample(event)


def as_text(sample: Sampled) -> str:
    """A sample for people: text that goes on, or what was read, written and true, a line each."""
    if not sample.truth:
        return f"{sample.prompt}{sample.text}"
    return f"read     {sample.prompt}\nwritten  {sample.text}\ntrue     {sample.truth}"


def mark_interrupted(folder: Path, event: Failed) -> None:
    """Note that a run's process died without being able to say so. Only for the client that saw it die."""
    run = Run.open(folder)
    if run.info["state"] in ("running", "paused"):
        body = {**run.info, "state": "interrupted", "why": event.what, "changed": _now()}
        write_json(folder / "run.json", body)
        add(folder / "history.sqlite", event)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises StudioError with line and column when it is damaged."""
    try:
        body = json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise StudioError("The run is incomplete: a file is missing", where=str(path)) from None
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno}, column {error.colno}"
        raise StudioError(f"The run is damaged: {error.msg}", where=place, remedy="Repair that line.") from None
    except UnicodeDecodeError as error:
        raise StudioError(f"The run is damaged: byte {error.start} is not UTF-8", where=str(path)) from None
    except OSError as error:
        raise StudioError(f"The run cannot be read: {error.strerror}", where=str(path)) from None
    if not isinstance(body, dict):
        raise StudioError("The run is damaged: not a JSON object", where=str(path), remedy="Repair that file.")
    return body


def write_json(path: Path, body: Mapping[str, Any]) -> None:
    write_atomically(path, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def _alive(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    if os.name != "posix":
        return True  # asking would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
