"""What is told under the pointer: what is wrong there, else what it is and carries."""

from __future__ import annotations

from ...compiler.diagnostics import Diagnostic
from ...design.design import Pin
from ..offers import content_of
from .node_item import NodeItem
from .scene import CanvasScene, Hit


def tip(canvas: CanvasScene, hit: Hit) -> str:
    """HTML of what lies at a point; "" where nothing does."""
    here = canvas.diagnostics()
    if hit.wire is not None and hit.wire.wire is not None:
        wrong = [d for d in here if hit.wire.wire in d.wires]
        return _problems(wrong) or f"{hit.wire.wire}<br>{hit.wire.text or 'shape not known yet'}"
    if hit.node is None:
        return ""
    at_node = [d for d in here if hit.node.key in d.nodes]
    return _of_node(canvas, hit.node, at_node) if hit.port is None else _of_port(canvas, hit.node, *hit.port, at_node)


def _of_port(canvas: CanvasScene, node: NodeItem, is_input: bool, name: str, wrong: list[Diagnostic]) -> str:
    port = next(p for p in (node.look.inputs if is_input else node.look.outputs) if p.name == name)
    signal = canvas.signal_at(Pin(node.key, name), is_input)
    about = (f" — {port.doc}" if port.doc else "") + (" (optional)" if port.optional else "")
    carries = signal.text() if signal is not None else f"takes {content_of(None, port)}" if is_input else ""
    told = _problems([d for d in wrong if d.port == name])
    return "<br>".join(line for line in (f"<b>{name}</b>{about}", carries, told) if line)


def _of_node(canvas: CanvasScene, node: NodeItem, wrong: list[Diagnostic]) -> str:
    kind = canvas.session.catalog.of(canvas.graph.nodes[node.key])
    about = kind.doc if kind is not None else ""
    if node.look.cell:
        about = "A cell: double-click opens its drawing."
    if node.look.muted:
        about = "Muted: what comes in goes out, as if it were not there. M lets it work again."
    return "<br>".join(line for line in (f"<b>{node.look.title}</b>", about, _problems(wrong)) if line)


def _problems(found: list[Diagnostic]) -> str:
    marks = {"error": "✖", "warning": "▲"}
    return "<br>".join(f"{marks.get(d.severity, '●')} {d.message}" for d in found)
