"""Text files as people have them, and as they should not be: read, or refused in one line with place and remedy."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio import data
from rnnstudio.data import files
from rnnstudio.data.vocabulary import UNKNOWN, Vocabulary, join_words, words_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe

LINES = "The quick brown fox jumps over the lazy dog.\nPack my box with five dozen liquor jugs.\n" * 4


def recipe(**options) -> DataRecipe:
    return DataRecipe("text", "a.txt", options, (0.8, 0.1, 0.1))


def opened(folder: Path, content: str | bytes, **options) -> data.Dataset:
    (folder / "a.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    return data.open(recipe(**options), folder)


def text_of(dataset: data.Dataset) -> str:
    assert dataset.vocabulary is not None
    return dataset.vocabulary.decode(dataset.tracks["text"].values)


def refused(folder: Path, content: bytes, **options) -> str:
    (folder / "a.txt").write_bytes(content)
    with pytest.raises(StudioError) as caught:
        data.open(recipe(**options), folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_text_becomes_two_fields_of_one_vocabulary(tmp_path: Path) -> None:
    dataset = opened(tmp_path, LINES)
    text, after = dataset.fields
    assert (text.name, text.content, text.axis, text.size) == ("text", "tokens", "time", len(set(LINES)))
    assert (after.name, after.shift_of, after.shift, after.vocabulary) == ("next", "text", 1, text.vocabulary)
    assert text.vocabulary == tuple(sorted(set(LINES)))
    assert text_of(dataset) == LINES
    train = dataset.split("train").sequence(0)
    assert np.array_equal(train["text"][1:], train["next"][:-1])
    assert dataset.tracks["text"].values.dtype == np.uint8


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_every_usual_encoding_reads_the_same_text(tmp_path: Path, encoding: str) -> None:
    text = LINES.replace("dog", "dög")
    dataset = opened(tmp_path, text.encode(encoding), encoding=encoding)
    assert text_of(dataset) == text
    (tmp_path / "b.txt").write_bytes(text.encode(encoding))
    guessed = data.guess(tmp_path / "b.txt")
    assert text_of(data.open(guessed)) == text, guessed.options


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    assert text_of(opened(tmp_path, b"\xef\xbb\xbf" + LINES.encode())) == LINES
    marked = b"\xff\xfe" + LINES.encode("utf-16-le")
    assert text_of(opened(tmp_path, marked, encoding="utf-16-le")) == LINES


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_of_every_system_are_one_character(tmp_path: Path, end: str) -> None:
    assert text_of(opened(tmp_path, LINES.replace("\n", end))) == LINES


def test_a_line_end_or_a_character_on_the_border_of_two_blocks_stays_whole(tmp_path: Path, monkeypatch) -> None:
    text = "añb\r\n" * 60
    for size in (1, 2, 3, 5, 7):
        monkeypatch.setattr(files, "BLOCK_BYTES", size)
        assert text_of(opened(tmp_path, text)) == text.replace("\r\n", "\n")
        words = opened(tmp_path, "one two-three four's five.\n" * 20, level="words", min_count=1)
        assert words.rows == 20 * 6


def test_lower_case_folds_capitals(tmp_path: Path) -> None:
    dataset = opened(tmp_path, LINES, lowercase=True)
    assert text_of(dataset) == LINES.lower()
    assert dataset.vocabulary is not None
    assert np.array_equal(dataset.vocabulary.encode("PACK"), dataset.vocabulary.encode("pack"))


def test_the_vocabulary_comes_from_the_training_part_only(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "ab" * 80 + "cd" * 20)
    assert dataset.vocabulary is not None
    assert dataset.vocabulary.entries == (UNKNOWN, "a", "b")
    assert text_of(dataset) == "ab" * 80 + UNKNOWN * 40
    without = opened(tmp_path, "ab" * 100)
    assert without.vocabulary is not None
    assert UNKNOWN not in without.vocabulary.entries


def test_words_are_counted_in_the_training_part_and_rare_ones_are_unknown(tmp_path: Path) -> None:
    text = "the cat saw the dog. " * 20 + "a mouse saw nobody\n"
    dataset = opened(tmp_path, text, level="words", min_count=2)
    assert dataset.vocabulary is not None
    assert dataset.vocabulary.entries == (UNKNOWN, "the", "cat", "saw", ".", "dog")
    assert (
        dataset.vocabulary.decode(dataset.tracks["text"].values[-5:]) == f"{UNKNOWN} {UNKNOWN} saw {UNKNOWN} {UNKNOWN}"
    )
    assert dataset.recipe.options["min_count"] == 2


def test_words_are_written_back_as_a_reader_expects() -> None:
    text = "“Don't go!” said well-known Mr. X (or so).\nNext, 3 of them."
    assert words_of("Don't go, (well-known) now_1") == ["Don't", "go", ",", "(", "well-known", ")", "now", "_", "1"]
    assert words_of(join_words(words_of(text))) == words_of(text)
    assert join_words(words_of("Yes, he (and she) came.\nThen?")) == "Yes, he (and she) came.\nThen?"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\ufeff"), min_size=40, max_size=300))
@settings(max_examples=60, deadline=None)
def test_decoding_gives_back_every_text(tmp_path_factory, text: str) -> None:
    entries = tuple(sorted(set(text)))
    vocabulary = Vocabulary(entries)
    numbers = vocabulary.encode(text)
    assert vocabulary.decode(numbers) == text
    assert numbers.min() >= 0
    assert numbers.max() < len(vocabulary)
    control = sum(character < " " and character not in "\b\t\n\v\f\x1b" for character in text)
    if control == 0 and not text.encode().startswith((b"PK\x03\x04", b"BZh", b"%PDF", b"GIF8", b"PAR1")):
        dataset = opened(tmp_path_factory.mktemp("any"), text)
        seen = set(text[: round(len(text) * 0.8)])
        expected = "".join(character if character in seen else UNKNOWN for character in text)
        assert text_of(dataset) == expected


def test_a_prompt_with_a_strange_character_names_it() -> None:
    with pytest.raises(StudioError, match=r"the vocabulary of 2 characters has no 'x', 'é' \(prompt\)"):
        Vocabulary(("a", "b")).encode("axé")
    assert Vocabulary((UNKNOWN, "a")).encode("ax").tolist() == [1, 0]
    assert Vocabulary((UNKNOWN, "a"), "words").encode("a b a").tolist() == [1, 0, 1]


def test_a_trained_vocabulary_is_kept_for_another_file(tmp_path: Path) -> None:
    trained = opened(tmp_path, LINES).recipe
    (tmp_path / "a.txt").write_text(LINES[::-1])
    again = data.open(trained, tmp_path, fit=False)
    assert again.fields == trained.fields
    assert text_of(again) == LINES[::-1]
    assert again.recipe.digest != trained.digest
    (tmp_path / "a.txt").write_text(LINES + "ß")
    with pytest.raises(StudioError, match=r"the model's vocabulary of .* characters has no 'ß'"):
        data.open(trained, tmp_path, fit=False)


def test_a_missing_file_a_folder_and_an_unreadable_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"the file does not exist \(a\.txt\)\. Check the path"):
        data.open(recipe(), tmp_path)
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(StudioError, match="the folder holds no text"):
        data.open(recipe(), tmp_path)
    with pytest.raises(StudioError, match="no data file is chosen"):
        data.open(DataRecipe("text", ""), tmp_path)


def test_empty_blank_and_short_files_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, b"") == "the file is empty (a.txt). Choose a file with data in it."
    assert "only 5 characters on one line (a.txt)" in refused(tmp_path, b"hello")
    assert "only 3 characters on 3 lines" in refused(tmp_path, b"\n\n\n")
    assert "only 2 words on one line" in refused(tmp_path, b"hello             world", level="words")
    assert "only 0 characters" in refused(tmp_path, b"\xef\xbb\xbf")


def test_binary_files_are_named_for_what_they_are(tmp_path: Path) -> None:
    assert "a PNG picture, not a text file (a.txt)" in refused(tmp_path, b"\x89PNG\r\n\x1a\n" + bytes(100))
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
    assert "Excel" in refused(tmp_path, (tmp_path / "book.xlsx").read_bytes())
    assert "the file is binary, not text" in refused(tmp_path, bytes(range(256)) * 4)
    assert "a zero character: the file is binary or damaged (a.txt, line 2001, column 3)" in refused(
        tmp_path, b"good text, one hundred times and more\n" * 2000 + b"xy\x00z"
    )


def test_a_wrong_encoding_is_refused_with_the_place_and_one_that_works(tmp_path: Path) -> None:
    latin = ("plain\n" * 5 + "caf\xe9 au lait\n" * 20).encode("latin-1")
    told = refused(tmp_path, latin)
    assert told == (
        "the file is not in utf-8: it has the byte 0xe9 (a.txt, line 6, column 4). "
        'Set the encoding option to "cp1252", which reads the whole file, or save the file as UTF-8.'
    )
    assert text_of(opened(tmp_path, latin, encoding="cp1252")) == latin.decode("latin-1")
    assert '"cp437"' in refused(tmp_path, b"ASCII\n" * 9 + "Größe und Maß, führt über\n".encode("cp437") * 5)
    assert 'begins with the mark of utf-16 (a.txt, line 1, column 1). Set the encoding option to "utf-16"' in refused(
        tmp_path, LINES.encode("utf-16")
    )
    assert '"utf-16-le"' in refused(tmp_path, LINES.encode("utf-16-le"))
    assert "no text encoding called 'klingon' (option encoding)" in refused(tmp_path, b"x" * 50, encoding="klingon")
    assert "no text encoding called 'base64'" in refused(tmp_path, b"x" * 50, encoding="base64")


def test_the_place_of_a_bad_byte_is_found_in_a_later_block(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", 8)
    assert "line 5, column 7" in refused(tmp_path, b"0123456\r\n" * 4 + b"012345\xff\n" + b"text " * 20)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"level": "syllables"}, "'syllables' is not a choice (option level)"),
        ({"colour": 1}, "there is no data option 'colour'"),
        ({"lowercase": "yes"}, "'yes' is not true or false (option lowercase)"),
        ({"min_count": 0}, "0 is below 1 (option min_count)"),
        ({"min_count": 1.5}, "1.5 is not a whole number (option min_count)"),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, options, told: str) -> None:
    assert told in refused(tmp_path, LINES.encode(), **options)


def test_an_empty_part_is_refused_unless_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a" * 20)
    whole = data.open(DataRecipe("text", "a.txt", split=(1.0, 0.0, 0.0)), tmp_path)
    assert whole.split("validation").steps == 0
    assert whole.split("train").steps == 19
    small = data.open(DataRecipe("text", "a.txt", split=(0.98, 0.01, 0.01)), tmp_path)
    assert [small.split(part).steps for part in data.PARTS] == [17, 1, 1]


def test_a_path_outside_the_project_is_known_as_such(tmp_path: Path) -> None:
    assert not data.outside("sub/a.txt", tmp_path)
    assert data.outside("../a.txt", tmp_path)
    assert data.outside("/etc/hosts", tmp_path)
