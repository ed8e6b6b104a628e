"""What any model must beat: n-gram entropies for token sequences, persistence and linear autoregression for numbers.

Entropies are in nats per token, like the cross-entropy loss; errors are mean squares of scaled values, like MSE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.dataset import Dataset
from rnnstudio.data.split import Ints, Part
from rnnstudio.data.vocabulary import IntArray
from rnnstudio.design.errors import StudioError

_BLOCK = 1 << 20


def bigram_entropy(tokens: IntArray, size: int) -> float:
    """H(X_t | X_{t-1}) of a sequence's own pair frequencies: the least mean loss of any model that sees one token back.

    tokens: [length] below `size`. In nats. Nothing is held out: this is a property of the text.
    """
    tokens = np.asarray(tokens)
    if len(tokens) < 2:
        return 0.0
    pairs = np.unique(tokens[:-1].astype(np.int64) * size + tokens[1:], return_counts=True)[1]
    firsts = np.unique(tokens[:-1], return_counts=True)[1]
    return _plogp(pairs) - _plogp(firsts)


def _plogp(counts: npt.NDArray[Any]) -> float:
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum())


class KneserNey:
    """Interpolated Kneser-Ney n-gram model (Kneser and Ney 1995; Chen and Goodman 1999, equation 17).

    p(w | h) = max(c(hw) - D, 0) / c(h) + D N(h) / c(h) · p(w | h'), h' one token shorter, N(h) the number of different
    tokens after h. Below the highest order c counts the different tokens in front, D = n1 / (n1 + 2 n2) of each order,
    and below the unigrams lies the uniform distribution, so that nothing has probability 0.
    """

    def __init__(self, tokens: IntArray, size: int, order: int) -> None:
        """tokens: [length], the training part; size: of the vocabulary; order: 1 = unigrams, 2 = bigrams …"""
        if size**order >= 1 << 62:
            raise StudioError(f"{order}-grams of {size} tokens are too many to count", remedy="Use a lower order.")
        self.size = size
        self.order = order
        self._levels: list[_Level] = []
        for length in range(1, order + 1):
            grams = self._grams(tokens, length)
            if length == order:
                kinds, counts = np.unique(grams, return_counts=True)
            else:
                # How many different tokens stand in front of each gram; the text's very first has none and counts once.
                longer = np.unique(self._grams(tokens, length + 1))
                kinds, counts = np.unique(np.append(longer % size**length, grams[:1]), return_counts=True)
            self._levels.append(_Level(kinds, counts, size))

    def _grams(self, tokens: IntArray, length: int) -> Ints:
        """Every run of `length` tokens as one number, the first token its highest digit."""
        runs = max(len(tokens) - length + 1, 0)
        grams = np.zeros(runs, np.int64)
        for place in range(length):
            grams = grams * self.size + tokens[place : place + runs]
        return grams

    def log_probabilities(self, tokens: IntArray, start: int) -> npt.NDArray[np.float64]:
        """log p of tokens[start:] given what stands before each, [length - start]; start ≥ order - 1."""
        targets = np.arange(start, len(tokens))
        probability: npt.NDArray[np.float64] = np.full(len(targets), 1.0 / self.size)
        for length, level in enumerate(self._levels, start=1):
            grams = self._grams(tokens[start - length + 1 :], length)
            probability = level.interpolate(grams, probability)
        logs: npt.NDArray[np.float64] = np.log(probability)
        return logs

    def entropy(self, tokens: IntArray, start: int) -> float:
        """Mean of -log p over tokens[start:], in nats, in blocks: a block's histories reach into the one before."""
        total = 0.0
        for low in range(start, len(tokens), _BLOCK):
            high = min(low + _BLOCK, len(tokens))
            before = min(low, self.order - 1)
            total -= float(self.log_probabilities(tokens[low - before : high], before).sum())
        return total / (len(tokens) - start)


class _Level:
    """The grams of one length: which, how often, and the totals of their histories."""

    def __init__(self, kinds: Ints, counts: Ints, size: int) -> None:
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        # Where no gram occurs once (or all do), the estimate is 0 (or 1): half is the usual stand-in.
        self.discount = once / (once + 2 * twice) if once and twice else 0.5
        self.kinds = kinds
        self.counts = counts
        self.size = size
        self.histories, place = np.unique(kinds // size, return_inverse=True)
        self.totals = np.bincount(place, weights=counts)
        self.followers = np.bincount(place)

    def interpolate(self, grams: Ints, lower: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        count, _ = _find(self.kinds, grams, self.counts)
        total, known = _find(self.histories, grams // self.size, self.totals)
        followers, _ = _find(self.histories, grams // self.size, self.followers)
        divisor = np.where(known, total, 1.0)
        mixed = np.maximum(count - self.discount, 0.0) / divisor + self.discount * followers / divisor * lower
        return np.where(known, mixed, lower)


def _find(kinds: Ints, wanted: Ints, values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The value of each wanted kind (0 where there is none), and whether there is one. kinds: ascending."""
    if len(kinds) == 0:
        return np.zeros(len(wanted)), np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(kinds, wanted), len(kinds) - 1)
    known = kinds[place] == wanted
    return np.where(known, values[place], 0.0), known


@dataclass(frozen=True)
class TextBaselines:
    """Nats per token of the held-out part, by n-gram models of the training part; text_bigram: see bigram_entropy."""

    uniform: float
    unigram: float
    bigram: float
    trigram: float
    text_bigram: float


def text_baselines(dataset: Dataset, part: Part = "validation", field: str = "text") -> TextBaselines:
    """The n-gram entropies on the predicted tokens of `part`. Raises StudioError when the part is empty."""
    spec = dataset.recipe.field(field)
    tokens = dataset.tracks[field].values
    split, train = dataset.split(part), dataset.split("train")
    if split.steps == 0:
        raise StudioError(f"the {part} part is empty", where=dataset.recipe.path, remedy="Give it a fraction above 0.")
    shift = max(track.shift for track in dataset.tracks.values())
    learned = tokens[: int(train.spans.end[0]) + shift]
    first, end = int(split.spans.first[0]) + shift, int(split.spans.end[0]) + shift
    context = max(0, first - 2)
    seen = tokens[context:end]
    orders = [n for n in (1, 2, 3) if n <= first - context + 1]
    found = {n: KneserNey(learned, spec.size, n).entropy(seen, first - context) for n in orders}
    return TextBaselines(
        uniform=float(np.log(spec.size)),
        unigram=found[1],
        bigram=found.get(2, found[1]),
        trigram=found.get(3, found[max(found)]),
        text_bigram=bigram_entropy(tokens, spec.size),
    )


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
    dataset: Dataset, part: Part = "validation", order: int = 9, field: str = "targets"
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
    weights = fitted_linear(dataset, field, order)
    lags, y = _lagged(dataset, part, order, field)
    persistence = (lags[:, :, 0] - y) ** 2
    linear = (lags * weights[:, :-1]).sum(axis=2) + weights[:, -1]
    squares = (linear - y) ** 2
    unit = np.array(spec.std) ** 2
    return SeriesBaselines(
        mean=spread_around_mean(dataset, part, field),
        persistence=float(persistence.mean()),
        autoregressive=float(squares.mean()),
        order=order,
        raw_persistence=tuple((persistence.mean(axis=0) * unit).tolist()),
        raw_autoregressive=tuple((squares.mean(axis=0) * unit).tolist()),
    )


def fitted_linear(dataset: Dataset, field: str, order: int) -> npt.NDArray[np.float64]:
    """[columns, order + 1]: least squares on the training part of each target value by the last ones, newest first, and
    a constant; in scaled units."""
    lags, y = _lagged(dataset, "train", order, field)
    found = np.empty((y.shape[1], order + 1))
    for column in range(y.shape[1]):
        design = np.column_stack([lags[:, column], np.ones(len(y))])
        found[column] = np.linalg.lstsq(design, y[:, column], rcond=None)[0]
    return found


def _lagged(
    dataset: Dataset, part: Part, order: int, field: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """For each predicted step the last `order` target values that are known, newest first, [steps, columns, order], and
    the value to predict, [steps, columns]. Before a sequence's beginning its first value is repeated; steps without a
    full history are left out of the training part, where they would spoil the fit."""
    track = dataset.tracks[field]
    spans = dataset.split(part).spans
    pieces, wanted = [], []
    for origin, first, end in zip(spans.origin.tolist(), spans.first.tolist(), spans.end.tolist(), strict=True):
        begin = max(first, origin + order - 1) if part == "train" and end - origin > 2 * order else first
        step = np.arange(begin, end)
        back = np.maximum(step[:, None] - np.arange(order), origin)
        pieces.append(np.swapaxes(track.values[back], 1, 2).astype(np.float64))
        wanted.append(track.values[step + track.shift].astype(np.float64))
    return np.concatenate(pieces), np.concatenate(wanted)


def baselines_of(dataset: Dataset, part: Part = "validation") -> dict[str, float]:
    """What simple models reach on the steps of a part, for the first target, by name: nats, or scaled squared errors.

    Tokens that come next: n-grams. Classes, and tokens of a sequence that is written: always the training part's
    frequencies. Later values of a series: mean, persistence, autoregression; other numbers: the training part's mean.
    Empty where none of them applies, or the part is empty.
    """
    if not dataset.split(part).steps or not dataset.targets:
        return {}
    target = dataset.targets[0]
    track = dataset.tracks[target.name]
    if target.counts or (target.content == "tokens" and not target.shift_of):
        return {"frequencies": class_entropy(dataset, part, target.name)}
    if target.content == "tokens":
        if dataset.sequences > 1:
            return {}
        text = text_baselines(dataset, part, target.shift_of)
        return {"unigram": text.unigram, "bigram": text.bigram, "trigram": text.trigram}
    if target.axis is None or target.axis != dataset.axis or not track.shift:
        return {"mean": spread_around_mean(dataset, part, target.name)}
    series = series_baselines(dataset, part, field=target.name)
    return {"mean": series.mean, "persistence": series.persistence, f"AR({series.order})": series.autoregressive}


def class_entropy(dataset: Dataset, part: Part, field: str) -> float:
    """Nats a class, of saying the training part's frequencies (each class once more than it was seen) all the time."""
    spec = dataset.recipe.field(field)
    counts = spec.counts or np.bincount(dataset.values_of("train", field), minlength=spec.size)
    seen = np.array(counts, np.float64) + 1.0
    found = dataset.values_of(part, field)
    return float(-np.log(seen / seen.sum())[found].mean())


def spread_around_mean(dataset: Dataset, part: Part, field: str) -> float:
    """The mean square of what is left of the part's numbers when the training part's mean is taken off each column."""
    middle = np.nanmean(dataset.values_of("train", field), axis=0, dtype=np.float64)
    return float(np.nanmean((dataset.values_of(part, field) - middle) ** 2))
