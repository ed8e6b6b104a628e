"""How one axis of the design runs: its kind, and how far back-propagation sees along it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from ...design.edits import SetAxis
from ..session import Session
from .forms import Spin

KINDS = (("sequence", "a sequence of steps"), ("tree", "the nodes of a tree"))
CARRY = ((None, "as in Training"), (True, "goes on from chunk to chunk"), (False, "begins anew in each chunk"))


class AxisForm(QWidget):
    """Edits one axis. What is left "as in Training" follows the training settings."""

    def __init__(self, session: Session, name: str) -> None:
        super().__init__()
        self.session = session
        self.name = name
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 6)
        form.setHorizontalSpacing(8)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.kind = QComboBox()
        for value, text in KINDS:
            self.kind.addItem(text, value)
        self.kind.activated.connect(lambda _: self._edit(kind=self.kind.currentData()))
        form.addRow(QLabel(name), self.kind)
        tip = "Steps that back-propagation sees at once (truncated back-propagation through time)."
        self.chunk = Spin(0, 1_000_000, tip=tip, zero="as in Training")
        self.chunk.valueChanged.connect(lambda value: self._edit(chunk=value))
        form.addRow("chunk", self.chunk)
        self.carry = QComboBox()
        self.carry.setToolTip("The state at the end of a chunk of one long sequence can begin the next chunk.")
        for flag, text in CARRY:
            self.carry.addItem(text, flag)
        self.carry.activated.connect(lambda _: self._edit(carry=self.carry.currentData()))
        form.addRow("state", self.carry)
        self.refresh()

    def refresh(self) -> None:
        """Show what the document says."""
        axis = self.session.design.axis(self.name)
        self.kind.setCurrentIndex([value for value, _ in KINDS].index(axis.kind))
        self.chunk.put(axis.chunk)
        self.carry.setCurrentIndex([flag for flag, _ in CARRY].index(axis.carry))
        form = self.layout()
        assert isinstance(form, QFormLayout)
        for widget in (self.chunk, self.carry):
            form.setRowVisible(widget, axis.kind == "sequence")

    def _edit(self, **changes: object) -> None:
        axis = self.session.design.axis(self.name)
        changed = replace(axis, **changes)  # type: ignore[arg-type]
        if changed != axis:
            self.session.do(SetAxis(changed))
