"""Readers of kinds that no format of ours has alone: trees with a class or tags, vectors, vectors that are spelt."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rnnstudio.data import readers
from rnnstudio.data.examples import Examples, labels, numbers, tags, tokens, tree
from rnnstudio.data.options import NoOptions
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Reader
from rnnstudio.data.source import Source
from rnnstudio.loading import load_plugins


class Bushes(Reader):
    """Lines of "a b +": leaves under a root; the class says whether all leaves are alike."""

    name, title, suffixes = "test-bushes", "bushes", (".bush",)

    def read(self, source: Source, options: NoOptions, problems: Problems) -> Examples:
        nodes = [line.split() for line in source.lines() if line]
        parents = [[len(n) - 1] * (len(n) - 1) + [-1] for n in nodes]
        classes = ["alike" if len(set(n[:-1])) == 1 else "mixed" for n in nodes]
        return Examples((tree(parents), tokens("word", nodes, "tree"), labels("kind", classes)))


class MarkedBushes(Reader):
    """The same with a tag at every node."""

    name, title, suffixes = "test-marked", "marked bushes", (".marked",)

    def read(self, source: Source, options: NoOptions, problems: Problems) -> Examples:
        nodes = [line.split() for line in source.lines() if line]
        parents = [[len(n) - 1] * (len(n) - 1) + [-1] for n in nodes]
        each = [["leaf"] * (len(n) - 1) + ["root"] for n in nodes]
        return Examples((tree(parents), tokens("word", nodes, "tree"), tags("place", each, "tree")))


class Vectors(Reader):
    """Lines of three numbers and a class."""

    name, title, suffixes = "test-vectors", "vectors", (".vectors",)

    def read(self, source: Source, options: NoOptions, problems: Problems) -> Examples:
        rows = [line.split() for line in source.lines() if line]
        values = [np.array(row[:3], float) for row in rows]
        return Examples((numbers("inputs", values, ("a", "b", "c"), None), labels("kind", [row[3] for row in rows])))


class Spelt(Reader):
    """Lines of three numbers and a word, to be written letter by letter."""

    name, title, suffixes = "test-spelt", "spelt vectors", (".spelt",)

    def read(self, source: Source, options: NoOptions, problems: Problems) -> Examples:
        rows = [line.split() for line in source.lines() if line]
        values = [np.array(row[:3], float) for row in rows]
        words = [[*row[3], "</s>"] for row in rows]
        return Examples(
            (numbers("inputs", values, ("a", "b", "c"), None), tokens("word", words, "letters", role="target"))
        )


@contextmanager
def more_readers() -> Iterator[None]:
    """They are there, beside the studio's own."""
    load_plugins()  # later it would install its own
    before = readers.plugged()
    readers.install((*before, Bushes(), MarkedBushes(), Vectors(), Spelt()))
    try:
        yield
    finally:
        readers.install(before)


def _lines(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def bushes(folder: Path, suffix: str = "bush") -> Path:
    pick = random.Random(2)
    lines = []
    for _ in range(80):
        leaves = [pick.choice("ab") for _ in range(pick.randint(2, 4))]
        lines.append(" ".join([*(leaves if pick.random() < 0.5 else leaves[:1] * len(leaves)), "+"]))
    return _lines(folder / f"some.{suffix}", lines)


def marked_bushes(folder: Path) -> Path:
    return bushes(folder, "marked")


def vectors(folder: Path, suffix: str = "vectors") -> Path:
    pick = random.Random(4)
    lines = []
    for _ in range(120):
        values = [pick.gauss(0, 1) for _ in range(3)]
        lines.append(" ".join([*(f"{value:.3f}" for value in values), "yes" if values[0] > 0 else "no"]))
    return _lines(folder / f"some.{suffix}", lines)


def spelt(folder: Path) -> Path:
    return vectors(folder, "spelt")
