"""Rare classes are weighted, and count alike again, with a click below the parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.session import Session
from tests.data.test_dividing import patients

EVENTS = Path(__file__).parent.parent / "data" / "rare-event.csv"


@pytest.fixture
def panel(session: Session, qtbot: QtBot) -> DataPanel:
    found = DataPanel(session)
    qtbot.addWidget(found)
    found.resize(360, 900)
    found.show()
    return found


def draw(qtbot: QtBot, panel: DataPanel, path: Path) -> None:
    with qtbot.waitSignal(panel.looked):
        panel.open_file(path)
    assert not panel.class_weights.isVisible()  # no loss is there yet
    qtbot.mouseClick(panel.draw_button, Qt.MouseButton.LeftButton)


def test_one_click_weighs_and_another_takes_it_back(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    draw(qtbot, panel, patients(tmp_path))
    qtbot.waitUntil(lambda: len(panel.class_weights.rows) == 1)
    row = panel.class_weights.rows[0]
    assert row.words.text() == "loss counts all examples alike: well 93.8%, ill 6.2%"
    assert row.button.text() == "Weigh rare classes"
    qtbot.mouseClick(row.button, Qt.MouseButton.LeftButton)
    assert session.design.graph.nodes["loss"].params["class_weights"] == (8.0, 0.5333)
    row = panel.class_weights.rows[0]
    assert row.words.text() == "loss weighs classes: ill × 8, well × 0.533"
    session.undo()
    assert "class_weights" not in session.design.graph.nodes["loss"].params
    assert panel.class_weights.rows[0].button.text() == "Weigh rare classes"
    session.redo()
    qtbot.mouseClick(panel.class_weights.rows[0].button, Qt.MouseButton.LeftButton)
    assert session.design.graph.nodes["loss"].params["class_weights"] == ()


def test_a_yes_is_weighted_by_the_counts_of_the_file(panel: DataPanel, session: Session, qtbot: QtBot) -> None:
    draw(qtbot, panel, EVENTS)
    qtbot.waitUntil(lambda: len(panel.class_weights.rows) == 1)
    qtbot.mouseClick(panel.class_weights.rows[0].button, Qt.MouseButton.LeftButton)
    assert session.design.graph.nodes["loss"].params["positive_weight"] == pytest.approx(21, abs=1)
    assert panel.class_weights.rows[0].words.text().startswith("loss weighs classes: yes × ")
