"""The loops over levels in plain torch, on any device: forward into the buffers, backward by the plan's derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .expressions import Node, reachable
from .multiply import BY_TORCH, Multiply
from .stages import Place, Store
from .torch_loop import FUNCTIONS
from .tree_buffers import TreeBuffers, TreeGradients, missing_row
from .tree_form import REDUCED
from .tree_plan import TreePlan
from .tree_rows import TreeRows

_Values = dict[int, Tensor]


def _wide(x: Tensor, width: int) -> Tensor:
    """A value that was made of constants is a single number."""
    return x.expand(*x.shape[:-1], width)


def _matvec(matrix: Tensor, vector: Tensor) -> Tensor:
    rows = matrix.view(len(matrix), -1, vector.shape[-1])
    return torch.matmul(rows, vector.unsqueeze(-1)).squeeze(-1)


def _vecmat(vector: Tensor, matrix: Tensor) -> Tensor:
    rows = matrix.view(len(matrix), vector.shape[-1], -1)
    return torch.matmul(vector.unsqueeze(-2), rows).squeeze(-2)


_MATRICES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"matvec": _matvec, "vecmat": _vecmat}
"""Functions of rows that are matrices."""


class TreeTorchLoop:
    """Runs a plan's loops. Holds no tensors; one serves all calls."""

    name = "torch"
    multiply: Multiply = BY_TORCH
    in_place = False

    def inputs(self, words: frozenset[str]) -> None:
        """Biases and tables are laid into the pre-activations."""

    def __init__(self, plan: TreePlan) -> None:
        assert plan.leaves is not None
        self.inner, self.leaves = _Stages(plan), _Stages(plan.leaves)

    def forward(self, b: TreeBuffers) -> None:
        """Fill memories, saved values and yields. `b.slots` holds the hoisted products and biases."""
        where = _Where(b)
        for level in range(len(b.rows.levels)):
            (self.inner if level else self.leaves).forward(where.level(level), b)

    def backward(self, b: TreeBuffers, d: TreeGradients) -> None:
        """Fill d.slots, d.children, d.vectors, d.reads from d.douts. What forward kept is read, never changed."""
        where = _Where(b)
        for level in range(len(b.rows.levels) - 1, -1, -1):
            (self.inner if level else self.leaves).backward(where.level(level), b, d)


class _Stages:
    """What the nodes of one level do: leaves, or all others."""

    def __init__(self, plan: TreePlan) -> None:
        self.plan = plan
        self._forward: list[list[Node]] = []
        self._ready = [plan.stored_before(i) for i in range(len(plan.stages))]
        for number, stage in enumerate(plan.stages):
            self._forward.append(reachable([s.node for s in stage.stores], self._ends(number)))
        self._backward = [
            reachable([s.node for s in stage.back_stores], lambda n: n.number in plan.held) for stage in plan.stages
        ]

    def _ends(self, stage: int) -> Callable[[Node], bool]:
        given = self._given(stage)
        return lambda node: node.op in REDUCED or given(node)

    def _given(self, stage: int) -> Callable[[Node], bool]:
        return lambda node: node.number in self.plan.held and node.number in self._ready[stage]

    def forward(self, here: _Level, b: TreeBuffers) -> None:
        for delay in self.plan.gathered():
            here.gather(delay, b.children[delay])
        for number, stage in enumerate(self.plan.stages):
            for i, p in stage.numbered():
                whole = b.children[str(p.source[1])] if p.source[0] == "state" else b.sources[int(p.source[1])]
                source = here.of(whole, stage.edge).narrow(1, p.start, p.width)
                target = here.of(b.slots[stage.edge], stage.edge).narrow(1, p.offset, p.size)
                if p.accumulate:
                    target.addmm_(source, b.weights[number, i].t())
                else:
                    torch.mm(source, b.weights[number, i].t(), out=target)
            values = self._compute(self._forward[number], self._given(number), here, b, None)
            here.keep(stage.stores, values, b.whole)

    def _compute(
        self,
        nodes: Sequence[Node],
        given: Callable[[Node], bool],
        here: _Level,
        b: TreeBuffers,
        d: TreeGradients | None,
    ) -> _Values:
        values: _Values = {}
        for node in nodes:
            if given(node) or node.op in REDUCED or not node.args:
                values[node.number] = self._leaf(node, given, here, b, d)
            elif node.op == "up":
                x = values[node.args[0].number]
                values[node.number] = here.up(x) if x.dim() == 2 else x
            elif node.op == "spread":
                x = values[node.args[0].number]
                values[node.number] = x.expand(*x.shape[:-1], node.width)
            elif node.op in _MATRICES:
                left, right = (_wide(values[a.number], a.width) for a in node.args)
                values[node.number] = _MATRICES[node.op](left, right)
            elif node.op == "outer":
                continue  # made where it is stored
            else:
                values[node.number] = FUNCTIONS[node.op](*[values[a.number] for a in node.args])
        return values

    def _leaf(
        self, node: Node, given: Callable[[Node], bool], here: _Level, b: TreeBuffers, d: TreeGradients | None
    ) -> Tensor:
        edge = self.plan.spaces.edge(node)
        if node.number in self.plan.held and (given(node) or node.op in REDUCED):
            place, start = self.plan.held[node.number]
            return here.of(b.whole(place), edge).narrow(1, start, node.width)
        if node.op == "const":
            return b.slots[0].new_tensor(node.data[0])
        name, start = node.data
        if node.op == "state":
            return here.children(name).narrow(1, start, node.width)
        if node.op == "vector":
            return b.vectors[name].narrow(0, start, node.width)
        if node.op == "din":
            assert d is not None
            return here.coming(name, d).narrow(1, start, node.width)
        if node.op == "dout":
            assert d is not None
            out = d.douts[name]
            if out is None:
                return b.slots[0].new_zeros(here.nodes, node.width)
            return out.index_select(0, b.rows.lies[here.node]).narrow(1, start, node.width)
        if node.op == "read":
            whole = b.reads[name]
        elif node.op == "slot":
            whole = b.whole(("slot", name))
        else:
            assert d is not None
            whole = d.carries[name] if node.op == "carry" else d.sources[name]
        return here.of(whole, edge).narrow(1, start, node.width)

    def backward(self, here: _Level, b: TreeBuffers, d: TreeGradients) -> None:
        plan = self.plan
        for delay in plan.zeroed:
            here.of(d.children[delay], delay in plan.spaces.each).zero_()
        for number, stage in reversed(list(enumerate(plan.stages))):
            for place, start, width in stage.cleared:
                here.of(d.whole(plan, place), plan.edge_place(place)).narrow(1, start, width).zero_()
            values = self._compute(self._backward[number], lambda n: n.number in plan.held, here, b, d)
            here.keep(stage.back_stores, values, lambda place: d.whole(plan, place))
            for i, p in stage.numbered():
                gradient = here.of(d.slots[stage.edge], stage.edge).narrow(1, p.offset, p.size)
                kind, key = p.source
                target = d.children[str(key)] if kind == "state" else d.sources[int(key)]
                target = here.of(target, stage.edge).narrow(1, p.start, p.width)
                if p.accumulate_back:
                    target.addmm_(gradient, b.weights[number, i])
                else:
                    torch.mm(gradient, b.weights[number, i], out=target)


class _Where:
    """The index tables of a run on the device, and the rows of each level."""

    def __init__(self, b: TreeBuffers) -> None:
        self.b = b
        rows, states = b.rows, b.plan.form.states
        self.child = self._index(rows.child)
        self.parent = self._index(rows.parent)
        self.edge = self._index(rows.edge)
        self.above = self._index(rows.above)
        self.slots = {
            s.delay: self._index(rows.child_at(s.slot, missing_row(b.plan, s.delay, rows.nodes)))
            for s in states
            if s.how == "slot"
        }
        self.back = {s.delay: self._back(s.how, s.slot) for s in states}

    def _back(self, how: str, slot: int) -> Tensor:
        if how == "each":
            return self.edge
        return self.above if how == "sum" else self._index(self.b.rows.parent_at(slot))

    def _index(self, x: object) -> Tensor:
        return torch.as_tensor(x).to(self.b.slots[0].device)

    def level(self, number: int) -> _Level:
        return _Level(self, self.b.rows, number)


class _Level:
    """The rows of one level."""

    def __init__(self, where: _Where, rows: TreeRows, number: int) -> None:
        self.where = where
        self.b = where.b
        self.plan = where.b.plan
        self.states = {s.delay: s for s in self.plan.form.states}
        first, last = rows.levels[number]
        self.node = slice(first, last)
        self.edge = slice(*rows.edges_of(first, last))
        self.nodes, self.edges = last - first, self.edge.stop - self.edge.start
        self.local = where.parent[self.edge] - first

    def of(self, x: Tensor, edge: bool) -> Tensor:
        return x[self.edge] if edge else x[self.node]

    def up(self, x: Tensor) -> Tensor:
        return x.index_select(0, self.local)

    def gather(self, delay: str, into: Tensor) -> None:
        """Lays what this level reads of its children side by side."""
        state = self.states[delay]
        target = self.of(into, state.how == "each")
        memory = self.b.memories[state.memory]
        if state.how == "sum":
            target.zero_().index_add_(0, self.local, memory.index_select(0, self.where.child[self.edge]))
        elif state.how == "slot":
            torch.index_select(memory, 0, self.where.slots[delay][self.node], out=target)
        else:
            torch.index_select(memory, 0, self.where.child[self.edge], out=target)

    def children(self, delay: str) -> Tensor:
        """[rows, width]: what this level reads of its children."""
        state = self.states[delay]
        memory = self.b.memories[state.memory]
        if state.how == "each":
            return memory.index_select(0, self.where.child[self.edge])
        if state.how == "slot":
            return memory.index_select(0, self.where.slots[delay][self.node])
        return self.of(self.b.children[delay], False)

    def coming(self, memory: int, d: TreeGradients) -> Tensor:
        """[nodes, width]: the gradient of a memory's new values, from the parents."""
        found: Tensor | None = None
        for state in self.plan.form.states:
            if state.memory == memory:
                part = d.children[state.delay].index_select(0, self.where.back[state.delay][self.node])
                found = part if found is None else found + part
        assert found is not None
        return found

    def across(self, store: Store) -> bool:
        """Whether a store sums over the edges of a node."""
        return self.plan.spaces.edge(store.node) and not self.plan.edge_place(store.place)

    def keep(self, stores: Sequence[Store], values: _Values, whole: Callable[[Place], Tensor]) -> None:
        for store in sorted(stores, key=lambda s: s.place[0] == "slot"):  # a slot is overwritten last
            target, width = whole(store.place), store.node.width
            if store.node.op == "outer":
                self._outer(store, values, target)
                continue
            value = values[store.node.number]
            if store.place[0] == "dvector":
                rows = self.edges if self.plan.spaces.edge(store.node) else self.nodes
                target.narrow(0, store.start, width).add_(value.expand(rows, width).sum(0))
            elif self.across(store):
                target = self.of(target, False).narrow(1, store.start, width)
                if store.largest:
                    index = self.local[:, None].expand(self.edges, width)
                    target.fill_(-torch.inf).scatter_reduce_(0, index, value.expand(self.edges, width), "amax")
                    continue
                if store.place[0] == "source":
                    target.zero_()
                target.index_add_(0, self.local, value.expand(self.edges, width))
            else:
                target = self.of(target, self.plan.edge_place(store.place)).narrow(1, store.start, width)
                target.add_(value) if store.add else target.copy_(value)

    def _outer(self, store: Store, values: _Values, whole: Tensor) -> None:
        left, right = (_wide(values[a.number], a.width) for a in store.node.args)
        target = self.of(whole, self.plan.edge_place(store.place)).narrow(1, store.start, store.node.width)
        target = target.view(len(target), -1, right.shape[-1])
        if self.across(store):
            target.index_add_(0, self.local, left.unsqueeze(-1) * right.unsqueeze(-2))
        elif store.add:
            target.addcmul_(left.unsqueeze(-1), right.unsqueeze(-2))
        else:
            torch.mul(left.unsqueeze(-1), right.unsqueeze(-2), out=target)
