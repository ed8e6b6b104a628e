"""How many labels a network gets wrong that was trained with CTC: what it hears, beside what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from torch import Tensor

from ..compiler.program import Program, region_ops
from ..data.batches import Batch
from ..runtime import Losses


class LabelErrors:
    """Labels to change, put in or take out, of all labels of a part; of the first CTC loss, where there is one.

    Of the likeliest path: at each frame the likeliest label, repetitions as one, without blanks (Graves et al. 2006).
    """

    def __init__(self, program: Program) -> None:
        self._found = _ctc(program)
        self._wrong = self._total = 0

    def add(self, losses: Losses, batch: Batch) -> None:
        """Count the errors of a batch."""
        if self._found is None:
            return
        node, field, frames, labels, blank = self._found
        paths = losses.predictions[node].argmax(-1).cpu()
        for row, (path, truth) in enumerate(zip(paths, batch.fields[field], strict=True)):
            heard = _heard(path[: _length(batch.lengths, frames, row, path)], blank)
            wanted = truth[: _length(batch.lengths, labels, row, truth)].tolist()
            self._wrong += edits(heard, wanted)
            self._total += len(wanted)

    @property
    def rate(self) -> float | None:
        """None where no loss is CTC."""
        return None if self._found is None else self._wrong / max(self._total, 1)


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
