"""What the Help menu says, and what F1 tells of a node: its formula, shapes and literature."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from .. import __version__
from ..catalog.catalog import CELL
from ..catalog.node import Port
from ..compiler.resolve import cell_params, ports
from ..design.design import Design, Node, Pin
from . import theme
from .session import Session
from .subscripts import html

ABOUT = f"Version {__version__}. Draw recurrent networks, train them, look inside, take them away."


def tell(parent: QWidget, title: str, text: str) -> None:
    """Show a text beside the work; nothing waits for it."""
    box = QMessageBox(QMessageBox.Icon.NoIcon, title, text, QMessageBox.StandardButton.Close, parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()


def about_node(session: Session, graph: str, key: str) -> tuple[str, str]:
    """Title and HTML text about a node as it stands in the drawing."""
    design = session.design
    node = design.graph_of(graph).nodes[key]
    kind = session.catalog.of(node)
    cell = design.cells.get(str(node.params.get("cell", ""))) if node.kind == CELL else None
    about = kind or cell
    if about is None:
        return (
            node.label,
            f"<p>Nothing is known of the kind “{escape(node.kind)}”: the plugin that has it is missing.</p>",
        )
    name = kind.title if kind is not None else f"Cell {about.name}"
    title = name if node.label in (name, about.name) else f"{node.label} — {name}"
    params = kind.params if kind is not None else cell_params(cell) if cell is not None else ()
    parts = [f"<p>{escape(about.doc)}</p>"]
    if about.formula:
        lines = "<br>".join(html(line) for line in about.formula.splitlines())
        parts.append(f"<h4>Formula</h4><p style='font-family: \"{theme.monospace().family()}\"'>{lines}</p>")
    inputs, outputs = ports(node, design, kind) or ((), ())
    rows = [_port_row(session, design, graph, node, port, True) for port in inputs]
    rows += [_port_row(session, design, graph, node, port, False) for port in outputs]
    parts.append(_table("Ports", rows))
    values = [(p, node.params.get(p.name, p.default)) for p in params if p.name != "cell"]
    parts.append(_table("Parameters", [(p.label, str(getattr(v, "name", v)), p.doc) for p, v in values]))
    if about.source:
        parts.append(f"<h4>Literature</h4><p>{escape(about.source)}</p>")
    return title, f"<h3>{escape(title)}</h3>{''.join(parts)}"


def _port_row(
    session: Session, design: Design, graph: str, node: Node, port: Port, is_input: bool
) -> tuple[str, str, str]:
    pin = Pin(node.id, port.name)
    if is_input:
        wire = next((w for w in design.graph_of(graph).wires if w.target == pin), None)
        pin = wire.source if wire is not None else Pin("", "")
    signal = session.checked.signals.get((graph, pin.node, pin.port))
    shape = signal.text() if signal is not None else "optional" if port.optional else port.content
    return f"{'in' if is_input else 'out'} {port.name}", shape, port.doc


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    muted = theme.current().muted
    lines = [
        f"<tr><td><b>{escape(name)}</b></td><td>{escape(value)}</td><td style='color: {muted}'>{escape(doc)}</td></tr>"
        for name, value, doc in rows
    ]
    return f"<h4>{title}</h4><table cellpadding='3'>{''.join(lines)}</table>" if lines else ""


KEYS = """<table cellpadding='3'>
<tr><td><b>Tab</b>, Shift+A, double-click</td><td>search and add a node</td></tr>
<tr><td><b>drag from a port</b></td><td>draw a wire; let go on nothing: what fits is offered</td></tr>
<tr><td><b>drag a wire's end</b></td><td>connect it elsewhere, or off</td></tr>
<tr><td><b>Alt + click</b> on a port or wire</td><td>break it</td></tr>
<tr><td><b>Ctrl + right drag</b></td><td>cut every wire the stroke crosses</td></tr>
<tr><td><b>Shift + right drag</b>, double-click a wire</td><td>a reroute point</td></tr>
<tr><td><b>drag a node</b></td><td>it falls in line with ports and neighbours along guides; with Alt: not</td></tr>
<tr><td><b>drop a node on a wire</b></td><td>put it in between; with Alt: not</td></tr>
<tr><td><b>drop a node on a node</b></td><td>put it in its place, wires kept (Ctrl+R: choose one)</td></tr>
<tr><td><b>right click</b>, Menu key</td><td>what can be done here</td></tr>
<tr><td><b>double-click a cell</b></td><td>open its drawing; Esc leaves</td></tr>
<tr><td><b>Ctrl+G</b>, Ctrl+Shift+G</td><td>make a cell of the selection; take one apart</td></tr>
<tr><td><b>F2</b>, Shift+F2</td><td>rename; inside a cell, or on its node: the cell</td></tr>
<tr><td><b>drag on nothing</b></td><td>select with a box; Shift adds, Ctrl takes away</td></tr>
<tr><td><b>middle or right button</b>, Space + drag</td><td>pan</td></tr>
<tr><td><b>wheel</b></td><td>zoom at the pointer</td></tr>
<tr><td><b>F</b>, Home</td><td>show the selection; everything</td></tr>
<tr><td><b>arrows</b></td><td>move what is selected; Shift: further</td></tr>
<tr><td><b>Ctrl+D</b>, Ctrl+C, Ctrl+V, Del</td><td>duplicate, copy, paste, delete</td></tr>
<tr><td><b>Ctrl+Shift+V</b></td><td>paste and keep the incoming wires</td></tr>
<tr><td><b>Ctrl+F</b></td><td>find a node, in every cell too</td></tr>
<tr><td><b>Ctrl+Shift+F</b></td><td>a frame with a title around what is selected</td></tr>
<tr><td><b>Ctrl+L</b>, Ctrl+[, Ctrl+]</td><td>tidy all or the selection; what lies before it; behind it</td></tr>
<tr><td><b>M</b></td><td>mute: what comes in goes out, as if the node were not there</td></tr>
<tr><td><b>H</b></td><td>collapse a node to its title</td></tr>
<tr><td><b>Shift+H</b></td><td>hide wires; a click on an end goes to the other</td></tr>
<tr><td><b>F1</b> on a selected node</td><td>its formula, shapes and literature</td></tr>
<tr><td><b>Ctrl+Z</b>, Ctrl+Shift+Z</td><td>undo, redo, without limit</td></tr>
</table>"""
