"""What an encoder–decoder makes of examples: what it reads, the tokens or numbers it writes by itself, what is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..catalog.catalog import Catalog
from ..compiler import compile_design
from ..compiler.program import Program
from ..data.batches import Batch
from ..data.vocabulary import vocabulary_of
from ..design.design import Design
from ..design.errors import StudioError
from ..design.recipe import DataRecipe
from ..design.signals import Tokens
from ..runtime import Network
from ..runtime.generate import Choice, Hypothesis, beam_search, decode, forecast
from ..runtime.stepper import plan

Floats = npt.NDArray[np.float64]

STOPS = ("</s>", "<eos>", "<end>", "[EOS]")
"""Entries of a vocabulary that end a sequence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """read: the source as text; text: what was produced; truth: what should have been ("": unknown).

    score: log probability of what was produced; None of numbers.
    """

    read: str
    text: str
    truth: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Sequences:
    """What a decoder of numbers wrote on its own predictions, in the file's units.

    truth, prediction: [example, time, column], NaN behind an example's end; answers: the same as text.
    """

    truth: Floats
    prediction: Floats
    columns: tuple[str, ...]
    answers: tuple[Answer, ...]


def answerer_of(design: Design, catalog: Catalog) -> Answerer | None:
    """What lets a design with its data answer; None where it is no encoder–decoder."""
    if design.data is None:
        return None
    found = Answerer(compile_design(design, catalog, "forced"), design.data)
    return None if found.why_not else found


class Answerer:
    """Lets a decoder produce sequences of tokens or numbers, each for one example of what its encoder reads.

    program: of the design in mode "forced", whatever the mode it is trained in. why_not: "" where it can answer.
    numbers: whether they are numbers: `sequences` has them then.
    """

    def __init__(self, program: Program, recipe: DataRecipe) -> None:
        self.recipe = recipe
        self.network: Network | None = None
        self.numbers = False
        self.why_not = ""
        try:
            self.plan = plan(program)
        except StudioError as error:
            self.why_not = str(error)
            return
        if self.plan.fed is not None or not self.plan.others:
            self.why_not = "It is no decoder that is given something to read."
        else:
            self.network = Network(program).eval()
            self.target = next(item.field for item in program.inputs if item.name == self.plan.loss.target)
            self.axis = program.axes[self.plan.axis]
            self.axes = {item.field: [program.axes[axis] for axis in item.signal.axes] for item in self.plan.others}
            self.numbers = not isinstance(self.plan.signal.content, Tokens)
            if not self.numbers:
                self.vocabulary = vocabulary_of(recipe, self.target)
                entries = self.vocabulary.numbers
                self.stop = next((entries[entry] for entry in STOPS if entry in entries), -1)

    def answers(
        self,
        weights: Mapping[str, Tensor],
        batch: Batch,
        count: int,
        *,
        choice: Choice | None = None,
        beam: int = 0,
        seed: int = 0,
    ) -> Iterator[Answer]:
        """For the first `count` rows of a batch, by the most likely token of each step, by `choice`, or by a beam.

        Numbers are the decoder's own predictions. Without a stop token in the vocabulary an answer is as long as the
        truth. Raises StudioError where it cannot.
        """
        if self.numbers:
            yield from self.sequences(weights, batch, count).answers
            return
        for row in range(min(count, batch.size)):
            fields = {field: self._alone(batch, field, row) for field in self.axes}
            truth = batch.fields[self.target][row, : int(batch.lengths[self.axis][row])].tolist()
            truth = truth[: truth.index(self.stop)] if self.stop in truth else truth
            longest = len(truth) if self.stop < 0 else 2 * len(truth) + 10
            found = self._produce(weights, fields, longest, choice, beam, seed + row)
            read = " · ".join(self._text(field, x[0]) for field, x in fields.items())
            yield Answer(read, self.vocabulary.decode(found.tokens), self.vocabulary.decode(truth), found.score)

    def sequences(self, weights: Mapping[str, Tensor], batch: Batch, count: int) -> Sequences:
        """Of a decoder of numbers: for the first `count` rows of a batch, each as long as the truth.

        Raises StudioError where it cannot.
        """
        network = self._able()
        network.load_weights({path: weight.detach().cpu() for path, weight in weights.items()})
        count = min(count, batch.size)
        own = batch.lengths[self.axis][:count].tolist()
        shape = (count, max(own), self.plan.signal.width)
        truth, prediction = np.full(shape, np.nan), np.full(shape, np.nan)
        answers = []
        for row, steps in enumerate(own):
            fields = {field: self._alone(batch, field, row) for field in self.axes}
            right = batch.fields[self.target][row, :steps].cpu()
            nothing = torch.empty(1, 0, self.plan.signal.width)
            found = forecast(network, nothing, steps, fields)[0]
            truth[row, :steps], prediction[row, :steps] = self._unscaled(right), self._unscaled(found)
            read = " · ".join(self._text(field, x[0]) for field, x in fields.items())
            answers.append(Answer(read, self._text(self.target, found), self._text(self.target, right), None))
        spec = self.recipe.field(self.target)
        columns = spec.columns or tuple(f"{self.target} {i + 1}" for i in range(spec.size))
        return Sequences(truth, prediction, columns, tuple(answers))

    def _unscaled(self, x: Tensor) -> Floats:
        """Numbers of the target in the file's units."""
        spec = self.recipe.field(self.target)
        values = x.double().numpy() * np.array(spec.std or 1.0) + np.array(spec.mean or 0.0)
        return np.asarray(values, np.float64)

    def answer(
        self,
        weights: Mapping[str, Tensor],
        text: str,
        longest: int,
        *,
        choice: Choice | None = None,
        beam: int = 0,
        seed: int = 0,
    ) -> Answer:
        """What is produced for a text. Raises StudioError when the encoder does not read one text, or it is empty."""
        self._able()
        if self.numbers:
            raise StudioError(
                "This model writes numbers, as many as the truth has", where="prompt", remedy="Ask for --examples."
            )
        if len(self.axes) != 1:
            raise StudioError(f"This model reads {', '.join(self.axes)}: one text is not enough", where="prompt")
        (field,) = self.axes
        tokens = vocabulary_of(self.recipe, field).encode(text)
        if not len(tokens):
            raise StudioError("The prompt is empty", remedy="Give the model something to read.")
        fields = {field: torch.from_numpy(tokens)[None]}
        found = self._produce(weights, fields, longest, choice, beam, seed)
        return Answer(text, self.vocabulary.decode(found.tokens), "", found.score)

    def _able(self) -> Network:
        if self.network is None:
            raise StudioError(f"This model cannot answer: {self.why_not.rstrip('.')}")
        return self.network

    def _produce(
        self,
        weights: Mapping[str, Tensor],
        fields: dict[str, Tensor],
        longest: int,
        choice: Choice | None,
        beam: int,
        seed: int,
    ) -> Hypothesis:
        network = self._able()
        network.load_weights({path: weight.detach().cpu() for path, weight in weights.items()})
        if beam:
            return beam_search(network, fields, stop=self.stop, longest=longest, width=beam)[0]
        generator = torch.Generator().manual_seed(seed)
        return decode(network, fields, stop=self.stop, longest=longest, choice=choice, generator=generator)[0]

    def _alone(self, batch: Batch, field: str, row: int) -> Tensor:
        """[1, …] without padding."""
        x = batch.fields[field][row : row + 1].cpu()
        for place, axis in enumerate(self.axes[field]):
            x = x.narrow(place + 1, 0, int(batch.lengths[axis][row]) if axis in batch.lengths else x.shape[place + 1])
        return x

    def _text(self, field: str, x: Tensor) -> str:
        if not x.is_floating_point():
            return vocabulary_of(self.recipe, field).decode(x.tolist())
        spec = self.recipe.field(field)
        values = x.double().numpy() * np.array(spec.std or 1.0) + np.array(spec.mean or 0.0)
        shown = (spec.shown(place % spec.size, value, 4) for place, value in enumerate(values.ravel()[:12].tolist()))
        return ", ".join(shown) + (" …" if values.size > 12 else "")
