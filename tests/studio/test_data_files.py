"""The data panel on files in other encodings and on packed ones: what they are read as is shown and can be changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.session import Session
from tests.data.packed_files import bomb, packed, zipped
from tests.data.reader_samples import table, text
from tests.data.test_encodings import table as table_below


@pytest.fixture
def panel(data_panel: DataPanel) -> DataPanel:
    return data_panel


def look(qtbot: QtBot, panel: DataPanel, path: Path) -> None:
    with qtbot.waitSignal(panel.looked):
        panel.open_file(path)


def choose(qtbot: QtBot, panel: DataPanel, combo: QComboBox, item: str) -> None:
    """An entry of a list, by the keys of a person; the preview follows."""
    combo.setFocus()
    with qtbot.waitSignal(panel.looked):
        combo.showPopup()
        view = combo.view()
        view.setCurrentIndex(combo.model().index(combo.findText(item), 0))
        QTest.keyClick(view, Qt.Key.Key_Return)


def test_the_encoding_is_shown_and_can_be_changed(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(table_below("дата;знач").encode("cp1251"))
    look(qtbot, panel, path)
    assert "read as cp1251" in panel.summary.text()
    encoding = panel.table_form.encoding
    assert encoding.currentText() == "Cyrillic (cp1251)"
    choose(qtbot, panel, encoding, "Cyrillic (koi8-r)")
    assert "read as koi8-r" in panel.summary.text()
    assert panel.preview is not None
    assert panel.preview.usable
    assert panel.preview.recipe.field("inputs").columns == tuple(
        name.encode("cp1251").decode("koi8-r") for name in ("дата", "знач")
    )
    choose(qtbot, panel, encoding, "UTF-8")
    assert not panel.preview.usable
    assert 'Set the encoding option to "cp1251"' in panel.problems.item(0).text()
    choose(qtbot, panel, encoding, "Cyrillic (cp1251)")
    qtbot.mouseClick(panel.use_button, Qt.MouseButton.LeftButton)
    assert session.design.data is not None
    assert session.design.data.options["encoding"] == "cp1251"


def test_a_packed_table_is_read_and_another_of_its_archive_chosen(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    look(qtbot, panel, packed(table(tmp_path), ".gz"))
    assert panel.reader.currentData() == "csv"
    assert panel.packed_form.isVisible()
    assert not panel.packed_form.member.isVisible()  # it holds one file alone
    story = "Once there was a king, and he had a daughter.\n" * 40
    archive = tmp_path / "all.zip"
    archive.write_bytes(zipped({"flow.csv": table(tmp_path).read_bytes(), "in/story.txt": story.encode()}))
    look(qtbot, panel, archive)
    member = panel.packed_form.member
    assert member.isVisible()
    assert member.currentText() == "flow.csv"
    assert "The archive holds other files, too: in/story.txt" in panel.problems.item(0).text()
    choose(qtbot, panel, member, "in/story.txt")
    assert panel.reader.currentData() == "text"
    assert panel.excerpt.toPlainText().startswith("Once there was a king")
    qtbot.mouseClick(panel.use_button, Qt.MouseButton.LeftButton)
    assert session.design.data is not None
    assert session.design.data.options["member"] == "in/story.txt"
    look(qtbot, panel, text(tmp_path))
    assert not panel.packed_form.isVisible()
    with qtbot.waitSignal(panel.looked):
        panel.split_form.train.setValue(70)
    assert "member" not in panel.preview.recipe.options  # type: ignore[union-attr]


def test_a_bound_is_told_and_raised_in_the_panel(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "zeros.csv.xz"
    path.write_bytes(bomb(".xz", 66))
    look(qtbot, panel, path)
    assert panel.preview is not None
    assert "it unpacks to more than 200 times its size" in panel.preview.problems[0].what
    panel.packed_form.fold.set_open(True)
    with qtbot.waitSignal(panel.looked):
        panel.packed_form.bounds["unpacked_megabytes"].setValue(40)
    assert "it unpacks to more than 40 MB" in panel.preview.problems[0].what
