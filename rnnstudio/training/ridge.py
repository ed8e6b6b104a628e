"""Ridge regression in the place of an optimiser: it reads each batch once, and every step solves for what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..runtime import Network
from ..runtime.ridge import Readout, Sums, readouts, rows_of, width_of, write
from .settings import TrainingSettings


class Ridge(torch.optim.Optimizer):
    """Owns the sums of every readout. λ is the groups' weight_decay.

    Raises StudioError when something else than linear readouts under squared errors is trained.
    """

    def __init__(self, network: Network, settings: TrainingSettings) -> None:
        self.network = network
        self.washout = settings.washout
        self.readouts = readouts(network.program)
        weights = network.weights
        learned = [weights[path] for readout in self.readouts for path in readout.parameters]
        super().__init__(learned, {"weight_decay": settings.weight_decay, "lr": 0.0})
        self.sums = {r.loss.node: Sums(*width_of(r, weights), self._first(r).device) for r in self.readouts}
        self._position = torch.zeros((), dtype=torch.int64)
        """Steps read of the sequence that goes on from batch to batch."""
        self._show()

    @property
    def values(self) -> tuple[str, ...]:
        """Values of the program that `read` needs."""
        return tuple(dict.fromkeys(name for readout in self.readouts for name in readout.values))

    @property
    def rows(self) -> int:
        """Places read so far, washout excluded, by the readout that has seen the fewest."""
        return min(int(sums.rows) for sums in self.sums.values())

    def read(self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], *, steps: int, carried: bool) -> None:
        """Add a batch to the sums. steps: how long it is; carried: it goes on where the batch before ended."""
        if not carried:
            self._position.zero_()
        left = max(self.washout - int(self._position), 0)
        for readout in self.readouts:
            self.sums[readout.loss.node].add(*rows_of(readout, self.network.program, values, lengths, left))
        self._position += steps

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> float | None:  # type: ignore[override]
        """Solve. Returns the loss over everything read so far, or None where washout has left nothing yet."""
        if not self.rows:
            return None
        penalty, weights, total = self.param_groups[0]["weight_decay"], self.network.weights, 0.0
        for readout in self.readouts:
            sums = self.sums[readout.loss.node]
            solution = sums.solve(penalty, bias=bool(readout.biases))
            write(readout, solution, weights)
            total += readout.loss.weight * float(sums.squared_error(solution) / sums.rows) / solution.shape[1]
        return total

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's, but the sums stay in float64."""
        super().load_state_dict(state_dict)
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        places = {id(parameter): i for i, parameter in enumerate(parameters)}
        for readout in self.readouts:
            stored = state_dict["state"][places[id(self._first(readout))]]
            self.sums[readout.loss.node].restore(stored)
            self._position.copy_(stored["position"])
        self._show()

    def _show(self) -> None:
        """The sums are the optimiser's state, which checkpoints keep: under each readout's first matrix."""
        for readout in self.readouts:
            self.state[self._first(readout)] = {
                **self.sums[readout.loss.node].tensors(),
                "position": self._position,
            }

    def _first(self, readout: Readout) -> Tensor:
        return self.network.weights[readout.terms[0].weight]
