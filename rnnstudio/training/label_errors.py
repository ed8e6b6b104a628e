"""How many labels a network gets wrong that was trained with CTC: what it hears, beside what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import torch
from torch import Tensor

from ..compiler.program import Program, region_ops
from ..data.batches import Batches
from ..runtime import Network
from .validation import batch_losses


def label_error_rate(network: Network, batches: Batches, device: torch.device) -> float | None:
    """Labels to change, put in or take out, of all labels of the part; None where no loss is CTC.

    Of the likeliest path: at each frame the likeliest label, repetitions as one, without blanks (Graves et al. 2006).
    """
    found = _ctc(network.program)
    if found is None:
        return None
    node, field, frames, labels, blank = found
    wrong = total = 0
    training = network.training
    network.eval()
    with torch.no_grad():
        for index in range(len(batches)):
            batch = batches.batch(0, index)
            losses = batch_losses(network, batch, None, device, batches)
            paths = losses.predictions[node].argmax(-1)
            said = batch.fields[field]
            for row, (path, truth) in enumerate(zip(paths, said, strict=True)):
                heard = _heard(path[: _length(batch.lengths, frames, row, path)], blank)
                wanted = truth[: _length(batch.lengths, labels, row, truth)].tolist()
                wrong += edits(heard, wanted)
                total += len(wanted)
    network.train(training)
    return wrong / max(total, 1)


def _ctc(program: Program) -> tuple[str, str, str, str, int] | None:
    """Of the first CTC loss: its node, the field of its labels, the data's axes of frames and labels, its blank."""
    ops = {op.name: op for op in region_ops(program.regions)}
    for loss in program.losses:
        each = next((ops[name] for name in ops[loss.value].inputs if name in ops and ops[name].kind == "ctc"), None)
        target = next((item.field for item in program.inputs if item.name == loss.target), None)
        if each is not None and target is not None:
            frames, labels = (program.axes[each.attrs[name]] for name in ("frames", "labels"))
            return loss.node, target, frames, labels, int(each.attrs["blank"])
    return None


def _length(lengths: Mapping[str, Tensor], axis: str, row: int, values: Tensor) -> int:
    return int(lengths[axis][row]) if axis in lengths else len(values)


def _heard(path: Tensor, blank: int) -> list[int]:
    """The labels of a path: repetitions as one, without blanks, which stand first or last among the scores."""
    kept = [token for token, _ in groupby(path.tolist()) if token != blank]
    return [token - 1 for token in kept] if blank == 0 else kept


def edits(one: Sequence[object], other: Sequence[object]) -> int:
    """How many items must be changed, put in or taken out to make one of the other (Levenshtein 1965)."""
    row = list(range(len(other) + 1))
    for place, item in enumerate(one, 1):
        corner, row[0] = row[0], place
        for at, against in enumerate(other, 1):
            corner, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, corner + (item != against))
    return row[-1]
