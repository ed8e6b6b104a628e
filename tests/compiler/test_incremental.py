"""A Checker that saw the design before says exactly what a check from scratch says, whatever was edited between."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Checker, check
from rnnstudio.design.design import MAIN, Design, Node, Pin, Wire
from rnnstudio.design.edits import (
    AddNode,
    Compound,
    Connect,
    Disconnect,
    Edit,
    MoveNodes,
    RemoveNodes,
    SetCell,
    SetParam,
    SetShared,
    SetTitle,
)
from rnnstudio.design.errors import StudioError
from tests.conformance.drawings import DRAWINGS
from tests.design.changes import edits, start

STEPS = 12
KINDS = ("Delay", "Tanh", "Add", "Last", "Reverse")


def assert_the_same_as_from_scratch(checker: Checker, design: Design) -> None:
    found, expected = checker.check(design), check(design, standard())
    assert [d.text() for d in found.diagnostics] == [d.text() for d in expected.diagnostics]
    assert found.diagnostics == expected.diagnostics
    assert dict(found.signals) == dict(expected.signals)


@settings(max_examples=150, deadline=None)
@given(st.lists(edits, max_size=12))
def test_after_any_edits(changes: list[Edit]) -> None:
    design = start()
    checker = Checker(standard())
    assert_the_same_as_from_scratch(checker, design)
    for edit in changes:
        try:
            design = edit.apply(design)
        except StudioError:
            continue
        assert_the_same_as_from_scratch(checker, design)


def some_edit(design: Design, chance: random.Random) -> Edit:
    """An edit that changes what a loop does: other delays, other wires, shared weights, other widths."""
    graph = chance.choice((MAIN, MAIN, MAIN, *design.cells))
    drawn = design.graph_of(graph)
    nodes, wires = list(drawn.nodes.values()), list(drawn.wires)
    node = chance.choice(nodes)
    delays = [n for n in nodes if n.kind == "Delay"]
    plain = [n for n in nodes if n.kind != "cell"]
    ways = [
        lambda: MoveNodes({node.id: (1.0, 2.0)}, graph),
        lambda: SetTitle(node.id, chance.choice(("", "named")), graph),
        lambda: SetShared(chance.choice(plain or nodes).id, chance.choice(("", "tied", node.id)), graph),
        lambda: AddNode(Node(drawn.free_id("extra"), chance.choice(KINDS)), graph),
    ]
    if wires:
        wire, other = chance.choice(wires), chance.choice(wires)
        ways += [
            lambda: Disconnect((wire,), graph),
            lambda: Connect(Wire(wire.source, other.target), graph),
            lambda: Connect(Wire(wire.source, other.target), graph),
            lambda: Connect(Wire(Pin(node.id, "out"), wire.target), graph),
            lambda: RemoveNodes((node.id,), graph),
        ]
    if delays:
        delay = chance.choice(delays)
        ways += [
            lambda: SetParam(delay.id, "k", chance.choice((-2, -1, 1, 2)), graph),
            lambda: SetParam(delay.id, "axis", chance.choice(("", "time", "source")), graph),
        ]
    ways.append(lambda: SetParam(node.id, "units", chance.choice((2, 3, 4, None)), graph))
    if design.cells:
        cell = chance.choice(list(design.cells.values()))
        ways.append(lambda: SetCell(cell.replace(doc="changed")))
    return chance.choice(ways)()


@pytest.mark.parametrize("name", DRAWINGS)
def test_after_edits_of_a_drawing_that_works(name: str) -> None:
    chance = random.Random(name)
    checker = Checker(standard())
    design = DRAWINGS[name]()
    history = [design]
    assert_the_same_as_from_scratch(checker, design)
    for _ in range(STEPS):
        if chance.random() < 0.4:
            design = chance.choice(history)  # back to what worked: undo
        else:
            try:
                design = some_edit(design, chance).apply(design)
            except (StudioError, KeyError):
                continue
        history.append(design)
        assert_the_same_as_from_scratch(checker, design)


def test_a_loop_that_only_a_forced_feedback_reads_is_proved_when_something_else_reads_it() -> None:
    """What a Feedback is told is not computed while it is forced: that the drawing ran so far says nothing of it."""
    s = Sketch()
    s.add("truth", "FeatureTarget", at=(0, 0), params={"field": "y", "size": 3})
    s.add("back", "Feedback", at=(1, 0), prediction="map", target="truth")
    s.add("late", "Delay", at=(2, 0), params={"k": 2, "axis": "time", "width": 3}, input="map")
    s.add("early", "Delay", at=(3, 0), params={"k": -1}, input="late")
    s.add("bent", "Tanh", at=(4, 0), input="early")
    s.add("map", "Linear", at=(5, 0), params={"units": 3, "terms": 2}, input="bent", input2="back")
    s.add("out", "Output", at=(6, 0), input="back")
    s.add("other", "Tanh", at=(7, 0), input="early")
    before = Design(graph=s.graph())
    checker = Checker(standard())
    assert not checker.check(before).errors
    read = Compound((AddNode(Node("more", "Output")), Connect(Wire(Pin("other", "out"), Pin("more", "input")))))
    after = read.apply(before)
    assert [d.code for d in check(after, standard()).errors] == ["MixedDirections"]
    assert checker.check(after).diagnostics == check(after, standard()).diagnostics
