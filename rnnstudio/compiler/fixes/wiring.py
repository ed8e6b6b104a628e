"""Fixes of wires: inputs that are open, fed twice or not there, and loops without a Delay."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from math import hypot

from ...catalog.node import Port
from ...design.bringing import bring
from ...design.design import MAIN, Node, Pin, Value, Var, Wire, frozen
from ...design.edits import AddNode, Compound, Connect, Disconnect, RemoveNodes, SetParam
from ...design.signals import Tokens
from ..diagnostics import Fix
from .place import Place, content_fits, reached_within_step, size_of

FEEDBACK = "Feedback"
NEAREST = 5
"""Sources that are tried for an open input."""


def unconnected(place: Place) -> Iterator[Fix]:
    """The nearest signal that fits; a new input or target from the data; or fewer inputs."""
    node, name = place.node, place.diagnostic.port
    if place.source(name) is not None:
        return  # wired to a cell's optional input that is open where the cell is used
    port = next((p for p in place.ports(node)[0] if p.name == name), None)
    if port is None:
        return
    sources = _sources(place, port)[:NEAREST]
    fixes: list[Fix] = [
        (Connect(Wire(pin, Pin(node.id, name)), place.name), f"Connect {place.label(pin)} to “{name}”")
        for pin in sources
    ]
    yield from fixes
    for pin, fix in list(zip(sources, fixes, strict=True))[:2]:
        truth = place.signal(pin)
        if name == "target" and truth is not None:
            field = truth.content.field if isinstance(truth.content, Tokens) else ""
            units = Var(f"{field}_size") if place.name == MAIN and field in place.fields else size_of(truth)
            yield from _as_wide(place, units, fix)
    target = place.incoming("target") if name == "prediction" else None
    if target is not None:
        for pin in sources[:2]:
            yield from _through_readout(place, pin, size_of(target))
    if place.node.kind != FEEDBACK:  # what it gives back is the network's own, no data
        yield from _from_data(place, port)
    terms = place.params(node).get("terms")
    count = node.params.get("terms", terms.default if terms is not None else 0)
    if terms is not None and isinstance(count, int) and name == place.ports(node)[0][-1].name:
        yield place.set("terms", count - 1), f"Set terms to {count - 1}"
    yield from place.deleted()


def _through_readout(place: Place, pin: Pin, width: int) -> Iterator[Fix]:
    """A new Linear from a signal to a loss."""
    source, node = place.graph.nodes[pin.node], place.node
    key = place.graph.free_id("readout")
    linear = Node(key, "Linear", frozen({"units": width}), (source.x + node.x) / 2, (source.y + node.y) / 2)
    wires = (Wire(pin, Pin(key, "input")), Wire(Pin(key, "out"), Pin(node.id, "prediction")))
    title = f"Connect {place.label(pin)} by a Linear of {width} units"
    yield Compound((AddNode(linear, place.name), *(Connect(w, place.name) for w in wires)), title), title


def _sources(place: Place, port: Port) -> list[Pin]:
    """Outputs whose content fits, best first: unread ones, those left of the node, the nearest."""
    node, graph = place.node, place.graph
    kinds = {key: place.catalog.of(n) for key, n in graph.nodes.items()}
    late = {key: kind.late_ports for key, kind in kinds.items() if kind is not None}
    after = reached_within_step(node.id, graph.wires, late)
    is_late = port.name in late.get(node.id, ())
    read = {wire.source for wire in graph.wires}
    fed_back = node.kind == FEEDBACK and port.name == "prediction"
    judged = _judged(place) if fed_back else set()
    scored: list[tuple[float, str, Pin]] = []
    for (name, key, output), signal in place.checked.signals.items():
        if name != place.name or key not in graph.nodes or not content_fits(signal, port.content):
            continue
        source, kind = graph.nodes[key], kinds[key]
        target = bool(getattr(kind, "target", False))
        if (key in after and not is_late) or (target and port.name not in ("target", "along")):
            continue
        if port.name == "target" and (kind is None or kind.family != "Data"):
            continue  # a prediction is no truth
        if key == node.id or (fed_back and (source.kind == FEEDBACK or (kind is not None and kind.family == "Data"))):
            continue  # nor is the truth, or what was said a step before, a prediction
        pin = Pin(key, output)
        score = hypot(node.x - source.x, node.y - source.y)
        score += 1000 if source.x >= node.x and not is_late else 0
        # What a node is there for is its first output: a cell's h, not its memory c, unless that is asked for by name.
        aside = output != place.ports(source)[1][0].name and not port.name.startswith(output)
        score += 500 if aside else -400 if pin not in read else 0
        score -= 3000 if pin in judged else 0
        score += 300 if is_late and source.kind == "Linear" else 0  # a state is what comes behind it
        score -= 2000 if (target and port.name == "target") or (is_late and key in after) else 0
        scored.append((score, str(pin), pin))
    return [pin for _, _, pin in sorted(scored)]


def _judged(place: Place) -> set[Pin]:
    """What the losses compare with this Feedback's own target: the prediction it gives back."""
    truth = place.source("target")
    same = [w.target.node for w in place.graph.wires if truth is not None and w.source == truth]
    pins = (place.source("prediction", place.graph.nodes[key]) for key in same if key != place.node.id)
    return {pin for pin in pins if pin is not None}


def feeds_itself(place: Place) -> Iterator[Fix]:
    """The network's prediction in the place of its own output."""
    wire = place.diagnostic.wires[0]
    port = next(p for p in place.ports(place.node)[0] if p.name == wire.target.port)
    for pin in [pin for pin in _sources(place, port) if pin != wire.source][:NEAREST]:
        title = f"Connect {place.label(pin)} to “{port.name}”"
        edits = (Disconnect((wire,), place.name), Connect(Wire(pin, wire.target), place.name))
        yield Compound(edits, title), title


def _from_data(place: Place, port: Port) -> Iterator[Fix]:
    """A new node for a field of the data."""
    if place.name != MAIN:
        return
    role = "Target" if port.name == "target" else "Input"
    drawn = {n.params.get("field") for n in place.graph.nodes.values()}
    fields = sorted(place.fields.values(), key=lambda f: ((f.role == "target") != (role == "Target"), f.name in drawn))
    for field in fields:
        content = "Token" if field.content == "tokens" else "Feature"
        if port.content in ("any", "tokens" if content == "Token" else "real"):
            params: dict[str, Value] = {"field": field.name} if field.axis else {"field": field.name, "axis": ""}
            wanted = field.name if field.name not in place.graph.nodes else f"{field.name}_{role.lower()}"
            for fix in place.added(f"{content}{role}", params, port.name, wanted, 100.0 if role == "Target" else 0.0):
                yield fix
                if role == "Target":
                    units = Var(f"{field.name}_size") if field.content == "tokens" else field.size
                    yield from _as_wide(place, units, fix)


def _as_wide(place: Place, units: Value, fix: Fix) -> Iterator[Fix]:
    """With a new target, a prediction of its size: the Linear in front of the loss takes it, or a new one has it."""
    source, (edit, title) = place.source("prediction"), fix
    if source is None:
        return
    reader = place.graph.nodes[source.node]
    if reader.kind == "Linear":
        both = Compound((edit, place.set("units", units, reader)), title)
        yield both, f"{title}, and set the units of {reader.label}"
        return
    between = place.splice(Wire(source, Pin(place.node.id, "prediction")), "Linear", {"units": units})
    yield Compound((edit, between), title), f"{title}, and insert a Linear of {units} units"


def unknown_port(place: Place) -> Iterator[Fix]:
    """The port that was meant; more inputs; or no wire."""
    wire = place.diagnostic.wires[0]
    node = place.node
    inputs, outputs = (tuple(p.name for p in side) for side in place.ports(node))
    if wire.source.node == node.id and wire.source.port not in outputs:
        meant = get_close_matches(wire.source.port, outputs, 1, 0.5) or list(outputs[:1])
        for port in meant:
            edits = (Disconnect((wire,), place.name), Connect(Wire(Pin(node.id, port), wire.target), place.name))
            yield Compound(edits, "Connect"), f"Take the output “{port}”"
    if wire.target.node == node.id and wire.target.port not in inputs:
        free = [p for p in inputs if place.source(p) is None]
        for port in get_close_matches(wire.target.port, free, 1, 0.6):
            edits = (Disconnect((wire,), place.name), Connect(Wire(wire.source, Pin(node.id, port)), place.name))
            yield Compound(edits, "Connect"), f"Connect it to “{port}”"
        terms = place.params(node).get("terms")
        if terms is not None and terms.maximum is not None:
            for count in range(len(inputs) + 1, min(len(inputs) + 4, int(terms.maximum) + 1)):
                more = node.replace(params={**node.params, "terms": count})
                if wire.target.port in {p.name for p in place.ports(more)[0]}:
                    yield place.set("terms", count), f"Set terms to {count}"
                    break
    yield Disconnect((wire,), place.name), "Delete the wire"


def nothing_passes(place: Place) -> Iterator[Fix]:
    """Another signal that fits in the place of the muted node; or no wire, where an input may be open."""
    (wire,) = place.diagnostic.wires[:1]
    port = next((p for p in place.ports(place.node)[0] if p.name == wire.target.port), None)
    for pin in _sources(place, port)[:NEAREST] if port is not None else ():
        yield Connect(Wire(pin, wire.target), place.name), f"Connect {place.label(pin)} to “{wire.target.port}”"


def doubly_fed(place: Place) -> Iterator[Fix]:
    wire = place.diagnostic.wires[0]
    yield Disconnect((wire,), place.name), f"Delete the wire from {place.label(wire.source)}"


def loop_without_delay(place: Place) -> Iterator[Fix]:
    """A Delay in the wire of the loop that runs most against the drawing's direction."""
    nodes = place.graph.nodes

    def backwards(wire: Wire) -> float:
        return nodes[wire.source.node].x - nodes[wire.target.node].x

    axes = dict.fromkeys(a for s in place.checked.signals.values() for a in s.axes)
    steps = (n.params.get("k", 1) for n in nodes.values() if n.kind == "Delay")
    ahead = any(isinstance(k, int) and k < 0 for k in steps)
    for wire in sorted(place.diagnostic.wires, key=backwards, reverse=True)[:2]:
        yield place.splice(wire, "Delay", {}), "Insert a Delay"
        if ahead:
            yield place.splice(wire, "Delay", {"k": -1}), "Insert a Delay of −1 step"
        units = ((nodes[key], place.params(nodes[key]).get("units")) for key in place.diagnostic.nodes)
        widths = [node.params.get("units", param.default) for node, param in units if param is not None]
        for axis in list(axes)[:1]:
            for width in dict.fromkeys(widths):
                yield place.splice(wire, "Delay", {"axis": axis, "width": width}), "Insert a Delay"


def mixed_directions(place: Place) -> Iterator[Fix]:
    """The fewer delays take the direction of the others."""
    delays = [place.graph.nodes[key] for key in place.diagnostic.nodes]
    steps = {n.id: n.params.get("k", 1) for n in delays if n.kind == "Delay"}
    whole = {key: k for key, k in steps.items() if isinstance(k, int) and k != 0}
    forward = sum(k > 0 for k in whole.values()) * 2 >= len(whole)
    for ahead in (forward, not forward):
        turned = tuple(SetParam(key, "k", -k, place.name) for key, k in whole.items() if (k > 0) != ahead)
        if turned:
            yield Compound(turned, "Turn delays"), f"Make all delays step {'back' if ahead else 'ahead'}"


def unknown_cell(place: Place) -> Iterator[Fix]:
    """The library's cell of that name, the cell that was meant, or another that fits the wires."""
    wanted = str(place.node.params.get("cell", ""))
    if place.catalog.definition(wanted) is not None:
        edits = tuple(bring(place.catalog.definitions_for(wanted), place.design).edits)
        yield Compound(edits, f"Add {wanted}"), f"Take {wanted} from the library"
    cells = [name for name in place.design.cells if name != place.name]
    for name in dict.fromkeys((*get_close_matches(wanted, cells, 1, 0.6), *cells)):
        yield place.set("cell", name), f"Use the cell {name}"


def cell_in_itself(place: Place) -> Iterator[Fix]:
    yield RemoveNodes((place.node.id,), place.name), f"Delete {place.node.label}"


def boundary_outside_cell(place: Place) -> Iterator[Fix]:
    if place.node.kind == "CellOutput":
        yield from place.exchanged("Output")
    yield RemoveNodes((place.node.id,), place.name), f"Delete {place.node.label}"
