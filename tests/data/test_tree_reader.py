"""Files of trees: what is read of treebanks, expressions and dependencies, and how their mistakes are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data.vocabulary import UNKNOWN
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from tests.data.tree_files import heads, penn, sentiment


def opened(path: Path, text: str = "", repeat: int = 12, **options: Any) -> data.Dataset:
    if text:
        path.write_text(text * repeat)
    return data.open(DataRecipe("trees", str(path), options=options, split=(0.8, 0.1, 0.1)))


def said(dataset: data.Dataset, field: str, example: int = 0) -> list[str]:
    spec = dataset.recipe.field(field)
    values = dataset.example(example)[field]
    return [spec.vocabulary[int(value)] for value in values.reshape(-1)]


def above(dataset: data.Dataset, example: int = 0) -> list[int]:
    found: list[int] = dataset.example(example)["tree_parents"].tolist()
    return found


def test_a_sentiment_tree_has_its_leaves_first_and_a_label_at_every_node(tmp_path: Path) -> None:
    made = opened(tmp_path / "t", "(3 (2 It) (4 (2 's) (4 great)))\n(1 (2 so) (1 dull))\n", labels="both")
    assert said(made, "word") == ["It", "'s", "great", UNKNOWN, UNKNOWN]
    assert said(made, "label") == ["2", "2", "4", "4", "3"]
    assert above(made) == [4, 3, 3, 4, -1]
    assert said(made, "root_label") == ["3"]
    assert said(made, "root_label", 1) == ["1"]
    assert [(s.name, s.axis, s.role) for s in made.fields] == [
        ("tree_parents", "tree", "input"),
        ("word", "tree", "input"),
        ("label", "tree", "target"),
        ("root_label", None, "target"),
    ]


def test_the_root_alone_has_a_label_without_an_axis(tmp_path: Path) -> None:
    made = opened(sentiment(tmp_path), labels="root")
    assert made.recipe.field("label").axis is None
    assert set(made.recipe.field("label").vocabulary) == {"1", "3"}


def test_penn_trees_run_over_lines_lose_their_traces_and_keep_categories(tmp_path: Path) -> None:
    made = opened(penn(tmp_path))
    assert said(made, "label") == ["DT", "JJ", "NN", "NP", "VBZ", "VP", ".", "S"]
    assert above(made) == [3, 3, 3, 7, 5, 7, 7, -1]
    assert any("60 empty elements" in problem.what for problem in made.problems)
    full = opened(penn(tmp_path), traces=True, functions=True)
    assert said(full, "label") == ["DT", "JJ", "NN", "NP-SBJ", "VBZ", "-NONE-", "NP", "VP", ".", "S"]


def test_binary_trees_have_two_children_or_none(tmp_path: Path) -> None:
    made = opened(penn(tmp_path), binary=True)
    assert said(made, "label") == ["DT", "JJ", "@NP", "NN", "NP", "VP", "@S", ".", "S"]
    for example in range(made.sequences):
        parents = above(made, example)
        assert {parents.count(node) for node in range(len(parents))} == {0, 2}
    sums = opened(tmp_path / "s", "(- 9 (+ 1 2 3) 2)\n", form="expressions", binary=True)
    assert sums.tracks["value"].raw is not None
    assert sums.tracks["value"].raw[:9, 0].tolist() == [9, 1, 2, 3, 3, 6, 3, 2, 1]
    assert said(sums, "word") == ["9", "1", "2", "+", "3", "+", "-", "2", "-"]


def test_expressions_are_computed_at_every_node(tmp_path: Path) -> None:
    made = opened(tmp_path / "s", "(+ 3 (* 2 4) (min 7 1))\n", form="expressions")
    assert said(made, "word") == ["3", "2", "4", "*", "7", "1", "min", "+"]
    assert made.tracks["value"].raw is not None
    assert made.tracks["value"].raw[:8, 0].tolist() == [3, 2, 4, 8, 7, 1, 1, 12]
    truth = opened(tmp_path / "l", "(and true (not (xor t f)))\n(or f t)\n", form="expressions", value="computed label")
    assert said(truth, "label") == ["1", "1", "0", "1", "0", "0"]


def test_values_after_a_tab_are_taken_and_proposed(tmp_path: Path) -> None:
    path = tmp_path / "given.txt"
    path.write_text("".join(f"(f {n} (g {n % 3}))\t{'odd' if n % 2 else 'even'}\n" for n in range(40)))
    recipe = data.guess(path)
    assert (recipe.reader, recipe.options["form"], recipe.options["value"]) == ("trees", "expressions", "given label")
    made = data.open(recipe)
    assert [said(made, "label", n) for n in (0, 1)] == [["even"], ["odd"]]
    assert made.recipe.field("label").axis is None
    path.write_text("".join(f"(f {n} (g {n % 3}))\t{n * 1.5}\n" for n in range(40)))
    made = data.open(data.guess(path))
    assert made.recipe.field("value").content == "real"
    assert made.tracks["value"].raw is not None
    assert made.tracks["value"].raw[:3, 0].tolist() == [0, 1.5, 3]


LISTOPS = ("[MAX 2 9 [MIN 4 7 ] 0 ]", "[SM 8 [MED 1 5 9 4 ] [FIRST 7 3 ] ]", "[LAST 1 [MEDIAN 1 2 ] ]")


def test_expressions_in_square_brackets_are_read_as_those_in_round_ones(tmp_path: Path) -> None:
    path = tmp_path / "ops.txt"
    path.write_text("".join(f"{line}\n" for line in LISTOPS * 12))
    recipe = data.guess(path)
    assert (recipe.reader, recipe.options["form"], recipe.options["value"]) == (
        "trees",
        "expressions",
        "computed number",
    )
    made = data.open(recipe)
    assert said(made, "word") == ["2", "9", "4", "7", "MIN", "0", "MAX"]
    values = made.tracks["value"].raw
    assert values is not None
    ends = (made.axes["tree"][1:4] - 1).tolist()
    assert values[ends, 0].tolist() == [9, 9, 1.5]  # 8 + 4 + 7 = 19; of four numbers the lower middle, 4
    round_ones = tmp_path / "round.txt"
    round_ones.write_text(path.read_text().replace("[", "(").replace("]", ")"))
    other = data.open(data.guess(round_ones))
    assert other.recipe.fields == made.recipe.fields
    assert np.array_equal(other.tracks["value"].values, made.tracks["value"].values)


@pytest.mark.parametrize("write", ["{value}\t{line}", "{line}\t{value}"])
def test_the_value_may_stand_before_or_behind_the_expression(write: str, tmp_path: Path) -> None:
    path = tmp_path / "ops.tsv"
    rows = [(f"[MAX {n % 10} [MIN 4 {n % 7} ] ]", max(n % 10, min(4, n % 7))) for n in range(80)]
    path.write_text("".join(write.format(line=line, value=value) + "\n" for line, value in rows))
    recipe = data.guess(path)
    assert (recipe.reader, recipe.options["labels"], recipe.options["value"]) == ("trees", "root", "given label")
    made = data.open(recipe)
    assert [int(said(made, "label", n)[0]) for n in range(80)] == [value for _, value in rows]
    with pytest.raises(StudioError, match=r"opened and never closed .*line 2, column 3\)\. Close it with “\]”"):
        opened(tmp_path / "bad", "1\t[MAX 1 2 ]\n1\t[MAX 1 2\n", 1, form="expressions", value="given label")


def test_a_joined_operator_keeps_the_value_of_all_its_arguments(tmp_path: Path) -> None:
    made = opened(tmp_path / "s", "[MED 1 9 5 ]\n", form="expressions", binary=True)
    assert said(made, "word") == ["1", "9", "MED", "5", "MED"]
    assert made.tracks["value"].raw is not None
    assert made.tracks["value"].raw[:5, 0].tolist() == [1, 9, 5, 5, 5]


@pytest.mark.parametrize("line", ["[1, 2, 3]", "[[1, 2], [3, 4]]", '["a", "b"]', "[1 2 3]"])
def test_lists_of_numbers_in_square_brackets_are_no_trees(line: str, tmp_path: Path) -> None:
    (tmp_path / "lists.txt").write_text(f"{line}\n" * 40)
    assert "trees" not in [recipe.reader for _, recipe, _ in data.guesses(tmp_path / "lists.txt")]


def test_dependency_trees_keep_the_order_of_words(tmp_path: Path) -> None:
    made = opened(heads(tmp_path), form="dependencies")
    assert said(made, "label") == ["det", "nsubj", "root", "det", "obj"]
    assert above(made) == [1, 2, -1, 4, 2]
    kinds = opened(heads(tmp_path), form="dependencies", relation="upos")
    assert said(kinds, "label") == ["DET", "NOUN", "VERB", "DET", "NOUN"]
    assert "trees" in [recipe.reader for _, recipe, _ in data.guesses(heads(tmp_path))]


def conllu(*heads: int) -> str:
    return "".join(f"{n}\tw{n}\t_\tX\t_\t_\t{h}\tdep\t_\t_\n" for n, h in enumerate(heads, 1)) + "\n"


@pytest.mark.parametrize(
    ("bad", "line", "what", "mended"),
    [
        ((0, 3, 2), 5, "the heads of 2 words go round in a circle", [-1, 0, 1]),
        ((2, 3, 1), 4, "the heads of 3 words go round in a circle", [-1, 2, 0]),
        ((0, 2), 5, "the heads of 1 word go round in a circle", [-1, 0]),
        ((2, 0, 0), 6, "the sentence has 2 roots", [1, -1, 1]),
    ],
)
def test_heads_that_make_no_tree_are_told_and_left_out_or_mended(
    bad: tuple[int, ...], line: int, what: str, mended: list[int], tmp_path: Path
) -> None:
    text = conllu(0, 1) + conllu(*bad) + conllu(0, 1) * 20
    left_out = opened(tmp_path / "a.conllu", text, 1, form="dependencies")
    assert left_out.sequences == 21
    told = next(problem for problem in left_out.problems if what in problem.what)
    assert (told.line, told.column) == (line, "7")
    assert "left out" in told.what
    repaired = opened(tmp_path / "a.conllu", text, 1, form="dependencies", bad_heads="repair")
    assert repaired.sequences == 22
    assert above(repaired, 1) == mended


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("(1 (2 a) (3 b)\n(1 c)\n", 1, "1", "a bracket is opened and never closed"),
        ("(1 c)\n(1 (2 a) (3 b\n", 2, "10", "a bracket is opened and never closed"),
        ("(1 c)\n(1 (2 a)) (3 b))\n", 2, "16", "a bracket is closed and was never opened"),
        ("(1 c)\n) (1 c)\n", 2, "1", "a bracket is closed and was never opened"),
        ("(1 c)\nword (1 c)\n", 2, "1", "'word' stands outside of brackets"),
        ("(1 c)\n(1 (2 a b c))\n", 2, "4", "more than a word"),
        ("(1 c)\n(1 ())\n", 2, "4", "a bracket has no label"),
        ("(1 c)\n(1 (2))\n", 2, "4", "neither a word nor children"),
    ],
)
def test_unbalanced_and_crooked_brackets_are_told_at_line_and_column(
    text: str, line: int, column: str, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.ptb"
    path.write_text(text)
    with pytest.raises(StudioError) as raised:
        opened(path)
    assert what in raised.value.what
    assert f"line {line}, column {column}" in raised.value.where
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("(/ 1 0)", "divides by zero"),
        ("(+ 1 x)", "'x' is neither"),
        ("(foo 1)", "'foo' is not known"),
        ("(not 1 0)", "2"),
    ],
)
def test_expressions_without_a_value_are_told(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="line 2, column 1") as raised:
        opened(tmp_path / "s", f"(+ 1 2)\n{text}\n", 1, form="expressions")
    assert what in raised.value.what


def test_a_tree_as_deep_as_its_file_is_read_without_recursion(tmp_path: Path) -> None:
    depth = 5000
    made = opened(tmp_path / "deep", "(1 (1 (1 a)))\n" * 20 + "(1 " * depth + "a" + ")" * depth + "\n", 1)
    assert int(made.lengths("tree")[-1]) == depth
