"""Data, training, plots, samples, runs: their docks are there from the start, their panels come after the first paint.

The panels pull in pyqtgraph and numpy; the window is on the screen before they do. Torch is never imported here.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from .live import Live
    from .window import MainWindow

_RIGHT, _BELOW = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
DOCKS = (
    ("data", "Data", _RIGHT, ".panels.data", "DataPanel", ("session",)),
    ("training", "Training", _RIGHT, ".panels.training", "TrainingPanel", ("session", "live")),
    ("loss", "Loss", _BELOW, ".plots.loss", "LossPlot", ("live",)),
    ("gates", "Gates", _BELOW, ".plots.gates", "GatePlot", ("live",)),
    ("gradients", "Gradients", _BELOW, ".plots.gradients", "GradientPlot", ("live",)),
    ("samples", "Samples", _BELOW, ".panels.samples", "SamplesPanel", ("live",)),
    ("runs", "Runs", _BELOW, ".panels.runs", "RunsPanel", ("session", "live")),
)
"""Key, title, place, module, class, and what its constructor takes."""


NARROWEST = 240
"""No panel keeps its dock wider than this; what does not fit scrolls."""


class LiveDocks(QObject):
    """Owner of the live run and its panels. `live` is None until `fill` has been called."""

    plots = tuple(key for key, _, area, *_ in DOCKS if area == _BELOW)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.live: Live | None = None
        self.panels: dict[str, QWidget] = {}
        self._closed = False
        for key, title, area, *_ in DOCKS:
            window.add_dock(key, title, QWidget(), area)

    def fill(self) -> Live:
        """Make the panels. Called after the first paint, or by whoever needs the live run earlier."""
        if self.live is not None:
            return self.live
        from .live import Live

        live = self.live = Live(self.window.session, self)
        given = {"session": self.window.session, "live": live}
        for key, _, _, module, name, takes in DOCKS:
            panel = getattr(importlib.import_module(module, __package__), name)(*(given[what] for what in takes))
            self.panels[key] = panel
            panel.setMinimumWidth(NARROWEST)
            dock = self.window.docks[key]
            placeholder = dock.widget()
            dock.setWidget(panel)
            if placeholder is not None:
                placeholder.deleteLater()
        live.stateChanged.connect(self.show_state)
        live.problemsWanted.connect(lambda: self.window.show_dock("problems"))
        live.otherDrawing.connect(self.window.offer_resume)
        live.dataWanted.connect(lambda: self.window.show_dock("data"))
        data: Any = self.panels["data"]
        data.drawn.connect(self.window.view.frame_all)
        data.looked.connect(self._tell_lengths)
        runs = self.panels["runs"]
        if hasattr(runs, "exportWanted"):
            runs.exportWanted.connect(self.export)
        self.show_state(live.state)
        return live

    def _tell_lengths(self) -> None:
        """The data panel has read a file: what its examples cost is known, where it is the design's."""
        panel: Any = self.panels["data"]
        seen = panel.lengths()
        self.window.status.take_lengths(*(seen if seen is not None else (None, True)))

    def show_state(self, state: str) -> None:
        """Which tool bar buttons make sense now."""
        window = self.window
        window.train_action.setEnabled(state == "idle")
        window.pause_action.setEnabled(state in ("running", "paused", "pausing"))
        halted = state in ("paused", "pausing")
        window.pause_action.setText("&Resume" if halted else "&Pause")
        window.acts.tip(window.pause_action, "Go on training" if halted else "Pause the training")
        window.set_picture(window.pause_action, "resume" if halted else "pause")
        window.stop_action.setEnabled(state not in ("idle", "stopping"))

    def train(self) -> None:
        self.window.view.cancel()  # a search that is open would lie over what comes
        if self.fill().train():
            self.window.banner.forget_error()
            self.window.show_dock("training")
            self.window.show_plots()

    def go_on(self, folder: Path) -> None:
        """Resume a stored run."""
        if self.fill().go_on(folder):
            self.window.banner.forget_error()

    def pause_or_resume(self) -> None:
        live = self.fill()
        if live.state in ("paused", "pausing"):
            live.resume()
        else:
            live.pause()

    def stop(self) -> None:
        self.fill().stop()

    def look_at(self, path: Path) -> None:
        """Show a data file in the data panel; the design takes it when the person says so."""
        self.fill()
        panel: Any = self.panels["data"]
        panel.open_file(path)
        self.window.show_dock("data")

    def export(self, run: Any = None) -> None:
        """Open the export dialog, for a run's folder or the newest run."""
        from .dialogs.export import ExportDialog

        dialog = ExportDialog(self.window.session, self.fill(), self.window, run)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def close(self) -> None:
        """End the run, the worker process and every timer of the panels."""
        if self._closed:
            return
        self._closed = True
        if self.live is not None:
            self.live.close()
        for panel in self.panels.values():
            close = getattr(panel, "shut", None)
            if close is not None:
                close()
            for timer in panel.findChildren(QTimer):
                timer.stop()
