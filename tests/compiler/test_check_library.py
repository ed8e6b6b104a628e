"""What is wrong with a wire into a cell of the library is told outside of it, and no fix changes the library's cell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import rnnstudio
from rnnstudio.api import Drawing
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check
from rnnstudio.compiler.diagnostics import Diagnostic
from rnnstudio.compiler.resolve import cell_ports
from rnnstudio.design.design import Design
from rnnstudio.design.edits import Disconnect, SetAxis
from rnnstudio.design.signals import Axis

from .checking import found

CATALOG = standard()
WRONG = ("vector", "wide", "crossed", "tokens", "steps")
UNITS = 4


def signals(tree: bool) -> Drawing:
    """Signals of every sort: what fits, a vector, another width, two axes, tokens, and steps of the state's width."""
    drawing = rnnstudio.new()
    axis = "tree" if tree else "time"
    drawing.add("FeatureInput", "fits", field="fits", size=3, axis=axis)
    drawing.add("FeatureInput", "vector", field="vector", size=3, axis="")
    drawing.add("FeatureInput", "wide", field="wide", size=7, axis="")
    drawing.add("FeatureInput", "steps", field="steps", size=UNITS, axis=axis)
    drawing.add("FeatureInput", "other", field="other", size=3, axis="source")
    drawing.add("Add", "crossed", a="fits", b="other")
    drawing.add("TokenInput", "tokens", field="tokens", size=5, axis=axis)
    drawing.add("FeatureInput", "start", field="start", size=UNITS, axis="")
    return drawing


def uses(cell: str) -> Iterator[tuple[str, Design]]:
    """The cell twice: as it should be, and with each signal at each of its inputs."""
    definition = CATALOG.cells[cell]
    tree = any(node.kind == "Children" for node in definition.graph.nodes.values())
    inputs, outputs = cell_ports(definition)
    units = {"units": UNITS} if "units" in definition.params else {}
    for port in inputs:
        for wrong in WRONG:
            drawing = signals(tree)
            for name in ("right", "faulty"):
                wires = {p.name: "fits" for p in inputs if not p.optional}
                drawing.add(cell, name, **units, **wires)
                drawing.add("Output", f"of_{name}", input=f"{name}.{outputs[0].name}")
            design = drawing.design
            before = [w for w in design.graph.wires_into("faulty") if w.target.port == port.name]
            drawing = rnnstudio.api.Drawing(Disconnect(tuple(before)).apply(design))
            drawing.connect(wrong, f"faulty.{port.name}")
            yield f"{wrong} at {port.name}", SetAxis(Axis("tree", "tree")).apply(drawing.design)


@pytest.mark.parametrize("cell", CATALOG.cells)
def test_whatever_comes_into_a_cell_of_the_library_is_told_and_mended_outside(cell: str) -> None:
    for said, design in uses(cell):
        for told in check(design, CATALOG).diagnostics:
            assert told.graph == "", f"{said}: {told.text()}"
            assert told.severity != "error" or told.nodes[0] in ("right", "faulty"), f"{said}: {told.text()}"
            if told.fix is not None:
                mended = told.fix.apply(design)
                assert all(mended.cells[name] is own for name, own in design.cells.items()), f"{said}: {told.fix_title}"


def two_grus(start: str) -> Drawing:
    drawing = signals(tree=False)
    drawing.add("GRU", "right", units=UNITS, x="fits", h0="start")
    drawing.add("GRU", "faulty", units=UNITS, x="fits", h0=start)
    for name in ("right", "faulty"):
        drawing.add("Output", f"of_{name}", input=f"{name}.h")
    return drawing


@pytest.mark.parametrize(
    ("start", "code", "title"),
    [("wide", "WidthClash", "Insert a Linear of 4 units"), ("steps", "MixedAxes", "Insert a Last over time")],
)
def test_a_wrong_first_state_is_told_at_its_wire_and_mended_there(start: str, code: str, title: str) -> None:
    design = two_grus(start).design
    told = found(design, code)
    assert (told.graph, told.nodes, told.port) == ("", ("faulty",), "h0")
    assert [str(wire) for wire in told.wires] == [f"{start}.out → faulty.h0"]
    assert told.message.startswith("faulty, “h0”: the initial state")
    assert told.fix_title == title
    assert told.fix is not None
    mended = told.fix.apply(design)
    assert check(mended, CATALOG).errors == ()
    assert mended.cells == design.cells


def test_the_same_at_a_cell_of_ones_own() -> None:
    drawing = signals(tree=False)
    sheet = drawing.define("Mine", units=UNITS)
    x, h0 = sheet.add("CellInput", "x"), sheet.add("CellInput", "h0", optional=True)
    before = sheet.add("Delay", "before")
    sheet.connect(h0, f"{before}.initial")
    h = sheet.add("Linear", "h", units=UNITS, terms=2, input=x, input2=before)
    sheet.connect(h, f"{before}.input")
    sheet.add("CellOutput", "out", input=h)
    drawing.add("Mine", "right", x="fits")
    drawing.add("Mine", "faulty", x="fits", h0="wide")
    for name in ("right", "faulty"):
        drawing.add("Output", f"of_{name}", input=name)
    told = found(drawing.design, "WidthClash")
    assert (told.graph, told.nodes, told.port) == ("", ("faulty",), "h0")


GOES_ALONG = ("Last", "First", "Mean", "Max", "Sum", "Reverse", "Delay", "Taps", "RenameAxis", "GRU", "StackedLSTM")


@pytest.mark.parametrize("kind", GOES_ALONG)
def test_a_value_without_steps_is_told_with_what_can_be_done(kind: str) -> None:
    drawing = signals(tree=False)
    port = "x" if kind in CATALOG.cells else "input"
    drawing.add(kind, "faulty")
    drawing.connect("vector", f"faulty.{port}")
    drawing.add("Output", "y", input="faulty.h" if kind in CATALOG.cells else "faulty")
    told = found(drawing.design, "NoAxis")
    assert (told.graph, told.nodes, told.port) == ("", ("faulty",), port)
    assert "repeat it along an axis (Repeat), or leave this node out" in told.message
    remembers = kind in ("Delay", "GRU", "StackedLSTM")
    assert told.fix_title == ("Repeat it along time" if remembers else "Leave faulty out")
    assert told.fix is not None
    assert check(told.fix.apply(drawing.design), CATALOG).errors == ()


def feedback(closed: str = "") -> Design:
    drawing = rnnstudio.new()
    target = drawing.add("FeatureTarget", "target", field="target", size=3)
    back = drawing.add("Feedback", "back", target=target)
    drawing.add("Delay", "earlier", input=back)
    drawing.add("Linear", "said", units=3, input=back)
    drawing.add("MeanSquaredError", "loss", prediction="said", target=target)
    if closed:
        drawing.connect(closed, "back.prediction")
    return drawing.design


def mended(told: Diagnostic, design: Design) -> set[str]:
    """What feeds the Feedback's prediction after the fix."""
    assert told.fix is not None
    wires = told.fix.apply(design).graph.wires_into("back")
    return {wire.source.node for wire in wires if wire.target.port == "prediction"}


def test_an_open_prediction_is_closed_with_what_the_loss_judges() -> None:
    design = feedback()
    assert mended(found(design, "Unconnected"), design) == {"said"}


@pytest.mark.parametrize("closed", ["back", "earlier"])
def test_a_feedback_of_its_own_output_is_told(closed: str) -> None:
    design = feedback(closed)
    told = found(design, "FeedsItself")
    assert (told.severity, told.nodes, told.port) == ("error", ("back",), "prediction")
    assert mended(told, design) == {"said"}


def test_where_nothing_predicts_no_fix_feeds_a_feedback_with_itself() -> None:
    drawing = rnnstudio.new()
    drawing.add("FeatureTarget", "target", field="target", size=3)
    drawing.add("Feedback", "back", target="target")
    drawing.add("Feedback", "also", target="target", prediction="back")
    drawing.add("Output", "out", input="back")
    drawing.add("Output", "out2", input="also")
    assert found(drawing.design, "Unconnected").fix is None
