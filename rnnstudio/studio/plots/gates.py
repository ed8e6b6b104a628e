"""What gates and states do along the time of one example."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ..live import Live


class GatePlot(QWidget):
    """An image, time × unit, of one node, with the share of closed and open gates."""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.live = live
