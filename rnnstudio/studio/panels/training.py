"""Train, pause, stop, and what the run says about itself; the settings form stands below."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from rnnstudio.training.events import Failed, Finished, Started

from ..live import Live
from ..plots.chart import number
from ..plots.curves import duration
from ..session import Session
from ..theme import SPACE
from .beginning import BeginningLine
from .forms import PlayerButton, note, set_role
from .settings import SettingsForm

STATES = {
    "idle": "Ready",
    "starting": "Starting: the network is being built …",
    "running": "Training",
    "pausing": "Pausing after this step …",
    "paused": "Paused",
    "stopping": "Stopping: the last checkpoint is being written …",
}
COMPILING = "Making machine code for {} …"
ENDINGS = {"done": "Done", "stopped": "Stopped", "early": "Stopped early: validation no longer improves"}


class TrainingPanel(QWidget):
    """Buttons, progress, readings, settings."""

    def __init__(self, session: Session, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.live = live
        self.train_button = PlayerButton("play", "Train", "Train the network that is drawn (F5)", "good")
        self.pause_button = PlayerButton("pause", "Pause", "Wait after the step that is being done")
        self.step_button = PlayerButton("step", "Step", "Do one step, then wait")
        self.stop_button = PlayerButton("stop", "Stop", "End the run and keep what it has learned", "error")
        self.train_button.clicked.connect(lambda: live.train())
        self.pause_button.clicked.connect(self._pause_or_resume)
        self.step_button.clicked.connect(live.step)
        self.stop_button.clicked.connect(live.stop)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (self.train_button, self.pause_button, self.step_button, self.stop_button):
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            buttons.addWidget(button)

        self.begins = BeginningLine(live)
        self.status = note(STATES["idle"], "heading")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(8)
        self.progress.setRange(0, 1)
        self.place = note("")
        self.warning = note("", "problem")
        self.readings = _Readings()
        self.lowerings = note("", "faint")
        self.lowerings.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.form = SettingsForm(session, live)

        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        column.setSpacing(SPACE)
        column.addLayout(buttons)
        column.addWidget(self.begins)
        column.addWidget(self.status)
        column.addWidget(self.progress)
        column.addWidget(self.place)
        column.addWidget(self.warning)
        column.addWidget(self.readings)
        column.addWidget(self.lowerings)
        column.addWidget(self.form)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.setMinimumWidth(250)

        live.stateChanged.connect(self._state_changed)
        live.compilingChanged.connect(lambda loop: self._show_status())
        live.runStarted.connect(self._started)
        live.loopsChosen.connect(lambda event: self.lowerings.setText("\n".join(event.lowerings)))
        live.drawn.connect(self._show_progress)
        live.curvesReplaced.connect(self._clear)
        live.finished.connect(self._finished)
        live.failed.connect(self._failed)
        self._state_changed(live.state)
        self._clear()

    def _pause_or_resume(self) -> None:
        if self.live.state == "running":
            self.live.pause()
        else:
            self.live.resume()

    def _state_changed(self, state: str) -> None:
        self.train_button.setEnabled(state == "idle")
        self.pause_button.setEnabled(state in ("running", "paused"))
        self.step_button.setEnabled(state in ("running", "paused"))
        self.stop_button.setEnabled(state in ("starting", "running", "pausing", "paused"))
        if state in ("paused", "pausing"):
            self.pause_button.show_as("play", "Resume", "Go on training")
        else:
            self.pause_button.show_as("pause", "Pause", "Wait after the step that is being done")
        # Busy, without a percentage, until the first step.
        self.progress.setRange(0, 0 if state == "starting" else max(self._total(), 1))
        self._show_status()
        self._show_progress()

    def _show_status(self) -> None:
        set_role(self.status, "heading")
        loop = self.live.compiling if self.live.state == "running" else ""
        self.status.setText(COMPILING.format(loop) if loop else STATES[self.live.state])

    def _total(self) -> int:
        started = self.live.curves.started
        return started.steps_total if started is not None else 0

    def _clear(self) -> None:
        self.place.setText("")
        self.lowerings.setText("")
        self.lowerings.hide()
        self.readings.clear()
        if self.live.curves.folder is None:  # another design: the last run's end is none of its business
            self._show_status()
            self.progress.setRange(0, 1)
            self.progress.setValue(0)
        started = self.live.curves.started
        if started is not None:
            self._started(started)
        self._show_progress()

    def _started(self, started: Started) -> None:
        self.progress.setRange(0, max(started.steps_total, 1))
        self.readings.put("Parameters", f"{sum(started.parameters.values()):,}")
        threads = f", {started.threads} thread{'s' if started.threads != 1 else ''}" if started.device == "cpu" else ""
        self.readings.put("Device", f"{started.device}{threads}")
        self.lowerings.setText("\n".join(started.lowerings))
        self.lowerings.setVisible(bool(started.lowerings))

    def _show_progress(self) -> None:
        curves = self.live.curves
        self.warning.setText(curves.grew.text if curves.grew is not None else "")
        self.warning.setVisible(curves.grew is not None)
        if not len(curves):
            return
        step, total = int(curves.step[-1]), self._total()
        if self.live.state != "starting":
            self.progress.setValue(min(step, total))
        where = [f"step {step:,} of {total:,}"]
        started = curves.started
        if started is not None and started.steps_per_epoch:
            # Steps count from 1, epochs too.
            epochs = math.ceil(total / started.steps_per_epoch)
            where.append(f"epoch {min((step - 1) // started.steps_per_epoch + 1, epochs)} of {epochs}")
        left = curves.seconds_left()
        if self.live.alive and left is not None:
            where.append(f"{duration(left)} left" if self.live.state == "running" else f"{duration(left)} to go")
        else:
            where.append(f"{duration(float(curves.seconds[-1]))} of training")
        self.place.setText(" · ".join(where))
        self._show_readings()

    def _show_readings(self) -> None:
        curves = self.live.curves
        loss = float(curves.smooth_loss[-1])
        nats = " nats" if curves.gives_perplexity else ""
        self.readings.put("Loss", f"{number(loss)}{nats}")
        if curves.gives_perplexity and loss < 50:
            self.readings.put("Perplexity", f"{number(math.exp(loss))} ({loss / math.log(2):.2f} bits)")
        losses = curves.validation_loss
        if len(losses):
            last = number(float(losses[-1]))
            perplexity = float(curves.validation_perplexity[-1])
            told = f" (perplexity {number(perplexity)})" if np.isfinite(perplexity) else nats
            self.readings.put("Validation", f"{last}{told}")
            accuracy = float(curves.validation_accuracy[-1])
            if np.isfinite(accuracy):
                self.readings.put("Accuracy", f"{accuracy:.1%}")
            errors = float(curves.validation_label_errors[-1])
            if np.isfinite(errors):
                self.readings.put("Label errors", f"{errors:.1%}")
            best = curves.best_validation
            if best is not None:
                at = int(curves.validation_step[int(np.nanargmin(losses))])
                self.readings.put("Best", f"{number(best)} (step {at:,})")
        if curves.baselines is not None and curves.baselines.values:
            values = curves.baselines.values
            name = min(values, key=lambda one: values[one])
            told = "\n".join(f"{one}: {number(value)}" for one, value in values.items())
            self.readings.put("To beat", f"{number(values[name])} ({name})", told)
        self.readings.put("Gradient", f"{number(float(curves.gradient_norm[-1]))}")
        self.readings.put("Learning rate", number(float(curves.learning_rate[-1])))
        speed = curves.steps_per_second()
        if speed:
            tokens = float(np.median(curves.tokens_per_second[-50:]))
            unit = started.unit if (started := curves.started) is not None else "tokens"
            # Where examples have several steps, "steps" alone would be those of the training.
            self.readings.put("Speed", f"{_compact(tokens)} {unit}/s · {_compact(speed)} updates/s")

    def _finished(self, event: Finished) -> None:
        self.status.setText(ENDINGS.get(event.reason, event.reason))

    def _failed(self, event: Failed) -> None:
        set_role(self.status, "problem")
        place = f" ({event.where})" if event.where else ""
        self.status.setText(f"{event.what.rstrip('. ')}{place}. {event.remedy}".strip())


def _compact(value: float) -> str:
    """Three digits, thousands as k."""
    return f"{value / 1000:.3g}k" if value >= 1000 else f"{value:.3g}"


class _Readings(QWidget):
    """What the run says, as names and values; a name appears with its first value."""

    ORDER = (
        "Loss",
        "Perplexity",
        "Validation",
        "Accuracy",
        "Label errors",
        "Best",
        "To beat",
        "Gradient",
        "Learning rate",
        "Speed",
        "Parameters",
        "Device",
    )

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        self._values: dict[str, tuple[QLabel, QLabel]] = {}
        for row, name in enumerate(self.ORDER):
            caption = QLabel(name)
            caption.setProperty("role", "muted")
            value = QLabel()
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            grid.addWidget(caption, row, 0)
            grid.addWidget(value, row, 1)
            self._values[name] = (caption, value)
        self.clear()

    def put(self, name: str, text: str, tip: str = "") -> None:
        caption, value = self._values[name]
        value.setText(text)
        value.setToolTip(tip or text)
        if caption.isHidden():
            caption.show()
            value.show()
            self.show()

    def text(self, name: str) -> str:
        return self._values[name][1].text()

    def clear(self) -> None:
        for labels in self._values.values():
            for label in labels:
                label.hide()
            labels[1].clear()
        self.hide()
