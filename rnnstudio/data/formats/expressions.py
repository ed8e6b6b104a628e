"""Expressions in brackets, operator first, as trees whose every node has a value: (+ 3 (* 2 4)) is 11, and so is
[+ 3 [* 2 4 ] ]."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from statistics import median

from rnnstudio.data.formats.brackets import Bracket
from rnnstudio.data.formats.nodes import Node, leaves_first
from rnnstudio.data.problems import Problems


def _fold(of: Callable[[float, float], float]) -> Callable[[list[float]], float]:
    return lambda values: reduce(of, values)


def _minus(values: list[float]) -> float:
    return -values[0] if len(values) == 1 else reduce(lambda a, b: a - b, values)


def _exclusive(values: list[float]) -> float:
    return float(sum(map(bool, values)) % 2)


OPERATORS: Mapping[str, tuple[int, Callable[[list[float]], float]]] = {
    "+": (1, sum),
    "-": (1, _minus),
    "*": (1, math.prod),
    "/": (2, _fold(lambda a, b: a / b)),
    "med": (1, lambda values: float(math.floor(median(values)))),
    "median": (1, median),
    "sm": (1, lambda values: float(sum(values) % 10)),
    "first": (1, lambda values: values[0]),
    "last": (1, lambda values: values[-1]),
    "min": (1, min),
    "max": (1, max),
    "and": (1, lambda values: float(all(values))),
    "or": (1, lambda values: float(any(values))),
    "xor": (1, _exclusive),
    "not": (1, lambda values: float(not values[0])),
    "implies": (2, _fold(lambda a, b: float(not a or bool(b)))),
}
"""Operator → how many arguments it needs, and what it makes of them. Truth is 1, falsehood 0.

med and sm (the sum modulo 10) are those of ListOps (Nangia and Bowman 2018), which knows whole numbers alone.
"""

TRUTHS = {"true": 1.0, "false": 0.0, "t": 1.0, "f": 0.0}


def expression(root: Bracket, problems: Problems) -> Node | None:
    """The tree: a node for each operator and each argument, the operator or argument as its word."""
    made = Node(line=root.line, column=root.column)
    waiting = [(root, made)]
    while waiting:
        bracket, node = waiting.pop()
        if not bracket.items or not isinstance(bracket.items[0], str):
            problems.error(
                "a bracket begins with no operator",
                line=bracket.line,
                column=str(bracket.column),
                remedy="Write (OPERATOR ARGUMENT …).",
            )
            return None
        node.word = bracket.items[0]
        for item in bracket.items[1:]:
            if isinstance(item, str):
                child = Node(item, line=bracket.line, column=bracket.column)
            else:
                child = Node(line=item.line, column=item.column)
                waiting.append((item, child))
            node.children.append(child)
    return made


def number_of(text: str) -> float | None:
    """A number or a truth value; None = neither."""
    if text.lower() in TRUTHS:
        return TRUTHS[text.lower()]
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def known(root: Node) -> bool:
    """Whether every operator and argument is one that a value is known of."""
    nodes = leaves_first(root)
    return all((n.word.lower() in OPERATORS) if n.children else (number_of(n.word) is not None) for n in nodes)


def compute(root: Node, problems: Problems) -> bool:
    """Gives every node that has none its value; whether that could be done. What could not is told with its place."""
    for node in leaves_first(root):
        why = _compute(node) if node.value is None else ""
        if why:
            problems.error(
                why,
                line=node.line,
                column=str(node.column),
                remedy=f"Known are numbers, true, false and {', '.join(OPERATORS)}; or give each line its value: "
                "a tab after the expression, and target = given number or given label.",
            )
            return False
    return True


def _compute(node: Node) -> str:
    """Sets the node's value; why it has none, "" = it has."""
    if not node.children:
        node.value = number_of(node.word)
        return "" if node.value is not None else f"{node.word[:40]!r} is neither a number nor true or false"
    least, of = OPERATORS.get(node.word.lower(), (0, None))
    if of is None:
        return f"the operator {node.word[:40]!r} is not known"
    if len(node.children) < least or (node.word.lower() == "not" and len(node.children) != 1):
        return f"the operator {node.word!r} has {len(node.children)} argument{'s' * (len(node.children) != 1)}"
    try:
        node.value = float(of([child.value for child in node.children if child.value is not None]))
    except (ZeroDivisionError, OverflowError):
        return f"({node.word} …) divides by zero or is too large"
    return "" if math.isfinite(node.value) else f"({node.word} …) is too large"
