"""Whether the gradients of a plan's pre-activations may be written over what is kept there. Torch-free.

They may when machine code, which goes stage by stage, row by row, then width by width, the widest first, and vector by
vector, never reads a column that a gradient has been written to before. It saves a buffer as large as all the others
together, and the time to fetch it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .expressions import Node, reachable
from .plan import Plan
from .stages import Store

Span = tuple[int, int]


def in_place(plan: Plan) -> bool:
    """Whether slots and their gradients can share memory on the way back."""
    written: list[Span] = []
    for stage in reversed(plan.stages):
        for width in sorted({s.node.width for s in stage.back_stores}, reverse=True):
            group = [s for s in stage.back_stores if s.node.width == width]
            targets = [_span(plan, int(s.place[1]), s.start, width) for s in group if s.place[0] == "dslot"]
            ahead, beside = _reads(plan, group)
            if any(_overlap(read, before) for read in ahead | beside for before in written):
                return False
            if any(_overlap(read, target) and read != target for read in beside for target in targets):
                return False
            written += targets
    return True


def _reads(plan: Plan, group: Sequence[Store]) -> tuple[set[Span], set[Span]]:
    """Columns of pre-activations that a group reads: before its stores in a row begin, and along with them."""

    def given(node: Node) -> bool:
        return node.number in plan.held

    roots = [s.node for s in group]
    whole = {n.number: n for n in reachable(roots, given) if n.op in ("total", "top") and not given(n)}
    first = reachable([arg for node in whole.values() for arg in node.args], given)
    ahead = {span for node in first for span in _places(plan, node)}
    rest = reachable(roots, lambda node: given(node) or node.number in whole)
    beside = {(span, node.width) for node in rest for span in _places(plan, node)}
    return ahead | {span for span, width in beside if width == 1}, {span for span, width in beside if width > 1}


def _places(plan: Plan, node: Node) -> list[Span]:
    """Where among the pre-activations a leaf or a kept value lies."""
    if node.number in plan.held:
        (kind, key), start = plan.held[node.number]
        return [_span(plan, int(key), start, node.width)] if kind == "slot" else []
    return [_span(plan, int(node.data[0]), node.data[1], node.width)] if node.op == "slot" else []


def _span(plan: Plan, slot: int, start: int, width: int) -> Span:
    first = plan.offsets[slot] + start
    return first, first + width


def _overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]
