"""The time loops in plain torch, on any device: forward into the buffers, backward by the plan's derivative.

Backward computes whatever does not depend on the gradients to come (σ′ of a gate, say) for many steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from .buffers import Buffers, Gradients
from .expressions import Graph, Node, reachable
from .multiply import BY_TORCH, Multiply
from .plan import Plan
from .stages import Store

_CHUNK = 1 << 21
"""Numbers in one buffer of what backward computes ahead: small enough for the cache, large enough for few calls."""

DYNAMIC = frozenset(("din", "dsource", "carry"))


def _choose(mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(mask != 0, new, old)


def _prefer(a: Tensor, b: Tensor) -> Tensor:
    return (a > b).to(a.dtype) + 0.5 * (a == b).to(a.dtype)


def _copied(x: Tensor, out: Tensor | None = None) -> Tensor:
    return x.clone() if out is None else out.copy_(x)


def _softplus_slope(x: Tensor) -> Tensor:
    return torch.where(x > 20.0, torch.ones_like(x), torch.sigmoid(x))


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": F.softplus,
    "exp": torch.exp,
    "log": torch.log,
    "abs": torch.abs,
    "square": torch.square,
    "positive": lambda x: (x > 0).to(x.dtype),
    "sign": torch.sign,
    "erf": torch.erf,
    "softplus_slope": _softplus_slope,
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "prefer": _prefer,
    "equal": lambda a, b: (a == b).to(a.dtype),
    "choose": _choose,
    "rsqrt": torch.rsqrt,
    "copy": _copied,
    "total": lambda x: x.sum(-1, keepdim=True),
    "top": lambda x: x.amax(-1, keepdim=True),
}


def function_of(node: Node) -> Callable[..., Tensor]:
    if node.op == "spread":
        return lambda x: x.expand(*x.shape[:-1], node.width)
    return FUNCTIONS[node.op]


_INTO = frozenset(("copy", "sigmoid", "tanh", "exp", "log", "abs", "square", "add", "subtract", "multiply", "divide"))
"""Functions that write into a given tensor."""

Steps = Sequence[Tensor]
_Call = tuple[Callable[..., Tensor], int, tuple[int, ...]]


@dataclass(slots=True)
class _Program:
    """Calls in order on numbered values; leaves: (value, node); stores: (value, store)."""

    calls: list[_Call]
    leaves: list[tuple[int, Node]]
    stores: list[tuple[int, Store]]
    into: dict[int, Store]
    size: int


def _program(stores: Sequence[Store], given: Callable[[Node], bool], in_place: bool) -> _Program:
    """What computes some stores. `given`: nodes that are there already. in_place: results go straight into place."""
    nodes = reachable([s.node for s in stores], given)
    number = {node.number: i for i, node in enumerate(nodes)}
    leaves = [(number[n.number], n) for n in nodes if given(n) or not n.args]
    calls: list[_Call] = []
    into: dict[int, Store] = {}
    for node in nodes:
        if given(node) or not node.args:
            continue
        calls.append((function_of(node), number[node.number], tuple(number[a.number] for a in node.args)))
    last_read = {a.number: node.number for node in nodes if not given(node) for a in node.args}
    left = []
    for store in stores:
        node = store.node
        fits = in_place and not store.add and node.op in _INTO and not given(node) and number[node.number] not in into
        if fits and store.place[0] == "slot":
            held = next((n for n in nodes if n.op == "slot" and n.data[0] == store.place[1]), None)
            copied = any(s.node is held for s in stores)  # copies are made last, when the slot would be overwritten
            fits = held is None or (not copied and last_read.get(held.number, -1) <= node.number)
        if fits:
            into[number[node.number]] = store
        else:
            left.append((number[node.number], store))
    return _Program(calls, leaves, left, into, len(nodes))


class TorchLoop:
    """Runs a plan's loops. Holds no tensors; one serves all calls."""

    name = "torch"
    multiply: Multiply = BY_TORCH
    adds_bias = False
    in_place = False

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._forward: list[_Program] = []
        self._backward: list[_Program] = []
        for level, stage in enumerate(plan.stages):

            def given(node: Node, level: int = level) -> bool:
                return node.number in plan.held and self._level(node) < level

            self._forward.append(_program(stage.stores, given, True))
        stores = [_regrouped(plan.graph, stage.back_stores) for stage in plan.stages]
        self._ahead: list[Node] = []
        for stage_stores in stores:
            self._ahead += _edge([s.node for s in stage_stores], plan)
        self._ahead = list({node.number: node for node in self._ahead}.values())
        numbers = {node.number for node in self._ahead}
        for stage_stores in stores:
            self._backward.append(_program(stage_stores, lambda n: n.number in numbers, True))

    def _level(self, node: Node) -> int:
        """The stage that stores a node."""
        for level, stage in enumerate(self.plan.stages):
            if any(s.node is node for s in stage.stores):
                return level
        return len(self.plan.stages)

    def forward(self, b: Buffers) -> None:
        """Fill states, saved values and yields. `b.slots` holds the hoisted products and biases."""
        plan = self.plan
        programs = [_Bound(p, self._forward_leaves(p, b), self._targets(p, b)) for p in self._forward]
        products = []
        for level, stage in enumerate(plan.stages):
            bound = []
            for i, p in enumerate(stage.products):
                columns = b.slots.narrow(2, p.offset, p.size).unbind(0)
                whole = b.read_states(str(p.source[1])) if p.source[0] == "state" else b.sources[int(p.source[1])]
                source = whole.narrow(2, p.start, p.width).unbind(0)
                bound.append((columns, source, b.weights[level, i].t(), p.accumulate))
            products.append(bound)
        for t in _order(plan, b.steps):
            for level, (bound, program) in enumerate(zip(products, programs, strict=True)):
                for columns, source, weight, accumulate in bound:
                    if accumulate:
                        columns[t].addmm_(source[t], weight)
                    else:
                        torch.mm(source[t], weight, out=columns[t])
                for number in plan.stages[level].plain:
                    assert b.plain is not None
                    b.plain.forward(number, t, {node: b.sources[i][t] for node, i in plan.copied.items()})
                program.run(t)

    def _forward_leaves(self, program: _Program, b: Buffers) -> list[tuple[int, Steps | Tensor]]:
        return [(i, _leaf(node, b)) for i, node in program.leaves]

    def _targets(self, program: _Program, b: Buffers) -> dict[int, Steps]:
        every = [*program.into.values(), *(s for _, s in program.stores)]
        return {id(s): b.at(s.place, s.start, s.node.width).unbind(0) for s in every}

    def backward(self, b: Buffers, d: Gradients) -> None:
        """Fill d.slots, d.initial, d.vectors, d.reads from d.douts. What forward kept is read, never changed."""
        plan = self.plan
        states = plan.form.states
        rows = b.slots.new_zeros
        pending = {s.delay: [rows(b.batch, s.width) for _ in range(s.k)] for s in states}
        widest = max(s.width for s in states)
        chunk = steps_at_once(b, widest)
        order = list(_order(plan, b.steps))[::-1]
        if d.later is not None:
            d.later.update((s.delay, b.slots.new_empty(b.steps, b.batch, s.width)) for s in states)
        for first in range(0, b.steps, chunk):
            here = sorted(order[first : first + chunk])
            ahead = _compute_ahead(self._ahead, b, d, here[0], len(here))
            for t in order[first : first + chunk]:
                self._step_back(b, d, pending, ahead, t, t - here[0])
        for s in states:
            d.initial[s.delay] = torch.stack(pending[s.delay])

    def _step_back(
        self,
        b: Buffers,
        d: Gradients,
        pending: dict[str, list[Tensor]],
        ahead: dict[int, Steps | Tensor],
        t: int,
        at: int,
    ) -> None:
        plan = self.plan
        coming = {delay: queue.pop() for delay, queue in pending.items()}
        if d.later is not None:
            for delay, gradient in coming.items():
                d.later[delay][t] = gradient
        going: dict[str, Tensor] = {}
        for delay in plan.zeroed:
            going[delay] = torch.zeros_like(coming[delay])
        scratch: dict[tuple[str, int], Tensor] = {}
        for level in range(len(plan.stages) - 1, -1, -1):
            program = self._backward[level]
            values: list[Tensor] = [b.slots] * program.size
            for i, node in program.leaves:
                if node.number in ahead:
                    value = ahead[node.number]
                    values[i] = value if isinstance(value, Tensor) else value[at]
                elif node.op == "din":
                    values[i] = coming[node.data[0]].narrow(1, node.data[1], node.width)
                else:
                    values[i] = scratch[node.op, node.data[0]]
            for function, out, args in program.calls:
                store = program.into.get(out)
                if store is not None and store.place[0] == "dslot":
                    offset = plan.offsets[int(store.place[1])]
                    target = d.slots[t].narrow(1, offset, store.node.width)
                    values[out] = function(*[values[a] for a in args], out=target)
                else:
                    values[out] = function(*[values[a] for a in args])
            kept = [(i, s) for i, s in program.into.items() if s.place[0] != "dslot"]
            for i, store in (*kept, *program.stores):
                self._keep(store, values[i], b, d, going, scratch, t)
            for number in reversed(plan.stages[level].plain):
                assert b.plain is not None
                found = b.plain.backward(number, t)
                scratch |= {("dsource", plan.copied[node]): part for node, part in found.items()}
            for i, product in enumerate(plan.stages[level].products):
                gradient, weight = d.slots[t].narrow(1, product.offset, product.size), b.weights[level, i]
                if product.source[0] == "state":
                    delay = str(product.source[1])
                    if not product.accumulate_back:
                        going[delay] = torch.mm(gradient, weight)
                    else:
                        part = going[delay].narrow(1, product.start, product.width)
                        part.addmm_(gradient, weight)
                else:
                    key = ("dsource", int(product.source[1]))
                    if product.accumulate_back:
                        scratch[key] = torch.addmm(scratch[key], gradient, weight)
                    else:
                        scratch[key] = torch.mm(gradient, weight)
        for delay, queue in pending.items():
            queue.insert(0, going[delay])

    def _keep(
        self,
        store: Store,
        value: Tensor,
        b: Buffers,
        d: Gradients,
        going: dict[str, Tensor],
        scratch: dict[tuple[str, int], Tensor],
        t: int,
    ) -> None:
        kind, key = store.place
        width = store.node.width
        if kind == "dslot":
            d.slots[t].narrow(1, self.plan.offsets[int(key)], width).copy_(value)
        elif kind == "carry":
            scratch["carry", int(key)] = value.expand(b.batch, width)
        elif kind == "dstate":
            if store.add:
                going[str(key)].narrow(1, store.start, width).add_(value)
            else:
                going[str(key)] = value.expand(b.batch, width).clone()
        elif kind == "dplain":
            assert b.plain is not None
            b.plain.arriving[str(key)][t].narrow(1, store.start, width).add_(value)
        elif kind == "dvector":
            d.vectors[str(key)].narrow(1, store.start, width).add_(value)
        else:
            d.reads[str(key)][t].narrow(1, store.start, width).add_(value)


class _Bound:
    """A forward program on the buffers of one run."""

    def __init__(self, program: _Program, leaves: list[tuple[int, Steps | Tensor]], targets: dict[int, Steps]) -> None:
        self.values: list[Tensor] = [torch.empty(0)] * program.size
        self.moving: list[tuple[int, Steps]] = []
        for i, leaf in leaves:
            if isinstance(leaf, Tensor):
                self.values[i] = leaf
            else:
                self.moving.append((i, leaf))
        self.calls = [
            (f, out, args, targets[id(program.into[out])] if out in program.into else None)
            for f, out, args in program.calls
        ]
        self.stores = [(i, targets[id(store)]) for i, store in program.stores]

    def run(self, t: int) -> None:
        values = self.values
        for i, steps in self.moving:
            values[i] = steps[t]
        for function, out, args, target in self.calls:
            if target is None:
                values[out] = function(*[values[a] for a in args])
            else:
                values[out] = function(*[values[a] for a in args], out=target[t])
        for i, place in self.stores:
            place[t].copy_(values[i])


def steps_at_once(b: Buffers, width: int) -> int:
    """Of how many steps values of a width are computed together."""
    return max(1, min(b.steps, _CHUNK // max(1, b.batch * width)))


def _order(plan: Plan, steps: int) -> range:
    return range(steps) if plan.form.forward else range(steps - 1, -1, -1)


def _leaf(node: Node, b: Buffers) -> Steps | Tensor:
    whole = whole_of(node, b, None)
    return whole.unbind(0) if whole.dim() == 3 else whole


def whole_of(node: Node, b: Buffers, d: Gradients | None) -> Tensor:
    """A leaf, or a kept value, for all steps: [time, batch, width]; without time [batch, width] or less."""
    if node.number in b.plan.held:
        place, start = b.plan.held[node.number]
        return b.at(place, start, node.width)
    if node.op == "const":
        return torch.full((), node.data[0], dtype=b.slots.dtype, device=b.slots.device)
    if node.op == "mask":
        assert b.valid is not None
        return b.valid.unsqueeze(2)
    name, start = node.data
    if node.op == "state":
        return b.read_states(name).narrow(2, start, node.width)
    if node.op == "read":
        return b.reads[name].narrow(2, start, node.width)
    if node.op == "vector":
        return b.vectors[name].narrow(-1, start, node.width)
    if node.op == "slot":
        value = b.at(("slot", name), start, node.width)
        if b.bias is None or name not in b.plan.floating:
            return value
        return value + b.bias.narrow(0, b.plan.offsets[name] + start, node.width)
    if node.op == "plain":
        assert b.plain is not None
        return b.plain.outputs[name].narrow(2, start, node.width)
    assert d is not None
    out = d.douts[name]
    if out is None:
        return torch.zeros((), dtype=b.slots.dtype, device=b.slots.device)
    return out.narrow(2, start, node.width)


def _edge(roots: Sequence[Node], plan: Plan) -> list[Node]:
    """The largest nodes that depend on no gradient yet to come."""
    dynamic: dict[int, bool] = {}
    for node in reachable(roots, lambda n: n.number in plan.held):
        known = node.number in plan.held or not node.args
        dynamic[node.number] = node.op in DYNAMIC if known else any(dynamic[a.number] for a in node.args)
    edge = {n.number: n for n in roots if not dynamic[n.number]}
    for node in reachable(roots, lambda n: n.number in plan.held or not dynamic[n.number]):
        if dynamic[node.number]:
            edge |= {a.number: a for a in node.args if not dynamic[a.number]}
    return list(edge.values())


def _compute_ahead(
    wanted: Sequence[Node], b: Buffers, d: Gradients, first: int, count: int
) -> dict[int, Steps | Tensor]:
    held = b.plan.held
    values: dict[int, Tensor] = {}
    for node in reachable(wanted, lambda n: n.number in held):
        if node.number in held or not node.args:
            whole = whole_of(node, b, d)
            values[node.number] = whole.narrow(0, first, count) if whole.dim() == 3 else whole
        else:
            values[node.number] = function_of(node)(*[values[a.number] for a in node.args])
    found = {node.number: values[node.number] for node in wanted}
    return {number: x.unbind(0) if x.dim() == 3 else x for number, x in found.items()}


def _regrouped(graph: Graph, stores: Sequence[Store]) -> list[Store]:
    """(gradient · a) · b becomes gradient · (a · b), so that a · b can be computed ahead."""
    done: dict[int, Node] = {}
    dynamic: dict[int, bool] = {}
    uses: dict[int, int] = {}
    nodes = reachable([s.node for s in stores])
    for node in nodes:
        dynamic[node.number] = node.op in DYNAMIC or any(dynamic[a.number] for a in node.args)
        for arg in node.args:
            uses[arg.number] = uses.get(arg.number, 0) + 1
    for node in nodes:
        if not dynamic[node.number] or not node.args:
            done[node.number] = node
            continue
        args = [done[a.number] for a in node.args]
        if node.op == "multiply" and dynamic[node.args[0].number] and not dynamic[node.args[1].number]:
            inner = args[0]
            single = uses[node.args[0].number] == 1
            if single and inner.op == "multiply" and inner.args[1].op not in DYNAMIC and _static(inner.args[1]):
                args = [inner.args[0], graph.multiply(inner.args[1], args[1])]
        done[node.number] = graph.node(node.op, args, node.width, node.data)
    return [Store(s.place, s.start, done[s.node.number], s.add) for s in stores]


def _static(node: Node) -> bool:
    return not any(n.op in DYNAMIC for n in reachable([node]))
