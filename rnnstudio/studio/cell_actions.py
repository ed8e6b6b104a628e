"""The window's commands on cells, and what the menus of nodes show of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QUrl
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QMessageBox

from ..catalog.catalog import CELL
from ..design.design import MAIN
from .canvas.rename import RenameField
from .canvas.shape import HEADER
from .offers import BOTH, NEW, THERE

if TYPE_CHECKING:
    from .window import MainWindow


class CellActions:
    """Made by the window, which has them all as its own. They act on the selected node, else on the cell entered."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.commands = window.view.commands.cells
        self.commands.ask_over = self._ask_over
        self.commands.ask_which = self._ask_which
        act = window.acts.add
        self.new = act("new_cell", lambda: self.commands.new_cell(window.view.pointer()))
        self.group = act("group", self.commands.group)
        self.ungroup = act("ungroup", self.commands.ungroup)
        self.open = act("open_cell", self._open)
        self.rename = act("rename_cell", self.rename_cell)
        self.editable = act("make_editable", self._make_editable)
        self.unique = act("unique", self._make_unique)
        self.restore = act("restore_cell", lambda: self._on(self.commands.restore))
        self.save = act("save_own_cell", lambda: self._on(self.commands.save_own))
        self.folder = act("own_cells", self._open_folder)
        focus = window.session.focus
        for signal in (focus.selectionChanged, focus.trailChanged, window.session.designChanged):
            signal.connect(self.refresh)
        self.refresh()

    def of_node(self) -> list[QAction]:
        """What the menu of a node of a cell shows."""
        shown = [self.open, self.rename, self.editable, self.unique, self.ungroup, self.restore, self.save]
        return [a for a in shown if a.isEnabled() or a in (self.open, self.unique)]

    @property
    def cell(self) -> str:
        """The cell that the selected node stands for, else the one that is entered; "" where there is none."""
        session = self.window.session
        keys = session.focus.nodes
        graph = session.design.graph_of(session.focus.graph)
        if len(keys) == 1 and keys[0] in graph.nodes and graph.nodes[keys[0]].kind == CELL:
            name = str(graph.nodes[keys[0]].params.get(CELL, ""))
            return name if name in session.design.cells else ""
        return session.focus.graph if not keys else MAIN

    def refresh(self) -> None:
        """What can be done with what is selected now."""
        session = self.window.session
        keys = session.focus.nodes
        graph = session.design.graph_of(session.focus.graph).nodes
        cells = [k for k in keys if k in graph and graph[k].kind == CELL]
        one, name = len(cells) == len(keys) == 1, self.cell
        fixed = session.is_fixed(name)
        self.group.setEnabled(bool(keys))
        self.ungroup.setEnabled(bool(cells))
        self.open.setEnabled(one)
        self.unique.setEnabled(one)
        self.editable.setEnabled(fixed)
        self.rename.setEnabled(bool(name) and not fixed)
        self.restore.setEnabled(bool(name) and self.commands.origin(name) is not None)
        self.save.setEnabled(bool(name) and not fixed)

    def _on(self, do: object) -> None:
        if self.cell and callable(do):
            do(self.cell)

    def _open(self) -> None:
        if len(self.window.session.focus.nodes) == 1:
            self.window.view.enter(self.window.session.focus.nodes[0])

    def _make_editable(self) -> None:
        session = self.window.session
        if session.is_fixed(session.focus.graph) and not session.focus.nodes:
            self.commands.make_editable()
        elif self.cell:
            self.commands.copy_of(self.cell)

    def _make_unique(self) -> None:
        if len(self.window.session.focus.nodes) == 1:
            self.commands.make_unique(self.window.session.focus.nodes[0])

    def rename_cell(self) -> None:
        """On the node's title where one stands for it, else in the way out of cells."""
        window, name = self.window, self.cell
        keys = window.session.focus.nodes
        if not keys:
            window.breadcrumbs.rename_here()
        elif name:
            view = window.view
            view.reveal()
            item = view.canvas.nodes[keys[0]]
            rect = item.shape_.rect.translated(item.pos())
            line = QRectF(rect.left(), rect.top(), rect.width(), HEADER)
            RenameField(view, name, line, lambda text: self.commands.rename(name, text))

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.window.session.own_cells.folder)))

    # Questions

    def _ask_over(self, name: str) -> bool:
        return self.window._ask(f"There is an own cell “{name}” already. Put this one in its place?", "It is another.")

    def _ask_which(self, name: str, used: str) -> str | None:
        box = QMessageBox(self.window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(f"This design has another cell called “{name}”, {used}.")
        box.setInformativeText("Nothing is lost by adding the own cell beside it, under another name.")
        role = QMessageBox.ButtonRole
        both = box.addButton("Add beside it", role.AcceptRole)
        there = box.addButton("Use the design's", role.AcceptRole)
        new = box.addButton("Put it in its place", role.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(both)
        box.exec()
        pressed = box.clickedButton()
        box.deleteLater()
        return {id(both): BOTH, id(there): THERE, id(new): NEW}.get(id(pressed))
