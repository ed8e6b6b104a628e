"""Tasks of reading and writing texts: reversal and addition along two axes, autocomplete along one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnstudio.data.examples import Examples, Learning, tags, tokens
from rnnstudio.data.formats.pieces import END, vocabulary_at
from rnnstudio.data.options import option
from rnnstudio.data.tasks.task import Task, examples_option, seed_option
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_IN_ORDER = Learning("sorted", "needed")


class _Writing(Task):
    """A text along `source`, another along `target`, which ends with the end token."""

    def vocabulary(self, spec: FieldSpec, options: Any) -> Vocabulary:
        return vocabulary_at(spec, "characters", False)


def _pairs(texts: Sequence[tuple[str, str]]) -> Examples:
    return Examples(
        (
            tokens("source", [list(read) for read, _ in texts], "source", learning=_IN_ORDER),
            tokens("target", [[*said, END] for _, said in texts], "target", role="target", learning=_IN_ORDER),
        ),
        unit="pairs",
        excerpt="\n".join(f"{read}\t{said}" for read, said in texts[:20]),
    )


@dataclass(frozen=True)
class ReversalOptions:
    """A word, and it backwards."""

    letters: int = option(26, "how many different letters there are, from a on", minimum=2)
    shortest: int = option(2, "letters of the shortest word", minimum=1)
    longest: int = option(10, "letters of the longest word", minimum=1)
    examples: int = examples_option(2000)
    seed: int = seed_option()


class Reversal(_Writing):
    """A word of random letters, its length uniform from `shortest` to `longest`; the target is it backwards.

    Attention that reads it lies on the anti-diagonal. Sutskever, Vinyals & Le 2014 give the reason to reverse sources;
    as a task Grefenstette et al. 2015, Learning to Transduce with Unbounded Memory.
    """

    name = "task:reversal"
    title = "task: reversal"
    what = "words and the same backwards"
    Options = ReversalOptions

    def make(self, options: ReversalOptions, pick: np.random.Generator) -> Examples:
        if options.letters > len(LETTERS):
            raise StudioError(
                f"there are {len(LETTERS)} letters, not {options.letters}",
                where="option letters",
                remedy=f"Give 2 to {len(LETTERS)}.",
            )
        longest = max(options.shortest, options.longest)
        lengths = pick.integers(options.shortest, longest + 1, options.examples).tolist()
        words = ["".join(LETTERS[n] for n in pick.integers(0, options.letters, k).tolist()) for k in lengths]
        return _pairs([(word, word[::-1]) for word in words])


@dataclass(frozen=True)
class AdditionOptions:
    """Two numbers, and their sum, in digits."""

    digits: int = option(3, "digits of the longest number", minimum=1)
    examples: int = examples_option(5000)
    seed: int = seed_option()


LARGEST_DIGITS = 18


class Addition(_Writing):
    """ "12+345" to "357": each number has a length uniform from 1 to `digits`, then digits uniform, the first not 0
    unless the number has one digit. Zaremba & Sutskever 2014, Learning to Execute, section 5 (there of equal lengths).
    """

    name = "task:addition"
    title = "task: digit addition"
    what = "sums of two numbers, digit by digit"
    Options = AdditionOptions

    def make(self, options: AdditionOptions, pick: np.random.Generator) -> Examples:
        if options.digits > LARGEST_DIGITS:
            raise StudioError(
                f"numbers of {options.digits} digits are too long",
                where="option digits",
                remedy=f"Give at most {LARGEST_DIGITS}.",
            )
        lengths = pick.integers(1, options.digits + 1, (options.examples, 2)).tolist()
        texts = []
        for row in lengths:
            one, other = (int(pick.integers(10 ** (k - 1) if k > 1 else 0, 10**k)) for k in row)
            texts.append((f"{one}+{other}", str(one + other)))
        return _pairs(texts)


_FREQUENT = (
    "the of and to in that was for with his this had not are but from have they which one you were her all she there "
    "would their we him been has when who will no more if out so said what its about into than them can only"
)
WORDS = tuple(_FREQUENT.split())
"""Frequent words of English, the most frequent first."""


@dataclass(frozen=True)
class AutocompleteOptions:
    """Letters, and the word they become."""

    words: tuple[str, ...] = option(WORDS, "the words, the most frequent first")
    examples: int = examples_option(2000)
    seed: int = seed_option()


class Autocomplete(Task):
    """The letters of a word, one a step; at every step the target is the whole word, as one class.

    The n-th word of the list is drawn with probability in proportion to 1/n (Zipf). The best that is possible says of
    each beginning the most frequent word that begins so; who sees no letters has the entropy of the words.
    """

    name = "task:autocomplete"
    title = "task: autocomplete"
    what = "letters and the word they become"
    Options = AutocompleteOptions

    def make(self, options: AutocompleteOptions, pick: np.random.Generator) -> Examples:
        if len(set(options.words)) != len(options.words) or len(options.words) < 2:
            raise StudioError("the words are not two or more different ones", where="option words")
        shares = 1.0 / np.arange(1, len(options.words) + 1)
        edges = np.cumsum(shares / shares.sum())
        places = np.minimum(np.searchsorted(edges, pick.random(options.examples)), len(edges) - 1).tolist()
        words = [options.words[place] for place in places]
        return Examples(
            (
                tokens("inputs", [list(word) for word in words], learning=_IN_ORDER),
                tags("targets", [[word] * len(word) for word in words], causal=True),
            ),
            split_by="sequence",
        )

    def vocabulary(self, spec: FieldSpec, options: AutocompleteOptions) -> Vocabulary:
        return super().vocabulary(spec, options) if spec.counts else vocabulary_at(spec, "characters", False)
