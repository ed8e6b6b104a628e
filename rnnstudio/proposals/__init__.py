"""Draws a network for data: from "I have this file" to the first training step with one click, or one command.

`propose(recipe, amount, catalog)` looks at the fields a recipe offers and draws what people draw for them: a language
model, a forecaster, a classifier, a tagger that reads both ways, an encoder–decoder with attention, a recursive net
over trees, a perceptron, a vector that becomes a sequence; and what lies between these, as every drawing is put
together from one trunk for each axis and one head for each target. Sizes are variables, training settings fit the
amount of data. No torch, no Qt: values in, a Design out.
"""

from __future__ import annotations

from .propose import propose
from .sizes import Amount
from .style import Style

__all__ = ["Amount", "Style", "propose"]
