"""What simple models reach on the very steps that a score is of, in the measure of the design's loss."""

from __future__ import annotations

from ..catalog.primitives import Op
from ..compiler.program import Program, region_ops
from ..data.baselines import Measure, accuracy_baselines, baselines_of
from ..data.dataset import Dataset
from ..data.split import Part


def measured(program: Program) -> Op | None:
    """The operation whose plain mean over all places is the design's whole loss: what another model reaches can stand
    beside it. None where it is weighted, smoothed, or a sum of several."""
    if len(program.losses) != 1 or program.losses[0].weight != 1:
        return None
    ops = {op.name: op for op in region_ops(program.regions)}
    mean = ops[program.losses[0].value]
    if mean.kind != "average" or any(ops[name].kind != "known" for name in mean.inputs[1:]):
        return None
    each = ops.get(mean.inputs[0])
    weighted = each is not None and (each.attrs.get("smoothing") or "positive_weight" in each.attrs)
    return None if weighted else each


def baselines(dataset: Dataset, program: Program, part: Part = "validation", season: int = 0) -> dict[str, float]:
    """By name, in the unit of the loss: n-grams or frequencies in nats, a constant, persistence, AR … in the loss's own
    measure. Empty where none applies, or where the loss is weighted otherwise. season: steps of one, 0: not known."""
    each, field = measured(program), _field(program)
    if each is None or not field:
        return {}
    return baselines_of(dataset, part, Measure(each.kind, float(each.attrs.get("delta", 1.0))), season, field)


def accuracies(dataset: Dataset, program: Program, part: Part = "validation") -> dict[str, float]:
    """The accuracy of always saying the most frequent class; empty where the design tells no accuracy."""
    if len(program.losses) != 1 or not program.losses[0].classes:
        return {}
    return accuracy_baselines(dataset, part, _field(program))


def _field(program: Program) -> str:
    target = program.losses[0].target if program.losses else ""
    return next((item.field for item in program.inputs if item.name == target), "")
