"""A drawing meets data whose fields are called otherwise: what fits alone is bound, what does not is left as it is."""

from __future__ import annotations

from pathlib import Path

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler.binding import bind, bindings, field_of
from rnnstudio.design.design import Design, Node, Var
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from tests.data.sequence_files import pairs, reviews


def drawn(*fields: FieldSpec) -> Design:
    """A classifier of texts, drawn for other data, with these fields."""
    design = rnnstudio.new()
    design.add("TokenInput", "words", field="text", size=9)
    design.add("TokenTarget", "truth", field="next", size=3)
    return design.design.replace(data=DataRecipe("made", "a.file", fields=fields))


def text(name: str = "review") -> FieldSpec:
    return FieldSpec(name, "tokens", 9, "time")


def label(name: str = "stars") -> FieldSpec:
    return FieldSpec(name, "tokens", 3, None, role="target", counts=(4, 5, 6))


def params(design: Design, node: str) -> tuple[object, object]:
    found = design.graph.nodes[node].params
    return found.get("field"), found.get("axis")


def test_inputs_and_targets_find_the_one_field_of_their_role_and_content() -> None:
    design = drawn(text(), label(), FieldSpec("speed", "real", 1))
    edit = bind(design, standard())
    assert edit is not None
    bound = edit.apply(design)
    assert params(bound, "words") == ("review", "time")
    assert params(bound, "truth") == ("stars", "")
    assert bind(bound, standard()) is None
    assert [b.text() for b in bindings(design, standard())] == [
        "truth reads “stars” (the data has no “next”)",
        "words reads “review” (the data has no “text”)",
    ]


def test_a_field_that_is_there_stays() -> None:
    design = drawn(text("text"), text("other"), label("next"))
    assert bind(design, standard()) is None


def test_of_several_fields_the_one_that_is_called_alike_is_bound_and_none_where_none_is() -> None:
    chosen = drawn(text("author"), text("word"), label())
    assert {b.node: b.field.name for b in bindings(chosen, standard())} == {"words": "word", "truth": "stars"}
    unclear = drawn(text("a"), text("b"), label())
    assert {b.node: b.field.name for b in bindings(unclear, standard())} == {"truth": "stars"}


def test_a_tree_is_no_field_for_a_node(tmp_path: Path) -> None:
    design = drawn(FieldSpec("tree_parents", "parents", axis="tree"))
    assert bindings(design, standard()) == ()
    assert "tree_parents_size" not in rnnstudio.api.Drawing(design).design.data.readable


def test_sizes_of_all_fields_are_variables(tmp_path: Path) -> None:
    from rnnstudio.compiler.resolve import variables_of

    for write, names in ((pairs, {"source_size", "target_size"}), (reviews, {"text_size", "label_size"})):
        design = rnnstudio.new()
        design.read(write(tmp_path))
        assert names <= set(variables_of(design.design))


def test_sizes_that_were_the_old_fields_become_the_new_ones() -> None:
    made = rnnstudio.Drawing(drawn(text(), label()))
    made.add("Embedding", "embedding", units=Var("text_size"), input="words")
    made.add("Linear", "scores", units=Var("next_size"), input="embedding")
    made.add("Linear", "other", units=Var("hidden_size"), input="embedding")
    edit = bind(made.design, standard())
    assert edit is not None
    units = {node.id: node.params.get("units") for node in edit.apply(made.design).graph.nodes.values()}
    assert units["embedding"] == Var("review_size")
    assert units["scores"] == Var("stars_size")
    assert units["other"] == Var("hidden_size")


def test_a_size_that_the_design_has_itself_stays() -> None:
    made = rnnstudio.Drawing(drawn(text(), label()).replace(variables={"next_size": 7}))
    made.add("Linear", "scores", units=Var("next_size"), input="words")
    edit = bind(made.design, standard())
    assert edit is not None
    assert edit.apply(made.design).graph.nodes["scores"].params["units"] == Var("next_size")


def test_of_two_targets_the_one_along_an_axis_is_for_a_node_that_runs_along_one() -> None:
    spelt = FieldSpec("spelling", "tokens", 9, "letters", role="target")
    chosen = drawn(text(), label("kind"), spelt)
    assert {b.node: b.field.name for b in bindings(chosen, standard())} == {"words": "review", "truth": "spelling"}


def test_a_node_reads_the_field_of_its_kind_until_it_is_given_another() -> None:
    assert field_of(Node("a", "TokenInput"), standard()) == "text"
    assert field_of(Node("a", "TokenInput", {"field": "source"}), standard()) == "source"
    assert field_of(Node("a", "Linear"), standard()) == ""
