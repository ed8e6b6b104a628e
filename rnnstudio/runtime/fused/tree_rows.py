"""The rows of a forest: where in the buffers of a loop over trees the nodes, their children and their parents lie."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..forest import Forest, Ints


class TreeRows:
    """Index tables, int64 on the CPU. Nodes are numbered by rank (see Forest); leaves come first.

    Edges lead from a node to a child; they are numbered by the node's rank, then by the child's place, so that the
    edges of a level, and those of a node, lie side by side. `child`, `parent` [edges]: ranks at both ends; `first`
    [nodes + 1]: each node's first edge; `edge` [nodes]: the edge above a node, at a root `edges`; `above` [nodes]: its
    parent, at a root `nodes`; `place` [nodes]: which child of its parent it is, at a root −1. `lies` [nodes]: where it
    lies in a flattened [size, batch] value; `node` [size · batch]: which node lies there, −1 at padding. Both are on
    the forest's device. indices: what a loop of machine code needs of them, and where it lies.
    """

    def __init__(self, forest: Forest) -> None:
        self.nodes = n = forest.nodes
        self.levels = forest.levels
        self.leaves = forest.levels[0][1] if forest.levels else 0
        self.children, self.arity, self.example = forest.children, forest.arity, forest.example
        self.size, self.batch, self.lies = forest.size, int(forest.batch), forest.place
        self.node = torch.full((self.size * self.batch,), -1, device=self.lies.device)
        self.node[self.lies] = torch.arange(n, device=self.lies.device)
        parent, place = np.nonzero(forest.children >= 0)
        child = forest.children[parent, place]
        self.edges = m = len(child)
        self.child, self.parent = child, np.ascontiguousarray(parent)  # np.nonzero gives every other number
        self.first: Ints = np.concatenate([[0], np.cumsum(forest.arity)]).astype(np.int64)
        self.edge = np.full(n, m, np.int64)
        self.edge[child] = np.arange(m)
        self.above = np.full(n, n, np.int64)
        self.above[child] = parent
        self.place = np.full(n, -1, np.int64)
        self.place[child] = place
        self._parts: dict[int, Ints] = {1: np.array([self.levels], np.int64)}
        self._at: dict[tuple[int, int], Ints] = {}
        self._above: dict[int, Ints] = {}
        self.indices: dict[tuple[object, int], tuple[dict[tuple[str, int | str], int], list[Ints]]] = {}

    def child_at(self, slot: int, missing: int) -> Ints:
        """[nodes]: each node's child in a place; `missing` where there is none."""
        children = self.children
        if (slot, missing) not in self._at:
            column = children[:, slot] if slot < children.shape[1] else np.full(self.nodes, -1, np.int64)
            self._at[slot, missing] = np.where(column < 0, missing, column)
        return self._at[slot, missing]

    def parent_at(self, slot: int) -> Ints:
        """[nodes]: each node's parent if the node is its child in this place, else `nodes`."""
        if slot not in self._above:
            self._above[slot] = np.where(self.place == slot, self.above, self.nodes)
        return self._above[slot]

    def edges_of(self, first: int, last: int) -> tuple[int, int]:
        """The edges of the nodes first … last − 1."""
        return int(self.first[first]), int(self.first[last])

    def share(self, dtype: torch.dtype) -> Tensor:
        """[nodes, 1]: 1 / (number of children), 1 where there are none."""
        return torch.from_numpy(np.maximum(self.arity, 1)[:, None]).to(dtype).reciprocal()

    def end(self, dtype: torch.dtype, *, first: bool) -> Tensor:
        """[edges, 1]: 1 where the edge leads to a node's first (or last) child, else 0."""
        found = np.zeros((self.edges, 1), np.bool_)
        inner = self.first[:-1] < self.first[1:]
        found[self.first[:-1][inner] if first else self.first[1:][inner] - 1] = True
        return torch.from_numpy(found).to(dtype)

    @cached_property
    def _examples(self) -> Ints:
        found: Ints = self.example.cpu().numpy()
        return found

    def parts(self, count: int) -> Ints:
        """[parts, levels, 2]: each level's ranks cut into the nodes of `count` groups of trees of about equal size.

        Within a level ranks are ordered by example, so that a group's part of a level is one range.
        """
        if count in self._parts:
            return self._parts[count]
        sizes = np.cumsum(np.bincount(self._examples, minlength=self.batch))
        bounds = [0, *(int(np.searchsorted(sizes, self.nodes * (i + 1) / count)) + 1 for i in range(count - 1))]
        bounds.append(self.batch)
        table = np.zeros((count, len(self.levels), 2), np.int64)
        for level, (first, last) in enumerate(self.levels):
            cuts = first + np.searchsorted(self._examples[first:last], bounds)
            table[:, level, 0], table[:, level, 1] = cuts[:-1], cuts[1:]
        self._parts[count] = table
        return table


def rows_of(forest: Forest) -> TreeRows:
    """Made once for a forest."""
    if not isinstance(forest.tables, TreeRows):
        forest.tables = TreeRows(forest)
    return forest.tables
