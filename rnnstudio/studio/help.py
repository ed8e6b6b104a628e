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
from .keys.keymap import keymap, native
from .keys.table import COMMANDS, GESTURES
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


HANDS = (
    *(
        "add",
        "wire",
        "rename",
        "mute",
        "collapse",
        "hide_wires",
        "group",
        "ungroup",
        "open_cell",
        "duplicate",
        "copy",
        "paste",
        "paste_wired",
        "delete",
    ),
    *("find", "frame", "tidy", "fit", "frame_selection", "move_left", "walk_right", "menu", "next_panel", "to_canvas"),
    *("undo", "redo", "train", "help", "shortcuts"),
)
"""The commands that one wants first; all of them are in the window of shortcuts."""


def keys_and_mouse() -> str:
    """The most important keys as they are now, and what the mouse does, as HTML."""
    keys = [(" ,  ".join(map(native, keymap().keys(name))), COMMANDS[name]) for name in HANDS]
    rows = [(key or "no key", "", f"{c.plain}: {c.about}" if c.about else c.plain) for key, c in keys]
    rows += [(gesture.hands, "", gesture.does) for gesture in GESTURES]
    lines = [f"<tr><td><b>{escape(key)}</b></td><td>{escape(does)}</td></tr>" for key, _, does in rows]
    half = (len(lines) + 1) // 2
    columns = [f"<td><table cellpadding='3'>{''.join(part)}</table></td>" for part in (lines[:half], lines[half:])]
    return f"<table><tr>{''.join(columns)}</tr></table>"
