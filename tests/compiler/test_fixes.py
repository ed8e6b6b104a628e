"""The one click that puts each mistake right: what its button says, and the drawing it leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Diagnostic, check
from rnnstudio.compiler.fixes import CANDIDATES, WITHOUT
from rnnstudio.design.design import Design, Node, Pin, Var, Wire, frozen
from rnnstudio.design.edits import AddNode, Connect, Disconnect, RemoveNodes, SetParam, SetVariable
from tests.conformance.drawings import (
    attention,
    bidirectional,
    design,
    features,
    language_model,
    many_to_one,
    recurrent,
    regression,
    stacked,
    tied,
    two_speeds,
)

CATALOG = standard()


def without(drawn: Design, *nodes: str) -> Design:
    return RemoveNodes(nodes).apply(drawn)


def cut(drawn: Design, wire: str) -> Design:
    """Without the wire of that name."""
    return Disconnect(tuple(w for w in drawn.graph.wires if str(w) == wire)).apply(drawn)


def wired(drawn: Design, source: str, target: str) -> Design:
    return Connect(Wire(Pin(*source.split(".")), Pin(*target.split(".")))).apply(drawn)


def having(drawn: Design, node: str, **params: Any) -> Design:
    for name, value in params.items():
        drawn = SetParam(node, name, value).apply(drawn)
    return drawn


def more(drawn: Design, kind: str, name: str, **params: Any) -> Design:
    return AddNode(Node(name, kind, frozen(params), 500, 500)).apply(drawn)


def summed(drawn: Design, a: str, b: str, **params: Any) -> Design:
    """A sum of two outputs, and an output of the network that reads it."""
    drawn = wired(wired(more(drawn, "Add", "sum", **params), a, "sum.a"), b, "sum.b")
    return wired(more(drawn, "Output", "result"), "sum.out", "result.input")


def twice_fed() -> Design:
    drawn = stacked()
    wires = (*drawn.graph.wires, Wire(Pin("inputs", "out"), Pin("readout", "input")))
    return drawn.replace(graph=drawn.graph.replace(wires=wires))


def looking_ahead(**params: Any) -> Design:
    """A prediction that reads what it should predict."""
    s = Sketch()
    s.add("seen", "FeatureInput", at=(0, 0), params={"field": "targets"})
    s.add("layer", "Linear", at=(1, 0), params={"units": 4}, input="seen")
    regression(s, "layer")
    return design(s, "targets")


def growing() -> Design:
    s = Sketch()
    features(s)
    s.add("joined", "Concat", at=(1, 0), a="inputs", b="before")
    s.add("before", "Delay", at=(1, 1), params={"axis": "time", "width": 4}, input="joined")
    regression(s, "joined")
    return design(s, "inputs", "targets")


def shapeless() -> Design:
    s = Sketch()
    features(s)
    s.add("begin", "Linear", at=(1, 0), params={"units": 4}, input="inputs")
    s.add("state", "Multiply", at=(2, 0), a="before", b="before")
    s.add("before", "Delay", at=(2, 1), input="state")
    s.add("sum", "Add", at=(3, 0), a="begin", b="state")
    regression(s, "sum")
    return design(s, "inputs", "targets")


def no_tree() -> Design:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"size": 2})
    s.add("top", "Root", at=(1, 0), input="x")
    s.add("out", "Output", at=(2, 0), input="top")
    return Design(graph=s.graph())


def misread(field: str) -> Design:
    return having(recurrent("GRU"), "inputs", field=field)


FIXES: dict[str, tuple[Callable[[], Design], str, str]] = {
    "an open input takes the nearest signal nobody reads": (
        lambda: cut(stacked(), "dropout.out → high.x"),
        "Unconnected",
        "Connect dropout to “x”",
    ),
    "a loss without a target takes it": (
        lambda: cut(stacked(), "truth.out → loss.target"),
        "Unconnected",
        "Connect truth to “target”",
    ),
    "a target that is gone comes back from the data": (
        lambda: without(stacked(), "truth"),
        "Unconnected",
        "Add a Feature target “targets”",
    ),
    "an input that is gone comes back from the data": (
        lambda: without(recurrent("GRU"), "inputs"),
        "Unconnected",
        "Add a Feature input “inputs”",
    ),
    "a loss behind a missing readout gets one": (
        lambda: without(recurrent("GRU"), "readout"),
        "Unconnected",
        "Connect rec by a Linear of 2 units",
    ),
    "a Delay is closed to a loop": (
        lambda: cut(two_speeds(), "state.out → one.input"),
        "Unconnected",
        "Connect state to “input”",
    ),
    "a readout reads a cell's state and not its memory": (
        lambda: cut(recurrent("LSTM"), "rec.h → readout.input"),
        "Unconnected",
        "Connect rec.h to “input”",
    ),
    "a wrong output": (
        lambda: wired(cut(stacked(), "high.h → skip.a"), "high.hidden", "skip.a"),
        "UnknownPort",
        "Take the output “h”",
    ),
    "a third term": (
        lambda: wired(stacked(), "low.c", "skip.c"),
        "UnknownPort",
        "Set terms to 3",
    ),
    "fed twice": (twice_fed, "DoublyFed", "Delete the wire from inputs"),
    "a loop": (
        lambda: wired(stacked(), "high.h", "low.x"),
        "LoopWithoutDelay",
        "Insert a Delay",
    ),
    "delays of both directions": (
        lambda: having(two_speeds(), "three", k=-3),
        "MixedDirections",
        "Make all delays step back",
    ),
    "a cell of the library": (
        lambda: recurrent("GRU").replace(cells=frozen({})),
        "UnknownCell",
        "Take GRU from the library",
    ),
    "a misspelt cell": (lambda: having(recurrent("GRU"), "rec", cell="GRUU"), "UnknownCell", "Use the cell GRU"),
    "a cell's port outside": (lambda: more(stacked(), "CellInput", "x"), "BoundaryOutsideCell", "Delete x"),
    "a number too large": (lambda: having(stacked(), "dropout", rate=3), "WrongParameter", "Set rate to 0.99"),
    "a number too small": (lambda: having(stacked(), "readout", gain=-2.0), "WrongParameter", "Set gain to 0"),
    "a number that is a text": (lambda: having(recurrent("GRU"), "rec", units="8"), "WrongParameter", "Set units to 8"),
    "a misspelt choice": (
        lambda: having(stacked(), "readout", init="Orthogonl"),
        "WrongParameter",
        "Set init to orthogonal",
    ),
    "a choice like none": (
        lambda: having(stacked(), "readout", init="qqq"),
        "WrongParameter",
        "Set init to its default, uniform",
    ),
    "a misspelt parameter": (lambda: having(stacked(), "loss", wieght=2.0), "WrongParameter", "Call it weight"),
    "a parameter that nobody knows": (lambda: having(stacked(), "loss", colour=2.0), "WrongParameter", "Remove colour"),
    "a misspelt variable": (
        lambda: having(SetVariable("hidden", 4).apply(recurrent("GRU")), "rec", units=Var("hiden")),
        "WrongParameter",
        "Read hidden",
    ),
    "a missing variable": (
        lambda: having(recurrent("GRU"), "rec", units=Var("width")),
        "WrongParameter",
        "Add the variable width = 128",
    ),
    "a variable that is too small": (
        lambda: having(SetVariable("width", 0).apply(recurrent("GRU")), "readout", terms=Var("width")),
        "WrongParameter",
        "Set width to 1",
    ),
    "tokens into a layer": (
        lambda: wired(without(language_model(), "embedding"), "text.out", "rec.x"),
        "TokensWhereFeaturesBelong",
        "Insert an Embedding",
    ),
    "features into an Embedding": (
        lambda: wired(
            wired(wired(more(recurrent("GRU"), "Embedding", "e"), "inputs.out", "e.input"), "e.out", "rec.x"),
            "rec.h",
            "readout.input",
        ),
        "FeaturesWhereTokensBelong",
        "Make it a Linear",
    ),
    "widths of a sum": (
        lambda: summed(stacked(), "low.h", "inputs.out"),
        "WidthClash",
        "Insert a Linear of 4 units",
    ),
    "a readout": (
        lambda: having(recurrent("GRU"), "readout", units=7),
        "WidthClash",
        "Set the units of readout to 2",
    ),
    "a vector for every step": (
        lambda: wired(many_to_one(), "rec.h", "readout.input"),
        "MixedAxes",
        "Insert a Last over time",
    ),
    "an axis that is not there": (
        lambda: having(two_speeds(), "one", axis="tiem"),
        "MixedAxes",
        "Leave the axis open",
    ),
    "a sequence as a tree": (no_tree, "NoTree", "Make time a tree"),
    "a misspelt field": (lambda: misread("input"), "UnknownField", "Read the field inputs"),
    "no such field": (lambda: misread("zzz"), "UnknownField", "Read the field inputs"),
    "tokens as features": (
        lambda: having(language_model(), "text", field="text").replace(
            graph=recurrent("GRU").graph, cells=recurrent("GRU").cells
        ),
        "UnknownField",
        "",
    ),
    "no delay at all": (lambda: having(two_speeds(), "three", k=0), "DelayOfZero", "Set k to 1"),
    "a loop that grows": (growing, "EndlessShape", "Insert a Linear of 4 units"),
    "a loop without a shape": (shapeless, "UnknownShape", "Give before the axis time and the width 4"),
    "nothing to train": (
        lambda: without(language_model(), "loss", "next"),
        "NoLoss",
        "Add a Cross-entropy for “next”",
    ),
    "a loss without a target behind a readout of another size": (
        lambda: without(having(language_model(), "readout", units=7), "next"),
        "Unconnected",
        "Add a Token target “next”, and set the units of readout",
    ),
    "a loss without its target behind a readout of another size": (
        lambda: Disconnect((Wire(Pin("next", "out"), Pin("loss", "target")),)).apply(
            having(language_model(), "readout", units=7)
        ),
        "Unconnected",
        "Connect next to “target”, and set the units of readout",
    ),
    "a loss without a target or a readout": (
        lambda: wired(without(language_model(), "readout", "next"), "rec.h", "loss.prediction"),
        "Unconnected",
        "Add a Token target “next”, and insert a Linear of next_size units",
    ),
    "a dead node": (lambda: more(stacked(), "Weights", "spare"), "DeadNode", "Delete spare"),
    "a dead chain": (
        lambda: wired(wired(more(more(stacked(), "Tanh", "a"), "Tanh", "b"), "low.h", "a.input"), "a.out", "b.input"),
        "DeadNode",
        "Delete a and 1 more that serves nothing else",
    ),
    "a prediction of what it sees": (looking_ahead, "TargetLeaks", "Insert a Delay behind seen"),
    "weights of two shapes": (
        lambda: having(tied(), "two", units=4),
        "SharedShapes",
        "Give it the sizes of one",
    ),
}


def first(drawn: Design, code: str) -> Diagnostic:
    return next(d for d in check(drawn, CATALOG).diagnostics if d.code == code)


@pytest.mark.parametrize("name", FIXES)
def test_a_fix_says_what_it_does_and_does_it(name: str) -> None:
    draw, code, title = FIXES[name]
    drawn = draw()
    found = first(drawn, code)
    assert found.fix_title == title
    if not title:
        return
    assert found.fix is not None
    after = check(found.fix.apply(drawn), CATALOG)
    assert not [d.text() for d in after.errors if d.code == code and d.nodes == found.nodes]


@pytest.mark.parametrize("draw", [stacked, language_model, attention, bidirectional, many_to_one, two_speeds])
def test_a_drawing_that_loses_any_wire_is_whole_again_after_its_fixes(draw: Callable[[], Design]) -> None:
    """However it was: it can be trained."""
    whole = draw()
    for wire in whole.graph.wires:
        drawn = Disconnect((wire,)).apply(whole)
        for _ in range(6):
            errors = check(drawn, CATALOG).errors
            if not errors:
                break
            fix = next((d.fix for d in errors if d.fix is not None), None)
            assert fix is not None, f"{wire}: {[e.text() for e in errors]}"
            drawn = fix.apply(drawn)
        assert check(drawn, CATALOG).ok, str(wire)


def test_every_code_has_a_fix_or_a_reason_why_not() -> None:
    """Codes stand in the source as the first argument of what reports them."""
    pattern = re.compile(r"\b(?:Mistake|report|ImpossibleLoop|Diagnostic)\(\s*\"([A-Z][A-Za-z]+)\"")
    package = Path(rnnstudio.__file__).parent
    codes = {c for file in package.rglob("*.py") for c in pattern.findall(file.read_text(encoding="utf-8"))}
    assert len(codes) > 30
    assert codes - CANDIDATES.keys() - WITHOUT.keys() == set()
    assert CANDIDATES.keys() & WITHOUT.keys() == set()
