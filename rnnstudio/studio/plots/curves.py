"""The numbers of one run in arrays that grow: what plots draw, so that a plot opened late shows the whole run.

Owner: `Live` for the run that trains, the runs panel for stored ones. Only the window's thread touches them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnnstudio.training.events import (
    Answered,
    Baselines,
    Event,
    Failed,
    Finished,
    Forecast,
    LoopsChosen,
    LossGrew,
    ParameterNorms,
    Probed,
    Sampled,
    Started,
    StepDone,
    Validated,
)
from rnnstudio.training.runs import Run

Floats = npt.NDArray[np.float64]

SMOOTH_SHARE, SMOOTH_STEPS = 0.1, 50
"""The smoothed loss is a running mean over this share of the steps so far, but over no more than so many steps."""
PROBES_KEPT = 8
SAMPLES_KEPT = 200


class Growing:
    """A table [rows, columns] of float64 that grows at its end; appending costs O(1) on average."""

    def __init__(self, columns: int = 1) -> None:
        self._array: Floats = np.empty((256, columns))
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, *values: float) -> None:
        if self._rows == len(self._array):
            bigger = np.empty((2 * len(self._array), self._array.shape[1]))
            bigger[: self._rows] = self._array
            self._array = bigger
        self._array[self._rows] = values
        self._rows += 1

    def extend(self, rows: Floats) -> None:
        """Append rows [n, columns] at once."""
        end = self._rows + len(rows)
        if end > len(self._array):
            bigger = np.empty((max(end, 2 * len(self._array)), self._array.shape[1]))
            bigger[: self._rows] = self._array[: self._rows]
            self._array = bigger
        self._array[self._rows : end] = rows
        self._rows = end

    def keep(self, rows: int) -> None:
        """Forget all but the first `rows`."""
        self._rows = min(rows, self._rows)

    def column(self, index: int) -> Floats:
        """[rows], a view: valid until the next append."""
        return self._array[: self._rows, index]

    @property
    def last(self) -> Floats:
        row: Floats = self._array[self._rows - 1]
        return row


class Curves:
    """What one run has told so far."""

    def __init__(self, name: str = "", folder: Path | None = None) -> None:
        self.name = name
        self.folder = folder
        self.started: Started | None = None
        self.ended: Finished | Failed | None = None
        self.grew: LossGrew | None = None
        self._steps = Growing(8)
        self._validations = Growing(5)
        self._norms: dict[str, Growing] = {}
        self._smooth = 0.0
        self._smoothed_steps = 0
        self.baselines: Baselines | None = None
        self.probes: deque[Probed] = deque(maxlen=PROBES_KEPT)
        self.samples: deque[Sampled] = deque(maxlen=SAMPLES_KEPT)
        self.forecasts: deque[Forecast] = deque(maxlen=SAMPLES_KEPT)
        self.answers: deque[Answered] = deque(maxlen=SAMPLES_KEPT)

    @classmethod
    def of(cls, events: Iterable[Event], name: str, folder: Path | None = None) -> Curves:
        curves = cls(name, folder)
        for event in events:
            curves.take(event)
        return curves

    @classmethod
    def stored(cls, run: Run) -> Curves:
        """The curves of a run on disk, which may still be going on. Raises StudioError when it cannot be read.

        Touches nothing of Qt, so a thread may do it.
        """
        curves = cls(run.name, run.folder)
        steps = run.steps()
        table = np.zeros((len(steps), 8))
        names = ("step", "loss", "", "learning_rate", "gradient_norm", "clipped", "seconds", "tokens_per_second")
        for place, name in enumerate(names):
            if name:
                table[:, place] = getattr(steps, name)
        for row in table:
            row[2] = curves._smoothed(float(row[1]))
        curves._steps.extend(table)
        for event in run.events():
            curves.take(event)
        return curves

    def __len__(self) -> int:
        """Number of steps."""
        return len(self._steps)

    def take(self, event: Event) -> None:
        """Remember what an event says; kinds that draw nothing are passed over."""
        if isinstance(event, StepDone):
            self._steps.append(
                event.step,
                event.loss,
                self._smoothed(event.loss),
                event.learning_rate,
                event.gradient_norm,
                float(event.clipped),
                event.seconds,
                event.tokens_per_second,
            )
        elif isinstance(event, Validated):
            nothing = float("nan")
            self._validations.append(
                event.step,
                event.loss,
                nothing if event.perplexity is None else event.perplexity,
                nothing if event.accuracy is None else event.accuracy,
                nothing if event.label_error_rate is None else event.label_error_rate,
            )
        elif isinstance(event, ParameterNorms):
            for path, gradient in event.gradient.items():
                row = self._norms.setdefault(path, Growing(4))
                row.append(event.step, gradient, event.value.get(path, np.nan), event.update_ratio.get(path, np.nan))
        elif isinstance(event, Probed):
            self.probes.append(event)
        elif isinstance(event, Sampled):
            self.samples.append(event)
        elif isinstance(event, Baselines):
            self.baselines = event
        elif isinstance(event, Forecast):
            self.forecasts.append(event)
        elif isinstance(event, Answered):
            self.answers.append(event)
        elif isinstance(event, Started):
            self.started, self.ended = event, None
            if event.resumed:
                self._forget_after(event.step)
        elif isinstance(event, LoopsChosen):
            if self.started is not None:
                self.started = replace(self.started, lowerings=event.lowerings)
        elif isinstance(event, LossGrew):
            self.grew = event
        elif isinstance(event, (Finished, Failed)):
            self.ended = event

    def _smoothed(self, loss: float) -> float:
        if math.isfinite(loss):
            window = min(1 + SMOOTH_SHARE * self._smoothed_steps, SMOOTH_STEPS)
            self._smooth += (loss - self._smooth) / window
            self._smoothed_steps += 1
        return self._smooth if self._smoothed_steps else loss

    def _forget_after(self, step: int) -> None:
        """A run that goes on from a checkpoint takes back what it did after it."""
        if self.grew is not None and self.grew.step > step:
            self.grew = None
        for growing in (self._steps, self._validations, *self._norms.values()):
            growing.keep(int(np.searchsorted(growing.column(0), step, side="right")))
        for pictures in (self.samples, self.forecasts, self.answers):
            while pictures and pictures[-1].step > step:
                pictures.pop()

    # Per step, each [steps].
    @property
    def step(self) -> Floats:
        return self._steps.column(0)

    @property
    def loss(self) -> Floats:
        return self._steps.column(1)

    @property
    def smooth_loss(self) -> Floats:
        """Exponential running mean of the loss, over few steps at first, so that it does not trail behind."""
        return self._steps.column(2)

    @property
    def learning_rate(self) -> Floats:
        return self._steps.column(3)

    @property
    def gradient_norm(self) -> Floats:
        return self._steps.column(4)

    @property
    def clipped(self) -> Floats:
        return self._steps.column(5)

    @property
    def seconds(self) -> Floats:
        return self._steps.column(6)

    @property
    def tokens_per_second(self) -> Floats:
        return self._steps.column(7)

    # Per validation, each [validations].
    @property
    def validation_step(self) -> Floats:
        return self._validations.column(0)

    @property
    def validation_loss(self) -> Floats:
        return self._validations.column(1)

    @property
    def validation_perplexity(self) -> Floats:
        """NaN where the loss is not a cross-entropy."""
        return self._validations.column(2)

    @property
    def validation_accuracy(self) -> Floats:
        return self._validations.column(3)

    @property
    def validation_label_errors(self) -> Floats:
        """NaN where no loss is CTC."""
        return self._validations.column(4)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Paths of the parameters whose norms have been seen."""
        return tuple(self._norms)

    def norms(self, path: str) -> tuple[Floats, Floats, Floats, Floats]:
        """Steps, norm of the gradient, norm of the value, size of the update relative to it; each [times seen]."""
        row = self._norms[path]
        return row.column(0), row.column(1), row.column(2), row.column(3)

    @property
    def gives_perplexity(self) -> bool:
        """Whether e^loss is a perplexity: the run says so with its validations."""
        return bool(len(self._validations)) and bool(np.isfinite(self.validation_perplexity[-1]))

    @property
    def best_validation(self) -> float | None:
        losses = self.validation_loss
        finite = losses[np.isfinite(losses)]
        return float(finite.min()) if len(finite) else None

    def steps_per_second(self, over: float = 5.0) -> float:
        """Speed in the last `over` seconds of training; 0 when it cannot be told yet."""
        seconds, steps = self.seconds, self.step
        if len(seconds) < 2:
            return 0.0
        first = min(int(np.searchsorted(seconds, seconds[-1] - over)), len(seconds) - 2)
        span = float(seconds[-1] - seconds[first])
        return float(steps[-1] - steps[first]) / span if span > 0 else 0.0

    def seconds_left(self) -> float | None:
        """Estimate of the training time that remains, validations not counted; None before it can be told."""
        speed = self.steps_per_second(20.0)
        if self.started is None or not len(self) or speed <= 0:
            return None
        return max(self.started.steps_total - float(self.step[-1]), 0.0) / speed


def duration(seconds: float) -> str:
    """A time as people say it: "45 s", "3 min 20 s", "1 h 05 min"."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def shown_tokens(tokens: Iterable[str]) -> Iterator[str]:
    """Tokens with what cannot be seen made visible: a space, a line end, a tab."""
    marks = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
    return (marks.get(token, token.replace("\n", "⏎")) for token in tokens)
