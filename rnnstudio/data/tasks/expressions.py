"""Expressions as trees, with their value or its class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstudio.data.examples import CLASSES, Examples, labels, numbers, tags, tokens, tree
from rnnstudio.data.options import option
from rnnstudio.data.tasks.task import Task, examples_option, seed_option

PLUS, MINUS, TIMES = "+", "-", "*"


@dataclass(frozen=True)
class ExpressionOptions:
    """Expressions with two arguments to each operation."""

    depth: int = option(4, "operations on the longest way from the root to a number", minimum=1)
    modulus: int = option(5, "m: numbers are 0 … m − 1, and a class is the value modulo m", minimum=2)
    operations: str = option("+-*", "the operations that occur", choices=("+", "+-", "+-*"))
    answer: str = option(
        "class", "what is asked for: the value's class, its class at every node, or the value",
        choices=("class", "class at every node", "value"),
    )  # fmt: skip
    examples: int = examples_option(2000)
    seed: int = seed_option()


class Expressions(Task):
    """Random expressions of numbers 0 … m − 1 and + − ×; their value modulo m, that of every node, or the value itself.

    A node below `depth` is an operation with probability 0.7 (the root always is), else a number; operations and
    numbers are uniform. Nodes are listed in the order of reading aloud, "first operation second" ("3 - 2"): a chain
    over them lacks the brackets that the tree has. After Zaremba & Sutskever 2014 and Nangia & Bowman 2018 (ListOps).
    """

    name = "task:expressions"
    title = "task: expression trees"
    what = "expressions as trees"
    Options = ExpressionOptions

    def make(self, options: ExpressionOptions, pick: np.random.Generator) -> Examples:
        drawn = [_Expression.drawn(options, pick) for _ in range(options.examples)]
        symbols = tokens("symbols", [one.symbols for one in drawn], "tree", learning=CLASSES)
        trees = tree([one.parents for one in drawn])
        if options.answer == "value":
            values = [np.array([one.values[one.parents.index(-1)]], np.float64) for one in drawn]
            return Examples((trees, symbols, numbers("targets", values, ("value",), None, role="target")))
        classes = [[str(value % options.modulus) for value in one.values] for one in drawn]
        if options.answer == "class at every node":
            return Examples((trees, symbols, tags("targets", classes, "tree")))
        roots = [row[one.parents.index(-1)] for row, one in zip(classes, drawn, strict=True)]
        return Examples((trees, symbols, labels("targets", roots)))


@dataclass
class _Expression:
    """Of each node, in the order of reading: its symbol, its parent, its value."""

    symbols: list[str]
    parents: list[int]
    values: list[int]

    @classmethod
    def drawn(cls, options: ExpressionOptions, pick: np.random.Generator) -> _Expression:
        made = cls([], [], [])
        made._grow(options, pick, options.depth, True)
        return made

    def _grow(self, options: ExpressionOptions, pick: np.random.Generator, depth: int, root: bool) -> int:
        """Appends an expression; returns the place of its root."""
        if not root and (depth < 1 or pick.random() >= 0.7):
            number = int(pick.integers(0, options.modulus))
            return self._append(str(number), number)
        first = self._grow(options, pick, depth - 1, False)
        symbol = options.operations[int(pick.integers(0, len(options.operations)))]
        here = self._append(symbol, 0)
        second = self._grow(options, pick, depth - 1, False)
        self.parents[first] = self.parents[second] = here
        one, other = self.values[first], self.values[second]
        self.values[here] = {PLUS: one + other, MINUS: one - other, TIMES: one * other}[symbol]
        return here

    def _append(self, symbol: str, value: int) -> int:
        self.symbols.append(symbol)
        self.parents.append(-1)
        self.values.append(value)
        return len(self.symbols) - 1
