"""Exporting from the window: the certificate, the one error, the cancel that answers at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rnnstudio.studio.dialogs.export import ExportDialog
from rnnstudio.studio.live import Live
from rnnstudio.studio.session import Session


def opened(session: Session, live: Live, qtbot: QtBot) -> ExportDialog:
    dialog = ExportDialog(session, live)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_without_a_trained_model_the_dialog_says_so(session: Session, live: Live, qtbot: QtBot) -> None:
    dialog = opened(session, live, qtbot)
    assert "no trained model" in dialog.told.text()
    assert not dialog.export_button.isEnabled()


def test_a_trained_model_is_exported_with_its_certificate(
    session: Session, trained: Callable[[str], Live], live: Live, tmp_path: Path, qtbot: QtBot
) -> None:
    trained("char-lm")
    dialog = opened(session, live, qtbot)
    assert dialog.run == live.run_folder
    dialog.path.setText(str(tmp_path / "out" / "model.py"))
    with qtbot.waitSignal(dialog.exported):
        qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
        assert dialog.bar.isVisible()
        assert not dialog.export_button.isEnabled()
    assert dialog.certificate.topLevelItemCount() >= 4
    assert "largest difference" in dialog.told.text()
    assert not dialog.bar.isVisible()
    model = tmp_path / "out" / "model.py"
    assert model.with_suffix(".safetensors").is_file()
    # The exported file writes text in a process that knows nothing of the studio.
    alone = subprocess.run(
        [sys.executable, "-I", str(model), "ROMEO", "--length", "5", "--temperature", "0"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert alone.stdout.startswith("ROMEO")


def test_a_place_that_cannot_be_written_is_one_clear_error(
    session: Session, trained: Callable[[str], Live], live: Live, tmp_path: Path, qtbot: QtBot
) -> None:
    trained("char-lm")
    (tmp_path / "file").write_text("in the way")
    dialog = opened(session, live, qtbot)
    dialog.path.setText(str(tmp_path / "file" / "model.py"))
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dialog.bar.isVisible())
    assert dialog.told.property("role") == "problem"
    assert "Traceback" not in dialog.told.text()
    assert str(tmp_path / "file") in dialog.told.text()
    assert not dialog.certificate.isVisible()
    assert dialog.export_button.isEnabled()


def test_a_cancel_is_answered_and_leaves_nothing(
    session: Session, trained: Callable[[str], Live], live: Live, tmp_path: Path, qtbot: QtBot
) -> None:
    trained("char-lm")
    dialog = opened(session, live, qtbot)
    dialog.path.setText(str(tmp_path / "out" / "model.py"))
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.bar.isVisible)
    qtbot.mouseClick(dialog.close_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Cancelled" in dialog.told.text())
    assert not (tmp_path / "out" / "model.py").exists()
