"""Exports a trained model and shows the proof that the file computes the same."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QWidget

from ..live import Live
from ..session import Session


class ExportDialog(QDialog):
    """Run, checkpoint, format and path; progress; then the certificate or the one error."""

    def __init__(self, session: Session, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.live = live
