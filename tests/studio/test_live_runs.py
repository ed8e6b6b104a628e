"""The list of runs: compare, go on, delete."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from rnnstudio.design.edits import SetTraining
from rnnstudio.studio.live import Live
from rnnstudio.studio.panels.runs import RunsPanel
from rnnstudio.studio.plots.loss import LossPlot
from rnnstudio.studio.session import Session


@pytest.fixture
def panel(session: Session, live: Live, qtbot: QtBot) -> RunsPanel:
    found = RunsPanel(session, live)
    qtbot.addWidget(found)
    found.resize(600, 240)
    with qtbot.waitSignal(found.loaded):
        found.show()
    return found


def reload(panel: RunsPanel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.loaded):
        panel.reload()


def answer(text: str) -> None:
    """Click the button of the message box that opens next."""

    def click() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        next(button for button in box.buttons() if button.text() == text).click()

    QTimer.singleShot(100, click)


def test_without_runs_the_panel_says_what_will_be_here(panel: RunsPanel) -> None:
    assert panel.empty.isVisible()
    assert "Press Train" in panel.empty.text()
    assert not panel.delete_button.isEnabled()


@pytest.mark.usefixtures("message_boxes_are_answered")
def test_runs_are_listed_compared_gone_on_with_and_deleted(
    panel: RunsPanel, session: Session, trained: Callable[[str], Live], live: Live, qtbot: QtBot
) -> None:
    trained("char-lm")
    first = live.run_folder
    session.do(SetTraining({"epochs": 1}))
    with qtbot.waitSignal(live.finished):
        live.train()
    second = live.run_folder
    assert first is not None
    assert second is not None
    assert first != second
    reload(panel, qtbot)
    assert panel.table.topLevelItemCount() == 2
    texts = {item.text(0): [item.text(place) for place in range(6)] for item, _ in panel._items()}
    assert texts[first.name][1] == "done"
    assert float(texts[first.name][2]) == pytest.approx(1.0, abs=3.0)
    assert int(texts[first.name][3]) == 2 * int(texts[second.name][3])

    plot = LossPlot(live)
    qtbot.addWidget(plot)
    plot.show()
    item = next(item for item, folder in panel._items() if folder == first)
    with qtbot.waitSignal(live.curvesReplaced):
        item.setCheckState(0, Qt.CheckState.Checked)
    assert [lines.curves.folder for lines in plot._runs] == [second, first]
    item = next(item for item, folder in panel._items() if folder == first)
    item.setCheckState(0, Qt.CheckState.Unchecked)
    assert [lines.curves.folder for lines in plot._runs] == [second]

    panel.select(second)
    with qtbot.waitSignal(panel.exportWanted) as wanted:
        qtbot.mouseClick(panel.export_button, Qt.MouseButton.LeftButton)
    assert wanted.args == [second]
    session.do(SetTraining({"epochs": 2}))
    reached = len(live.curves)
    with qtbot.waitSignal(live.finished):
        qtbot.mouseClick(panel.go_on_button, Qt.MouseButton.LeftButton)
    assert live.run_folder == second
    assert len(live.curves) == 2 * reached

    reload(panel, qtbot)
    panel.select(first)
    answer("Keep")
    panel.delete()
    assert first.is_dir()
    answer("Delete")
    with qtbot.waitSignal(panel.loaded):
        panel.delete()
    assert not first.exists()
    assert second.is_dir()
    assert panel.table.topLevelItemCount() == 1


def test_resume_is_offered_where_something_whole_was_saved(
    panel: RunsPanel, trained: Callable[[str], Live], live: Live, qtbot: QtBot
) -> None:
    trained("char-lm")
    assert live.run_folder is not None
    reload(panel, qtbot)
    panel.table.setCurrentItem(panel.table.topLevelItem(0))
    assert panel.go_on_button.isEnabled()
    assert "step" in panel.go_on_button.toolTip()
    for path in (live.run_folder / "checkpoints").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-7])
    reload(panel, qtbot)
    panel.table.setCurrentItem(panel.table.topLevelItem(0))
    assert not panel.go_on_button.isEnabled()
    assert "Nothing whole" in panel.go_on_button.toolTip()
