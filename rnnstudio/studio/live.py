"""The run that trains, seen from the window: starts it, drains its events, keeps its curves, tells the panels.

Lives in the window's thread. The training client does the work elsewhere; one timer here asks it for news while a run
is alive and rests otherwise. No torch in this process.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from PySide6.QtCore import QObject, QTimer, Signal

from rnnstudio.design.design import Design
from rnnstudio.design.errors import StudioError
from rnnstudio.design.history import Change
from rnnstudio.training.client import TrainingClient
from rnnstudio.training.events import (
    Answered,
    CheckpointSaved,
    Compiling,
    Event,
    Failed,
    Finished,
    Forecast,
    Log,
    LoopsChosen,
    ParameterNorms,
    Paused,
    Probed,
    Resumed,
    Sampled,
    SettingChanged,
    Started,
    StepDone,
    Validated,
)
from rnnstudio.training.requests import LIVE_SETTINGS
from rnnstudio.training.runs import Run
from rnnstudio.training.settings import TrainingSettings, settings_from
from rnnstudio.training.warm_start import WarmStart

from .background import Background
from .beginning import Beginning, same_network
from .collecting import Collector
from .plots.curves import Curves
from .session import Session

DRAIN_MILLISECONDS = 40
DRAW_SECONDS = 0.12
"""Plots are drawn at most this often; the curves they draw from are always complete."""


@dataclass(frozen=True)
class OtherDrawing:
    """A stored run whose design is not the one on the canvas."""

    folder: Path
    design: Design
    base: Path


class Live(QObject):
    """The one owner of the training client.

    state: "idle", "starting" (the worker loads and compiles), "running", "pausing", "paused", "stopping".
    curves: of the run that trains or trained last. compared: stored runs shown beside it, by folder.
    compiling: the loop that machine code is being made for now, or "".
    """

    stateChanged = Signal(str)
    runStarted = Signal(object)  # Started
    stepsArrived = Signal(list)  # list[StepDone], in order
    validated = Signal(object)  # Validated
    normsArrived = Signal(object)  # ParameterNorms, the newest
    probed = Signal(object)  # Probed, the newest
    sampled = Signal(object)  # Sampled
    forecast = Signal(object)  # Forecast
    answered = Signal(object)  # Answered
    checkpointSaved = Signal(object)  # CheckpointSaved
    settingChanged = Signal(object)  # SettingChanged
    loopsChosen = Signal(object)  # LoopsChosen
    compilingChanged = Signal(str)  # the loop that machine code is being made for, "" when it is there
    finished = Signal(object)  # Finished
    failed = Signal(object)  # Failed
    otherDrawing = Signal(object)  # OtherDrawing: a run was to go on, and the canvas shows something else
    problemsWanted = Signal()  # the drawing has errors: show the list of problems
    dataWanted = Signal()  # there is no data yet: show the data panel
    curvesReplaced = Signal()  # another run's curves, or other runs beside them
    drawn = Signal()  # time to draw what is new; never while nothing is new

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.curves = Curves()
        self.compared: dict[Path, Curves] = {}
        self.run_folder: Path | None = None
        self.state = "idle"
        self.compiling = ""
        self.beginning = Beginning(session, self)
        self._client = TrainingClient()
        self._timer = QTimer(self, interval=DRAIN_MILLISECONDS)
        self._timer.timeout.connect(self._drain)
        self._drawn_at = 0.0
        self._fresh = False
        self._closed = False
        self._left = False
        self._collector = Collector(self)
        self._loader = Background(self)
        self._loader.done.connect(self._go_on)
        self._loader.failed.connect(self._not_started)
        session.designChanged.connect(self._follow_settings)
        session.opened.connect(self._leave_run)

    # --- what people ask for

    def prepare(self) -> None:
        """Let the worker process start and import torch, so that the first Train does not wait for it."""
        if not self._closed:
            self._client.prepare()

    @property
    def alive(self) -> bool:
        return self.state != "idle"

    @property
    def worker_pid(self) -> int | None:
        """The process that trains; None while there is none."""
        return self._client.worker_pid

    def train(self) -> bool:
        """Start a run of the session's design. False when it cannot start; the person has been told why then."""
        if self.alive or self._closed:
            return False
        try:
            design, settings = self._checked_design()
            warm = self.beginning.settle()
        except StudioError as error:
            self.session.failed.emit(error)
            return False
        folder = new_run_folder(self.session.path, design.name)
        self._begin(Curves(folder.name, folder), design, self.session.base_folder, settings, resume=False, warm=warm)
        return True

    def go_on(self, folder: Path) -> bool:
        """Go on with a stored run from its last checkpoint: its own design and data, with the settings of now where
        they may change during a run (so that a finished run goes on when there are more epochs). Where the canvas shows
        another drawing than the run's, nothing starts and `otherDrawing` tells.
        """
        if self.alive or self._closed:
            return False
        for unfinished in self.session.unfinished:
            if (error := unfinished()) is not None:
                self.session.failed.emit(error)
                return False
        self._become("starting")
        self._loader.ask(lambda: _stored(folder))
        return True

    def _go_on(self, found: tuple[Run, Curves, Design, TrainingSettings]) -> None:
        run, curves, design, settings = found
        if not same_network(design, self.session.design):
            self._become("idle")
            self.otherDrawing.emit(OtherDrawing(run.folder, design, run.base_folder))
            return
        now = self.session.design.training
        changes = {name: now[name] for name in LIVE_SETTINGS if name in now}
        try:
            settings = settings_from({**settings.model_dump(), **changes})
        except StudioError as error:
            self._not_started(error)
            return
        self._begin(curves, design, run.base_folder, settings, resume=True)

    def _not_started(self, error: StudioError) -> None:
        self._become("idle")
        self.session.failed.emit(error)

    def _checked_design(self) -> tuple[Design, TrainingSettings]:
        for unfinished in self.session.unfinished:
            if (error := unfinished()) is not None:
                raise error
        design = self.session.design
        errors = self.session.errors
        self.session.insist()
        if design.data is None:
            self.dataWanted.emit()
            raise StudioError("There is no data to train on", remedy="Choose a file in the data panel.")
        if errors:
            self.problemsWanted.emit()
            more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
            raise StudioError(
                f"The drawing cannot be trained yet: {errors[0].message.rstrip('.')}{more}",
                where=errors[0].elsewhere,
                remedy="The list of problems shows each one and its place.",
            )
        return design, settings_from(design.training)

    def _begin(
        self,
        curves: Curves,
        design: Design,
        base: Path,
        settings: TrainingSettings,
        *,
        resume: bool,
        warm: WarmStart | None = None,
    ) -> None:
        assert curves.folder is not None
        self.compared.pop(curves.folder, None)
        self.curves = curves
        self._left = False
        self.run_folder = curves.folder
        self._client.start(design, base, settings, curves.folder, resume=resume, warm=warm)
        self._become("starting")
        self._timer.start()
        self.curvesReplaced.emit()

    def pause(self) -> None:
        if self.state == "running":
            self._client.pause()
            self._become("pausing")

    def resume(self) -> None:
        if self.state in ("paused", "pausing"):
            self._client.resume()

    def stop(self) -> None:
        if self.alive and self.state != "stopping":
            self._client.stop()
            self._become("stopping")

    def step(self) -> None:
        """One optimiser step, then wait."""
        if self.state in ("running", "paused"):
            self._client.step()

    def set(self, name: str, value: float) -> None:
        """Change a setting of the run while it runs. Edits of the design's settings come here by themselves."""
        if name not in LIVE_SETTINGS:
            raise ValueError(f"{name} cannot be changed while a run is alive")
        if self.alive:
            self._client.set(name, value)

    def _follow_settings(self, change: Change) -> None:
        """An edit (or its undo) of what may change while a run is alive reaches the run at once."""
        if not self.alive or change.edit is None:
            return
        for name in LIVE_SETTINGS:
            default = TrainingSettings.model_fields[name].default
            value = change.after.training.get(name, default)
            if value != change.before.training.get(name, default):
                self.set(name, value)

    def close(self) -> None:
        """End everything: the run is asked to stop and save, the worker process ends. Safe to call twice."""
        self._timer.stop()
        if not self._closed:
            self._closed = True
            self._loader.forget()
            self._client.close()
            self._collector.close()
        self.state = "idle"

    # --- runs beside each other

    def shown_runs(self) -> list[Curves]:
        """The live run first (or the last one), then the stored ones beside it: the order of their colours."""
        others = [curves for folder, curves in self.compared.items() if folder != self.curves.folder]
        return ([self.curves] if self.curves.folder is not None else []) + others

    def compare(self, curves: Curves) -> None:
        """Show a stored run beside the live one."""
        if curves.folder is not None:
            self.compared[curves.folder] = curves
            self.curvesReplaced.emit()

    def forget(self, folder: Path) -> None:
        """No longer show that run; the last run too, when it is that one and is over."""
        gone = self.compared.pop(folder, None) is not None
        if not self.alive and self.curves.folder == folder:
            self.curves, gone = Curves(), True
        start = self.beginning.start
        if start is not None and Path(start.run) == folder:
            self.beginning.offer(None)
        if gone:
            self.curvesReplaced.emit()

    def _leave_run(self) -> None:
        """Another design was opened: a run that is over, and what is shown beside it, belong to the one before.

        One that still trains is shown until its end.
        """
        self._left = self.alive
        if not self.alive:
            self.curves, self.run_folder, self.compared = Curves(), None, {}
            self.curvesReplaced.emit()

    # --- what the worker says

    def _drain(self) -> None:
        events = self._client.drain()
        if events:
            self._take(events)
        now = time.monotonic()
        if self._fresh and now - self._drawn_at >= DRAW_SECONDS:
            self._draw(now)

    def _draw(self, now: float) -> None:
        self._fresh = False
        self.drawn.emit()
        # Slow drawing (a large window, many runs) leaves the event loop two thirds of the time.
        self._drawn_at = max(now, time.monotonic() + 2 * (time.monotonic() - now) - DRAW_SECONDS)

    def _take(self, events: list[Event]) -> None:
        steps: list[StepDone] = []
        newest: dict[type, Event] = {}
        for event in events:
            self.curves.take(event)
            if isinstance(event, StepDone):
                steps.append(event)
            elif isinstance(event, (ParameterNorms, Probed)):
                newest[type(event)] = event
            else:
                if steps:
                    self.stepsArrived.emit(steps)
                    steps = []
                self._tell(event)
        if steps:
            self.stepsArrived.emit(steps)
        if norms := newest.get(ParameterNorms):
            self.normsArrived.emit(norms)
        if probe := newest.get(Probed):
            self.probed.emit(probe)
        self._fresh = True

    def _tell(self, event: Event) -> None:
        if isinstance(event, Started):
            if self.state == "starting":
                self._become("running")
            self.runStarted.emit(event)
        elif isinstance(event, Validated):
            self.validated.emit(event)
        elif isinstance(event, Sampled):
            self.sampled.emit(event)
        elif isinstance(event, Forecast):
            self.forecast.emit(event)
        elif isinstance(event, Answered):
            self.answered.emit(event)
        elif isinstance(event, CheckpointSaved):
            self.checkpointSaved.emit(event)
        elif isinstance(event, SettingChanged):
            self.settingChanged.emit(event)
        elif isinstance(event, LoopsChosen):
            self.loopsChosen.emit(event)
        elif isinstance(event, Compiling):
            self._compiles(event.loop)
        elif isinstance(event, Log):
            self.session.message.emit(event.text)
        elif isinstance(event, Paused):
            if self.state != "stopping":
                self._become("paused")
        elif isinstance(event, Resumed):
            if self.state != "stopping":
                self._become("running")
        elif isinstance(event, Finished):
            self._end()
            self.beginning.offer(None if self._left else self.run_folder)
            self.finished.emit(event)
            if self._left:
                self._leave_run()
        elif isinstance(event, Failed):
            self._end()
            self.failed.emit(event)
            self.session.failed.emit(StudioError(event.what, where=event.where, remedy=event.remedy))

    def _compiles(self, loop: str) -> None:
        if loop != self.compiling:
            self.compiling = loop
            self.compilingChanged.emit(loop)

    def _end(self) -> None:
        self._timer.stop()
        self._compiles("")
        self._become("idle")
        self._draw(time.monotonic())

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.stateChanged.emit(state)


def _stored(folder: Path) -> tuple[Run, Curves, Design, TrainingSettings]:
    """Runs in a thread. Raises StudioError."""
    run = Run.open(folder)
    return run, Curves.stored(run), run.design(), run.settings()


def runs_folder(design_path: Path | None) -> Path:
    """Where a design's runs are kept: beside its file, or in the user's data folder when it was never saved."""
    if design_path is not None:
        return design_path.parent / "runs"
    return Path(platformdirs.user_data_dir("rnnstudio", appauthor=False)) / "runs"


def new_run_folder(design_path: Path | None, name: str) -> Path:
    """`<name>-<number>`, with the first number above those that are there. The folder is not made."""
    folder = runs_folder(design_path)
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    pattern = re.compile(re.escape(stem) + r"-(\d+)")
    there = [pattern.fullmatch(entry.name) for entry in folder.iterdir()] if folder.is_dir() else []
    return folder / f"{stem}-{max((int(match[1]) for match in there if match), default=0) + 1}"
