"""What any model must beat, in the measure of its loss: a constant, the last value, the season's, an autoregression;
frequencies and n-grams for tokens.

Everything is learned from the training part. Numbers are in scaled units, as the losses are; targets that are missing
count for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnstudio.data.dataset import Dataset
from rnnstudio.data.ngrams import text_baselines
from rnnstudio.data.split import Part
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

Floats = npt.NDArray[np.float64]
ORDER = 9
"""Last values that an autoregression looks at."""


@dataclass(frozen=True)
class Measure:
    """What a loss measures: the primitive of its single places (catalog/primitives.py); delta: of Huber's."""

    name: str
    delta: float = 1.0

    def of(self, errors: Floats, spread: Floats) -> Floats:
        """Of errors [steps, columns]; spread: the mean square of each column's errors in training, for likelihoods."""
        if self.name == "absolute_error":
            return np.abs(errors)
        if self.name == "huber":
            size = np.abs(errors)
            return np.where(size <= self.delta, errors**2 / 2, self.delta * (size - self.delta / 2))
        if self.name == "gaussian_likelihood":
            return (np.log(2 * np.pi * spread) + errors**2 / spread) / 2
        return errors**2


SQUARES = Measure("squared_error")
OF_NUMBERS = ("squared_error", "absolute_error", "huber", "gaussian_likelihood")
NO_SPREAD = 1e-12


def baselines_of(
    dataset: Dataset,
    part: Part = "validation",
    measure: Measure | None = None,
    season: int = 0,
    field: str = "",
) -> dict[str, float]:
    """What simple models reach on the steps of a part, by name, in the measure of the loss.

    Tokens that come next: n-grams. Classes, and tokens of a sequence that is written: always the training part's
    frequencies. Yes or no: always the training part's rate. Later values of a series: a constant, persistence, the
    seasonal naive forecast where a season is given, autoregression; other numbers: a constant. measure: None = the
    usual one of the target. field: the target, "" = the first. Empty where none applies, or the part is empty.
    """
    if not dataset.split(part).steps or not dataset.targets:
        return {}
    target = dataset.recipe.field(field) if field else dataset.targets[0]
    wanted = measure or Measure("cross_entropy" if target.content == "tokens" else "squared_error")
    if target.content == "tokens":
        return _of_tokens(dataset, part, target) if wanted.name == "cross_entropy" else {}
    if wanted.name == "binary_cross_entropy":
        return {"rate": binary_entropy(dataset, part, target.name)}
    return _of_numbers(dataset, part, target, wanted, season) if wanted.name in OF_NUMBERS else {}


def accuracy_baselines(dataset: Dataset, part: Part = "validation", field: str = "") -> dict[str, float]:
    """The share that is right of always saying the training part's most frequent class; empty where there is none."""
    if not dataset.split(part).steps or not dataset.targets:
        return {}
    target = dataset.recipe.field(field) if field else dataset.targets[0]
    if target.content != "tokens":
        return {}
    counts = target.counts or np.bincount(_known(dataset.values_of("train", target.name)), minlength=target.size)
    most = int(np.argmax(counts))
    return {f"always {target.vocabulary[most]}": float((_known(dataset.values_of(part, target.name)) == most).mean())}


def _of_tokens(dataset: Dataset, part: Part, target: FieldSpec) -> dict[str, float]:
    if target.shift_of and target.axis == dataset.axis:
        text = text_baselines(dataset, part, target.shift_of, target.shift)
        if target.shift > 1:  # what stands between is not known to the model either
            return {f"unigram{text.of_a_part}": text.unigram}
        named = {"unigram": text.unigram, "bigram": text.bigram, "trigram": text.trigram}
        return {f"{name}{text.of_a_part}": value for name, value in named.items()}
    return {"frequencies": class_entropy(dataset, part, target.name)}


def class_entropy(dataset: Dataset, part: Part, field: str) -> float:
    """Nats a class, of saying the training part's frequencies (each class once more than it was seen) all the time."""
    spec = dataset.recipe.field(field)
    counts = spec.counts or np.bincount(_known(dataset.values_of("train", field)), minlength=spec.size)
    seen = np.array(counts, np.float64) + 1.0
    found = _known(dataset.values_of(part, field))
    return float(-np.log(seen / seen.sum())[found].mean())


def _known(tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return tokens[tokens >= 0]


def binary_entropy(dataset: Dataset, part: Part, field: str) -> float:
    """Nats a number, of saying the training part's mean of each column (one more yes and no than were seen)."""
    train, found = (dataset.values_of(p, field).astype(np.float64) for p in ("train", part))
    rate = (np.nansum(train, axis=0) + 1) / ((~np.isnan(train)).sum(axis=0) + 2)
    return float(np.nanmean(-found * np.log(rate) - (1 - found) * np.log1p(-rate)))


def _of_numbers(dataset: Dataset, part: Part, target: FieldSpec, measure: Measure, season: int) -> dict[str, float]:
    train, found = (dataset.values_of(p, target.name).astype(np.float64) for p in ("train", part))
    # What is off least all the time: the median for absolute errors, else the mean.
    name, middle = ("median", np.nanmedian) if measure.name == "absolute_error" else ("mean", np.nanmean)
    constant = middle(train, axis=0)
    scores = {name: _score(measure, found - constant, train - constant)}
    if target.axis is None or target.axis != dataset.axis or not dataset.tracks[target.name].shift:
        return scores
    methods: dict[str, Callable[[Part], Floats]] = {
        "persistence": lambda p: _errors_of_persistence(dataset, p, target.name, 0),
    }
    if season:
        methods["seasonal naive"] = lambda p: _errors_of_persistence(dataset, p, target.name, season)
    order = min(ORDER, max(1, dataset.split("train").steps // 4))
    weights = fitted_linear(dataset, target.name, order)
    methods[f"AR({order})"] = lambda p: _errors_of_linear(dataset, p, target.name, weights)
    return scores | {name: _score(measure, errors(part), errors("train")) for name, errors in methods.items()}


def _score(measure: Measure, errors: Floats, train: Floats) -> float:
    spread = np.maximum(np.nanmean(train**2, axis=0), NO_SPREAD)
    return float(np.nanmean(measure.of(errors, spread)))


def _errors_of_persistence(dataset: Dataset, part: Part, field: str, season: int) -> Floats:
    """[steps, columns]: the last value that is known (of the same season, where there is one) less what came."""
    track = dataset.tracks[field]
    values = filled(dataset, field)
    pieces = []
    for origin, first, end in _spans(dataset, part):
        step = np.arange(first, end)
        back = step if not season else step + track.shift - season * -(-track.shift // season)
        pieces.append(values[np.maximum(back, origin)] - track.values[step + track.shift])
    return np.concatenate(pieces).astype(np.float64)


def _errors_of_linear(dataset: Dataset, part: Part, field: str, weights: Floats) -> Floats:
    lags, y = _lagged(dataset, part, weights.shape[1] - 1, field)
    found: Floats = (lags * weights[:, :-1]).sum(axis=2) + weights[:, -1] - y
    return found


def _spans(dataset: Dataset, part: Part) -> list[tuple[int, int, int]]:
    spans = dataset.split(part).spans
    return list(zip(spans.origin.tolist(), spans.first.tolist(), spans.end.tolist(), strict=True))


def filled(dataset: Dataset, field: str) -> Floats:
    """A field's values with missing ones as the last that was known before, 0 (the mean) where there was none."""
    values = np.asarray(dataset.tracks[field].values, np.float64)
    missing = np.isnan(values)
    if not missing.any():
        return values
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(missing, -1, rows), axis=0)
    begins = np.repeat(dataset.offsets[:-1], np.diff(dataset.offsets))[:, None]
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last < begins, 0.0, filled)


@dataclass(frozen=True)
class SeriesBaselines:
    """Mean squared errors over all predicted steps and target columns of a part, in scaled units (the model's).

    mean: always say the training mean. persistence: say the last value seen. autoregressive: linear in the last `order`
    values of the same column, fitted by least squares on the training part. raw_*: in the file's units, per column.
    """

    mean: float
    persistence: float
    autoregressive: float
    order: int
    raw_persistence: tuple[float, ...]
    raw_autoregressive: tuple[float, ...]


def series_baselines(
    dataset: Dataset, part: Part = "validation", order: int = ORDER, field: str = "targets"
) -> SeriesBaselines:
    """The baselines of a series of numbers. Raises StudioError where the targets are no later values of a series."""
    spec = dataset.recipe.field(field)
    if spec.axis is None or dataset.tracks[field].shift == 0:
        raise StudioError(
            "persistence and autoregression need targets that lie ahead",
            where=dataset.recipe.path,
            remedy="Set the horizon option to 1 or more.",
        )
    split = dataset.split(part)
    if split.steps == 0:
        raise StudioError(f"the {part} part is empty", where=dataset.recipe.path, remedy="Give it a fraction above 0.")
    persistence = _errors_of_persistence(dataset, part, field, 0) ** 2
    squares = _errors_of_linear(dataset, part, field, fitted_linear(dataset, field, order)) ** 2
    unit = np.array(spec.std) ** 2
    return SeriesBaselines(
        mean=spread_around_mean(dataset, part, field),
        persistence=float(np.nanmean(persistence)),
        autoregressive=float(np.nanmean(squares)),
        order=order,
        raw_persistence=tuple((np.nanmean(persistence, axis=0) * unit).tolist()),
        raw_autoregressive=tuple((np.nanmean(squares, axis=0) * unit).tolist()),
    )


def fitted_linear(dataset: Dataset, field: str, order: int) -> Floats:
    """[columns, order + 1]: least squares on the training part of each target value by the last ones, newest first, and
    a constant; in scaled units."""
    lags, y = _lagged(dataset, "train", order, field)
    found = np.empty((y.shape[1], order + 1))
    for column in range(y.shape[1]):
        known = ~np.isnan(y[:, column])
        design = np.column_stack([lags[known, column], np.ones(int(known.sum()))])
        found[column] = np.linalg.lstsq(design, y[known, column], rcond=None)[0]
    return found


def _lagged(dataset: Dataset, part: Part, order: int, field: str) -> tuple[Floats, Floats]:
    """For each predicted step the last `order` target values that are known, newest first, [steps, columns, order], and
    the value to predict, [steps, columns]. Before a sequence's beginning its first value is repeated; steps without a
    full history are left out of the training part, where they would spoil the fit."""
    track = dataset.tracks[field]
    values = filled(dataset, field)
    pieces, wanted = [], []
    for origin, first, end in _spans(dataset, part):
        begin = max(first, origin + order - 1) if part == "train" and end - origin > 2 * order else first
        step = np.arange(begin, end)
        back = np.maximum(step[:, None] - np.arange(order), origin)
        pieces.append(np.swapaxes(values[back], 1, 2))
        wanted.append(track.values[step + track.shift].astype(np.float64))
    return np.concatenate(pieces), np.concatenate(wanted)


def spread_around_mean(dataset: Dataset, part: Part, field: str) -> float:
    """The mean square of what is left of the part's numbers when the training part's mean is taken off each column."""
    middle = np.nanmean(dataset.values_of("train", field), axis=0, dtype=np.float64)
    return float(np.nanmean((dataset.values_of(part, field) - middle) ** 2))
