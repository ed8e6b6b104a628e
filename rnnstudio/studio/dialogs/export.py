"""Exports a trained model and shows the proof that the file computes the same.

The export itself needs torch, so it runs in a process of its own (`rnnstudio export`), which can be cancelled.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import QProcess, QProcessEnvironment, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDesktopServices
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rnnstudio.training.runs import list_runs

from ..live import Live, runs_folder
from ..panels.forms import Combo, form_of, note, sentence, set_role
from ..session import Session
from ..theme import SPACE, current

CANCEL_MILLISECONDS = 150
"""A process that is asked to end gets this long before it is ended by force."""


class ExportDialog(QDialog):
    """Run, checkpoint, format and path; progress; then the certificate or the one error.

    Signal: exported(Path) with the written Python file.
    """

    exported = Signal(object)

    def __init__(self, session: Session, live: Live, parent: QWidget | None = None, run: Path | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.live = live
        self._process: QProcess | None = None
        self._cancelled = False
        self._written: Path | None = None
        self.setWindowTitle("Export the trained model")
        self.run_box = Combo(tip="The run whose model is exported")
        self.checkpoint = Combo(
            ("best on the validation part", "best"), ("the last one", "last"), tip="Which of the run's two checkpoints"
        )
        brought = session.plugins.exporters
        self.format = Combo(
            ("Python source + safetensors (runs with torch alone)", "python"),
            *((exporter.title, exporter.name) for exporter in brought.values()),
        )
        self._suffixes = {"python": ".py", **{name: exporter.suffix for name, exporter in brought.items()}}
        self.format.activated.connect(self._format_chosen)
        self.path = QLineEdit()
        self.path.setToolTip("The Python file; the weights lie beside it")
        self.path.textChanged.connect(self._update)
        self.browse = QPushButton("…")
        self.browse.setToolTip("Choose a place")
        self.browse.setFixedWidth(36)
        self.browse.clicked.connect(self._browse)
        place = QHBoxLayout()
        place.setSpacing(4)
        place.addWidget(self.path, 1)
        place.addWidget(self.browse)
        self.fields = QWidget()
        form = form_of(self.fields)
        form.addRow("Run", self.run_box)
        form.addRow("Checkpoint", self.checkpoint)
        form.addRow("Format", self.format)
        form.addRow("File", place)

        self.told = note("")
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.certificate = QTreeWidget()
        self.certificate.setHeaderLabels(["Function", "Batch", "Length", "Compared", "Largest difference"])
        self.certificate.setRootIsDecorated(False)
        self.certificate.setAlternatingRowColors(True)
        self.certificate.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.certificate.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.certificate.header().setStretchLastSection(True)

        self.export_button = QPushButton("Export")
        self.export_button.setDefault(True)
        self.export_button.clicked.connect(self.start)
        self.folder_button = QPushButton("Open folder")
        self.folder_button.clicked.connect(self._open_folder)
        self.close_button = QPushButton("Close")
        self.close_button.clicked.connect(self._close_or_cancel)
        buttons = QHBoxLayout()
        buttons.addWidget(self.folder_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.export_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        layout.setSpacing(SPACE)
        for widget in (self.fields, self.told, self.bar, self.certificate):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addLayout(buttons)
        for widget in (self.bar, self.certificate, self.folder_button):
            widget.hide()
        self._list_runs(run)
        self.run_box.activated.connect(self._run_chosen)
        self._run_chosen()

    def sizeHint(self) -> QSize:
        return QSize(560, super().sizeHint().height())

    def _list_runs(self, wanted: Path | None) -> None:
        wanted = wanted or self.live.run_folder
        for run in list_runs(runs_folder(self.session.path)):
            if run.has("best") or run.has("last"):
                self.run_box.addItem(run.name, run.folder)
        if wanted is not None and self.run_box.findData(wanted) < 0 and (wanted / "checkpoints").is_dir():
            self.run_box.insertItem(0, wanted.name, wanted)
        if wanted is not None and self.run_box.findData(wanted) >= 0:
            self.run_box.setCurrentIndex(self.run_box.findData(wanted))

    @property
    def run(self) -> Path | None:
        """The folder of the chosen run."""
        folder: Path | None = self.run_box.currentData()
        return folder

    def _run_chosen(self) -> None:
        run = self.run
        if run is None:
            self._tell("There is no trained model yet. Press Train first; a model can be exported after a checkpoint.")
        else:
            self._tell("")
            self.path.setText(str(run / "export" / f"{_safe(self.session.design.name)}{self._suffix}"))
        self._update()

    @property
    def _suffix(self) -> str:
        return self._suffixes.get(self.format.currentData(), "")

    def _format_chosen(self) -> None:
        text = self.path.text().strip()
        if text:
            self.path.setText(str(Path(text).with_suffix(self._suffix)))

    def _update(self) -> None:
        busy = self._process is not None
        self.export_button.setEnabled(not busy and self.run is not None and bool(self.path.text().strip()))
        self.fields.setEnabled(not busy)
        self.bar.setVisible(busy)
        self.close_button.setText("Cancel" if busy else "Close")

    def _browse(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Export to", self.path.text(), f"Export (*{self._suffix})")
        if chosen:
            self.path.setText(chosen)

    def _tell(self, text: str, role: str = "muted") -> None:
        set_role(self.told, role)
        self.told.setText(text)
        self.told.setVisible(bool(text))

    # --- the export

    def start(self) -> None:
        """Run the export. Ends with `exported`, or with the error in the dialog."""
        run = self.run
        if run is None or self._process is not None:
            return
        target = Path(self.path.text().strip()).expanduser()
        self._cancelled = False
        self._written = None
        self.certificate.clear()
        self.certificate.hide()
        self.folder_button.hide()
        process = QProcess(self)
        process.setProcessEnvironment(_environment())
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._not_started)
        self._process = process
        self._tell("Writing the model, loading it again and comparing it with the trained one …")
        self._update()
        arguments = ["-m", "rnnstudio", "export", str(run), "--format", self.format.currentData(), "--out", str(target)]
        arguments += ["--checkpoint", self.checkpoint.currentData(), "--json"]
        process.start(sys.executable, arguments)

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        output = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace").strip().splitlines()
        errors = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip().splitlines()
        process.deleteLater()
        self._update()
        if self._cancelled:
            self._tell("Cancelled. Nothing was saved.")
        elif status == QProcess.ExitStatus.NormalExit and code == 0 and output:
            self._show(json.loads(output[-1]))
        else:
            why = errors[-1].removeprefix("rnnstudio: ") if errors else f"the process ended with code {code}"
            if code != 2:  # bad input is told in one clear line; anything else is a bug
                why = f"The export broke off, please report this: {why}"
            self._tell(sentence(why), "problem")
            self.told.setToolTip("\n".join(errors[-30:]) if code != 2 else "")

    def _not_started(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process.deleteLater()
            self._process = None
            self._update()
            self._tell(f"The exporting process does not start ({sys.executable}).", "problem")

    def _show(self, certificate: dict[str, Any]) -> None:
        comparisons = certificate["comparisons"]
        for item in comparisons:
            numbers = [str(item["batch"]), str(item["length"])]
            row = QTreeWidgetItem([item["function"], *numbers, item["what"], f"{item['difference']:.1e}"])
            for place in (1, 2, 4):
                row.setTextAlignment(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            row.setForeground(4, current().color("good"))
            self.certificate.addTopLevelItem(row)
        self.certificate.show()
        height = self.certificate.header().sizeHint().height() + self.certificate.sizeHintForRow(0) * len(comparisons)
        self.certificate.setFixedHeight(min(height + 6, 320))
        files = certificate["files"]
        folder = Path(certificate["folder"])
        self._written = folder / files[0]
        largest = max(item["difference"] for item in comparisons)
        self._tell(
            f"Saved {' and '.join(files)} in {folder}. The loaded file agrees with the trained model in all "
            f"{len(comparisons)} comparisons: the largest difference is {largest:.1e}."
        )
        self.folder_button.show()
        self.adjustSize()
        self.session.message.emit(f"Exported {files[0]}")
        self.exported.emit(self._written)

    def _open_folder(self) -> None:
        if self._written is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._written.parent)))

    def cancel(self) -> None:
        """End a running export; what it had written is its own to take away."""
        process = self._process
        if process is not None:
            self._cancelled = True
            process.terminate()
            if not process.waitForFinished(CANCEL_MILLISECONDS):
                process.kill()
                process.waitForFinished(1000)

    def _close_or_cancel(self) -> None:
        if self._process is not None:
            self.cancel()
        else:
            self.reject()

    def reject(self) -> None:
        self.cancel()
        super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.cancel()
        super().closeEvent(event)


def _environment() -> QProcessEnvironment:
    """Where this program was found, the process finds it too (a checkout need not be installed)."""
    environment = QProcessEnvironment.systemEnvironment()
    here = str(Path(__file__).resolve().parents[3])
    environment.insert("PYTHONPATH", os.pathsep.join(part for part in (here, environment.value("PYTHONPATH")) if part))
    environment.insert("PYTHONIOENCODING", "utf-8")
    return environment


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name) or "network"
