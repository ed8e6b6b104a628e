"""Nodes that share weights and set them differently: told with both names, made alike by one click."""

from __future__ import annotations

from typing import Any

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.primitives import Parameter
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Checker, Diagnostic, check, compile_design
from rnnstudio.design.design import Design, Graph, frozen
from rnnstudio.design.edits import SetParam, SetShared
from rnnstudio.design.storage import dumps, loads
from tests.conformance.drawings import design, features, recurrent, regression

CATALOG = standard()


def shared(
    one: dict[str, Any], two: dict[str, Any], names: tuple[str, str] = ("one", "two"), by: str = "same"
) -> Design:
    s = Sketch()
    features(s)
    first, second = names
    s.add(first, "Linear", at=(1, 0), params={"units": 3, **one}, shared=by if first != by else "", input="inputs")
    s.add("squash", "Tanh", at=(2, 0), input=first)
    s.add(second, "Linear", at=(3, 0), params={"units": 3, **two}, shared=by if second != by else "", input="squash")
    regression(s, second)
    return design(s, "inputs", "targets")


def clash(drawn: Design) -> Diagnostic:
    (one,) = check(drawn, CATALOG).diagnostics
    assert one.code == "SharedSettings"
    assert one.severity == "warning"
    return one


def weight(drawn: Design, path: str = "same.weight") -> Parameter:
    return next(p for p in compile_design(drawn, CATALOG).parameters if p.path == path)


def in_another_order(drawn: Design) -> Design:
    """The same drawing, drawn in the opposite order."""
    nodes = dict(reversed(drawn.graph.nodes.items()))
    return drawn.replace(graph=Graph(frozen(nodes), tuple(reversed(drawn.graph.wires))))


def test_nodes_with_the_same_settings_are_left_in_peace() -> None:
    assert check(shared({"frozen": True}, {"frozen": True}), CATALOG).diagnostics == ()
    assert check(shared({"init": "xavier"}, {"init": "xavier"}), CATALOG).diagnostics == ()


@pytest.mark.parametrize("frozen_one", [0, 1])
def test_weights_that_one_node_freezes_are_frozen_and_that_is_told(frozen_one: int) -> None:
    settings: list[dict[str, Any]] = [{}, {}]
    settings[frozen_one] = {"frozen": True}
    drawn = shared(*settings)
    one = clash(drawn)
    assert set(one.nodes) == {"one", "two"}
    assert f"only {('one', 'two')[frozen_one]} freezes them, so they are not trained" in one.message
    assert not weight(drawn).trainable
    assert one.fix is not None
    assert one.fix_title == "Freeze both"
    mended = one.fix.apply(drawn)
    assert check(mended, CATALOG).diagnostics == ()
    assert weight(mended) == weight(drawn)


def test_the_first_by_name_decides_how_they_start_however_the_drawing_was_made() -> None:
    drawn = shared({"init": "zero"}, {"init": "orthogonal"}, names=("later", "earlier"))
    one = clash(drawn)
    assert one.nodes == ("earlier", "later")
    assert "they start as earlier says" in one.message
    for same in (drawn, in_another_order(drawn), loads(dumps(drawn))):
        assert weight(same).init.name == "orthogonal"
    assert one.fix is not None
    assert one.fix_title == "Set init of later as in earlier"
    mended = one.fix.apply(drawn)
    assert check(mended, CATALOG).diagnostics == ()
    assert weight(mended) == weight(drawn)


def test_the_node_whose_name_the_weights_have_decides() -> None:
    drawn = shared({"init": "zero"}, {"init": "orthogonal"}, names=("early", "late"), by="late")
    assert clash(drawn).nodes == ("late", "early")
    assert weight(drawn, "late.weight").init.name == "orthogonal"


def test_both_at_once_are_one_problem_with_one_fix() -> None:
    drawn = shared({"gain": 2.0, "bias_value": 1.0}, {"frozen": True})
    one = clash(drawn)
    assert "not trained and start them differently" in one.message
    assert one.fix is not None
    mended = one.fix.apply(drawn)
    assert check(mended, CATALOG).diagnostics == ()
    assert weight(mended) == weight(drawn)


def test_cells_that_share_their_weights_are_compared_inside() -> None:
    s = Sketch()
    features(s)
    for row, name in enumerate(("left", "right")):
        params = {"cell": "LSTM", "units": 4, "forget_bias": float(row)}
        s.add(name, "cell", at=(1, row), params=params, shared="both", x="inputs")
    s.add("sum", "Add", at=(2, 0), a="left.h", b="right.h")
    regression(s, "sum")
    drawn = design(s, "inputs", "targets")
    one = clash(drawn)
    assert one.nodes == ("left", "right")
    assert one.fix is not None
    assert one.fix_title == "Set forget_bias of right as in left"
    mended = one.fix.apply(drawn)
    assert check(mended, CATALOG).diagnostics == ()
    assert weight(mended, "both.W_f.bias") == weight(drawn, "both.W_f.bias")


def test_nodes_within_a_cell_are_told_in_the_cell() -> None:
    drawn = recurrent("LSTM")
    drawn = SetShared("W_i", "gate", "LSTM").apply(SetShared("W_f", "gate", "LSTM").apply(drawn))
    one = clash(drawn)  # the forget gate's bias starts at 1
    assert (one.graph, one.nodes) == ("LSTM", ("W_f", "W_i"))


def test_an_embedding_tied_to_a_readout_starts_as_it_does() -> None:
    """Two kinds start differently by nature."""
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 4}, input="text")
    s.add("rec", "cell", at=(2, 0), params={"cell": "RNN", "units": 4}, x="embedding")
    s.add("readout", "Linear", at=(3, 0), params={"units": 5, "bias": False}, shared="embedding", input="rec.h")
    s.add("next", "TokenTarget", at=(3, 1))
    s.add("loss", "CrossEntropy", at=(4, 0), prediction="readout", target="next")
    drawn = design(s, "text", "next")
    assert check(drawn, CATALOG).diagnostics == ()
    assert weight(drawn, "embedding.weight").init.name == "normal"
    assert clash(SetParam("readout", "frozen", True).apply(drawn)).nodes == ("embedding", "readout")


def test_a_checker_that_remembers_tells_it_after_each_edit() -> None:
    checker = Checker(CATALOG)
    drawn = shared({}, {})
    for value, wanted in ((None, 0), (True, 1), (None, 0), (True, 1)):
        drawn = SetParam("two", "frozen", value).apply(drawn)
        for _ in range(2):
            found = checker.check(drawn).diagnostics
            assert [d.code for d in found] == ["SharedSettings"] * wanted
            drawn = SetParam("readout", "bias_value", 1.0 if wanted else 2.0).apply(drawn)
