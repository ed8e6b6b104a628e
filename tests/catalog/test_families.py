"""Cells for N ordered children: one cell of the library, a drawing for each N, and designs that hold their own."""

from __future__ import annotations

from pathlib import Path

import pytest

import rnnstudio
from rnnstudio import StudioError
from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.families import MOST, set_children
from rnnstudio.compiler import check
from rnnstudio.design.design import MAIN, Design
from rnnstudio.design.edits import MoveNodes, SetAxis, SetParam, SetTitle
from rnnstudio.design.signals import Axis
from rnnstudio.design.storage import dumps, load, loads

HERE = Path(__file__).parent
FAMILIES = standard().families


def drawing(cell: str = "NaryTreeLSTM", children: int = 2) -> rnnstudio.Drawing:
    design = rnnstudio.new("tree")
    x = design.add("FeatureInput", "x", size=3, axis="tree")
    net = design.add(cell, "net", children=children, units=4, x=x)
    design.add("Output", "y", input=net)
    return design


def over_trees(design: Design) -> Design:
    return SetAxis(Axis("tree", "tree")).apply(design)


@pytest.mark.parametrize("name", ["old_two_children.rnn", "old_three_children.rnn"])
def test_a_design_with_the_cells_for_two_and_three_children_opens_unchanged(name: str) -> None:
    """The files were written when each was a cell of its own."""
    design = load(HERE / name)
    assert dumps(design) == (HERE / name).read_text(encoding="utf-8")
    assert check(design, standard()).diagnostics == ()
    (cell,) = design.cells.values()
    drawn = standard().family_of(cell)
    assert drawn is not None
    assert (drawn[0].name, drawn[1]) == ("NaryTreeLSTM", 2 if "two" in name else 3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("children", [1, 2, 3, 5, 17, MOST])
def test_every_number_of_children_is_drawn_and_known_again_from_its_file(family: str, children: int) -> None:
    design = over_trees(drawing(family, children).design)
    assert check(design, standard()).errors == ()
    (cell,) = loads(dumps(design)).cells.values()
    assert standard().family_of(cell) == (FAMILIES[family], children)
    slots = {n.params["slot"] for n in cell.graph.nodes.values() if n.kind == "Children"}
    assert slots == set(range(children))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_drawings_of_a_family_have_names_of_their_own_by_which_they_are_found(family: str) -> None:
    drawn = [FAMILIES[family].drawn(n) for n in range(1, 20)]
    assert len({cell.name for cell in drawn}) == len(drawn)
    for cell in drawn:
        assert standard().definition(cell.name) == cell
    assert standard().definition(family) == FAMILIES[family].drawn(2)


def test_other_children_change_the_drawing_and_leave_the_rest() -> None:
    design = drawing(children=2)
    before = design.design
    design.set("net", children=5)
    after = design.design
    assert list(after.cells) == ["NaryTreeLSTM5"]
    assert after.graph.nodes["net"].params == {"cell": "NaryTreeLSTM5", "units": 4}
    assert after.graph.wires == before.graph.wires
    assert check(over_trees(after), standard()).errors == ()
    design.undo()
    assert dumps(design.design) == dumps(before)


def test_a_drawing_that_another_node_uses_stays() -> None:
    design = drawing(children=2)
    design.add("BinaryTreeLSTM", "second", units=4, x="x")
    design.set("net", children=3)
    assert set(design.design.cells) == {"BinaryTreeLSTM", "TernaryTreeLSTM"}


def test_a_moved_or_retitled_drawing_is_known_and_a_changed_one_is_the_persons_own() -> None:
    design = drawing(children=3).design
    (name,) = design.cells
    seen = MoveNodes({"memory": (9.0, 9.0)}, name).apply(SetTitle("memory", "cell state", name).apply(design))
    assert standard().family_of(seen.cells[name]) is not None
    own = SetParam("memory", "terms", 3, name).apply(design)
    assert standard().family_of(own.cells[name]) is None


def test_a_changed_cell_of_the_wanted_name_is_left_alone() -> None:
    design = drawing(children=2)
    design.add("NaryTreeLSTM", "own", children=3, units=4, x="x")
    changed = SetTitle("memory", "mine", "TernaryTreeLSTM").apply(design.design)
    changed = SetParam("memory", "terms", 3, "TernaryTreeLSTM").apply(changed)
    edit = set_children(changed, MAIN, changed.graph.nodes["net"], FAMILIES["NaryTreeLSTM"], 3)
    after = edit.apply(changed)
    assert after.cells["TernaryTreeLSTM"] is changed.cells["TernaryTreeLSTM"]
    assert after.graph.nodes["net"].params["cell"] == "TernaryTreeLSTM_2"
    assert standard().family_of(after.cells["TernaryTreeLSTM_2"]) == (FAMILIES["NaryTreeLSTM"], 3)


@pytest.mark.parametrize("children", [0, -1, MOST + 1, 2.0, True, "two"])
def test_a_number_that_cannot_be_drawn_is_refused(children: object) -> None:
    with pytest.raises(StudioError, match="from 1 to 64"):
        drawing().add("NaryTreeLSTM", children=children)
    with pytest.raises(StudioError, match="from 1 to 64"):
        drawing().set("net", children=children)


def test_only_a_family_takes_children() -> None:
    design = drawing()
    with pytest.raises(StudioError, match="no parameter or input “children”"):
        design.add("LSTM", children=2)
