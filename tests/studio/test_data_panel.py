"""Choosing data: dropped, looked at, used, refused; the window goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rnnstudio.data.formats.pairs import PairOptions
from rnnstudio.data.options import CsvOptions, describe
from rnnstudio.design.design import Design, Node, Pin, Wire, frozen
from rnnstudio.design.edits import AddNode, Compound, Connect, SetCell
from rnnstudio.studio.canvas.look import look as look_of
from rnnstudio.studio.canvas.shape import shape_of
from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.panels.table_form import BY_HAND
from rnnstudio.studio.session import Session
from tests.data.reader_samples import table, text
from tests.data.sequence_files import pairs, reviews, tagged

PROSE = "The quick brown fox jumps over the lazy dog.\n" * 60
TABLE = "year,level,flow\n" + "".join(f"{1900 + n},{n % 11},{n * 0.5}\n" for n in range(80))


@pytest.fixture
def panel(data_panel: DataPanel) -> DataPanel:
    data_panel.resize(340, 700)
    return data_panel


def look(qtbot: QtBot, panel: DataPanel, path: Path) -> None:
    with qtbot.waitSignal(panel.looked):
        panel.open_file(path)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def drop(panel: DataPanel, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    action, button, key = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), action, mime, button, key)
    QApplication.sendEvent(panel, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(panel, QDropEvent(QPointF(50, 50), action, mime, button, key))


def test_an_empty_panel_says_what_to_do(panel: DataPanel) -> None:
    assert "Drop a data file" in panel.empty.text()
    assert panel.empty.isVisible()
    assert not panel.use_button.isVisible()


def test_a_dropped_text_is_used_with_one_click(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    file = write(tmp_path / "prose.txt", PROSE)
    with qtbot.waitSignal(panel.looked):
        drop(panel, file)
    assert panel.table.rowCount() == 20
    assert [panel.table.item(row, 1).text() for row in range(4)] == ["T", "h", "e", "␣"]
    assert "different" in panel.summary.text()
    assert session.design.data is None
    qtbot.mouseClick(panel.use_button, Qt.MouseButton.LeftButton)
    recipe = session.design.data
    assert recipe is not None
    assert recipe.reader == "text"
    assert recipe.field("text").size == len(set(PROSE))
    assert panel.state.text() == "In use"
    session.undo()
    assert session.design.data is None
    assert panel.empty.isVisible()


def test_a_file_inside_the_designs_folder_is_named_relative_to_it(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    session.base_folder = tmp_path
    look(qtbot, panel, write(tmp_path / "prose.txt", PROSE))
    panel.use()
    assert session.design.data is not None
    assert session.design.data.path == "prose.txt"


def test_a_table_shows_its_columns_and_what_the_model_sees(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, write(tmp_path / "river.csv", TABLE))
    assert panel.reader.currentData() == "csv"
    assert panel.table_form.order.currentData() == "year"
    assert panel.table_form.options()["inputs"] == ["level", "flow"]
    header = [panel.table.horizontalHeaderItem(place).text() for place in range(panel.table.columnCount())]
    assert "inputs: level" in header
    assert "targets: flow, 1 ahead" in header


def test_a_changed_option_is_looked_at_by_itself(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, write(tmp_path / "river.csv", TABLE))
    with qtbot.waitSignal(panel.looked):
        panel.table_form.horizon.setValue(3)
    assert panel.preview is not None
    assert panel.preview.recipe.field("targets").shift == 3
    with qtbot.waitSignal(panel.looked):
        panel.split_form.train.setValue(60)
    assert panel.preview.recipe.split[0] == pytest.approx(0.6)
    level = panel.table_form.columns.topLevelItem(1)
    assert level.text(0) == "level"
    with qtbot.waitSignal(panel.looked):
        level.setCheckState(1, Qt.CheckState.Unchecked)
    assert panel.preview.recipe.field("inputs").columns == ("flow",)


def test_a_text_can_be_read_as_words(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, write(tmp_path / "prose.txt", PROSE))
    with qtbot.waitSignal(panel.looked):
        panel.record_forms["text"].rows["level"].setCurrentIndex(1)
        panel.record_forms["text"].rows["level"].activated.emit(1)
    assert panel.table.item(1, 1).text() == "quick"
    assert panel.record_forms["text"].rows["min_count"].isVisible()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.txt", b"", "empty"),
        ("archive.csv", b"PK\x03\x04" + bytes(300), "zip file is cut or damaged"),
        ("noise.txt", bytes(range(256)) * 20, "binary"),
    ],
)
def test_an_unreadable_file_harms_nothing(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot, name: str, content: bytes, told: str
) -> None:
    look(qtbot, panel, write(tmp_path / "prose.txt", PROSE))
    panel.use()
    before, shown = session.design, panel.preview
    look(qtbot, panel, write(tmp_path / name, content))
    assert told in panel.error.text()
    assert panel.error.isVisible()
    assert session.design is before
    assert panel.preview is shown
    assert panel.table.rowCount() == 20


def test_a_missing_file_is_one_clear_error(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, tmp_path / "gone.txt")
    assert "does not exist" in panel.error.text()
    assert panel.empty.isVisible()


def test_bad_cells_are_marked_at_their_line_and_column(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    bad = TABLE.replace("1905,5,2.5", "1905,x5,2.5").replace("1907,7,3.5", "1907,7,3.5,9")
    look(qtbot, panel, write(tmp_path / "bad.csv", bad))
    told = [panel.problems.item(row).text() for row in range(panel.problems.count())]
    assert any("ine 7" in text and "level" in text and "not a number" in text for text in told)
    assert any("ine 9" in text and "4 cells" in text for text in told)
    assert panel.problems.isVisible()
    place = panel.problems.mapTo(panel, panel.problems.rect().bottomLeft())
    assert place.y() < panel.reader.mapTo(panel, panel.reader.rect().topLeft()).y(), "seen before the options"
    assert not panel.use_button.isEnabled()
    panel.use()
    assert session.design.data is None
    row = next(row for row in range(panel.table.rowCount()) if panel.table.item(row, 0).text() == "7")
    column = next(
        place for place in range(panel.table.columnCount()) if panel.table.horizontalHeaderItem(place).text() == "level"
    )
    assert panel.table.item(row, column).background().color() != panel.table.item(row + 1, column).background().color()


def test_wrong_encoding_names_the_byte_and_the_remedy(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, write(tmp_path / "old.txt", ("Zum Glück " * 300).encode("cp1252")))
    with qtbot.waitSignal(panel.looked):
        panel.record_forms["text"].rows["encoding"].setCurrentIndex(0)
        panel.record_forms["text"].rows["encoding"].activated.emit(0)
    assert panel.preview is not None
    assert not panel.preview.usable
    assert "cp1252" in panel.problems.item(0).text()


def test_back_shows_the_designs_own_data_again(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, write(tmp_path / "prose.txt", PROSE))
    panel.use()
    look(qtbot, panel, write(tmp_path / "river.csv", TABLE))
    assert panel.state.text() == "Not in use yet"
    with qtbot.waitSignal(panel.looked):
        qtbot.mouseClick(panel.back_button, Qt.MouseButton.LeftButton)
    assert panel.file_label.toolTip().endswith("prose.txt")
    assert panel.state.text() == "In use"


def test_opening_a_design_shows_its_data(panel: DataPanel, open_example: Callable[[str], Design], qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.looked):
        open_example("sunspots")
    assert panel.table_form.options()["inputs"] == ["sunspots"]
    assert panel.state.text() == "In use"


def test_the_window_goes_on_while_a_large_file_is_read(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    rows = 500_000
    file = write(tmp_path / "large.csv", "a,b,c\n" + "".join(f"{n},{n % 7},{n * 0.25}\n" for n in range(rows)))
    turns: list[bool] = []
    with qtbot.waitSignal(panel.looked):
        panel.open_file(file)
        # Read in the window's thread, the file would be there before the loop turns again.
        QTimer.singleShot(0, lambda: turns.append(panel.preview is None))
    assert turns == [True]


def test_a_target_of_a_sequence_is_no_step_of_it(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    rows = "".join(f"{n % 7},{n % 5},{n % 2}\n" for n in range(60))
    look(qtbot, panel, write(tmp_path / "labels.csv", "a,b,ill\n" + rows))
    form = panel.table_form
    with qtbot.waitSignal(panel.looked):
        form.mode.setCurrentIndex(1)
        form.mode.activated.emit(1)
    assert (form.options()["inputs"], form.options()["targets"]) == (["a", "b", "ill"], [])
    with qtbot.waitSignal(panel.looked):
        form.columns.topLevelItem(2).setCheckState(2, Qt.CheckState.Checked)
    assert (form.options()["inputs"], form.options()["targets"]) == (["a", "b"], ["ill"])
    assert panel.preview is not None
    assert panel.preview.usable
    with qtbot.waitSignal(panel.looked):
        form.columns.topLevelItem(2).setCheckState(1, Qt.CheckState.Checked)
    assert (form.options()["inputs"], form.options()["targets"]) == (["a", "b", "ill"], [])


def test_a_binary_loss_takes_its_target_as_it_is_in_the_file(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    rows = "".join(f"{n % 7},{int(n % 9 == 0)}\n" for n in range(80))
    look(qtbot, panel, write(tmp_path / "faults.csv", "load,fault\n" + rows))
    panel.use()
    for key, kind in (("y", "FeatureTarget"), ("loss", "BinaryCrossEntropy")):
        session.do(AddNode(Node(key, kind)))
    assert session.design.data is not None
    assert session.design.data.field("targets").is_scaled(0)
    with qtbot.waitSignal(panel.looked):
        session.do(Connect(Wire(Pin("y", "out"), Pin("loss", "target"))))
    assert not session.design.data.field("targets").is_scaled(0)
    assert session.design.data.field("inputs").is_scaled(0)
    assert panel.state.text() == "In use"
    with qtbot.waitSignal(panel.looked):
        session.undo()
    assert session.design.data.field("targets").is_scaled(0)


def test_a_file_of_another_kind_has_a_form_made_of_its_options(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    look(qtbot, panel, pairs(tmp_path))
    assert panel.reader.currentData() == "pairs"
    form = panel.record_forms["pairs"]
    assert form.isVisible()
    assert not panel.record_forms["text"].isVisible()
    assert set(form.rows) == {item.name for item in describe(PairOptions)}
    assert form.rows["shared"].toolTip() == "Source and target have one vocabulary"
    assert [panel.table.horizontalHeaderItem(place).text() for place in range(3)] == [
        "line",
        "source, steps",
        "target, steps",
    ]
    assert panel.preview.recipe.field("target").size != panel.preview.recipe.field("source").size
    with qtbot.waitSignal(panel.looked):
        qtbot.keyClick(form.rows["shared"], Qt.Key.Key_Space)
    assert panel.preview.recipe.options["shared"] is True
    assert panel.preview.recipe.field("target").vocabulary == panel.preview.recipe.field("source").vocabulary


def test_nodes_follow_the_fields_of_the_data_that_is_used(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    session.do(AddNode(Node("words", "TokenInput", frozen({"field": "text"}))))
    session.do(AddNode(Node("truth", "TokenTarget", frozen({"field": "next"}))))
    look(qtbot, panel, pairs(tmp_path))
    qtbot.mouseClick(panel.use_button, Qt.MouseButton.LeftButton)
    nodes = session.design.graph.nodes
    assert (nodes["words"].params["field"], nodes["words"].params["axis"]) == ("source", "source")
    assert (nodes["truth"].params["field"], nodes["truth"].params["axis"]) == ("target", "target")
    session.undo()
    assert session.design.data is None
    assert session.design.graph.nodes["words"].params["field"] == "text"


def test_a_network_is_drawn_for_a_file_in_one_step_and_undone_in_one(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    before = session.design
    look(qtbot, panel, reviews(tmp_path))
    qtbot.mouseClick(panel.draw_button, Qt.MouseButton.LeftButton)
    drawn = session.design
    assert session.checked.diagnostics == ()
    assert {node.kind for node in drawn.graph.nodes.values()} >= {"TokenInput", "Last", "CrossEntropy"}
    assert drawn.data is not None
    assert drawn.data.reader == "labelled"
    assert panel.state.text() == "In use"
    boxes = [
        shape_of(look_of(node, drawn, session.catalog, drawn.graph.wires)).rect.translated(node.x, node.y)
        for node in drawn.graph.nodes.values()
    ]
    assert not any(one.intersects(other) for one, other in combinations(boxes, 2))
    session.undo()
    assert session.design is before
    session.redo()
    assert session.design == drawn


def test_drawing_anew_keeps_the_cells_that_a_person_invented(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    mine = session.catalog.cells["GRU"].replace(name="Mine")
    session.do(Compound((AddNode(Node("old", "Tanh")), SetCell(mine))))
    look(qtbot, panel, write(tmp_path / "prose.txt", PROSE))
    panel.draw_network()
    assert "old" not in session.design.graph.nodes
    assert session.design.cells["Mine"] == mine


def test_a_file_that_cannot_be_learned_from_gets_no_drawing(
    panel: DataPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    look(qtbot, panel, write(tmp_path / "bad.csv", TABLE.replace("1950,", "1950,x")))
    assert not panel.draw_button.isEnabled()
    assert not session.design.graph.nodes


def choose(panel: DataPanel, column: str, title: str) -> None:
    """Pick an entry of a column's menu, or of its submenu."""
    menu = panel.table_form.menu_of(column)
    actions = [*menu.actions(), *(a for sub in menu.actions() if sub.menu() for a in sub.menu().actions())]
    next(action for action in actions if action.text() == title).trigger()


def test_a_right_click_on_a_column_changes_what_it_holds_and_the_preview_follows(
    panel: DataPanel, tmp_path: Path, qtbot: QtBot
) -> None:
    look(qtbot, panel, write(tmp_path / "river.csv", TABLE))
    asked = []
    panel.table.columnMenuWanted.disconnect()
    panel.table.columnMenuWanted.connect(lambda name, _: asked.append(name))
    header = panel.table.horizontalHeader()
    for place in range(panel.table.columnCount()):
        at = QPoint(header.sectionViewportPosition(place) + 4, 4)
        header.customContextMenuRequested.emit(at)
    assert asked == ["year", *["level", "flow"] * 3]  # as in the file, as inputs, as targets
    with qtbot.waitSignal(panel.looked):
        choose(panel, "level", "Class label")
    fields = {spec.name: spec for spec in panel.preview.recipe.fields}
    assert (fields["level"].content, fields["level"].size) == ("tokens", 11)
    assert panel.table_form.columns.topLevelItem(1).text(3) == "label"
    with qtbot.waitSignal(panel.looked):
        choose(panel, "level", "Ignored")
    assert panel.preview.recipe.field("inputs").columns == ("flow",)
    assert "not used: the column 'level'" in "".join(p.what for p in panel.preview.problems)
    with qtbot.waitSignal(panel.looked):
        choose(panel, "flow", "None")
    assert not panel.preview.recipe.field("inputs").is_scaled(0)
    with qtbot.waitSignal(panel.looked):
        choose(panel, "year", "Number")
    assert panel.preview.recipe.options["order"] == ""
    with qtbot.waitSignal(panel.looked):
        choose(panel, "year", "Time: orders the steps")
    assert panel.preview.recipe.options["order"] == "year"


def test_a_click_on_a_problem_selects_its_cell_wherever_it_stands(
    panel: DataPanel, tmp_path: Path, qtbot: QtBot
) -> None:
    look(
        qtbot, panel, write(tmp_path / "bad.csv", TABLE.replace("1905,5,", "1905,much,").replace("1970,4,", "1970,?,"))
    )
    cells = []
    for row in range(panel.problems.count()):
        panel.problems.itemClicked.emit(panel.problems.item(row))
        cells.append((panel.table.item(panel.table.currentRow(), 0).text(), panel.table.currentItem().column()))
    titles = panel.preview.columns
    assert [(line, titles[place]) for line, place in cells] == [("7", "level"), ("72", "level")]


def test_an_option_that_means_nothing_beside_another_is_hidden(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, write(tmp_path / "prose.txt", PROSE))
    assert not panel.record_forms["text"].rows["min_count"].isVisible()


def test_options_of_a_table_without_a_field_of_their_own_have_a_row(
    panel: DataPanel, tmp_path: Path, qtbot: QtBot
) -> None:
    known = {item.name for item in describe(CsvOptions)}
    assert set(BY_HAND) | set(panel.table_form.rest.rows) == known
    look(qtbot, panel, write(tmp_path / "river.csv", TABLE))
    with qtbot.waitSignal(panel.looked):
        panel.table_form.rest.rows["stride"].setValue(3)
    assert panel.preview.recipe.options["stride"] == 3


def test_an_encoding_may_be_typed(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, write(tmp_path / "old.txt", ("Grüße aus Köln. " * 200).encode("cp850")))
    line = panel.record_forms["text"].rows["encoding"].lineEdit()
    line.selectAll()
    with qtbot.waitSignal(panel.looked):
        qtbot.keyClicks(line, "cp850")
        qtbot.keyClick(line, Qt.Key.Key_Return)
    assert panel.preview.recipe.options["encoding"] == "cp850"
    assert "ü" in panel.preview.recipe.field("text").vocabulary


def test_the_panel_says_how_long_and_how_often(panel: DataPanel, tmp_path: Path, qtbot: QtBot) -> None:
    look(qtbot, panel, reviews(tmp_path))
    told = panel.counts.told
    assert told[0].startswith("Lengths along time: 4 to 13")
    assert any(line.startswith("label: 2 classes") for line in told)
    assert any(line.startswith("text: 9 different tokens") for line in told)
    assert panel.counts.height() > 0
    panel.counts.grab()  # painted without a complaint


@pytest.mark.parametrize("write_one", [reviews, pairs, tagged, text], ids=lambda one: one.__name__)
def test_the_picture_of_the_examples_follows_width_and_font(
    panel: DataPanel, tmp_path: Path, qtbot: QtBot, write_one: Callable[[Path], Path]
) -> None:
    look(qtbot, panel, write_one(tmp_path))
    picture = panel.examples
    assert picture.picture.chips("token")
    for width in (300, 700):
        panel.resize(width, 800)
        QApplication.processEvents()
        assert all(chip.rect.right() <= picture.width() for chip in picture.picture.chips("token"))
    height = picture.height()
    font = picture.font()
    font.setPointSizeF(font.pointSizeF() * 2)
    picture.setFont(font)
    assert picture.height() > height
    assert not picture.grab().toImage().allGray()


@pytest.mark.parametrize("write_one", [text, table, reviews, pairs, tagged], ids=lambda one: one.__name__)
def test_nothing_is_cut_off_at_the_right_of_a_narrow_panel(
    panel: DataPanel, tmp_path: Path, qtbot: QtBot, write_one: Callable[[Path], Path]
) -> None:
    look(qtbot, panel, write_one(tmp_path))
    panel.resize(300, 700)
    QApplication.processEvents()
    assert panel.area.widget().width() <= panel.area.viewport().width()


def test_a_task_is_chosen_from_its_menu_changed_and_used(panel: DataPanel, session: Session, qtbot: QtBot) -> None:
    entries = {action.text(): action for action in panel.task_button.menu().actions()}
    assert {"The adding problem", "Copy", "Mackey-Glass", "Morse code"} <= entries.keys()
    with qtbot.waitSignal(panel.looked):
        entries["The adding problem"].trigger()
    form = panel.reader_forms["task:adding"]
    assert form.isVisible()
    assert form.options()["steps"] == 100
    with qtbot.waitSignal(panel.looked):
        form.put({**form.options(), "steps": 7})
        form.changed.emit()
    qtbot.mouseClick(panel.use_button, Qt.MouseButton.LeftButton)
    recipe = session.design.data
    assert recipe is not None
    assert (recipe.path, recipe.reader, recipe.options["steps"]) == ("task:adding", "task:adding", 7)
    with qtbot.waitSignal(panel.looked):
        entries["Mixtures of sines"].trigger()
    assert panel.error.isHidden()
    assert panel.reader_forms["task:sines"].options()["longest"] == 40.0


def test_a_task_does_not_become_a_file_by_another_reader(panel: DataPanel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.looked):
        panel.open_task("task:copy")
    panel.reader.setCurrentIndex(panel.reader.findData("csv"))
    with qtbot.waitSignal(panel.looked):
        panel.reader.activated.emit(panel.reader.currentIndex())
    assert "“task:copy” is a task and cannot be read as a table" in panel.error.text()
    assert "Choose a file first" in panel.error.text()
