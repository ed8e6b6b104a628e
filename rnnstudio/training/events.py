"""What a trainer says while it works: immutable records that cross threads and processes. No torch, no Qt here."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
InUnits = npt.NDArray[np.float64]
"""Numbers in the file's own units: large offsets need the digits."""

QUANTILES = (0.1, 0.5, 0.9)
"""Of the batch, in Probed.batch_gradients."""


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events. `seconds`: training time since the run began, pauses not counted."""

    step: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The network stands and the first step comes next. `parameters`: path → number of values.

    `lowerings`: one line a loop: what it runs on, and why. `unit`: what `tokens` counts.
    """

    run_folder: str
    device: str
    threads: int
    steps_total: int
    steps_per_epoch: int
    parameters: dict[str, int]
    lowerings: tuple[str, ...]
    resumed: bool = False
    unit: str = "tokens"


@dataclass(frozen=True, slots=True)
class LoopsChosen(Event):
    """What the loops run on was settled by timing it. `lowerings`: one line a loop, as in Started."""

    lowerings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compiling(Event):
    """Machine code of a loop is being made, which takes seconds where the loop is large; it is then kept on disk.

    `loop`: its name; "" once the code is there. Told at once, in the middle of a step, and in no history.
    """

    loop: str


@dataclass(frozen=True, slots=True)
class StepDone(Event):
    """One optimiser step. `loss`: nats (or the loss's own unit) a place, before the step; `tokens`: places trained on.

    `gradient_norm`: of all parameters together, before clipping; `clipped`: whether it was cut to the limit.
    Of ridge regression: `loss` over everything read so far, with the readout solved for it; no gradient.
    """

    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float
    clipped: bool
    tokens: int
    tokens_per_second: float
    carried: bool = False


@dataclass(frozen=True, slots=True)
class ParameterNorms(Event):
    """Of each parameter: norm of its gradient, norm of its value, and size of its last update relative to it."""

    gradient: dict[str, float]
    value: dict[str, float]
    update_ratio: dict[str, float]


@dataclass(frozen=True, slots=True)
class Validated(Event):
    """The loss over a whole split. `perplexity`, `accuracy`, `label_error_rate` (of CTC): None where they do not apply.

    `best`: lowest loss so far.
    """

    split: str
    epoch: int
    loss: float
    perplexity: float | None
    accuracy: float | None
    best: bool
    label_error_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Baselines(Event):
    """What simple models reach on the validation part: by name, in the unit of the loss; and how often they are right.

    Told once, beside the first validation. Empty where none of them measures what the loss does.
    """

    values: dict[str, float]
    accuracy: dict[str, float]


@dataclass(frozen=True, slots=True)
class Probed(Event):
    """One example seen from inside.

    values: path of a node → [time, unit] of what it gave (gates, states, candidates).
    gates: the paths among them whose values are gates (0 … 1).
    state_gradients: path of a state → [time] of ‖∂L/∂h_t‖, total: through all later steps; L: the example's own loss.
    end_gradients: path of a state → [time] of ‖∂L_T/∂h_t‖. L_T: what the last step, in the order of the state's own
    loop, gives to L; the same as state_gradients where L has no steps along the loop.
    backward: paths of states whose loops run from the last step to the first.
    batch_gradients: state_gradients of the whole batch, [3, time]: the QUANTILES over the examples that have the
    step; empty where the loops run on a lowering that does not tell (see runtime.state_gradients).
    tokens: what the example reads, a text a step ("" for features).
    """

    values: dict[str, Array]
    gates: tuple[str, ...]
    state_gradients: dict[str, Array]
    tokens: tuple[str, ...] = ()
    batch_gradients: dict[str, Array] = field(default_factory=dict)
    end_gradients: dict[str, Array] = field(default_factory=dict)
    backward: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampled(Event):
    """Text the model wrote by itself. Of an encoder–decoder, prompt: what it read; truth: what was to be written.

    numbers: what it wrote are numbers, its own predictions; there is no temperature.
    """

    prompt: str
    text: str
    temperature: float
    truth: str = ""
    numbers: bool = False


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """Sequences of numbers that an encoder–decoder wrote by itself, in the file's own units, and the true ones.

    truth, prediction: [example, time, column], NaN behind an example's end.
    """

    truth: InUnits
    prediction: InUnits
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forecast(Event):
    """A stretch of the validation split: truth and one-step prediction, [time, column], in the file's own units.

    labels: of each step (its year, its date), () where the file has no order column.
    """

    truth: InUnits
    prediction: InUnits
    columns: tuple[str, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointSaved(Event):
    path: str
    best: bool


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """Training waits; parameters and place are as they were after `step`."""


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """Training goes on after a pause."""


@dataclass(frozen=True, slots=True)
class SettingChanged(Event):
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Log(Event):
    """Something worth a line that is no failure: a setting that could not be changed, a part that is left out."""

    text: str


@dataclass(frozen=True, slots=True)
class LossGrew(Event):
    """The loss has become a hundred times what it was; the training goes on. Told once a run. `text`: how, and what to
    do about it."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The run is over. reason: "done" (all steps), "stopped" (by a person), "early" (no progress in validation)."""

    reason: str
    loss: float
    validation_loss: float | None
    best_validation_loss: float | None
    tokens_per_second: float
    summary: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """The run broke off. `what`, `where`, `remedy` as in StudioError; `details`: a traceback for a bug report."""

    what: str
    where: str = ""
    remedy: str = ""
    details: str = ""


Picture = Probed | ParameterNorms | Forecast | Answered
PICTURES = (Probed, ParameterNorms, Forecast, Answered)
"""Events of which only the newest matters to somebody who watches."""
