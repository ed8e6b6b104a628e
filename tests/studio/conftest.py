"""What tests of the window share: garbage is collected on the window's thread, small designs that train in seconds."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QApplication, QColorDialog, QDialog, QFileDialog, QInputDialog, QMenu, QMessageBox
from pytestqt.qtbot import QtBot

from rnnstudio.design.design import Design
from rnnstudio.design.edits import Compound, SetTraining, SetVariable
from rnnstudio.gallery import example
from rnnstudio.studio.background import all_ended
from rnnstudio.studio.live import Live
from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.session import Session
from rnnstudio.training.events import Finished
from tests.patience import PATIENCE


@pytest.fixture(autouse=True)
def window_thread_collects(qapp: QApplication) -> Iterator[None]:
    """No cycle of a dropped widget is collected in a worker thread; rnnstudio.studio.collecting does it for the app."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def what_is_read_is_waited_for() -> Iterator[None]:
    """A thread cannot be stopped from outside; what closed has let go of its answer."""
    yield
    assert all_ended(PATIENCE / 1000)


class UnansweredError(AssertionError):
    """A question was put to the person, and the test has no answer: it would have waited for one for ever."""


MODAL = (
    (QDialog, "exec"),
    (QMessageBox, "exec"),
    (QFileDialog, "exec"),
    (QMenu, "exec"),
    (QDrag, "exec"),
    *((QFileDialog, f"get{what}") for what in ("OpenFileName", "OpenFileNames", "SaveFileName", "ExistingDirectory")),
    *((QMessageBox, kind) for kind in ("question", "warning", "information", "critical")),
    *((QInputDialog, f"get{what}") for what in ("Text", "Int", "Double", "Item", "MultiLineText")),
    (QColorDialog, "getColor"),
)
"""What waits for a person, in a loop of Qt that no time limit interrupts."""


@pytest.fixture(autouse=True)
def nothing_waits_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialog that the test has not foreseen fails it at once. One that is foreseen is answered where it is asked."""
    for owner, name in MODAL:

        def unanswered(*args: object, _what: str = f"{owner.__name__}.{name}", **options: object) -> None:
            raise UnansweredError(_what)

        monkeypatch.setattr(owner, name, unanswered)


_EXEC = QMessageBox.exec


@pytest.fixture
def message_boxes_are_answered(nothing_waits_for_a_person: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that presses a button of the box itself, once it is open."""
    monkeypatch.setattr(QMessageBox, "exec", _EXEC)


@pytest.fixture
def session(qapp: QApplication) -> Iterator[Session]:
    found = Session()
    yield found
    found.close()


@pytest.fixture
def data_panel(session: Session, qtbot: QtBot) -> DataPanel:
    found = DataPanel(session)
    qtbot.addWidget(found)
    found.resize(360, 900)
    found.show()
    return found


@pytest.fixture
def open_example(session: Session, tmp_path: Path) -> Callable[[str], Design]:
    """Opens a copy of an example, made so small that it trains in a second or two."""

    def open_copy(name: str) -> Design:
        source = example(name)
        folder = tmp_path / name
        shutil.copytree(source.path.parent, folder)
        text = folder / "shakespeare.txt"
        if text.exists():
            text.write_text(text.read_text(encoding="utf-8")[:20_000], encoding="utf-8")
        assert session.open(folder / source.path.name)
        small = {"epochs": 2, "batch_size": 8, "chunk": 20, "sample_length": 20, "probe_seconds": 0.05, "threads": 1}
        edits = (SetVariable("hidden", 12), SetTraining({**small, "validate_every": 10, "patience": 0}))
        assert session.do(Compound(edits))
        return session.design

    return open_copy


@pytest.fixture
def live(session: Session) -> Iterator[Live]:
    found = Live(session)
    yield found
    found.close()


@pytest.fixture
def trained(live: Live, open_example: Callable[[str], Design], qtbot: QtBot) -> Callable[[str], Live]:
    """Opens a small copy of an example and trains it to its end."""

    def train(name: str) -> Live:
        open_example(name)
        assert live.train()
        qtbot.waitUntil(lambda: live.state == "idle")
        assert isinstance(live.curves.ended, Finished), live.curves.ended
        return live

    return train
