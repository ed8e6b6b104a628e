"""A run is a folder: the design as it was, settings, what happened, checkpoints. Read here by window and CLI. No torch.

design.rnn  settings.json  run.json  run.lock  history.sqlite  samples.txt  checkpoints/{last,best}.{safetensors,json}
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ..design.design import Design
from ..design.drafts import cannot_write, sweep
from ..design.errors import StudioError
from ..design.storage import load, plain, save, write_atomically
from .events import Event, Failed, Finished, Forecast, ParameterNorms, Sampled, Validated
from .history import Steps, add, read_events, read_steps
from .holding import Hold, being_trained, held
from .saved import step_if_whole
from .settings import TrainingSettings, settings_from

FORMAT = 1
ROOM = 600
"""Bytes of run.json that stay blank: on a full disk it can still be said there how the run ended."""
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
        if not isinstance(info.get("format"), int):
            raise StudioError("The run is damaged: it has no format", where=str(path), remedy="Repair that file.")
        if info["format"] > FORMAT:
            raise StudioError(f"The run has format {info['format']}", where=str(path), remedy="Update rnnstudio.")
        base = info.get("base_folder")
        for name, fits in (
            ("state", info.get("state") in get_args(State)),
            ("base_folder", base is None or (isinstance(base, str) and "\0" not in base)),
        ):
            if not fits:
                what = f"The run is damaged: its {name} is {str(info.get(name))[:80]!r}"
                raise StudioError(what, where=str(path), remedy="Repair that file.")
        return cls(folder, info)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> State:
        """ "interrupted" for a run that says it is alive and that nobody trains."""
        state: State = self.info["state"]
        if state in ("running", "paused") and not held(self.folder, self.info.get("pid")):
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

    def step_to_resume(self) -> int | None:
        """The step that the run can go on from: that of its newest whole checkpoint. None where there is none."""
        steps = [step_if_whole(self.folder / "checkpoints" / f"{which}.safetensors") for which in ("last", "best")]
        return max((step for step in steps if step is not None), default=None)

    def checkpoint(self, which: Which = "best") -> Path:
        """The checkpoint file; for "best" the last one where nothing was validated. Raises StudioError without one."""
        for name in (which, "last") if which == "best" else (which,):
            path = self.folder / "checkpoints" / f"{name}.safetensors"
            if path.is_file():
                return path
        other = next((name for name in ("last", "best") if self.has(name)), None)
        raise StudioError(
            f"The run has no checkpoint “{which}” yet",
            where=str(self.folder),
            remedy=f"Use --checkpoint {other}." if other else "Train it longer first.",
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

    def __init__(self, folder: Path, info: dict[str, Any], hold: Hold) -> None:
        self.folder = folder
        self.info = info
        self.hold = hold

    @classmethod
    def create(cls, folder: Path, design: Design, settings: TrainingSettings, info: Mapping[str, Any]) -> RunFolder:
        """Make a new run. Raises StudioError when the folder holds something already or cannot be made."""
        try:
            full = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
            if not full:
                (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError):  # a null character
                raise StudioError(f"That is no name of a folder: {error}", where=repr(folder)[:120]) from None
            there = next(above for above in (folder, *folder.parents) if above.exists())
            raise cannot_write(there, error, "The run's folder cannot be made") from error
        if full:
            raise StudioError(
                "The run's folder is not empty", where=str(folder), remedy="Choose another one, or resume that run."
            )
        run = cls(folder, {"format": FORMAT, "state": "running", "started": _now(), **info}, Hold(folder))
        try:
            save(design, folder / "design.rnn")
            run.write_settings(settings)
            run.mark("running")
        except BaseException:
            run.hold.release()
            raise
        return run

    @classmethod
    def reopen(cls, folder: Path, info: Mapping[str, Any]) -> RunFolder:
        """Go on with a run. Raises StudioError when another process is training it."""
        run = Run.open(folder)
        pid = run.info.get("pid")
        if run.state in ("running", "paused") and pid != os.getpid():
            raise being_trained(folder, pid)
        hold = Hold(folder, pid)
        for drafts in (folder, folder / "checkpoints"):
            sweep(drafts)
        return cls(folder, {**run.info, **info}, hold)

    def mark(self, state: State, **facts: Any) -> None:
        """Note how the run stands."""
        self.info = {**self.info, **facts, "state": state, "pid": os.getpid(), "changed": _now()}
        write_json(self.folder / "run.json", self.info, ROOM)

    def mark_failed(self, step: int, why: str) -> None:
        """Note that the run broke off, even on a disk that is full: over what stands in run.json then, as a new file
        would need room. Where that is refused too, the run is taken for interrupted, as nobody holds it any more.
        """
        try:
            self.mark("failed", step=step, why=why)
        except StudioError:
            with contextlib.suppress(OSError):  # what broke the run off is told; this would only be said over it
                _write_over(self.folder / "run.json", _json({**self.info, "why": why[:200]}))

    def write_settings(self, settings: TrainingSettings) -> None:
        write_json(self.folder / "settings.json", settings.model_dump())

    def write_sample(self, event: Sampled) -> None:
        """Add a sample to the text that people read. Raises StudioError when the disk does not take it."""
        path = self.folder / "samples.txt"
        try:
            with (plain(path) if path.exists() else path).open("a", encoding="utf-8") as file:
                file.write(_sample(event))
        except OSError as error:
            raise cannot_write(path, error) from None

    def rewrite_samples(self, samples: list[Sampled]) -> None:
        content = "".join(map(_sample, samples)).encode("utf-8", "replace")
        write_atomically(self.folder / "samples.txt", content)


def _write_over(path: Path, content: bytes) -> None:
    """Put other content into a file where it lies, if it has room for that: all of it, or none."""
    with path.open("r+b", buffering=0) as file:
        before = file.read()
        if len(content) <= len(before):
            file.seek(0)
            done = file.write(content.rstrip().ljust(len(before) - 1) + b"\n")
            if done < len(before):
                file.seek(0)
                file.write(before[:done])


def _sample(event: Sampled) -> str:
    head = f"──── step {event.step:,}, {event.seconds:.0f} s, temperature {event.temperature:g}\n"
    return f"{head}{as_text(event)}\n\n"


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
        write_json(folder / "run.json", body, ROOM)
        add(folder / "history.sqlite", event)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises StudioError with line and column when it is damaged."""
    try:
        body = json.loads(plain(path).read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise StudioError(
            "The run is incomplete: a file is missing", where=str(path), remedy="Bring it back from a copy of the run."
        ) from None
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno}, column {error.colno}"
        raise StudioError(f"The run is damaged: {error.msg}", where=place, remedy="Repair that line.") from None
    except UnicodeDecodeError as error:
        raise StudioError(f"The run is damaged: byte {error.start} is not UTF-8", where=str(path)) from None
    except RecursionError:
        raise StudioError("The run is damaged: nested too deep", where=str(path), remedy="Repair that file.") from None
    except ValueError as error:  # a number of thousands of digits
        raise StudioError(f"The run is damaged: {error}", where=str(path), remedy="Repair that file.") from None
    except OSError as error:
        raise StudioError(f"The run cannot be read: {error.strerror}", where=str(path)) from None
    if not isinstance(body, dict):
        raise StudioError("The run is damaged: not a JSON object", where=str(path), remedy="Repair that file.")
    return body


def write_json(path: Path, body: Mapping[str, Any], room: int = 0) -> None:
    """room: blanks at the end, which another version of the file can be written into."""
    write_atomically(path, _json(body).rstrip() + b" " * room + b"\n")


def _json(body: Mapping[str, Any]) -> bytes:
    return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
