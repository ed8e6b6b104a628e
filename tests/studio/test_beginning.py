"""What Train begins with after an edit: told before it is pressed, one click away from the other choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rnnstudio import data
from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetData, SetTraining, SetVariable
from rnnstudio.studio.live import Live
from rnnstudio.studio.panels.beginning import BeginningLine
from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.panels.runs import RunsPanel
from rnnstudio.studio.panels.training import TrainingPanel
from rnnstudio.studio.session import Session
from rnnstudio.training.events import Finished
from rnnstudio.training.runs import Run


@pytest.fixture
def panel(session: Session, live: Live, qtbot: QtBot) -> TrainingPanel:
    found = TrainingPanel(session, live)
    qtbot.addWidget(found)
    found.resize(310, 760)
    found.show()
    return found


@pytest.fixture
def trained(live: Live, open_example: Callable[[str], Design], session: Session, qtbot: QtBot) -> Callable[[str], Live]:
    """Opens a small copy of an example, with its data as it is in the small file, and trains it to its end."""

    def train(name: str) -> Live:
        recipe = open_example(name).data
        assert recipe is not None
        session.do(SetData(data.open(recipe, session.base_folder).recipe))
        assert session.save()
        assert live.train()
        qtbot.waitUntil(lambda: live.state == "idle")
        assert isinstance(live.curves.ended, Finished), live.curves.ended
        return live

    return train


def told(line: BeginningLine) -> str:
    return line.line.text() if line.isVisible() else ""


def click(qtbot: QtBot, widget: object) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)  # type: ignore[call-overload]


def train(panel: TrainingPanel, qtbot: QtBot) -> Run:
    click(qtbot, panel.train_button)
    assert panel.live.alive, panel.status.text()
    qtbot.waitUntil(lambda: not panel.live.alive)
    assert isinstance(panel.live.curves.ended, Finished), panel.live.curves.ended
    assert panel.live.run_folder is not None
    return Run.open(panel.live.run_folder)


def test_nothing_is_told_before_there_is_a_run(panel: TrainingPanel, open_example: Callable[[str], object]) -> None:
    open_example("char-lm")
    assert told(panel.begins) == ""


def test_an_edited_drawing_keeps_what_fits_and_starts_afresh_at_a_click(
    panel: TrainingPanel, session: Session, trained: Callable[[str], Live], qtbot: QtBot
) -> None:
    first = trained("char-lm").run_folder
    assert first is not None
    qtbot.waitUntil(lambda: panel.live.beginning.found is not None)
    assert told(panel.begins) == "Train starts afresh, with new weights."
    assert panel.begins.other_button.text() == "Keep weights"
    session.do(SetVariable("hidden", 14))
    line = f"Train begins with the weights of {first.name}: 2 of 15 weights kept, 13 new."
    qtbot.waitUntil(lambda: told(panel.begins) == line)
    click(qtbot, panel.begins.details_button)
    assert "new      lstm.W_o.weight" in panel.begins.details.toPlainText()
    assert panel.begins.widened.isVisible()
    click(qtbot, panel.begins.other_button)
    assert told(panel.begins) == "Train starts afresh, with new weights."
    assert "warm_start" not in train(panel, qtbot).info
    session.do(SetVariable("hidden", 16))
    qtbot.waitUntil(lambda: "2 of 15 weights kept" in told(panel.begins))
    assert panel.live.run_folder is not None
    before = panel.live.run_folder
    found = train(panel, qtbot).info["warm_start"]
    assert (found["run"], found["kept"]) == (str(before), ["embedding.weight", "readout.bias"])
    assert panel.live.curves.validation_step[0] == 0


def test_what_is_said_is_what_is_done_even_at_once_after_an_edit(
    panel: TrainingPanel, session: Session, trained: Callable[[str], Live], qtbot: QtBot
) -> None:
    trained("char-lm")
    session.do(SetVariable("hidden", 14))
    run = train(panel, qtbot)  # before the edit's effect has been told
    assert run.info["warm_start"]["kept"] == ["embedding.weight", "readout.bias"]


def test_an_edit_that_is_undone_or_a_setting_changes_nothing_of_the_network(
    panel: TrainingPanel, session: Session, trained: Callable[[str], Live], qtbot: QtBot
) -> None:
    trained("char-lm")
    session.do(SetVariable("hidden", 14))
    qtbot.waitUntil(lambda: "weights kept" in told(panel.begins))
    session.undo()
    qtbot.waitUntil(lambda: told(panel.begins) == "Train starts afresh, with new weights.")
    session.do(SetTraining({**session.design.training, "learning_rate": 0.01}))
    assert told(panel.begins) == "Train starts afresh, with new weights."


def test_widened_layers_keep_their_part_when_that_is_ticked(
    panel: TrainingPanel, session: Session, trained: Callable[[str], Live], qtbot: QtBot
) -> None:
    trained("char-lm")
    session.do(SetVariable("hidden", 14))
    qtbot.waitUntil(lambda: "13 new" in told(panel.begins))
    click(qtbot, panel.begins.details_button)
    panel.begins.widened.click()
    qtbot.waitUntil(lambda: "2 of 15 weights kept, 13 in part" in told(panel.begins))
    assert len(train(panel, qtbot).info["warm_start"]["in_part"]) == 13


def test_other_data_starts_afresh_unless_a_person_asks_and_words_may_be_dropped(
    panel: TrainingPanel, session: Session, trained: Callable[[str], Live], qtbot: QtBot, tmp_path: Path
) -> None:
    trained("char-lm")
    data_panel = DataPanel(session)
    qtbot.addWidget(data_panel)
    other = tmp_path / "char-lm" / "other.txt"
    other.write_text("Ärger über 7 Zebras, und noch mehr; so ist das. " * 60, encoding="utf-8")
    with qtbot.waitSignal(data_panel.looked):
        data_panel.open_file(other)
    data_panel.use()
    qtbot.waitUntil(lambda: told(panel.begins) == "Train starts afresh, with new weights.")
    click(qtbot, panel.begins.other_button)
    qtbot.waitUntil(lambda: "12 of 15 weights kept, 3 in part" in told(panel.begins))
    click(qtbot, panel.begins.details_button)
    assert "new ('Ä', 'ü'" in panel.begins.details.toPlainText() or "'ü'" in panel.begins.details.toPlainText()
    assert panel.begins.words.isVisible()
    panel.begins.words.setFocus()
    qtbot.keyClick(panel.begins.words, Qt.Key.Key_Down)
    panel.begins.words.activated.emit(panel.begins.words.currentIndex())
    qtbot.waitUntil(lambda: "dropped (" in panel.begins.details.toPlainText())
    run = train(panel, qtbot)
    assert run.info["warm_start"]["words"] == "drop"
    recipe = run.design().data
    assert recipe is not None
    assert "Q" not in recipe.field("text").vocabulary


def test_a_stored_run_is_chosen_in_the_table_of_runs(
    panel: TrainingPanel, session: Session, trained: Callable[[str], Live], qtbot: QtBot
) -> None:
    first = trained("char-lm").run_folder
    assert session.path is not None
    session.open(session.path)
    assert told(panel.begins) == ""
    runs = RunsPanel(session, panel.live)
    qtbot.addWidget(runs)
    with qtbot.waitSignal(runs.loaded):
        runs.show()
    assert runs.selected == first
    runs.begin_with()
    qtbot.waitUntil(lambda: "15 of 15 weights kept" in told(panel.begins))
    assert train(panel, qtbot).info["warm_start"]["run"] == str(first)


def test_a_run_that_is_gone_is_no_longer_offered(
    panel: TrainingPanel, session: Session, trained: Callable[[str], Live], qtbot: QtBot
) -> None:
    live = trained("char-lm")
    session.do(SetVariable("hidden", 14))
    qtbot.waitUntil(lambda: "weights kept" in told(panel.begins))
    assert live.run_folder is not None
    live.forget(live.run_folder)
    assert told(panel.begins) == ""


def test_weights_that_cannot_be_kept_are_told_and_nothing_begins(
    panel: TrainingPanel, session: Session, trained: Callable[[str], Live], qtbot: QtBot
) -> None:
    live = trained("char-lm")
    session.do(SetVariable("hidden", 14))
    qtbot.waitUntil(lambda: "weights kept" in told(panel.begins))
    assert live.run_folder is not None
    for file in (live.run_folder / "checkpoints").iterdir():
        file.unlink()
    session.do(SetVariable("hidden", 15))
    failures: list[object] = []
    session.failed.connect(failures.append)
    click(qtbot, panel.train_button)
    assert not live.alive
    assert "no checkpoint" in str(failures[0])
    click(qtbot, panel.begins.other_button)
    assert "warm_start" not in train(panel, qtbot).info
