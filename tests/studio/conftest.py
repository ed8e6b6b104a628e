"""What tests of the window share: garbage is collected on the window's thread, small designs that train in seconds."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rnnstudio.design.design import Design
from rnnstudio.design.edits import Compound, SetTraining, SetVariable
from rnnstudio.gallery import example
from rnnstudio.studio.live import Live
from rnnstudio.studio.session import Session
from rnnstudio.training.events import Finished


@pytest.fixture(autouse=True)
def window_thread_collects(qapp: QApplication) -> Iterator[None]:
    """No cycle of a dropped widget is collected in a worker thread; rnnstudio.studio.collecting does it for the app."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def session(qapp: QApplication) -> Iterator[Session]:
    found = Session()
    yield found
    found.close()


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
