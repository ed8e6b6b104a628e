"""What is wrong with a wire into a cell is told at the wire, and put right there; the cell's drawing stays as it is."""

from __future__ import annotations

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Design, Var, frozen
from rnnstudio.design.recipe import DataRecipe, FieldSpec

TEXT = DataRecipe(
    "text",
    "x.txt",
    fields=(
        FieldSpec("text", "tokens", 5, vocabulary=tuple("abcde")),
        FieldSpec("next", "tokens", 5, vocabulary=tuple("abcde"), shift_of="text", shift=1),
    ),
)


def tokens_into(cell: str) -> Design:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("memory", "cell", at=(1, 0), params={"cell": cell, "units": 4}, x="text")
    s.add("readout", "Linear", at=(2, 0), params={"units": 3}, input="memory.h")
    s.add("next", "TokenTarget", at=(2, 1))
    s.add("loss", "CrossEntropy", at=(3, 0), prediction="readout", target="next")
    return Design(graph=s.graph(), data=TEXT, cells=frozen(standard().definitions_for(cell)))


def test_tokens_wired_into_a_cell_are_one_error_at_the_wire_with_its_fix() -> None:
    design = tokens_into("LSTM")
    found = [d for d in check(design, standard()).diagnostics if d.code == "TokensWhereFeaturesBelong"]
    assert [(d.graph, d.nodes, d.port) for d in found] == [("", ("memory",), "x")]
    assert "“x” needs features" in found[0].message
    fix = found[0].fix
    assert fix is not None
    mended = fix.apply(design)
    assert mended.cells == design.cells
    assert [d.code for d in check(mended, standard()).diagnostics] == ["WidthClash"]


def test_the_same_through_a_cell_in_a_cell() -> None:
    found = check(tokens_into("StackedLSTM"), standard()).diagnostics
    wrong = [d for d in found if d.code == "TokensWhereFeaturesBelong"]
    assert [(d.graph, d.nodes, d.port) for d in wrong] == [("", ("memory",), "x")]


def test_the_fix_of_a_readout_follows_the_vocabulary() -> None:
    design = tokens_into("LSTM")
    first = next(d.fix for d in check(design, standard()).diagnostics if d.code == "TokensWhereFeaturesBelong")
    assert first is not None
    mended = first.apply(design)
    (clash,) = check(mended, standard()).diagnostics
    assert "next_size (5)" in clash.fix_title
    assert clash.fix is not None
    done = clash.fix.apply(mended)
    assert done.graph.nodes["readout"].params["units"] == Var("next_size")
    assert check(done, standard()).diagnostics == ()


def test_a_delay_put_into_a_loop_of_one_node_lies_beside_it() -> None:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"size": 2})
    s.add("sum", "Add", at=(1, 0), a="x", b="sum")
    s.add("out", "Output", at=(2, 0), input="sum")
    design = Design(graph=s.graph())
    (loop,) = check(design, standard()).errors
    assert "sum forms a loop" in loop.message
    assert loop.fix is not None
    mended = loop.fix.apply(design)
    delay, node = mended.graph.nodes["delay"], mended.graph.nodes["sum"]
    assert abs(delay.y - node.y) > 60
