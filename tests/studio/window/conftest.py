"""A real window for each test, closed when the test ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent

from rnnstudio.studio.app import application
from rnnstudio.studio.offers import BOTH
from rnnstudio.studio.window import DISCARD, STOP, MainWindow
from tests.studio.window.hands import Hands, language_model


@pytest.fixture
def window(qapp) -> Iterator[MainWindow]:
    application()
    made = MainWindow()
    made.ask_unsaved = lambda: DISCARD
    made.ask_training = lambda closing: STOP
    made.ask_file = lambda saving: None
    made.view.commands.cells.ask_which = lambda name, used: BOTH
    made.view.commands.cells.ask_over = lambda name: False
    made.resize(1500, 950)
    made.show()
    qapp.processEvents()
    yield made
    made.close()
    qapp.clipboard().clear()  # what was copied is Python's: it must not outlive the interpreter
    made.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qapp.processEvents()


@pytest.fixture
def hands(window: MainWindow, qapp) -> Hands:
    """A person before the language model, all of it in view, its names readable."""
    window.session.new(language_model())
    window.view.frame_all()
    qapp.processEvents()
    return Hands(window)
