"""The loss while it falls."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ..live import Live


class LossPlot(QWidget):
    """Training loss (raw and smoothed), validation points, learning rate."""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.live = live
