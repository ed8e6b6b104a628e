"""The text reader: one long text, or each text of a folder, becomes one array of token numbers.

Characters are handled as code points in numpy arrays: 100 MB of text opens in seconds. The numbers of a large text lie
in a mapped file (mapped.py), and no copy of the text itself is kept.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, count
from typing import Any

import numpy as np

from rnnstudio.data.bytepair import SIGNS, BytePairs, SingleBytes, learn
from rnnstudio.data.dividing import TrainingPart
from rnnstudio.data.examples import Examples, Learning, TokenField, later
from rnnstudio.data.files import entries_of, is_folder, size_of
from rnnstudio.data.mapped import MAPPED_BYTES, gathered
from rnnstudio.data.options import TextOptions
from rnnstudio.data.packed import Entry, Inside
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.vocabulary import IntArray, Vocabulary, codepoints, compact, words_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

LEAST_TOKENS = 16
EXCERPT = 2000


class TextReader(Reader):
    """Characters, words, bytes or byte pairs, one sequence a file; fields `text`, and `next`, the token after."""

    name = "text"
    title = "text"
    together = True
    suffixes = (".txt", ".md", ".rst", ".tex", ".html", ".xml", ".json", ".py", ".c", ".log")
    Options = TextOptions
    beginnings = True
    portable = ("level", "lowercase", "min_count", "size")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.folder:
            texts = [entry for entry in sample.entries if _is_text(entry)]
            return Guess(0.3, TextOptions(), why=f"{len(texts)} texts in a folder") if texts else None
        if sample.why_not is not None or not sample.text.strip():
            return None
        return Guess(0.2, TextOptions(encoding=sample.encoding), why="it is text")

    def learn(self, source: Source, options: TextOptions, training: TrainingPart) -> TextOptions:
        """The byte pairs of the training part: of the files in it, or of the first characters of each."""
        if options.level != "byte-pair":
            return replace(options, merges=()) if options.merges else options
        files = _files(source)
        chosen = training.of(len(files))
        texts = (piece for place, share in chosen for piece in _beginning(files[place], options, share))
        return replace(options, merges=learn(texts, options.size))

    def read(self, source: Source, options: TextOptions, problems: Problems) -> Examples:
        files = _files(source)
        if is_folder(source.path, source.shown):
            _tell_others(source, problems)
        if options.level == "byte-pair" and not options.merges:
            raise StudioError("no byte pairs were learned", where=source.shown, remedy="Load the data file again.")
        numbering = _NUMBERINGS[options.level](options)
        lengths: list[int] = []
        excerpt = ""

        def numbers_of_all() -> Iterator[IntArray]:
            nonlocal excerpt
            for file in files:
                before = len(lengths)
                lengths.append(0)
                pieces = _folded(file, options)
                first = next(pieces, "")
                excerpt = excerpt or first[:EXCERPT]
                for numbers in numbering.number(chain((first,), pieces)):
                    lengths[before] += len(numbers)
                    yield numbers

        size = sum(min(size_of(file.path), file.most or sys.maxsize) for file in files)
        numbers = gathered(numbers_of_all(), size >= MAPPED_BYTES)
        if len(numbers) < LEAST_TOKENS:
            lines = source.facts().lines
            where = "on one line" if lines < 2 else f"on {lines} lines"
            raise StudioError(
                f"the text has only {len(numbers)} {options.level} {where}",
                where=source.shown,
                remedy=f"Use a text of at least {LEAST_TOKENS}; a language model needs thousands.",
            )
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        learning = _LEARNING.get(options.level, Learning("frequency", "always"))
        if options.level == "words":
            learning = replace(learning, least=options.min_count)
        field = TokenField("text", numbers, numbering.entries, "time", offsets, learning=learning)
        return Examples(
            (field, later("next", "text")),
            names=[file.path.name for file in files] if len(files) > 1 else (),
            options=options,
            unit=options.level,
            excerpt=excerpt,
        )

    def vocabulary(self, spec: FieldSpec, options: TextOptions) -> Vocabulary:
        if options.level == "bytes":
            return Vocabulary(spec.vocabulary, "bytes", options.lowercase, SingleBytes(), SIGNS[ord("\n")])
        if options.level == "byte-pair":
            return Vocabulary(
                spec.vocabulary, "byte pairs", options.lowercase, BytePairs(options.merges), SIGNS[ord("\n")]
            )
        return Vocabulary(spec.vocabulary, options.level, options.lowercase)


_LEARNING = {"characters": Learning("sorted", "needed"), "bytes": Learning("sorted", "needed")}


def _is_text(path: Entry) -> bool:
    return path.is_file() and path.suffix.lower() in TextReader.suffixes and not path.name.startswith(".")


def _files(source: Source) -> list[Source]:
    """The file, or those of a folder by name, each of which is a sequence. Raises StudioError for a folder of none."""
    if not is_folder(source.path, source.shown):
        return [source]
    texts = [path for path in entries_of(source.path, source.shown) if _is_text(path)]
    found = [source.inner(path, f"{source.path.name}/{path.name}") for path in texts]
    if not found:
        raise StudioError(
            "the folder holds no text",
            where=source.shown,
            remedy=f"Texts end with one of {', '.join(TextReader.suffixes[:4])} …",
        )
    return found


def _tell_others(folder: Source, problems: Problems) -> None:
    others = [path for path in entries_of(folder.path, folder.shown) if not _is_text(path)]
    if others:
        problems.ignore(f"{len(others)} other entries of the folder", others[0].name)


def _folded(file: Source, options: TextOptions) -> Iterator[str]:
    pieces = iter(file.reading(options.encoding))
    return map(str.lower, pieces) if options.lowercase else pieces


def _beginning(file: Source, options: TextOptions, share: float) -> Iterator[str]:
    """The first `share` of a file's bytes, about, as text."""
    if share >= 1:
        yield from _folded(file, options)
        return
    left = _length(file.path) * share
    for piece in _folded(file, options):
        size = len(piece.encode(options.encoding, "replace"))
        if size >= left:
            yield piece[: int(len(piece) * left / size)]
            return
        left -= size
        yield piece


def _length(path: Entry) -> int:
    """Of a file in bytes, unpacked: exactly, or the training part would not end where it ends."""
    if not isinstance(path, Inside) or path.archive is not None:
        return size_of(path)
    with path.open() as stream:
        return sum(map(len, iter(lambda: stream.read(1 << 22), b"")))


class _Characters:
    """Characters, numbered by first appearance."""

    def __init__(self, options: TextOptions) -> None:
        self._table = np.full(0x110000, -1, np.int32)
        self._found: list[int] = []

    @property
    def entries(self) -> tuple[str, ...]:
        return tuple(map(chr, self._found))

    def number(self, pieces: Iterable[str]) -> Iterator[IntArray]:
        for piece in pieces:
            points = codepoints(piece)
            present = np.flatnonzero(np.bincount(points)) if len(points) else np.zeros(0, np.int64)
            new = present[self._table[present] < 0]
            self._table[new] = np.arange(len(self._found), len(self._found) + len(new))
            self._found += new.tolist()
            yield np.take(compact(self._table, max(len(self._found) - 1, 0)), points)


class _Words:
    """Words, numbered by first appearance."""

    def __init__(self, options: TextOptions) -> None:
        self._ids: defaultdict[str, int] = defaultdict(count().__next__)

    @property
    def entries(self) -> tuple[str, ...]:
        return tuple(self._ids)

    def number(self, pieces: Iterable[str]) -> Iterator[IntArray]:
        for piece in _whole_words(pieces):
            words = words_of(piece)
            yield np.fromiter(map(self._ids.__getitem__, words), np.int32, len(words))


class _Bytes:
    """Bytes of UTF-8: their values."""

    entries = SIGNS

    def __init__(self, options: TextOptions) -> None:
        pass

    def number(self, pieces: Iterable[str]) -> Iterator[IntArray]:
        for piece in pieces:
            yield np.frombuffer(piece.encode("utf-8", "surrogatepass"), np.uint8)


class _Pairs:
    """Byte pairs: places among the tokens that the merges make."""

    def __init__(self, options: TextOptions) -> None:
        self._pairs = BytePairs(options.merges)

    @property
    def entries(self) -> tuple[str, ...]:
        return self._pairs.entries

    def number(self, pieces: Iterable[str]) -> Iterator[IntArray]:
        return self._pairs.number(pieces)


_NUMBERINGS: Mapping[str, Callable[[TextOptions], Any]] = {
    "characters": _Characters,
    "words": _Words,
    "bytes": _Bytes,
    "byte-pair": _Pairs,
}


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
