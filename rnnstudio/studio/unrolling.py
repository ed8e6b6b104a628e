"""The window's unrolled drawing: U shows it and folds it again; it follows the run that trains or trained last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from .live import Live
from .unrolled.pane import UnrolledPane

if TYPE_CHECKING:
    from .window import MainWindow


class Unrolling(QObject):
    """Made at the first wish for it."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.pane: UnrolledPane | None = None
        self.action = window.acts.add("unroll", self.toggle, False)

    def toggle(self) -> None:
        """Show the drawing unrolled, or folded again."""
        self._pane().turn(not self._pane().isVisible())

    def _pane(self) -> UnrolledPane:
        if self.pane is None:
            window = self.window
            self.pane = UnrolledPane(window.session, window.view)
            self.pane.shown.connect(self.action.setChecked)
            live = window.live.fill()
            live.curvesReplaced.connect(self._follow)
            self._follow()
        return self.pane

    def _follow(self) -> None:
        live: Live | None = self.window.live.live
        if self.pane is not None and live is not None:
            self.pane.set_run(live.run_folder)

    def close(self) -> None:
        """The window closes: the process that looks into runs ends."""
        if self.pane is not None:
            self.pane.close_looks()
