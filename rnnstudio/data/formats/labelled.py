"""Labelled texts: a text and its class a row (CSV, TSV, JSON lines), or a folder with a folder of texts a class."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rnnstudio.data.examples import Examples, labels, tokens
from rnnstudio.data.files import entries_of, is_folder
from rnnstudio.data.formats.numerals import number
from rnnstudio.data.formats.pieces import (
    cells_of,
    learning_of,
    level_option,
    lowercase_option,
    min_count_option,
    pieces_of,
    share_of_different,
    vocabulary_at,
)
from rnnstudio.data.options import encoding_option, option
from rnnstudio.data.packed import Entry, beside
from rnnstudio.data.problems import Problems, listed, quoted
from rnnstudio.data.progress import going
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

FORMS = ("csv", "json lines", "folders")
TEXT_NAMES = ("text", "sentence", "review", "content", "comment", "message", "title", "body", "name", "tweet")
LABEL_NAMES = ("label", "class", "category", "sentiment", "target", "y", "intent", "topic", "language", "stars")
_TEXT_FILES = (".txt", ".md", "")
_MOST_FILES = 200_000
_MOST_COLUMNS = 1000
"""Of a table that is taken for texts with a class."""


@dataclass(frozen=True)
class LabelledOptions:
    """Texts with a class each."""

    form: str = option("csv", "a table, a JSON object a line, or a folder for each class", choices=FORMS)
    encoding: str = encoding_option()
    delimiter: str = option(",", "what separates the columns of a table", choices=(",", ";", "\t", "|"), free=True)
    header: bool = option(True, "whether the first row of a table holds names")
    text: str = option("", "the column (or key) of the text; none: the first", columns=True)
    label: str = option("", "the column (or key) of the class; none: the last", columns=True)
    level: str = level_option("words", "the text")
    lowercase: bool = lowercase_option()
    min_count: int = min_count_option()
    longest: int = option(0, "texts are cut after so many tokens; 0: never", minimum=0)


class LabelledReader(Reader):
    """Fields `text` along time, and `label`, one class a text."""

    name = "labelled"
    title = "texts with a class"
    what = "texts with a class"
    suffixes = (".jsonl", ".ndjson")
    Options = LabelledOptions
    parts = (0.8, 0.1, 0.1)
    beginnings = True
    portable = ("level", "lowercase", "min_count", "longest")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.folder:
            return self._guess_folder(sample)
        if sample.why_not is not None:
            return None
        objects = _objects(sample.lines)
        if objects:
            keys = [key for key in objects[0] if all(isinstance(o.get(key), str | int) for o in objects)]
            chosen = _choose(keys, [[str(o[key]) for o in objects] for key in keys])
            if chosen is None:
                return None
            made = LabelledOptions("json lines", sample.encoding, text=chosen[0], label=chosen[1], level=chosen[2])
            return Guess(0.8, made, self.parts, "a JSON object with a text and a class on each line")
        return self._guess_table(sample)

    def _guess_folder(self, sample: Sample) -> Guess | None:
        classes = [entry for entry in sample.entries if entry.is_dir() and not entry.name.startswith(".")]
        with_texts = [c for c in classes if any(f.suffix in _TEXT_FILES for f in _few(c))]
        if len(with_texts) < 2:
            return None
        return Guess(0.8, LabelledOptions("folders"), self.parts, f"{len(with_texts)} folders of texts")

    def _guess_table(self, sample: Sample) -> Guess | None:
        for delimiter in ("\t", ",", ";", "|"):
            try:
                rows = [row for _, row in cells_of("".join(sample.lines), delimiter, sample.shown)]
            except StudioError:
                continue  # the sample's end may cut a quoted cell; another delimiter may do
            widths = {len(row) for row in rows}
            if len(rows) < 4 or len(widths) != 1 or not 1 < len(rows[0]) <= _MOST_COLUMNS:
                continue
            body = rows[1:]
            names = [name.lower() for name in rows[0]]
            header = any(name in (*TEXT_NAMES, *LABEL_NAMES) for name in names) or _over_numbers(rows)
            body = rows[1:] if header else rows
            columns = [[row[place] for row in body] for place in range(len(rows[0]))]
            named = rows[0] if header else [f"column{place + 1}" for place in range(len(columns))]
            chosen = _choose(named, columns)
            if chosen is None:
                continue
            text, label, level = chosen
            made = LabelledOptions("csv", sample.encoding, delimiter, header, text, label, level)
            # A table of measurements with remarks is rather a series.
            remarks = _columns_of_numbers(columns) > 1 and _spaces(columns[named.index(text)]) < 5
            return Guess(
                0.3 if remarks else 0.65, made, self.parts, f"the column {text!r} holds texts and {label!r} classes"
            )
        return None

    def read(self, source: Source, options: LabelledOptions, problems: Problems) -> Examples:
        forms = {"csv": _of_table, "json lines": _of_lines, "folders": _of_folders}
        texts, classes, lines, names = forms[options.form](source, options, problems)
        if not texts:
            problems.raise_first()
            raise StudioError("no text with a class was found", where=source.shown, remedy="Choose another file.")
        pieces = [pieces_of(text, options.level, options.lowercase) for text in going(texts)]
        if options.longest:
            cut = sum(len(piece) > options.longest for piece in pieces)
            pieces = [piece[: options.longest] for piece in pieces]
            if cut:
                problems.warn(f"{cut:,} texts are cut after {options.longest} tokens")
        return Examples(
            (
                tokens("text", pieces, learning=learning_of(options.level, options.min_count)),
                labels("label", classes),
            ),
            names=names,
            lines=lines,
            options=options,
            unit=options.level,
            excerpt="\n".join(texts[:20]),
        )

    def vocabulary(self, spec: FieldSpec, options: LabelledOptions) -> Vocabulary:
        if spec.counts:
            return super().vocabulary(spec, options)
        return vocabulary_at(spec, options.level, options.lowercase)


_Read = tuple[list[str], list[str], list[int], list[str]]


def _of_table(source: Source, options: LabelledOptions, problems: Problems) -> _Read:
    rows = cells_of(source.text(options.encoding), options.delimiter, source.shown, source.cut)
    if not rows:
        raise StudioError("the file has only blank lines", where=source.shown, remedy="Choose a file with data in it.")
    first = rows[0]
    names = first[1] if options.header else [f"column{place + 1}" for place in range(len(first[1]))]
    if len(names) < 2:
        raise StudioError(
            f"there is one column alone: {quoted(names[0])}",
            where=f"{source.shown}, line {first[0]}",
            remedy="Set the delimiter option: a text and its class need two columns.",
        )
    at = _place(names, options.text, 0, "text", source.shown), _place(names, options.label, -1, "label", source.shown)
    texts, classes, lines = [], [], []
    keep = source.keeper(names)
    sample: list[str] = []
    for line, row in rows[1 if options.header else 0 :]:
        if len(row) != len(names):
            problems.error(
                f"the row has {len(row)} cells, the others have {len(names)}",
                line=line,
                remedy="Put the text in quotes where it holds the delimiter.",
            )
            continue
        if not _take(row[at[0]], row[at[1]], line, problems):
            continue
        sample = sample or row
        keep(row)
        texts.append(row[at[0]])
        classes.append(row[at[1]])
        lines.append(line)
    for place, name in enumerate(names):
        if place not in at and sample and name != source.column:
            problems.ignore(f"the column {name!r}", sample[place])
    return texts, classes, lines, []


def _take(text: str, label: str, line: int, problems: Problems) -> bool:
    """Whether the row has a text and a class; it is named where not."""
    if not text or not label:
        problems.warn(f"the {'class' if text else 'text'} is empty; the row is left out", line=line)
    return bool(text and label)


def _place(names: Sequence[str], wanted: str, default: int, what: str, shown: str) -> int:
    if not wanted:
        return range(len(names))[default]
    if wanted not in names:
        raise StudioError(
            f"there is no column {wanted!r}", where=f"{shown}, option {what}", remedy=f"Columns: {listed(names)}."
        )
    return list(names).index(wanted)


def _of_lines(source: Source, options: LabelledOptions, problems: Problems) -> _Read:
    texts, classes, lines = [], [], []
    names: list[str] = []
    keep = source.keeper(names)
    ignored: dict[str, str] = {}
    for place, line in enumerate(going(source.lines(options.encoding)), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.error(f"this is no JSON: {getattr(error, 'msg', 'it is nested too deeply')}", line=place)
            continue
        if not isinstance(found, dict):
            problems.error("the line holds no JSON object", line=place, remedy='Write {"text": …, "label": …}.')
            continue
        keys = list(found)
        wanted = (options.text or (keys[0] if keys else "text"), options.label or (keys[-1] if keys else "label"))
        lacking = next((key for key in wanted if not isinstance(found.get(key), str | int | float)), None)
        if lacking is not None:
            problems.error(f"the object has no {lacking!r}", line=place, remedy=f"Keys: {listed(keys)}.")
            continue
        text, label = (str(found[key]).strip() for key in wanted)
        if _take(text, label, place, problems):
            texts.append(text)
            classes.append(label)
            lines.append(place)
            if len(lines) == 1:
                names, keep = keys, source.keeper(keys)
            keep([str(found.get(key, "")) for key in names])
            ignored |= {key: str(found[key]) for key in keys if key not in (*wanted, *ignored, source.column)}
    for key, cell in ignored.items():
        problems.ignore(f"the key {key!r}", cell)
    return texts, classes, lines, []


def _of_folders(source: Source, options: LabelledOptions, problems: Problems) -> _Read:
    texts, classes, names = [], [], []
    if not is_folder(source.path, source.shown):
        raise StudioError("this is a file, not a folder", where=source.shown, remedy='Set form to "csv".')
    for folder in (entry for entry in entries_of(source.path, source.shown) if entry.is_dir()):
        if folder.name.startswith("."):
            continue
        for path in entries_of(folder, source.shown)[:_MOST_FILES]:
            if path.suffix.lower() not in _TEXT_FILES or not path.is_file():
                problems.ignore(f"{folder.name}/{path.name}", "no text file")
                continue
            text = source.inner(path, f"{source.shown}/{folder.name}/{path.name}").text(options.encoding).strip()
            if text:
                texts.append(text)
                classes.append(folder.name)
                names.append(f"{folder.name}/{path.name}")
            else:
                problems.warn(f"{folder.name}/{path.name} is empty and left out")
    return texts, classes, [], names


def _few(folder: Entry) -> list[Entry]:
    """A few entries of a folder."""
    entries: Iterator[Entry] = folder.iterdir()
    return [beside(entry) if isinstance(entry, Path) else entry for entry in islice(entries, 20)]


def _objects(lines: Sequence[str]) -> list[dict[str, object]]:
    """The JSON objects of the first lines, or none where one of them is no object."""
    found = []
    for line in lines[:50]:
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            return []
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        found.append(value)
    return found


def _spaces(cells: Sequence[str]) -> float:
    """Mean number of spaces in a cell."""
    return sum(cell.count(" ") for cell in cells) / max(len(cells), 1)


def _over_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has words over a column of numbers."""
    columns = zip(*rows, strict=True)
    return any(number(one, ".") is None and all(number(c, ".") is not None for c in below) for one, *below in columns)


def _columns_of_numbers(columns: Sequence[Sequence[str]]) -> int:
    return sum(all(number(cell, ".") is not None for cell in column) for column in columns)


def _choose(names: Sequence[str], columns: Sequence[Sequence[str]]) -> tuple[str, str, str] | None:
    """The column of texts, that of classes, and the texts' level; None where there are none."""
    if len(names) < 2 or not columns[0]:
        return None
    spaces = [_spaces(column) for column in columns]
    letters = [sum(any(c.isalpha() for c in cell) for cell in column) / len(column) for column in columns]
    share = [share_of_different(column) for column in columns]
    classes = [i for i in range(len(names)) if len(set(columns[i])) >= 2 and share[i] <= 0.5 and spaces[i] < 2]
    texts = [i for i in range(len(names)) if share[i] > 0.5 and letters[i] > 0.9 and i not in classes]
    texts = [i for i in texts if spaces[i] >= 1 or names[i].lower() in TEXT_NAMES or len(names) == 2]
    if not texts or not classes:
        return None
    text = next((i for i in texts if names[i].lower() in TEXT_NAMES), max(texts, key=lambda i: spaces[i]))
    label = next((i for i in classes if names[i].lower() in LABEL_NAMES), min(classes, key=lambda i: share[i]))
    return names[text], names[label], "words" if spaces[text] >= 1 else "characters"
