"""Keeps a training from being lost: when checkpoints are written, what is in them, how a run goes on from one.

What a checkpoint stands for is in the history before the checkpoint gets its name, and the best one gets its name
before the last one that speaks of it: so whatever moment a process is killed at, the newest whole checkpoint and the
history up to it are those of an unbroken run.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..design.errors import StudioError
from ..runtime import Network
from . import checkpoints
from .checkpoints import Checkpoint
from .events import Sampled
from .history import History, read_events
from .optim import load_named_state, named_state
from .ridge import Ridge
from .runs import RunFolder
from .saved import Damaged, damaged, step_of
from .settings import TrainingSettings
from .timing import Budget

SHARE = 0.02
"""Of the time, for checkpoints after validations, which nobody asked for by a number of steps or seconds."""
DEAR = 0.05
"""Of the time: what checkpoints may cost before it is told."""
FIXED = ("batch_size", "chunk", "carry", "anew", "seed", "optimiser", "momentum")
"""Settings that a resumed run cannot change: the place in the epoch or the optimiser's state would mean nothing."""


@dataclass
class Place:
    """How far a training is. step, epoch, index: steps done, and the batch that comes next (from 0).

    loss: running mean of the last 50 steps or so. busy: seconds in steps; places: trained on in them.
    validated, sampled: the step of the last validation, and of the last sample asked for by steps (-1: none).
    first_loss: of the run's first step; least_loss: the least running mean; grown: the step at which it was told that
    the loss has grown a hundredfold (-1: not yet).
    """

    step: int = 0
    epoch: int = 0
    index: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    places: int = 0
    loss: float = 0.0
    validated: int = -1
    sampled: int = -1
    validation_loss: float | None = None
    best_loss: float | None = None
    best_step: int = -1
    without_progress: int = 0
    first_loss: float | None = None
    least_loss: float | None = None
    grown: int = -1

    @property
    def began(self) -> tuple[float, float]:
        """The first step's loss, and the least running mean so far."""
        first = self.loss if self.first_loss is None else self.first_loss
        return first, first if self.least_loss is None else self.least_loss

    def advance(self, loss: float, places: int, seconds: float, steps_per_epoch: int) -> None:
        self.step += 1
        self.index += 1
        if self.index >= steps_per_epoch:
            self.epoch, self.index = self.epoch + 1, 0
        self.loss += (loss - self.loss) * max(1.0 / self.step, 0.02)
        self.first_loss = loss if self.first_loss is None else self.first_loss
        self.least_loss = self.loss if self.least_loss is None else min(self.least_loss, self.loss)
        self.places += places
        self.busy += seconds


class Keeper:
    """Writes the checkpoints of one run. Used by the trainer between steps."""

    def __init__(
        self,
        run: RunFolder,
        network: Network,
        optimiser: torch.optim.Optimizer,
        digest: str,
    ) -> None:
        self.run = run
        self.network = network
        self.optimiser = optimiser
        self.digest = digest
        self.history: History | None = None
        """Open while the training goes on: what was recorded there is what a checkpoint stands for."""
        self.count = 0
        """Checkpoints written since this process took the run up, and the seconds that they took."""
        self.cost = 0.0
        self._budget = Budget(SHARE)
        self._best: Checkpoint | None = None
        self._saved = -1
        self._since = time.perf_counter()
        self._told = False

    def path(self, which: str) -> Path:
        return self.run.folder / "checkpoints" / f"{which}.safetensors"

    def open_history(self) -> History:
        self.history = History(self.run.folder / "history.sqlite")
        return self.history

    def improved(self, place: Place, carried: dict[str, Tensor] | None, settings: TrainingSettings) -> None:
        """This is the best so far: remember it, to be written with the next checkpoint."""
        self._best = self.capture(place, carried, settings)

    def due(self, place: Place, settings: TrainingSettings, *, validated: bool) -> bool:
        """Whether to save now: at the beginning, every N seconds, every N steps, and after validations.

        After a validation: as time allows, unless a number of steps is set; then where it is the best so far.
        """
        if place.step == self._saved:
            return False
        if self._saved < 0:
            return True
        if 0 < settings.checkpoint_seconds <= time.perf_counter() - self._since:
            return True
        if settings.checkpoint_every:
            return place.step % settings.checkpoint_every == 0 or (validated and self._best is not None)
        return validated and self._budget.due

    def save(
        self, place: Place, carried: dict[str, Tensor] | None, settings: TrainingSettings
    ) -> list[tuple[Path, bool]]:
        """Write the last checkpoint, and the best one when it is new. Returns (path, whether the best) of each."""
        start = time.perf_counter()
        with self._budget.spending():
            last, best = self.path("last"), self.path("best")
            new_last, new_best = place.step != self._saved or not last.exists(), self._best
            if self.history is not None and (new_last or new_best):
                self.history.secure()
            if new_best is not None:
                checkpoints.save(best, new_best)
                self._best = None
            if new_last:
                if new_best is not None and new_best.body["place"]["step"] == place.step:
                    checkpoints.copy(best, last)
                else:
                    checkpoints.save(last, self.capture(place, carried, settings))
                self._saved = place.step
        self._since = time.perf_counter()
        written = [(path, path is best) for path, new in ((best, new_best), (last, new_last)) if new]
        self.count += len(written)
        self.cost += self._since - start
        return written

    def dear(self, seconds: float, settings: TrainingSettings) -> str:
        """What to tell, once, where checkpoints take more than a little of the time. seconds: trained here so far."""
        if self._told or self.count < 3 or self.cost <= DEAR * seconds:
            return ""
        self._told = True
        each = self.cost / self.count
        return (
            f"Checkpoints take {self.cost / seconds:.0%} of the time, {each:.1f} s each: with checkpoint_seconds = "
            f"{max(settings.checkpoint_seconds, each / DEAR):.0f} and checkpoint_every = 0 they take less."
        )

    def capture(self, place: Place, carried: dict[str, Tensor] | None, settings: TrainingSettings) -> Checkpoint:
        """A copy of this moment."""
        state = named_state(self.optimiser, self.network.weights)
        return Checkpoint(
            weights={path: w.detach().clone() for path, w in self.network.weights.items()},
            optimiser={**state, "state": {p: _copied(values) for p, values in state["state"].items()}},
            carried=_copied(carried) if carried is not None else None,
            random=checkpoints.random_state(),
            body={
                "place": dataclasses.asdict(place),
                "settings": settings.model_dump(),
                "data_digest": self.digest,
                "lowerings": self.network.lowering_choices(),
                "history": self.history.mark if self.history is not None else None,
            },
        )

    def restore(self, settings: TrainingSettings, device: torch.device) -> tuple[Place, dict[str, Tensor] | None, str]:
        """Put everything back as the newest whole checkpoint has it, history too.

        The best one may be newer than the last, where the process ended between the two; or the only whole one.
        Returns place, carried state, and what is to be told ("": nothing). Raises StudioError when none fits.
        """
        steps: dict[Path, int] = {}
        broken: list[Damaged] = []
        for path in (self.path("last"), self.path("best")):
            if path.exists():
                try:
                    steps[path] = step_of(path)
                except Damaged as error:
                    broken.append(error)
        for path in sorted(steps, key=lambda one: -steps[one]):
            try:
                place, carried, mark = self._take_up(path, settings, device)
            except Damaged as error:
                broken.append(error)
                continue
            with self.open_history() as history:
                history.forget_after(place.step, mark)
            samples = read_events(self.run.folder / "history.sqlite", Sampled)
            self.run.rewrite_samples([event for event in samples if isinstance(event, Sampled)])
            self._saved = place.step if path == self.path("last") else 0
            how = f"Going on from the checkpoint “{path.stem}”, step {place.step:,}."
            return place, carried, f"{broken[0].what} ({broken[0].where}). {how}" if broken else ""
        if broken:
            raise broken[0]
        raise StudioError(
            "The run ended before its first checkpoint: there is nothing to go on with",
            where=str(self.run.folder),
            remedy="Start a new run.",
        )

    def _take_up(
        self, path: Path, settings: TrainingSettings, device: torch.device
    ) -> tuple[Place, dict[str, Tensor] | None, int | None]:
        """Network, optimiser and random numbers as a checkpoint has them. Returns place, carried state, history's mark.

        Raises Damaged, and StudioError where it belongs to other settings, data or another design.
        """
        found = checkpoints.load(path)
        before = found.body.get("settings", {})
        for name in FIXED:
            if before.get(name) != getattr(settings, name):
                raise StudioError(
                    f"The run was trained with {name} = {str(before.get(name))[:80]}, not {getattr(settings, name)}",
                    where=str(self.run.folder),
                    remedy=f"Set {name} back to resume it, or start a new run.",
                )
        if found.body.get("data_digest") != self.digest:
            raise StudioError(
                "The data file is not the one this run was trained on",
                where=str(self.run.folder),
                remedy="Bring back the old file, or start a new run.",
            )
        self.network.load_weights(found.weights)
        try:
            self.network.set_lowering_choices(found.body.get("lowerings", {}))
            load_named_state(self.optimiser, self.network.weights, found.optimiser, str(path))
            checkpoints.restore_random(found.random)
            place = _place(found.body["place"])
            mark = found.body.get("history")
            if not (mark is None or type(mark) is int):
                raise TypeError("its mark in the history is no number")
            if not isinstance(self.optimiser, Ridge):  # whose sums have shapes of their own, which it checks
                _check_fit(self.optimiser)
        except KeyError as error:
            raise damaged(path, f"it lacks {error}") from error
        except (ValueError, TypeError, IndexError, AttributeError, OverflowError, RuntimeError) as error:
            raise damaged(path, error) from error
        carried = None
        if found.carried is not None:
            carried = {name: tensor.to(device) for name, tensor in found.carried.items()}
        return place, carried, mark


def _place(values: dict[str, Any]) -> Place:
    """Raises TypeError where it is none."""
    for item in dataclasses.fields(Place):
        value = values.get(item.name, item.default)
        fits = isinstance(value, int) if item.type == "int" else isinstance(value, int | float)
        if (not fits and not ("None" in str(item.type) and value is None)) or isinstance(value, bool):
            raise TypeError(f"its place has the {item.name} {str(value)[:40]!r}")
    if values["step"] < 0 or values.get("epoch", 0) < 0 or values.get("index", 0) < 0:
        raise ValueError("its place is before the beginning")
    # A version that kept no step of the last sample had it written before its checkpoint.
    return Place(**{"sampled": values["step"], **values})


def _check_fit(optimiser: torch.optim.Optimizer) -> None:
    """Raises ValueError where an optimiser's state is not of its parameters' shapes."""
    kinds: set[frozenset[str]] = set()
    for parameter, values in optimiser.state.items():
        kinds.add(frozenset(values))
        for name, value in values.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                raise ValueError(f"the optimiser's {name} has shape {list(value.shape)}, not {list(parameter.shape)}")
    if len(kinds) > 1:
        raise ValueError("the optimiser's state lacks a part of some parameter")


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.detach().clone() if isinstance(value, Tensor) else value for name, value in values.items()}
