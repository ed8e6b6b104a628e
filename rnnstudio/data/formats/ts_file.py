"""`.ts` files, as aeon and sktime write them: a series of one or more dimensions a line, with its class at the end.

The header is lines of @NAME VALUE, up to @data. Then each line is one series: dimensions separated by colons, values by
commas, then the class (@classLabel true …) or the number to predict (@targetLabel true). A missing value is a ?.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples, labels, numbers
from rnnstudio.data.options import encoding_option, option
from rnnstudio.data.problems import Problems
from rnnstudio.data.progress import going
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.design.errors import StudioError

Floats = npt.NDArray[np.float64]

MISSING = ("?", "nan", "")
_SAID = ("@problemname", "@timestamps", "@univariate", "@classlabel", "@targetlabel", "@dimensions", "@equallength")
_TOLD = ("@problemname", "@missing", "@univariate", "@equallength", "@data")
"""Header lines that are about what can be seen in the data anyhow."""


@dataclass(frozen=True)
class TsOptions:
    """Series with a class each."""

    encoding: str = encoding_option()
    missing: str = option(
        "previous",
        "repeat the value before (at the beginning: the first that is there), or refuse the file",
        title="missing values",
        choices=("previous", "error"),
    )


class TsReader(Reader):
    """Fields `inputs` along time, and `label`, one class a series, or `targets`, one number a series."""

    name = "ts"
    title = "series with a class (.ts)"
    what = "series with a class"
    suffixes = (".ts",)
    Options = TsOptions
    parts = (0.7, 0.15, 0.15)
    beginnings = True
    portable = ("missing",)

    def guess(self, sample: Sample) -> Guess | None:
        if sample.why_not is not None:
            return None
        found = {line.split()[0].lower() for line in sample.lines if line.startswith("@") and line.split()}
        said = len(found & set(_SAID))
        if said < 2 or ("@data" not in found and sample.suffix not in self.suffixes):
            return None
        return Guess(0.95, TsOptions(sample.encoding), self.parts, "a header of @ lines, then series")

    def read(self, source: Source, options: TsOptions, problems: Problems) -> Examples:
        lines = enumerate(going(source.lines(options.encoding)), 1)
        header = _Header(source.shown)
        if not any(header.take(number, line, problems) for number, line in lines):
            raise StudioError("there is no line @data", where=source.shown, remedy="Write it before the first series.")
        series: list[Floats] = []
        answers: list[str] = []
        places: list[int] = []
        filled = 0
        for number, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            try:
                values, answer = _Line(line, header).values()
            except _WrongSeriesError as wrong:
                problems.error(wrong.what, line=number, column=wrong.column, remedy=wrong.remedy)
                continue
            gaps = np.isnan(values)
            if gaps.any():
                if options.missing == "error" or gaps.all(0).any():
                    column = int(np.argmax(gaps.all(0) if gaps.all(0).any() else gaps.any(0)))
                    problems.error(
                        "a dimension has no value at all" if gaps.all(0).any() else "a value is missing",
                        line=number,
                        column=repr(header.names[column]),
                        remedy="Leave the series out." if gaps.all(0).any() else 'Set missing to "previous".',
                    )
                    continue
                filled += int(gaps.sum())
                values = _filled(values)
            series.append(values)
            answers.append(answer)
            places.append(number)
        if not series:
            problems.raise_first()
            raise StudioError("there is no series behind @data", where=source.shown, remedy="Write one a line.")
        if filled:
            problems.warn(f"{filled:,} missing values repeat the value before")
        inputs = numbers("inputs", series, header.names)
        if header.answer == "none":
            problems.warn("no series has a class: @classLabel is false")
            return Examples((inputs,), lines=places, options=options, split_by="sequence")
        if header.answer == "class":
            return Examples((inputs, labels("label", answers)), lines=places, options=options)
        wanted = [np.array([float(answer)]) for answer in answers]
        told = numbers("targets", wanted, ("target",), None, role="target")
        return Examples((inputs, told), lines=places, options=options)


def _filled(values: Floats) -> Floats:
    """[steps, dimensions]: each gap repeats the value before; at the beginning, the first that is there."""
    found = values.copy()
    for column in found.T:
        good = ~np.isnan(column)
        before = np.maximum.accumulate(np.where(good, np.arange(len(column)), -1))
        column[:] = column[np.where(before < 0, int(np.argmax(good)), before)]
    return found


@dataclass
class _Header:
    """What the lines before @data say. answer: "class", "number" or "none" at the end of each series."""

    shown: str
    answer: str = "none"
    classes: tuple[str, ...] = ()
    dimensions: int = 0
    length: int = 0
    names: tuple[str, ...] = ()

    def take(self, number: int, line: str, problems: Problems) -> bool:
        """Whether this line is the header's last. Raises StudioError for what cannot be read."""
        words = line.split()
        if not words or line.startswith("#"):
            return False
        name, values = words[0].lower(), words[1:]
        where = f"{self.shown}, line {number}"
        if not name.startswith("@"):
            raise StudioError(
                f"this is no line of a header: {line[:40]!r}",
                where=where,
                remedy="Write @data before the first series.",
            )
        said = bool(values) and values[0].lower() == "true"
        if name == "@timestamps" and said:
            raise StudioError(
                "series with a time stamp at each value are not read",
                where=where,
                remedy="Write the values alone, and @timeStamps false.",
            )
        if name == "@classlabel":
            self.answer, self.classes = ("class", tuple(values[1:])) if said else (self.answer, ())
        elif name == "@targetlabel":
            self.answer = "number" if said else self.answer
        elif name in ("@dimensions", "@dimension", "@serieslength"):
            if len(values) != 1 or not values[0].isascii() or not values[0].isdigit() or not 0 < int(values[0]) < 10**6:
                raise StudioError(f"{words[0]} is not followed by a whole number above 0", where=where)
            if name == "@serieslength":
                self.length = int(values[0])
            else:
                self._named(int(values[0]))
        elif name == "@univariate" and said and not self.dimensions:
            self._named(1)
        elif name not in (*_TOLD, "@timestamps", "@univariate"):
            problems.ignore(f"the header line {words[0]}", " ".join(values))
        return name == "@data"

    def _named(self, count: int) -> None:
        self.dimensions = count
        self.names = tuple(f"x{place + 1}" for place in range(count)) if count > 1 else ("x",)

    def settle(self, dimensions: int) -> None:
        """The number of dimensions, where the header does not say it: that of the first series."""
        if not self.dimensions:
            self._named(dimensions)


class _WrongSeriesError(Exception):
    """What is wrong with a series. column: the dimension, where it is one's."""

    def __init__(self, what: str, remedy: str, column: str = "") -> None:
        super().__init__(what)
        self.what, self.remedy, self.column = what, remedy, repr(column) if column else ""


@dataclass
class _Line:
    """One series as it is written."""

    line: str
    header: _Header

    def values(self) -> tuple[Floats, str]:
        """[steps, dimensions] and the answer. Raises _WrongSeriesError."""
        parts = self.line.strip().split(":")
        answer = parts.pop().strip() if self.header.answer != "none" else ""
        self.header.settle(len(parts))
        if len(parts) != self.header.dimensions:
            raise _WrongSeriesError(
                f"the series has {len(parts)} of {self.header.dimensions} dimensions",
                "Separate dimensions, and the class at the end, by colons.",
            )
        if self.header.answer == "class" and self.header.classes and answer not in self.header.classes:
            raise _WrongSeriesError(
                f"{answer[:40]!r} is no class of the header", "Add it to the line @classLabel, or correct it."
            )
        if self.header.answer == "number" and _number(answer) is None:
            raise _WrongSeriesError(
                f"the number to predict is {answer[:40]!r}", "Write a number behind the last colon."
            )
        rows: list[list[float]] = []
        for name, part in zip(self.header.names, parts, strict=True):
            if part.lstrip().startswith("("):
                raise _WrongSeriesError(
                    "the values have time stamps, which are not read", "Write the values alone.", name
                )
            row = []
            for cell in part.split(","):
                value = _number(cell)
                if value is None:
                    raise _WrongSeriesError(
                        f"this is not a number: {cell.strip()[:40]!r}", "Correct it, or write ?.", name
                    )
                row.append(value)
            rows.append(row)
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise _WrongSeriesError(
                f"the dimensions have {min(lengths)} to {max(lengths)} values",
                "Give each as many, ? where one is missing.",
            )
        return np.array(rows, np.float64).T, answer


def _number(cell: str) -> float | None:
    """NaN for a missing value, None for what is no finite number."""
    text = cell.strip()
    if text.lower() in MISSING:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and "_" not in text else None
