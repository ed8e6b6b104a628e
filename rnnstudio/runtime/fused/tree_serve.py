"""Runs a tree scan of a program by a fused loop: collects what its nodes read, applies it, hands out what it yields."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...catalog.primitives import Op
from ...compiler.program import Scan
from ..context import Context
from ..forest import Forest
from ..primitives import run_op
from .distinct import Distinct
from .drawn import draw_levels
from .expressions import reachable
from .together import Stacks, lay
from .tree_buffers import Words
from .tree_form import FIRST, LAST, SHARE
from .tree_function import LevelLoop, TreeJob, TreeNames, run_tree_loop, tree_names
from .tree_plan import TreePlan
from .tree_rows import TreeRows, rows_of
from .tree_weights import with_blocks


class FusedTree:
    """A plan with the order of its tensors, made once for a scan."""

    def __init__(self, scan: Scan, plan: TreePlan, embeds: Mapping[str, Op]) -> None:
        self.scan = scan
        self.plan = plan
        self.names: TreeNames = tree_names(plan)
        self._stacks = Stacks(plan)
        self._laid = False
        stores = [s.node for stage in plan.stages for s in (*stage.stores, *stage.back_stores)]
        direct = {node.data[0] for node in reachable(stores) if node.op == "read"}
        self._distinct: dict[int, Distinct] = {}
        self.embeds = {name: op for name, op in embeds.items() if name in self.names.reads and name not in direct}

    def run(self, loop: LevelLoop, values: dict[str, Tensor], context: Context) -> None:
        """Add the scan's yields to `values`."""
        form = self.plan.form
        for op in form.before:
            values[op.name] = run_op(op, tuple(values[name] for name in op.inputs), context)
        forest = context.forest(self.scan.axis)
        rows = rows_of(forest)
        like = torch.empty(0, dtype=context.dtype, device=context.device)
        self._laid = self._laid or lay(self.plan, context.weights)
        tensors: list[Tensor] = []
        padded: set[str] = set()
        words: dict[str, Words] = {}
        masks = {f"{op.name}/mask": op for op in form.masks}
        drawn = draw_levels(self.scan, context, like)
        for name in self.names.reads:
            found = self._words(name, values, rows, context)
            if found is not None:
                words[name] = found
                tensors.append(context.weight(self.embeds[name].attrs["weight"]))
            elif name == SHARE:
                tensors.append(rows.share(context.dtype).to(context.device))
            elif name in (FIRST, LAST):
                tensors.append(rows.end(context.dtype, first=name == FIRST).to(context.device))
            elif name in masks:
                tensors.append(_mask(masks[name], drawn, forest, like, context))
            elif name in form.shared:
                tensors.append(values[name].index_select(0, forest.example))
            else:
                padded.add(name)
                tensors.append(values[name].flatten(0, 1).contiguous())
        tensors += [context.weight(form.parameters[name]) for name in self.names.vectors]
        named = (*self.names.missing, *self.names.weights, *self.names.biases)
        weights = with_blocks(form.blocks, context.weights)
        tensors += [weights[path] for path in named]
        job = TreeJob(self.plan, self.names, loop, self._stacks, rows, like, words, frozenset(padded))
        for name, out in run_tree_loop(job, tensors).items():
            values[name] = out.view(forest.size, forest.batch, -1)

    def _words(self, name: str, values: Mapping[str, Tensor], rows: TreeRows, context: Context) -> Words | None:
        """The tokens that occur, and which each node has, of an input that is an embedding with many equal ones.

        Not on a GPU, where sums over equal tokens have no fixed order.
        """
        if name not in self.embeds or context.device.type != "cpu":
            return None
        op = self.embeds[name]
        size = context.weight(op.attrs["weight"]).shape[0]
        if size not in self._distinct:
            self._distinct[size] = Distinct(size)
        found = self._distinct[size](values[op.inputs[0]].flatten(), rows.lies, rows.leaves)
        if found is None or 2 * len(found[0]) > rows.nodes:
            return None
        present, own, inner = found
        return Words(own, inner, present)


def _mask(op: Op, drawn: Mapping[str, Tensor], forest: Forest, like: Tensor, context: Context) -> Tensor:
    """The scaled dropout mask of every node [nodes, width] or edge [edges, width], or one that a tree's nodes share."""
    if op.attrs["every_step"]:
        return drawn[op.name]
    one = context.one_mask(op.name, op.attrs["rate"], like.new_empty(0, op.signal.width))
    return one.index_select(0, forest.example)
