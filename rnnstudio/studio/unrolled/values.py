"""Which example of a run is looked at, and what of it is shown: values, gradients, direct gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QWidget

from ..looking import Seen
from .hands import Asked

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
        self.of: Asked | None = None
        """The output whose gradients are shown in place of the loss's."""
        for widget in (self.shown, QLabel("of example"), self.example, self.text, QLabel("at"), self.which, self.said):
            row.addWidget(widget)

    @property
    def kind(self) -> str:
        return str(self.shown.currentData())

    def question(self) -> dict[str, Any]:
        """What is asked of the run."""
        text = self.text.text()
        asked = {"example": self.example.value(), "text": text, "which": self.which.currentText()}
        if self.of is not None:
            asked["of"] = {"path": self.of.path, "unit": self.of.unit, "step": self.of.step}
        return asked

    def ask_of(self, of: Asked | None) -> None:
        """Show gradients of an output; None: of the loss again."""
        if of != self.of:
            self.of = of
            if of is not None and self.kind == "value":
                self.shown.setCurrentIndex(self.shown.findData("total"))
            self.changed.emit()

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
        loss = f"loss {beside(seen.free, seen.loss, '.4g')}"
        self.tell(loss if self.of is None else f"{loss}   ∂ {self.of} / ∂ ·   (Esc: the loss again)")

    def table(self, seen: Seen | None) -> Mapping[str, npt.NDArray[np.float32]]:
        """path → what is shown of it."""
        if seen is None:
            return {}
        return {"value": seen.values, "total": seen.total, "direct": seen.direct}[self.kind]


def beside(before: float, after: float, form: str) -> str:
    """A number with nothing held or cut and as it is now; alone where nothing is (before is NaN) or changes."""
    then, now = f"{before:{form}}", f"{after:{form}}"
    return now if before != before or then == now else f"{then} → {now}"


def chances(before: str, after: str, visible: Callable[[str], str]) -> str:
    """A likeliest token with its probability, “e 18%”, with nothing held or cut and as it is now."""
    (old, _, old_share), (new, _, share) = before.rpartition(" "), after.rpartition(" ")
    if old == new:
        share = share if share == old_share else f"{old_share.removesuffix('%')} → {share}"
        return f"{visible(new)} {share}"
    return f"{visible(old)} {old_share} → {visible(new)} {share}"


def checkpoint_stamp(run: Path) -> object:
    """Tells one checkpoint of a run from the next; None while it has none."""
    found = [
        path.stat().st_mtime_ns
        for name in CHECKPOINTS
        if (path := run / "checkpoints" / f"{name}.safetensors").exists()
    ]
    return max(found, default=None)
