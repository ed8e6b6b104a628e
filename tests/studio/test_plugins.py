"""Plugins in the window: what they bring is offered, and one that failed stands among the problems."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnstudio.data import readers
from rnnstudio.loading import Loaded, discover
from rnnstudio.studio.offers import find
from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.panels.palette import PalettePanel
from rnnstudio.studio.panels.problems import ProblemsPanel
from rnnstudio.studio.session import Session


@pytest.fixture
def plugins(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Loaded]:
    """The two example plugins and a broken one, as in a user's folder."""
    folder = tmp_path / "plugins"
    for name in ("abc", "minimal-gated"):
        package = f"rnnstudio_{name.replace('-', '_')}"
        shutil.copytree(pytestconfig.rootpath / "plugins" / f"rnnstudio-{name}" / package, folder / package)
    (folder / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    before = readers.plugged()
    loaded = discover(folder, [])
    readers.install(loaded.readers.values())
    yield loaded
    readers.install(before)


@pytest.fixture
def session(qtbot, plugins: Loaded) -> Iterator[Session]:
    found = Session(plugins)
    yield found
    found.close()


def test_a_failed_plugin_is_a_warning_among_the_problems(qtbot, session: Session) -> None:
    panel = ProblemsPanel(session)
    qtbot.addWidget(panel)
    told = [row.diagnostic for row in panel.rows if row.diagnostic.code == "PluginFailed"]
    assert [d.severity for d in told] == ["warning"]
    assert "“broken”" in told[0].message
    assert "ZeroDivisionError" in told[0].message


def test_nodes_and_cells_of_plugins_are_in_the_palette(qtbot, session: Session) -> None:
    panel = PalettePanel(session)
    qtbot.addWidget(panel)
    names = {offer.key for offer in panel.offers()}
    assert {"kind:SoftLimit", "cell:MinimalGated", "cell:SoftMinimalGated"} <= names
    assert find("cell:MinimalGated", session.catalog, session.design) is not None


def test_a_tune_file_is_read_by_the_plugins_reader(qtbot, session: Session, plugins: Loaded, tmp_path: Path) -> None:
    panel = DataPanel(session)
    qtbot.addWidget(panel)
    sample = tmp_path / "plugins" / "rnnstudio_abc" / "sample.abc"
    with qtbot.waitSignal(panel.looked):
        panel.open_file(sample)
    assert panel.reader.currentText() == "tunes (ABC notation)"
    assert panel.record_forms["text"].isHidden()
    assert panel.table_form.isHidden()
    assert panel.table.item(0, 1).text() == "Twinkle, Twinkle, Little Star"
    panel.use()
    assert session.design.data is not None
    assert session.design.data.reader == "abc"


def test_the_design_of_a_missing_plugin_shows_why_its_data_cannot_be_read(
    qtbot, session: Session, tmp_path: Path
) -> None:
    panel = DataPanel(session)
    qtbot.addWidget(panel)
    with qtbot.waitSignal(panel.looked):
        panel.open_file(tmp_path / "plugins" / "rnnstudio_abc" / "sample.abc")
    panel.use()
    recipe = session.design.data
    readers.install(())
    with qtbot.waitSignal(panel.looked):
        session.new(session.design)
    assert panel.problems.count() == 1
    assert "no data reader 'abc'" in panel.problems.item(0).text()
    assert not panel.use_button.isEnabled()
    assert session.design.data == recipe
