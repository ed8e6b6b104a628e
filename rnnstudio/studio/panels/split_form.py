"""How the data is divided, as a form: the shares of the three parts, and how they are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from rnnstudio.data.dividing import Dividing
from rnnstudio.design.recipe import JSON

from .forms import Spin
from .reader_forms import FileLine, RecordForm


class DividingForm(RecordForm):
    """The options of `Dividing`. A part with a file of its own takes no share of the first one."""

    def __init__(self) -> None:
        super().__init__(Dividing)

    def put_recipe(self, dividing: Mapping[str, JSON], base: Path) -> None:
        for field in self.rows.values():
            if isinstance(field, FileLine):
                field.base = base
        self.put(dividing)

    def dividing(self) -> dict[str, JSON]:
        """What is chosen: what automatic came to before need not hold any more, and what is as usual is left out."""
        return {name: value for name, value in self.shown().items() if value != getattr(Dividing, name)}


class SplitForm(QWidget):
    """Training and validation in per cent; the test part is the rest."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.train = Spin(1, 100, tip="What the network learns from", suffix=" %")
        self.validation = Spin(0, 99, tip="What its progress is measured on", suffix=" %")
        self.rest = QLabel()
        self.rest.setProperty("role", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.train)
        row.addWidget(self.validation)
        row.addWidget(self.rest, 1)
        self._exact: tuple[float, float, float] = (0.9, 0.05, 0.05)
        for spin in (self.train, self.validation):
            spin.valueChanged.connect(self._tell)

    def put(self, split: tuple[float, float, float]) -> None:
        self._exact = split
        self.train.put(round(split[0] * 100))
        self.validation.setMaximum(100 - self.train.value())
        self.validation.put(round(split[1] * 100))
        self._suit()

    def split(self) -> tuple[float, float, float]:
        """The fractions; exactly those that were put, until a person changes one."""
        return self._exact

    def _suit(self) -> None:
        test = 100 - self.train.value() - self.validation.value()
        self.rest.setText(f"test {test} %")

    def _tell(self) -> None:
        self.validation.blockSignals(True)
        self.validation.setMaximum(100 - self.train.value())
        self.validation.blockSignals(False)
        train, validation = self.train.value() / 100, self.validation.value() / 100
        self._exact = (train, validation, round(max(1 - train - validation, 0.0), 4))
        self._suit()
        self.changed.emit()
