"""Looks inside while training goes on, at a bounded cost: gates, states, gradients through time, parameters.

A look changes no bit of the training and no random state. Gates and states are those of one example, run again without
dropout. ‖∂L/∂h_t‖ is read from the step's own way back, of the whole batch, where a loop's lowering leaves it; else it
is that of the one example, as that of the last step's loss always is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..design.recipe import DataRecipe
from ..runtime import Network
from ..runtime.context import Watch
from ..runtime.state_gradients import backward_states
from .events import QUANTILES
from .optim import norms
from .timing import Budget

SHARE = 0.05
"""Of the time of training."""


class Watcher:
    """Looks at one step now and then: `watch` before it, `look` after its way back, before its optimiser changes the
    weights, `after_update` behind that.
    """

    def __init__(self, network: Network, recipe: DataRecipe, trained: Mapping[str, torch.nn.Parameter]) -> None:
        self.network = network
        self.trained = trained
        self.budget = Budget(SHARE)
        self._looks = 0
        self._before: list[Tensor] = []
        self._gradients: list[Tensor] = []
        self._watch: Watch = []
        self._inside: dict[str, Any] = {}
        self._read: tuple[str, tuple[str, ...]] | None = None
        self._backward = backward_states(network.program)
        specs = {spec.name: spec for spec in recipe.fields}
        for item in network.program.inputs:
            spec = specs.get(item.field)
            if self._read is None and not item.target and spec is not None and spec.content == "tokens" and spec.axis:
                self._read = (item.field, spec.vocabulary)

    def due(self, every: float, *, last: bool) -> bool:
        """Whether this step is looked at. every: seconds between looks; 0: never. last: it stays in sight.

        The first looks follow each other sooner, a fifth of that time, then double: a quick training shows curves too.
        """
        self.budget.at_least = every * min(1.0, 0.1 * 2.0 ** min(self._looks, 4))
        due = every > 0 and (last or self.budget.due)
        self._looks += due
        return due

    def watch(self) -> Watch:
        """What the losses of the step are to be asked for with."""
        self._watch = []
        return self._watch

    def look(
        self, fields: Mapping[str, Tensor], lengths: Mapping[str, Tensor], state: Mapping[str, Tensor] | None
    ) -> None:
        """Look at the first example from inside, and keep what the update will change."""
        with self.budget.spending():
            size = len(next(iter(fields.values())))
            through_time = self.network.state_gradients(self._watch, lengths, size)
            self._watch = []
            probe = self.network.probe(fields, lengths, state, totals=not through_time)
            self._inside = {
                "values": {path: _array(value) for path, value in probe.values.items()},
                "gates": probe.gates,
                "state_gradients": {path: _array(value) for path, value in probe.state_gradients.items()},
                "batch_gradients": {path: _array(_spread(x)) for path, x in through_time.items() if size > 1},
                "backward": self._backward,
                "tokens": self._tokens(fields, lengths),
            }
            totals: dict[str, Any] = self._inside["state_gradients"]
            for path, x in through_time.items():
                totals[path] = _array(x[~x[:, 0].isnan(), 0])
            own = {path: _array(value) for path, value in probe.end_gradients.items()}
            self._inside["end_gradients"] = totals | own
            self._gradients = norms([w.grad if w.grad is not None else torch.zeros_like(w) for w in self._weights()])
            self._before = [w.detach().clone() for w in self._weights()]

    def after_update(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments of Probed and ParameterNorms.

        A parameter that is all zero has the ratio of its update to 1e-12.
        """
        with self.budget.spending(more=True):
            values = norms([w.detach() for w in self._weights()])
            moved = norms(torch._foreach_sub([w.detach() for w in self._weights()], self._before))
            table = torch.stack([torch.stack(row) for row in (self._gradients, values, moved)]).double().tolist()
            self._before, self._gradients = [], []
            gradient, value, update = (dict(zip(self.trained, row, strict=True)) for row in table)
            ratio = {path: update[path] / max(value[path], 1e-12) for path in self.trained}
            inside, self._inside = self._inside, {}
            return inside, {"gradient": gradient, "value": value, "update_ratio": ratio}

    def _weights(self) -> list[torch.nn.Parameter]:
        return list(self.trained.values())

    def _tokens(self, fields: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> tuple[str, ...]:
        if self._read is None:
            return ()
        name, vocabulary = self._read
        row = fields[name][0].tolist()
        return tuple(vocabulary[token] for token in row[: int(lengths["time"][0]) if "time" in lengths else None])


def _spread(norms: Tensor) -> Tensor:
    """[3, time]: the QUANTILES of [time, batch], of the examples that have the step."""
    return norms.nanquantile(norms.new_tensor(QUANTILES), dim=1)


def _array(value: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return value.detach().float().cpu().numpy()
