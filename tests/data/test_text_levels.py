"""Texts as bytes and byte pairs, in folders, and too large for memory."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnstudio
from rnnstudio import data
from rnnstudio.cli import main
from rnnstudio.data.bytepair import SIGNS, BytePairs, SingleBytes, chunks, join_bytes
from rnnstudio.data.formats import text as text_format
from rnnstudio.data.vocabulary import vocabulary_of
from rnnstudio.design.design import Var
from rnnstudio.design.errors import StudioError
from tests.headless.field_drawings import carried

STORY = "The naïve cat – it sat on the mat.\nThe dog sat on the cat, and the cat on the mat.\n" * 40
needs_tokenizers = pytest.mark.skipif(
    importlib.util.find_spec("tokenizers") is None, reason="the extra bpe (tokenizers) is not installed"
)


def opened(path: Path, **options: object) -> data.Dataset:
    return data.open(data.choose(data.guess(path), options))  # type: ignore[arg-type]


def story(folder: Path, text: str = STORY) -> Path:
    path = folder / "story.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_bytes_are_those_of_utf8_and_become_text_again(tmp_path: Path) -> None:
    dataset = opened(story(tmp_path), level="bytes")
    assert dataset.rows == len(STORY.encode())
    vocabulary = vocabulary_of(dataset.recipe)
    assert vocabulary.decode(dataset.tracks["text"].values[:40]) == STORY.encode()[:40].decode()
    assert vocabulary.decode(vocabulary.encode("naïve cat")) == "naïve cat"
    assert len(vocabulary) == len(set(STORY.encode()))
    assert dataset.tracks["text"].values.dtype == np.uint8


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_survives_its_bytes(text: str) -> None:
    assert SingleBytes().join(SingleBytes().split(text)) == text
    assert "".join(chunks([text, text])) == text * 2


def test_a_byte_that_is_no_text_by_itself_is_shown_as_one_that_cannot_be_read() -> None:
    assert join_bytes([SIGNS[0xC3]]) == "\ufffd"
    assert join_bytes([SIGNS[0xC3], SIGNS[0xA9], "\u2047", "a"]) == "é\u2047a"
    assert len(set(SIGNS)) == 256


def test_byte_pairs_without_their_package_are_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(StudioError, match=r"tokenizers, which is not installed.*rnnstudio\[bpe\]"):
        opened(story(tmp_path), level="byte-pair")


@needs_tokenizers
def test_byte_pairs_are_learned_from_the_training_part_alone(tmp_path: Path) -> None:
    path = story(tmp_path, STORY + "zyzzyva " * 60)  # the last part only
    recipe = data.choose(data.guess(path), {"level": "byte-pair", "size": 300}).replace(split=(0.6, 0.2, 0.2))
    dataset = data.open(recipe)
    merges = dataset.recipe.options["merges"]
    assert isinstance(merges, list)
    assert 10 < len(merges) <= 300 - 256
    assert "Ġ the" in merges
    assert not any("z" in str(merge) for merge in merges)


@needs_tokenizers
@given(text=st.text(st.sampled_from("the cat sät.\n ,x"), max_size=60))
@settings(deadline=None, max_examples=50)
def test_byte_pairs_become_the_text_again(text: str) -> None:
    pairs = BytePairs(("t h", "th e", "Ġ the", "a t", "c at"))
    assert pairs.join(pairs.split(text)) == text
    assert "the" in pairs.entries


@needs_tokenizers
def test_a_model_of_byte_pairs_trains_writes_and_is_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    design = rnnstudio.new("pairs")
    dataset = design.read(story(tmp_path), level="byte-pair", size=290)
    assert dataset.rows < 0.7 * len(STORY)
    numbers = dataset.tracks["text"].values
    vocabulary = vocabulary_of(dataset.recipe)
    assert vocabulary.decode(numbers) == STORY
    assert vocabulary.encode("The naïve cat").tolist() == numbers[: len(vocabulary.encode("The naïve cat"))].tolist()
    design.add("TokenInput", "x", field="text")
    design.add("Embedding", "embedded", units=8, input="x")
    design.add("GRU", "memory", units=16, x="embedded")
    design.add("Linear", "scores", units=Var("text_size"), input="memory")
    design.add("TokenTarget", "truth", field="next")
    design.add("CrossEntropy", "loss", prediction="scores", target="truth")
    design.save(tmp_path / "d.rnn")
    run = str(tmp_path / "run")
    quick = ("--steps", "30", "--set", "threads=1", "--set", "chunk=20", "--seed", "1", "--json")
    assert main(["train", str(tmp_path / "d.rnn"), "--run", run, *quick]) == 0
    assert main(["evaluate", run, "--json"]) == 0
    scored = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert scored["loss"] < np.log(290)
    assert main(["generate", run, "--prompt", "The cat", "--length", "5"]) == 0
    assert capsys.readouterr().out.startswith("The cat")


def test_each_text_of_a_folder_is_a_sequence_and_what_is_no_text_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "tales"
    folder.mkdir()
    for number in range(25):
        (folder / f"{number:02}.txt").write_text("once upon a time " * (number + 2))
    (folder / "cover.png").write_bytes(b"\x89PNG")
    dataset = opened(folder)
    assert dataset.recipe.reader == "text"
    assert dataset.names[:2] == ("00.txt", "01.txt")
    assert dataset.lengths("time").tolist() == [17 * (number + 2) for number in range(25)]
    assert any("cover.png" in problem.what for problem in dataset.problems)
    assert dataset.division.examples["train"].size < 25  # whole texts are dealt out
    (folder / "05.txt").write_text("changed, and a little longer than before")
    assert opened(folder).recipe.digest != dataset.recipe.digest


@pytest.mark.parametrize("level", ["characters", "words", "bytes"])
def test_a_mapped_text_is_the_same_dataset(level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = story(tmp_path, STORY + "".join(map(chr, range(0x400, 0x600))) + STORY)  # more than 256 characters, late
    plain = opened(path, level=level)
    monkeypatch.setattr(text_format, "MAPPED_BYTES", 1)
    mapped = opened(path, level=level)
    assert isinstance(mapped.tracks["text"].values, np.memmap)
    assert mapped.recipe == plain.recipe
    assert np.array_equal(mapped.tracks["text"].values, plain.tracks["text"].values)


def test_a_mapped_text_on_a_place_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_format, "MAPPED_BYTES", 1)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StudioError, match=r"numbers cannot be written.*XDG_CACHE_HOME"):
        opened(story(tmp_path))


def test_a_mapped_text_is_trained_on_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    carried(tmp_path).save(tmp_path / "d.rnn")
    losses = []
    for name, least in (("plain", 1 << 28), ("mapped", 1)):
        monkeypatch.setattr(text_format, "MAPPED_BYTES", least)
        quick = ("--steps", "5", "--set", "threads=1", "--set", "chunk=20", "--seed", "1", "--json")
        assert main(["train", str(tmp_path / "d.rnn"), "--run", str(tmp_path / name), *quick]) == 0
        assert main(["evaluate", str(tmp_path / name), "--json"]) == 0
        losses.append(json.loads(capsys.readouterr().out.strip().splitlines()[-1])["loss"])
    assert losses[0] == losses[1]
