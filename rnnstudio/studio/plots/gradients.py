"""How large gradients are: per parameter over the run, and per time step of one example."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ..live import Live


class GradientPlot(QWidget):
    """Two views: norms of parameters, and the gradient of the loss by the state at each step."""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.live = live
