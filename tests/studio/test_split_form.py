"""How the data is divided, chosen in the window: ways, columns, seeds and files, with the parts shown as bars."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from rnnstudio import data
from rnnstudio.data.dividing import Dividing
from rnnstudio.data.options import describe
from rnnstudio.studio import theme
from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.panels.forms import Combo
from rnnstudio.studio.panels.reader_forms import FileLine
from rnnstudio.studio.session import Session
from tests.data.reader_samples import text
from tests.data.test_dividing import patients, split_in_three


@pytest.fixture
def panel(session: Session, qtbot: QtBot) -> DataPanel:
    found = DataPanel(session)
    qtbot.addWidget(found)
    found.resize(360, 900)
    found.show()
    return found


def look(qtbot: QtBot, panel: DataPanel, path: Path) -> None:
    with qtbot.waitSignal(panel.looked):
        panel.open_file(path)


def choose(qtbot: QtBot, panel: DataPanel, way: str) -> None:
    """As a person does in the list: with the keys."""
    combo = panel.dividing_form.rows["split"]
    assert isinstance(combo, Combo)
    combo.setFocus()
    with qtbot.waitSignal(panel.looked):
        while combo.currentData() != way:
            place = combo.findData(way)
            qtbot.keyClick(combo, Qt.Key.Key_Down if place > combo.currentIndex() else Qt.Key.Key_Up)


def enter(qtbot: QtBot, panel: DataPanel, row: str, typed: str) -> None:
    line = panel.dividing_form.rows[row]
    assert isinstance(line, QLineEdit)
    line.selectAll()
    with qtbot.waitSignal(panel.looked):
        qtbot.keyClicks(line, typed)
        qtbot.keyClick(line, Qt.Key.Key_Return)


def test_each_option_of_the_split_has_a_row(panel: DataPanel) -> None:
    assert set(panel.dividing_form.rows) == {item.name for item in describe(Dividing) if not item.learned}


def test_a_way_is_chosen_and_the_parts_follow(panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, patients(tmp_path))
    assert panel.parts.isVisible()
    assert panel.parts.told[0] == "Whole examples at random, every class alike in all parts, 80/10/10 %"
    assert panel.parts.told[1] == "training: 96 examples: well 93.8%, ill 6.2%"
    choose(qtbot, panel, "order")
    assert panel.parts.told[0].startswith("Whole examples in the order of the file")
    assert panel.split_form.isVisible()
    panel.use()
    recipe = session.design.data
    assert recipe is not None
    assert recipe.dividing == {"split": "order"}
    assert panel.state.text() == "In use"
    choose(qtbot, panel, "random")
    assert panel.state.text() == "Not in use yet"
    panel.back_button.click()
    qtbot.waitUntil(lambda: panel.dividing_form.dividing() == {"split": "order"})


def test_groups_are_kept_together_by_a_column_that_is_typed(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, patients(tmp_path))
    assert not panel.dividing_form.rows["split_column"].isVisible()
    choose(qtbot, panel, "random")
    assert any("have a 'patient'" in panel.problems.item(row).text() for row in range(panel.problems.count()))
    choose(qtbot, panel, "group")
    assert panel.dividing_form.rows["split_column"].isVisible()
    enter(qtbot, panel, "split_column", "patient")
    assert panel.parts.told[0] == "Whole groups at random “patient”, 80/10/10 %"
    assert not any("have a 'patient'" in panel.problems.item(row).text() for row in range(panel.problems.count()))
    enter(qtbot, panel, "split_column", "doctor")
    told = [panel.problems.item(row).text() for row in range(panel.problems.count())]
    assert any("no column 'doctor'" in line for line in told)
    assert not panel.use_button.isEnabled()


def test_a_file_of_its_own_is_chosen_for_validation(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    train, valid, _ = split_in_three(text(tmp_path), 0, (60, 90), " ")
    look(qtbot, panel, train)
    line = panel.dividing_form.rows["validation_file"]
    assert isinstance(line, FileLine)
    with qtbot.waitSignal(panel.looked):
        line.put_chosen(valid)
    assert panel.parts.told[0] == "Validation from valid.txt"
    assert [line.split(":")[0] for line in panel.parts.told[1:]] == ["training", "validation"]
    panel.use()
    recipe = session.design.data
    assert recipe is not None
    assert data.resolve(str(recipe.dividing["validation_file"]), session.base_folder) == valid


def test_the_seed_of_the_split_is_set_with_the_keys(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    look(qtbot, panel, patients(tmp_path))
    spin = panel.dividing_form.rows["split_seed"]
    with qtbot.waitSignal(panel.looked):
        qtbot.keyClick(spin, Qt.Key.Key_Up)
    panel.use()
    recipe = session.design.data
    assert recipe is not None
    assert recipe.dividing == {"settled": "stratified", "split_seed": 1}


def test_the_icon_of_a_file_line_follows_the_theme(panel: DataPanel, qtbot: QtBot) -> None:
    line = panel.dividing_form.rows["validation_file"]
    assert isinstance(line, FileLine)
    theme.apply(theme.LIGHT)
    before = line.choose.icon().cacheKey()
    try:
        theme.apply(theme.DARK)
        assert line.choose.icon().cacheKey() != before
    finally:
        theme.apply(theme.LIGHT)
