"""`rnnstudio evaluate RUN --windows N`: a forecaster asked at several cut-offs, with simple methods asked at the same.

Where the model was trained to say the next value of what it reads, it is rolled out over the horizon, living on its own
predictions; where it was trained to say a value h steps ahead, that is what it is asked for (direct).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..compiler.program import Loss
from ..data.cutoffs import (
    ORDER,
    Autoregression,
    CutOff,
    Floats,
    find_cut_offs,
    naive,
    scored,
    seasonal_scale,
    values_of,
)
from ..data.dataset import Dataset
from ..data.split import Part
from ..design.errors import StudioError
from ..runtime.generate import forecast, meant
from ..runtime.stepper import plan
from .evaluate import Trained, load_trained, open_data
from .runs import Run, Which

HORIZON = 10
"""Steps that are rolled out where nobody says."""


def backtest(
    run: Run, windows: int, horizon: int = 0, season: int = 0, part: Part = "test", which: Which = "best"
) -> dict[str, Any]:
    """Scores of the model and of simple methods over at most `windows` cut-offs, as plain values.

    horizon: steps that are rolled out, 0: HORIZON; a model that says a value h steps ahead has none but h.
    season: steps of a season, 0: none is known. Raises StudioError where the model forecasts no numbers.
    """
    trained = load_trained(run, which, mode="forced")
    dataset = open_data(run)
    loss, field = _forecasts(trained, dataset)
    shift = dataset.tracks[field].shift
    rolled, fed = _is_fed(trained, field), ""
    if rolled:
        how = plan(trained.program)
        fed = how.fed.field if how.fed is not None else field
        steps = list(range(1, (horizon or HORIZON) + 1))
    elif horizon in (0, shift):
        steps = [shift]
    else:
        plan(trained.program)  # says why it cannot go on
        raise StudioError(f"This model says what comes {shift} steps ahead, and nothing else", where="--horizon")
    cuts = find_cut_offs(dataset, part, windows, steps, max(season, 2))
    values = values_of(dataset, field)
    truth = np.stack([values[[cut.row + step for step in steps]] for cut in cuts])

    def said(cut: CutOff) -> Floats:
        return _rolled(trained, dataset, fed, cut, steps) if rolled else _direct(trained, dataset, loss, field, cut)

    methods: dict[str, Callable[[CutOff], Floats]] = {
        "model": said,
        "persistence": lambda cut: naive(values, cut, steps),
    }
    if season:
        methods["seasonal naive"] = lambda cut: naive(values, cut, steps, season)
    linear = Autoregression(dataset, field)
    methods[f"AR({ORDER})"] = lambda cut: linear.forecast(cut, steps)
    scales = seasonal_scale(dataset, values, season)[[cut.sequence for cut in cuts]] if season else None
    scores = {
        name: dataclasses.asdict(scored(np.stack([of(cut) for cut in cuts]) - truth, scales))
        for name, of in methods.items()
    }
    return {
        "split": part,
        "how": "rolled out" if rolled else "direct",
        "windows": len(cuts),
        "horizon": steps[-1],
        "season": season,
        "columns": list(dataset.recipe.field(field).columns),
        "cut_offs": [_named(dataset, cut) for cut in cuts],
        "scores": scores,
    }


def _forecasts(trained: Trained, dataset: Dataset) -> tuple[Loss, str]:
    """The loss whose target lies ahead in a series of numbers, and that target's field."""
    inputs = {item.name: item for item in trained.program.inputs}
    for loss in trained.program.losses:
        item = inputs.get(loss.target)
        track = dataset.tracks.get(item.field) if item is not None else None
        spec = dataset.recipe.field(item.field) if item is not None and track is not None else None
        if spec is not None and track is not None and spec.content == "real" and track.axis and track.shift:
            return loss, spec.name
    raise StudioError(
        "This model forecasts no series of numbers, so there is nothing to cut off",
        where="--windows",
        remedy="Evaluate it without --windows.",
    )


def _is_fed(trained: Trained, field: str) -> bool:
    """Whether the model can live on its own predictions of that field."""
    try:
        how = plan(trained.program)
    except StudioError:
        return False
    inputs = {item.name: item for item in trained.program.inputs}
    return inputs[how.loss.target].field == field and not how.others


def _rolled(trained: Trained, dataset: Dataset, fed: str, cut: CutOff, steps: Sequence[int]) -> Floats:
    """[steps, columns], in the file's units."""
    past = torch.from_numpy(dataset.tracks[fed].values[cut.origin : cut.row + 1])[None]
    found = forecast(trained.network, past, steps[-1])[0].double().numpy()
    return np.asarray(dataset.unscale(fed, found))


def _direct(trained: Trained, dataset: Dataset, loss: Loss, field: str, cut: CutOff) -> Floats:
    """[1, columns]: what the last known row makes it say."""
    given = {}
    for item in trained.program.inputs:
        if item.target:
            continue
        track = dataset.tracks[item.field]
        if track.axis not in (None, dataset.axis):
            raise StudioError(f"This model reads “{item.field}” along another axis: it cannot be cut off")
        rows = slice(cut.sequence, cut.sequence + 1) if track.axis is None else slice(cut.origin, cut.row + 1)
        values = torch.from_numpy(np.asarray(track.values[rows]))
        given[item.name] = values if track.axis is None else values[None]
    name = next(name for name, value in trained.program.outputs.items() if value == loss.prediction)
    with torch.no_grad():
        found = meant(trained.network(given).outputs[name], loss)[0, -1:].double().numpy()
    return np.asarray(dataset.unscale(field, found))


def _named(dataset: Dataset, cut: CutOff) -> str:
    """The sequence and the step that a cut-off is at, for people."""
    step = dataset.steps[cut.row] if dataset.steps else str(cut.row - cut.origin)
    name = dataset.names[cut.sequence]
    return f"{name} {step}".strip()
