"""The loss over a whole part of the data: every step counted once, read with what came before it where possible."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..catalog.primitives import POINTWISE_BINARY, POINTWISE_UNARY
from ..compiler.program import Loss, Program, region_ops
from ..data.batches import Batch, Batches
from ..data.dataset import Dataset
from ..data.split import Part
from ..runtime import Losses, Network
from ..runtime.generate import meant
from ..runtime.transfer import to_device
from .comparing import measured
from .label_errors import LabelErrors
from .settings import TrainingSettings

FORECAST_STEPS = 500
"""Length of the stretch of a series that is drawn."""

MOST_STREAMS, SHORTEST_STREAM, SHORTEST_CHUNK = 32, 512, 16
"""How a carried part is cut for an evaluation: streams side by side, and steps."""
CONTEXT = 128
"""Steps read before each stream's first."""

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Score:
    """loss: the mean over the whole part at once, whatever batch and chunk it was read in; of several losses the
    weighted sum of such means. accuracy: None unless the only loss is a cross-entropy; perplexity: unless that weighs
    all tokens alike. label_error_rate: where a loss is CTC (see LabelErrors).

    forecasts: target field → Stretch.
    """

    loss: float
    places: int
    perplexity: float | None
    accuracy: float | None
    forecasts: Mapping[str, Stretch]
    label_error_rate: float | None = None


@dataclass(slots=True)
class Stretch:
    """The first predicted run of a part, in the model's units; row 0 is the first predicted step. NaN: not reached."""

    truth: npt.NDArray[np.float32]
    prediction: npt.NDArray[np.float32]
    filled: int = field(default=0)


def evaluation_batches(dataset: Dataset, part: Part, settings: TrainingSettings, program: Program) -> Batches:
    """The part in order. Context before the counted steps is read only where it can be told apart from them: in a
    network that never looks ahead, as state. Raises StudioError when the part is empty.

    Where state is carried, streams and context are those of the part, so that what a step has seen before it does not
    depend on batch and chunk; these bound what is read at a time, which changes nothing.
    """
    size, chunk = settings.batch_size, settings.chunk
    if not looks_back_only(program):
        return Batches(dataset, part, size, chunk, settings.carry, context=0, shuffle=False)
    found = Batches(dataset, part, size, chunk, settings.carry, shuffle=False)
    if not found.carries:
        return found
    streams = max(1, min(MOST_STREAMS, found.split.steps // SHORTEST_STREAM))
    chunk = min(max(size * found.chunk // streams, SHORTEST_CHUNK), SHORTEST_STREAM)
    return Batches(dataset, part, streams, chunk, True, context=CONTEXT, shuffle=False)


_MAPS = ("embed", "linear", "bilinear", "affine", "concat", "slice", "align", "dropout", "erf", "sign", "repeat")
_OVER_WIDTH = ("softmax", "log_softmax", "fold", "layer_norm")
_LOSSES = ("cross_entropy", "class_weight", "known", "squared_error", "absolute_error", "binary_cross_entropy", "huber")
_STEPS = ("delay", "clock", "step_number", "batch_norm", "batch_norm_steps")
_REST = ("input", "parameter", "gaussian_likelihood", "average")
BACKWARD_LOOKING = frozenset((*POINTWISE_UNARY, *POINTWISE_BINARY, *_MAPS, *_OVER_WIDTH, *_LOSSES, *_STEPS, *_REST))
"""Primitives whose value at a step depends on that step and a state alone (a delay with k > 0; while not training)."""


def looks_back_only(program: Program) -> bool:
    """Whether every step depends on steps before it alone, so that reading on with the state equals reading at once."""
    if not all(scan.forward and not scan.tree for scan in program.scans()):
        return False
    ops = list(region_ops(program.regions))
    ahead = any(op.kind == "delay" and op.attrs["k"] < 0 for op in ops)
    return not ahead and all(op.kind in BACKWARD_LOOKING for op in ops)


def validate(
    network: Network, batches: Batches, device: torch.device, *, stop: Callable[[], bool] = lambda: False
) -> Score | None:
    """The score over all batches, without dropout. None when `stop` said so on the way. Changes nothing."""
    was_training = network.training
    network.eval()
    counts = _Counts(network, batches)
    state: State | None = None
    try:
        with torch.no_grad():
            for index in range(len(batches)):
                if stop():
                    return None
                batch = batches.batch(0, index)
                losses = batch_losses(network, batch, state if batch.carries else None, device, batches)
                state = losses.state
                counts.add(losses, batch, index)
    finally:
        network.train(was_training)
    return counts.score()


def batch_losses(network: Network, batch: Batch, state: State | None, device: torch.device, batches: Batches) -> Losses:
    """Losses of the steps that count; those before them (batch.skip) are only read."""
    fields = {name: to_device(tensor, device) for name, tensor in batch.fields.items()}
    lengths = dict(network.own_lengths(batch.lengths))
    if batch.skip:
        along = {spec.name for spec in batches.dataset.fields if spec.axis is not None}
        before = {name: x[:, : batch.skip] if name in along else x for name, x in fields.items()}
        state = network.losses(before, {}, state).state
        fields = {name: x[:, batch.skip :] if name in along else x for name, x in fields.items()}
        lengths = {axis: n - batch.skip for axis, n in lengths.items()}
    return network.losses(fields, lengths, state, keep_state=batches.carries)


class _Counts:
    """Sums on the device while batches come, so that a GPU is waited for once."""

    def __init__(self, network: Network, batches: Batches) -> None:
        self.batches = batches
        self.program = network.program
        self.places = 0
        self.sums: dict[str, Tensor] = {}
        """By loss node: Σ mean · count, and Σ count, [2] float64. Means of unlike counts cannot be averaged."""
        self.correct: Tensor | None = None
        self.stretches = self._stretches()
        self.label_errors = LabelErrors(self.program)

    def add(self, losses: Losses, batch: Batch, index: int) -> None:
        for node, mean in losses.parts.items():
            count = torch.as_tensor(losses.counts[node], dtype=torch.float64, device=mean.device)
            # Where all weights are 0 the batch's mean is 0 / 0, and it adds nothing to the whole.
            share = torch.stack([torch.where(count > 0, mean.double() * count, 0.0), count])
            self.sums[node] = self.sums[node] + share if node in self.sums else share
        if losses.correct is not None:
            self.correct = losses.correct if self.correct is None else self.correct + losses.correct
        self.places += losses.places
        self.label_errors.add(losses, batch)
        for name, (loss, stretch) in self.stretches.items():
            self._fill(stretch, meant(losses.predictions[loss.node], loss), batch.fields[name], batch, index)

    def score(self) -> Score:
        losses = self.program.losses
        sums = {node: both.tolist() for node, both in self.sums.items()}
        means = [n.weight * (sums[n.node][0] / sums[n.node][1] if sums[n.node][1] else math.nan) for n in losses]
        loss = sum(means) if means else math.nan
        single = len(losses) == 1 and losses[0].weight == 1
        each = measured(self.program)
        plain = each is not None and each.kind == "cross_entropy"
        return Score(
            loss=loss,
            places=self.places,
            perplexity=math.exp(min(loss, 700.0)) if plain and math.isfinite(loss) else None,
            accuracy=float(self.correct) / max(self.places, 1) if self.correct is not None and single else None,
            forecasts={name: stretch for name, (_, stretch) in self.stretches.items() if stretch.filled},
            label_error_rate=self.label_errors.rate,
        )

    def _stretches(self) -> dict[str, tuple[Loss, Stretch]]:
        """For each target field of numbers along an axis: the loss that predicts it, and room for a stretch."""
        found: dict[str, tuple[Loss, Stretch]] = {}
        targets = {item.name: item for item in self.program.inputs if item.target}
        steps = min(int(self.batches.split.spans.lengths[0]), FORECAST_STEPS)
        specs = {spec.name: spec for spec in self.batches.dataset.fields}
        for loss in self.program.losses:
            item = targets.get(loss.target)
            if item is None or len(self.program.signals[loss.prediction].axes) != 1:
                continue
            spec = specs.get(item.field)
            if spec is not None and spec.content == "real" and spec.axis is not None:
                room = Stretch(_unknown(steps, spec.size), _unknown(steps, spec.size))
                found[item.field] = (loss, room)
        return found

    def _fill(self, stretch: Stretch, prediction: Tensor, truth: Tensor, batch: Batch, index: int) -> None:
        """Put the counted steps of the first sequence where they belong."""
        cut = self.batches.cut(0, index)
        spans = self.batches.split.spans
        first = int(spans.first[0])
        for row in np.flatnonzero(cut.sequence == spans.sequence[0]).tolist():
            begin = int(cut.start[row]) + batch.skip - first
            count = min(int(cut.length[row]) - batch.skip, len(stretch.truth) - begin)
            if begin < 0 or count <= 0:
                continue
            stretch.truth[begin : begin + count] = truth[row, batch.skip : batch.skip + count].float().cpu().numpy()
            stretch.prediction[begin : begin + count] = prediction[row, :count].float().cpu().numpy()
            stretch.filled += count


def _unknown(steps: int, width: int) -> npt.NDArray[np.float32]:
    return np.full((steps, width), np.nan, np.float32)
