"""Labelled texts, pairs and tagged words: what is read, told and left out, and what a batch holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnstudio import data
from rnnstudio.data.batches import Batches
from rnnstudio.data.vocabulary import UNKNOWN
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from tests.data.sequence_files import conllu, folders, json_lines, pairs, reviews, tagged


def refused(path: Path, reader: str, **options: object) -> str:
    recipe = DataRecipe(reader, path.name, options, (0.8, 0.1, 0.1))
    with pytest.raises(StudioError) as caught:
        data.open(recipe, path.parent)
    assert not data.inspect(recipe, path.parent).usable
    return str(caught.value)


def text_of(dataset: data.Dataset, field: str, index: int) -> list[str]:
    entries = dataset.recipe.field(field).vocabulary
    return [entries[number] for number in np.atleast_1d(dataset.example(index)[field]).tolist()]


# Pairs


def test_pairs_have_two_axes_of_their_own_lengths(tmp_path: Path) -> None:
    path = pairs(tmp_path)
    dataset = data.open(data.guess(path))
    assert dataset.recipe.reader == "pairs"
    assert list(dataset.axes) == ["source", "target"]
    assert [(spec.name, spec.axis, spec.role) for spec in dataset.fields] == [
        ("source", "source", "input"),
        ("target", "target", "target"),
    ]
    first = path.read_text().splitlines()[0].split("\t")
    assert text_of(dataset, "source", 0) == list(first[0])
    assert text_of(dataset, "target", 0) == [*first[1], "</s>"]
    assert not dataset.cuttable
    assert dataset.split("train").steps == dataset.lengths("target")[dataset.division.examples["train"]].sum()


def test_a_batch_gives_each_axis_its_own_lengths_and_padding(tmp_path: Path) -> None:
    dataset = data.open(data.guess(pairs(tmp_path)))
    for part in ("train", "validation"):
        batches = Batches(dataset, part, 8, chunk=3, carry=True)
        counted = 0
        seen = []
        for index, batch in enumerate(batches):
            rows = batches.cut(0, index).sequence.tolist()
            seen += rows
            for axis in ("source", "target"):
                assert batch.fields[axis].shape == (len(rows), int(batch.lengths[axis].max()))
                for row, example in enumerate(rows):
                    length = int(batch.lengths[axis][row])
                    assert batch.fields[axis][row, :length].tolist() == dataset.example(example)[axis].tolist()
                    assert not batch.fields[axis][row, length:].any()
            assert batch.tokens == int(batch.lengths["target"].sum())
            counted += batch.tokens
            assert not batch.carries
        assert sorted(seen) == dataset.division.examples[part].tolist()
        assert counted == batches.tokens == dataset.split(part).steps


def test_examples_of_like_lengths_along_all_axes_go_together(tmp_path: Path) -> None:
    lines = [f"{'a' * (n % 17 + 1)}b\t{'x' * (n % 17 + n % 3 + 1)}" for n in range(600)]
    (tmp_path / "p.tsv").write_text("\n".join(lines))
    dataset = data.open(DataRecipe("pairs", "p.tsv", split=(0.8, 0.1, 0.1)), tmp_path)
    batches = Batches(dataset, "train", 8, seed=1)
    fill = [float(batch.lengths[a].float().mean() / batch.lengths[a].max()) for batch in batches for a in batch.lengths]
    random = np.random.default_rng(1).permutation(dataset.division.examples["train"]).reshape(-1, 8)
    loose = [dataset.lengths(a)[rows].mean() / dataset.lengths(a)[rows].max() for rows in random for a in dataset.axes]
    assert np.mean(fill) > np.mean(loose) + 0.1
    again = Batches(dataset, "train", 8, seed=1)
    again.batch(3, 1)
    one, other = batches.batch(2, 5), again.batch(2, 5)
    assert all(torch.equal(one.fields[name], other.fields[name]) for name in one.fields)


def test_pairs_stand_in_two_files_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "train.src").write_text("".join(f"the {n} sheep\n" for n in range(40)))
    (tmp_path / "train.tgt").write_text("".join(f"die {n} Schafe da\n" for n in range(40)))
    recipe = data.guess(tmp_path / "train.src")
    dataset = data.open(recipe)
    assert (recipe.reader, recipe.options["target_file"]) == ("pairs", "train.tgt")
    assert text_of(dataset, "source", 3) == ["the", "3", "sheep"]
    assert text_of(dataset, "target", 3) == ["die", "3", "Schafe", "da", "</s>"]
    (tmp_path / "train.tgt").write_text("die Schafe\n")
    assert "40 lines and train.tgt 1" in refused(tmp_path / "train.src", "pairs", target_file="train.tgt")
    assert data.open(recipe.replace(options={**recipe.options, "target_file": "train.src"})).recipe.digest != (
        dataset.recipe.digest
    )


def test_one_vocabulary_serves_both_sides_when_it_is_asked_for(tmp_path: Path) -> None:
    dataset = data.open(data.choose(data.guess(pairs(tmp_path)), {"shared": True}))
    source, target = dataset.fields
    assert source.vocabulary == target.vocabulary
    assert set("ab") <= set(source.vocabulary)
    assert text_of(dataset, "source", 5) == text_of(dataset, "target", 5)[:-1][::-1]


def test_bad_pairs_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "p.tsv"
    path.write_text("a\tb\nc\n" * 20)
    assert "the line has 1 column, and column 2 is wanted (p.tsv, line 2; 19 more" in refused(path, "pairs")
    path.write_text("".join(f"a{n}\tb{n}\tnote {n}\n" for n in range(30)) + "\tb\n")
    dataset = data.open(DataRecipe("pairs", "p.tsv"), tmp_path)
    assert [(p.what, p.line, p.severity) for p in dataset.problems] == [
        ("one side of the pair is empty; it is left out", 31, "warning"),
        ("not used: column 3 ('note 0')", 0, "hint"),
    ]


# Texts with a class


@pytest.mark.parametrize("write", [reviews, json_lines, folders])
def test_texts_with_a_class_are_found_in_tables_json_lines_and_folders(tmp_path: Path, write) -> None:
    path = write(tmp_path)
    dataset = data.open(data.guess(path))
    assert dataset.recipe.reader == "labelled"
    text, label = dataset.fields
    assert (text.name, text.axis, text.role) == ("text", "time", "input")
    assert (label.name, label.axis, label.role, label.vocabulary) == ("label", None, "target", ("bad", "good"))
    assert sum(label.counts) == len(dataset.division.examples["train"])
    for index in range(dataset.sequences):
        happy = "fine" in text_of(dataset, "text", index)
        assert text_of(dataset, "label", index) == ["good" if happy else "bad"]
    batch = Batches(dataset, "train", 6).batch(0, 0)
    assert batch.fields["label"].shape == (6,)
    assert batch.tokens == 6
    assert "label: 2 classes" in dataset.summary()


def test_what_is_not_used_of_a_table_is_named_with_a_cell(tmp_path: Path) -> None:
    dataset = data.open(data.guess(reviews(tmp_path)))
    assert [p.what for p in dataset.problems if p.severity == "hint"] == ["not used: the column 'id' ('7000')"]


def test_a_class_that_only_the_other_parts_have_is_told(tmp_path: Path) -> None:
    path = reviews(tmp_path)
    dataset = data.open(data.choose(data.guess(path), {"split": "random"}))
    outside = int(dataset.division.examples["validation"][0])
    lines = path.read_text().splitlines()
    lines[outside + 1] = lines[outside + 1].rpartition(",")[0] + ",strange"
    path.write_text("\n".join(lines))
    dataset = data.open(dataset.recipe)
    assert dataset.recipe.field("label").vocabulary == ("bad", "good", UNKNOWN)
    assert "not in the training part: the class 'strange' of 'label'" in [p.what for p in dataset.problems]


def test_a_trained_models_classes_and_words_stay_for_another_file(tmp_path: Path) -> None:
    recipe = data.open(data.guess(reviews(tmp_path))).recipe
    (tmp_path / "new.csv").write_text("id,text,label\n1,a strange film,good\n2,fine,bad\n3,oh,bad\n4,no,good\n")
    other = data.open(recipe.replace(path=str(tmp_path / "new.csv"), split=(1.0, 0.0, 0.0)), fit=False)
    assert other.fields == recipe.fields
    assert text_of(other, "text", 0)[1:2] == [UNKNOWN]
    (tmp_path / "new.csv").write_text("id,text,label\n1,fine,awful\n2,fine,bad\n")
    with pytest.raises(StudioError, match="has no 'awful'"):
        data.open(recipe.replace(path=str(tmp_path / "new.csv"), split=(1.0, 0.0, 0.0)), fit=False)


def test_bad_tables_of_texts_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('text,label\n"fine, it is",good\nbad, really,bad\n')
    assert "the row has 3 cells, the others have 2 (t.csv, line 3)" in refused(path, "labelled")
    path.write_text('text,label\n"open,good\nfine,bad\n')
    assert "a quote is opened and never closed (t.csv, line 2)" in refused(path, "labelled")
    assert "there is no column 'words'" in refused(reviews(tmp_path), "labelled", text="words")
    path.write_text('{"text": "a", "label": "b"}\n{"text": 1\n')
    assert "this is no JSON" in refused(path, "labelled", form="json lines")
    assert "this is a file, not a folder" in refused(path, "labelled", form="folders")


# Tagged words


def test_sentences_end_at_blank_lines_and_documents(tmp_path: Path) -> None:
    path = tagged(tmp_path)
    dataset = data.open(data.guess(path))
    assert dataset.recipe.reader == "tagged"
    assert text_of(dataset, "text", 0) == ["Anna", "sees", "Rome"]
    assert text_of(dataset, "tags", 0) == ["B-PER", "O", "B-LOC"]
    assert "-DOCSTART-" not in dataset.recipe.field("text").vocabulary
    assert dataset.recipe.field("tags").counts
    assert dataset.sequences == 40
    batch = Batches(dataset, "train", 4).batch(0, 0)
    assert batch.fields["tags"].shape == batch.fields["text"].shape


def test_conllu_leaves_out_ranges_and_empty_nodes_and_says_so(tmp_path: Path) -> None:
    dataset = data.open(data.guess(conllu(tmp_path)))
    assert dataset.recipe.options["universal"] is True
    assert text_of(dataset, "text", 0) == ["Va", "al", "el", "mar", "."]
    assert text_of(dataset, "tags", 0) == ["VERB", "ADP", "DET", "NOUN", "PUNCT"]
    told = [p.what for p in dataset.problems]
    assert "not used: 40 lines of ranges ('their words stand alone')" in told
    assert "not used: 40 lines of empty nodes ('no words')" in told
    assert any(what.startswith("not used: the columns ID ('1'), LEMMA (") for what in told)
    tag = data.open(data.choose(dataset.recipe, {"tag": 8}))
    assert text_of(tag, "tags", 0)[0] == "root"


def test_a_line_without_a_tag_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.conll"
    path.write_text("Anna\tB-PER\nsees\nRome\tB-LOC\n\n" * 10)
    assert "the line has 1 column, and column 2 is wanted (t.conll, line 2; 9 more" in refused(path, "tagged")


# The preview, and old recipes


@pytest.mark.parametrize("write", [pairs, reviews, tagged])
def test_the_preview_holds_what_a_batch_holds(tmp_path: Path, write) -> None:
    recipe = data.guess(write(tmp_path))
    shown = data.inspect(recipe)
    assert shown.usable
    dataset = data.open(recipe)
    for index, view in enumerate(shown.examples):
        for field in view.fields:
            assert np.array_equal(field.values, dataset.example(index)[field.spec.name])
            assert field.length == np.atleast_1d(field.values).shape[0]
    assert all(len(row) == len(shown.columns) for row in shown.rows)
    assert json.dumps(dataset.recipe.to_json())


def test_recipes_of_before_read_on_with_their_roles() -> None:
    spec = FieldSpec.from_json({"name": "next", "content": "tokens", "size": 3, "axis": "time"})
    assert spec.role == "target"
    assert FieldSpec.from_json({"name": "inputs", "content": "real", "size": 1}).role == "input"
    assert "role" not in spec.to_json()
    with pytest.raises(StudioError, match="unknown role"):
        FieldSpec.from_json({"name": "x", "content": "real", "role": "judge"})
