"""The trees of a mini-batch: their nodes ordered by height, so that all nodes of one height are computed at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..design.errors import StudioError

Ints = npt.NDArray[np.int64]


class Forest:
    """Built from `parents` [batch, nodes] int64: each node's parent, −1 at roots and at padding; `lengths` [batch].

    Ranks number the real nodes of all trees by height, leaves first. `place`: rank → node·batch + example, the place in
    a flattened [nodes, batch] value. `levels`: (first rank, last rank + 1) of each height. `children` [ranks, most]:
    ranks of the children in the order of their nodes, −1 where there is none; `arity` [ranks].
    Raises StudioError for a parent that does not exist, and for nodes that are their own ancestors.
    """

    def __init__(self, parents: Tensor, lengths: Tensor | None) -> None:
        parent = parents.detach().cpu().numpy().astype(np.int64)
        batch, size = parent.shape
        count = lengths.cpu().numpy() if lengths is not None else np.full(batch, size)
        real = np.arange(size)[None, :] < count[:, None]
        bad = real & ((parent < -1) | (parent >= count[:, None]))
        if bad.any():
            example, node = np.argwhere(bad)[0]
            raise StudioError(
                f"Node {node} has the parent {parent[example, node]}, which is not in its tree",
                where=f"example {example} of the batch",
                remedy="Parents are node numbers from 0, and −1 at the root.",
            )
        self.batch, self.size = batch, size
        self.tables: object = None
        """What a lowering has made of the trees, for all its loops."""
        self._given = (parents, lengths)
        example, node = np.nonzero(real)
        above = parent[example, node]
        flat = np.full((batch, size), -1, np.int64)
        flat[example, node] = np.arange(len(node))
        up = np.where(above >= 0, flat[example, np.maximum(above, 0)], -1)
        height = _heights(up)
        order = np.argsort(height, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        up_rank = np.where(up[order] >= 0, rank[np.maximum(up[order], 0)], -1)
        self.children, self.arity = _children(up_rank, node[order], len(order))
        bounds = np.flatnonzero(np.diff(height[order], prepend=-1, append=height.max(initial=0) + 1))
        self.levels = [(int(a), int(b)) for a, b in pairwise(bounds)]
        self.example = torch.from_numpy(example[order]).to(parents.device)
        self.place = torch.from_numpy((node * batch + example)[order]).to(parents.device)
        self.parent = torch.from_numpy(up_rank).to(parents.device)
        roots = np.flatnonzero(up[order] < 0)
        per_example = np.bincount(example[order][roots], minlength=batch)
        if (per_example != 1).any():
            which = int(np.flatnonzero(per_example != 1)[0])
            raise StudioError(
                f"A tree has {per_example[which]} roots", where=f"example {which} of the batch", remedy="Give it one."
            )
        self.roots = torch.from_numpy((node * batch + example)[order][roots][np.argsort(example[order][roots])])
        self.roots = self.roots.to(parents.device)

    def of(self, examples: Tensor) -> Forest:
        """The trees of these examples, [n] int64, in this order: a forest of n trees."""
        parents, lengths = self._given
        own = lengths[examples.to(lengths.device)] if lengths is not None else None
        return Forest(parents[examples.to(parents.device)], own)

    @property
    def nodes(self) -> int:
        return len(self.place)

    def children_of(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Table [last − first, most children there] of ranks (−1: none) and arity [last − first], on the CPU."""
        arity = self.arity[first:last]
        most = max(int(arity.max(initial=0)), 1)
        return torch.from_numpy(self.children[first:last, :most]), torch.from_numpy(arity)


def _heights(up: Ints) -> Ints:
    """Height of each node (leaves 0) from its parent's number. Time: nodes × depth of the deepest tree."""
    height = np.zeros(len(up), np.int64)
    below = np.arange(len(up))
    for _ in range(len(up) + 1):
        below = below[up[below] >= 0]
        if not len(below):
            return height
        above = up[below]
        raised = height[below] + 1
        before = height[above].copy()
        np.maximum.at(height, above, raised)
        below = np.unique(above[height[above] > before])
    raise StudioError("A tree node is its own ancestor", where="tree", remedy="Repair the tree's parents.")


def _children(up: Ints, node: Ints, count: int) -> tuple[Ints, Ints]:
    """Table of each rank's children, in the order of their node numbers, and how many there are."""
    arity = np.bincount(up[up >= 0], minlength=count).astype(np.int64)
    table = np.full((count, max(int(arity.max(initial=0)), 1)), -1, np.int64)
    ranks = np.flatnonzero(up >= 0)
    ranks = ranks[np.lexsort((node[ranks], up[ranks]))]
    first = np.concatenate([[0], np.cumsum(arity)[:-1]]) if count else np.zeros(0, np.int64)
    table[up[ranks], np.arange(len(ranks)) - first[up[ranks]]] = ranks
    return table, arity
