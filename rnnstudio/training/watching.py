"""Looks inside while training goes on, at a bounded cost: gates, states, gradients through time, parameters.

A look changes no bit of the training: it runs without dropout, on copies, and touches no gradient and no random state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..design.recipe import DataRecipe
from ..runtime import Network
from .optim import norms
from .timing import Budget

SHARE = 0.05
"""Of the time of training."""


class Watcher:
    """Looks at one step now and then: `look` before it, `before_update` and `after_update` around the optimiser."""

    def __init__(self, network: Network, recipe: DataRecipe, trained: Mapping[str, torch.nn.Parameter]) -> None:
        self.network = network
        self.trained = trained
        self.budget = Budget(SHARE)
        self._before: list[Tensor] = []
        self._gradients: list[Tensor] = []
        self._read: tuple[str, tuple[str, ...]] | None = None
        specs = {spec.name: spec for spec in recipe.fields}
        for item in network.program.inputs:
            spec = specs.get(item.field)
            if self._read is None and not item.target and spec is not None and spec.content == "tokens" and spec.axis:
                self._read = (item.field, spec.vocabulary)

    def due(self, every: float) -> bool:
        """Whether this step may be looked at. every: seconds between looks; 0: never."""
        self.budget.at_least = every
        return every > 0 and self.budget.due

    def look(
        self, fields: Mapping[str, Tensor], lengths: Mapping[str, Tensor], state: Mapping[str, Tensor] | None
    ) -> dict[str, Any]:
        """The first example from inside, before the step: the arguments of Probed."""
        with self.budget.spending():
            probe = self.network.probe(fields, lengths, state)
            return {
                "values": {path: _array(value) for path, value in probe.values.items()},
                "gates": probe.gates,
                "state_gradients": {path: _array(value) for path, value in probe.state_gradients.items()},
                "tokens": self._tokens(fields, lengths),
            }

    def before_update(self) -> None:
        """Keep what the update will change."""
        with self.budget.spending(more=True):
            self._gradients = norms([w.grad if w.grad is not None else torch.zeros_like(w) for w in self._weights()])
            self._before = [w.detach().clone() for w in self._weights()]

    def after_update(self) -> dict[str, Any]:
        """The arguments of ParameterNorms. A parameter that is all zero has the ratio of its update to 1e-12."""
        with self.budget.spending(more=True):
            values = norms([w.detach() for w in self._weights()])
            moved = norms(torch._foreach_sub([w.detach() for w in self._weights()], self._before))
            table = torch.stack([torch.stack(row) for row in (self._gradients, values, moved)]).double().tolist()
            self._before, self._gradients = [], []
            gradient, value, update = (dict(zip(self.trained, row, strict=True)) for row in table)
            ratio = {path: update[path] / max(value[path], 1e-12) for path in self.trained}
            return {"gradient": gradient, "value": value, "update_ratio": ratio}

    def _weights(self) -> list[torch.nn.Parameter]:
        return list(self.trained.values())

    def _tokens(self, fields: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> tuple[str, ...]:
        if self._read is None:
            return ()
        name, vocabulary = self._read
        row = fields[name][0].tolist()
        return tuple(vocabulary[token] for token in row[: int(lengths["time"][0]) if "time" in lengths else None])


def _array(value: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return value.detach().float().cpu().numpy()
