"""The pointwise graph of one step: hash-consed nodes, column selection, and the derivative rule of every operation.

Torch-free. A node stands for a row of `width` numbers; width 1 broadcasts. Three operations go along the row: total and
top (the sum and the largest, of width 1) and spread (width 1 to many). Three see a row as a matrix Q, one row of it
after the other: matvec (Q a), vecmat (dᵀ Q) and outer (d aᵀ). Leaves carry what they name in `data`:
const (value), state (delay, start), read (name, start), vector (name, start), slot (number, start), plain (name,
start), mask (), and in backward din (delay), dout (name), dsource (number), carry (number).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

COSTLY = frozenset(
    ("sigmoid", "tanh", "softplus", "exp", "log", "softplus_slope", "rsqrt", "total", "top", "matvec", "erf")
)
"""Operations whose results are kept for the way back; all others are computed again."""
SOURCED = frozenset(("state", "read", "vector", "slot", "plain"))
"""Leaves whose columns can be selected."""
LEAVES = SOURCED | {"const", "mask", "din", "dout", "dsource", "carry"}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value. `number` grows from arguments to results, so that sorting by it is a topological order."""

    op: str
    args: tuple[Node, ...]
    width: int
    data: tuple[Any, ...]
    number: int


class Graph:
    """Makes nodes; the same operation on the same arguments is the same node."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[Any, ...], Node] = {}
        self.cut: set[int] = set()
        """Numbers of the nodes of which columns were selected: what was selected is no argument of theirs."""

    def node(self, op: str, args: Sequence[Node] = (), width: int = 0, data: tuple[Any, ...] = ()) -> Node:
        width = width or max((a.width for a in args), default=1)
        key = (op, tuple(a.number for a in args), width, data)
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = Node(op, tuple(args), width, data, len(self._nodes))
        return found

    def const(self, value: float) -> Node:
        return self.node("const", (), 1, (float(value),))

    def add(self, a: Node, b: Node) -> Node:
        if is_const(a, 0.0) and b.width >= a.width:
            return b
        if is_const(b, 0.0) and a.width >= b.width:
            return a
        return self.node("add", (a, b))

    def subtract(self, a: Node, b: Node) -> Node:
        return a if is_const(b, 0.0) else self.node("subtract", (a, b))

    def multiply(self, a: Node, b: Node) -> Node:
        if is_const(a, 1.0):
            return b
        if is_const(b, 1.0):
            return a
        return self.node("multiply", (a, b))

    def unary(self, op: str, a: Node) -> Node:
        return self.node(op, (a,))

    def affine(self, a: Node, scale: float, offset: float) -> Node:
        if scale == -1.0:
            return self.subtract(self.const(offset), a)
        return self.add(self.multiply(a, self.const(scale)), self.const(offset))

    def concat(self, parts: Sequence[Node]) -> Node:
        flat = [p for part in parts for p in (part.args if part.op == "concat" else (part,))]
        return flat[0] if len(flat) == 1 else self.node("concat", flat, sum(p.width for p in flat))

    def select(self, x: Node, start: int, stop: int) -> Node:
        """Columns start … stop−1 of `x`, pushed down to the leaves and to the rows of linear maps."""
        if (start, stop) == (0, x.width):
            return x
        if x.op in SOURCED:
            return self.node(x.op, (), stop - start, (x.data[0], x.data[1] + start))
        if x.op == "linear":
            self.cut.add(x.number)
            weight, bias, (first, _), columns = x.data
            return self.node("linear", x.args, stop - start, (weight, bias, (first + start, first + stop), columns))
        if x.op == "concat":
            parts, at = [], 0
            for part in x.args:
                a, b = max(start, at), min(stop, at + part.width)
                if a < b:
                    parts.append(self.select(part, a - at, b - at))
                at += part.width
            return self.concat(parts)
        if x.op in ("total", "top"):
            return x
        if x.op == "matvec":
            matrix, vector = x.args
            return self.matvec(self.select(matrix, start * vector.width, stop * vector.width), vector)
        self.cut.add(x.number)
        args = [a if a.width == 1 else self.select(a, start, stop) for a in x.args]
        return self.node(x.op, args, stop - start, x.data)

    def matvec(self, matrix: Node, vector: Node) -> Node:
        """A row that is a matrix, times a vector."""
        return self.node("matvec", (matrix, vector), matrix.width // vector.width)

    def total(self, x: Node) -> Node:
        """The sum of a row."""
        whole: Node | None = None
        for _, part in parts(x):
            one = self.node("total", (part,), 1)
            whole = one if whole is None else self.add(whole, one)
        assert whole is not None
        return whole

    def softmax(self, x: Node) -> Node:
        """e^x over its sum; the largest x is taken away first."""
        powers = self.pointwise("exp", [self.pointwise("subtract", [x, self.largest(x)])])
        return self.pointwise("divide", [powers, self.total(powers)])

    def log_softmax(self, x: Node) -> Node:
        """x minus the logarithm of the sum of all e^x; the largest x is taken away first."""
        largest = self.largest(x)
        lowered = self.pointwise("subtract", [x, largest])
        return self.pointwise("subtract", [lowered, self.unary("log", self.total(self.pointwise("exp", [lowered])))])

    def largest(self, x: Node) -> Node:
        """The largest number of a row."""
        whole: Node | None = None
        for _, part in parts(x):
            one = self.node("top", (part,), 1)
            whole = one if whole is None else self.node("maximum", (whole, one))
        assert whole is not None
        return whole

    def normalised(self, x: Node, epsilon: float) -> Node:
        """(x − mean) / √(variance + ε) of a row; variance with 1/n (Ba et al. 2016)."""
        share = self.const(1.0 / x.width)
        centred = self.pointwise("subtract", [x, self.multiply(self.total(x), share)])
        variance = self.multiply(self.total(self.pointwise("multiply", [centred, centred])), share)
        scale = self.unary("rsqrt", self.add(variance, self.const(epsilon)))
        return self.pointwise("multiply", [centred, scale])

    def pointwise(self, op: str, args: Sequence[Node]) -> Node:
        """An elementwise operation; where an argument is several values side by side, so is the result."""
        cuts = sorted({cut for a in args if a.op == "concat" for cut in _cuts(a)})
        if not cuts:
            return self._simplified(op, args)
        width = max(a.width for a in args)
        edges = [0, *[c for c in cuts if c < width], width]
        pieces = []
        for start, stop in pairwise(edges):
            pieces.append(self._simplified(op, [a if a.width == 1 else self.select(a, start, stop) for a in args]))
        return self.concat(pieces)

    def _simplified(self, op: str, args: Sequence[Node]) -> Node:
        two = {"add": self.add, "subtract": self.subtract, "multiply": self.multiply}.get(op)
        return two(*args) if two is not None else self.node(op, args)


def is_const(x: Node, value: float) -> bool:
    return x.op == "const" and x.data[0] == value


def _cuts(x: Node) -> Iterator[int]:
    at = 0
    for part in x.args:
        at += part.width
        yield at


def parts(x: Node) -> list[tuple[int, Node]]:
    """(first column, node) of the values that lie side by side in `x`."""
    if x.op != "concat":
        return [(0, x)]
    return list(zip([0, *_cuts(x)], x.args, strict=False))


def reachable(roots: Iterable[Node], stop: Callable[[Node], bool] = lambda node: False) -> list[Node]:
    """All nodes that the roots are made of, arguments first; below a node that `stop` holds for nothing is visited."""
    seen: dict[int, Node] = {}
    todo = list(roots)
    while todo:
        node = todo.pop()
        if node.number not in seen:
            seen[node.number] = node
            if not stop(node):
                todo += node.args
    return [seen[number] for number in sorted(seen)]


def derivative(g: Graph, node: Node, adjoint: Node) -> list[tuple[Node, Node]]:
    """What `adjoint`, the gradient of `node`, adds to the gradient of each argument. Conventions at kinks: torch's."""
    if not node.args:
        return []
    a = node.args[0]
    one = g.const(1.0)
    found: list[tuple[Node, Node]]
    match node.op:
        case "add":
            found = [(a, adjoint), (node.args[1], adjoint)]
        case "subtract":
            found = [(a, adjoint), (node.args[1], g.subtract(g.const(0.0), adjoint))]
        case "multiply":
            b = node.args[1]
            found = [(a, g.multiply(adjoint, b)), (b, g.multiply(adjoint, a))]
        case "divide":
            b = node.args[1]
            share = g.node("divide", (adjoint, b))
            found = [(a, share), (b, g.subtract(g.const(0.0), g.multiply(share, node)))]
        case "maximum" | "minimum":
            b = node.args[1]
            first, second = (a, b) if node.op == "maximum" else (b, a)
            found = [
                (a, g.multiply(adjoint, g.node("prefer", (first, second)))),
                (b, g.multiply(adjoint, g.node("prefer", (second, first)))),
            ]
        case "copy":
            found = [(a, adjoint)]
        case "sigmoid":
            found = [(a, g.multiply(adjoint, g.multiply(node, g.subtract(one, node))))]
        case "tanh":
            found = [(a, g.multiply(adjoint, g.subtract(one, g.multiply(node, node))))]
        case "relu":
            found = [(a, g.multiply(adjoint, g.unary("positive", node)))]
        case "softplus":
            found = [(a, g.multiply(adjoint, g.unary("softplus_slope", a)))]
        case "exp":
            found = [(a, g.multiply(adjoint, node))]
        case "log":
            found = [(a, g.node("divide", (adjoint, a)))]
        case "abs":
            found = [(a, g.multiply(adjoint, g.unary("sign", a)))]
        case "rsqrt":
            cube = g.multiply(node, g.multiply(node, node))
            found = [(a, g.multiply(adjoint, g.multiply(g.const(-0.5), cube)))]
        case "total":
            found = [(a, g.node("spread", (adjoint,), a.width))]
        case "top":
            found = []  # only where what is taken away makes no difference, as in a softmax
        case "square":
            found = [(a, g.multiply(adjoint, g.multiply(g.const(2.0), a)))]
        case "erf":
            bell = g.unary("exp", g.subtract(g.const(0.0), g.unary("square", a)))
            found = [(a, g.multiply(adjoint, g.multiply(bell, g.const(2.0 / math.sqrt(math.pi)))))]
        case "sign":
            found = []
        case "matvec":
            b = node.args[1]
            found = [
                (a, g.node("outer", (adjoint, b), a.width)),
                (b, g.node("vecmat", (adjoint, a), b.width)),
            ]
        case _:
            raise ValueError(f"no derivative of {node.op}")
    return [(arg, _narrowed(g, part, arg)) for arg, part in found if arg.op not in ("const", "mask")]


def _narrowed(g: Graph, part: Node, arg: Node) -> Node:
    """A gradient summed over the columns that a value of width 1 was spread over."""
    return g.node("total", (part,), 1) if arg.width == 1 and part.width > 1 else part
