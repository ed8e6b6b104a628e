"""Signals with labels that nobody aligned: a sequence of numbers and a text of another length an example (CTC)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples, numbers, tokens
from rnnstudio.data.formats.pieces import cells_of, learning_of
from rnnstudio.data.options import SCALINGS, encoding_option, option
from rnnstudio.data.problems import Problems
from rnnstudio.data.progress import going
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

Signal = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SignalOptions:
    """JSON objects: {"inputs": [[…], …], "labels": "…"}; or rows of a text and then the numbers of one signal."""

    form: str = option("json lines", "a JSON object a line, or a row of cells", choices=("json lines", "table"))
    encoding: str = encoding_option()
    delimiter: str = option(",", "what separates the cells of a table", choices=(",", ";", "\t", "|"), free=True)
    inputs: str = option("inputs", "the key of the numbers: a list of steps, each a number or a list of them")
    labels: str = option("labels", "the key of what they say: a text, or a list of labels")
    level: str = option(
        "characters",
        "what one label of a text is: a character, or what stands between spaces",
        choices=("characters", "words"),
    )
    scaling: str = option("standard", "how each column of numbers is scaled", choices=SCALINGS)


class SignalReader(Reader):
    """Fields `inputs` along time and `labels` along labels."""

    name = "signals"
    title = "signals with unaligned labels"
    what = "signals with unaligned labels"
    Options = SignalOptions
    parts = (0.8, 0.1, 0.1)
    beginnings = True
    portable = ("level", "scaling")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.folder or sample.why_not is not None or not sample.lines:
            return None
        first = _object(sample.lines[0])
        if first is not None:
            lists = [key for key, value in first.items() if isinstance(value, list) and _signal(value) is not None]
            said = [key for key in first if key not in lists and _labels(first[key], "characters")]
            if not lists or not said:
                return None
            made = SignalOptions("json lines", sample.encoding, ",", lists[0], said[0], _level(first[said[0]]))
            return Guess(0.9, made, self.parts, f"numbers in {lists[0]!r} and labels of them in {said[0]!r}")
        for delimiter in ("\t", ",", ";", "|"):
            rows = [line.strip().split(delimiter) for line in sample.lines if line.strip()]
            texts = [row[0] for row in rows]
            # Rows of one length are rather vectors, or a table.
            if len({len(row) for row in rows}) <= 2 or any(map(_is_number, texts)):
                continue
            if all(len(row) > 2 and all(map(_is_number, row[1:])) for row in rows):
                level = "words" if any(" " in text.strip() for text in texts) else "characters"
                made = SignalOptions("table", sample.encoding, delimiter, level=level)
                return Guess(0.8, made, self.parts, "a text and the numbers of a signal in each row")
        return None

    def read(self, source: Source, options: SignalOptions, problems: Problems) -> Examples:
        read = _of_lines if options.form == "json lines" else _of_rows
        found = list(read(source, options, problems))
        width = found[0][1].shape[1] if found else 0
        other = next(((line, signal) for line, signal, _ in found if signal.shape[1] != width), None)
        if other is not None:
            problems.error(
                f"a step has {other[1].shape[1]} numbers, those of line {found[0][0]} have {width}", line=other[0]
            )
            found = [each for each in found if each[1].shape[1] == width]
        if not found:
            problems.raise_first()
            raise StudioError("no signal with labels was found", where=source.shown, remedy="Choose another file.")
        return Examples(
            (
                numbers("inputs", [signal for _, signal, _ in found], scaling=options.scaling),  # type: ignore[arg-type]
                tokens(
                    "labels",
                    [labels for _, _, labels in found],
                    "labels",
                    role="target",
                    learning=learning_of("characters", 1),
                ),
            ),
            lines=[line for line, _, _ in found],
            options=options,
            split_by="sequence",
        )

    def vocabulary(self, spec: FieldSpec, options: SignalOptions) -> Vocabulary:
        if options.level == "characters":
            return Vocabulary(spec.vocabulary, "characters")
        return super().vocabulary(spec, options)


def _of_lines(source: Source, options: SignalOptions, problems: Problems) -> Iterator[tuple[int, Signal, list[str]]]:
    unused: dict[str, str] = {}
    for line, text in enumerate(going(source.lines(options.encoding)), 1):
        if not text.strip():
            continue
        found = _object(text)
        if found is None:
            problems.error("this is no JSON object", line=line, remedy='Write {"inputs": [[…], …], "labels": "…"}.')
            continue
        signal, labels = _signal(found.get(options.inputs)), _labels(found.get(options.labels), options.level)
        if signal is None:
            problems.error(
                "there is no list of numbers, or of lists of equally many numbers",
                line=line,
                column=repr(options.inputs),
            )
        elif not labels:
            problems.error("there is no text and no list of labels", line=line, column=repr(options.labels))
        else:
            unused |= {key: str(found[key]) for key in found if key not in (options.inputs, options.labels, *unused)}
            yield line, signal, labels
    for key, cell in unused.items():
        problems.ignore(f"the key {key!r}", cell)


def _of_rows(source: Source, options: SignalOptions, problems: Problems) -> Iterator[tuple[int, Signal, list[str]]]:
    for line, row in cells_of(source.text(options.encoding), options.delimiter, source.shown, source.cut):
        while row and not row[-1]:  # a spreadsheet fills its rows with empty cells
            row.pop()
        labels = _labels(row[0] if row else "", options.level)
        if not labels or len(row) < 2:
            problems.error("the row holds no text and numbers", line=line, remedy="Write a text, then the numbers.")
            continue
        bad = next((place for place, cell in enumerate(row) if place and not _is_number(cell)), None)
        if bad is not None:
            problems.error(f"this is not a number: {row[bad][:40]!r}", line=line, column=str(bad + 1))
            continue
        yield line, np.array(row[1:], np.float64)[:, None], labels


def _object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _signal(value: object) -> Signal | None:
    """[steps, columns]; None where it is no list of finite numbers, or of lists of equally many."""
    if not isinstance(value, list) or not value:
        return None
    rows = [one if isinstance(one, list) else [one] for one in value]
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        return None
    if not all(isinstance(item, int | float) and not isinstance(item, bool) for row in rows for item in row):
        return None
    try:
        made = np.array(rows, np.float64)
    except OverflowError:
        return None
    return made if np.isfinite(made).all() else None


def _labels(value: object, level: str) -> list[str]:
    """Those of a text or a list; [] where it is neither."""
    if isinstance(value, str):
        return list(value.strip()) if level == "characters" else value.split()
    if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
        return [str(item) for item in value]
    return []


def _level(value: object) -> str:
    return "words" if isinstance(value, str) and " " in value.strip() else "characters"


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False
