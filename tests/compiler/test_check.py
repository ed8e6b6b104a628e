"""What can be wrong with a whole drawing, that all of it is told at once, and that a checker may remember."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Checked, Checker, check, compile_design
from rnnstudio.design.design import Design, Wire
from rnnstudio.design.edits import Compound, Edit, MoveNodes, SetParam
from rnnstudio.design.errors import StudioError
from rnnstudio.design.storage import dumps
from tests.compiler.checking import CATALOG, errors, found, linear_model
from tests.conformance.drawings import DRAWINGS, design, features, language_model, stacked
from tests.design.changes import edits, start


def test_a_drawing_without_a_loss_is_warned_of_and_compiles_with_an_output() -> None:
    s = Sketch()
    features(s)
    s.add("result", "Output", at=(1, 0), input="inputs")
    drawn = design(s, "inputs")
    assert found(drawn, "NoLoss").severity == "warning"
    assert list(compile_design(drawn, CATALOG).outputs) == ["result"]


def test_an_empty_drawing_says_what_to_do_and_does_not_compile() -> None:
    assert "palette" in found(Design(), "NoLoss").message
    with pytest.raises(StudioError, match="nothing leads to a loss or an output"):
        compile_design(Design(), CATALOG)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_loss_that_nothing_trained_leads_to(frozen: bool) -> None:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": 2})
    s.add("map", "Linear", at=(1, 0), params={"units": 2, "frozen": frozen}, input="x")
    s.add("y", "FeatureTarget", at=(1, 1), params={"field": "y", "size": 2})
    s.add("loss", "MeanSquaredError", at=(2, 0), prediction="map", target="y")
    codes = [d.code for d in check(Design(graph=s.graph()), CATALOG).diagnostics]
    assert codes == (["UnreachableLoss"] if frozen else [])


def test_a_node_that_leads_nowhere_is_a_hint_and_is_not_computed() -> None:
    s = linear_model()
    s.add("idle", "Tanh", at=(2, 1), input="layer")
    drawn = design(s, "inputs", "targets")
    one = found(drawn, "DeadNode")
    assert (one.severity, one.nodes) == ("hint", ("idle",))
    assert "idle" not in compile_design(drawn, CATALOG).text()


def test_a_field_that_the_data_lacks_is_named_with_those_it_has() -> None:
    drawn = SetParam("inputs", "field", "prices").apply(design(linear_model(), "inputs", "targets"))
    one = found(drawn, "UnknownField")
    assert one.nodes == ("inputs",)
    assert "“targets”" in one.message


def test_a_field_of_the_other_content_names_the_right_node() -> None:
    drawn = SetParam("inputs", "field", "text").apply(design(linear_model(), "inputs", "targets", "text"))
    one = found(drawn, "WrongContent")
    assert "use a Tokens node" in one.message or "Token" in one.message


def test_without_data_an_input_asks_for_its_size() -> None:
    drawn = design(linear_model())
    assert {d.nodes for d in check(drawn, CATALOG).diagnostics if d.code == "NoData"} == {("inputs",), ("truth",)}
    sized = Compound((SetParam("inputs", "size", 3), SetParam("truth", "size", 2))).apply(drawn)
    assert errors(sized) == []


def test_all_problems_are_told_at_once() -> None:
    s = linear_model()
    s.add("late", "Delay", at=(2, 1), params={"k": 0}, input="layer")
    s.add("open", "Tanh", at=(2, 2))
    s.add("odd", "FromAPlugin", at=(2, 3))
    codes = {d.code for d in check(design(s, "inputs", "targets"), CATALOG).diagnostics}
    assert {"DelayOfZero", "Unconnected", "UnknownKind"} <= codes


def test_compiling_what_does_not_pass_names_the_first_place_and_the_remedy() -> None:
    drawn = SetParam("readout", "units", 3).apply(language_model())
    with pytest.raises(
        StudioError, match=r"compiled: loss: .* units to 5\. Set the units of readout to next_size \(5\)\."
    ):
        compile_design(drawn, CATALOG)


def same(one: Checked, other: Checked) -> bool:
    """Equal findings; the order of diagnostics is free."""
    return one.signals == other.signals and {d.text() for d in one.diagnostics} == {d.text() for d in other.diagnostics}


@settings(max_examples=60, deadline=None)
@given(st.lists(edits, max_size=25))
def test_a_checker_that_remembers_finds_what_a_fresh_one_finds(sequence: list[Edit]) -> None:
    checker, drawn = Checker(CATALOG), start()
    checker.check(drawn)
    for edit in sequence:
        try:
            drawn = edit.apply(drawn)
        except StudioError:
            continue
        assert same(checker.check(drawn), check(drawn, CATALOG))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(DRAWINGS)), st.data())
def test_a_checker_follows_wires_that_change_places(name: str, data: st.DataObject) -> None:
    drawn = DRAWINGS[name]()
    checker = Checker(CATALOG)
    checker.check(drawn)
    for _ in range(3):
        one, other = (data.draw(st.sampled_from(drawn.graph.wires)) for _ in range(2))
        rest = tuple(w for w in drawn.graph.wires if w not in (one, other))
        swapped = (Wire(one.source, other.target), Wire(other.source, one.target))
        drawn = drawn.replace(graph=drawn.graph.replace(wires=(*dict.fromkeys((*rest, *swapped)),)))
        assert same(checker.check(drawn), check(drawn, CATALOG))


def test_moving_a_node_changes_nothing_that_is_found_or_compiled() -> None:
    drawn = stacked()
    moved = MoveNodes({"low": (500.0, 900.0)}).apply(drawn)
    assert same(check(drawn, CATALOG), check(moved, CATALOG))
    assert compile_design(drawn, CATALOG).text() == compile_design(moved, CATALOG).text()
    assert dumps(drawn) != dumps(moved)
