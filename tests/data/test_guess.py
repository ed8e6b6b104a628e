"""A file that is dropped in gets the reader and the options a person would have chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnstudio import data
from rnnstudio.data.formats.sniff import find_delimiter
from rnnstudio.design.errors import StudioError


def guessed(folder: Path, name: str, content: str | bytes):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    recipe = data.guess(folder / name)
    return recipe, data.open(recipe)


def test_prose_is_text_even_with_commas(tmp_path: Path) -> None:
    recipe, dataset = guessed(tmp_path, "story", "Once, long ago, there was a king,\nand he had, it is said,\n" * 20)
    assert recipe.reader == "text"
    assert recipe.options["level"] == "characters"
    assert dataset.summary().startswith("1,160 characters, ")


def test_a_table_is_csv_whatever_it_is_called(tmp_path: Path) -> None:
    rows = "".join(f"{year};{year % 7},5;x\n" for year in range(1900, 2000))
    recipe, dataset = guessed(tmp_path, "values.dat", "year;rain;note\n" + rows)
    assert recipe.reader == "csv"
    assert {name: recipe.options[name] for name in ("delimiter", "decimal", "header", "order", "group", "inputs")} == {
        "delimiter": ";",
        "decimal": ",",
        "header": True,
        "order": "year",
        "group": "",
        "inputs": ["rain"],
    }
    assert dataset.steps[:2] == ("1900", "1901")
    assert guessed(tmp_path, "numbers.txt", "".join(f"{n} {n * n}\n" for n in range(50)))[0].reader == "csv"
    assert guessed(tmp_path, "digits.txt", "31415\n92653\n58979\n" * 9)[0].reader == "text"
    assert guessed(tmp_path, "one", "".join(f"{n / 2}\n" for n in range(50)))[0].reader == "csv"


def test_dates_and_groups_are_recognised(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-{day:02},{shop},{day}\n" for shop in ("Rome", "Oslo") for day in range(1, 31))
    recipe, dataset = guessed(tmp_path, "shops.csv", "day of sale,shop,sold\n" + rows)
    assert (recipe.options["order"], recipe.options["group"]) == ("day of sale", "shop")
    assert dataset.names == ("Rome", "Oslo")
    recipe, _ = guessed(tmp_path, "ids.csv", "id,t,v\n" + "".join(f"{n // 9},{n % 9},{n}\n" for n in range(90)))
    assert (recipe.options["order"], recipe.options["group"], recipe.options["inputs"]) == ("t", "id", ["v"])
    recipe, _ = guessed(tmp_path, "plain.csv", "a,b\n" + "".join(f"{n % 5},{n}\n" for n in range(90)))
    assert (recipe.options["order"], recipe.options["group"]) == ("", "")


def test_the_window_fits_a_short_series(tmp_path: Path) -> None:
    recipe, _ = guessed(tmp_path, "short.csv", "v\n" + "".join(f"{n}\n" for n in range(40)))
    assert recipe.options["window"] == 8


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    _, dataset = guessed(tmp_path, "a.txt", ("Älter werden heißt reifen – “so”.\n" * 9).encode(encoding))
    assert dataset.vocabulary is not None
    assert dataset.vocabulary.decode(dataset.tracks["text"].values[:5]) == "Älter"


def test_what_is_no_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="the file does not exist"):
        data.guess(tmp_path / "nothing.csv")
    with pytest.raises(StudioError, match="this is a folder"):
        data.guess(tmp_path)
    for content, told in ((b"", "empty"), (b" \n\n", "only blank lines"), (bytes(range(256)), "binary")):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(StudioError, match=told):
            data.guess(tmp_path / "bad")


def test_the_preview_of_a_text_shows_what_the_model_sees(tmp_path: Path) -> None:
    recipe, dataset = guessed(tmp_path, "a.txt", "a b\n" * 10)
    shown = data.preview_of(dataset, 4)
    assert shown.columns == ("step", "text", "text (number)", "next", "next (number)")
    assert shown.rows == (
        ("0", "a", "2", "␣", "1"),
        ("1", "␣", "1", "b", "3"),
        ("2", "b", "3", "⏎", "0"),
        ("3", "⏎", "0", "a", "2"),
    )
    assert shown.excerpt == "a b\n" * 10
    assert shown.usable
    assert data.inspect(recipe, rows=4) == shown


def test_the_preview_of_sequences_shows_one_a_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c,y\n1,2,3,4\n5,6,,7\n" + "1,2,3,4\n" * 30)
    recipe = data.guess(tmp_path / "t.csv")
    shown = data.inspect(recipe.replace(options={"mode": "row_is_sequence", "targets": ["y"]}))
    assert shown.columns == ("line", "steps", "inputs, step 0", "inputs, step 1", "inputs, step 2", "targets: y")
    assert shown.rows[1][:2] == ("3", "2")
    assert shown.rows[1][4] == "–"


@pytest.mark.parametrize("mark", ["\t", ",", ";", "|"])
def test_spaces_between_words_part_no_columns_where_a_mark_does(mark: str) -> None:
    lines = [f"the cat sleeps{mark}le chat dort\n", f"a dog eats{mark}un chien mange\n"] * 8
    assert find_delimiter(lines)[0] == mark


def test_numbers_with_spaces_between_them_are_columns() -> None:
    assert find_delimiter([f"{n} {n % 3} {n * 0.5}\n" for n in range(9)])[0] == "whitespace"


def test_a_table_with_classes_has_steps_and_no_tokens(tmp_path: Path) -> None:
    path = tmp_path / "flowers.csv"
    path.write_text("a,b,label\n" + "".join(f"{n % 7},{n % 5},{'xyz'[n % 3]}\n" for n in range(150)), encoding="utf-8")
    assert data.open(data.guess(path)).summary().startswith("150 steps")
