"""A design whose data file moved: the panel says which, offers the place where it is now, and keeps what it held."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from rnnstudio import data
from rnnstudio.design.edits import SetData
from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.session import Session

TABLE = "year,level,flow\n" + "".join(f"{1900 + n},{n % 11},{n * 0.5}\n" for n in range(80))


@pytest.fixture
def panel(session: Session, qtbot: QtBot, tmp_path: Path) -> DataPanel:
    """The panel of a design that read `river.csv` in its folder, which is about to be looked at again."""
    session.base_folder = tmp_path
    (tmp_path / "river.csv").write_text(TABLE)
    recipe = data.guess(tmp_path / "river.csv").replace(path="river.csv")
    session.do(SetData(data.open(recipe, tmp_path).recipe))
    found = DataPanel(session)
    qtbot.addWidget(found)
    found.resize(340, 700)
    found.show()
    qtbot.waitSignal(found.looked).wait()
    return found


def look_again(qtbot: QtBot, panel: DataPanel) -> None:
    with qtbot.waitSignal(panel.looked):
        panel._show_design()


def press(qtbot: QtBot, panel: DataPanel, button: str) -> None:
    with qtbot.waitSignal(panel.looked):
        qtbot.mouseClick(getattr(panel.missing, button), Qt.MouseButton.LeftButton)


def test_a_file_that_moved_is_relinked_with_one_click(
    panel: DataPanel, session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    assert not panel.missing.isVisible()
    (tmp_path / "old").mkdir()
    (tmp_path / "river.csv").rename(tmp_path / "old" / "lake.csv")
    before = session.design.data
    with qtbot.waitSignal(session.message) as said:
        look_again(qtbot, panel)
    assert said.args is not None
    assert "“river.csv”" in said.args[0]
    assert "“river.csv”" in panel.error.text()
    assert str(tmp_path / "old" / "lake.csv") in panel.missing.told.text()
    press(qtbot, panel, "take_button")
    after = session.design.data
    assert before is not None
    assert after is not None
    assert (after.path, after.fields) == ("old/lake.csv", before.fields)
    assert not panel.missing.isVisible()
    assert not panel.error.isVisible()
    assert panel.state.text() == "In use"
    session.undo()
    assert session.design.data == before


def test_a_design_that_is_opened_without_its_file_shows_what_is_missing_and_nothing_else(
    panel: DataPanel, session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "river.csv").unlink()
    fresh = DataPanel(session)
    qtbot.addWidget(fresh)
    fresh.show()
    qtbot.waitSignal(fresh.looked).wait()
    assert fresh.missing.find_button.isVisible()
    assert not fresh.details.isVisible()
    assert not fresh.empty.isVisible()
    fresh.resize(340, 700)
    qtbot.waitUntil(lambda: fresh.height() == 700)
    assert fresh.missing.geometry().bottom() < 200  # together at the top


def test_another_file_can_be_pointed_at_and_is_shown_before_it_is_used(
    panel: DataPanel, session: Session, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "river.csv").unlink()
    look_again(qtbot, panel)
    assert panel.missing.find_button.isVisible()
    assert not panel.missing.take_button.isVisible()
    other = tmp_path / "far.csv"
    other.write_text(TABLE.replace("1901,1,", "1901,2,"))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(other), ""))
    press(qtbot, panel, "find_button")
    assert session.design.data is not None
    assert session.design.data.path == "river.csv"
    assert panel.table_form.options()["inputs"] == ["level", "flow"]
    qtbot.mouseClick(panel.use_button, Qt.MouseButton.LeftButton)
    assert session.design.data.path == "far.csv"


def test_what_changed_in_a_file_is_told_once_and_quietly(
    panel: DataPanel, session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    assert not panel.changed_note.isVisible()
    told: list[str] = []
    session.message.connect(told.append)
    (tmp_path / "river.csv").write_text(TABLE + "1980,3,40\n")
    look_again(qtbot, panel)
    look_again(qtbot, panel)
    assert panel.changed_note.isVisible()
    assert panel.changed_note.text() == "“river.csv” has changed since the design read it: 81 rows, 80 before."
    assert told == [panel.changed_note.text()]
    qtbot.mouseClick(panel.use_button, Qt.MouseButton.LeftButton)
    look_again(qtbot, panel)
    assert not panel.changed_note.isVisible()
