"""Datasets from sequences that are in memory already: what a plugin's reader hands its tokens or numbers to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rnnstudio.data.dataset import Dataset, Track
from rnnstudio.data.files import FileFacts, Reading
from rnnstudio.data.opening import MANY_SEQUENCES, dataset_of_series, warn_of_short
from rnnstudio.data.options import CsvOptions
from rnnstudio.data.problems import Problems
from rnnstudio.data.series import Series
from rnnstudio.data.split import Division, Ints, by_sequence, by_time, require_steps
from rnnstudio.data.table import refuse_shared
from rnnstudio.data.vocabulary import UNKNOWN, IntArray, compact
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import JSON, DataRecipe, FieldSpec

Splitting = Literal["auto", "sequence", "time"]
"""Whole sequences are dealt to the parts, or each is cut in three; "auto": dealt out from 20 sequences on."""

EXCERPT = 2000


def read_file(path: Path, shown: str, encoding: str = "utf-8") -> tuple[str, FileFacts]:
    """The text of a file (every line end as "\\n", no byte-order mark) and its facts.

    Raises StudioError with line and column when it is missing, empty, binary or not in that encoding.
    """
    reading = Reading(path, shown, encoding)
    text = "".join(reading)
    return text, reading.facts()


def token_dataset(
    recipe: DataRecipe,
    sequences: Sequence[Sequence[str]],
    facts: FileFacts,
    problems: Problems,
    fit: bool,
    *,
    names: Sequence[str] = (),
    lines: Sequence[int] = (),
    options: Mapping[str, JSON] | None = None,
    split_by: Splitting = "auto",
    excerpt: str = "",
) -> Dataset:
    """A dataset of token sequences with the text reader's fields: `text`, and `next`, the token that comes after.

    sequences: each a list of tokens (short texts). names, lines: of each sequence, for people. options: the settled
    options of the reader. The vocabulary comes from the training part and begins with the unknown token; with fit
    False it is the recipe's. Raises StudioError when there is too little to train on.
    """
    if not any(sequences):
        raise StudioError("the file holds no tokens", where=recipe.path, remedy="Choose a file with data in it.")
    offsets = _offsets(sequences)
    division = _divide(offsets, 1, recipe, split_by, problems, tuple(names), "tokens")
    tokens = [token for sequence in sequences for token in sequence]
    entries = _learned(tokens, division) if fit else recipe.field("text").vocabulary
    number = {entry: place for place, entry in enumerate(entries)}
    if UNKNOWN not in number and (lost := next((t for t in tokens if t not in number), None)) is not None:
        raise StudioError(
            f"the model's vocabulary has no {lost!r}", where=recipe.path, remedy="Take it out, or train a model on it."
        )
    unknown = number.get(UNKNOWN, 0)
    values: IntArray = np.fromiter((number.get(token, unknown) for token in tokens), np.int64, len(tokens))
    values = compact(values, len(entries))
    fields = (
        FieldSpec("text", "tokens", len(entries), vocabulary=entries),
        FieldSpec("next", "tokens", len(entries), vocabulary=entries, shift_of="text", shift=1),
    )
    settled = recipe.options if options is None else options
    return Dataset(
        recipe=recipe.replace(options=settled, fields=fields, digest=facts.digest),
        tracks={"text": Track(values, 0), "next": Track(values, 1)},
        statics={},
        offsets=offsets,
        names=_named(names, len(sequences)),
        steps=(),
        lines=_rows_of(lines, offsets),
        raw=None,
        columns=(),
        division=division,
        facts=facts,
        excerpt=excerpt[:EXCERPT],
    )


def number_dataset(
    recipe: DataRecipe,
    sequences: Sequence[npt.NDArray[Any]],
    columns: Sequence[str],
    facts: FileFacts,
    problems: Problems,
    fit: bool,
    *,
    inputs: Sequence[str] = (),
    targets: Sequence[str] = (),
    horizon: int = 1,
    names: Sequence[str] = (),
    lines: Sequence[int] = (),
    options: Mapping[str, JSON] | None = None,
    split_by: Splitting = "auto",
) -> Dataset:
    """A dataset of number sequences with the CSV reader's fields: `inputs`, and `targets` `horizon` steps later.

    sequences: [steps, columns] each, in the file's units. inputs, targets: names among `columns`; none: all, and the
    inputs. Scaling comes from the training part; with fit False it is the recipe's. Raises StudioError when there is
    too little to train on, or a number is missing.
    """
    rows = [np.asarray(sequence, np.float64).reshape(-1, len(columns)) for sequence in sequences]
    if not sum(map(len, rows)):
        raise StudioError("the file holds no numbers", where=recipe.path, remedy="Choose a file with data in it.")
    values = np.concatenate(rows)
    if not np.isfinite(values).all():
        row, column = (int(place) for place in np.argwhere(~np.isfinite(values))[0])
        raise StudioError(
            f"step {row + 1} of {columns[column]!r} is no finite number", where=recipe.path, remedy="Repair the file."
        )
    chosen = tuple(inputs) or tuple(columns)
    offsets = _offsets(rows)
    wanted = tuple(targets) or chosen
    if horizon == 0:
        refuse_shared(chosen, wanted, "row_is_step", recipe.path)
    series = Series(
        values=values,
        offsets=offsets,
        columns=tuple(columns),
        inputs=chosen,
        targets=wanted,
        static=None,
        names=_named(names, len(rows)),
        steps=(),
        lines=_rows_of(lines, offsets),
        options=CsvOptions(inputs=chosen, targets=wanted, horizon=horizon, split_by=split_by),
        facts=facts,
    )
    dataset = dataset_of_series(recipe, series, problems, fit)
    settled = recipe.options if options is None else options
    return replace(dataset, recipe=dataset.recipe.replace(options=settled))


def _offsets(sequences: Sequence[Any]) -> Ints:
    return np.concatenate(([0], np.cumsum([len(sequence) for sequence in sequences]))).astype(np.int64)


def _named(names: Sequence[str], count: int) -> tuple[str, ...]:
    return tuple(names) if names else tuple(f"sequence {i + 1}" for i in range(count)) if count > 1 else ("",)


def _rows_of(lines: Sequence[int], offsets: Ints) -> Ints:
    """The line of each row, from the line of each sequence."""
    return np.repeat(np.asarray(lines, np.int64), np.diff(offsets)) if lines else np.zeros(0, np.int64)


def _divide(
    offsets: Ints,
    shift: int,
    recipe: DataRecipe,
    split_by: Splitting,
    problems: Problems,
    names: tuple[str, ...],
    unit: str,
) -> Division:
    many = len(offsets) - 1 >= MANY_SEQUENCES
    whole = split_by == "sequence" or (split_by == "auto" and many)
    division = (by_sequence if whole else by_time)(offsets, shift, recipe.split)
    warn_of_short(offsets, shift, _named(names, len(offsets) - 1), problems)
    if not problems.errors:
        rows = len(offsets) - 1 if whole else int(offsets[-1])
        require_steps(division, recipe.split, rows, "sequences" if whole else unit, shift, recipe.path)
    return division


def _learned(tokens: Sequence[str], division: Division) -> tuple[str, ...]:
    """The unknown token, then those of the training part, the most frequent first."""
    counts: Counter[str] = Counter()
    for low, high in division.rows["train"].tolist():
        counts.update(tokens[low:high])
    counts.pop(UNKNOWN, None)
    return (UNKNOWN, *sorted(counts, key=lambda token: (-counts[token], token)))
