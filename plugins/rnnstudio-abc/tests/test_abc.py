"""Tunes in, tokens out, and back; what the studio does with them; and what a broken file is told."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from rnnstudio_abc import SAMPLE
from rnnstudio_abc.notation import BEGIN, END, text_of, tokens_of, tunes_of

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.batches import Batches
from rnnstudio.data.vocabulary import UNKNOWN, vocabulary_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.loading import discover

HEADER = "X:1\nM:4/4\nK:C\n"


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    """The studio with this plugin, as if it were installed."""
    before = readers.plugged()
    point = EntryPoint("abc", "rnnstudio_abc:plugin", "rnnstudio.plugins")
    found = discover(Path("no folder"), [point])
    assert found.problems == ()
    readers.install(found.readers.values())
    yield
    readers.install(before)


def written(folder: Path, text: str) -> DataRecipe:
    path = folder / "tunes.abc"
    path.write_text(text, encoding="utf-8")
    return DataRecipe("abc", str(path), split=(1.0, 0.0, 0.0))


# ---------------------------------------------------------------- the notation


@pytest.mark.parametrize(
    ("music", "tokens"),
    [
        ("C2 ^F, __b''/ =e3/2", "C 2 ^F, __b'' / =e 3/2"),
        ("z4 x/2 Z3", "z 4 x /2 Z 3"),
        ("|: A :| B |1 c :|2 d || e |]", "|: A :| B |1 c :|2 d || e |]"),
        ("|[CE]2[1 A :: B", "| [ C E ] 2 [1 A :: B"),
        ("(3ABc (3:2:3def", "(3 A B c (3:2:3 d e f"),
        ("A>B c<<d (e-e)", "A > B c << d ( e - e )"),
        ("{g}A !trill!B ~c .d", "{ g } A !trill! B ~ c . d"),
        ("A [K:G] B [M: 3/4] c", "A [K:G] B [M:3/4] c"),
        ("A B \\", "A B"),
        ('"Am"A "C"c', "A c"),
    ],
)
def test_music_is_taken_apart_into_symbols(music: str, tokens: str) -> None:
    (tune,) = tunes_of(HEADER + music)
    assert tune.faults == []
    assert tune.tokens == [BEGIN, "M:4/4", "K:C", *tokens.split(), END]


def test_a_tune_ends_at_a_blank_line_and_free_text_is_skipped() -> None:
    first, second = tunes_of(f"words about music\n\n{HEADER}AB\n% a remark\ncd % another\n\nmore words\n\n{HEADER}e\n")
    assert first.tokens[3:] == ["A", "B", "c", "d", END]
    assert (second.line, second.tokens[3:]) == (12, ["e", END])


def test_lyrics_titles_and_a_note_before_a_repeat_are_told_apart() -> None:
    (tune,) = tunes_of("X:1\nT:A tune\nT:or two\nC:me\nK: C major\nAB\nw:la la\nG:|\n")
    assert tune.title == "A tune"
    assert tune.tokens == [BEGIN, "K:Cmajor", "A", "B", "G", ":|", END]


@pytest.mark.parametrize("tune", tunes_of(SAMPLE.read_text(encoding="utf-8")), ids=lambda tune: tune.title)
def test_every_tune_of_the_sample_comes_back_from_its_tokens(tune) -> None:
    assert tune.faults == []
    assert tunes_of(text_of(tune.tokens))[0].tokens == tune.tokens
    assert tokens_of(text_of(tune.tokens)) == tune.tokens[:-1]


# ---------------------------------------------------------------- the studio


def test_a_dropped_file_becomes_whole_tunes_in_three_parts() -> None:
    dataset = data.open(data.guess(SAMPLE))
    assert dataset.recipe.reader == "abc"
    assert dataset.sequences == 14
    assert [len(dataset.split(part)) for part in ("train", "validation", "test")] == [11, 2, 1]
    tunes = {i for part in data.PARTS for i in dataset.split(part).spans.sequence.tolist()}
    assert len(tunes) == 14
    assert dataset.problems == ()


def test_next_is_the_token_after_text_to_the_tunes_end() -> None:
    dataset = data.open(data.guess(SAMPLE))
    split = dataset.split("train")
    entries = dataset.recipe.field("text").vocabulary
    found = split.sequence(0)
    text, following = ([entries[i] for i in found[name]] for name in ("text", "next"))
    assert text[0] == BEGIN
    assert following[-1] == END
    assert text[1:] == following[:-1]
    assert split.name(0) == "Twinkle, Twinkle, Little Star"


def test_the_vocabulary_is_of_the_training_tunes_alone() -> None:
    dataset = data.open(data.guess(SAMPLE))
    vocabulary = vocabulary_of(dataset.recipe)
    train = {entry for low, high in dataset.division.rows["train"] for entry in dataset.tracks["text"].values[low:high]}
    assert set(vocabulary.entries) == {vocabulary.entries[i] for i in train} | {UNKNOWN}


def test_a_prompt_is_encoded_and_what_is_written_is_abc_again() -> None:
    vocabulary = vocabulary_of(data.open(data.guess(SAMPLE)).recipe)
    prompt = "X:1\nM:4/4\nL:1/4\nK:G\nGAB2| "
    assert vocabulary.decode(vocabulary.encode(prompt)) == prompt
    assert vocabulary.encode("♪")[0] == vocabulary.unknown


def test_batches_hold_whole_tunes_with_their_lengths() -> None:
    dataset = data.open(data.guess(SAMPLE))
    batch = Batches(dataset, "train", batch_size=4).batch(0, 0)
    assert batch.fields["text"].shape == batch.fields["next"].shape
    assert int(batch.lengths["time"].max()) == batch.fields["text"].shape[1]


def test_another_file_is_read_with_a_trained_models_vocabulary(tmp_path: Path) -> None:
    recipe = data.open(data.guess(SAMPLE)).recipe
    other = written(tmp_path, f"{HEADER}GAB _e |]").path
    dataset = data.open(recipe.replace(path=other, split=(1.0, 0.0, 0.0)), fit=False)
    entries = recipe.field("text").vocabulary
    assert dataset.recipe.field("text").vocabulary == entries
    assert UNKNOWN in {entries[i] for i in dataset.tracks["text"].values}


def test_the_preview_shows_tune_line_token_and_next() -> None:
    preview = data.inspect(data.guess(SAMPLE), rows=3)
    number = preview.recipe.field("text").vocabulary.index
    assert preview.columns == ("line", "sequence", "step", "text", "text (number)", "next", "next (number)")
    assert preview.rows[0] == (
        "4",
        "Twinkle, Twinkle, Little Star",
        "0",
        "X:",
        str(number("X:")),
        "M:4/4",
        str(number("M:4/4")),
    )
    assert preview.usable
    assert preview.excerpt.startswith("% Fourteen tunes")


def test_remarks_are_kept_when_they_are_wanted() -> None:
    recipe = data.guess(SAMPLE)
    kept = data.open(recipe.replace(options={**recipe.options, "remarks": True}))
    assert '"Dm"' in kept.recipe.field("text").vocabulary
    assert '"Dm"' not in data.open(recipe).recipe.field("text").vocabulary


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a text about tunes\n", r"no tune begins in this file.*tunes\.abc, line 1"),
        ("X:1\nM:4/4\nABc\n", r"music in the header of tune 1.*line 3, column 1.*put a K: line above"),
        ("X:7\nM:4/4\nT:nothing\n", r"tune 7 has no key.*line 1"),
        (f"{HEADER}AB?c\n", r"'\?' is no ABC symbol.*line 4, column 3"),
        (f"{HEADER}AB é c €\n", r"'é' is no ABC symbol.*line 4, column 4; 1 more"),
        (f'{HEADER}A "Am B c\n', r"the \" that opens here is never closed.*line 4, column 3"),
        (f"{HEADER}A !trill B\n", r"the ! that opens here is never closed.*line 4, column 3"),
        (f"{HEADER}| | |\n", "no tune has a note"),
        (HEADER, "no tune has a note"),
    ],
)
def test_a_broken_file_is_told_with_line_and_column(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=told):
        data.open(written(tmp_path, text))


def test_a_tune_without_notes_is_left_out_with_a_warning(tmp_path: Path) -> None:
    dataset = data.open(written(tmp_path, f"{HEADER}ABc\n\nX:2\nK:C\n|]\n"))
    assert dataset.sequences == 1
    assert [(p.severity, p.line) for p in dataset.problems] == [("warning", 6)]


def test_missing_empty_and_binary_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="does not exist"):
        data.open(DataRecipe("abc", str(tmp_path / "none.abc")))
    with pytest.raises(StudioError, match="is empty"):
        data.guess(written(tmp_path, "").path)
    (tmp_path / "tunes.abc").write_bytes(b"X:1\nK:C\n\x00\x01\x02ABC")
    with pytest.raises(StudioError, match="binary"):
        data.open(DataRecipe("abc", str(tmp_path / "tunes.abc")))
    (tmp_path / "tunes.abc").write_bytes(f"{HEADER}ABé".encode("latin-1"))
    with pytest.raises(StudioError, match=r"not in utf-8.*line 4, column 3"):
        data.open(DataRecipe("abc", str(tmp_path / "tunes.abc")))


@pytest.mark.parametrize(("options", "told"), [({"level": "words"}, "'level'"), ({"remarks": 1}, "option remarks")])
def test_an_option_that_does_not_fit_is_told(options: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=told):
        data.open(written(tmp_path, f"{HEADER}ABc").replace(options=options))
