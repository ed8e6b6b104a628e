"""Chooses the file a design learns from, and shows its first rows as the model will see them."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ..session import Session


class DataPanel(QWidget):
    """File, reader options, preview, statistics; "Use this data" is a SetData edit."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
