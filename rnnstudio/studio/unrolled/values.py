"""Which example of a run is looked at, and what of it is shown: values, gradients, direct gradients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QWidget

from ..looking import Seen

KINDS = {"value": "values", "total": "gradient ∂L/∂·", "direct": "direct gradient"}
CHECKPOINTS = ("best", "last")


class ValuesBar(QWidget):
    """Signals: changed() when another look is wanted; kindChanged() when the same one is to be shown otherwise."""

    changed = Signal()
    kindChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.shown = QComboBox()
        for kind, text in KINDS.items():
            self.shown.addItem(text, kind)
        self.shown.setAccessibleName("what is shown")
        self.shown.setToolTip("Values of the run, what the loss asks of them through all later steps, or directly")
        self.shown.currentIndexChanged.connect(lambda _: self.kindChanged.emit())
        self.example = QSpinBox(minimum=0, maximum=0)
        self.example.setAccessibleName("example")
        self.example.setToolTip("Which example of the validation part")
        self.example.valueChanged.connect(lambda _: self.changed.emit())
        self.text = QLineEdit(placeholderText="or type a text")
        self.text.setAccessibleName("text")
        self.text.setClearButtonEnabled(True)
        self.text.editingFinished.connect(self._typed)
        self.which = QComboBox()
        self.which.addItems(CHECKPOINTS)
        self.which.setAccessibleName("checkpoint")
        self.which.setToolTip("The run's best or last checkpoint")
        self.which.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.said = QLabel()
        self.said.setProperty("role", "muted")
        self._asked_text = ""
        for widget in (self.shown, QLabel("of example"), self.example, self.text, QLabel("at"), self.which, self.said):
            row.addWidget(widget)

    @property
    def kind(self) -> str:
        return str(self.shown.currentData())

    def question(self) -> dict[str, Any]:
        """What is asked of the run."""
        text = self.text.text()
        return {"example": self.example.value(), "text": text, "which": self.which.currentText()}

    def _typed(self) -> None:
        if self.text.text() != self._asked_text:
            self._asked_text = self.text.text()
            self.changed.emit()

    def tell(self, text: str) -> None:
        self.said.setText(text)
        self.said.setToolTip(text)

    def take(self, seen: Seen) -> None:
        """A look has come."""
        if seen.examples:
            self.example.blockSignals(True)
            self.example.setMaximum(seen.examples - 1)
            self.example.blockSignals(False)
        self.tell(f"loss {seen.loss:.4g}")

    def table(self, seen: Seen | None) -> Mapping[str, npt.NDArray[np.float32]]:
        """path → what is shown of it."""
        if seen is None:
            return {}
        return {"value": seen.values, "total": seen.total, "direct": seen.direct}[self.kind]


def checkpoint_stamp(run: Path) -> object:
    """Tells one checkpoint of a run from the next; None while it has none."""
    found = [
        path.stat().st_mtime_ns
        for name in CHECKPOINTS
        if (path := run / "checkpoints" / f"{name}.safetensors").exists()
    ]
    return max(found, default=None)
