"""Keeps a training from being lost: when checkpoints are written, what is in them, how a run goes on from one."""

from __future__ import annotations

import dataclasses
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
from .runs import RunFolder
from .settings import TrainingSettings
from .timing import Budget

SHARE = 0.02
"""Of the time, for checkpoints that nobody asked for by a number of steps."""
SECONDS_AT_MOST = 60.0
"""Without an own number of steps, no more than about this much training is lost when the machine dies."""
FIXED = ("batch_size", "chunk", "carry", "anew", "seed", "optimiser", "momentum")
"""Settings that a resumed run cannot change: the place in the epoch or the optimiser's state would mean nothing."""


@dataclass
class Place:
    """How far a training is. step, epoch, index: steps done, and the batch that comes next (from 0).

    loss: running mean of the last 50 steps or so. busy: seconds in steps; places: trained on in them.
    validated: the step of the last validation (-1: none).
    """

    step: int = 0
    epoch: int = 0
    index: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    places: int = 0
    loss: float = 0.0
    validated: int = -1
    validation_loss: float | None = None
    best_loss: float | None = None
    best_step: int = -1
    without_progress: int = 0

    def advance(self, loss: float, places: int, seconds: float, steps_per_epoch: int) -> None:
        self.step += 1
        self.index += 1
        if self.index >= steps_per_epoch:
            self.epoch, self.index = self.epoch + 1, 0
        self.loss += (loss - self.loss) * max(1.0 / self.step, 0.02)
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
        self._budget = Budget(SHARE, SECONDS_AT_MOST)
        self._best: Checkpoint | None = None
        self._saved = -1

    def path(self, which: str) -> Path:
        return self.run.folder / "checkpoints" / f"{which}.safetensors"

    def open_history(self) -> History:
        return History(self.run.folder / "history.sqlite")

    def improved(self, place: Place, carried: dict[str, Tensor] | None, settings: TrainingSettings) -> None:
        """This is the best so far: remember it, to be written with the next checkpoint."""
        self._best = self.capture(place, carried, settings)

    def due(self, place: Place, settings: TrainingSettings, *, validated: bool) -> bool:
        """Whether to save now: every N steps as set, or after validations and every minute as time allows."""
        if place.step == self._saved:
            return False
        if settings.checkpoint_every:
            return place.step % settings.checkpoint_every == 0 or (validated and self._best is not None)
        self._budget.at_least = 0.0 if validated else SECONDS_AT_MOST
        return self._budget.due

    def save(
        self, place: Place, carried: dict[str, Tensor] | None, settings: TrainingSettings
    ) -> list[tuple[Path, bool]]:
        """Write the last checkpoint, and the best one when it is new. Returns (path, whether the best) of each."""
        with self._budget.spending():
            written = []
            last, best = self.path("last"), self.path("best")
            if place.step != self._saved or not last.exists():
                checkpoints.save(last, self.capture(place, carried, settings))
                self._saved = place.step
                written.append((last, False))
            if self._best is not None:
                if self._best.body["place"]["step"] == place.step:
                    checkpoints.copy(last, best)
                else:
                    checkpoints.save(best, self._best)
                self._best = None
                written.append((best, True))
            return written

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
            },
        )

    def restore(self, settings: TrainingSettings, device: torch.device) -> tuple[Place, dict[str, Tensor] | None]:
        """Put everything back as the last checkpoint has it, history too. Raises StudioError when it does not fit."""
        path = self.path("last")
        found = checkpoints.load(path)
        before = found.body["settings"]
        for name in FIXED:
            if before.get(name) != getattr(settings, name):
                raise StudioError(
                    f"The run was trained with {name} = {before.get(name)}, not {getattr(settings, name)}",
                    where=str(self.run.folder),
                    remedy=f"Set {name} back to resume it, or start a new run.",
                )
        if found.body["data_digest"] != self.digest:
            raise StudioError(
                "The data file is not the one this run was trained on",
                where=str(self.run.folder),
                remedy="Bring back the old file, or start a new run.",
            )
        self.network.set_lowering_choices(found.body.get("lowerings", {}))
        self.network.load_weights(found.weights)
        load_named_state(self.optimiser, self.network.weights, found.optimiser, str(path))
        checkpoints.restore_random(found.random)
        place = Place(**found.body["place"])
        history = self.open_history()
        history.forget_after(place.step)
        history.close()
        samples = read_events(self.run.folder / "history.sqlite", Sampled)
        self.run.rewrite_samples([event for event in samples if isinstance(event, Sampled)])
        self._saved = place.step
        carried = None
        if found.carried is not None:
            carried = {name: tensor.to(device) for name, tensor in found.carried.items()}
        return place, carried


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.detach().clone() if isinstance(value, Tensor) else value for name, value in values.items()}
