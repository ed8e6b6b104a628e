"""The text reader: one long text becomes one array of token numbers.

Characters are handled as code points in numpy arrays of one to four bytes each: 100 MB of text opens in seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, count

import numpy as np

from rnnstudio.data.examples import Examples, Learning, TokenField, later
from rnnstudio.data.options import TextOptions
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.vocabulary import IntArray, Vocabulary, codepoints, compact, words_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

LEAST_TOKENS = 16
EXCERPT = 2000


class TextReader(Reader):
    """One sequence of characters or words; the fields `text`, and `next`, the token after."""

    name = "text"
    title = "text"
    suffixes = (".txt", ".md", ".rst", ".tex", ".html", ".xml", ".json", ".py", ".c", ".log")
    Options = TextOptions
    portable = ("level", "lowercase", "min_count")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.why_not is not None or not sample.text.strip():
            return None
        return Guess(0.2, TextOptions(encoding=sample.encoding), why="it is text")

    def read(self, source: Source, options: TextOptions, problems: Problems) -> Examples:
        reading = source.reading(options.encoding)
        excerpt = ""
        pieces = iter(reading)
        for piece in pieces:
            excerpt = piece[:EXCERPT]
            pieces = chain((piece,), pieces)
            break
        if options.lowercase:
            pieces = map(str.lower, pieces)
        words = options.level == "words"
        numbers, entries = _number_words(pieces) if words else _number_characters(pieces)
        facts = reading.facts()
        if len(numbers) < LEAST_TOKENS:
            lines = "on one line" if facts.lines < 2 else f"on {facts.lines} lines"
            raise StudioError(
                f"the text has only {len(numbers)} {options.level} {lines}",
                where=source.shown,
                remedy=f"Use a text of at least {LEAST_TOKENS}; a language model needs thousands.",
            )
        learning = Learning("frequency", "always", options.min_count) if words else Learning("sorted", "needed")
        offsets = np.array([0, len(numbers)], np.int64)
        return Examples(
            (TokenField("text", numbers, entries, "time", offsets, learning=learning), later("next", "text")),
            options=options,
            unit=options.level,
            excerpt=excerpt,
        )

    def vocabulary(self, spec: FieldSpec, options: TextOptions) -> Vocabulary:
        return Vocabulary(spec.vocabulary, options.level, options.lowercase)


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
