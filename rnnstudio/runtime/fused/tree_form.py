"""The canonical form of a loop over a tree: products and a pointwise graph over two kinds of rows, nodes and edges.

Torch-free. A row of nodes is a tree node; a row of edges is a child of a node, seen from that node. What a node reads
of its children is a sum or the child in one place (on nodes), or each child (on edges). `up` gives the value of an
edge's parent to the edge; `down` sums what a node's edges hold, `largest` is the largest of it, and `peak` too where
what it is makes no difference to what is made of it. A linear map is never made of an `up`: it is done once for the
node, not for each of its children.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...catalog.primitives import Op
from ...compiler.program import Map, Scan
from ...design.signals import Signal, Tokens
from .canonical import Declined, Slot, _Reader, _Slots
from .expressions import Graph, Node, parts, reachable
from .stages import Product
from .tree_bilinear import TensorBlock, bilinear

SHARE = "share of a child"
"""A read made from the trees alone: 1 / (number of a node's children)."""
FIRST, LAST = "is the first child", "is the last child"
"""Reads on edges made from the trees alone: 1 or 0."""
REDUCED = ("down", "largest", "peak")
"""What a node makes of what its edges hold."""


@dataclass(frozen=True, slots=True)
class ChildState:
    """What a node reads of its children's memory: how is "sum", "slot" (child number `slot`) or "each".

    missing: path of the weight that stands for a child that is not there; None: zero.
    """

    delay: str
    memory: int
    width: int
    how: str
    slot: int
    missing: str | None


@dataclass(frozen=True, slots=True)
class TreeProduct(Product):
    """edge: whether it has a row for every edge. leaves: whether leaves have it: not where only their children, who are
    not there, would be multiplied. slots: the numbers of those it fills.
    """

    edge: bool = False
    leaves: bool = True
    slots: tuple[int, ...] = ()


@dataclass(slots=True)
class Spaces:
    """Which values lie on edges: children's states read each by each, reads, slots, sources and carries by number."""

    each: frozenset[str]
    reads: set[str] = field(default_factory=set)
    slots: list[bool] = field(default_factory=list)
    sources: list[bool] = field(default_factory=list)
    carries: list[bool] = field(default_factory=list)
    _known: dict[int, bool] = field(default_factory=dict)

    def edge(self, node: Node) -> bool:
        """Whether a value has a row for every edge."""
        found = self._known.get(node.number)
        if found is None:
            found = self._known[node.number] = self._edge(node)
        return found

    def _edge(self, node: Node) -> bool:
        match node.op:
            case "up":
                return True
            case "down" | "largest" | "peak":
                return False
            case "state":
                return str(node.data[0]) in self.each
            case "read":
                return str(node.data[0]) in self.reads
            case "slot":
                return self.slots[int(node.data[0])]
            case "dsource":
                return self.sources[int(node.data[0])]
            case "carry":
                return self.carries[int(node.data[0])]
        return any(self.edge(a) for a in node.args)


@dataclass(frozen=True, slots=True)
class TreeForm:
    """A loop over a tree in canonical form.

    memories: what a node makes for its parent. reads: outside values, [nodes, width] (or [edges, width], see Spaces) by
    name; those in `shared` are the same at all nodes of a tree. vectors: parameters [width], by name → path in
    `parameters`. masks: dropout ops whose mask is the read of that name. before: operations without the tree's axis,
    computed before the loop as they are.
    blocks: the weights of pieces that are parts of a tensor.
    """

    graph: Graph
    spaces: Spaces
    slots: tuple[Slot, ...]
    memories: tuple[Node, ...]
    states: tuple[ChildState, ...]
    yields: tuple[tuple[str, Node], ...]
    reads: Mapping[str, int]
    shared: frozenset[str]
    vectors: Mapping[str, int]
    parameters: Mapping[str, str]
    masks: tuple[Op, ...]
    before: tuple[Op, ...]
    blocks: Mapping[str, TensorBlock]

    def constants(self) -> frozenset[str]:
        """Reads that have no gradient."""
        return frozenset({SHARE, FIRST, LAST, *(f"{op.name}/mask" for op in self.masks)})


def tree_form(scan: Scan, signals: Mapping[str, Signal], parameters: Mapping[str, str], training: bool) -> TreeForm:
    """The canonical form of a loop over a tree. Raises Declined with the reason. Arguments: see `canonical`."""
    if len(scan.body) != 1 or not isinstance(scan.body[0], Map):
        raise Declined("it has a loop inside")
    return _TreeReader(scan, signals, parameters, training).tree()


class _TreeReader(_Reader):
    def __init__(
        self, scan: Scan, signals: Mapping[str, Signal], parameters: Mapping[str, str], training: bool
    ) -> None:
        super().__init__(scan, signals, parameters, training)
        self.spaces = Spaces(frozenset(s.delay for s in scan.states if s.how == "each"))
        self.inner = {s.children for s in scan.states if s.how == "each"}
        self.shared: set[str] = set()
        self.blocks: dict[str, TensorBlock] = {}
        self._lift = False

    def _further(self) -> tuple[str, ...]:
        return ()  # the axis along a node's children makes the rows of edges

    def _choose(self, op: Op) -> Node:
        raise Declined(f"{op.node} chooses between two values")

    def tree(self) -> TreeForm:
        scan, body = self.scan, self.scan.body[0]
        assert isinstance(body, Map)
        for state in scan.states:
            if any(axis not in self.inner for axis in state.signal.axes):
                raise Declined("its state has an axis of its own")
            if isinstance(state.signal.content, Tokens):
                raise Declined("its state is a token")
            self.nodes[state.delay] = self.graph.node("state", (), state.signal.width, (state.delay, 0))
        for op in scan.projections:
            self._projection(op)
        for op in body.ops:
            if any(axis not in self.inner for axis in op.signal.axes):
                raise Declined(f"{op.node} has an axis inside the loop")
            self.nodes[op.name] = self._value(op)
        names = [*(s.source for s in scan.states), *scan.yields]
        roots = [self.value(name) for name in names]
        for name, root in zip(names, roots, strict=True):
            if self.spaces.edge(root):
                raise Declined(f"{name}, which it hands on, is a value of each child")
        roots = [self._finished(root) for root in roots]
        slots = _Slots(self.graph)
        roots = slots.fill(roots)
        for slot in slots.made:  # what a slot is made of contains earlier slots alone
            self.spaces.slots.append(any(self.spaces.edge(p.source) for p in slot.pieces))
        n = len(scan.states)
        memories = list({root.number: root for root in roots[:n]}.values())
        states = tuple(
            ChildState(s.delay, memories.index(root), s.signal.width, s.how, s.slot, s.weight)
            for s, root in zip(scan.states, roots[:n], strict=True)
        )
        used = {node.data[0] for node in reachable([*roots, *slots.sources()]) if node.op in ("read", "vector")}
        return TreeForm(
            graph=self.graph,
            spaces=self.spaces,
            slots=tuple(slots.made),
            memories=tuple(memories),
            states=states,
            yields=tuple(zip(scan.yields, roots[n:], strict=True)),
            reads={name: width for name, width in self.reads.items() if name in used},
            shared=frozenset(self.shared & used),
            vectors={name: width for name, width in self.vectors.items() if name in used},
            parameters=self.parameters,
            masks=tuple(self.masks),
            before=tuple(self.before),
            blocks=self.blocks,
        )

    def _finished(self, root: Node) -> Node:
        """A value that is handed on: what is made of the children is whole only after their stage."""
        pieces = [part for _, part in parts(root)]
        return self.graph.concat([self.graph.unary("copy", p) if p.op in REDUCED else p for p in pieces])

    def value(self, name: str) -> Node:
        if name not in self.nodes:
            signal = self.signals[name]
            others = [axis for axis in signal.axes if axis != self.scan.axis]
            if others:
                raise Declined(f"it reads {name}, which has the axis “{others[0]}”")
            if isinstance(signal.content, Tokens):
                raise Declined(f"it reads tokens, {name}, node by node")
            self._outside(name, signal.width, everywhere=self.scan.axis not in signal.axes)
        node = self.nodes[name]
        return self._up(node) if self._lift else node

    def _outside(self, name: str, width: int, *, everywhere: bool) -> None:
        """A value from outside: everywhere, the same at all nodes of a tree (or, a parameter, of all trees)."""
        if everywhere and name in self.known:
            self._vector(name, width)
            return
        self.reads[name] = width
        if everywhere:
            self.shared.add(name)
        self.nodes[name] = self.graph.node("read", (), width, (name, 0))

    def _vector(self, name: str, width: int) -> None:
        self.vectors[name] = width
        self.parameters[name] = self.known[name]
        self.nodes[name] = self.graph.node("vector", (), width, (name, 0))

    def _projection(self, op: Op) -> None:
        if op.signal.axes == (self.scan.axis,):
            self.nodes[op.name] = self._value(op)
        elif op.signal.axes:
            raise Declined(f"{op.node} has more axes than the tree's")
        else:
            self.before.append(op)
            self._outside(op.name, op.signal.width, everywhere=True)

    def _up(self, node: Node) -> Node:
        if node.op in ("const", "vector") or self.spaces.edge(node):
            return node
        return self.graph.pointwise("up", [node])

    def _value(self, op: Op) -> Node:
        args = [self.value(name) for name in op.inputs]
        if op.kind == "pool" and op.attrs["axis"] in self.inner:
            return self._pool(op, args[0])
        if op.kind == "bilinear":
            return self._bilinear(op, *args)
        self._lift = any(self.spaces.edge(a) for a in args)
        try:
            if op.kind in ("sign", "erf"):
                return self.graph.pointwise(op.kind, [self.value(op.inputs[0])])
            return self._attention(op) if self._attends(op) else super()._value(op)
        finally:
            self._lift = False

    def _attends(self, op: Op) -> bool:
        """Whether an operation of attention runs along a node's children."""
        axes = (op.attrs.get("axis"),) if "axis" in op.attrs else op.attrs.get("over", ())
        kinds = ("softmax_axis", "log_softmax_axis", "contract", "blank")
        return op.kind == "match" or (op.kind in kinds and all(axis in self.inner for axis in axes))

    def _attention(self, op: Op) -> Node:
        g = self.graph
        args = [self.value(name) for name in op.inputs]
        if op.kind == "blank":  # there are no rows for children that are not there
            return args[0]
        if op.kind == "match":
            query, keys = args
            return g.concat([g.total(g.pointwise("multiply", [q, k])) for q, k in self._heads(op, query, keys)])
        if op.kind == "contract":
            weights, values = (self._up(x) for x in args)
            many = [g.select(weights, h, h + 1) for h in range(op.attrs["heads"])]
            shares = [
                g.pointwise("multiply", [v, w]) for w, (v, _) in zip(many, self._heads(op, values, values), strict=True)
            ]
            return g.pointwise("down", [g.concat(shares)])
        x = self._up(args[0])
        lowered = g.pointwise("subtract", [x, self._up(g.pointwise("peak", [x]))])
        powers = g.pointwise("exp", [lowered])
        total = g.pointwise("down", [powers])
        if op.kind == "softmax_axis":
            return g.pointwise("divide", [powers, self._up(total)])
        return g.pointwise("subtract", [lowered, self._up(g.pointwise("log", [total]))])

    def _heads(self, op: Op, a: Node, b: Node) -> list[tuple[Node, Node]]:
        g, heads = self.graph, op.attrs["heads"]
        size = a.width // heads
        return [(g.select(a, h * size, (h + 1) * size), g.select(b, h * size, (h + 1) * size)) for h in range(heads)]

    def _bilinear(self, op: Op, a: Node, b: Node) -> Node:
        if self.spaces.edge(a) or self.spaces.edge(b):
            a, b = (self._up(x) for x in (a, b))
        value, blocks = bilinear(self.graph, op, a, b)
        self.blocks |= blocks
        return value if op.attrs["bias"] is None else self.graph.pointwise("add", [value, self._parameter(op, "bias")])

    def _pool(self, op: Op, value: Node) -> Node:
        g, how, each = self.graph, op.attrs["how"], self._up(value)
        if how == "max":
            return g.pointwise("largest", [each])
        if how in ("first", "last"):
            each = g.pointwise("multiply", [each, self._given_edge(FIRST if how == "first" else LAST, 1)])
        total = g.pointwise("down", [each])
        if how != "mean":
            return total
        self.reads[SHARE] = 1
        return g.pointwise("multiply", [total, g.node("read", (), 1, (SHARE, 0))])

    def _given_edge(self, name: str, width: int) -> Node:
        """A value from outside for every edge."""
        self.reads[name] = width
        self.spaces.reads.add(name)
        return self.graph.node("read", (), width, (name, 0))

    def _map(self, op: Op, source: Node, weight: str, bias: str | None, rows: int) -> Node:
        total: Node | None = None
        for start, part in parts(source):
            inner = part.args[0] if part.op == "up" else part
            if inner.op == "vector":
                raise Declined(f"{op.node} maps a value that all nodes share inside the loop")
            data = (weight, bias if start == 0 else None, (0, rows), (start, start + part.width))
            term = self.graph.node("linear", (inner,), rows, data)
            term = self._up(term) if part.op == "up" else term
            total = term if total is None else self.graph.add(total, term)
        assert total is not None
        return total

    def _dropout(self, op: Op) -> Node:
        value = self.value(op.inputs[0])
        if not self.training or op.attrs["rate"] == 0:
            return value
        self.masks.append(op)
        name, width, each = f"{op.name}/mask", op.signal.width, bool(op.signal.axes)
        if each and op.attrs["every_step"]:
            return self.graph.pointwise("multiply", [self._up(value), self._given_edge(name, width)])
        self.reads[name] = width
        if not op.attrs["every_step"]:
            self.shared.add(name)
        mask = self.graph.node("read", (), width, (name, 0))
        both = [self._up(value), self._up(mask)] if each else [value, mask]
        return self.graph.pointwise("multiply", both)


def ties(graph: Graph, largest: Node) -> tuple[Node, Node]:
    """For each child whether it has the largest value, and how many have: torch's amax shares the gradient evenly."""
    each = largest.args[0]
    has = graph.node("equal", (each, graph.node("up", (largest,))))
    return has, graph.node("down", (has,))
