"""A question that a test has not foreseen fails it, and does not wait."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QDialog, QFileDialog

from rnnstudio.studio.window import MainWindow

from .conftest import UnansweredError


@pytest.mark.parametrize("ask", [lambda: QDialog().exec(), lambda: QFileDialog.getOpenFileName(None, "Open")])
def test_a_dialog_nobody_answers_fails_at_once(qapp, ask) -> None:
    with pytest.raises(UnansweredError):
        ask()


def test_questions_of_the_window_are_guarded_too(qapp) -> None:
    window = MainWindow()
    with pytest.raises(UnansweredError):
        window.ask_training(True)
    window.deleteLater()
