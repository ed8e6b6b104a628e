"""Large files in the data panel: the beginning is shown first, and reading tells how far it is and can be stopped."""

from __future__ import annotations

import threading
from pathlib import Path

import polars
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rnnstudio.data import preview as previews
from rnnstudio.data import progress
from rnnstudio.design.edits import SetData
from rnnstudio.studio.background import Background
from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.panels.table_form import SHOWN
from rnnstudio.studio.session import Session

from .test_data_panel import look, write

ROWS = 4000
LONG = "level,flow\n" + "".join(f"{n % 11},{n * 0.5}\n" for n in range(ROWS))
CLICK = Qt.MouseButton.LeftButton


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A table of which a first look reads a tenth."""
    monkeypatch.setattr(previews, "LARGE", len(LONG) // 4)
    monkeypatch.setattr(previews, "LOOKED", len(LONG) // 10)
    return write(tmp_path / "long.csv", LONG)


def test_the_beginning_is_shown_first_and_all_of_it_is_used(
    data_panel: DataPanel,
    session: Session,
    large: Path,
    qtbot: QtBot,
) -> None:
    look(qtbot, data_panel, large)
    assert "The first" in data_panel.summary.text()
    assert not data_panel.use_button.isEnabled()
    qtbot.waitUntil(data_panel.use_button.isEnabled)
    assert data_panel.preview is not None
    assert data_panel.preview.whole
    qtbot.mouseClick(data_panel.use_button, CLICK)
    assert session.design.data is not None
    assert session.design.data.fields[0].high == (10.0, (ROWS - 1) * 0.5)


def test_a_reading_is_stopped_and_gone_on_with(
    data_panel: DataPanel,
    session: Session,
    large: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reading of the whole file waits until it is called off: only then it goes on, to where it finds out."""
    asked = previews.build
    held = threading.Event()

    def build(*given, most: int = 0, **more):
        watch = progress._watch.get()
        if not most and not held.is_set():
            progress.step("reading", 1, 4)
            while not watch.cancelled:
                held.wait(0.01)
            progress.check()
        return asked(*given, most=most, **more)

    monkeypatch.setattr(previews, "build", build)
    look(qtbot, data_panel, large)
    qtbot.waitUntil(data_panel.reading.isVisible)
    qtbot.waitUntil(lambda: data_panel.reading.progress.value() == 250)
    assert data_panel.state.text() == "Reading all of it …"
    qtbot.mouseClick(data_panel.reading.stop_button, CLICK)
    assert not data_panel.reading.isVisible()
    assert data_panel.state.text() == "Only its beginning was read"
    assert session.design.data is None
    held.set()
    qtbot.mouseClick(data_panel.read_button, CLICK)
    qtbot.waitUntil(data_panel.use_button.isEnabled)
    assert not data_panel.read_button.isVisible()


def test_a_design_that_has_learned_from_a_large_file_shows_its_beginning(
    data_panel: DataPanel,
    session: Session,
    large: Path,
    qtbot: QtBot,
) -> None:
    look(qtbot, data_panel, large)
    qtbot.waitUntil(data_panel.use_button.isEnabled)
    qtbot.mouseClick(data_panel.use_button, CLICK)
    recipe = session.design.data
    assert recipe is not None
    with qtbot.waitSignal(data_panel.looked):
        session.new(session.design)
    assert data_panel.state.text() == "In use; its beginning is shown"
    assert data_panel.changed_note.isHidden()
    assert session.design.data == recipe
    assert not data_panel.use_button.isEnabled()
    with qtbot.waitSignal(data_panel.looked):
        session.do(SetData(recipe.replace(split=(0.5, 0.25, 0.25))))
    assert session.design.data is not None


def test_what_nobody_waits_for_is_called_off(qtbot: QtBot) -> None:
    background, begun, ended = Background(), threading.Event(), threading.Event()

    def read() -> None:
        begun.set()
        try:
            while True:
                progress.check()
        finally:
            ended.set()

    background.ask(read)
    begun.wait()
    with qtbot.waitSignal(background.done) as told:
        background.ask(lambda: 7)
    assert told.args == [7]
    ended.wait()


def test_a_table_of_very_many_columns_is_shown_by_its_first_ones_and_read_whole(
    data_panel: DataPanel,
    session: Session,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    names = [f"c{n}" for n in range(SHOWN + 50)]
    rows = "".join(",".join(str((n * 7 + row) % 13) for n in range(len(names))) + "\n" for row in range(60))
    look(qtbot, data_panel, write(tmp_path / "wide.csv", ",".join(names) + "\n" + rows))
    columns = data_panel.table_form.columns
    assert columns.topLevelItemCount() == SHOWN + 1
    assert columns.topLevelItem(SHOWN).text(0) == "… 50 more"
    with qtbot.waitSignal(data_panel.looked):
        columns.topLevelItem(0).setCheckState(1, Qt.CheckState.Unchecked)
    qtbot.mouseClick(data_panel.use_button, CLICK)
    assert session.design.data is not None
    assert session.design.data.options["inputs"] == names[1:]
    assert session.design.data.options["targets"] == names


def test_rows_that_are_sequences_may_have_several_features(
    data_panel: DataPanel,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    rows = "".join(f"{n % 5},{n % 7},{n % 3},{n % 4},{n % 6},{n % 8},{n % 2}\n" for n in range(60))
    look(qtbot, data_panel, write(tmp_path / "rows.csv", f"t0_a,t0_b,t1_a,t1_b,t2_a,t2_b,label\n{rows}"))
    assert data_panel.table_form.mode.currentData() == "row_is_sequence"
    data_panel.table_form.how.set_open(True)
    assert data_panel.table_form.rest.rows["features"].isVisible()
    assert data_panel.table_form.rest.rows["features"].value() == 2
    data_panel.table_form.mode.put("row_is_step")
    data_panel.table_form.mode.activated.emit(0)
    assert not data_panel.table_form.rest.rows["features"].isVisible()


def test_a_parquet_table_has_the_form_of_tables_but_nothing_of_texts(
    data_panel: DataPanel,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    polars.DataFrame({"a": [float(n % 9) for n in range(80)], "b": [n * 0.5 for n in range(80)]}).write_parquet(
        tmp_path / "t.parquet"
    )
    look(qtbot, data_panel, tmp_path / "t.parquet")
    form = data_panel.table_forms["parquet"]
    assert form.isVisible()
    assert not data_panel.table_form.isVisible()
    form.how.set_open(True)
    assert not form.delimiter.isVisible()
    assert form.window_length.isVisible()
    assert {form.columns.topLevelItem(n).text(0) for n in range(2)} == {"a", "b"}
    assert "delimiter" not in form.options()


def test_a_large_file_that_changed_behind_its_beginning_is_told(
    data_panel: DataPanel,
    session: Session,
    large: Path,
    qtbot: QtBot,
) -> None:
    look(qtbot, data_panel, large)
    qtbot.waitUntil(data_panel.use_button.isEnabled)
    qtbot.mouseClick(data_panel.use_button, CLICK)
    large.write_text(LONG + "1,2\n")
    with qtbot.waitSignal(data_panel.looked):
        session.new(session.design)
    size = len(LONG)
    assert (
        f"has changed since the design read it: {size + 4:,} bytes, {size:,} before." in data_panel.changed_note.text()
    )
    assert data_panel.state.text() == "Only its beginning was read"
    assert data_panel.read_button.isVisible()
