"""Vectors with a class: a row of numbers and one label or several; rows of a picture; the class's name in letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples, Found, labels, numbers, tokens
from rnnstudio.data.formats.csv_rows import MISSING_VALUE
from rnnstudio.data.formats.labelled import LABEL_NAMES
from rnnstudio.data.formats.numerals import find_decimal, is_missing, is_number, number
from rnnstudio.data.formats.pieces import END, cells_of, learning_of
from rnnstudio.data.options import NOTHING, SCALINGS, encoding_option, option
from rnnstudio.data.problems import Problems
from rnnstudio.data.progress import going
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

_NAMES = (*LABEL_NAMES, "digit", "species", "labels")
_LEAST = 3
_MOST_CLASSES = 50


@dataclass(frozen=True)
class VectorOptions:
    """A row an example: its numbers are the input, a column or several are classes to be told."""

    encoding: str = encoding_option()
    delimiter: str = option(",", "what separates the columns", choices=(",", ";", "\t", "|"), free=True)
    header: bool = option(True, "whether the first row holds names")
    decimal: str = option("auto", "the decimal mark", choices=("auto", ".", ","))
    missing: str = option(
        "error",
        "what to do with empty cells: refuse them, put the mean of their column in the training part there, or leave "
        "out the row",
        title="empty cells",
        choices=("error", "mean", "drop"),
    )
    labels: tuple[str, ...] = option((), "the columns of classes; none: the last", columns=True)
    ignored: tuple[str, ...] = option((), "columns that are not used, such as numbers of rows", columns=True)
    steps: int = option(
        0, "read the vector as a sequence of so many steps, such as the 8 rows of a picture; 0: as a vector", minimum=0
    )
    scaling: str = option("standard", "how each column is scaled", choices=SCALINGS)
    spell: bool = option(
        False, "the first class's name letter by letter, as a sequence `name` for a decoder", title="spell the class"
    )
    names: Mapping[str, str] = option(
        NOTHING, "what classes are called where they are spelt, as CLASS: NAME", title="class names"
    )


class VectorReader(Reader):
    """Fields `inputs` without an axis, or along time; a label field without an axis each; `name` along name."""

    name = "vectors"
    title = "vectors with a class"
    what = "vectors with a class"
    Options = VectorOptions
    parts = (0.8, 0.1, 0.1)
    beginnings = True
    portable = ("missing", "steps", "scaling", "spell", "names")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.folder or sample.why_not is not None:
            return None
        for delimiter in (",", "\t", ";", "|"):
            try:
                rows = [row for _, row in cells_of("".join(sample.lines), delimiter, sample.shown)]
            except StudioError:
                continue  # the sample's end may cut a quoted cell; another delimiter may do
            widths = {len(row) for row in rows}
            if len(rows) < 8 or len(widths) != 1 or len(rows[0]) <= _LEAST:
                continue
            made = self._guess_table(sample, delimiter, rows)
            if made is not None:
                return made
        return None

    def _guess_table(self, sample: Sample, delimiter: str, rows: list[list[str]]) -> Guess | None:
        header = not any(map(is_number, rows[0]))
        decimal = find_decimal(rows[header:])
        names = rows[0] if header else _numbered(len(rows[0]))
        columns = list(zip(*rows[header:], strict=True))
        classes = [place for place, column in enumerate(columns) if _few(column)]
        named = [place for place in classes if header and names[place].lower() in _NAMES]
        texts = [place for place in classes if not any(map(is_number, columns[place]))]
        chosen = named or texts
        rest = [place for place in range(len(columns)) if place not in chosen]
        if not chosen or not all(_of_numbers(columns[place], decimal) for place in rest):
            return None
        unsure = [names[place].lower() for place in named] == ["y"] and not texts
        if unsure and any(is_missing(cell) for place in rest for cell in columns[place]):
            return None  # rows of different lengths rather
        rising = [place for place in rest if _counts_up(columns[place], decimal)]
        made = VectorOptions(
            sample.encoding,
            delimiter,
            header,
            decimal,
            labels=tuple(names[place] for place in chosen),
            ignored=tuple(names[place] for place in rising),
        )
        listed = ", ".join(repr(names[place]) for place in chosen)
        # A column that counts up is rather the time of a series, and a text amid numbers the group of each row.
        amid = not named and any(0 < place < len(columns) - len(chosen) for place in chosen)
        sure = 0.35 if rising or amid or len(rest) < _LEAST else 0.6
        return Guess(sure, made, self.parts, f"{len(rest) - len(rising)} columns of numbers, and classes in {listed}")

    def read(self, source: Source, options: VectorOptions, problems: Problems) -> Examples:
        rows = cells_of(source.text(options.encoding), options.delimiter, source.shown, source.cut)
        if len(rows) <= options.header:
            raise StudioError("the file holds no row", where=source.shown, remedy="Choose a file with data in it.")
        names = rows[0][1] if options.header else _numbered(len(rows[0][1]))
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise StudioError(f"two columns are called {twice!r}", where=source.shown, remedy="Rename one of them.")
        told = options.labels or (names[-1],)
        for name in (*told, *options.ignored):
            if name not in names:
                where = f"{source.shown}, option {'labels' if name in told else 'ignored'}"
                listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
                raise StudioError(f"there is no column {name!r}", where=where, remedy=f"Columns: {listed}.")
        left = {*told, *options.ignored, source.column}
        inputs = [place for place, name in enumerate(names) if name not in left]
        if not inputs:
            raise StudioError("no column of numbers is left to be read", where=source.shown)
        if options.steps and len(inputs) % options.steps:
            raise StudioError(
                f"{len(inputs)} columns do not make {options.steps} steps of equal width",
                where=f"{source.shown}, option steps",
                remedy="Choose a number of steps that divides them, or ignore columns.",
            )
        places = [names.index(name) for name in told]
        if options.decimal == "auto":
            cells = [[row[place] for place in inputs if place < len(row)] for _, row in rows]
            options = replace(options, decimal=find_decimal(cells))
        keep = source.keeper(names)
        values, classes, lines = _values(rows[options.header :], names, inputs, places, options, problems, keep)
        if not len(values):
            problems.raise_first()
            raise StudioError("no row has numbers and a class", where=source.shown, remedy="Choose another file.")
        for name in options.ignored:
            problems.ignore(f"the column {name!r}", rows[options.header][1][names.index(name)])
        width = len(inputs) // max(options.steps, 1)
        along = "time" if options.steps else None
        titles = [names[place] for place in inputs] if not options.steps else [f"x{n + 1}" for n in range(width)]
        shaped = list(values.reshape(len(values), -1, width)) if options.steps else list(values)
        read = numbers("inputs", shaped, titles, along, scaling=options.scaling)  # type: ignore[arg-type]
        fields: list[Found] = [
            replace(read, fill=options.missing == "mean"),
            *(
                labels(field, list(column))
                for field, column in zip(_fields(told), zip(*classes, strict=True), strict=True)
            ),
        ]
        if options.spell:
            spelt = [[*options.names.get(row[0], row[0]), END] for row in classes]
            fields.append(tokens("name", spelt, "name", role="target", learning=learning_of("characters", 1)))
        return Examples(fields, lines=lines, options=options, split_by="sequence")

    def vocabulary(self, spec: FieldSpec, options: VectorOptions) -> Vocabulary:
        if spec.counts:
            return super().vocabulary(spec, options)
        return Vocabulary(spec.vocabulary, "characters")


def _fields(told: Sequence[str]) -> list[str]:
    """`label` for a single class; else each is called like its column."""
    if len(told) == 1:
        return ["label"]
    return [f"{name}_label" if name in ("inputs", "name") else name for name in told]


def _values(
    rows: Sequence[tuple[int, list[str]]],
    names: Sequence[str],
    inputs: Sequence[int],
    told: Sequence[int],
    options: VectorOptions,
    problems: Problems,
    keep: Callable[[Sequence[str]], None],
) -> tuple[npt.NDArray[np.float64], list[list[str]], list[int]]:
    """[examples, columns], the classes of each, its line. What is wrong is told with line and column."""
    values, classes, lines, dropped = [], [], [], []
    for line, row in going(rows):
        if len(row) != len(names):
            problems.error(f"the row has {len(row)} cells, the others have {len(names)}", line=line)
            continue
        empty = next((place for place in told if not row[place]), None)
        if empty is not None:
            problems.warn("the class is empty; the row is left out", line=line, column=repr(names[empty]))
            continue
        missing = [place for place in inputs if is_missing(row[place])]
        if missing and options.missing == "drop":
            dropped.append(line)
            continue
        here = [np.nan if is_missing(row[place]) else number(row[place], options.decimal) for place in inputs]
        bad = next((at for at, value in enumerate(here) if value is None or np.isinf(value)), None)
        if bad is not None or (missing and options.missing == "error"):
            place = inputs[bad] if bad is not None else missing[0]
            what, remedy = f"this is not a number: {row[place][:40]!r}", "Write a number, or ignore the column."
            if bad is None:
                what = MISSING_VALUE + (f": {row[place]!r}" if row[place] else "")
                remedy = 'Fill it in, or set the missing option to "mean" or "drop".'
            problems.error(what, line=line, column=repr(names[place]), remedy=remedy)
            continue
        values.append(here)
        classes.append([row[place] for place in told])
        lines.append(line)
        keep(row)
    if dropped:
        problems.warn(f"{len(dropped):,} rows with missing values were left out", line=dropped[0])
    return np.array(values, np.float64).reshape(len(values), len(inputs)), classes, lines


def _numbered(count: int) -> list[str]:
    return [f"column{place + 1}" for place in range(count)]


def _few(column: Sequence[str]) -> bool:
    """Whether a column looks like classes: few different texts or whole numbers, each more than once."""
    different = set(column)
    whole = all("." not in cell for cell in different)
    return whole and 2 <= len(different) <= min(_MOST_CLASSES, max(2, len(column) // 2)) and "" not in different


def _of_numbers(column: Sequence[str], decimal: str) -> bool:
    """Whether a column holds numbers and nothing else, missing ones left out."""
    there = [cell for cell in column if not is_missing(cell)]
    return bool(there) and all(number(cell, decimal) is not None for cell in there)


def _counts_up(column: Sequence[str], decimal: str) -> bool:
    values = np.array([number(cell, decimal) for cell in column], np.float64)
    return bool((np.diff(values) > 0).all())
