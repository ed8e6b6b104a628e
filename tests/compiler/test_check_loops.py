"""What can be wrong with a loop: no delay, two directions, a whole axis inside, a shape that nothing gives."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check, compile_design
from rnnstudio.compiler.check import late_inputs
from rnnstudio.design.design import Design
from rnnstudio.design.edits import Compound, SetParam
from rnnstudio.design.errors import StudioError
from tests.compiler.checking import CATALOG, errors, found, linear_model
from tests.conformance.drawings import DRAWINGS, design, features, regression


def test_a_loop_without_a_delay_is_highlighted_and_mended_with_one_click() -> None:
    s = Sketch()
    features(s)
    s.add("sum", "Linear", at=(1, 0), params={"units": 4, "terms": 2}, input="inputs", input2="state")
    s.add("state", "Tanh", at=(2, 0), input="sum")
    regression(s, "state")
    drawn = design(s, "inputs", "targets")
    one = found(drawn, "LoopWithoutDelay")
    assert one.nodes == ("state", "sum")
    assert {str(w) for w in one.wires} == {"sum.out → state.input", "state.out → sum.input2"}
    assert one.fix is not None
    assert one.fix_title == "Insert a Delay"
    mended = one.fix.apply(drawn)
    assert {str(w) for w in mended.graph.wires_into("delay")} == {"state.out → delay.input"}
    assert check(mended, CATALOG).diagnostics == ()
    assert compile_design(mended, CATALOG).text().count("scan") == 1


def test_a_node_wired_to_itself_is_a_loop_too() -> None:
    s = linear_model()
    s.add("sum", "Add", at=(2, 1), a="layer", b="sum")
    one = found(design(s, "inputs", "targets"), "LoopWithoutDelay")
    assert one.nodes == ("sum",)


def test_a_loop_through_a_cell_has_its_delay_inside() -> None:
    rnn = CATALOG.cells["RNN"]
    assert late_inputs(rnn, Design(), CATALOG) == ()
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    s.add("before", "Delay", at=(1, 0), input="x")
    s.add("y", "CellOutput", at=(2, 0), input="before")
    lag = s.cell("Lag", {}, "A delay.", "")
    assert late_inputs(lag, Design(), CATALOG) == ("x",)
    m = Sketch()
    features(m)
    m.add("sum", "Linear", at=(1, 0), params={"units": 4, "terms": 2}, input="inputs", input2="lag.y")
    m.add("state", "Tanh", at=(2, 0), input="sum")
    m.add("lag", "cell", at=(1, 1), params={"cell": "Lag"}, x="state")
    regression(m, "state")
    assert errors(design(m, "inputs", "targets", cells=[lag])) == []


def test_delays_of_both_directions_in_one_loop_are_refused() -> None:
    s = Sketch()
    features(s)
    s.add("sum", "Linear", at=(1, 0), params={"units": 4, "terms": 3}, input="inputs", input2="past", input3="future")
    s.add("state", "Tanh", at=(2, 0), input="sum")
    s.add("past", "Delay", at=(1, 1), input="state")
    s.add("future", "Delay", at=(1, 2), params={"k": -1}, input="state")
    regression(s, "state")
    drawn = design(s, "inputs", "targets")
    assert set(found(drawn, "MixedDirections").nodes) == {"past", "future"}
    with pytest.raises(StudioError, match="both directions"):
        compile_design(drawn, CATALOG)


def test_delays_of_both_directions_are_found_through_the_border_of_a_cell_and_a_named_axis() -> None:
    s = Sketch()
    features(s)
    s.add("sum", "Add", at=(1, 0), a="narrow", b="future")
    s.add("narrow", "Linear", at=(1, 1), params={"units": 4}, input="inputs")
    s.add("rec", "cell", at=(2, 0), params={"cell": "GRU", "units": 4}, x="sum")
    s.add("future", "Delay", at=(1, 2), params={"k": -1, "axis": "time"}, input="rec.h")
    regression(s, "rec.h")
    one = found(design(s, "inputs", "targets"), "MixedDirections")
    assert (one.graph, set(one.nodes)) == ("", {"rec", "future"})


def test_a_bidirectional_net_of_two_loops_is_fine() -> None:
    assert errors(DRAWINGS["bidirectional"]()) == []


@pytest.mark.parametrize("kind", ["Mean", "Last", "Max"])
def test_what_needs_the_whole_sequence_cannot_stand_in_a_loop_over_it(kind: str) -> None:
    s = Sketch()
    features(s)
    s.add("sum", "Linear", at=(1, 0), params={"units": 4, "terms": 2}, input="inputs", input2="before")
    s.add("before", "Delay", at=(1, 1), params={"axis": "time", "width": 4}, input="again")
    s.add("whole", kind, at=(2, 0), input="sum")
    s.add("again", "Repeat", at=(2, 1), input="whole", along="inputs")
    regression(s, "sum")
    one = found(design(s, "inputs", "targets"), "WholeAxisInLoop")
    assert "whole" in one.nodes


def test_a_reversal_cannot_stand_in_a_loop() -> None:
    s = Sketch()
    features(s)
    s.add("sum", "Linear", at=(1, 0), params={"units": 4, "terms": 2}, input="inputs", input2="before")
    s.add("flip", "Reverse", at=(2, 0), input="sum")
    s.add("before", "Delay", at=(1, 1), input="flip")
    regression(s, "sum")
    assert found(design(s, "inputs", "targets"), "WholeAxisInLoop").nodes == ("flip",)


def test_a_loop_that_nothing_gives_a_shape_says_so() -> None:
    s = linear_model()
    s.add("squash", "Tanh", at=(2, 1), input="before")
    s.add("before", "Delay", at=(2, 2), input="squash")
    drawn = design(s, "inputs", "targets")
    assert set(found(drawn, "UnknownShape").nodes) == {"squash", "before"}
    told = Compound((SetParam("before", "axis", "time"), SetParam("before", "width", 3))).apply(drawn)
    assert errors(told) == []


def test_a_loop_that_grows_at_every_round_says_so() -> None:
    s = Sketch()
    features(s)
    s.add("both", "Concat", at=(1, 0), a="inputs", b="before")
    s.add("before", "Delay", at=(1, 1), params={"axis": "time", "width": 1}, input="both")
    s.add("out", "Output", at=(2, 0), input="both")
    assert "both" in found(design(s, "inputs"), "EndlessShape").nodes


def test_an_axis_that_no_input_has_is_refused() -> None:
    s = linear_model()
    s.add("squash", "Tanh", at=(2, 1), input="before")
    s.add("before", "Delay", at=(2, 2), params={"axis": "nowhere", "width": 3}, input="squash")
    s.add("out", "Output", at=(3, 1), input="squash")
    assert found(design(s, "inputs", "targets"), "UnknownAxis").nodes == ("before",)


def test_a_delay_of_no_steps_is_refused() -> None:
    s = linear_model()
    s.add("late", "Delay", at=(2, 1), params={"k": 0}, input="layer")
    assert found(design(s, "inputs", "targets"), "DelayOfZero").nodes == ("late",)
