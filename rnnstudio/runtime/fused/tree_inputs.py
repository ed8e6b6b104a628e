"""What reaches a tree loop's pre-activations from outside the loop and is added where they are read. Torch-free.

A loop that adds biases and rows of tables itself spares laying them into the rows of all nodes beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .tree_plan import TreePlan


@dataclass(frozen=True, slots=True)
class Inputs:
    """words: reads that are rows of a table. tables: slot → (projection, first column there) of each table's product.

    laid: slots into which products of all nodes' inputs go beforehand; zeroed: those that begin with zero, since a
    product inside fills them along with others that are laid; empty: those that do so at leaves, which have not the
    product that comes first. added: (stage, product; stage −1: before the loop) → whether it adds to its slots.
    """

    words: frozenset[str]
    tables: Mapping[int, tuple[tuple[int, int], ...]]
    laid: frozenset[int]
    zeroed: frozenset[int]
    empty: frozenset[int]
    added: Mapping[tuple[int, int], bool]

    def in_memory(self, slot: int, plan: TreePlan) -> bool:
        """Whether a part of a pre-activation stands in its buffer. plan: of those rows, leaves or others."""
        if slot in self.laid or slot in self.zeroed:
            return True
        return any(slot in p.slots for stage in plan.stages for _, p in stage.numbered())


def tree_inputs(plan: TreePlan, words: frozenset[str]) -> Inputs:
    """For a loop that adds biases and tables. words: see Inputs."""
    tables: dict[int, tuple[tuple[int, int], ...]] = {}
    laid, zeroed = set[int](), set[int]()
    added: dict[tuple[int, int], bool] = {}
    for i, product in enumerate(plan.projections):
        if product.source[1] in words:
            for slot in product.slots:
                tables[slot] = (*tables.get(slot, ()), (i, plan.offsets[slot] - product.offset))
        else:
            slots = set(product.slots)
            added[-1, i] = bool(slots & laid)
            zeroed |= slots - laid if added[-1, i] else set()
            laid |= slots
    filled, at_leaves, empty = set(laid), set(laid), set[int]()
    for level, stage in enumerate(plan.stages):
        for i, product in enumerate(stage.products):
            slots = set(product.slots)
            added[level, i] = bool(slots & filled)
            zeroed |= slots - filled if added[level, i] else set()
            filled |= slots
            if product.leaves and not product.edge:
                empty |= slots - at_leaves if added[level, i] else set()
                at_leaves |= slots
    return Inputs(words, tables, frozenset(laid), frozenset(zeroed), frozenset(empty - zeroed), added)
