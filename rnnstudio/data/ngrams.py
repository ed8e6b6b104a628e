"""What n-gram models reach on a part of a text or of many: the least that a language model must beat. Without torch.

Entropies are in nats per token, like the cross-entropy loss. Memory is bounded: of a long training part the last tokens
are counted, which is said, and what is measured comes in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.dataset import Dataset
from rnnstudio.data.split import Ints, Part
from rnnstudio.data.vocabulary import IntArray
from rnnstudio.design.errors import StudioError

COUNTED = 1 << 22
"""Tokens of the training part that are counted: the last ones. Counting takes some hundred bytes for each."""
_BLOCK = 1 << 20
_TOO_MANY = 1 << 62


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
    and below the unigrams lies the uniform distribution, so that nothing has probability 0. No gram reaches over the
    border of two sequences.
    """

    def __init__(self, tokens: IntArray, size: int, order: int, lengths: Ints | None = None) -> None:
        """tokens: [length], the training part; size: of the vocabulary; order: 1 = unigrams, 2 = bigrams …

        lengths: of the sequences that lie end to end in `tokens`; None = one.
        """
        if size**order >= _TOO_MANY:
            raise StudioError(f"{order}-grams of {size} tokens are too many to count", remedy="Use a lower order.")
        self.size = size
        self.order = order
        self._levels: list[_Level] = []
        sequence = np.repeat(np.arange(len(lengths)), lengths) if lengths is not None else None
        firsts = np.concatenate(([0], np.cumsum(lengths)[:-1])) if lengths is not None else np.zeros(1, np.int64)
        for length in range(1, order + 1):
            grams = self._grams(tokens, length)
            inside = slice(None) if sequence is None else _inside(sequence, length)
            if length == order:
                kinds, counts = np.unique(grams[inside], return_counts=True)
            else:
                # How many different tokens stand in front of each gram; a sequence's very first has none: one more.
                longer = self._grams(tokens, length + 1)
                longer = np.unique(longer if sequence is None else longer[_inside(sequence, length + 1)])
                begins = np.unique(grams[firsts[firsts < len(grams)]])
                kinds, counts = np.unique(np.append(longer % size**length, begins), return_counts=True)
            self._levels.append(_Level(kinds, counts, size))

    def _grams(self, tokens: IntArray, length: int) -> Ints:
        """Every run of `length` tokens as one number, the first token its highest digit."""
        runs = max(len(tokens) - length + 1, 0)
        grams = np.zeros(runs, np.int64)
        for place in range(length):
            grams *= self.size
            grams += tokens[place : place + runs]
        return grams

    def log_probabilities(self, tokens: IntArray, places: Ints, begins: Ints) -> npt.NDArray[np.float64]:
        """log p of the tokens at `places`, each given those before it in its sequence, which begins at `begins`."""
        probability: npt.NDArray[np.float64] = np.full(len(places), 1.0 / self.size)
        for length, level in enumerate(self._levels, start=1):
            there = places - length + 1 >= begins
            if not there.any():
                break
            grams = np.zeros(int(there.sum()), np.int64)
            for back in range(length - 1, -1, -1):
                grams *= self.size
                grams += tokens[places[there] - back]
            probability[there] = level.interpolate(grams, probability[there])
        logs: npt.NDArray[np.float64] = np.log(probability)
        return logs


def _inside(sequence: Ints, length: int) -> npt.NDArray[np.bool_]:
    """[grams]: which of them lie in one sequence."""
    if length > len(sequence):
        return np.zeros(0, bool)
    found: npt.NDArray[np.bool_] = sequence[: len(sequence) - length + 1] == sequence[length - 1 :]
    return found


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
    """Nats per token of the held-out part, by n-gram models of the training part's last `counted` tokens of `tokens`;
    text_bigram: see bigram_entropy, of so many tokens of the text."""

    uniform: float
    unigram: float
    bigram: float
    trigram: float
    text_bigram: float
    counted: int
    tokens: int

    @property
    def of_a_part(self) -> str:
        """What is to be said beside the numbers; "" where the whole training part was counted."""
        return "" if self.counted >= self.tokens else f", counted on {self.counted:,} of {self.tokens:,} tokens"


def text_baselines(
    dataset: Dataset, part: Part = "validation", field: str = "text", shift: int | None = None
) -> TextBaselines:
    """The n-gram entropies on the predicted tokens of `part`. shift: how far ahead they lie; None: as any field does.

    Raises StudioError when the part is empty.
    """
    spec = dataset.recipe.field(field)
    tokens = dataset.tracks[field].values
    split = dataset.split(part)
    if split.steps == 0:
        raise StudioError(f"the {part} part is empty", where=dataset.recipe.path, remedy="Give it a fraction above 0.")
    if shift is None:
        shift = max(track.shift for track in dataset.tracks.values())
    learned, lengths, whole = _learned(tokens, dataset.division.rows["train"])
    orders = [n for n in (1, 2, 3) if spec.size**n < _TOO_MANY]
    found = {}
    for order in orders:
        model = KneserNey(learned, spec.size, order, lengths)
        total = count = 0.0
        for places, begins in _blocks(split.spans.origin, split.spans.first, split.spans.end, shift):
            total -= float(model.log_probabilities(tokens, places, begins).sum())
            count += len(places)
        found[order] = total / count
    return TextBaselines(
        uniform=float(np.log(spec.size)),
        unigram=found[1],
        bigram=found.get(2, found[1]),
        trigram=found.get(3, found[max(found)]),
        text_bigram=bigram_entropy(tokens[:COUNTED], spec.size),
        counted=len(learned),
        tokens=whole,
    )


def _learned(tokens: IntArray, runs: Ints) -> tuple[IntArray, Ints, int]:
    """The last tokens of the runs of a part, the lengths of the runs they come from, and how many there are in all."""
    taken: list[IntArray] = []
    left = COUNTED
    for low, high in runs[::-1].tolist():
        if not left:
            break
        begin = max(low, high - left)
        taken.append(np.asarray(tokens[begin:high]))
        left -= high - begin
    taken.reverse()
    lengths = np.array([len(piece) for piece in taken], np.int64)
    whole = int((runs[:, 1] - runs[:, 0]).sum())
    return (np.concatenate(taken) if taken else np.asarray(tokens[:0])), lengths, whole


def _blocks(origins: Ints, firsts: Ints, ends: Ints, shift: int) -> Iterator[tuple[Ints, Ints]]:
    """The places of all predicted tokens, and where the sequence of each begins, some million at a time."""
    places: list[Ints] = []
    begins: list[Ints] = []
    held = 0
    for origin, first, end in zip(origins.tolist(), (firsts + shift).tolist(), (ends + shift).tolist(), strict=True):
        for low in range(first, end, _BLOCK):
            high = min(low + _BLOCK, end)
            places.append(np.arange(low, high))
            begins.append(np.full(high - low, origin))
            held += high - low
            if held >= _BLOCK:
                yield np.concatenate(places), np.concatenate(begins)
                places, begins, held = [], [], 0
    if places:
        yield np.concatenate(places), np.concatenate(begins)
