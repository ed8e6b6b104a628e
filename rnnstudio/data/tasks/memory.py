"""Tasks that need a long memory: the adding problem, the copy task, parity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstudio.data.examples import CLASSES, Examples, TokenField, labels, numbers, tags, tokens
from rnnstudio.data.options import option
from rnnstudio.data.tasks.task import Task, examples_option, seed_option


@dataclass(frozen=True)
class AddingOptions:
    """The adding problem."""

    steps: int = option(100, "T, the length of each sequence", title="steps (T)", minimum=2)
    examples: int = examples_option(2000)
    seed: int = seed_option()


class Adding(Task):
    """Two numbers a step: a value in [0, 1), and a marker that is 1 at two steps, one in each half. The target, one
    number a sequence, is the sum of the two marked values.

    Who always says 1 has a mean squared error of 1/6 (the variance of the sum of two uniform numbers).
    Hochreiter & Schmidhuber 1997, Long Short-Term Memory, section 5.4, in the form of Le, Jaitly & Hinton 2015: values
    from 0 to 1, sequences of one length, markers 0 and 1.
    """

    name = "task:adding"
    title = "task: the adding problem"
    what = "the adding problem"
    Options = AddingOptions

    def make(self, options: AddingOptions, pick: np.random.Generator) -> Examples:
        count, steps = options.examples, options.steps
        values = pick.random((count, steps))
        half = steps // 2
        first, second = pick.integers(0, half, count), pick.integers(half, steps, count)
        rows = np.arange(count)
        markers = np.zeros((count, steps))
        markers[rows, first] = markers[rows, second] = 1.0
        sums = values[rows, first] + values[rows, second]
        return Examples(
            (
                numbers("inputs", list(np.stack((values, markers), 2)), ("value", "marker"), scaling="none"),
                numbers("targets", list(sums[:, None]), ("sum",), None, role="target", scaling="none"),
            )
        )


@dataclass(frozen=True)
class CopyOptions:
    """The copy task."""

    steps: int = option(100, "T, how long the symbols must be kept", title="steps (T)", minimum=1)
    symbols: int = option(8, "how many different symbols there are", minimum=2)
    length: int = option(10, "how many of them are to be copied", minimum=1)
    examples: int = examples_option(2000)
    seed: int = seed_option()


BLANK, GO = "_", ":"


class Copy(Task):
    """Symbols s_1 … s_K, T − 1 blanks, a sign to begin, K blanks; the target is T + K blanks, then s_1 … s_K.

    With the defaults (K = 10, eight symbols, length T + 20) who remembers nothing but knows when to speak has a loss of
    10 ln 8 / (T + 20) nats a step. Arjovsky, Shah & Bengio 2016, Unitary Evolution Recurrent Neural Networks, section
    4.1; after Hochreiter & Schmidhuber 1997. Blanks are written _ and the sign :
    """

    name = "task:copy"
    title = "task: copy"
    what = "the copy task"
    Options = CopyOptions

    def make(self, options: CopyOptions, pick: np.random.Generator) -> Examples:
        count, steps, kept, many = options.examples, options.steps, options.length, options.symbols
        chosen = pick.integers(0, many, (count, kept)).astype(np.int32)
        blanks = np.full((count, steps - 1), many, np.int32)
        sign = np.full((count, 1), many + 1, np.int32)
        inputs = np.concatenate((chosen, blanks, sign, np.full((count, kept), many, np.int32)), 1)
        targets = np.concatenate((np.full((count, steps + kept), many, np.int32), chosen), 1)
        offsets = np.arange(count + 1, dtype=np.int64) * (steps + 2 * kept)
        names = tuple(str(number + 1) for number in range(many))
        return Examples(
            (
                TokenField("inputs", inputs.ravel(), (*names, BLANK, GO), "time", offsets, learning=CLASSES),
                TokenField(
                    "targets", targets.ravel(), (*names, BLANK), "time", offsets, "target", CLASSES, causal=True
                ),
            ),
            split_by="sequence",
        )


@dataclass(frozen=True)
class ParityOptions:
    """Parity of bits."""

    steps: int = option(20, "the length of the longest sequence", minimum=1)
    shortest: int = option(1, "the length of the shortest sequence", minimum=1)
    answer: str = option("every step", "when the parity is asked for", choices=("every step", "end"))
    examples: int = examples_option(2000)
    seed: int = seed_option()


class Parity(Task):
    """Random bits x_t; the target is y_t = x_1 ⊕ … ⊕ x_t, "odd" or "even", at every step or of the whole sequence.

    Without a state that follows every bit nothing better than chance is possible, ln 2. Minsky & Papert 1969,
    Perceptrons; as a sequence task Hochreiter & Schmidhuber 1997, section 5 (there with the target at the end).
    """

    name = "task:parity"
    title = "task: parity"
    what = "the parity of bits"
    Options = ParityOptions

    def make(self, options: ParityOptions, pick: np.random.Generator) -> Examples:
        longest = max(options.steps, options.shortest)
        lengths = pick.integers(options.shortest, longest + 1, options.examples).tolist()
        bits = [pick.integers(0, 2, length) for length in lengths]
        odd = [np.where(np.cumsum(sequence) % 2, "odd", "even").tolist() for sequence in bits]
        inputs = tokens("inputs", [list(map(str, sequence.tolist())) for sequence in bits], learning=CLASSES)
        if options.answer == "end":
            return Examples((inputs, labels("targets", [answers[-1] for answers in odd])))
        return Examples((inputs, tags("targets", odd, causal=True)), split_by="sequence")
