"""Vectors of a file (rows 1, 6 and 7 of the patterns): drawn by the Python API, trained on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import rnnstudio
from rnnstudio.design.design import Var
from tests.data.vector_files import NAMES, digits, flowers
from tests.headless.test_trees_from_files import trained_and_scored


def classified(design: rnnstudio.Drawing, end: str) -> None:
    design.add("Linear", "scores", units=Var("label_size"), input=end)
    design.add("TokenTarget", "label", field="label", axis="")
    design.add("CrossEntropy", "loss", prediction="scores", target="label")


@pytest.mark.parametrize("write", [digits, flowers])
def test_row_1_a_feed_forward_net_tells_classes_of_vectors(
    write: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    design = rnnstudio.new("feed forward")
    design.read(write(tmp_path))  # type: ignore[operator]
    design.add("FeatureInput", "inputs", field="inputs", axis="")
    design.add("Linear", "sum", units=16, input="inputs")
    design.add("Tanh", "hidden", input="sum")
    classified(design, "hidden")
    scored = trained_and_scored(design, 80, tmp_path, capsys)
    assert scored["accuracy"] >= 0.9
    assert scored["loss"] < 0.5 * scored["baselines"]["frequencies"]


def test_row_6_the_rows_of_a_picture_are_read_as_a_sequence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    design = rnnstudio.new("rows of a picture")
    dataset = design.read(digits(tmp_path), steps=8)
    assert dataset.recipe.field("inputs").size == 8
    assert set(dataset.lengths("time").tolist()) == {8}
    design.add("FeatureInput", "inputs", field="inputs")
    design.add("GRU", "memory", units=16, x="inputs")
    design.add("Last", "end", input="memory")
    classified(design, "end")
    scored = trained_and_scored(design, 100, tmp_path, capsys)
    assert scored["accuracy"] >= 0.9
    assert scored["loss"] < 0.5 * scored["baselines"]["frequencies"]


def test_row_7_a_picture_is_called_by_its_name_letter_by_letter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    design = rnnstudio.new("spelt")
    dataset = design.read(digits(tmp_path), spell=True, names=NAMES)
    spec = dataset.recipe.field("name")
    first = [spec.vocabulary[int(token)] for token in dataset.example(0)["name"]]
    digit = dataset.recipe.field("label").vocabulary[int(dataset.example(0)["label"])]
    assert first == [*NAMES[digit], "</s>"]
    design.add("FeatureInput", "inputs", field="inputs", axis="")
    design.add("TokenTarget", "name", field="name", axis="name")
    design.add("Feedback", "before", target="name")
    design.add("Embedding", "letter", units=6, input="before")
    design.add("Linear", "seen", units=16, input="inputs")
    design.add("Tanh", "thought", input="seen")
    design.add("GRU", "decoder", units=16, x="letter", h0="thought")
    design.add("Linear", "scores", units=Var("name_size"), input="decoder")
    design.connect("scores", "before.prediction")
    design.add("CrossEntropy", "loss", prediction="scores", target="name")
    scored = trained_and_scored(design, 160, tmp_path, capsys)
    assert scored["accuracy"] >= 0.9
