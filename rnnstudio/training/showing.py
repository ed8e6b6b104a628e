"""What a model shows of itself at a validation: text it writes, or its forecast beside the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.dataset import Dataset
from ..data.vocabulary import Vocabulary, vocabulary_of
from ..design.errors import StudioError
from ..design.recipe import DataRecipe
from ..runtime import Network
from ..runtime.generate import Choice, why_not
from ..runtime.stepper import plan
from ..runtime.texts import write_text
from .validation import Score


class Writer:
    """Writes text with a language model, in the letters or words of its recipe."""

    def __init__(self, network: Network, recipe: DataRecipe) -> None:
        self.network = network
        self.why_not = why_not(network)
        self.vocabulary: Vocabulary | None = None
        if not self.why_not:
            found = plan(network.program)
            if found.others:
                self.why_not = "It needs more than a beginning: it reads something else too."
            else:
                self.vocabulary = vocabulary_of(recipe, found.written(network.program))

    def known_part(self, prompt: str) -> str:
        """The prompt, or "" when it has something this vocabulary lacks (another text was loaded since)."""
        if self.vocabulary is None:
            return prompt
        try:
            self.vocabulary.encode(prompt)
        except StudioError:
            return ""
        return prompt

    def write(
        self,
        prompt: str,
        length: int,
        temperature: float,
        seed: int,
        stop: Callable[[], bool] = lambda: False,
        *,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> str:
        """`length` tokens as text that follows `prompt`, shorter when `stop` said so. The same for the same seed.

        An empty prompt stands for a line end, or the vocabulary's first entry; a Feedback begins from its own. Raises
        StudioError when the network cannot write, or the prompt has something unknown. Touches no random state but its
        own.
        """
        if self.vocabulary is None:
            raise StudioError(f"This model cannot write text: {self.why_not.rstrip('.')}")
        choice = Choice(temperature, top_k, top_p)
        return write_text(self.network, self.vocabulary, prompt, length, choice, seed, stop)


def forecast(score: Score, dataset: Dataset, labels: tuple[str, ...]) -> dict[str, Any] | None:
    """The arguments of Forecast, in the file's units; None when nothing is forecast."""
    for name, stretch in score.forecasts.items():
        spec = dataset.recipe.field(name)
        truth = dataset.unscale(name, stretch.truth).astype(np.float64)
        prediction = dataset.unscale(name, stretch.prediction).astype(np.float64)
        columns = spec.columns or tuple(f"{name} {i + 1}" for i in range(spec.size))
        return {"truth": truth, "prediction": prediction, "columns": columns, "labels": labels[: len(truth)]}
    return None
