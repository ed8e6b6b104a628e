"""CSV files as people have them, and as they should not be."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe

HALF = (0.5, 0.25, 0.25)


def opened(folder: Path, content: str | bytes, split=HALF, **options) -> data.Dataset:
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return data.open(DataRecipe("csv", "t.csv", options, split), folder)


def refused(folder: Path, content: str | bytes, split=HALF, **options) -> str:
    with pytest.raises(StudioError) as caught:
        opened(folder, content, split, **options)
    assert "\n" not in str(caught.value)
    shown = data.inspect(DataRecipe("csv", "t.csv", options, split), folder)
    assert not shown.usable
    return str(caught.value)


def table(rows: int = 20, head: str = "t,a,b") -> str:
    return "\n".join([head, *(f"{row},{row * 2},{row * row}" for row in range(rows))]) + "\n"


def raw(dataset: data.Dataset) -> np.ndarray:
    assert dataset.raw is not None
    return dataset.raw


# What a file may look like


def test_a_row_is_a_step_and_targets_lie_ahead(tmp_path: Path) -> None:
    dataset = opened(tmp_path, table(), order="t", inputs=["a", "b"], targets=["b"], horizon=3)
    inputs, targets = dataset.fields
    assert (inputs.columns, inputs.size, inputs.axis) == (("a", "b"), 2, "time")
    assert (targets.columns, targets.shift_of, targets.shift) == (("b",), "", 3)
    run = dataset.split("train").sequence(0)
    assert run["inputs"].dtype == run["targets"].dtype == np.float32
    assert np.allclose(dataset.unscale("inputs", run["inputs"])[:, 1], np.arange(7) ** 2, atol=1e-4)
    assert np.allclose(dataset.unscale("targets", run["targets"])[:, 0], np.arange(3, 10) ** 2, atol=1e-4)
    assert dataset.split("validation").labels(0) == ("10", "11", "12", "13", "14")


def test_targets_that_are_the_inputs_are_their_shift(tmp_path: Path) -> None:
    dataset = opened(tmp_path, table(), order="t")
    assert dataset.recipe.field("targets").shift_of == "inputs"
    assert dataset.recipe.field("inputs").columns == ("a", "b")
    assert dataset.tracks["inputs"].values is dataset.tracks["targets"].values


def test_other_targets_may_lie_on_the_same_row(tmp_path: Path) -> None:
    dataset = opened(tmp_path, table(), inputs=["a"], targets=["b"], horizon=0)
    run = dataset.split("validation").sequence(0)
    assert np.allclose(dataset.unscale("inputs", run["inputs"])[:, 0], 2 * np.arange(10, 15))
    assert np.allclose(dataset.unscale("targets", run["targets"])[:, 0], np.arange(10, 15) ** 2)


@pytest.mark.parametrize(
    ("delimiter", "decimal"), [(mark, dot) for mark in (",", ";", "\t", "|", "  ") for dot in (".", ",") if mark != dot]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_decimal_marks_are_found(tmp_path: Path, delimiter: str, decimal: str, end: str) -> None:
    rows = [["t", "a"], *([str(row), f"{row / 8:.3f}".replace(".", decimal)] for row in range(16))]
    dataset = opened(tmp_path, end.join(delimiter.join(row) for row in rows) + end)
    assert np.array_equal(raw(dataset), np.stack([np.arange(16), np.arange(16) / 8], axis=1))
    assert dataset.recipe.options["decimal"] == decimal
    assert data.open(dataset.recipe, tmp_path).recipe == dataset.recipe


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_and_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    content = table(head="t,größe,b").encode(encoding)
    dataset = opened(tmp_path, content, encoding=encoding)
    assert dataset.recipe.field("inputs").columns == ("t", "größe", "b")
    assert data.guess(tmp_path / "t.csv").options["inputs"] == ["größe", "b"]


@pytest.mark.parametrize("content", ["value\n3,5\n4,25\n5\n7,5\n", "value\n3.5\n4.25\n5\n7.5\n", "3.5\n4.25\n5\n7.5"])
def test_one_column_is_enough(tmp_path: Path, content: str) -> None:
    dataset = opened(tmp_path, content)
    assert raw(dataset)[:, 0].tolist() == [3.5, 4.25, 5, 7.5]


def test_a_header_is_found_or_given(tmp_path: Path) -> None:
    assert opened(tmp_path, "1,2\n3,4\n5,6\n7,8\n").recipe.field("inputs").columns == ("column1", "column2")
    assert opened(tmp_path, "id,2020\n3,4\n5,6\n7,8\n9,1\n").recipe.field("inputs").columns == ("id", "2020")
    years = opened(tmp_path, "2019,2020\n3,4\n5,6\n7,8\n9,1\n", header=True)
    assert years.recipe.field("inputs").columns == ("2019", "2020")
    assert years.rows == 4


def test_quotes_blank_lines_and_empty_cells_on_the_right_do_no_harm(tmp_path: Path) -> None:
    content = '"name, first","the ""x""\nvalue",\n\n"a",1,\n"b, c",2\n,,\n"d",3,,\n\n"e","4"\n\n'
    dataset = opened(tmp_path, content)
    assert dataset.recipe.field("inputs").columns == ('the "x" value',)
    assert raw(dataset)[:, 0].tolist() == [1, 2, 3, 4]
    assert dataset.lines.tolist() == [4, 5, 7, 9]


def test_a_constant_column_is_left_in_its_unit_and_told(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "a,b\n" + "".join(f"{row},1e9\n" for row in range(12)))
    spec = dataset.recipe.field("inputs")
    assert spec.std[1] == 1.0
    assert not dataset.tracks["inputs"].values[:, 1].any()
    assert ["never changes" in problem.what for problem in dataset.problems] == [True]
    assert dataset.problems[0].severity == "warning"


def test_a_number_beyond_single_precision_is_told_with_its_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{row},1e39\n" for row in range(20)))
    with pytest.raises(StudioError, match="larger than single precision holds") as caught:
        opened(tmp_path, (tmp_path / "t.csv").read_text(), scaling={"b": "none"})
    assert "column 'b', row 1 " in str(caught.value)


@pytest.mark.parametrize("cell", ["inf", "nan", "-inf"])
def test_what_is_no_place_in_an_order_is_told(tmp_path: Path, cell: str) -> None:
    rows = "".join(f"{cell if row == 7 else row},{row}\n" for row in range(20))
    told = refused(tmp_path, "t,a\n" + rows, order="t")
    assert f"'{cell}' is no place in an order" in told
    assert "line 9" in told


def test_large_offsets_keep_their_digits(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "stamp\n" + "".join(f"{1_700_000_000 + row}\n" for row in range(12)))
    assert np.allclose(np.diff(dataset.tracks["inputs"].values[:, 0]) * dataset.recipe.field("inputs").std[0], 1)


def test_groups_become_sequences_in_order_of_appearance(tmp_path: Path) -> None:
    rows = [(time, group, time * 10 + number) for time in range(8) for number, group in enumerate("xyz")]
    content = "t,who,v\n" + "".join(f"{t},{g},{v}\n" for t, g, v in rows)
    dataset = opened(tmp_path, content, group="who", order="t")
    assert dataset.names == ("x", "y", "z")
    assert dataset.offsets.tolist() == [0, 8, 16, 24]
    assert raw(dataset)[8:16, 0].tolist() == [1, 11, 21, 31, 41, 51, 61, 71]
    assert dataset.divided.startswith("each sequence cut along time")
    assert dataset.split("test").name(1) == "y"
    assert dataset.split("test").labels(2) == ("6", "7")


def test_thousands_of_groups_are_dealt_out_whole(tmp_path: Path) -> None:
    content = "g,v\n" + "".join(f"g{row // 3},{row % 7}\n" for row in range(9000))
    dataset = opened(tmp_path, content, (0.8, 0.1, 0.1), group="g")
    assert dataset.divided == "whole examples at random, 80/10/10 %"
    parts = [set(dataset.split(part).spans.sequence.tolist()) for part in data.PARTS]
    assert [len(part) for part in parts] == [2400, 300, 300]
    assert set.union(*parts) == set(range(3000))
    assert opened(tmp_path, content, (0.8, 0.1, 0.1), group="g").split("test").spans.sequence.tolist() == sorted(
        parts[2]
    )


def test_rows_are_put_in_the_order_of_their_label(tmp_path: Path) -> None:
    dates = [f"2024-{month:02}-01" for month in range(12, 0, -1)]
    dataset = opened(tmp_path, "date,v\n" + "".join(f"{d},{n}\n" for n, d in enumerate(dates)), order="date")
    assert raw(dataset)[:, 0].tolist() == list(range(11, -1, -1))
    assert dataset.steps == tuple(sorted(dates))
    assert [problem.severity for problem in dataset.problems] == ["warning"]
    words = opened(tmp_path, "when,v\n" + "".join(f"day {n},{n}\n" for n in range(12)), order="when")
    assert raw(words)[:, 0].tolist() == list(range(12))
    assert "neither numbers nor dates" in words.problems[0].what


def test_a_row_can_be_a_sequence(tmp_path: Path) -> None:
    content = "s1,s2,s3,s4,label\n" + "".join(
        f"{n},{n + 1},{n + 2},{'' if n % 2 else n + 3},{n / 2}\n" for n in range(24)
    )
    dataset = opened(tmp_path, content, mode="row_is_sequence", targets=["label"])
    assert dataset.sequences == 24
    assert np.diff(dataset.offsets).tolist() == [4, 3] * 12
    inputs, targets = dataset.fields
    assert (inputs.size, inputs.axis, targets.axis, targets.columns) == (1, "time", None, ("label",))
    split = dataset.split("train")
    run = split.sequence(0)
    row = int(split.spans.sequence[0])
    assert np.allclose(dataset.unscale("inputs", run["inputs"])[:, 0], row + np.arange(len(run["inputs"])), atol=1e-5)
    assert np.allclose(dataset.unscale("targets", run["targets"]), row / 2, atol=1e-6)
    ahead = opened(tmp_path, "".join("1,2,3,4\n" for _ in range(30)), mode="row_is_sequence")
    assert ahead.recipe.field("targets").shift_of == "inputs"
    assert ahead.split("train").steps == 15 * 3


@pytest.mark.parametrize("mark", ["", "NA", "nan", "-", "null", "?"])
def test_missing_values_are_filled_or_dropped_on_demand(tmp_path: Path, mark: str) -> None:
    content = f"a,b\n{mark},0\n1,1\n2,{mark}\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n"
    filled = opened(tmp_path, content, missing="previous")
    assert raw(filled)[:3].tolist() == [[1, 1], [2, 1], [3, 3]]
    dropped = opened(tmp_path, content, missing="drop")
    assert raw(dropped)[:2].tolist() == [[1, 1], [3, 3]]
    assert "2 rows with missing values were left out" in dropped.problems[0].what
    told = refused(tmp_path, content)
    assert "a value is missing in a column of numbers" in told
    assert "(t.csv, line 2, column 'a'; 1 more like this)" in told
    assert '"previous"' in told


def test_values_are_not_filled_across_sequences(tmp_path: Path) -> None:
    content = "g,v\n" + "".join(f"x,{n}\n" for n in range(9)) + "y,\n" + "".join(f"y,{n}\n" for n in range(50, 59))
    dataset = opened(tmp_path, content, group="g", missing="previous")
    assert raw(dataset)[9, 0] == 50
    assert dataset.offsets.tolist() == [0, 9, 18]


def test_marks_between_thousands_are_read(tmp_path: Path) -> None:
    assert raw(opened(tmp_path, 'a\n1\n"1,234.5"\n-1e3\n"12,345,678"\n'))[:, 0].tolist() == [1, 1234.5, -1000, 12345678]
    assert raw(opened(tmp_path, "a;b\n1,5;1\n1.234,5;2\n2,5;3\n1,0;4\n"))[1].tolist() == [1234.5, 2]


@pytest.mark.parametrize(
    "above",
    [
        "sep=,\n",
        "# from the station\n# in mm, not inches\n",
        "Rain\n",
        "Rain of the year\n\nStation 7\n",
        "# x\nRain\n",
        "\n\n",
    ],
)
def test_lines_above_the_table_are_left_out(tmp_path: Path, above: str) -> None:
    dataset = opened(tmp_path, above + table())
    assert dataset.recipe.field("inputs").columns == ("t", "a", "b")
    assert dataset.rows == 20
    assert dataset.lines[0] == above.count("\n") + 2
    assert f"(t.csv, line {above.count(chr(10)) + 22}, column 'a')" in refused(tmp_path, above + table() + "20,x,1\n")
    assert opened(tmp_path, above + table(), **dataset.recipe.options).recipe == dataset.recipe


def test_lines_above_the_table_can_be_counted_by_hand(tmp_path: Path) -> None:
    content = "units,mm,mm\n" + table()
    assert "Columns: units, mm" in refused(tmp_path, content.replace("mm,mm", "mm,cm"), inputs=["a"])
    assert opened(tmp_path, content, skip_lines=1).recipe.field("inputs").columns == ("t", "a", "b")


# What a file must not look like


def test_a_missing_file_and_a_picture(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"the file does not exist \(t\.csv\)"):
        data.open(DataRecipe("csv", "t.csv"), tmp_path)
    assert "a PNG picture" in refused(tmp_path, b"\x89PNG\r\n" + bytes(50))
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
    assert "Save it as CSV" in refused(tmp_path, (tmp_path / "book.xlsx").read_bytes())


def test_empty_and_one_line_files(tmp_path: Path) -> None:
    assert refused(tmp_path, "") == "the file is empty (t.csv). Choose a file with data in it."
    assert "only blank lines" in refused(tmp_path, "\n\n \n")
    assert "no column holds numbers" in refused(tmp_path, "a,b\n")
    assert "the file has only a header line (t.csv)" in refused(tmp_path, "a,b\n", inputs=["a"])
    assert "one row of numbers, and one step is no sequence (t.csv, line 1)" in refused(tmp_path, "1,2\n")
    assert "one row of numbers" in refused(tmp_path, "a,b\n1,2\n")
    assert "no column holds numbers" in refused(tmp_path, "some words\nand more words\n")


def test_too_few_rows_for_every_part(tmp_path: Path) -> None:
    told = refused(tmp_path, "a\n1\n2\n3\n", horizon=3)
    assert told.startswith("3 rows are too few: the training part (50%) has no steps that predict 3 ahead (t.csv)")
    assert "a smaller horizon" in told


def test_ragged_rows(tmp_path: Path) -> None:
    told = refused(tmp_path, "a,b\n1,2\n3,4,5\n6,7\n8\n9,9\n")
    assert told.startswith("the row has 3 cells, the header has 2 (t.csv, line 3; 1 more like this). Correct the row")
    assert "the row has 1 cell, the other rows have 2 (t.csv, line 3" in refused(tmp_path, "1,2\n3,4\n5\n6,7\n8,9\n")


def test_text_in_a_column_of_numbers(tmp_path: Path) -> None:
    told = refused(tmp_path, "a,b\n1,2\n3,four\n5,6\n7,8\n")
    assert told == (
        "this is not a number: 'four' (t.csv, line 3, column 'b'). "
        "Correct the cell, or leave the column out of inputs and targets."
    )
    assert "Write numbers without a mark between the thousands" in refused(tmp_path, "a\n1\n2\n1 23.5\n4\n")
    assert 'set the decimal option to ","' in refused(tmp_path, 'a;b\n1.5;1\n2.5;1\n"2,5";1\n4.5;1\n')
    infinite = refused(tmp_path, "a\n1\n2\ninf\n4\n")
    assert "infinity is not a value" in infinite
    assert infinite.endswith("Correct the cell, or leave the column out of inputs and targets.")
    assert "not a number: '1_000'" in refused(tmp_path, "a\n1\n2\n1_000\n4\n")


def test_text_far_below_the_sample_is_found_at_its_line(tmp_path: Path) -> None:
    content = "a,b\n" + "1,2\n" * 5000 + "1,x\n" + "3,4\n" * 5000
    assert "'x' (t.csv, line 5002, column 'b')" in refused(tmp_path, content)


def test_an_open_quote_is_found_where_it_begins(tmp_path: Path) -> None:
    told = refused(tmp_path, 'a,b\n1,2\n3,"4\n5,6\n7,8\n')
    assert "a quote is opened and never closed (t.csv, line 3)" in told
    told = refused(tmp_path, 'a,b\n1,2\n3,"4\n5,6\n7",8\n9,10\n')
    assert "it begins on line 3; a quote may be open" in told


def test_names_of_columns(tmp_path: Path) -> None:
    assert "two columns are called 'a': columns 1 and 3 (t.csv, line 1)" in refused(tmp_path, "a,b,a\n1,2,3\n4,5,6\n")
    told = refused(tmp_path, table(), inputs=["speed"])
    assert told == "there is no column 'speed' (t.csv, line 1, option inputs). Columns: t, a, b."
    assert "option group" in refused(tmp_path, table(), group="who")
    assert "option order" in refused(tmp_path, table(), order="when")


def test_a_wrong_encoding(tmp_path: Path) -> None:
    told = refused(tmp_path, table(head="t,gr\xf6\xdfe,b").encode("latin-1"))
    assert "the file is not in utf-8: it has the byte 0xf6 (t.csv, line 1, column 5)" in told
    assert '"cp1252"' in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mode": "row"}, "'row' is not a choice (option mode)"),
        ({"delimiter": "ab"}, "the delimiter 'ab' is not one character"),
        ({"horizon": -1}, "-1 is below 0 (option horizon)"),
        ({"horizon": 0}, "'t' is an input and, at horizon 0, its own target"),
        ({"inputs": ["a", "a"]}, "the column 'a' is listed twice (option inputs)"),
        ({"inputs": [1]}, "[1] is not a list of column names (option inputs)"),
        ({"group": "a", "inputs": ["a"]}, "the group column 'a' is also an input or a target"),
        ({"group": "a", "order": "a"}, "cannot be both group and order"),
        ({"mode": "row_is_sequence", "group": "a"}, "no meaning when each row is a sequence"),
        ({"header": 1}, "1 is not a text (option header)"),
        ({"windows": 3}, "there is no data option 'windows'"),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, options, told: str) -> None:
    assert told in refused(tmp_path, table(), **options)


def test_the_preview_lists_every_problem_and_shows_the_rows_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "t,a\n" + "".join(f"{n},{n * n}\n" for n in range(9)) + "9,x\n10,\n11,1,2\n12,144\n"
    )
    shown = data.inspect(DataRecipe("csv", "t.csv", {"order": "t"}, HALF), tmp_path, rows=10)
    assert [(problem.line, problem.severity) for problem in shown.problems] == [(n, "error") for n in (11, 12, 13)]
    assert shown.columns == ("line", "t", "a", "inputs: a", "targets: a, 1 ahead")
    assert shown.rows[2][:3] == ("4", "2", "4")
    assert shown.rows[9][2] == "missing", "an input of the model is then the value before"
    assert not shown.usable
    many = "t,a\n" + "".join(f"{n},{n}\n" for n in range(100)) + "x,y\n" * 90
    (tmp_path / "t.csv").write_text(many)
    shown = data.inspect(DataRecipe("csv", "t.csv", {"inputs": ["a"]}, HALF), tmp_path)
    assert sum(problem.severity == "error" for problem in shown.problems) == 50
    assert "90 errors in all" in shown.problems[-1].what
