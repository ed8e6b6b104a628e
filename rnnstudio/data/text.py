"""The text reader: one long text becomes one array of token numbers and a vocabulary learned from its training part.

Characters are handled as code points in numpy arrays of one to four bytes each: 100 MB of text opens in seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import numpy as np

from rnnstudio.data.files import FileFacts, Reading
from rnnstudio.data.options import TextOptions
from rnnstudio.data.split import boundaries
from rnnstudio.data.vocabulary import UNKNOWN, IntArray, Vocabulary, codepoints, compact, words_of
from rnnstudio.design.errors import StudioError

LEAST_TOKENS = 16
EXCERPT = 2000
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Text:
    """tokens: [length], uint8, uint16 or int32."""

    tokens: IntArray
    vocabulary: Vocabulary
    facts: FileFacts
    excerpt: str


def read_text(
    path: Path,
    shown: str,
    options: TextOptions,
    split: tuple[float, float, float],
    vocabulary: Vocabulary | None = None,
) -> Text:
    """The whole file as tokens. vocabulary: use this one (a trained model's) instead of learning one.

    Raises StudioError for a file that cannot be read as text, is too short, or has characters that the given
    vocabulary lacks and cannot call unknown.
    """
    reading = Reading(path, shown, options.encoding)
    excerpt = ""
    pieces = iter(reading)
    for piece in pieces:
        excerpt = piece[:EXCERPT]
        pieces = chain((piece,), pieces)
        break
    if options.lowercase:
        pieces = map(str.lower, pieces)
    numbers, entries = _number_words(pieces) if options.level == "words" else _number_characters(pieces)
    facts = reading.facts()
    if len(numbers) < LEAST_TOKENS:
        lines = "on one line" if facts.lines < 2 else f"on {facts.lines} lines"
        raise StudioError(
            f"the text has only {len(numbers)} {options.level} {lines}",
            where=shown,
            remedy=f"Use a text of at least {LEAST_TOKENS}; a language model needs thousands.",
        )
    if vocabulary is None:
        vocabulary = _learn(numbers, entries, options, boundaries(len(numbers), split)[0])
    tokens = _renumber(numbers, entries, vocabulary, shown)
    return Text(tokens, vocabulary, facts, excerpt)


def _number_characters(pieces: Iterable[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Numbers by rank of code point, and the character of each number."""
    codes: list[IntArray] = []
    points: IntArray
    counts = np.zeros(0x110000, np.int64)
    for piece in pieces:
        points = codepoints(piece)
        counts += np.bincount(points, minlength=len(counts))
        codes.append(compact(points, int(points.max(initial=0))))
    present = np.flatnonzero(counts)
    table = np.zeros(int(present[-1]) + 1 if len(present) else 1, np.int32)
    table[present] = np.arange(len(present))
    small = compact(table, len(present))
    numbers = np.empty(sum(map(len, codes)), small.dtype)
    place = 0
    while codes:
        points = codes.pop(0)
        np.take(small, points, out=numbers[place : place + len(points)])
        place += len(points)
    return numbers, tuple(map(chr, present.tolist()))


def _number_words(pieces: Iterable[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Numbers in order of first appearance, and the word of each number."""
    ids: defaultdict[str, int] = defaultdict(count().__next__)
    numbers = []
    for piece in _whole_words(pieces):
        words = words_of(piece)
        numbers.append(np.fromiter(map(ids.__getitem__, words), np.int32, len(words)))
    return (np.concatenate(numbers) if numbers else np.zeros(0, np.int32)), tuple(ids)


def _whole_words(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that end at a space or a line end."""
    rest = ""
    for piece in pieces:
        cut = max(piece.rfind(" "), piece.rfind("\n")) + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
    if rest:
        yield rest


def _learn(numbers: IntArray, entries: Sequence[str], options: TextOptions, train: int) -> Vocabulary:
    """The vocabulary of the first `train` tokens."""
    seen = _counts(numbers[:train], len(entries))
    if options.level == "words":
        kept = [place for place in np.flatnonzero(seen >= options.min_count).tolist() if entries[place] != UNKNOWN]
        kept.sort(key=lambda place: (-int(seen[place]), entries[place]))
        # Always there: a prompt may use a word that no text of this author does.
        return Vocabulary((UNKNOWN, *(entries[place] for place in kept)), options.level, options.lowercase)
    kept = np.flatnonzero(seen).tolist()
    unseen = bool((_counts(numbers[train:], len(entries))[seen == 0] > 0).any())
    known = [entries[place] for place in kept]
    if unseen and UNKNOWN not in known:
        known.insert(0, UNKNOWN)
    return Vocabulary(tuple(known), options.level, options.lowercase)


def _counts(numbers: IntArray, size: int) -> IntArray:
    """How often each number occurs, block by block: bincount makes eight bytes of each number it is given."""
    total = np.zeros(size, np.int64)
    for start in range(0, len(numbers), _BLOCK):
        total += np.bincount(numbers[start : start + _BLOCK], minlength=size)
    return total


def _renumber(numbers: IntArray, entries: Sequence[str], vocabulary: Vocabulary, shown: str) -> IntArray:
    """From the numbers of this file to those of the vocabulary."""
    unknown = -1 if vocabulary.unknown is None else vocabulary.unknown
    table = np.array([vocabulary.numbers.get(entry, unknown) for entry in entries], np.int64)
    missing = [entries[place] for place in np.flatnonzero(table < 0).tolist()]
    if missing:
        listed = ", ".join(repr(entry) for entry in missing[:10]) + (", …" if len(missing) > 10 else "")
        where = int(np.flatnonzero(numbers == entries.index(missing[0]))[0]) + 1
        raise StudioError(
            f"the model's vocabulary of {len(vocabulary)} {vocabulary.level} has no {listed}",
            where=f"{shown}, first at number {where:,} of {len(numbers):,}",
            remedy="Take these out of the text, or train a model on it.",
        )
    return _looked_up(compact(table, len(vocabulary)), numbers)


def _looked_up(table: IntArray, numbers: IntArray) -> IntArray:
    """table[numbers], block by block: numpy makes eight bytes of each index."""
    found = np.empty(len(numbers), table.dtype)
    for low in range(0, len(numbers), _BLOCK):
        np.take(table, numbers[low : low + _BLOCK], out=found[low : low + _BLOCK])
    return found
