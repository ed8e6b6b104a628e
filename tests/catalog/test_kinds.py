"""Every kind of node: words for people, defaults that fit, ports that stay, and wrong values that are told."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import FAMILIES, Catalog, standard
from rnnstudio.catalog.cells import library
from rnnstudio.catalog.node import NodeKind, Param
from rnnstudio.catalog.primitives import PRIMITIVES
from rnnstudio.compiler import check
from rnnstudio.compiler.resolve import cell_params, cell_ports, resolve
from rnnstudio.design.design import Design, Graph, Node, Var, frozen
from rnnstudio.runtime.primitives import OPERATIONS
from tests.conformance.drawings import FIELDS, recipe

CATALOG = standard()
WRONG = (
    -(10**400),
    -7,
    0,
    3.5,
    1e308,
    float("nan"),
    float("inf"),
    True,
    False,
    "",
    "ü b",
    None,
    (),
    (1, "a"),
    Var("no"),
)
TYPES = {"int", "float", "bool", "choice", "text", "field", "axis", "cell", "ints", "floats"}


def kinds() -> list[NodeKind]:
    return list(CATALOG.kinds.values())


def defaults(kind: NodeKind) -> dict[str, object]:
    return {param.name: param.default for param in kind.params}


def alone(kind: str, params: dict[str, object]) -> Design:
    node = Node("node", kind, frozen(params))
    return Design(graph=Graph(frozen({"node": node})), data=recipe(*(f.name for f in FIELDS)))


def test_every_kind_has_words_for_the_palette_and_its_tooltip() -> None:
    for kind in kinds():
        assert kind.name.isidentifier(), kind.name
        assert kind.title, kind.name
        assert kind.family in FAMILIES, kind.name
        assert kind.doc.endswith("."), kind.name
        assert kind.formula or kind.family in ("Data", "Cell"), kind.name
    titles = [kind.title for kind in kinds()]
    assert len(set(titles)) == len(titles)


def test_every_parameter_has_words_a_known_type_and_a_default_that_fits() -> None:
    for kind in kinds():
        names = [param.name for param in kind.params]
        assert len(set(names)) == len(names), kind.name
        for param in kind.params:
            assert param.doc, f"{kind.name}.{param.name}"
            assert param.type in TYPES, f"{kind.name}.{param.name}"
            assert param.problem(param.default) is None, f"{kind.name}.{param.name}"
            assert (param.type == "choice") == bool(param.choices), f"{kind.name}.{param.name}"


def test_ports_have_names_of_their_own_and_stay_the_same() -> None:
    for kind in kinds():
        for ports in (kind.input_ports(defaults(kind)), kind.output_ports(defaults(kind))):
            names = [port.name for port in ports]
            assert len(set(names)) == len(names), kind.name
            assert all(name.isidentifier() for name in names), kind.name
            assert {port.content for port in ports} <= {"real", "tokens", "any", "loss"}, kind.name
        assert kind.input_ports(defaults(kind)) == kind.input_ports(defaults(kind))
        assert kind.input_ports({}) == kind.input_ports(defaults(kind)), kind.name
        assert set(kind.late_ports) <= {port.name for port in kind.input_ports(defaults(kind))}, kind.name


def test_ports_survive_parameters_that_are_being_typed() -> None:
    for kind in kinds():
        for param in kind.params:
            for value in WRONG:
                wrong = {**defaults(kind), param.name: value}
                assert len(kind.input_ports(wrong)) <= 17, (kind.name, param.name, value)
                assert isinstance(kind.output_ports(wrong), tuple)


def test_a_wrong_value_becomes_a_diagnostic_at_its_node_and_nothing_breaks() -> None:
    told = 0
    for kind in kinds():
        for param in kind.params:
            for value in WRONG:
                if value is None:
                    continue
                found = check(alone(kind.name, {param.name: value}), CATALOG).diagnostics
                wrong = [d for d in found if d.code == "WrongParameter"]
                expected = isinstance(value, Var) or param.problem(value) is not None
                assert bool(wrong) == expected, (kind.name, param.name, value)
                assert all(d.nodes == ("node",) and param.name in d.message for d in wrong)
                told += bool(wrong)
    assert told > 500


@pytest.mark.parametrize(
    ("param", "good", "bad"),
    [
        (Param("n", "int", 1, minimum=1, maximum=9), (1, 9), (0, 10, 1.0, True, "1", None)),
        (Param("x", "float", 0.0, minimum=0.0), (0, 0.5, 7), (-0.1, float("nan"), float("inf"), 10**400, "x", False)),
        (Param("b", "bool", True), (True, False), (0, 1, "yes", None)),
        (Param("c", "choice", "a", choices=("a", "b")), ("a", "b"), ("c", 1, None, ("a",))),
        (Param("t", "text", ""), ("", "anything at all"), (1, None, True)),
        (Param("f", "field", ""), ("", "inputs", "α"), ("a b", 'x"', "a.b", 1)),
    ],
    ids=lambda value: value.type if isinstance(value, Param) else "",
)
def test_a_parameter_takes_what_fits_and_says_why_not(
    param: Param, good: tuple[object, ...], bad: tuple[object, ...]
) -> None:
    assert [param.problem(value) for value in good] == [None] * len(good)
    for value in bad:
        assert param.name in (param.problem(value) or ""), value


def test_every_primitive_has_its_operation_and_every_operation_its_words() -> None:
    assert set(OPERATIONS) <= set(PRIMITIVES)
    assert all(PRIMITIVES.values())


def test_the_library_is_drawn_anew_each_time_and_equal() -> None:
    one, other = library(), library()
    assert one == other
    usual = {family.drawn(family.default).name for family in CATALOG.families.values()}
    assert one.keys() | usual == CATALOG.cells.keys()


def test_a_library_cell_has_ports_and_parameters_that_fit() -> None:
    for name, cell in CATALOG.cells.items():
        inputs, outputs = cell_ports(cell)
        assert outputs, name
        assert any(not port.optional for port in inputs), name
        node = Node("n", "cell", frozen({"cell": name}))
        values, problems = resolve(node, cell_params(cell), {})
        assert problems == [], name
        assert set(cell.params) <= set(values), name


def test_a_float_parameter_takes_a_whole_number_and_a_variable() -> None:
    cell = CATALOG.cells["LSTM"]
    node = Node("n", "cell", frozen({"cell": "LSTM", "forget_bias": 2, "units": Var("hidden")}))
    values, problems = resolve(node, cell_params(cell), {"hidden": 7})
    assert problems == []
    assert values["forget_bias"] == 2.0
    assert isinstance(values["forget_bias"], float)
    assert values["units"] == 7


def test_a_catalogue_can_be_widened_without_touching_the_standard_one() -> None:
    class Twice(NodeKind):
        name = title = "Twice"
        family = "Pointwise"
        doc = "Twice the input."

    wider = CATALOG.with_kinds((Twice(),))
    assert isinstance(wider, Catalog)
    assert wider.get("Twice") is not None
    assert CATALOG.get("Twice") is None
    assert "Twice" in {kind.name for kind in wider.family("Pointwise")}
    assert wider.cells == CATALOG.cells


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", 2**31),
        ("int", -(2**70)),
        ("float", 1e300),
        ("float", -(10**300)),
        ("ints", (1, 2**40)),
        ("floats", (1e39,)),
    ],
)
def test_a_parameter_is_no_larger_than_a_tensor_holds(kind: str, value: object) -> None:
    problem = Param("gain", kind, 1).problem(value)  # type: ignore[arg-type]
    assert problem is not None
    assert "must lie within ±" in problem
