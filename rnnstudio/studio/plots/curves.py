"""The numbers of one run in arrays that grow: what plots draw, so that a plot opened late shows the whole run.

Owner: `Live` for the run that trains, the runs panel for stored ones. Only the window's thread touches them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnnstudio.training.events import (
    Event,
    Failed,
    Finished,
    Forecast,
    ParameterNorms,
    Probed,
    Sampled,
    Started,
    StepDone,
    Validated,
)

Floats = npt.NDArray[np.float64]

SMOOTHING = 0.98
"""Each smoothed loss is this much the one before; the start is corrected, so the first one is the loss itself."""
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

    def column(self, index: int) -> Floats:
        """[rows], a view: valid until the next append."""
        return self._array[: self._rows, index]

    @property
    def last(self) -> Floats:
        return self._array[self._rows - 1]


class Curves:
    """What one run has told so far."""

    def __init__(self, name: str = "", folder: Path | None = None) -> None:
        self.name = name
        self.folder = folder
        self.started: Started | None = None
        self.ended: Finished | Failed | None = None
        self._steps = Growing(8)
        self._validations = Growing(4)
        self._norms: dict[str, Growing] = {}
        self._smooth = 0.0
        self._weight = 0.0
        self.probes: deque[Probed] = deque(maxlen=PROBES_KEPT)
        self.samples: deque[Sampled] = deque(maxlen=SAMPLES_KEPT)
        self.forecasts: deque[Forecast] = deque(maxlen=SAMPLES_KEPT)

    @classmethod
    def of(cls, events: Iterable[Event], name: str, folder: Path | None = None) -> Curves:
        curves = cls(name, folder)
        for event in events:
            curves.take(event)
        return curves

    def __len__(self) -> int:
        """Number of steps."""
        return len(self._steps)

    def take(self, event: Event) -> None:
        """Remember what an event says; kinds that draw nothing are passed over."""
        if isinstance(event, StepDone):
            self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)
            if np.isfinite(event.loss):
                self._smooth = SMOOTHING * self._smooth + (1 - SMOOTHING) * event.loss
            self._steps.append(
                event.step,
                event.loss,
                self._smooth / self._weight,
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
            )
        elif isinstance(event, ParameterNorms):
            for path, gradient in event.gradient.items():
                row = self._norms.setdefault(path, Growing(4))
                row.append(event.step, gradient, event.value.get(path, np.nan), event.update_ratio.get(path, np.nan))
        elif isinstance(event, Probed):
            self.probes.append(event)
        elif isinstance(event, Sampled):
            self.samples.append(event)
        elif isinstance(event, Forecast):
            self.forecasts.append(event)
        elif isinstance(event, Started):
            self.started, self.ended = event, None
        elif isinstance(event, (Finished, Failed)):
            self.ended = event

    # Per step, each [steps].
    @property
    def step(self) -> Floats:
        return self._steps.column(0)

    @property
    def loss(self) -> Floats:
        return self._steps.column(1)

    @property
    def smooth_loss(self) -> Floats:
        """Exponential mean of the loss, corrected for its start (Kingma and Ba 2015, section 3)."""
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
