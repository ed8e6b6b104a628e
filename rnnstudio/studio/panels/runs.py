"""The runs of this design: compare, export, delete."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ..live import Live
from ..session import Session


class RunsPanel(QWidget):
    """A table of run folders with state, best loss, duration."""

    def __init__(self, session: Session, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.live = live
