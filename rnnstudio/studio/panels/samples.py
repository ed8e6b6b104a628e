"""What the model writes or forecasts while it learns."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ..live import Live


class SamplesPanel(QWidget):
    """Samples, newest on top; forecasts against the truth."""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.live = live
