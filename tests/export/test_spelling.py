"""Exported files split texts into bytes and byte pairs, and join them, as `tokenizers` does, without it."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio import data
from rnnstudio.cli import main
from rnnstudio.data.bytepair import SIGNS, BytePairs, SingleBytes, learn
from rnnstudio.data.vocabulary import UNKNOWN, Vocabulary
from rnnstudio.export.alone import DATA
from rnnstudio.export.spelling import CUT, spelling_of
from rnnstudio.runtime.texts import beginning

from .test_functions import TEXTS, exported, speller, trained

tokenizers = pytest.importorskip("tokenizers", reason="the extra bpe is not installed")

LEARNED_FROM = (
    "It's the naïve cat's mat; they'll say we've sat. I'm sure you'd 'tis \t 1,000.5 times — “so”!\n\n  Yes…\r\n"
    "日本語のテキスト、中文 한국어 ελληνικά русский עברית العربية हिन्दी ไทย 🦓🦓👩‍👩‍👧 e\u0301 ½ ²³ Ⅷ ٣٤ "
) * 8
HARD = (
    "",
    " ",
    "   ",
    " \n \n  x",
    "x  ",
    "\t\t x\u00a0\u2003y\u3000 z\u200bz",
    "'s 't 're 've 'm 'll 'd 'S 'tis it''s ''ll 'l 'r",
    "don't DON'T we'll we'LL I'd've",
    "a_b__c snake_case ___",
    "1,000.5e-3 ½²³ Ⅷ ٣٤ 一二三",
    "e\u0301 ÅÅ ﬃ ß İstanbul ΣΑΣ",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🦓",
    "日本語のテキスト、中文。 한국어 ไทยภาษา हिन्दी",
    "\x00\x01\x1c\x1d\x1e\x1f \x85 \u2028 \u2029 \ufeff",
    "{\"a\": [1, 2], 'b': null}  # comment\n\tdef f(x): return x**2  ",
    f"{UNKNOWN} {UNKNOWN}",
    "a" * 500,
    "ab" * 200 + " " * 50 + "\n" * 20,
    LEARNED_FROM[:300].swapcase(),
)


def as_printed(vocabulary: Vocabulary, merges: tuple[str, ...] = ()) -> tuple[Any, Any]:
    """`pieces` and `join` of an exported file with this vocabulary, as functions of a text and of pieces."""
    spelling = spelling_of(vocabulary, "text")
    assert spelling is not None
    code = f"def pieces({spelling.given}):\n{spelling.pieces}\n\ndef join(pieces):\n{spelling.join}"
    names: dict[str, Any] = {"re": re, "unicodedata": unicodedata}
    exec(spelling.head + code, names)
    if spelling.given == "text":
        return names["pieces"], names["join"]
    described = {"fields": {"text": {"merges": list(merges)}}}
    return lambda text: names["pieces"](text, described), names["join"]


@pytest.fixture(scope="module")
def pairs() -> BytePairs:
    return BytePairs(learn([LEARNED_FROM], 600))


@pytest.mark.parametrize("text", HARD)
def test_hard_texts_are_split_as_by_tokenizers(pairs: BytePairs, text: str) -> None:
    pieces, join = as_printed(Vocabulary(pairs.entries, "byte pairs", tokeniser=pairs), pairs.merges)
    assert pieces(text) == pairs.split(text)
    assert join(pieces(text)) == text
    single, join = as_printed(Vocabulary(SIGNS, "bytes", tokeniser=SingleBytes()))
    assert single(text) == SingleBytes().split(text)
    assert join(single(text)) == text


@given(st.lists(st.sampled_from(LEARNED_FROM[:90] + "' \n\t") | st.characters(codec="utf-8"), max_size=40).map("".join))
@settings(max_examples=150, deadline=None)
def test_any_text_is_split_as_by_tokenizers(pairs: BytePairs, text: str) -> None:
    pieces, join = as_printed(Vocabulary(pairs.entries, "byte pairs", tokeniser=pairs), pairs.merges)
    assert pieces(text) == pairs.split(text)
    assert join(pieces(text)) == text


def test_every_character_is_of_the_kind_that_tokenizers_takes_it_for() -> None:
    """Words end where kinds change: each character behind a letter, a number, a sign and a space says its kind."""
    spelling = spelling_of(Vocabulary(SIGNS, "byte pairs", tokeniser=BytePairs(())), "text")
    assert spelling is not None
    names: dict[str, Any] = {"re": re, "unicodedata": unicodedata}
    code = f"def words(text):\n{CUT.format(text='text')}    return words\n"
    exec(spelling.head + code, names)
    bare = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    for block in range(0, 0x33000, 0x400):  # the planes behind hold nothing that is assigned, but for tags
        points = [chr(p) for p in range(block, block + 0x400) if not 0xD800 <= p < 0xE000]
        text = "".join(f"a{c}1{c} {c}" for c in points)
        spans = [text[slice(*span)] for _, span in bare.pre_tokenize_str(text)]
        assert names["words"](text) == spans, hex(block)


def test_a_pair_made_late_that_was_learned_early_comes_first() -> None:
    """Two merges may make the same token: what that goes together with may have been learned before the second one."""
    merges = ("b c", "a b", "ab c", "abc x", "a bc")
    pairs = BytePairs(merges)
    pieces, _ = as_printed(Vocabulary(pairs.entries, "byte pairs", tokeniser=pairs), merges)
    for text in ("abcxabcx", "abcabcx", "xabcxabc", "aabcxbcabc", "abcxx"):
        assert pieces(text) == pairs.split(text), text


def test_a_model_of_byte_pairs_writes_by_itself_what_the_studio_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the file to an exported model that a process without our packages runs: with torch and safetensors alone."""
    (tmp_path / "text.txt").write_text(LEARNED_FROM * 4, encoding="utf-8")
    design = speller()
    design.read(data.guess(tmp_path / "text.txt"), level="byte-pair", size=400)
    run = trained(design, tmp_path)
    with exported(run, tmp_path) as (_, recipe, certificate, alone):
        vocabulary = data.vocabulary_of(recipe)
        for text in HARD:
            assert alone.call("pieces", [text, DATA]) == vocabulary.tokens(text)
            assert alone.call("encode", [text, DATA])[0].tolist() == vocabulary.encode(text).tolist()
            assert alone.call("join", [vocabulary.tokens(text)]) == text
    assert set(certificate.functions) == TEXTS
    assert main(["generate", str(run.folder), "--prompt", "It's", "--length", "20", "--temperature", "0"]) == 0
    printed = subprocess.run(
        [sys.executable, "model.py", "It's", "--length", "20", "--temperature", "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    code = (tmp_path / "model.py").read_text(encoding="utf-8")
    imported = {line.split()[1].split(".")[0] for line in code.splitlines() if re.match(r"(import|from) ", line)}
    assert imported <= {"json", "re", "unicodedata", "pathlib", "torch", "safetensors", "__future__", "math"}
    assert printed.stdout == capsys.readouterr().out


def test_an_empty_prompt_of_bytes_begins_with_a_line_end(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("one line\nanother line\n" * 60)
    design = speller()
    design.read(data.guess(tmp_path / "text.txt"), level="bytes")
    assert design.design.data is not None
    vocabulary = data.vocabulary_of(design.design.data)
    assert beginning(vocabulary, "") == vocabulary.encode("\n").tolist() != [0]
