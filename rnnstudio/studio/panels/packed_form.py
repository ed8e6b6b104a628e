"""What of a packed file is read, and how much it may unpack to: shown where the data file is packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from rnnstudio.data.options import FileOptions, describe
from rnnstudio.design.recipe import JSON

from .forms import Combo, Fold, Spin, form_of, sentence
from .reader_forms import LARGEST, ReaderForm

ALL = "all, as a folder"


class PackedForm(ReaderForm):
    """The options of files. memberChosen(name): another file of the archive is to be looked at, "" for all."""

    memberChosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        known = {item.name: item for item in describe(FileOptions)}
        self.member = Combo(tip=sentence(known["member"].help))
        self.member.activated.connect(lambda: self.memberChosen.emit(str(self.member.currentData())))
        self.bounds = {
            "unpacked_megabytes": Spin(1, LARGEST, suffix=" MB"),
            "unpacked_times": Spin(1, LARGEST, suffix=" times its size"),
        }
        top = QWidget()
        form = form_of(top)
        form.addRow("File of archive", self.member)
        self.fold = Fold("How much it may unpack to")
        for (name, field), title in zip(self.bounds.items(), ("In all", "At most"), strict=True):
            field.setToolTip(sentence(known[name].help))
            field.setAccessibleName(sentence(known[name].help))
            field.valueChanged.connect(self.changed)
            self.fold.form.addRow(title, field)
        self.top, self.forms = top, (form, self.fold.form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(top)
        layout.addWidget(self.fold)

    def put(self, options: Mapping[str, JSON], columns: Sequence[str] = ()) -> None:
        """Show a recipe's options. columns: the names of the archive's files, none where it holds one alone."""
        self.member.clear()
        self.member.addItem(ALL, "")
        for name in columns:
            self.member.addItem(name, name)
        self.member.put(options.get("member") or "")
        self.top.setVisible(len(columns) > 1)
        for item in describe(FileOptions):
            if item.name in self.bounds:
                self.bounds[item.name].put(int(str(options.get(item.name, item.default))))

    def options(self) -> dict[str, JSON]:
        """Those that are not as they are anyhow."""
        usual = FileOptions()
        found: dict[str, JSON] = {name: field.value() for name, field in self.bounds.items()}
        found["member"] = str(self.member.currentData() or "")
        return {name: value for name, value in found.items() if value != getattr(usual, name)}
