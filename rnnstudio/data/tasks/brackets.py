"""Brackets that match: the Dyck language, with the depth at every step, or the way to the partner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstudio.data.examples import CLASSES, Examples, tags, tokens
from rnnstudio.data.formats.pieces import vocabulary_at
from rnnstudio.data.options import option
from rnnstudio.data.tasks.task import Task, examples_option, seed_option
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

PAIRS = ("()", "[]", "{}", "<>")


@dataclass(frozen=True)
class BracketOptions:
    """Words of brackets that match."""

    kinds: int = option(2, "how many kinds of brackets there are", minimum=1)
    depth: int = option(4, "how deep they may be nested", minimum=1)
    pairs: int = option(10, "pairs of the longest word", minimum=1)
    answer: str = option(
        "depth", "what is asked for at each step: the depth behind it, or how far away the partner is",
        choices=("depth", "partner"),
    )  # fmt: skip
    examples: int = examples_option(1000)
    seed: int = seed_option()


class Brackets(Task):
    """Words of Dyck-(k, m), k kinds of brackets nested at most m deep; the target at each step is the depth behind it,
    or the steps to its partner: of an opening bracket only what comes after it can tell.

    A word has n pairs, n uniform from 1 to `pairs`. At each step it opens a bracket of a random kind or closes the last
    open one, each with probability 1/2 where both are allowed. Chomsky & Schützenberger 1963; the bounded form: Hewitt
    et al. 2020, RNNs can generate bounded hierarchical languages with optimal memory.
    """

    name = "task:brackets"
    title = "task: brackets (Dyck)"
    what = "brackets that match"
    Options = BracketOptions

    def make(self, options: BracketOptions, pick: np.random.Generator) -> Examples:
        if options.kinds > len(PAIRS):
            raise StudioError(
                f"there are {len(PAIRS)} kinds of brackets, not {options.kinds}",
                where="option kinds",
                remedy=f"Give 1 to {len(PAIRS)}.",
            )
        words = [_word(int(n), options, pick) for n in pick.integers(1, options.pairs + 1, options.examples)]
        answer = _partners if options.answer == "partner" else _depths
        asked = [list(map(str, answer(word))) for word in words]
        return Examples(
            (tokens("inputs", words, learning=CLASSES), tags("targets", asked, causal=options.answer != "partner")),
            split_by="sequence",
        )

    def vocabulary(self, spec: FieldSpec, options: BracketOptions) -> Vocabulary:
        return super().vocabulary(spec, options) if spec.role == "target" else vocabulary_at(spec, "characters", False)


def _word(pairs: int, options: BracketOptions, pick: np.random.Generator) -> list[str]:
    word: list[str] = []
    opened: list[int] = []
    left = pairs
    while left or opened:
        may_open, may_close = left > 0 and len(opened) < options.depth, bool(opened)
        if may_open and (not may_close or pick.random() < 0.5):
            kind = int(pick.integers(0, options.kinds))
            opened.append(kind)
            word.append(PAIRS[kind][0])
            left -= 1
        else:
            word.append(PAIRS[opened.pop()][1])
    return word


def _depths(word: list[str]) -> list[int]:
    """How many brackets are open behind each."""
    steps = np.array([1 if any(piece == pair[0] for pair in PAIRS) else -1 for piece in word])
    return list(map(int, np.cumsum(steps)))


def _partners(word: list[str]) -> list[int]:
    """The steps from each bracket to the one it belongs to."""
    opened: list[int] = []
    found = [0] * len(word)
    for place, piece in enumerate(word):
        if any(piece == pair[0] for pair in PAIRS):
            opened.append(place)
        else:
            partner = opened.pop()
            found[partner] = found[place] = place - partner
    return found
