"""What the leaves of a tree do: they have no children, so that much is known to be zero. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from .expressions import Node, is_const, reachable
from .stages import Place, Store
from .tree_form import REDUCED, TreeForm

if TYPE_CHECKING:
    from .tree_plan import TreePlan


class Leaves:
    """Values of a node's graph as they are at leaves: children give zero, but for those that a weight stands for."""

    def __init__(self, form: TreeForm) -> None:
        self.graph = form.graph
        self.zero = form.graph.const(0.0)
        self.there = {s.delay for s in form.states if s.missing is not None}
        self.unread: frozenset[int] = frozenset()
        """Sources that no product of leaves reads."""
        self.carried: set[int] = set()
        """Carries to which leaves have added something by the stage that is looked at, the last one first."""
        self._done: dict[int, Node] = {}

    def of(self, node: Node) -> Node:
        for each in reachable([node], lambda n: n.number in self._done):
            if each.number not in self._done:
                self._done[each.number] = self._made(each)
        return self._done[node.number]

    def _made(self, node: Node) -> Node:
        if node.op in REDUCED or (node.op == "state" and node.data[0] not in self.there):
            return self.zero
        if node.op == "dsource" and node.data[0] in self.unread:
            return self.zero
        if node.op == "carry" and node.data[0] not in self.carried:
            return self.zero  # what is multiplied by it need not be there: not even a number
        if not node.args:
            return node
        args = [self._done[a.number] for a in node.args]
        nothing = [is_const(a, 0.0) for a in args]
        if node.op in ("multiply", "matvec", "vecmat", "outer") and any(nothing):
            return self.zero
        if node.op == "add" and any(nothing):
            other = args[1] if nothing[0] else args[0]
            if other.width == node.width or is_const(other, 0.0):
                return other
        if node.op == "subtract" and nothing[1] and (args[0].width == node.width or nothing[0]):
            return args[0]
        if nothing[0] and node.op in ("divide", "total", "top", "spread", "up", "tanh", "relu", "copy"):
            return self.zero
        return self.graph.node(node.op, args, node.width, node.data)


def leaf_plan(plan: TreePlan, leaves: Leaves) -> TreePlan:
    """The plan of leaves: stages of nodes alone, without what is zero and what nobody reads."""
    leaves.unread = plan.empty
    back = [_back_stores(plan, leaves, number) for number in reversed(range(len(plan.stages)))][::-1]
    held = {
        leaves.of(node).number: plan.held[node.number]
        for node in _nodes(plan)
        if node.number in plan.held and not is_const(leaves.of(node), 0.0)
    }
    read = reachable([s.node for stores in back for s in stores], lambda n: n.number in held)
    carries = {node.data[0] for node in read if node.op == "carry"}
    back = [[s for s in stores if s.place[0] != "carry" or s.place[1] in carries] for stores in back]
    read = reachable([s.node for stores in back for s in stores], lambda n: n.number in held)
    kept = {held[node.number][0] for node in read if node.number in held}
    stages = []
    for stage, stores in zip(plan.stages, back, strict=True):
        forward = () if stage.edge else tuple(_forward_stores(plan, leaves, stage.stores, kept))
        absent = frozenset(i for i, p in enumerate(stage.products) if stage.edge or not p.leaves)
        stages.append(replace(stage, edge=False, stores=forward, back_stores=tuple(stores), cleared=(), absent=absent))
    return replace(plan, stages=tuple(stages), held=held, zeroed=tuple(d for d in plan.zeroed if d in leaves.there))


def _nodes(plan: TreePlan) -> list[Node]:
    return reachable(s.node for stage in plan.stages for s in (*stage.stores, *stage.back_stores))


def _whole(plan: TreePlan, node: Node, width: int) -> Node:
    """A value as wide as its place."""
    return node if node.width == width else plan.graph.node("spread", (node,), width)


def _forward_stores(plan: TreePlan, leaves: Leaves, stores: Iterable[Store], kept: set[Place]) -> list[Store]:
    found = []
    for store in stores:
        kind, key = store.place
        if kind == "source" and key in plan.empty:
            continue
        if kind in ("saved", "slot") and store.place not in kept:
            continue
        found.append(replace(store, node=_whole(plan, leaves.of(store.node), store.node.width)))
    return found


def _back_stores(plan: TreePlan, leaves: Leaves, number: int) -> list[Store]:
    stage = plan.stages[number]
    found = []
    for place, start, width in stage.cleared:
        if not plan.edge_place(place) and _wanted(plan, leaves, place):
            found.append(Store(place, start, _whole(plan, leaves.zero, width)))
    if stage.edge:
        return found
    for store in stage.back_stores:
        value = leaves.of(store.node)
        if store.place[0] == "carry" and not is_const(value, 0.0):
            leaves.carried.add(int(store.place[1]))
        if _wanted(plan, leaves, store.place) and not (store.add and is_const(value, 0.0)):
            found.append(replace(store, node=_whole(plan, value, store.node.width)))
    return found


def _wanted(plan: TreePlan, leaves: Leaves, place: Place) -> bool:
    """Whether anybody reads this gradient of a leaf."""
    kind, key = place
    if kind == "dstate":
        return key in leaves.there
    return kind != "dslot" or key not in plan.inner
