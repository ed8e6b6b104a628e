"""Morse code as a signal, and the letters without a word on when each was sent: for CTC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstudio.data.examples import Examples, Learning, numbers, tokens
from rnnstudio.data.formats.pieces import vocabulary_at
from rnnstudio.data.options import option
from rnnstudio.data.tasks.series import Floats
from rnnstudio.data.tasks.task import Task, examples_option, seed_option
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

CODE = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.", "H": "....", "I": "..",
    "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.", "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.",
    "S": "...", "T": "-", "U": "..-", "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..",
}  # fmt: skip
DASH, BETWEEN = 3, 3
"""Units that a dash and the pause between letters last; a dot and the pause within a letter last one."""


@dataclass(frozen=True)
class MorseOptions:
    """Letters as Morse code."""

    letters: str = option("ETAIN", "the letters that occur", free=True)
    shortest: int = option(2, "letters of the shortest message", minimum=1)
    longest: int = option(5, "letters of the longest message", minimum=1)
    unit: int = option(1, "frames of one unit of time", minimum=1)
    jitter: int = option(1, "a dash or a pause between letters may last so many units more", minimum=0)
    noise: float = option(0.0, "the standard deviation of what is added to the signal", minimum=0)
    examples: int = examples_option(1000)
    seed: int = seed_option()


class Morse(Task):
    """A signal, 1 while the key is down and 0 else, and along an axis of its own the letters that were sent.

    A dot lasts one unit, a dash three, a pause within a letter one, between letters and at the end three (ITU-R
    M.1677-1); dashes and pauses between letters last up to `jitter` units longer, uniform. Connectionist temporal
    classification (Graves et al. 2006) learns from it when the letters are where.
    """

    name = "task:morse"
    title = "task: Morse code"
    what = "Morse code and its letters"
    Options = MorseOptions

    def make(self, options: MorseOptions, pick: np.random.Generator) -> Examples:
        alphabet = list(dict.fromkeys(options.letters.upper()))
        unknown = [letter for letter in alphabet if letter not in CODE]
        if unknown or not alphabet:
            raise StudioError(
                f"there is no Morse code for {unknown[0]!r}" if unknown else "there is no letter to send",
                where="option letters",
                remedy="Give letters from A to Z.",
            )
        longest = max(options.shortest, options.longest)
        lengths = pick.integers(options.shortest, longest + 1, options.examples).tolist()
        messages = [[alphabet[n] for n in pick.integers(0, len(alphabet), k).tolist()] for k in lengths]
        signals = [_signal(message, options, pick) for message in messages]
        return Examples(
            (
                numbers("inputs", signals, ("key",), scaling="none"),
                tokens("targets", messages, "labels", role="target", learning=Learning("sorted", "needed")),
            ),
            excerpt="\n".join("".join(message) for message in messages[:20]),
        )

    def vocabulary(self, spec: FieldSpec, options: MorseOptions) -> Vocabulary:
        return vocabulary_at(spec, "characters", False)


def _signal(message: list[str], options: MorseOptions, pick: np.random.Generator) -> Floats:
    """[frames, 1]"""
    units: list[int] = []
    for letter in message:
        for place, mark in enumerate(CODE[letter]):
            units += [0] * (place > 0)
            units += [1] if mark == "." else [1] * (DASH + _more(options, pick))
        units += [0] * (BETWEEN + _more(options, pick))
    signal = np.repeat(np.array(units, np.float64), options.unit)[:, None]
    return signal + options.noise * pick.standard_normal(signal.shape) if options.noise else signal


def _more(options: MorseOptions, pick: np.random.Generator) -> int:
    return int(pick.integers(0, options.jitter + 1)) if options.jitter else 0
