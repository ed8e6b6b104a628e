"""A bilinear map as products: y = aᵀ V b is, for each part of a, a matrix Q = V b times that part. Torch-free.

Q is a pre-activation like any other, so that V b is done for a whole level by one product; what is left, a dot product
for each unit, is no more work than an elementwise operation on Q. Where both sides are the same value p, as in the
recursive neural tensor network (Socher et al. 2013), pᵀ V p = pᵀ (V + Vᵀ) p / 2: entries below the diagonal are added
to those above it, and p is cut into blocks of which each meets itself and those behind it alone, which saves up to
half of the multiplications.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...catalog.primitives import Op
from .canonical import Declined
from .expressions import SOURCED, Graph, Node, parts

_CUT = 64
"""Parts at least so wide are cut in two blocks, those of twice the width in four."""


@dataclass(frozen=True, slots=True)
class TensorBlock:
    """The matrix M[(k, i), j] = V[k, i, j] of a tensor V [units, left, right], i from rows[0] to rows[1] − 1.

    turned: V's other two axes change places first. folded: j begins at rows[0], and where it is not below rows[1],
    V[k, j, i] is added.
    """

    path: str
    rows: tuple[int, int]
    turned: bool = False
    folded: bool = False

    @property
    def name(self) -> str:
        """What stands for the path of a weight."""
        how = " turned" if self.turned else " folded" if self.folded else ""
        return f"{self.path}[{self.rows[0]}:{self.rows[1]}{how}]"


def bilinear(graph: Graph, op: Op, a: Node, b: Node) -> tuple[Node, dict[str, TensorBlock]]:
    """aᵀ V b without its bias, and the matrices it multiplies by, by name. Raises Declined with the reason."""
    made = _Bilinear(graph, op)
    kinds = {part.op for side in (a, b) for _, part in parts(side)}
    lifted = kinds == {"up"}
    if lifted:
        a, b = (graph.concat([part.args[0] for _, part in parts(side)]) for side in (a, b))
    if a is b and (lifted or "up" not in kinds) and all(_multiplied(part) for _, part in parts(a)):
        value = made.quadratic(a)
    else:
        value = made.between(a, b)
    return graph.pointwise("up", [value]) if lifted else value, made.blocks


def _multiplied(part: Node) -> bool:
    """Whether a product may read a value: what all children share is multiplied once for the node above them."""
    return part.op not in ("up", "vector", "const")


class _Bilinear:
    def __init__(self, graph: Graph, op: Op) -> None:
        self.graph = graph
        self.op = op
        self.units = op.signal.width
        self.blocks: dict[str, TensorBlock] = {}
        self._total: Node | None = None

    def quadratic(self, p: Node) -> Node:
        """pᵀ V p."""
        every = parts(p)
        for number, (begin, part) in enumerate(every):
            for first, last in _cuts(part):
                start = begin + first
                block = TensorBlock(self.op.attrs["weight"], (start, begin + last), folded=True)
                rest = [(start, self.graph.select(part, first, part.width)), *every[number + 1 :]]
                self._add([(at - start, x) for at, x in rest], block, self.graph.select(part, first, last))
        assert self._total is not None
        return self._total

    def between(self, a: Node, b: Node) -> Node:
        """aᵀ V b: of each pair of parts one is multiplied by V, rather what is known before the loop."""
        groups: dict[tuple[bool, bool, int], list[tuple[int, Node]]] = {}
        folded: dict[tuple[bool, bool, int], Node] = {}
        for i, left in parts(a):
            for j, right in parts(b):
                above = left.op == "up" and right.op == "up"
                if above:
                    left, right = left.args[0], right.args[0]
                if not (_multiplied(left) or _multiplied(right)):
                    raise Declined(f"{self.op.node} is a bilinear map of what all nodes share")
                turned = not _multiplied(right) or (left.op == "read" and right.op != "read")
                key = (above, turned, j if turned else i)
                groups.setdefault(key, []).append((i, left) if turned else (j, right))
                folded[key] = right if turned else left
        for (above, turned, start), sources in groups.items():
            vector = folded[above, turned, start]
            block = TensorBlock(self.op.attrs["weight"], (start, start + vector.width), turned=turned)
            self._add(sources, block, vector, above=above)
        assert self._total is not None
        return self._total

    def _add(self, sources: list[tuple[int, Node]], block: TensorBlock, vector: Node, *, above: bool = False) -> None:
        """Adds Q · vector, where Q is the sum of a block's columns times the sources. sources: (first column, value).

        above: all this is done once for the node, and its children get what comes out.
        """
        g, rows = self.graph, self.units * vector.width
        self.blocks[block.name] = block
        matrix: Node | None = None
        for at, source in sources:
            term = g.node("linear", (source,), rows, (block.name, None, (0, rows), (at, at + source.width)))
            matrix = term if matrix is None else g.add(matrix, term)
        assert matrix is not None
        term = g.matvec(matrix, vector)
        term = g.pointwise("up", [term]) if above else term
        self._total = term if self._total is None else g.add(self._total, term)


def _cuts(part: Node) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of the blocks that a part is cut into: whole where cutting it would make it be done again."""
    many = 1 if part.op not in SOURCED or part.width < _CUT else 2 if part.width < 2 * _CUT else 4
    step = -(-part.width // (16 * many)) * 16 if many > 1 else part.width
    for first in range(0, part.width, step):
        yield first, min(first + step, part.width)
