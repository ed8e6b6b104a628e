"""The actions of mute, collapse, hidden wires and of tidying a part, for the menus; all work on the canvas alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QAction

from .focus import Focus

if TYPE_CHECKING:
    from .window import MainWindow


class SwitchActions:
    """Owner of these actions of one window."""

    def __init__(self, window: MainWindow) -> None:
        switches, arrange, act = window.view.commands.switches, window.view.commands.arrange, window.acts.add
        self.mute = act("mute", switches.mute)
        self.collapse = act("collapse", switches.collapse)
        self.hide_wires = act("hide_wires", switches.hide_wires)
        self.show_wires = act("show_wires", switches.show_all_wires)
        self.tidy_before = act("tidy_before", arrange.tidy_before)
        self.tidy_behind = act("tidy_behind", arrange.tidy_behind)

    def for_nodes(self) -> list[QAction]:
        return [self.mute, self.collapse, self.hide_wires]

    def for_wires(self) -> list[QAction]:
        return [self.hide_wires]

    def follow(self, focus: Focus) -> None:
        """What is selected says what can be done."""
        for action in (self.mute, self.collapse, self.tidy_before, self.tidy_behind):
            action.setEnabled(bool(focus.nodes))
        self.hide_wires.setEnabled(bool(focus.nodes or focus.wires))
