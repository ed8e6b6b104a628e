"""Whether the gradients of pre-activations of a loop over trees may be written over what is kept there. Torch-free.

See `in_place`. Here rows are of nodes and of edges, leaves have a plan of their own, and a node's row is visited again
by each of its edges.
"""

from __future__ import annotations

from collections.abc import Sequence

from .expressions import Node, reachable
from .stages import Place, Store
from .tree_matrices import MATRICES, groups
from .tree_plan import TreePlan

Span = tuple[bool, int, int]
"""Columns of pre-activations: whether of edges, first, last + 1."""

_ALONG = ("total", "top")


def tree_in_place(plan: TreePlan) -> bool:
    """Whether slots and their gradients can share memory on the way back."""
    assert plan.leaves is not None
    return not plan.unset and all(_level_in_place(each) for each in (plan, plan.leaves))


def _level_in_place(plan: TreePlan) -> bool:
    written: list[Span] = []
    for stage in reversed(plan.stages):
        written += [_span(plan, int(place[1]), at, width) for place, at, width in stage.cleared if place[0] == "dslot"]
        for group in groups(stage.back_stores):
            reads, same = _reads(plan, group, group[0].node.width)
            targets = [s for s in group if s.place[0] == "dslot"]
            again = [_store_span(plan, s) for s in targets if plan.spaces.edge(s.node) and not plan.edge_place(s.place)]
            once = [span for span in (_store_span(plan, s) for s in targets) if span not in again]
            if any(_overlap(read, other) for read in reads | same for other in (*written, *again)):
                return False
            if any(_overlap(read, target) for read in reads for target in once):
                return False
            if any(_overlap(read, target) and read != target for read in same for target in once):
                return False
            written += [*once, *again]
    return True


def _store_span(plan: TreePlan, store: Store) -> Span:
    return _span(plan, int(store.place[1]), store.start, store.node.width)


def _reads(plan: TreePlan, group: Sequence[Store], width: int) -> tuple[set[Span], set[Span]]:
    """Columns of pre-activations that a group reads: at any time, and only those that it writes at that moment."""

    def given(node: Node) -> bool:
        return node.number in plan.held

    nodes = reachable([s.node for s in group], given)
    if any(n.op in MATRICES for n in nodes):
        return {span for node in nodes for span in _places(plan, node)}, set()
    whole = {n.number: n for n in nodes if n.op in _ALONG and not given(n)}
    ahead = reachable([arg for node in whole.values() for arg in node.args], given)
    beside = reachable([s.node for s in group], lambda node: given(node) or node.number in whole)
    first = {span for node in ahead for span in _places(plan, node)}
    first |= {span for node in beside if node.width != width for span in _places(plan, node)}
    return first, {span for node in beside if node.width == width for span in _places(plan, node)}


def _places(plan: TreePlan, node: Node) -> list[Span]:
    """Where among the pre-activations a leaf or a kept value lies."""
    if node.number in plan.held:
        place, start = plan.held[node.number]
        return [_of(plan, place, start, node.width)] if place[0] == "slot" else []
    return [_of(plan, ("slot", node.data[0]), node.data[1], node.width)] if node.op == "slot" else []


def _of(plan: TreePlan, place: Place, start: int, width: int) -> Span:
    return _span(plan, int(place[1]), start, width)


def _span(plan: TreePlan, slot: int, start: int, width: int) -> Span:
    first = plan.offsets[slot] + start
    return plan.spaces.slots[slot], first, first + width


def _overlap(a: Span, b: Span) -> bool:
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]
