"""What can be wrong at a wire: widths, tokens and features, ports that are open, fed twice or not there."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Pin, Wire
from rnnstudio.design.edits import Connect, Disconnect, SetParam
from rnnstudio.design.signals import Real, Signal
from tests.compiler.checking import CATALOG, errors, found, linear_model
from tests.conformance.drawings import design, language_model, recurrent, stacked


def test_every_wire_shows_its_shape() -> None:
    checked = check(stacked(), CATALOG)
    assert checked.ok
    assert checked.signals["", "low", "h"].text() == "[batch, time, 4]"
    assert checked.signals["", "skip", "out"].text() == "[batch, time, 7]"
    assert checked.signals["", "truth", "out"] == Signal(("time",), Real(2))
    assert checked.signals["LSTM", "f", "out"].text() == "[batch, time, 4]"
    assert check(language_model(), CATALOG).signals["", "text", "out"].text() == "[batch, time, tokens(5)]"


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


def test_a_slice_of_features_that_are_not_there_is_refused() -> None:
    s = linear_model()
    s.add("part", "Slice", at=(2, 1), params={"start": 2, "stop": 9}, input="layer")
    assert found(design(s, "inputs", "targets"), "EmptySlice").nodes == ("part",)
