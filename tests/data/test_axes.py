"""Trees, vectors without any axis, and series with a value for each: one storage, and a network trains on each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import rnnstudio
from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.batches import Batches
from rnnstudio.data.examples import Examples, labels, numbers, tags, tokens, tree
from rnnstudio.data.options import NoOptions
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Reader
from rnnstudio.data.source import Source
from rnnstudio.design.design import Var
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.loading import load_plugins
from rnnstudio.training import events as ev
from rnnstudio.training.settings import settings_from
from rnnstudio.training.trainer import Trainer


class Trees(Reader):
    """Lines of "a b +": two leaves under a root; the class says whether both are alike."""

    name, title = "test-trees", "trees"

    def read(self, source: Source, options: NoOptions, problems: Problems) -> Examples:
        lines = source.text().split("\n")
        nodes = [line.split() for line in lines if line]
        parents = [[len(n) - 1] * (len(n) - 1) + [-1] for n in nodes]
        classes = ["alike" if len(set(n[:-1])) == 1 else "mixed" for n in nodes]
        each = [["leaf"] * (len(n) - 1) + ["root"] for n in nodes]
        return Examples(
            (tree(parents), tokens("word", nodes, "tree"), tags("place", each, "tree"), labels("kind", classes))
        )


class Vectors(Reader):
    """Lines of three numbers and a class."""

    name, title = "test-vectors", "vectors"

    def read(self, source: Source, options: NoOptions, problems: Problems) -> Examples:
        rows = [line.split() for line in source.lines()]
        values = [np.array(row[:3], float) for row in rows]
        return Examples((numbers("inputs", values, ("a", "b", "c"), None), labels("kind", [row[3] for row in rows])))


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    load_plugins()  # later it would install its own
    before = readers.plugged()
    readers.install((*before, Trees(), Vectors()))
    yield
    readers.install(before)


@pytest.fixture
def trees(tmp_path: Path) -> data.Dataset:
    pick = np.random.default_rng(2)
    lines = []
    for _ in range(120):
        leaves = pick.integers(2, 5)
        alike = pick.random() < 0.5
        word = pick.choice(["a", "b"])
        lines.append(" ".join([*([word] * leaves if alike else [*pick.choice(["a", "b"], leaves - 1), "c"]), "+"]))
    (tmp_path / "t.trees").write_text("\n".join(lines) + "\n")
    return data.open(DataRecipe("test-trees", "t.trees", split=(0.8, 0.1, 0.1)), tmp_path)


def losses_of(design: rnnstudio.Drawing, dataset: data.Dataset, folder: Path, **settings: object) -> list[ev.Validated]:
    made = settings_from({"threads": 1, "device": "cpu", "learning_rate": 0.02, "batch_size": 8, "seed": 1, **settings})
    return [e for e in Trainer(design.design, dataset, made, folder).events() if isinstance(e, ev.Validated)]


def test_a_batch_of_trees_has_parents_padded_with_minus_one(trees: data.Dataset) -> None:
    assert [(spec.name, spec.content, spec.axis) for spec in trees.fields] == [
        ("tree_parents", "parents", "tree"),
        ("word", "tokens", "tree"),
        ("place", "tokens", "tree"),
        ("kind", "tokens", None),
    ]
    assert not trees.cuttable
    batches = Batches(trees, "train", 8, chunk=2)
    for index, batch in enumerate(batches):
        for row, example in enumerate(batches.cut(0, index).sequence.tolist()):
            length = int(batch.lengths["tree"][row])
            own = trees.example(example)
            assert batch.fields["tree_parents"][row].tolist()[:length] == own["tree_parents"].tolist()
            assert set(batch.fields["tree_parents"][row].tolist()[length:]) <= {-1}
            assert batch.fields["word"][row].tolist()[:length] == own["word"].tolist()
            assert int(batch.fields["kind"][row]) == int(own["kind"])
    assert "place: 2 classes" in trees.summary()


def test_a_tree_network_trains_on_it(trees: data.Dataset, tmp_path: Path) -> None:
    design = rnnstudio.new("trees")
    design.axis("tree", kind="tree")
    design.read(trees.recipe.replace(path=str(tmp_path / "t.trees")))
    design.add("TokenInput", "word", field="word", axis="tree")
    design.add("Embedding", "embedding", units=6, input="word")
    design.add("ChildSumTreeLSTM", "memory", units=10, x="embedding")
    design.add("Root", "root", input="memory")
    design.add("Linear", "scores", units=Var("kind_size"), input="root")
    design.add("TokenTarget", "kind", field="kind", axis="")
    design.add("CrossEntropy", "loss", prediction="scores", target="kind")
    assert [d.text() for d in design.check() if d.severity == "error"] == []
    validated = losses_of(design, trees, tmp_path / "run", epochs=12)
    assert validated[-1].accuracy is not None
    assert max(v.accuracy or 0 for v in validated) >= 0.9


def test_vectors_with_a_class_have_no_axis_at_all(tmp_path: Path) -> None:
    pick = np.random.default_rng(3)
    rows = [(*pick.normal(size=3).round(3), "up" if place % 2 else "down") for place in range(80)]
    rows = [(a, b, c + (2 if kind == "up" else -2), kind) for a, b, c, kind in rows]
    (tmp_path / "v.vec").write_text("".join(f"{a} {b} {c} {kind}\n" for a, b, c, kind in rows))
    dataset = data.open(DataRecipe("test-vectors", "v.vec", split=(0.8, 0.1, 0.1)), tmp_path)
    assert dataset.axes == {}
    assert dataset.summary().startswith("80 examples; kind: 2 classes")
    batch = Batches(dataset, "train", 8, carry=True).batch(0, 0)
    assert (batch.fields["inputs"].shape, batch.fields["kind"].shape, batch.lengths) == ((8, 3), (8,), {})
    design = rnnstudio.new("vectors")
    design.read(dataset.recipe.replace(path=str(tmp_path / "v.vec")))
    design.add("FeatureInput", "x", field="inputs", axis="")
    design.add("Linear", "scores", units=Var("kind_size"), input="x")
    design.add("TokenTarget", "kind", field="kind", axis="")
    design.add("CrossEntropy", "loss", prediction="scores", target="kind")
    assert losses_of(design, dataset, tmp_path / "run", epochs=20)[-1].accuracy == 1.0
    shown = data.inspect(dataset.recipe, tmp_path)
    assert shown.columns == ("example", "inputs: a", "inputs: b", "inputs: c", "kind")


def test_a_reader_that_contradicts_itself_is_told_by_name(tmp_path: Path) -> None:
    class Odd(Reader):
        name, title = "test-odd", "odd"

        def read(self, source: Source, options: NoOptions, problems: Problems) -> Examples:
            return Examples((tokens("one", [["a", "b"]]), tokens("two", [["a"]])))

    readers.install((Odd(),))
    (tmp_path / "a.odd").write_text("x")
    with pytest.raises(StudioError, match="the fields along 'time' are not equally long: 'two' differs"):
        data.open(DataRecipe("test-odd", "a.odd"), tmp_path)


def test_examples_with_an_empty_axis_are_left_out_and_told(tmp_path: Path) -> None:
    class Pairs(Reader):
        name, title = "test-empty", "empty"

        def read(self, source: Source, options: NoOptions, problems: Problems) -> Examples:
            sides = [["a"] * (n % 3) for n in range(30)]
            fields = (tokens("x", sides, "x"), tokens("y", [["b"]] * 30, "y", role="target"))
            return Examples(fields, lines=list(range(1, 31)))

    readers.install((Pairs(),))
    (tmp_path / "a.txt").write_text("x")
    dataset = data.open(DataRecipe("test-empty", "a.txt", split=(0.8, 0.1, 0.1)), tmp_path)
    assert dataset.sequences == 20
    assert [(p.what, p.line) for p in dataset.problems][:1] == [
        ("10 examples have nothing along 'x' and are left out", 1)
    ]
    assert dataset.lines.tolist()[:3] == [2, 3, 3]
