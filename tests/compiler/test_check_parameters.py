"""What can be wrong with a node: its kind, the cell it names, its parameters and the weights it shares."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check, compile_design
from rnnstudio.design.design import Graph, Node, Pin, Var, Wire, frozen
from rnnstudio.design.edits import SetParam, SetVariable
from tests.compiler.checking import CATALOG, errors, found, linear_model
from tests.conformance.drawings import design, features, recurrent, regression, with_params


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


def test_shared_weights_of_two_shapes_are_refused() -> None:
    s = Sketch()
    features(s)
    s.add("one", "Linear", at=(1, 0), params={"units": 4}, shared="same", input="inputs")
    s.add("two", "Linear", at=(2, 0), params={"units": 4}, shared="same", input="one")
    regression(s, "two")
    one = found(design(s, "inputs", "targets"), "SharedShapes")
    assert one.nodes == ("two",)
    assert "[4, 3]" in one.message


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
