"""Asks what of a drawing goes into a picture, of which kind, how sharp and with how much margin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFileDialog, QFormLayout, QSpinBox, QWidget

from ...design.design import MAIN
from ..pictures import FORMATS, MARGIN
from ..session import Session


@dataclass(frozen=True)
class Wanted:
    """A picture that is wanted. `graph`: MAIN or a cell's name; `scale`: pixels for each unit of the canvas (PNG)."""

    path: Path
    graph: str = MAIN
    selection: bool = False
    margin: float = MARGIN
    scale: float = 2.0


class PictureDialog(QDialog):
    """It begins with what the person sees: the selection where there is one, else the graph that is shown."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWindowTitle("Export picture")
        self.what = QComboBox()
        if session.focus.nodes or session.focus.frames:
            self.what.addItem("The selection", (session.focus.graph, True))
        self.what.addItem("The whole drawing", (MAIN, False))
        for name in session.design.cells:
            self.what.addItem(f"The cell {name}", (name, False))
        if not self.what.itemData(0)[1]:
            graphs = [self.what.itemData(i)[0] for i in range(self.what.count())]
            self.what.setCurrentIndex(graphs.index(session.focus.graph))
        self.kind = QComboBox()
        for suffix, title in FORMATS.items():
            self.kind.addItem(f"{title} ({suffix})", suffix)
        self.scale = QComboBox()
        for scale in (1, 2, 3, 4, 6, 8):
            self.scale.addItem(f"{scale} × the canvas at 100 % ({96 * scale} dpi)", float(scale))
        self.scale.setCurrentIndex(1)
        self.margin = QSpinBox(minimum=0, maximum=400, value=round(MARGIN), suffix=" px")
        form = QFormLayout(self)
        for title, field in (
            ("Picture of", self.what),
            ("Kind", self.kind),
            ("Resolution", self.scale),
            ("Margin", self.margin),
        ):
            form.addRow(title, field)
        self.kind.currentIndexChanged.connect(self._show_kind)
        self._show_kind()
        button = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(button.Save | button.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form.addRow(buttons)

    def _show_kind(self) -> None:
        self.scale.setEnabled(self.kind.currentData() == ".png")
        self.scale.setToolTip("" if self.scale.isEnabled() else "Only PNG has pixels")

    def wanted(self, path: Path) -> Wanted:
        """What the fields say, for a file; one without an ending gets that of its kind."""
        graph, selection = self.what.currentData()
        if not path.suffix:
            path = path.with_suffix(self.kind.currentData())
        return Wanted(path, graph, selection, float(self.margin.value()), self.scale.currentData())

    def ask(self) -> Wanted | None:
        """Show the dialog, then ask for the file; None when either is cancelled."""
        found = None
        if self.exec() == QDialog.DialogCode.Accepted.value:
            suffix = self.kind.currentData()
            folder = self.session.path.parent if self.session.path is not None else Path.cwd()
            chooser = QFileDialog(self, "Export picture", str(folder), f"{FORMATS[suffix]} (*{suffix})")
            chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            chooser.setDefaultSuffix(suffix)  # the dialog asks before a file is replaced, by the name with its ending
            chooser.selectFile(f"{self.session.design.name}{suffix}")
            if chooser.exec() == QDialog.DialogCode.Accepted.value:
                found = self.wanted(Path(chooser.selectedFiles()[0]))
        self.deleteLater()
        return found
