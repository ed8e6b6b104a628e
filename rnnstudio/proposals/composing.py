"""A network in six answers: what comes in, what goes out, in which direction, with which cell, how deep, attention.

Each pair of what comes in and goes out has data that shows it, so that what is drawn can be trained at once. What does
not go together is told in a sentence (`refused`). No torch, no Qt, no data read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..design.design import frozen
from ..design.recipe import DataRecipe
from .style import Style

GIVEN: Mapping[str, str] = MappingProxyType(
    {
        "symbols": "a sequence of symbols",
        "numbers": "a sequence of numbers",
        "vector": "one vector",
        "tree": "a tree",
    }
)
"""What comes in, with its words."""
ASKED: Mapping[str, str] = MappingProxyType(
    {
        "class": "one class, at the end",
        "number": "one number, at the end",
        "each": "a class at every step",
        "next": "the next step",
        "sequence": "another sequence",
    }
)
"""What goes out, with its words."""
CELLS = ("RNN", "LSTM", "GRU", "PeepholeLSTM", "LayerNormLSTM", "Leaky", "IRNN")
TREE_CELLS = ("ChildSumTreeLSTM", "BinaryTreeLSTM", "RecursiveNet", "RNTN")
DEEPEST = 4

TEXT = "text"
"""In the place of a task: the text of the example “char-lm”."""
DATA: Mapping[tuple[str, str], tuple[str, Mapping[str, int | float | str]]] = MappingProxyType(
    {
        ("symbols", "class"): ("task:parity", {"answer": "end", "steps": 12}),
        ("symbols", "each"): ("task:brackets", {}),
        ("symbols", "next"): (TEXT, {}),
        ("symbols", "sequence"): ("task:reversal", {"letters": 8, "longest": 6}),
        ("numbers", "number"): ("task:adding", {"steps": 20}),
        ("numbers", "next"): ("task:sines", {}),
        ("numbers", "sequence"): ("task:morse", {"letters": "ETA", "longest": 3}),
        ("vector", "class"): ("task:led", {"answer": "digit"}),
        ("vector", "sequence"): ("task:led", {"answer": "name"}),
        ("tree", "class"): ("task:expressions", {"depth": 3}),
        ("tree", "number"): ("task:expressions", {"depth": 2, "operations": "+-", "answer": "value"}),
        ("tree", "each"): ("task:expressions", {"depth": 3, "answer": "class at every node"}),
    }
)


@dataclass(frozen=True, slots=True)
class Composition:
    """The six answers. cell: one of CELLS, of TREE_CELLS over a tree, without meaning for one vector and one class."""

    given: str = "symbols"
    asked: str = "each"
    both_ways: bool = False
    cell: str = "LSTM"
    depth: int = 1
    attention: bool = False

    @property
    def task(self) -> str:
        return DATA[self.given, self.asked][0]

    @property
    def recipe(self) -> DataRecipe | None:
        """How its data is made; None for the text, which is read."""
        task, options = DATA[self.given, self.asked]
        return None if task == TEXT else DataRecipe(task, task, options=frozen(dict(options)))

    @property
    def style(self) -> Style:
        if self.given == "tree":
            return Style(tree_cell=self.cell, depth=self.depth)
        return Style(self.cell, depth=self.depth, both_ways=self.both_ways, attention=self.attention)

    @property
    def loops(self) -> bool:
        """Whether anything in it goes from step to step."""
        return self.given != "vector" or self.asked == "sequence"


def fitting(wanted: Composition) -> Composition:
    """The composition nearest to `wanted` that there is: where answers exclude each other the earlier one holds."""
    asked = wanted.asked if (wanted.given, wanted.asked) in DATA else next(a for g, a in DATA if g == wanted.given)
    cells = TREE_CELLS if wanted.given == "tree" else CELLS
    cell = wanted.cell if wanted.cell in cells else cells[0] if wanted.given == "tree" else "LSTM"
    made = Composition(wanted.given, asked, wanted.both_ways, cell, wanted.depth, wanted.attention)
    return Composition(
        made.given,
        made.asked,
        made.both_ways and not refused(made, "both_ways"),
        made.cell,
        1 if refused(made, "depth") else min(max(made.depth, 1), DEEPEST),
        made.attention and not refused(made, "attention"),
    )


def refused(there: Composition, what: str) -> str:
    """Why “both_ways”, “depth”, “cell” or “attention” cannot be chosen here; "" where it can."""
    reading = there.given in ("symbols", "numbers")
    if what == "both_ways":
        if there.given == "tree":
            return "A tree is read from its leaves up."
        if not reading:
            return "One vector has no direction."
        return "What comes next must not be seen." if there.asked == "next" else ""
    if what == "attention":
        if there.asked != "sequence":
            return "Attention serves a sequence that is written."
        return "" if reading else "One vector is no sequence to look along."
    if what == "depth":
        return "" if there.given != "vector" else "Nothing is read step by step."
    return "" if there.loops else "Nothing goes from step to step."
