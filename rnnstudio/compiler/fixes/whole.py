"""Fixes of what only the whole drawing tells: nothing to train, dead nodes, leaking targets, weights that clash."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ...design.design import MAIN, Node, Pin, Value, Var, Wire, frozen
from ...design.edits import AddNode, Compound, Connect, Edit, RemoveNodes, SetData, SetShared
from ...design.recipe import FieldSpec
from ...design.signals import Signal, Tokens
from ..diagnostics import Fix
from ..units import as_in_file, bounds, unscaled
from .place import Place, size_of


def no_loss(place: Place) -> Iterator[Fix]:
    """A loss for what the drawing ends in, with the readout and the target it needs."""
    graph = place.graph
    read = {wire.source for wire in graph.wires}
    ends = [
        (graph.nodes[key].x, Pin(key, port), signal)
        for (name, key, port), signal in place.checked.signals.items()
        if name == MAIN and Pin(key, port) not in read and not isinstance(signal.content, Tokens)
    ]
    outputs = [wire.source for wire in graph.wires if graph.nodes[wire.target.node].kind == "Output"]
    ends += [(graph.nodes[p.node].x, p, s) for p in outputs if (s := place.signal(p)) is not None]
    targets = sorted(place.fields.values(), key=lambda f: (f.role != "target", not f.shift_of))
    inputs = {n.params.get("field") for n in graph.nodes.values()}
    for _, pin, signal in sorted(ends, key=lambda end: -end[0]):
        kind = place.catalog.of(graph.nodes[pin.node])
        if kind is None or kind.family != "Data":
            for field in targets:
                if field.name not in inputs and (field.axis,) == (signal.axes or (None,)):
                    yield _with_loss(place, pin, signal, field)


def _with_loss(place: Place, pin: Pin, signal: Signal, field: FieldSpec) -> Fix:
    graph, tokens = place.graph, field.content == "tokens"
    at = graph.nodes[pin.node]
    edits: list[Edit] = []
    if size_of(signal) != field.size:
        key = graph.free_id("readout")
        units: Value = Var(f"{field.name}_size") if tokens else field.size
        edits.append(AddNode(Node(key, "Linear", frozen({"units": units}), at.x + 190, at.y)))
        edits.append(Connect(Wire(pin, Pin(key, "input"))))
        pin = Pin(key, "out")
    truth, loss = graph.free_id(field.name), graph.free_id("loss")
    params: dict[str, Value] = {"field": field.name} if field.axis else {"field": field.name, "axis": ""}
    kind = "TokenTarget" if tokens else "FeatureTarget"
    edits.append(AddNode(Node(truth, kind, frozen(params), at.x + 190, at.y + 100)))
    name = "CrossEntropy" if tokens else "MeanSquaredError"
    edits.append(AddNode(Node(loss, name, x=at.x + 380, y=at.y)))
    edits += [Connect(Wire(pin, Pin(loss, "prediction"))), Connect(Wire(Pin(truth, "out"), Pin(loss, "target")))]
    title = f"Add a {place.catalog.kinds[name].title} for “{field.name}”"
    return Compound(tuple(edits), title), title


def dead_node(place: Place) -> Iterator[Fix]:
    """What closes an open input with it; or delete it, what it leads to (dead as well), and what only served these."""
    for found in place.checked.diagnostics:
        if found.code == "Unconnected" and found.graph == MAIN and found.fix is not None:
            yield found.fix, found.fix_title
    graph = place.graph
    gone = {place.node.id}
    todo = [place.node.id]
    while todo:
        key = todo.pop()
        following = {wire.target.node for wire in graph.wires_from(key)} - gone
        gone |= following
        todo += following
    changed = True
    while changed:
        changed = False
        for key in [w.source.node for w in graph.wires if w.target.node in gone and w.source.node not in gone]:
            if all(wire.target.node in gone for wire in graph.wires_from(key)):
                gone.add(key)
                changed = True
    rest = len(gone) - 1
    title = f"Delete {place.node.label}" + (
        f" and {rest} more that serve{'s' * (rest == 1)} nothing else" if rest else ""
    )
    yield RemoveNodes(tuple(key for key in graph.nodes if key in gone)), title


def target_leaks(place: Place) -> Iterator[Fix]:
    """A Delay where the way from the field to the prediction begins."""
    path = place.diagnostic.nodes[1:]
    for key, reader in pairwise(path):
        for wire in place.graph.wires:
            if (wire.source.node, wire.target.node) == (key, reader):
                label = place.graph.nodes[key].label
                yield place.splice(wire, "Delay", {}), f"Insert a Delay behind {label}"


def scaled_target(place: Place) -> Iterator[Fix]:
    """The data's features as the file has them, wherever a loss needs that."""
    data = place.design.data
    if data is not None:
        columns = [c for b in bounds(place.design, place.catalog) if b.node == place.node.id for c in b.columns]
        specs = [(place.fields[field], feature) for field, feature in columns]
        names = dict.fromkeys(spec.columns[f] if spec.columns else spec.name for spec, f in specs if spec.is_scaled(f))
        title = f"Leave {' and '.join(f'“{name}”' for name in names)} as in the file"
        yield SetData(as_in_file(data, unscaled(place.design, place.catalog))), title


def target_out_of_range(place: Place) -> Iterator[Fix]:
    """A loss of any numbers."""
    yield from place.exchanged("MeanSquaredError")


def shared_shapes(place: Place) -> Iterator[Fix]:
    """The same sizes as another node of these weights, or weights of its own."""
    node = place.node
    name = node.shared or node.id
    for other in place.graph.nodes.values():
        if other is not node and other.kind == node.kind and (other.shared or other.id) == name:
            sizes = [p for p in ("units", "terms") if other.params.get(p) != node.params.get(p)]
            edits = tuple(place.set(p, other.params.get(p)) for p in sizes)
            if edits:
                yield Compound(edits, f"Set {node.id}"), f"Give it the sizes of {other.label}"
    yield from _unshared(place, node)


def _unshared(place: Place, node: Node) -> Iterator[Fix]:
    if node.shared:
        yield SetShared(node.id, "", place.name), f"Give {node.label} weights of its own"
        return
    for other in place.graph.nodes.values():
        if other.shared == node.id:
            yield SetShared(other.id, "", place.name), f"Give {other.label} weights of its own"


def shared_settings(place: Place) -> Iterator[Fix]:
    """The settings that hold, for all of the nodes; or weights of their own."""
    nodes = [place.graph.nodes[key] for key in place.diagnostic.nodes]
    first, *others = nodes
    alike = [n for n in others if n.kind == first.kind and n.params.get("cell") == first.params.get("cell")]
    names = [p for p in place.params(first) if p not in ("bias", "terms", "units", "cell", "frozen")]
    differ = [p for p in names if any(n.params.get(p) != first.params.get(p) for n in alike)]
    labels = " and ".join(n.label for n in others)
    some = any(n.params.get("frozen") for n in nodes) and not all(n.params.get("frozen") for n in nodes)
    freeze = [place.set("frozen", True, n) for n in nodes if some and "frozen" in place.params(n)]
    ways = [[], *([p] for p in differ), differ] if differ else [[]]
    for params in ways:
        copied = [place.set(p, first.params.get(p), n) for p in params for n in alike]
        if freeze or copied:
            said = ["Freeze both" if len(nodes) == 2 else "Freeze all"] if freeze else []
            if copied:
                said.append(f"set {', '.join(params)} of {labels} as in {first.label}")
            title = " and ".join(said)
            title = title[:1].upper() + title[1:]
            yield Compound((*freeze, *copied), title), title
    for other in others:
        yield from _unshared(place, other)
