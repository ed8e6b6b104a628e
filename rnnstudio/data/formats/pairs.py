"""Pairs of sequences: a source and what is to be made of it, in one file side by side or in two line by line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rnnstudio.data.examples import Examples, tokens
from rnnstudio.data.formats.numerals import is_number
from rnnstudio.data.formats.pieces import (
    END,
    learning_of,
    level_option,
    lowercase_option,
    min_count_option,
    pieces_of,
    share_of_different,
    vocabulary_at,
)
from rnnstudio.data.options import encoding_option, option
from rnnstudio.data.packed import SUFFIXES
from rnnstudio.data.problems import Problems
from rnnstudio.data.progress import going
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

SIDES = {".src": ".tgt", ".source": ".target"}
"""Suffixes of two files that belong together, line by line."""


@dataclass(frozen=True)
class PairOptions:
    """One pair a line: source, a tab, target; or two files, a line of one for each line of the other."""

    encoding: str = encoding_option()
    target_file: str = option("", "the file of the targets, line by line; none: they stand beside the sources")
    source_column: int = option(1, "the column of the sources, from 1", minimum=1)
    target_column: int = option(2, "the column of the targets, from 1", minimum=1)
    source_level: str = level_option("characters", "the source")
    target_level: str = level_option("characters", "the target")
    lowercase: bool = lowercase_option()
    min_count: int = min_count_option()
    shared: bool = option(False, "source and target have one vocabulary", title="one vocabulary")
    end: bool = option(True, f"end each target with {END}, so that a decoder learns where to stop", title="end mark")


class PairReader(Reader):
    """Fields `source` along the axis source, and `target` along the axis target."""

    name = "pairs"
    title = "pairs of texts"
    what = "pairs of texts"
    Options = PairOptions
    parts = (0.8, 0.1, 0.1)
    beginnings = True
    portable = ("source_level", "target_level", "lowercase", "min_count", "shared", "end")

    def guess(self, sample: Sample) -> Guess | None:
        other = _other_side(sample)
        if other:
            levels = _level(list(sample.lines))
            made = PairOptions(sample.encoding, other, 1, 1, levels, levels)
            return Guess(0.9, made, self.parts, f"{other} lies beside it")
        rows = [line.rstrip("\n").split("\t") for line in sample.lines if line.strip()]
        if len(rows) < 3 or any(len(row) != 2 or not all(cell.strip() for cell in row) for row in rows):
            return None
        sides = list(zip(*rows, strict=True))
        if any(share_of_different(side) < 0.5 or _numeric(side) for side in sides):
            return None
        made = PairOptions(sample.encoding, source_level=_level(sides[0]), target_level=_level(sides[1]))
        return Guess(0.7, made, self.parts, "every line has two texts with a tab between them")

    def read(self, source: Source, options: PairOptions, problems: Problems) -> Examples:
        first, second, lines = _sides(source, options, problems)
        if not lines:
            problems.raise_first()
            raise StudioError("the file holds no pair", where=source.shown, remedy="Write SOURCE, a tab, TARGET.")
        low, least = options.lowercase, options.min_count
        sources = [pieces_of(text, options.source_level, low) for text in first]
        targets = [pieces_of(text, options.target_level, low) + [END] * options.end for text in second]
        learning = learning_of(options.source_level, least)
        return Examples(
            (
                tokens("source", sources, "source", learning=learning),
                tokens(
                    "target",
                    targets,
                    "target",
                    role="target",
                    learning=learning if options.shared else learning_of(options.target_level, least),
                    shares="source" if options.shared else "",
                ),
            ),
            lines=lines,
            options=options,
            unit="pairs",
            excerpt="\n".join(f"{a}\t{b}" for a, b in zip(first[:20], second[:20], strict=True)),
        )

    def vocabulary(self, spec: FieldSpec, options: PairOptions) -> Vocabulary:
        level = options.target_level if spec.name == "target" else options.source_level
        return vocabulary_at(spec, level, options.lowercase)


def _sides(source: Source, options: PairOptions, problems: Problems) -> tuple[list[str], list[str], list[int]]:
    """Sources, targets, and the line of each pair."""
    first, second, lines = [], [], []
    here = source.lines(options.encoding)
    if options.target_file:
        there = source.beside(options.target_file).lines(options.encoding)
        if source.cut:  # two beginnings of the same number of bytes are not of the same number of lines
            here, there = here[: len(there)], there[: len(here)]
        if len(here) != len(there):
            raise StudioError(
                f"{Path(source.shown).name} has {len(here):,} lines and {options.target_file} {len(there):,}",
                where=source.shown,
                remedy="Give two files with a line for each line of the other.",
            )
        rows = [[one, other] for one, other in zip(here, there, strict=True)]
        places = (0, 1)
    else:
        rows = [line.split("\t") for line in here]
        places = (options.source_column - 1, options.target_column - 1)
    widest = max((len(row) for row in rows), default=0)
    keep = source.keeper([f"column {place + 1}" for place in range(widest)])
    for number, row in enumerate(going(rows), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) <= max(places):
            problems.error(
                f"the line has {len(cells)} column{'s' * (len(cells) != 1)}, and column {max(places) + 1} is wanted",
                line=number,
                remedy="Write SOURCE, a tab, TARGET, or set the columns.",
            )
            continue
        one, other = cells[places[0]], cells[places[1]]
        if not one or not other:
            problems.warn("one side of the pair is empty; it is left out", line=number)
            continue
        first.append(one)
        second.append(other)
        lines.append(number)
        keep(cells)
    others = [place for place in range(widest) if f"column {place + 1}" != source.column]
    unused = [place for place in others if place not in places] if not options.target_file else []
    for place in unused:
        problems.ignore(f"column {place + 1}", next((row[place] for row in rows if place < len(row)), ""))
    return first, second, lines


def _other_side(sample: Sample) -> str:
    """The name of the file of targets that lies beside one of sources, packed or not; "" = there is none."""
    suffix = SIDES.get(sample.suffix)
    if suffix is None:
        return ""
    folder, name = sample.path.parent, f"{sample.path.stem}{suffix}"
    return next((found for packed in ("", *SUFFIXES) if (folder / (found := name + packed)).is_file()), "")


def _level(texts: list[str] | tuple[str, ...]) -> str:
    """Words where most texts are sentences."""
    return "words" if sum(text.count(" ") >= 2 for text in texts) > len(texts) / 2 else "characters"


def _numeric(cells: tuple[str, ...]) -> bool:
    """Whether most cells below the first, which may be a heading, are numbers: that is a table."""
    below = cells[1:] or cells
    return sum(is_number(cell) for cell in below) > len(below) / 2
