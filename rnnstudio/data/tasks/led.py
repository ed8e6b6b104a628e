"""A display of seven segments: a vector that is a digit, or becomes its name, letter by letter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstudio.data.examples import Examples, Learning, labels, numbers, tokens
from rnnstudio.data.formats.pieces import END, vocabulary_at
from rnnstudio.data.options import option
from rnnstudio.data.tasks.task import Task, examples_option, seed_option
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

SEGMENTS = ("top", "upper left", "upper right", "middle", "lower left", "lower right", "bottom")
LIT = ("1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111", "1111011")
"""Of each digit from 0, which segments are lit, in the order of SEGMENTS (Breiman et al. 1984, table 2.7)."""
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class LedOptions:
    """Digits of seven segments."""

    faults: float = option(0.05, "the chance that a segment is dark where it should be lit, or lit", minimum=0.0)
    answer: str = option(
        "digit", "what is asked for: the digit, or its name letter by letter", choices=("digit", "name")
    )
    examples: int = examples_option(2000)
    seed: int = seed_option()


class Led(Task):
    """Seven numbers, 1 where a segment is lit; the target is the digit, uniform from 0 to 9, or its English name.

    Each segment is wrong by itself with probability `faults`. With 0.1 nobody is right more often than in 74 % of the
    cases. Breiman, Friedman, Olshen & Stone 1984, Classification and Regression Trees, section 2.6.1.
    """

    name = "task:led"
    title = "task: digits of seven segments"
    what = "digits of seven segments"
    Options = LedOptions

    def make(self, options: LedOptions, pick: np.random.Generator) -> Examples:
        if options.faults > 1:
            raise StudioError(f"a chance of {options.faults} is none", where="option faults", remedy="Give 0 to 1.")
        digits = pick.integers(0, 10, options.examples)
        lit = np.array([[int(piece) for piece in row] for row in LIT])[digits]
        wrong = pick.random(lit.shape) < options.faults
        shown = numbers("inputs", list(np.where(wrong, 1 - lit, lit)), SEGMENTS, None, scaling="none")
        if options.answer == "digit":
            return Examples((shown, labels("targets", list(map(str, digits.tolist())))))
        said = [[*NAMES[digit], END] for digit in digits.tolist()]
        return Examples(
            (shown, tokens("targets", said, "target", role="target", learning=Learning("sorted", "needed")))
        )

    def vocabulary(self, spec: FieldSpec, options: LedOptions) -> Vocabulary:
        return super().vocabulary(spec, options) if spec.axis is None else vocabulary_at(spec, "characters", False)
