"""A design whose plugin is missing opens with that place marked, and is saved back byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import CellDefinition, Design, Var, frozen
from rnnstudio.design.edits import MoveNodes
from rnnstudio.design.errors import StudioError
from rnnstudio.design.history import Document
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.design.storage import load, save


def cell() -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    s.add("inner", "FromAPlugin", at=(1, 0), params={"units": Var("units")}, input="x")
    s.add("h", "CellOutput", at=(2, 0), input="inner")
    return s.cell("Foreign", {"units": 4}, "", "")


def design() -> Design:
    """A node, a node inside a cell, and a reader, all of plugins that are not there."""
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    params = {"strength": 0.25, "modes": ("a", 2), "size": Var("hidden")}
    s.add("odd", "FromAPlugin", at=(1, 0), params=params, title="Odd one", left="text")
    s.add("rec", "cell", at=(2, 0), params={"cell": "Foreign", "units": 3}, x="odd.aside")
    s.add("out", "Output", at=(3, 0), input="rec.h")
    fields = (
        FieldSpec("text", "tokens", 3, vocabulary=("a", "b", "¶")),
        FieldSpec("next", "tokens", 3, vocabulary=("a", "b", "¶"), shift_of="text", shift=1),
    )
    options = {"voices": [1, {"deep": None}], "remarks": False, "tempo": 1.5}
    recipe = DataRecipe("midi", "songs/all.mid", options, (0.8, 0.1, 0.1), fields, "ab" * 32)
    return Design("foreign", graph=s.graph(), cells=frozen({"Foreign": cell()}), variables={"hidden": 7}, data=recipe)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.rnn"
    save(design(), path)
    return path


def test_it_is_saved_back_byte_for_byte(file: Path) -> None:
    before = file.read_bytes()
    save(load(file), file)
    assert file.read_bytes() == before


def test_an_edit_elsewhere_and_its_undo_leave_every_byte(file: Path) -> None:
    before = file.read_bytes()
    document = Document(load(file))
    document.do(MoveNodes({"text": (5.0, 6.0)}))
    save(document.design, file)
    assert file.read_bytes() != before
    document.undo()
    save(document.design, file)
    assert file.read_bytes() == before


def test_the_nodes_are_marked_in_the_design_and_in_the_cell(file: Path) -> None:
    unknown = [d for d in check(load(file), standard()).errors if d.code == "UnknownKind"]
    assert {(d.graph, d.nodes) for d in unknown} == {("", ("odd",)), ("Foreign", ("inner",))}
    assert all("“FromAPlugin”" in d.message and "plugin missing" in d.message for d in unknown)


def test_the_missing_reader_is_told_when_the_data_is_read_and_not_before(file: Path) -> None:
    recipe = load(file).data
    assert recipe is not None
    (file.parent / "songs").mkdir()
    (file.parent / "songs" / "all.mid").write_bytes(b"MThd")
    with pytest.raises(StudioError, match=r"no data reader 'midi': is a plugin missing.*Readers: text, csv"):
        data.open(recipe, file.parent)
    preview = data.inspect(recipe, file.parent)
    assert not preview.usable
    assert "'midi'" in preview.problems[0].what
    assert preview.recipe == recipe
