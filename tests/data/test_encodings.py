"""Texts and tables in the encodings that people have: read as what they are, told as what, and the same ever after."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from rnnstudio import data
from rnnstudio.data import encodings
from rnnstudio.data.source import SAMPLE_BYTES
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe

RUSSIAN = "Однажды весною, в час небывало жаркого заката, в Москве появились два гражданина.\n"
GERMAN = "Die Straße führt über die Brücke. Es war ein schöner Tag, und die Mädchen gingen nach Hause.\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
CHINESE = "我们都是中国人，今天天气很好，我们去公园散步吧。学习机器学习很有意思。\n"
TAIWANESE = "我們都是學生，今天天氣很好，我們去公園散步吧。學習機器學習很有意思。\n"
KOREAN = "나는 오늘 학교에 갔습니다. 날씨가 아주 좋았어요.\n"
POLISH = "Zażółć gęślą jaźń. Dziś jest piękny dzień, a my idziemy do parku na spacer.\n"

TEXTS = (
    *((RUSSIAN, name) for name in ("cp1251", "koi8-r", "cp866", "utf-16-le", "utf-16-be")),
    *((GERMAN, name) for name in ("cp1252", "latin-1", "cp437", "utf-16-le")),
    *((JAPANESE, name) for name in ("shift_jis", "euc-jp", "utf-16-le")),
    *((CHINESE, name) for name in ("gb18030", "utf-16-be")),
    (TAIWANESE, "big5"),
    (KOREAN, "cp949"),
    *((POLISH, name) for name in ("cp1250", "iso8859-2")),
    ("He said “hello” — it’s a test… that costs 5 €.\n", "cp1252"),
)
TABLES = (
    *(("дата;знач", name) for name in ("cp1251", "koi8-r")),
    *(("фамилия;возраст", name) for name in ("cp1251", "koi8-r", "cp866")),
    *(("日期;温度", name) for name in ("gb18030",)),
    ("日期;溫度", "big5"),
    *(("日付;気温", name) for name in ("shift_jis", "euc-jp")),
    ("도시;인구", "cp949"),
    *(("Datum;Größe", name) for name in ("cp1252", "latin-1", "cp437")),
    *(("année;température", name) for name in ("cp1252", "latin-1", "cp437")),
    ("t;temp °C", "cp1252"),
    ("t;price £", "cp1252"),
    ("miasto;ludność", "cp1250"),
    ("πόλη;πληθυσμός", "cp1253"),
)


def table(head: str) -> str:
    return head + "\n" + "".join(f"{day};{day * day % 17}\n" for day in range(1, 41))


def named(case: object) -> str:
    return case.split()[0][:10] if isinstance(case, str) else str(case)


@pytest.mark.parametrize(("text", "encoding"), TEXTS, ids=named)
def test_a_text_is_read_as_what_it_is(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes((text * 5).encode(encoding))
    recipe = data.guess(tmp_path / "a.txt")
    dataset = data.open(recipe)
    assert dataset.excerpt == text * 5
    assert f"; read as {recipe.options['encoding']};" in dataset.summary()
    assert data.open(dataset.recipe).recipe == dataset.recipe


@pytest.mark.parametrize(("head", "encoding"), TABLES, ids=named)
def test_two_words_above_a_table_tell_its_encoding(tmp_path: Path, head: str, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(table(head).encode(encoding))
    dataset = data.open(data.guess(tmp_path / "t.csv"))
    assert head.split(";")[1] in dataset.recipe.field("inputs").columns


def test_utf_8_is_certain_and_a_single_damaged_byte_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in (RUSSIAN, GERMAN, JAPANESE, KOREAN, POLISH):
        path.write_bytes(text.encode() * 9)
        assert data.guess(path).options["encoding"] == "utf-8"
        assert "read as" not in data.open(data.guess(path)).summary()
        path.write_bytes(codecs.BOM_UTF8 + text.encode() * 9)
        assert data.open(data.guess(path)).excerpt == text * 9
    path.write_bytes(GERMAN.encode() * 4 + b"a damaged \xe4 here\n" + GERMAN.encode() * 4)
    with pytest.raises(
        StudioError, match=r"not in utf-8: it has the byte 0xe4 .*line 5, column 11\)\. What stands around it is UTF-8"
    ):
        data.open(data.guess(path))


def test_a_byte_behind_the_sample_is_one_error_with_place_and_encoding(tmp_path: Path) -> None:
    plain, path = "Nothing but plain letters here.\n", tmp_path / "a.txt"
    lines = SAMPLE_BYTES // len(plain) + 9
    path.write_bytes((plain * lines + GERMAN * 9).encode("cp1252"))
    recipe = data.guess(path)
    assert recipe.options["encoding"] == "utf-8"  # all that the guess has seen is ASCII
    with pytest.raises(StudioError, match=rf"line {lines + 1}, column 9\)\. Set the encoding option to \"cp1252\""):
        data.open(recipe)
    shown = data.inspect(recipe)
    assert not shown.usable
    assert "read as cp1252" in data.open(data.choose(recipe, {"encoding": "cp1252"})).summary()


def test_the_encoding_that_is_given_wins_and_columns_are_called_as_it_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(table("дата;знач").encode("cp1251"))
    guessed = data.guess(path)
    assert guessed.options["inputs"] == ["дата", "знач"]
    given = data.guess(path, {"encoding": "cp1252"})
    assert (given.options["encoding"], given.options["inputs"]) == ("cp1252", ["äàòà", "çíà÷"])
    assert data.open(given).recipe.field("inputs").columns == ("äàòà", "çíà÷")
    again = data.choose(given, {"encoding": "cp1251"})  # as the form and --set change it
    assert again.options["inputs"] == ["дата", "знач"]
    assert data.open(again).recipe.field("inputs").columns == ("дата", "знач")
    with pytest.raises(StudioError, match="no text encoding called 'cp99'"):
        data.guess(path, {"encoding": "cp99"})


def test_texts_of_a_folder_have_one_encoding(tmp_path: Path) -> None:
    for name, many in (("хорошо", 12), ("плохо", 12)):
        (tmp_path / "all" / name).mkdir(parents=True)
        for number in range(many):
            (tmp_path / "all" / name / f"{number}.txt").write_bytes(f"{name}: {RUSSIAN}".encode("cp1251"))
    dataset = data.open(data.guess(tmp_path / "all"))
    assert dataset.recipe.options["encoding"] == "cp1251"
    assert "Москве" in dataset.recipe.field("text").vocabulary
    (tmp_path / "all" / "плохо" / "3.txt").write_bytes(b"\x98 is no letter of cp1251\n")
    with pytest.raises(StudioError, match=r"0x98 \(.*плохо/3\.txt, line 1, column 1\)"):
        data.open(dataset.recipe)


def test_utf_16_that_is_said_to_have_a_mark_and_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes((GERMAN * 9).encode("utf-16-le"))
    with pytest.raises(StudioError, match=r"does not begin with the mark of utf-16 .*\"utf-16-le\" or \"utf-16-be\""):
        data.open(DataRecipe("text", str(tmp_path / "a.txt"), {"encoding": "utf-16"}))


def test_a_guess_looks_at_a_bounded_part_and_never_fails() -> None:
    long = (RUSSIAN.replace("\n", " ") * 9000).encode("cp1251")[:SAMPLE_BYTES]  # one line without an end
    assert encodings.guessed(long, False) == "cp1251"
    every = bytes(range(128, 256))
    for head in (b"", b"\x81", b"\xff\xfe\xff", every, every[::-1] * 1000, b"\x80" * SAMPLE_BYTES):
        assert codecs.lookup(encodings.guessed(head, True))
    halved = (JAPANESE * 9).encode("shift_jis")
    assert {encodings.guessed(halved[:end], False) for end in range(300, 360)} == {"shift_jis"}
