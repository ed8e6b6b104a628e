"""What the Help menu says."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from .. import __version__

ABOUT = f"Version {__version__}. Draw recurrent networks, train them, look inside, take them away."


def tell(parent: QWidget, title: str, text: str) -> None:
    """Show a text beside the work; nothing waits for it."""
    box = QMessageBox(QMessageBox.Icon.NoIcon, title, text, QMessageBox.StandardButton.Close, parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()


KEYS = """<table cellpadding='3'>
<tr><td><b>Tab</b>, Shift+A, double-click</td><td>search and add a node</td></tr>
<tr><td><b>drag from a port</b></td><td>draw a wire; let go on nothing: what fits is offered</td></tr>
<tr><td><b>drag a wire's end</b></td><td>connect it elsewhere, or off</td></tr>
<tr><td><b>drop a node on a wire</b></td><td>put it in between</td></tr>
<tr><td><b>double-click a cell</b></td><td>open its drawing; Esc leaves</td></tr>
<tr><td><b>drag on nothing</b></td><td>select with a box; Shift adds</td></tr>
<tr><td><b>middle button</b>, Space + drag</td><td>pan</td></tr>
<tr><td><b>wheel</b></td><td>zoom at the pointer</td></tr>
<tr><td><b>F</b></td><td>show the selection, or everything</td></tr>
<tr><td><b>arrows</b></td><td>move what is selected; Shift: further</td></tr>
<tr><td><b>Ctrl+D</b>, Ctrl+C, Ctrl+V, Del</td><td>duplicate, copy, paste, delete</td></tr>
<tr><td><b>Ctrl+Shift+V</b></td><td>paste and keep the incoming wires</td></tr>
<tr><td><b>Ctrl+L</b></td><td>tidy</td></tr>
<tr><td><b>Ctrl+Z</b>, Ctrl+Shift+Z</td><td>undo, redo, without limit</td></tr>
</table>"""
