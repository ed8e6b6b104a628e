"""What readers of short texts share: a text in pieces of some level, and how their vocabulary is learned."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from rnnstudio.data.examples import Learning
from rnnstudio.data.options import LEVELS, option
from rnnstudio.data.source import lines_of
from rnnstudio.data.vocabulary import Vocabulary, words_of
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

END = "</s>"
"""Ends a sequence that a decoder writes."""

LARGEST_CELL = 1 << 24


def level_option(default: str, of: str) -> Any:
    return option(default, f"what one token of {of} is", choices=LEVELS)


def lowercase_option() -> Any:
    return option(False, "fold capitals before anything else", title="fold capitals")


def min_count_option() -> Any:
    return option(
        1, "words seen less often in the training part become the unknown word", title="rarest word", minimum=1
    )


def pieces_of(text: str, level: str, lowercase: bool) -> list[str]:
    """The tokens of a text."""
    folded = text.lower() if lowercase else text
    return words_of(folded) if level == "words" else list(folded)


def learning_of(level: str, min_count: int) -> Learning:
    """Words by frequency, rare ones unknown; characters in their order. Both may meet something new later."""
    return Learning("frequency", "always", min_count) if level == "words" else Learning("sorted", "always")


def vocabulary_at(spec: FieldSpec, level: str, lowercase: bool) -> Vocabulary:
    """How a prompt becomes tokens of a field of that level."""
    return Vocabulary(spec.vocabulary, level, lowercase)


def cells_of(text: str, delimiter: str, shown: str, cut: bool = False) -> list[tuple[int, list[str]]]:
    """The rows of a table of texts, each with the line it ends on; blank ones left out.

    Tabs know no quotes; with other delimiters a cell in quotes may hold anything. Raises StudioError for a quote that
    is never closed; cut: the text is a beginning, and may end within a cell, which is left out then.
    """
    if delimiter == "\t":
        lines = enumerate(lines_of(text, shown), 1)
        return [(number, [cell.strip() for cell in line.split("\t")]) for number, line in lines if line.strip()]
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=delimiter, strict=True)
    before = csv.field_size_limit(LARGEST_CELL)
    found: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for row in reader:
            start = reader.line_num + 1
            if any(cell.strip() for cell in row):
                found.append((reader.line_num, [cell.strip() for cell in row]))
    except csv.Error as error:
        if cut and "unexpected end" in str(error):
            return found
        what = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
        if "field limit" in what:
            what = f"a cell has more than {LARGEST_CELL:,} characters: a quote may be open, or it is no table"
        remedy = 'Close the quote, or write a quote inside a cell as "".'
        raise StudioError(what, where=f"{shown}, line {start}", remedy=remedy) from error
    finally:
        csv.field_size_limit(before)
    return found


def share_of_different(cells: Sequence[str]) -> float:
    """How many different ones there are, of all."""
    return len(set(cells)) / max(len(cells), 1)
