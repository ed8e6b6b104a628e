"""A checked drawing as a list of primitives: cells are inlined, every node writes its meaning, names keep the path."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..catalog.catalog import CELL, REROUTE, Catalog
from ..catalog.node import Context, Mistake, NodeKind
from ..catalog.primitives import PRIMITIVES, Init, Op, Parameter, Value
from ..design.design import Design, Graph, Node, Wire
from ..design.signals import Signal
from .muting import without_muted
from .program import Input, Loss
from .resolve import Variables, cell_params, resolve, variables_of
from .sharing import Clash, SharedParameters

Port = tuple[str, str]
"""(path of a flat node, port)."""


@dataclass(frozen=True, slots=True)
class Flat:
    """A drawing in primitives, not yet in any order of execution (a delay reads a later op)."""

    inputs: tuple[Input, ...]
    ops: tuple[Op, ...]
    parameters: tuple[Parameter, ...]
    losses: tuple[Loss, ...]
    outputs: Mapping[str, str]
    clashes: tuple[Clash, ...] = ()
    """Nodes that share weights and set them differently."""


@dataclass(slots=True)
class _Instance:
    """A graph as it is used at one place: the design's own, or a cell inside it."""

    graph: Graph
    prefix: str
    weights: str
    variables: Variables
    parent: _Instance | None = None
    node: Node | None = None
    children: dict[str, _Instance] = field(default_factory=dict)
    feeds: dict[Port, Wire] = field(default_factory=dict)


@dataclass(slots=True)
class _FlatNode:
    path: str
    weights: str
    node: Node
    kind: NodeKind
    params: Mapping[str, Any]
    feeds: dict[str, Port]
    signals: Mapping[str, Signal | None] = field(default_factory=dict)


def flatten(design: Design, catalog: Catalog, mode: str = "train") -> Flat:
    """Write a design that passes check in primitives. Raises StudioError when shared parameters do not fit.

    mode: see Builder.
    """
    return _Flattener(without_muted(design, catalog), catalog).run(mode)


def parameters_of(
    kind: NodeKind, inputs: Mapping[str, Signal], params: Mapping[str, Any], trees: Collection[str]
) -> tuple[Parameter, ...]:
    """What a node of a kind that reads these signals has to learn, as if it stood alone."""
    writer = _Writer("train", trees)
    writer.enter(kind.name, kind.name, kind.name)
    ordered = {p.name: Value(p.name, inputs[p.name]) for p in kind.input_ports(params) if p.name in inputs}
    kind.build(writer, ordered, params)
    return writer.parameters.settled()


class _Flattener:
    def __init__(self, design: Design, catalog: Catalog) -> None:
        self.design = design
        self.catalog = catalog
        fields = design.data.readable if design.data is not None else {}
        self.context = Context(fields, design.axes)
        self.nodes: dict[str, _FlatNode] = {}

    def run(self, mode: str) -> Flat:
        root = self._instance(self.design.graph, "", "", variables_of(self.design), None, None)
        self._collect(root)
        order = self._order()
        self._infer(order)
        writer = _Writer(mode, self.context.trees)
        values: dict[Port, Value] = {}
        late: dict[str, Port] = {}
        for path in order:
            flat = self.nodes[path]
            inputs: dict[str, Value] = {}
            for port, source in flat.feeds.items():
                if port in flat.kind.late_ports:
                    signal = self.nodes[source[0]].signals[source[1]]
                    assert signal is not None
                    inputs[port] = Value(f"?{path}.{port}", signal)
                    late[inputs[port].name] = source
                else:
                    inputs[port] = values[source]
            writer.enter(flat.path, flat.weights, flat.node.kind)
            ordered = {p.name: inputs[p.name] for p in flat.kind.input_ports(flat.params) if p.name in inputs}
            if flat.kind.family == "Data" and flat.kind.outputs:
                results: Mapping[str, Value] = {"out": self._field(writer, flat)}
            else:
                results = flat.kind.build(writer, ordered, flat.params)
            for port, value in results.items():
                values[path, port] = writer.turned(port, value, flat.signals[port])
        names = {name: values[source].name for name, source in late.items()}
        return writer.finish(names)

    def _instance(
        self,
        graph: Graph,
        prefix: str,
        weights: str,
        variables: Variables,
        parent: _Instance | None,
        node: Node | None,
    ) -> _Instance:
        here = _Instance(graph, prefix, weights, variables, parent, node)
        here.feeds = {(w.target.node, w.target.port): w for w in graph.wires}
        for inner in graph.nodes.values():
            if inner.kind == CELL:
                cell = self.design.cells[str(inner.params["cell"])]
                values, _ = resolve(inner, cell_params(cell), variables)
                path = f"{prefix}{inner.id}."
                names = f"{weights}{inner.shared or inner.id}."
                here.children[inner.id] = self._instance(cell.graph, path, names, values, here, inner)
        return here

    def _source(self, instance: _Instance, node: str, port: str) -> Port | None:
        """The primitive-level output that drives an input port, through cell borders; None when nothing does."""
        wire = instance.feeds.get((node, port))
        if wire is None:
            return None
        source = instance.graph.nodes[wire.source.node]
        if source.kind == REROUTE:
            return self._source(instance, source.id, "input")
        if source.kind == CELL:
            return self._source(instance.children[source.id], wire.source.port, "input")
        if source.kind == "CellInput":
            assert instance.parent is not None
            assert instance.node is not None
            return self._source(instance.parent, instance.node.id, source.id)
        return instance.prefix + source.id, wire.source.port

    def _collect(self, instance: _Instance) -> None:
        for node in instance.graph.nodes.values():
            if node.kind == CELL:
                self._collect(instance.children[node.id])
                continue
            kind = self.catalog.kinds[node.kind]
            if kind.family == "Cell" or node.kind == REROUTE:
                continue
            params, _ = resolve(node, kind.params, instance.variables)
            feeds = {}
            for port in kind.input_ports(params):
                source = self._source(instance, node.id, port.name)
                if source is not None:
                    feeds[port.name] = source
            path = instance.prefix + node.id
            weights = instance.weights + (node.shared or node.id)
            self.nodes[path] = _FlatNode(path, weights, node, kind, params, feeds)

    def _order(self) -> list[str]:
        """Paths so that each node comes after what it reads in the same step; drawing order where that is free."""
        order: list[str] = []
        done: set[str] = set()
        for start in self.nodes:
            stack = [(start, False)]
            while stack:
                path, ready = stack.pop()
                if path in done:
                    continue
                if ready:
                    done.add(path)
                    order.append(path)
                    continue
                stack.append((path, True))
                flat = self.nodes[path]
                feeds = [s for port, (s, _) in flat.feeds.items() if port not in flat.kind.late_ports]
                stack += [(source, False) for source in reversed(feeds) if source not in done]
        return order

    def _infer(self, order: list[str]) -> None:
        changed = True
        while changed:
            changed = False
            for path in order:
                flat = self.nodes[path]
                inputs: dict[str, Signal | None] = {
                    port: self.nodes[source].signals.get(name) for port, (source, name) in flat.feeds.items()
                }
                try:
                    signals = flat.kind.infer(inputs, flat.params, self.context)
                except Mistake as mistake:  # of shapes that are not final yet: the design as a whole has passed check
                    signals = mistake.outputs or flat.signals
                if signals != flat.signals:
                    flat.signals = signals
                    changed = True

    def _field(self, writer: _Writer, flat: _FlatNode) -> Value:
        signal = flat.signals["out"]
        assert signal is not None
        target = bool(getattr(flat.kind, "target", False))
        name = str(flat.params["field"])
        spec = self.context.fields.get(name)
        shift = (spec.shift_of, spec.shift) if spec is not None else ("", 0)
        return writer.field(name, signal, target, shift)


class _Writer:
    """The Builder that nodes write into."""

    def __init__(self, mode: str, trees: Collection[str]) -> None:
        self.mode = mode
        self.trees = trees
        self.path = ""
        self.weights = ""
        self.kind = ""
        self.inputs: list[Input] = []
        self.ops: dict[str, Op] = {}
        self.parameters = SharedParameters()
        self.losses: list[Loss] = []
        self.outputs: dict[str, str] = {}

    def enter(self, path: str, weights: str, kind: str) -> None:
        self.path, self.weights, self.kind = path, weights, kind

    def field(self, field_name: str, signal: Signal, target: bool, shift: tuple[str, int]) -> Value:
        self.inputs.append(Input(self.path, field_name, signal, target, *shift))
        return Value(self.path, signal)

    def op(self, kind: str, inputs: Sequence[Value], signal: Signal, *, name: str = "", **attrs: Any) -> Value:
        if kind not in PRIMITIVES:
            raise ValueError(f"{kind} is no primitive")
        full = f"{self.path}/{name}" if name else self.path
        if full in self.ops:
            raise ValueError(f"two operations are called {full}")
        self.ops[full] = Op(full, kind, tuple(v.name for v in inputs), signal, self.path, attrs)
        return Value(full, signal)

    def turned(self, port: str, value: Value, wanted: Signal | None) -> Value:
        """The value at a port, its axes in the order that the shape rule promised to who reads it late."""
        if wanted is None or value.signal.axes == wanted.axes:
            return value
        if set(value.signal.axes) != set(wanted.axes):
            raise ValueError(f"{self.path} is {value.signal.text()} but its shape rule says {wanted.text()}")
        return self.op("align", (value,), wanted, name=f"turned_{port}", axes=wanted.axes, present=value.signal.axes)

    def parameter(self, name: str, shape: Sequence[int], init: Init, *, trainable: bool = True) -> str:
        path = f"{self.weights}.{name}"
        wanted = Parameter(path, tuple(shape), init, trainable)
        self.parameters.ask(wanted, self.path, self.weights, self.kind)
        return path

    def broadcast(self, values: Sequence[Value]) -> tuple[tuple[str, ...], list[Value]]:
        axes: tuple[str, ...] = max((v.signal.axes for v in values), key=len, default=())
        for value in values:
            axes += tuple(a for a in value.signal.axes if a not in axes)
        aligned = []
        for value in values:
            have = value.signal.axes
            if have != axes[len(axes) - len(have) :]:
                signal = Signal(axes, value.signal.content)
                value = self.op("align", (value,), signal, name=f"align{len(self.ops)}", axes=axes, present=have)
            aligned.append(value)
        return axes, aligned

    def loss(
        self,
        value: Value,
        weight: float,
        prediction: Value,
        target: Value,
        *,
        classes: bool = False,
        link: str = "",
    ) -> None:
        self.losses.append(Loss(self.path, value.name, weight, prediction.name, target.name, classes, link))

    def output(self, name: str, value: Value) -> None:
        self.outputs[name or self.path] = value.name

    def _for_their_axes(self, live: set[str], ops: Iterable[Op]) -> set[str]:
        """Inputs that nothing reads, but that alone say how long an axis is (something is repeated along it)."""
        known = {axis for i in self.inputs if i.name in live for axis in i.signal.axes}
        found: set[str] = set()
        for axis in dict.fromkeys(axis for op in ops for axis in op.signal.axes):
            if axis not in known:
                found |= {i.name for i in self.inputs if axis in i.signal.axes}
        return found

    def finish(self, names: Mapping[str, str]) -> Flat:
        """Put the real sources into the delays, drop what leads nowhere, and name the outputs."""
        ops = {name: replace(op, inputs=tuple(names.get(i, i) for i in op.inputs)) for name, op in self.ops.items()}
        outputs = self.outputs or {loss.node: loss.prediction for loss in self.losses}
        live: set[str] = set()
        todo = [*outputs.values(), *(loss.value for loss in self.losses)]
        while todo:
            name = todo.pop()
            if name not in live:
                live.add(name)
                todo += ops[name].inputs if name in ops else ()
            if not todo:
                todo += _names_of_their_axes(live, ops)
        kept = tuple(op for op in ops.values() if op.name in live)
        used = {p for op in kept for key in ("weight", "bias", "mean", "variance") if (p := op.attrs.get(key))}
        parameters = tuple(p for p in self.parameters.settled() if p.path in used)
        inputs = tuple(i for i in self.inputs if i.name in live | self._for_their_axes(live, kept))
        return Flat(inputs, kept, parameters, tuple(self.losses), outputs, self.parameters.clashes())


def _names_of_their_axes(live: set[str], ops: Mapping[str, Op]) -> list[str]:
    """Renamings that nothing reads, but that alone say which axis a name stands for."""
    axes = {axis for name in live if name in ops for axis in ops[name].signal.axes}
    said = {op.attrs["to"] for name in live if (op := ops.get(name)) is not None and op.kind == "rename"}
    return [op.name for op in ops.values() if op.kind == "rename" and op.attrs["to"] in axes - said]
