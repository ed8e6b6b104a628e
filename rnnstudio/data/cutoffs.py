"""Cut-offs of a backtest: where a series is known up to, what was true after that, and what simple methods say there.

A cut-off is a row: everything up to and with it is known, and what is forecast lies in the part that is tested. All
values here are in the file's units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnstudio.data.baselines import filled, fitted_linear
from rnnstudio.data.dataset import Dataset
from rnnstudio.data.split import TITLES, Part
from rnnstudio.design.errors import StudioError

Floats = npt.NDArray[np.float64]
ORDER = 9
"""Of the autoregression."""


@dataclass(frozen=True)
class CutOff:
    """sequence: which; origin: its first row; row: the last one that is known."""

    sequence: int
    origin: int
    row: int


@dataclass(frozen=True)
class Score:
    """Of one method, for each column, in the file's units. mase: None without a season or a change in training."""

    mae: tuple[float, ...]
    rmse: tuple[float, ...]
    mase: tuple[float, ...] | None


def find_cut_offs(dataset: Dataset, part: Part, windows: int, steps: Sequence[int], history: int) -> list[CutOff]:
    """At most `windows` of them, evenly spread over the part. steps: how far ahead is forecast, ascending.

    history: rows that must be known. Raises StudioError where there is no room for one.
    """
    shift = max(track.shift for track in dataset.tracks.values())
    spans = dataset.split(part).spans
    found: list[CutOff] = []
    whole = zip(spans.sequence.tolist(), spans.origin.tolist(), spans.first.tolist(), spans.end.tolist(), strict=True)
    for sequence, origin, first, end in whole:
        begin = max(first, origin + history - 1, first + shift - steps[0])
        found += [CutOff(sequence, origin, row) for row in range(begin, end + shift - steps[-1])]
    if not found:
        raise StudioError(
            f"The {TITLES[part]} part has no room for a cut-off with {steps[-1]} steps after it",
            where=dataset.recipe.path,
            remedy="Give a smaller --horizon or --season, or test another part with --split.",
        )
    chosen = np.unique(np.linspace(0, len(found) - 1, min(windows, len(found))).round().astype(int))
    return [found[place] for place in chosen.tolist()]


def values_of(dataset: Dataset, field: str) -> Floats:
    """[rows, columns] of a field of numbers."""
    return np.asarray(dataset.unscale(field, dataset.tracks[field].values.astype(np.float64)))


def naive(values: Floats, cut: CutOff, steps: Sequence[int], season: int = 1) -> Floats:
    """The last known value of the same season, [steps, columns]; season 1: persistence."""
    back = [cut.row + step - season * -(-step // season) for step in steps]
    return values[np.maximum(back, cut.origin)]


class Autoregression:
    """Linear in the last values of the same column, fitted by least squares on the training part."""

    def __init__(self, dataset: Dataset, field: str) -> None:
        self.shift = dataset.tracks[field].shift
        self._dataset, self._field = dataset, field
        self._weights = fitted_linear(dataset, field, ORDER)
        self._scaled = filled(dataset, field)

    def forecast(self, cut: CutOff, steps: Sequence[int]) -> Floats:
        """[steps, columns]. Fitted one step ahead it goes on with what it said."""
        back = np.maximum(cut.row - np.arange(ORDER), cut.origin)
        lags = self._scaled[back].T  # [columns, order], newest first
        found = []
        for _ in range(steps[-1] if self.shift == 1 else 1):
            following = (lags * self._weights[:, :-1]).sum(axis=1) + self._weights[:, -1]
            found.append(following)
            lags = np.column_stack([following, lags[:, :-1]])
        rows = [step - 1 for step in steps] if self.shift == 1 else [0]
        return np.asarray(self._dataset.unscale(self._field, np.array(found)[rows]))


def seasonal_scale(dataset: Dataset, values: Floats, season: int) -> Floats:
    """[sequences, columns]: the mean absolute change over a season in each sequence's training rows; in those of all
    sequences where one has none (Hyndman and Koehler 2006)."""
    totals = np.zeros((dataset.sequences, values.shape[1]))
    counts = np.zeros_like(totals)
    for low, high in dataset.division.rows["train"].tolist():
        for sequence in range(
            int(np.searchsorted(dataset.offsets, low, side="right")) - 1,
            int(np.searchsorted(dataset.offsets, high, side="left")),
        ):
            begin, end = max(low, int(dataset.offsets[sequence])), min(high, int(dataset.offsets[sequence + 1]))
            changes = np.abs(values[begin + season : end] - values[begin : max(end - season, begin)])
            totals[sequence] += np.nansum(changes, axis=0)
            counts[sequence] += (~np.isnan(changes)).sum(axis=0)
    pooled = totals.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    return np.where(counts > 0, totals / np.maximum(counts, 1), pooled)


def scored(errors: Floats, scales: Floats | None) -> Score:
    """errors: [cut-offs, steps, columns]; scales: [cut-offs, columns]."""
    absolute = np.abs(errors)
    mase = None
    if scales is not None and (scales > 0).all():
        mase = tuple(np.nanmean(absolute / scales[:, None], axis=(0, 1)).tolist())
    return Score(
        tuple(np.nanmean(absolute, axis=(0, 1)).tolist()),
        tuple(np.sqrt(np.nanmean(errors**2, axis=(0, 1))).tolist()),
        mase,
    )
