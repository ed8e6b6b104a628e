"""Drawings that come to far more than their file: told by the cell at which they become too large."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import Checker, check
from rnnstudio.compiler.check import late_inputs
from rnnstudio.compiler.check.size import DEEPEST, MOST_NODES
from rnnstudio.design.design import CellDefinition, Design, Graph, Node, Pin, Wire, frozen
from rnnstudio.design.storage import dumps, loads

CATALOG = standard()


def chain(name: str, inner: list[Node]) -> CellDefinition:
    """A cell x → each of the nodes in turn → h."""
    nodes = {"x": Node("x", "CellInput"), "h": Node("h", "CellOutput", x=100.0)}
    wires, before = [], Pin("x", "out")
    for place, node in enumerate(inner):
        key = f"n{place}"
        nodes[key] = node.replace(id=key)
        entry, leaving = ("x", "h") if node.kind == "cell" else ("input", "out")
        wires.append(Wire(before, Pin(key, entry)))
        before = Pin(key, leaving)
    return CellDefinition(name, Graph(frozen(nodes), (*wires, Wire(before, Pin("h", "input")))))


def nested(depth: int, times: int) -> Design:
    """Cells C0 … of which each holds `times` of the one before; the last is used in the drawing."""
    cells = {"C0": chain("C0", [Node("t", "Tanh")])}
    for number in range(1, depth + 1):
        cells[f"C{number}"] = chain(f"C{number}", [Node("c", "cell", frozen({"cell": f"C{number - 1}"}))] * times)
    nodes = {
        "x": Node("x", "FeatureInput", frozen({"size": 3})),
        "c": Node("c", "cell", frozen({"cell": f"C{depth}"})),
        "y": Node("y", "Output"),
    }
    wires = (Wire(Pin("x", "out"), Pin("c", "x")), Wire(Pin("c", "h"), Pin("y", "input")))
    return Design(graph=Graph(frozen(nodes), wires), cells=frozen(cells))


def test_cells_that_double_are_told_by_the_first_that_is_too_large() -> None:
    design = nested(40, 2)
    assert len(dumps(design)) < 60_000
    (told,) = check(design, CATALOG).errors
    assert told.code == "TooManyNodes"
    assert told.nodes == ("c",)
    name = told.message.split("“")[1].split("”")[0]
    assert name == "C14"
    assert f"{MOST_NODES:,}" in told.message


@pytest.mark.parametrize(("depth", "codes"), [(DEEPEST, []), (DEEPEST + 1, ["CellsTooDeep"]), (3000, ["CellsTooDeep"])])
def test_cells_deep_in_one_another_are_checked_or_told(depth: int, codes: list[str]) -> None:
    assert [d.code for d in check(nested(depth, 1), CATALOG).errors] == codes


def test_what_a_cell_reads_late_is_found_however_deep_it_lies() -> None:
    design = nested(3000, 1)
    assert late_inputs(design.cells["C3000"], design, CATALOG) == ()
    opened = loads(dumps(design))
    assert check(opened, CATALOG).errors


def test_an_edit_back_below_the_limit_is_checked_again() -> None:
    checker = Checker(CATALOG)
    assert checker.check(nested(20, 2)).errors
    assert checker.check(nested(4, 2)).errors == ()
    assert checker.check(nested(20, 2)).errors


def test_a_cell_within_itself_is_told_as_such_and_not_counted_for_ever() -> None:
    cell = chain("C0", [Node("c", "cell", frozen({"cell": "C0"}))] * 3)
    design = nested(1, 1).replace(cells=frozen({"C0": cell, "C1": nested(1, 1).cells["C1"]}))
    assert {d.code for d in check(design, CATALOG).errors} == {"CellInItself"}


def test_cells_that_all_hold_one_another_are_not_followed_on_every_way() -> None:
    """Twelve cells, each with all the others: twelve factorial ways from one to the next."""
    names = [f"C{number}" for number in range(12)]
    cells = {
        name: chain(name, [Node("c", "cell", frozen({"cell": other})) for other in names if other != name])
        for name in names
    }
    design = nested(0, 0).replace(cells=frozen(cells))
    told = check(design, CATALOG).errors
    assert {d.code for d in told} == {"CellInItself"}
    assert {d.graph for d in told} == set(names)
    assert len(told) == 12 * 11
