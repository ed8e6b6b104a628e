"""Tables as people have them: dates of all orders, offsets, thousands, percent, several series in one, gaps, units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data.formats import dates
from rnnstudio.data.formats.numerals import number
from rnnstudio.design.errors import StudioError

HERE = Path(__file__).parent


def read(name: str, **options: object) -> data.Dataset:
    recipe = data.guess(HERE / name)
    return data.open(data.choose(recipe, options) if options else recipe)


def written(folder: Path, content: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def column(dataset: data.Dataset, name: str) -> list[float]:
    assert dataset.raw is not None
    return dataset.raw[:, dataset.columns.index(name)].tolist()


def told(dataset: data.Dataset) -> str:
    return " | ".join(problem.text() if hasattr(problem, "text") else problem.what for problem in dataset.problems)


def test_a_clock_that_is_put_back_puts_no_hour_back() -> None:
    assert column(read("offsets.csv"), "kw") == [46, 47, 48, 49, 50, 51]


@pytest.mark.parametrize(
    ("file", "name", "order"),
    [
        ("dates-us-newest-first.csv", "Close", "month, day, year"),
        ("dates-eu-newest-first.csv", "Schluss", "day, month, year"),
    ],
)
def test_dates_newest_first_are_put_oldest_first_and_their_order_is_told(file: str, name: str, order: str) -> None:
    dataset = read(file)
    closes = column(dataset, name)
    assert closes == sorted(closes)
    assert len(closes) == 60
    assert order in told(dataset)


def test_dates_that_can_be_read_two_ways_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "date,v\n" + "".join(f"0{a}/0{b}/2023,{a}\n" for a, b in ((3, 1), (1, 2), (2, 3), (5, 1))))
    recipe = data.guess(path)
    with pytest.raises(StudioError, match="can be read as day, month, year or month, day, year"):
        data.open(recipe)
    assert column(data.open(data.choose(recipe, {"dates": "dmy"})), "v") == [3, 5, 1, 2]
    assert column(data.open(data.choose(recipe, {"dates": "mdy"})), "v") == [1, 2, 3, 5]


def test_a_comma_before_three_digits_everywhere_parts_thousands() -> None:
    dataset = read("thousands.tsv")
    assert dataset.recipe.reader == "csv"
    assert column(dataset, "visitors")[3:6] == [995, 1000, 1005]


def test_repeated_dates_propose_the_column_that_tells_the_series_apart() -> None:
    dataset = read("stacked.csv")
    assert dataset.recipe.options["group"] == "product"
    assert dataset.sequences == 3
    assert np.diff(dataset.offsets).tolist() == [20, 20, 20]
    assert "product" not in dataset.columns


def test_doubled_times_and_gaps_are_told_with_their_lines_and_can_be_changed() -> None:
    kept = read("gap-and-doubles.csv")
    assert "same time, 2 times: line 13, 15" in told(kept)
    assert "gap in the times: 200 days are missing, once" in told(kept)
    assert "line 44" in told(kept)
    rows = kept.rows
    assert read("gap-and-doubles.csv", doubled="average").rows == rows - 2
    cut = read("gap-and-doubles.csv", gaps="cut")
    assert cut.sequences == 2
    assert cut.rows == rows


def test_signs_of_percent_and_currency_are_no_part_of_a_number() -> None:
    dataset = read("percent-and-currency.csv")
    assert column(dataset, "share")[0] == 0.5
    assert column(dataset, "price")[0] == 1000.0


def test_a_decimal_comma_in_quotes_is_one() -> None:
    assert column(read("decimal-in-quotes.csv"), "v")[:3] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("1 000", ".", 1000), ("1\u00a0000,5", ",", 1000.5), ("1\u202f000", ",", 1000), ("1\'000.25", ".", 1000.25),
        ("$1,000.00", ".", 1000), ("€ 5", ".", 5), ("5 EUR", ".", 5), ("(1,200)", ".", -1200), ("−4", ".", -4),
        ("0,125", ",", 0.125), ("1.234,5", ",", 1234.5), ("12.5 %", ".", 12.5), ("-$3", ".", -3),
        ("1 23", ".", None), ("1_000", ".", None), ("$", ".", None), ("four", ".", None), ("", ".", None),
        ("n/a", ".", None),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(cell: str, decimal: str, value: float | None) -> None:
    assert number(cell, decimal) == value


def test_years_in_a_header_are_a_header(tmp_path: Path) -> None:
    rows = "".join(f"land{n}," + ",".join(str(n * 10 + year) for year in range(8)) + "\n" for n in range(30))
    path = written(tmp_path, "country," + ",".join(map(str, range(2001, 2009))) + "\n" + rows)
    dataset = data.open(data.guess(path))
    assert "2001" in dataset.columns
    assert dataset.rows == 30


def test_rows_of_units_below_the_header_are_no_data(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n * 2},{n * 3}\n" for n in range(40))
    path = written(tmp_path, f"t,flow,level\ns,m3/s,m\n,Avg,Smp\n{rows}")
    recipe = data.guess(path)
    assert recipe.options["skip_below"] == 2
    dataset = data.open(recipe)
    assert column(dataset, "flow")[:3] == [0, 2, 4]
    assert dataset.lines[0] == 4
    with pytest.raises(StudioError, match="not a number: 's'"):
        data.open(data.choose(recipe, {"skip_below": 0}))


def test_a_column_that_is_empty_for_its_first_rows_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "t,a,b\n" + "".join(f"{n},{n % 7},{n if n >= 450 else ''}\n" for n in range(900)))
    recipe = data.guess(path)
    assert recipe.options["inputs"] == ["a", "b"]
    dataset = data.open(data.choose(recipe, {"missing": "drop"}))
    assert column(dataset, "b")[0] == 450


def test_long_form_is_known_by_the_names_of_forecasters(tmp_path: Path) -> None:
    rows = "".join(f"{item},2024-01-{day:02},{day * item}\n" for item in (1, 2, 3) for day in range(1, 29))
    for names in ("unique_id,ds,y", "item_id,timestamp,target"):
        recipe = data.guess(written(tmp_path, f"{names}\n{rows}", f"{names[:4]}.csv"))
        group, order, target = names.split(",")
        assert recipe.options["group"] == group
        assert recipe.options["order"] == order
        assert recipe.options["inputs"] == [target]
        assert data.open(recipe).sequences == 3


@pytest.mark.parametrize(
    ("cell", "order", "seconds"),
    [
        ("1970-01-02", "ymd", 86400), ("02.01.1970", "dmy", 86400), ("01/02/70 12:30 PM", "mdy", 86400 + 45000),
        ("1970-01-01T02:00:00+02:00", "ymd", 0), ("1.1.1970 00:00:01.5", "dmy", 1.5), ("1970/01/01 00:00Z", "ymd", 0),
    ],
)  # fmt: skip
def test_dates_in_the_common_orders(cell: str, order: str, seconds: float) -> None:
    found = dates.read([cell], order)
    assert found.seconds is not None
    assert found.seconds.tolist() == [seconds]


@pytest.mark.parametrize("cell", ["2024-13-01", "31/02/2024", "12:30", "1.5", "2024", "x", "", "99/99/9999"])
def test_what_is_no_date_is_none(cell: str) -> None:
    assert not dates.looks_like_a_date(cell)


def test_weekends_are_no_gaps_in_a_table_of_working_days(tmp_path: Path) -> None:
    days = [day for day in np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]") if np.is_busday(day)]
    (tmp_path / "t.csv").write_text("date,v\n" + "".join(f"{day},{n}\n" for n, day in enumerate(days)))
    assert data.open(data.guess(tmp_path / "t.csv")).problems == ()


def test_an_offset_that_no_clock_has_is_no_date() -> None:
    assert dates.read(["01.02.2023 10:00+25:00", "02.02.2023 10:00+25:00"], "dmy").seconds is None


def test_a_column_with_nothing_in_its_first_thousands_of_rows_is_told_where_it_begins(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 7},{n / 2 if n >= 9000 else ''},\n" for n in range(9100))
    recipe = data.guess(written(tmp_path, "t,a,late,never\n" + rows))
    assert recipe.options["inputs"] == ["a"]
    dataset = data.open(recipe)
    found = [problem for problem in dataset.problems if problem.severity == "warning"]
    assert [(problem.line, problem.column) for problem in found] == [(9002, "'late'")]
    assert "here it has '4500.0'" in found[0].what
    chosen = {"inputs": ["a", "late"], "targets": ["a", "late"], "kinds": {"late": "number"}, "missing": "drop"}
    assert column(data.open(data.choose(recipe, chosen)), "late") == [n / 2 for n in range(9000, 9100)]


def test_a_date_that_contradicts_its_column_is_named_with_its_line(tmp_path: Path) -> None:
    days = [f"{day:02}/02/2023" for day in range(1, 28)]
    days[20] = "02/13/2023"
    recipe = data.guess(written(tmp_path, "date,v\n" + "".join(f"{day},{n}\n" for n, day in enumerate(days))))
    with pytest.raises(StudioError) as caught:
        data.open(recipe)
    assert "'02/13/2023' is no date in the order day, month, year" in caught.value.what
    assert "line 22, column 'date'" in caught.value.where


@pytest.mark.parametrize(
    ("times", "lacking"),
    [
        ([f"2024-01-0{1 + n // 24} {n % 24:02}:00" for n in range(96) if not 30 <= n < 40], "10 hours are missing"),
        ([f"2024-01-01 10:{n:02}" for n in range(60) if not 30 <= n < 40], "10 minutes are missing"),
        ([str(n) for n in range(60) if not 30 <= n < 40], "10 steps are missing"),
    ],
)
def test_a_gap_is_told_in_the_unit_of_its_times(times: list[str], lacking: str, tmp_path: Path) -> None:
    path = written(tmp_path, "time,v\n" + "".join(f"{time},{n % 5}\n" for n, time in enumerate(times)))
    assert f"gap in the times: {lacking}, once" in told(data.open(data.guess(path)))


def test_a_last_column_that_is_called_like_a_target_is_one() -> None:
    options = data.guess(HERE / "rare-event.csv").options
    assert (options["inputs"], options["targets"], options["horizon"]) == (["minute", "alarm", "load"], ["fault"], 0)
    options = data.guess(HERE / "label-at-the-end.csv").options
    assert options["mode"] == "row_is_sequence"
    assert (options["inputs"], options["targets"]) == (["t0", "t1", "t2", "t3", "t4", "t5"], ["label"])


def test_a_number_in_the_order_of_time_that_is_called_a_target_is_forecast(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-{day:02},{day % 3},{day * 2}\n" for day in range(1, 29))
    options = data.guess(written(tmp_path, "ds,promotion,y\n" + rows)).options
    assert (options["inputs"], options["targets"], options["horizon"]) == (["promotion", "y"], ["y"], 1)


def test_a_class_at_the_end_of_each_step_is_told_from_the_numbers_beside_it(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 9},{'walk' if n % 9 > 4 else 'rest'}\n" for n in range(200))
    dataset = data.open(data.guess(written(tmp_path, "time,speed,label\n" + rows)))
    assert [(spec.name, spec.role, spec.axis) for spec in dataset.fields] == [
        ("inputs", "input", "time"),
        ("label", "target", "time"),
    ]
    assert dataset.tracks["label"].shift == 0


def test_a_column_called_like_yes_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, "t,on,2001\n" + "".join(f"{n},{n % 5},{n % 7}\n" for n in range(60)))
    for name in ("on", "2001"):
        typed = {"inputs": name, "targets": name, "horizon": "2", "header": "yes", "window": "8"}
        recipe = data.choose(data.guess(path), typed)
        assert (recipe.options["horizon"], recipe.options["header"], recipe.options["window"]) == (2, True, 8)
        assert data.open(recipe).recipe.field("inputs").columns == (name,)
