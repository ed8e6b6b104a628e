"""A cell on its own in a file: it comes back equal, equal cells give equal bytes, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.cell_file import dumps_cell, load_cell, loads_cell, save_cell
from rnnstudio.design.errors import StudioError


@pytest.mark.parametrize("name", sorted(standard().cells))
def test_every_library_cell_comes_back_from_a_file(name: str, tmp_path: Path) -> None:
    cell = standard().cells[name]
    path = tmp_path / "a cell.rnncell"
    save_cell(cell, path)
    again = load_cell(path)
    assert (again.name, dict(again.params), again.formula) == (name, dict(cell.params), cell.formula)
    assert {n.id: (n.kind, dict(n.params), n.title) for n in again.graph.nodes.values()} == {
        n.id: (n.kind, dict(n.params), n.title) for n in cell.graph.nodes.values()
    }
    assert set(again.graph.wires) == set(cell.graph.wires)
    assert dumps_cell(again) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 99}, "up to 1"),
        ({"name": 3}, "not a cell"),
        ({"name": "a b"}, "not a usable name"),
        ({"graph": []}, "graph"),
        ({"params": {"units": {"x": 1}}}, "units"),
    ],
)
def test_a_damaged_cell_file_says_where(change: dict[str, object], told: str) -> None:
    body = {**json.loads(dumps_cell(standard().cells["GRU"])), **change}
    with pytest.raises(StudioError, match=told):
        loads_cell(json.dumps(body), "mine.rnncell")


def test_a_design_is_no_cell(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"not a cell of rnnstudio \(mine\.rnncell\)"):
        loads_cell('{"graph": {}}', "mine.rnncell")
    with pytest.raises(StudioError, match="no such design file"):
        load_cell(tmp_path / "nowhere.rnncell")
