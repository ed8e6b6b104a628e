"""Train, pause, stop, and the settings of it."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ..live import Live
from ..session import Session


class TrainingPanel(QWidget):
    """Buttons, progress, settings form, and what the run says about itself."""

    def __init__(self, session: Session, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.live = live
