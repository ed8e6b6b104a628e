"""Fixes of what shape rules complain of: contents, widths, axes, and fields of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from math import gcd

from ...catalog.catalog import CELL
from ...design.design import MAIN, Pin, Value, Var, Wire
from ...design.edits import Compound, SetAxis
from ...design.signals import Signal, Tokens
from ..diagnostics import Fix
from . import parameters
from .place import Place, size_of


def tokens_where_features(place: Place) -> Iterator[Fix]:
    if place.diagnostic.port == "target":
        yield from place.exchanged("CrossEntropy")
    elif place.node.kind == "Delay" and not place.diagnostic.port:
        yield place.set("initial", None), "Start from the token “first”"
    else:
        yield from place.spliced(place.diagnostic.port, "Embedding", {}, "Insert an Embedding")


def features_where_tokens(place: Place) -> Iterator[Fix]:
    if place.node.kind == "Embedding":
        yield from place.exchanged("Linear", {"init": "uniform"})
    if place.diagnostic.port == "target":
        yield from place.exchanged("MeanSquaredError")


def width_clash(place: Place) -> Iterator[Fix]:
    """The readout's units, a Linear in between, or the parameter that asks for another width."""
    port, node = place.diagnostic.port, place.node
    if place.diagnostic.param:
        yield from parameters.reset(place)
    if port == "prediction":
        yield from _readout(place)
    if node.kind == "Linear":
        yield place.set("init" if port == "input" else "init2", None), "Start it uniformly"
    if "score" in place.params(node):
        yield place.set("score", "general"), "Score by “general”"
    heads = node.params.get("heads")
    signal = place.incoming(port)
    if isinstance(heads, int) and heads > 0:
        for width in dict.fromkeys(size_of(s) for s in _others(place, "") if not isinstance(s.content, Tokens)):
            yield place.set("heads", gcd(heads, width)), f"Set heads to {gcd(heads, width)}"
    beside = _results(place) if _begins_cell(place, port) else _others(place, port)
    units = node.params.get("units")
    widths: list[Value] = [units] if node.kind == CELL and isinstance(units, int | Var) else []
    for wanted in dict.fromkeys([*(size_of(s) for s in beside), *widths]):
        if signal is not None and not isinstance(signal.content, Tokens):
            title = f"Insert a Linear of {wanted} units"
            yield from place.spliced(port, "Linear", {"units": wanted}, title)


def _others(place: Place, port: str) -> list[Signal]:
    """The signals at the node's other inputs."""
    names = [p.name for p in place.ports(place.node)[0] if p.name != port]
    return [signal for name in names if (signal := place.incoming(name)) is not None]


def _results(place: Place) -> list[Signal]:
    """The signals at the node's outputs."""
    pins = [Pin(place.node.id, port.name) for port in place.ports(place.node)[1]]
    return [signal for pin in pins if (signal := place.signal(pin)) is not None]


def _readout(place: Place) -> Iterator[Fix]:
    """The units of the Linear in front of a loss follow the target."""
    source, target = place.source("prediction"), place.incoming("target")
    if source is None or target is None:
        return
    size = size_of(target) + (1 if place.node.kind == "Ctc" else 0)
    value: int | Var = size
    field = target.content.field if isinstance(target.content, Tokens) else ""
    if size == size_of(target) and place.name == MAIN and field in place.fields:
        value = Var(f"{field}_size")  # another text then fits as well
    named = f"{value} ({size})" if isinstance(value, Var) else str(size)
    reader = place.graph.nodes[source.node]
    if reader.kind == "Linear":
        yield place.set("units", value, reader), f"Set the units of {reader.label} to {named}"
    yield from place.spliced("prediction", "Linear", {"units": value}, f"Insert a Linear of {named} units")


def mixed_axes(place: Place) -> Iterator[Fix]:
    """One of the axes the input has, a pool that takes an axis away, or the initial state at the first step."""
    port, node = place.diagnostic.port, place.node
    signal = place.incoming(port)
    if "axis" in place.params(node):
        if node.params.get("axis"):
            yield place.set("axis", None), "Leave the axis open"
        axes = dict.fromkeys(a for s in (signal, *_others(place, port)) if s is not None for a in s.axes)
        for axis in axes:
            yield place.set("axis", axis), f"Set the axis to {axis}"
    target, prediction = place.incoming("target"), place.incoming("prediction")
    if target is not None and prediction is not None:
        yield from _along(place, "target", prediction)
        yield from _along(place, "prediction", target)
        for axis in (a for a in prediction.axes if a not in target.axes):
            yield from _pooled(place, "prediction", axis)
        for axis in (a for a in target.axes if a not in prediction.axes):
            yield from _pooled(place, "target", axis)
    if signal is not None and (port == "initial" or _begins_cell(place, port)):
        for axis in signal.axes:
            yield from _pooled(place, port, axis)


def _begins_cell(place: Place, port: str) -> bool:
    """Whether an input of a cell is one that may stay open, such as the state it begins with."""
    return place.node.kind == CELL and any(p.name == port and p.optional for p in place.ports(place.node)[0])


def axis_meets_itself(place: Place) -> Iterator[Fix]:
    yield from place.spliced(place.diagnostic.port, "RenameAxis", {}, "Give its axis a second name")


def different_axes(place: Place) -> Iterator[Fix]:
    yield place.set("to", None), "Leave the new name open"


def _along(place: Place, port: str, other: Signal) -> Iterator[Fix]:
    """What comes straight from the data runs along the other's axis."""
    source = place.source(port)
    node = place.graph.nodes[source.node] if source is not None else None
    if node is not None and "field" in place.params(node) and "axis" in place.params(node):
        for axis in other.axes:
            yield place.set("axis", axis, node), f"Set the axis of {node.label} to {axis}"


def _pooled(place: Place, port: str, axis: str) -> Iterator[Fix]:
    signal = place.incoming(port)
    if signal is not None and not isinstance(signal.content, Tokens):
        params: dict[str, Value] = {"axis": axis} if len(signal.axes) > 1 else {}
        yield from place.spliced(port, "Last", params, f"Insert a Last over {axis}")


def no_tree(place: Place) -> Iterator[Fix]:
    """The input's axis becomes a tree: of a cell, the axis of what comes into it."""
    signal = place.incoming(place.diagnostic.port or "input")
    named = str(place.node.params.get("axis") or "")
    for axis in [named] if named else list(signal.axes) if signal is not None else []:
        settings = replace(place.design.axis(axis), kind="tree")
        yield SetAxis(settings), f"Make {axis} a tree"


def unknown_field(place: Place) -> Iterator[Fix]:
    """The field that was meant, or one that fits the node."""
    tokens, target = getattr(place.kind, "tokens", False), getattr(place.kind, "target", False)
    fits = [f for f in place.fields.values() if (f.content == "tokens") == tokens]
    wanted = str(place.node.params.get("field", ""))
    meant = get_close_matches(wanted, [f.name for f in fits], 1, 0.6)
    ordered = [*meant, *(f.name for f in sorted(fits, key=lambda f: (f.role == "target") != target))]
    for name in dict.fromkeys(ordered):
        yield place.set("field", name), f"Read the field {name}"
    yield from place.deleted()


def field_clash(place: Place) -> Iterator[Fix]:
    """One of two nodes that read a field as the other does."""
    one, other = (place.graph.nodes[key] for key in place.diagnostic.nodes)
    for node, like in ((one, other), (other, one)):
        edits = [place.set(name, like.params.get(name), node) for name in ("size", "axis")]
        yield Compound(tuple(edits), f"Set {node.id}"), f"Read it in {node.label} as in {like.label}"


def wrong_content(place: Place) -> Iterator[Fix]:
    role = "Target" if getattr(place.kind, "target", False) else "Input"
    field = str(place.node.params.get("field") or place.params(place.node)["field"].default)
    yield from place.exchanged(
        f"{'Feature' if getattr(place.kind, 'tokens', False) else 'Token'}{role}", {"field": field}
    )
    yield from unknown_field(place)


def delay_of_zero(place: Place) -> Iterator[Fix]:
    yield place.set(place.diagnostic.param, 1), f"Set {place.diagnostic.param} to 1"


def empty_slice(place: Place) -> Iterator[Fix]:
    """The part of the wanted features that is there."""
    signal = place.incoming("input")
    start, stop = place.node.params.get("start", 0), place.node.params.get("stop", 1)
    if signal is None or not isinstance(start, int) or not isinstance(stop, int):
        return
    width = size_of(signal)
    if start < width:
        yield place.set("stop", max(start + 1, min(stop, width))), f"Stop at {max(start + 1, min(stop, width))}"
    yield place.set("start", None), "Start at 0"


def no_such_token(place: Place) -> Iterator[Fix]:
    yield place.set("first", 0), "Set first to 0"


def endless_shape(place: Place) -> Iterator[Fix]:
    """A Linear in front of a Delay of the loop."""
    for key in place.diagnostic.nodes:
        node = place.graph.nodes[key]
        source = place.source("input", node)
        if node.kind == "Delay" and source is not None:
            width = node.params.get("width") or 64
            wire = Wire(source, Pin(key, "input"))
            yield place.splice(wire, "Linear", {"units": width}), f"Insert a Linear of {width} units"


def unknown_shape(place: Place) -> Iterator[Fix]:
    """A Delay's axis and width."""
    axes = dict.fromkeys(a for s in place.checked.signals.values() for a in s.axes)
    lost = [place.graph.nodes[key] for key in place.diagnostic.nodes]
    widths = [n.params["units"] for n in lost if isinstance(n.params.get("units"), int | Var)]
    from_outside = [s for n in lost for p in place.ports(n)[0] if (s := place.signal(place.source(p.name, n)))]
    readers = [place.graph.nodes[w.target.node] for n in lost for w in place.graph.wires_from(n.id)]
    from_outside += [s for n in readers for p in place.ports(n)[0] if (s := place.signal(place.source(p.name, n)))]
    widths += [size_of(s) for s in from_outside if not isinstance(s.content, Tokens)]
    for node in (n for n in lost if n.kind == "Delay"):
        for axis in dict.fromkeys([*(a for s in from_outside for a in s.axes), *axes]):
            for width in list(dict.fromkeys(widths))[:3] or [64]:
                yield _state(place, node.id, axis, width), f"Give {node.label} the axis {axis} and the width {width}"


def _state(place: Place, key: str, axis: str, width: Value) -> Compound:
    node = place.graph.nodes[key]
    return Compound((place.set("axis", axis, node), place.set("width", width, node)), f"Set {key}")


def unknown_axis(place: Place) -> Iterator[Fix]:
    """An axis that an input has."""
    yield place.set("axis", None), "Leave the axis open"
    axes = dict.fromkeys(a for f in place.fields.values() if (a := f.axis))
    others = dict.fromkeys(a for s in place.checked.signals.values() for a in s.axes)
    wanted = str(place.node.params.get("axis", ""))
    for axis in sorted(axes | others, key=lambda a: a not in get_close_matches(wanted, [a], 1, 0.5)):
        if axis != wanted:
            yield place.set("axis", axis), f"Set the axis to {axis}"
