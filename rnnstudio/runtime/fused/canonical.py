"""A scan in canonical form: step = (product → pointwise)*, whatever way it was drawn.

Torch-free. Every linear map becomes part of a *slot*, a place for pre-activations: maps of inputs go into it for all
steps at once, maps of states or of values computed in the step are added to it inside the loop. Maps that are summed
share a slot. A map of values side by side (`W [x, h]`) is split into one map each, so that W_x x leaves the loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ...catalog.primitives import POINTWISE_BINARY, POINTWISE_UNARY, Op
from ...compiler.program import Map, Scan, State
from ...design.signals import Signal, Tokens
from .expressions import LEAVES, SOURCED, Graph, Node, parts, reachable
from .plain_form import Plain, PlainStage, crossed_axes, numbered


class Declined(Exception):  # noqa: N818 - not an error: another lowering runs the loop
    """The loop does not fit; says why in words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """W[rows, columns] · source, added to a slot. source: a read (hoisted), a state, or a value of the step."""

    source: Node
    weight: str
    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def hoisted(self) -> bool:
        return self.source.op == "read"


@dataclass(frozen=True, slots=True)
class Slot:
    """Pre-activations of one sum of linear maps. biases: (path, first row, last row + 1)."""

    width: int
    pieces: tuple[Piece, ...]
    biases: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class LoopState:
    """A state: `width` numbers a row, read k steps after they were made; `source` makes the new ones."""

    delay: str
    k: int
    width: int
    source: Node


@dataclass(frozen=True, slots=True)
class VectorMap:
    """The vector `name` = W[rows, columns] · the vector `source`, from its column `start` on, + bias."""

    name: str
    source: str
    start: int
    weight: str
    bias: str | None
    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Form:
    """A loop in canonical form.

    reads: outside values [time, batch, width] by name; vectors: those without time, [batch, width] (or a parameter
    [width], see `parameters`: name → path). masks: dropout ops whose mask is a read or vector of that name.
    before: projections that lack an axis of the loop's values and are computed before the loop as they are.
    further: axes of the loop's values beside its own; they join the batch (see runtime.rows).
    apart: states whose new value has nodes of its own, so that the gradient of those is the state's.
    plain: what runs in plain torch. maps: vectors that are maps of other vectors.
    embedded: states that are rows of a table, looked up for the next value of a state that is a token, by their name.
    """

    graph: Graph
    forward: bool
    slots: tuple[Slot, ...]
    states: tuple[LoopState, ...]
    yields: tuple[tuple[str, Node], ...]
    reads: Mapping[str, int]
    vectors: Mapping[str, int]
    parameters: Mapping[str, str]
    masks: tuple[Op, ...]
    before: tuple[Op, ...]
    further: tuple[str, ...] = ()
    plain: Plain | None = None
    maps: tuple[VectorMap, ...] = ()
    embedded: Mapping[str, tuple[State, Op]] = field(default_factory=dict)
    apart: frozenset[str] = frozenset()


def canonical(
    scan: Scan,
    signals: Mapping[str, Signal],
    parameters: Mapping[str, str],
    training: bool,
    aligned: Mapping[str, Op] = MappingProxyType({}),
) -> Form:
    """The canonical form of a scan. Raises Declined with the reason.

    signals: of every value outside of loops; parameters: ops of kind "parameter" → path of the weight.
    training: whether dropout inside the loop is on. aligned: values that are others, repeated along further axes: where
    that is the loop's axis alone, the loop reads the other.
    """
    if scan.tree:
        raise Declined("it runs over a tree")
    if len(scan.body) != 1 or not isinstance(scan.body[0], Map):
        raise Declined("it has a loop inside")
    return _Reader(_with_shorter(scan, aligned), signals, parameters, training).form()


class _Reader:
    def __init__(
        self, scan: Scan, signals: Mapping[str, Signal], parameters: Mapping[str, str], training: bool
    ) -> None:
        self.scan = scan
        self.signals = signals
        self.training = training
        self.known = parameters
        self.graph = Graph()
        self.nodes: dict[str, Node] = {}
        self.reads: dict[str, int] = {}
        self.vectors: dict[str, int] = {}
        self.parameters: dict[str, str] = {}
        self.masks: list[Op] = []
        self.before: list[Op] = []
        self.maps: list[VectorMap] = []
        self.ops, self.embedded = self._without_tokens()
        self.crossed = crossed_axes(scan, self.ops, signals, training)
        self.stage_of = numbered(self.ops, self.crossed, training)
        self.further = self._further()
        self.made = {op.name for op in self.ops} | {s.delay for s in scan.states} | set(self.embedded)

    def form(self) -> Form:
        scan = self.scan
        made = [(s.delay, s.k, s.signal.width, s.source) for s in scan.states if not _is_token(s.signal)]
        made += [(name, s.k, op.signal.width, f"{name}/next") for name, (s, op) in self.embedded.items()]
        for delay, _, width, _ in made:
            self.nodes[delay] = self.graph.node("state", (), width, (delay, 0))
        for op in scan.projections:
            self._projection(op)
        inputs: list[dict[str, tuple[Node, ...]]] = [{} for _ in set(self.stage_of.values())]
        for op in self.ops:
            if op.name in self.stage_of:
                self._plain(op, inputs[self.stage_of[op.name]])
            else:
                self.nodes[op.name] = self._value(op)
        real = [s for s in scan.states if not _is_token(s.signal)]
        apart = frozenset(s.delay for s in real if self._apart(s.source, self.ops))
        slots = _Slots(self.graph)
        yields = [name for name in scan.yields if name in self.nodes or name not in self.made]
        roots = [self.value(source) for _, _, _, source in made] + [self.value(name) for name in yields]
        copies = [node for stage in inputs for nodes in stage.values() for node in nodes]
        filled = slots.fill([*roots, *copies])
        roots, copies = filled[: len(roots)], filled[len(roots) :]
        n = len(made)
        states = tuple(
            LoopState(delay, abs(k), width, root) for (delay, k, width, _), root in zip(made, roots[:n], strict=True)
        )
        plain = self._plain_stages(inputs, iter(copies), yields)
        roots += copies
        used = {node.data[0] for node in reachable([*roots, *slots.sources()]) if node.op in ("read", "vector")}
        return Form(
            graph=self.graph,
            forward=scan.forward,
            slots=tuple(slots.made),
            states=states,
            yields=tuple(zip(yields, roots[n : n + len(yields)], strict=True)),
            reads={name: width for name, width in self.reads.items() if name in used},
            vectors={name: width for name, width in self.vectors.items() if name in used},
            parameters=self.parameters,
            masks=tuple(self.masks),
            before=tuple(self.before),
            further=self.further,
            apart=apart,
            plain=plain,
            maps=tuple(self.maps),
            embedded=self.embedded,
        )

    def _apart(self, source: str, ops: tuple[Op, ...]) -> bool:
        """Whether all that is made of the value `source` is made of its nodes, and nothing else is."""
        pieces = [part for _, part in parts(self.value(source))]
        own = {part.number for part in pieces}
        if own & self.graph.cut or any(part.op in LEAVES for part in pieces):
            return False
        made_of_it = {source}
        for op in ops:
            if op.name == source and set(op.signal.axes) != set(self.further):
                return False
            if not made_of_it.isdisjoint(op.inputs):
                made_of_it.add(op.name)
        if not made_of_it.isdisjoint(self.stage_of):  # what a plain stage sends back is not kept
            return False
        others = (self.nodes[op.name] for op in ops if op.name not in made_of_it and op.name in self.nodes)
        return not any(part.number in own for node in others for _, part in parts(node))

    def _without_tokens(self) -> tuple[tuple[Op, ...], dict[str, tuple[State, Op]]]:
        """The operations of a step, and states that are rows of a table in place of those that are tokens.

        A token is looked up before it is delayed, not after.
        """
        body = self.scan.body[0]
        assert isinstance(body, Map)
        ops, embedded = list(body.ops), dict[str, tuple[State, Op]]()
        made = {op.name for op in ops}
        for state in self.scan.states:
            if not _is_token(state.signal):
                continue
            readers = [op for op in body.ops if state.delay in op.inputs]
            if state.source not in made or state.delay in self.scan.yields or state.signal.axes:
                raise Declined("its state is a token that is no value of the step before")
            if any(op.kind != "embed" for op in readers):
                raise Declined("its state is a token that is not only looked up in a table")
            for op in readers:
                embedded[op.name] = (state, op)
                ops.remove(op)
                ops.append(replace(op, name=f"{op.name}/next", inputs=(state.source,)))
        return tuple(ops), embedded

    def _further(self) -> tuple[str, ...]:
        """The axes that values of the fused part have."""
        for state in self.scan.states:
            for axis in state.signal.axes:
                if axis in self.crossed:
                    node, kind = self.crossed[axis].node, self.crossed[axis].kind
                    raise Declined(f"its state has the axis “{axis}”, and {node} ({kind}) needs it as a whole")
        axes = [axis for state in self.scan.states for axis in state.signal.axes]
        axes += [axis for op in self.ops if op.name not in self.stage_of for axis in op.signal.axes]
        if axes and self.stage_of:
            raise Declined(f"its values have the axis “{axes[0]}” beside what {next(iter(self.stage_of))} works on")
        return tuple(dict.fromkeys(axes))

    def _plain(self, op: Op, inputs: dict[str, tuple[Node, ...]]) -> None:
        """Note what a plain operation reads of the step, and let the step read it."""
        for name in op.inputs:
            if name in self.stage_of or name in inputs or (name not in self.made and name not in self.nodes):
                continue
            copies = [self.graph.node("copy", (part,), part.width, (name,)) for _, part in parts(self.nodes[name])]
            inputs[name] = tuple(copies)
        if not op.signal.axes and not _is_token(op.signal):
            self.nodes[op.name] = self.graph.node("plain", (), op.signal.width, (op.name, 0))

    def _plain_stages(
        self, inputs: list[dict[str, tuple[Node, ...]]], copies: Iterator[Node], yields: list[str]
    ) -> Plain | None:
        if not self.stage_of:
            return None
        fused_ops = [op for op in self.ops if op.name not in self.stage_of]
        read = {name for op in fused_ops for name in op.inputs} | set(yields)
        read |= {s.source for s in self.scan.states} | {f"{name}/next" for name in self.embedded}
        stages, outside = [], dict[str, None]()
        for number, given in enumerate(inputs):
            ops = tuple(op for op in self.ops if self.stage_of.get(op.name) == number)
            outputs = tuple((op.name, op.signal.width) for op in ops if op.name in read and op.name in self.nodes)
            own = tuple((name, tuple(next(copies) for _ in nodes)) for name, nodes in given.items())
            stages.append(PlainStage(ops, own, outputs))
            known = {*self.stage_of, *(name for stage in inputs for name in stage)}
            outside |= dict.fromkeys(name for op in ops for name in op.inputs if name not in known)
        tokens = {s.delay: s.source for s in self.scan.states if _is_token(s.signal)}
        apart = tuple(name for name in self.scan.yields if name not in yields)
        return Plain(tuple(stages), tuple(outside), apart, tokens)

    def value(self, name: str) -> Node:
        """The node of a value of the step, a state, or a leaf for what comes from outside."""
        if name not in self.nodes:
            signal = self.signals[name]
            others = [axis for axis in signal.axes if axis not in (self.scan.axis, *self.further)]
            if others:
                raise Declined(f"it reads {name}, which has the axis “{others[0]}”")
            if isinstance(signal.content, Tokens):
                raise Declined(f"it reads tokens, {name}, step by step")
            if self.scan.axis in signal.axes:
                self.reads[name] = signal.width
                self.nodes[name] = self.graph.node("read", (), signal.width, (name, 0))
            else:
                self._vector(name, signal.width)
        return self.nodes[name]

    def _vector(self, name: str, width: int) -> None:
        self.vectors[name] = width
        if name in self.known:
            self.parameters[name] = self.known[name]
        self.nodes[name] = self.graph.node("vector", (), width, (name, 0))

    def _projection(self, op: Op) -> None:
        axes = set(op.signal.axes)
        if axes == {self.scan.axis, *self.further}:
            self.nodes[op.name] = self._value(op)
            return
        self.before.append(op)

    def _value(self, op: Op) -> Node:
        g, kind = self.graph, op.kind
        if kind == "dropout":
            return self._dropout(op)
        if kind == "choose":
            return self._choose(op)
        args = [self.value(name) for name in op.inputs]
        if kind in POINTWISE_UNARY or kind in POINTWISE_BINARY:
            return g.pointwise(kind, args)
        if kind == "affine":
            source = args[0]
            return g.concat([g.affine(part, op.attrs["scale"], op.attrs["offset"]) for _, part in parts(source)])
        if kind == "concat":
            return g.concat(args)
        if kind == "slice":
            return g.select(args[0], op.attrs["start"], op.attrs["stop"])
        if kind == "align":
            return args[0]
        if kind == "linear":
            return self._linear(op, args[0])
        if kind == "softmax":
            return g.softmax(args[0])
        if kind == "log_softmax":
            return g.log_softmax(args[0])
        if kind == "fold":
            share = 1.0 if op.attrs["how"] == "sum" else 1.0 / args[0].width
            return g.multiply(g.total(args[0]), g.const(share))
        if kind == "layer_norm":
            return self._scaled(op, g.normalised(args[0], op.attrs["epsilon"]))
        if kind == "batch_norm" and not self.training:
            mean, variance = self._parameter(op, "mean"), self._parameter(op, "variance")
            centred = g.pointwise("subtract", [args[0], mean])
            rate = g.unary("rsqrt", g.add(variance, g.const(op.attrs["epsilon"])))
            return self._scaled(op, g.pointwise("multiply", [centred, rate]))
        raise Declined(f"{op.node} is a {kind}, which is no linear map and not elementwise")

    def _scaled(self, op: Op, value: Node) -> Node:
        for kind, attr in (("multiply", "weight"), ("add", "bias")):
            if op.attrs[attr] is not None:
                value = self.graph.pointwise(kind, [value, self._parameter(op, attr)])
        return value

    def _parameter(self, op: Op, attr: str) -> Node:
        name = f"{op.name}/{attr}"
        self.known = {**self.known, name: op.attrs[attr]}
        self._vector(name, op.signal.width)
        return self.nodes[name]

    def _choose(self, op: Op) -> Node:
        g, (true, own) = self.graph, (self.value(name) for name in op.inputs)
        self.masks.append(op)
        name = f"{op.name}/mask"
        self.reads[name] = 1
        take = g.node("read", (), 1, (name, 0))
        rest = g.affine(take, -1.0, 1.0)
        return g.pointwise("add", [g.pointwise("multiply", [take, true]), g.pointwise("multiply", [rest, own])])

    def _linear(self, op: Op, source: Node) -> Node:
        weights, biases = op.attrs["weight"], op.attrs["bias"]
        if isinstance(weights, str):
            return self._map(op, source, weights, biases, op.signal.width)
        rest = op.signal.width // len(weights)
        widths = op.attrs.get("rows") or self._rows(op, rest)
        maps = zip(weights, biases, widths, strict=True)
        return self.graph.concat([self._map(op, source, w, b, rows) for w, b, rows in maps])

    def _rows(self, op: Op, even: int) -> list[int]:
        """The heights of joined matrices: the slices that follow the joined product tell them."""
        body = self.scan.body[0]
        assert isinstance(body, Map)
        cuts = [o for o in (*self.scan.projections, *body.ops) if o.kind == "slice" and o.inputs[0] == op.name]
        rows = [o.attrs["stop"] - o.attrs["start"] for o in cuts]
        return rows if len(rows) == len(op.attrs["weight"]) else [even] * len(op.attrs["weight"])

    def _map(self, op: Op, source: Node, weight: str, bias: str | None, rows: int) -> Node:
        total: Node | None = None
        for start, part in parts(source):
            if part.op == "vector":
                term = self._vector_map(op, part, weight, bias if start == 0 else None, rows, start)
                total = term if total is None else self.graph.add(total, term)
                continue
            data = (weight, bias if start == 0 else None, (0, rows), (start, start + part.width))
            term = self.graph.node("linear", (part,), rows, data)
            total = term if total is None else self.graph.add(total, term)
        assert total is not None
        return total

    def _vector_map(self, op: Op, part: Node, weight: str, bias: str | None, rows: int, start: int) -> Node:
        """A map of a value without time is done before the loop."""
        source, first = part.data
        name = f"{op.name}/{weight}/{start}"
        self.maps.append(VectorMap(name, source, first, weight, bias, (0, rows), (start, start + part.width)))
        self.vectors[name] = rows
        return self.graph.node("vector", (), rows, (name, 0))

    def _dropout(self, op: Op) -> Node:
        value = self.value(op.inputs[0])
        if not self.training or op.attrs["rate"] == 0:
            return value
        self.masks.append(op)
        name, width = f"{op.name}/mask", op.signal.width
        if op.attrs["every_step"]:
            self.reads[name] = width
            mask = self.graph.node("read", (), width, (name, 0))
        else:
            self.vectors[name] = width
            mask = self.graph.node("vector", (), width, (name, 0))
        return self.graph.pointwise("multiply", [value, mask])


def _with_shorter(scan: Scan, aligned: Mapping[str, Op]) -> Scan:
    """The loop, with what is the same at all its steps read as one value without time."""
    body = scan.body[0]
    assert isinstance(body, Map)
    shorter: dict[str, str] = {}
    for name in {name for op in body.ops for name in op.inputs} & aligned.keys():
        op = aligned[name]
        rest = tuple(axis for axis in op.signal.axes if axis != scan.axis)
        if scan.axis in op.signal.axes and tuple(op.attrs["present"]) == rest:
            shorter[name] = op.inputs[0]
    if not shorter:
        return scan
    ops = (replace(op, inputs=tuple(shorter.get(name, name) for name in op.inputs)) for op in body.ops)
    return replace(scan, body=(Map(tuple(ops)),))


def _is_token(signal: Signal) -> bool:
    return isinstance(signal.content, Tokens)


class _Slots:
    """Replaces linear maps by slots; maps with no other use that are summed share one."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made: list[Slot] = []
        self._uses: dict[int, int] = {}
        self._done: dict[int, Node] = {}

    def sources(self) -> list[Node]:
        return [piece.source for slot in self.made for piece in slot.pieces]

    def fill(self, roots: list[Node]) -> list[Node]:
        for node in reachable(roots):
            for arg in node.args:
                self._uses[arg.number] = self._uses.get(arg.number, 0) + 1
        for root in roots:
            self._uses[root.number] = self._uses.get(root.number, 0) + 1
        for node in reachable(roots):
            if node.op == "linear" and self._uses[node.number] == 1:
                continue
            if node.op == "add" and self._uses[node.number] == 1:
                continue
            self._rebuilt(node)
        return [self._rebuilt(root) for root in roots]

    def _rebuilt(self, node: Node) -> Node:
        if node.number not in self._done:
            self._done[node.number] = self._rebuild(node)
        return self._done[node.number]

    def _rebuild(self, node: Node) -> Node:
        if node.op == "linear":
            return self._slot([node])
        if node.op == "add":
            terms = self._terms(node, node.width)
            maps = [t for t in terms if t.op == "linear" and self._uses[t.number] == 1 and t.width == node.width]
            if maps:
                total = self._slot(maps)
                for term in terms:
                    if term not in maps:
                        total = self.graph.add(total, self._rebuilt(term))
                return total
        if not node.args:
            return node
        args = [self._rebuilt(a) for a in node.args]
        return self.graph.concat(args) if node.op == "concat" else self.graph.node(node.op, args, node.width, node.data)

    def _terms(self, node: Node, width: int) -> list[Node]:
        found: list[Node] = []
        for arg in node.args:
            if arg.op == "add" and self._uses[arg.number] == 1 and arg.width == width:
                found += self._terms(arg, width)
            else:
                found.append(arg)
        return found

    def _slot(self, maps: list[Node]) -> Node:
        pieces, biases = [], []
        for m in maps:
            weight, bias, rows, columns = m.data
            source = m.args[0] if m.args[0].op in SOURCED else self._rebuilt(m.args[0])
            for start, part in parts(source):
                here = (columns[0] + start, columns[0] + start + part.width)
                pieces.append(Piece(part, weight, rows, here))
            if bias is not None:
                biases.append((bias, *rows))
        self.made.append(Slot(maps[0].width, tuple(pieces), tuple(biases)))
        return self.graph.node("slot", (), maps[0].width, (len(self.made) - 1, 0))
