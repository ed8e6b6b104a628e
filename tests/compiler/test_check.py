"""Each thing that can be wrong with a drawing: found, named at its place, and put right where a fix is offered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Checked, Checker, Diagnostic, check, compile_design
from rnnstudio.compiler.check import late_inputs
from rnnstudio.compiler.check.axes import CARRY
from rnnstudio.design.design import Design, Graph, Node, Pin, Var, Wire, frozen
from rnnstudio.design.edits import Compound, Connect, Disconnect, Edit, MoveNodes, SetParam, SetVariable
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.design.signals import Axis, Real, Signal
from rnnstudio.design.storage import dumps
from rnnstudio.training.settings import TrainingSettings
from tests.conformance.drawings import (
    DRAWINGS,
    attending_text,
    design,
    features,
    language_model,
    recurrent,
    regression,
    stacked,
    with_params,
)
from tests.design.changes import edits, start

CATALOG = standard()


def found(drawn: Design, code: str) -> Diagnostic:
    """The one diagnostic with this code; fails when there is none or several."""
    all_found = check(drawn, CATALOG).diagnostics
    (one,) = [d for d in all_found if d.code == code]
    assert one.message
    assert one.text().startswith(f"{one.severity} {code}")
    return one


def errors(drawn: Design) -> list[str]:
    return [d.text() for d in check(drawn, CATALOG).errors]


def linear_model() -> Sketch:
    s = Sketch()
    features(s)
    s.add("layer", "Linear", at=(1, 0), params={"units": 4}, input="inputs")
    regression(s, "layer")
    return s


def test_every_wire_shows_its_shape() -> None:
    checked = check(stacked(), CATALOG)
    assert checked.ok
    assert checked.signals["", "low", "h"].text() == "[batch, time, 4]"
    assert checked.signals["", "skip", "out"].text() == "[batch, time, 7]"
    assert checked.signals["", "truth", "out"] == Signal(("time",), Real(2))
    assert checked.signals["LSTM", "forget", "out"].text() == "[batch, time, 4]"
    assert check(language_model(), CATALOG).signals["", "text", "out"].text() == "[batch, time, tokens(5)]"


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


def test_a_readout_of_the_wrong_width_is_set_right() -> None:
    drawn = SetParam("readout", "units", 3).apply(language_model())
    one = found(drawn, "WidthClash")
    assert (one.nodes, one.port) == (("loss",), "prediction")
    assert one.fix is not None
    assert one.fix_title == "Set the units of readout to next_size (5)"
    assert check(one.fix.apply(drawn), CATALOG).diagnostics == ()


def test_the_fix_of_a_regression_takes_the_targets_width() -> None:
    drawn = SetParam("readout", "units", 7).apply(recurrent("RNN"))
    one = found(drawn, "WidthClash")
    assert one.fix is not None
    assert one.fix.apply(drawn).graph.nodes["readout"].params["units"] == 2


def test_widths_that_clash_in_a_sum_are_named() -> None:
    s = linear_model()
    s.add("sum", "Add", at=(2, 1), a="layer", b="inputs")
    one = found(design(s, "inputs", "targets"), "WidthClash")
    assert (one.nodes, one.port) == (("sum",), "b")
    assert "4" in one.message
    assert "3" in one.message


def test_a_width_of_one_broadcasts() -> None:
    s = linear_model()
    s.add("gate", "Linear", at=(1, 1), params={"units": 1}, input="inputs")
    s.add("product", "Multiply", at=(2, 1), a="gate", b="layer")
    assert check(design(s, "inputs", "targets"), CATALOG).signals["", "product", "out"] == Signal(("time",), Real(4))


def test_tokens_where_features_belong_get_an_embedding() -> None:
    drawn = language_model()
    wire = Wire(Pin("text", "out"), Pin("readout", "input"))
    drawn = Connect(wire).apply(drawn)
    one = found(drawn, "TokensWhereFeaturesBelong")
    assert (one.nodes, one.port) == (("readout",), "input")
    assert one.wires == (wire,)
    assert one.fix is not None
    assert one.fix_title == "Insert an Embedding"
    mended = one.fix.apply(drawn)
    assert {d.code for d in check(mended, CATALOG).diagnostics} == {"DeadNode"}
    assert mended.graph.nodes["embedding2"].kind == "Embedding"


def test_features_where_tokens_belong_are_refused() -> None:
    s = linear_model()
    s.add("e", "Embedding", at=(2, 1), input="layer")
    assert found(design(s, "inputs", "targets"), "FeaturesWhereTokensBelong").nodes == ("e",)


def test_a_squared_error_of_tokens_is_refused_without_an_embedding_as_the_fix() -> None:
    s = linear_model()
    s.add("next", "TokenTarget", at=(2, 2))
    s.add("bad", "MeanSquaredError", at=(3, 2), prediction="layer", target="next")
    assert found(design(s, "inputs", "targets", "next"), "TokensWhereFeaturesBelong").fix is None


def test_an_open_input_is_named() -> None:
    drawn = Disconnect((Wire(Pin("rec", "h"), Pin("readout", "input")),)).apply(recurrent("GRU"))
    one = found(drawn, "Unconnected")
    assert (one.nodes, one.port, one.severity) == (("readout",), "input", "error")


def test_an_optional_input_of_a_cell_whose_wire_would_be_needed_is_named() -> None:
    inner = Sketch()
    inner.add("x", "CellInput", at=(0, 0))
    inner.add("less", "CellInput", at=(0, 1), params={"optional": True})
    inner.add("difference", "Subtract", at=(1, 0), a="less", b="x")
    inner.add("y", "CellOutput", at=(2, 0), input="difference")
    s = linear_model()
    s.add("use", "cell", at=(2, 1), params={"cell": "Difference"}, x="layer")
    s.add("result", "Output", at=(3, 1), input="use.y")
    drawn = design(s, "inputs", "targets", cells=[inner.cell("Difference", {}, "", "")])
    one = found(drawn, "Unconnected")
    assert (one.graph, one.nodes, one.port) == ("Difference", ("difference",), "a")
    assert errors(Connect(Wire(Pin("layer", "out"), Pin("use", "less"))).apply(drawn)) == []


def test_an_input_fed_twice_is_named() -> None:
    drawn = design(linear_model(), "inputs", "targets")
    graph = drawn.graph.replace(wires=(*drawn.graph.wires, Wire(Pin("inputs", "out"), Pin("readout", "input"))))
    one = found(drawn.replace(graph=graph), "DoublyFed")
    assert (one.nodes, one.port) == (("readout",), "input")
    assert [str(w) for w in one.wires] == ["inputs.out → readout.input"]


@pytest.mark.parametrize(
    ("wire", "node"),
    [
        (Wire(Pin("layer", "side"), Pin("readout", "input")), "layer"),
        (Wire(Pin("inputs", "out"), Pin("readout", "input9")), "readout"),
        (Wire(Pin("loss", "out"), Pin("readout", "input")), "loss"),
    ],
)
def test_a_wire_at_a_port_that_is_not_there_is_named(wire: Wire, node: str) -> None:
    drawn = design(linear_model(), "inputs", "targets")
    drawn = drawn.replace(graph=drawn.graph.replace(wires=(*drawn.graph.wires, wire)))
    one = found(drawn, "UnknownPort")
    assert (one.nodes, one.wires) == ((node,), (wire,))


def test_fewer_terms_leave_a_wire_at_a_port_that_is_gone() -> None:
    s = linear_model()
    s.add("sum", "Add", at=(2, 1), params={"terms": 3}, a="layer", b="layer", c="layer")
    drawn = SetParam("sum", "terms", 2).apply(design(s, "inputs", "targets"))
    assert found(drawn, "UnknownPort").nodes == ("sum",)


def test_a_kind_of_a_missing_plugin_is_marked_and_nothing_else_is_blamed() -> None:
    s = Sketch()
    features(s)
    s.add("special", "FromAPlugin", at=(1, 0), input="inputs")
    s.add("out", "Output", at=(2, 0), input="special")
    one = found(design(s, "inputs"), "UnknownKind")
    assert one.nodes == ("special",)
    assert "FromAPlugin" in one.message


def test_a_cell_that_is_not_there_is_named() -> None:
    drawn = recurrent("RNN").replace(cells=frozen({}))
    assert found(drawn, "UnknownCell").nodes == ("rec",)
    assert found(SetParam("rec", "cell", None).apply(recurrent("RNN")), "UnknownCell").nodes == ("rec",)


@pytest.mark.timeout(20)
def test_a_cell_within_itself_is_named_at_once_however_often_it_is_there() -> None:
    nodes = {"x": Node("x", "CellInput"), "y": Node("y", "CellOutput")}
    wires = [Wire(Pin("x", "out"), Pin("y", "input"))]
    for i in range(8):
        nodes[f"n{i}"] = Node(f"n{i}", "cell", frozen({"cell": "RNN"}))
        wires += [Wire(Pin("x", "out"), Pin(f"n{i}", "x")), Wire(Pin(f"n{i}", "y"), Pin(f"n{(i + 1) % 8}", "y"))]
    cell = CATALOG.cells["RNN"].replace(graph=Graph(frozen(nodes), tuple(wires)))
    drawn = recurrent("RNN").replace(cells=frozen({"RNN": cell}))
    codes = [d for d in check(drawn, CATALOG).diagnostics if d.code == "CellInItself"]
    assert {d.graph for d in codes} == {"RNN"}
    assert len(codes) == 8


def test_two_cells_within_each_other_are_named() -> None:
    inner = CATALOG.cells["RNN"].graph

    def holding(name: str, other: str) -> Graph:
        node = Node("inner", "cell", frozen({"cell": other}))
        return inner.replace(
            nodes=frozen({**inner.nodes, "inner": node}),
            wires=(*inner.wires, Wire(Pin("x", "out"), Pin("inner", "x"))),
        )

    one, other = (
        CATALOG.cells["RNN"].replace(name=name, graph=holding(name, far)) for name, far in (("A", "B"), ("B", "A"))
    )
    drawn = recurrent("RNN").replace(cells=frozen({"A": one, "B": other}))
    drawn = SetParam("rec", "cell", "A").apply(drawn)
    assert found(drawn, "CellInItself").graph == "B"


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


def test_a_pool_of_a_vector_has_no_axis_to_cross() -> None:
    s = Sketch()
    s.add("vector", "FeatureInput", at=(0, 0), params={"field": "vector"})
    s.add("last", "Last", at=(1, 0), input="vector")
    s.add("out", "Output", at=(2, 0), input="last")
    assert found(design(s, "vector"), "MixedAxes").nodes == ("last",)


def test_a_delay_of_two_axes_must_choose_one() -> None:
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=(0, 1), params={"field": "other", "axis": "source"})
    s.add("plane", "Add", at=(1, 0), a="inputs", b="other")
    s.add("late", "Delay", at=(2, 0), input="plane")
    s.add("out", "Output", at=(3, 0), input="late")
    drawn = design(s, "inputs", "other")
    assert found(drawn, "MixedAxes").nodes == ("late",)
    assert errors(SetParam("late", "axis", "source").apply(drawn)) == []
    assert found(SetParam("late", "axis", "elsewhere").apply(drawn), "MixedAxes").nodes == ("late",)


def test_a_prediction_at_every_step_does_not_meet_a_target_at_the_end() -> None:
    s = linear_model()
    s.add("amount", "FeatureTarget", at=(8, 2), params={"field": "amount"})
    s.add("end", "MeanSquaredError", at=(9, 2), prediction="readout", target="amount")
    one = found(design(s, "inputs", "targets", "amount"), "MixedAxes")
    assert (one.nodes, one.port) == (("end",), "target")


@pytest.mark.parametrize("initial", ["inputs", "other"])
def test_an_initial_state_has_no_axis_that_the_state_lacks_in_a_step(initial: str) -> None:
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=(0, 1), params={"field": "other", "axis": "source"})
    s.add("late", "Delay", at=(1, 0), input="inputs", initial=initial)
    s.add("out", "Output", at=(2, 0), input="late")
    one = found(design(s, "inputs", "other"), "MixedAxes")
    assert (one.nodes, one.port) == (("late",), "initial")


def test_an_initial_state_has_the_width_of_the_state() -> None:
    s = Sketch()
    features(s)
    s.add("vector", "FeatureInput", at=(0, 1), params={"field": "vector"})
    s.add("wide", "Linear", at=(1, 1), params={"units": 9}, input="vector")
    s.add("late", "Delay", at=(1, 0), input="inputs", initial="wide")
    s.add("out", "Output", at=(2, 0), input="late")
    assert found(design(s, "inputs", "vector"), "WidthClash").nodes == ("late",)


@pytest.mark.parametrize(
    ("param", "value", "what"),
    [
        ("units", 0, "at least 1"),
        ("units", 2.5, "whole number"),
        ("units", True, "whole number"),
        ("units", "four", "whole number"),
        ("units", Var("nothing"), "does not exist"),
        ("units", (1, 2), "whole number"),
        ("bias", 1, "on or off"),
        ("bias_value", "x", "must be a number"),
        ("bias_value", float("nan"), "finite"),
        ("bias_value", float("inf"), "finite"),
        ("bias_value", 10**400, "finite"),
        ("init", "best", "must be one of"),
        ("sparkle", 3, "no parameter"),
    ],
)
def test_a_wrong_parameter_is_named_and_its_default_stands_in(param: str, value: object, what: str) -> None:
    drawn = SetParam("layer", param, value).apply(design(linear_model(), "inputs", "targets"))  # type: ignore[arg-type]
    one = found(drawn, "WrongParameter")
    assert one.nodes == ("layer",)
    assert what in one.message
    assert ("", "layer", "out") in check(drawn, CATALOG).signals


@pytest.mark.parametrize("name", ['x"); import os; ("', "a b", "time\n"])
def test_an_axis_or_field_is_a_name(name: str) -> None:
    drawn = SetParam("inputs", "axis", name).apply(design(linear_model(), "inputs", "targets"))
    assert found(drawn, "WrongParameter").nodes == ("inputs",)


def test_a_wrong_parameter_of_a_cell_is_named_once_outside() -> None:
    one = found(SetParam("rec", "units", 0.5).apply(recurrent("GRU")), "WrongParameter")
    assert (one.graph, one.nodes) == ("", ("rec",))


def test_the_direction_can_be_a_variable_of_the_cell() -> None:
    both = with_params(CATALOG.cells["RNN"], "Delay", "Either", k=Var("k"))
    both = both.replace(params=frozen({**both.params, "units": 4, "k": 1}))
    drawn = recurrent(both, k=-1)
    assert errors(drawn) == []
    (scan,) = compile_design(drawn, CATALOG).scans()
    assert not scan.forward


def test_a_parameter_reads_a_variable_and_the_sizes_of_the_data() -> None:
    drawn = SetParam("layer", "units", Var("hidden")).apply(design(linear_model(), "inputs", "targets"))
    assert found(drawn, "WrongParameter").nodes == ("layer",)
    drawn = SetVariable("hidden", 6).apply(drawn)
    drawn = SetParam("readout", "units", Var("targets_size")).apply(drawn)
    checked = check(drawn, CATALOG)
    assert checked.signals["", "layer", "out"].width == 6
    assert checked.signals["", "readout", "out"].width == 2


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


def test_shared_weights_of_two_shapes_are_refused() -> None:
    s = Sketch()
    features(s)
    s.add("one", "Linear", at=(1, 0), params={"units": 4}, shared="same", input="inputs")
    s.add("two", "Linear", at=(2, 0), params={"units": 4}, shared="same", input="one")
    regression(s, "two")
    one = found(design(s, "inputs", "targets"), "SharedShapes")
    assert one.nodes == ("two",)
    assert "[4, 3]" in one.message


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


def test_attention_in_chunks_of_a_text_is_told_while_states_are_carried() -> None:
    drawn = attending_text()
    hint = found(drawn, "SeesItsChunk")
    assert hint.severity == "hint"
    assert hint.nodes == ("looks",)
    assert "“looks” sees the steps of its own chunk only" in hint.message
    assert "\n" not in hint.message
    table = DataRecipe("csv", "x.csv", options={"group": "name"}, fields=drawn.data.fields if drawn.data else ())
    quiet = (
        drawn.replace(training=frozen({"carry": False})),
        drawn.replace(axes=frozen({"time": Axis("time", carry=False)})),
        drawn.replace(data=table),
        language_model(),
    )
    for other in quiet:
        assert not [d for d in check(other, CATALOG).diagnostics if d.code == "SeesItsChunk"]
    asked = drawn.replace(data=table, axes=frozen({"time": Axis("time", carry=True)}))
    assert found(asked, "SeesItsChunk").nodes == ("looks",)


@pytest.mark.parametrize("node", ["Delay", "Last", "First", "Reverse", "Taps", "Clock", "GRU", "Feedback"])
@pytest.mark.parametrize("kind", ["tree", "sequence"])
def test_a_node_that_takes_the_nodes_of_a_tree_in_the_order_of_the_data(node: str, kind: str) -> None:
    design = rnnstudio.new("tree")
    design.axis("tree", kind=kind)
    design.add("FeatureInput", "x", field="x", size=4, axis="tree")
    if node == "Clock":
        design.add(node, "node", period=2, new="x", old="x")
    elif node == "GRU":
        design.add(node, "node", units=3, x="x")
    elif node == "Feedback":
        design.add("FeatureTarget", "y", field="y", size=4, axis="tree")
        design.add(node, "node", prediction="x", target="y")
    else:
        design.add(node, "node", input="x")
    design.add("Output", "out", input=design.add("Linear", "map", units=2, input="node"))
    told = [d for d in design.check() if d.code == "TreeInOrder"]
    if kind == "sequence":
        assert not told
        return
    (warning,) = told
    assert (warning.severity, warning.nodes) == ("warning", ("node",))
    begins = "h before in node" if node == "GRU" else "node"
    assert warning.message.startswith(begins + " takes the nodes of the tree “tree” one after another")
    assert "use Children" in warning.message


@pytest.mark.parametrize("tree", ["asking", "asked"])
def test_causal_attention_needs_steps_in_an_order_on_both_sides(tree: str) -> None:
    design = rnnstudio.new("tree")
    design.axis(tree, kind="tree")
    design.add("FeatureInput", "query", field="x", size=4, axis="asking")
    design.add("FeatureInput", "keys", field="y", size=4, axis="asked")
    design.add("Match", "scores", causal=True, query="query", keys="keys")
    design.add("Output", "out", input="scores")
    assert f"the nodes of the tree “{tree}” have no order: switch causal off" in str(design.check()[0])
    design.set("scores", causal=False)
    assert not [d for d in design.check() if d.severity == "error"]


def test_the_children_of_a_node_have_an_order() -> None:
    design = rnnstudio.new("tree")
    design.axis("tree", kind="tree")
    design.add("FeatureInput", "x", field="x", size=4, axis="tree")
    design.add("Children", "kids", how="each", axis="tree", width=4)
    design.add("Last", "youngest", input="kids")
    design.add("Add", "h", a="x", b="youngest")
    design.connect("h", "kids")
    design.add("Output", "out", input=design.add("Root", "root", input="h"))
    assert [d.code for d in design.check()] == ["NoLoss"]


def test_states_are_carried_where_nobody_says_otherwise() -> None:
    """The check knows no training, so it keeps the default of its own."""
    assert TrainingSettings().carry is CARRY


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


def test_a_slice_of_features_that_are_not_there_is_refused() -> None:
    s = linear_model()
    s.add("part", "Slice", at=(2, 1), params={"start": 2, "stop": 9}, input="layer")
    assert found(design(s, "inputs", "targets"), "EmptySlice").nodes == ("part",)


def test_a_delay_of_no_steps_is_refused() -> None:
    s = linear_model()
    s.add("late", "Delay", at=(2, 1), params={"k": 0}, input="layer")
    assert found(design(s, "inputs", "targets"), "DelayOfZero").nodes == ("late",)


def test_a_port_of_a_cell_outside_of_a_cell_is_refused() -> None:
    s = linear_model()
    s.add("stray", "CellInput", at=(2, 1))
    assert found(design(s, "inputs", "targets"), "BoundaryOutsideCell").nodes == ("stray",)


def test_a_cell_used_twice_reports_its_inside_once_and_where_it_is() -> None:
    broken = CATALOG.cells["GRU"]
    graph = broken.graph.replace(wires=tuple(w for w in broken.graph.wires if w.target.node != "rest"))
    s = Sketch()
    features(s)
    s.add("one", "cell", at=(1, 0), params={"cell": "GRU", "units": 4}, x="inputs")
    s.add("two", "cell", at=(2, 0), params={"cell": "GRU", "units": 3}, x="one.h")
    regression(s, "two.h")
    one = found(design(s, "inputs", "targets", cells=[broken.replace(graph=graph)]), "Unconnected")
    assert (one.graph, one.nodes) == ("GRU", ("rest",))
    assert "cell GRU: rest" in one.text()


def test_all_problems_are_told_at_once() -> None:
    s = linear_model()
    s.add("late", "Delay", at=(2, 1), params={"k": 0}, input="layer")
    s.add("open", "Tanh", at=(2, 2))
    s.add("odd", "FromAPlugin", at=(2, 3))
    codes = {d.code for d in check(design(s, "inputs", "targets"), CATALOG).diagnostics}
    assert {"DelayOfZero", "Unconnected", "UnknownKind"} <= codes


def test_compiling_what_does_not_pass_names_the_first_place_and_the_remedy() -> None:
    drawn = SetParam("readout", "units", 3).apply(language_model())
    with pytest.raises(StudioError, match=r"units to 5 \(loss\)\. Set the units of readout to next_size \(5\)\."):
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
