"""What a forecaster says of a series, in the file's own units: scaling is in float64, so that large offsets keep their
digits; the network runs in its own precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..compiler.program import Loss
from ..design.recipe import FieldSpec
from .generate import forecast, meant
from .network import Network


@dataclass(frozen=True)
class Forecaster:
    """given: the field that is read; wanted: what is predicted; loss: whose prediction is the forecast."""

    network: Network
    given: FieldSpec
    wanted: FieldSpec
    loss: Loss

    def each(self, rows: Tensor) -> Tensor:
        """What comes after each of the rows, [n, features of `wanted`] float64. rows: [n, features of `given`]."""
        outputs = self.network.program.outputs
        name = next(name for name, value in outputs.items() if value == self.loss.prediction)
        with torch.no_grad():
            found = self.network({self.given.name: scaled(rows, self.given)[None]}).outputs[name]
        return unscaled(meant(found, self.loss)[0], self.wanted)

    def ahead(self, rows: Tensor, steps: int) -> Tensor:
        """What comes in the `steps` steps after the rows, the network living on its own predictions, float64.

        Raises StudioError when it does not go on with what it reads.
        """
        return unscaled(forecast(self.network, scaled(rows, self.given)[None], steps)[0], self.wanted)


def scaled(rows: Tensor, spec: FieldSpec) -> Tensor:
    """The file's units as the network sees them: (x − mean) / std in float64, then float32."""
    if not spec.std:
        return rows.float()
    return ((rows.double() - _row(spec.mean)) / _row(spec.std)).float()


def unscaled(values: Tensor, spec: FieldSpec) -> Tensor:
    """The network's numbers in the file's units, float64."""
    values = values.detach().cpu().double()
    return values * _row(spec.std) + _row(spec.mean) if spec.std else values


def _row(numbers: tuple[float, ...]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)
