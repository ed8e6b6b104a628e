"""The actions of mute, collapse, hidden wires and of tidying a part, for the menus; all work on the canvas alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from .focus import Focus

if TYPE_CHECKING:
    from .window import MainWindow


class SwitchActions:
    """Owner of these actions of one window."""

    def __init__(self, window: MainWindow) -> None:
        switches, arrange, act = window.view.commands.switches, window.view.commands.arrange, window._action
        self.mute = act(
            "&Mute", switches.mute, "M", tip="What comes in goes out, as if it were not there", on_canvas=True
        )
        self.collapse = act("C&ollapse", switches.collapse, "H", tip="Fold to the title, or unfold", on_canvas=True)
        self.hide_wires = act(
            "&Hide wires",
            switches.hide_wires,
            "Shift+H",
            tip="Draw wires by their ends alone, or whole",
            on_canvas=True,
        )
        self.show_wires = act("&Show all wires", switches.show_all_wires, on_canvas=True)
        self.tidy_before = act(
            "Tidy what lies &before",
            arrange.tidy_before,
            "Ctrl+[",
            tip="All that leads to the selection",
            on_canvas=True,
        )
        self.tidy_behind = act(
            "Tidy what lies be&hind",
            arrange.tidy_behind,
            "Ctrl+]",
            tip="All that the selection leads to",
            on_canvas=True,
        )

    def for_nodes(self) -> list[QAction]:
        return [self.mute, self.collapse, self.hide_wires]

    def for_wires(self) -> list[QAction]:
        return [self.hide_wires]

    def add_to(self, menu: QMenu) -> None:
        """All of them, for a menu of the menu bar."""
        menu.addActions([self.mute, self.collapse, self.hide_wires, self.show_wires])
        menu.addActions([self.tidy_before, self.tidy_behind])

    def follow(self, focus: Focus) -> None:
        """What is selected says what can be done."""
        for action in (self.mute, self.collapse, self.tidy_before, self.tidy_behind):
            action.setEnabled(bool(focus.nodes))
        self.hide_wires.setEnabled(bool(focus.nodes or focus.wires))
