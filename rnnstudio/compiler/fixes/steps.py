"""Fixes of one value an example where a node goes along an axis: the value at every step, or no such node."""

from __future__ import annotations

from collections.abc import Iterator

from ...catalog.catalog import CELL
from ...catalog.node import NodeKind
from ...design.design import Pin, Wire
from ...design.edits import Compound, Connect, RemoveNodes
from ..diagnostics import Fix
from .place import Place, reached_within_step


def no_axis(place: Place) -> Iterator[Fix]:
    """What makes a state is there to run: it gets steps. Anything else changes nothing about a single value."""
    loops = place.node.kind == CELL or (place.kind is not None and bool(place.kind.late_ports))
    for way in (_repeated, _left_out) if loops else (_left_out, _repeated):
        yield from way(place)


def _repeated(place: Place) -> Iterator[Fix]:
    """A Repeat along an axis of an input, or of what is computed without the node."""
    source = place.source(place.diagnostic.port)
    if source is None:
        return
    told: set[tuple[str, ...]] = set()
    behind = reached_within_step(place.node.id, place.graph.wires, {})
    pins = [
        (Pin(key, port), signal) for (name, key, port), signal in place.checked.signals.items() if name == place.name
    ]
    for pin, signal in sorted(pins, key=lambda found: (_rank(place, found[0]), str(found[0]))):
        if len(signal.axes) == 1 and signal.axes not in told and pin.node not in behind:
            told.add(signal.axes)
            title, key = f"Repeat it along {signal.axes[0]}", place.graph.free_id("repeat")
            edit = place.splice(Wire(source, Pin(place.node.id, place.diagnostic.port)), "Repeat", {})
            yield Compound((edit, Connect(Wire(pin, Pin(key, "along")), place.name)), title), title


def _rank(place: Place, pin: Pin) -> int:
    """Inputs first, then what is computed, then targets: whoever generates has none."""
    kind: NodeKind | None = place.catalog.of(place.graph.nodes[pin.node])
    if getattr(kind, "target", False):
        return 2
    return 0 if kind is not None and kind.family == "Data" else 1


def _left_out(place: Place) -> Iterator[Fix]:
    """What the node reads goes straight to its readers."""
    node, port = place.node, place.diagnostic.port
    source = place.source(port)
    if source is None or [wire.target.port for wire in place.graph.wires_into(node.id)] != [port]:
        return
    readers = [wire.target for wire in place.graph.wires_from(node.id)]
    title = f"Leave {node.label} out"
    connected = [Connect(Wire(source, reader), place.name) for reader in readers]
    yield Compound((RemoveNodes((node.id,), place.name), *connected), title), title
