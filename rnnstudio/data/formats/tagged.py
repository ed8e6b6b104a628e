"""Tagged tokens: a word and its tag a line, a blank line between sentences (CoNLL, CoNLL-U)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rnnstudio.data.examples import Examples, tags, tokens
from rnnstudio.data.formats.pieces import learning_of, lowercase_option, min_count_option
from rnnstudio.data.options import encoding_option, option
from rnnstudio.data.problems import Problems, quoted
from rnnstudio.data.progress import going
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.vocabulary import Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import FieldSpec

DOCUMENT = "-DOCSTART-"
UD_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


@dataclass(frozen=True)
class TaggedOptions:
    """One token a line: its columns separated by tabs or spaces, a blank line after each sentence."""

    encoding: str = encoding_option()
    universal: bool = option(
        False, "CoNLL-U: ten columns by tabs; lines of ranges (3-4) and empty nodes (5.1) are left out", title="CoNLL-U"
    )
    word: int = option(1, "the column of the word, from 1", minimum=1)
    tag: int = option(-1, "the column of the tag, from 1; -1: the last", title="tag")
    lowercase: bool = lowercase_option()
    min_count: int = min_count_option()


class TaggedReader(Reader):
    """Fields `text` and `tags`, both along time."""

    name = "tagged"
    title = "tagged words (CoNLL)"
    what = "tagged words"
    suffixes = (".conllu", ".conll", ".iob", ".bio", ".conllx")
    Options = TaggedOptions
    parts = (0.8, 0.1, 0.1)
    beginnings = True
    portable = ("lowercase", "min_count", "word", "tag", "universal")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.why_not is not None:
            return None
        rows = [line.rstrip("\n") for line in sample.lines if not line.startswith("#")]
        full = [row for row in rows if row.strip() and not row.startswith(DOCUMENT)]
        if not full:
            return None
        if all(row.count("\t") == 9 for row in full) and full[0].split("\t")[0].split("-")[0].split(".")[0].isdigit():
            made = TaggedOptions(sample.encoding, True, 2, 4)
            return Guess(0.9, made, self.parts, "ten columns, as in CoNLL-U")
        widths = [len(_cells(row)) for row in full]
        named = sample.suffix in self.suffixes
        if min(widths) < 2 or max(widths) != min(widths):
            return Guess(0.5, TaggedOptions(sample.encoding), self.parts, "the suffix") if named else None
        last = [_cells(row)[-1] for row in full]
        blank = any(not row.strip() for row in rows[1:-1])
        words = any(any(c.isalpha() for c in _cells(row)[0]) for row in full)
        tags_ = len(set(last)) <= max(len(last) // 3, 2) and all(tag == tag.upper() for tag in last)
        if named or (blank and words and tags_):
            why = f"the suffix {sample.suffix}" if named else "a word and a tag a line, sentences between blank lines"
            return Guess(0.9 if named else 0.75, TaggedOptions(sample.encoding), self.parts, why)
        return None

    def read(self, source: Source, options: TaggedOptions, problems: Problems) -> Examples:
        sentences = _sentences(source, options, problems)
        if not sentences:
            problems.raise_first()
            raise StudioError(
                "the file holds no tagged word", where=source.shown, remedy="Write WORD and TAG on a line."
            )
        words = [[word.lower() if options.lowercase else word for _, word, _ in s] for s in sentences]
        return Examples(
            (
                tokens("text", words, learning=learning_of("words", options.min_count)),
                tags("tags", [[tag for _, _, tag in sentence] for sentence in sentences]),
            ),
            names=[f"sentence {number}" for number in range(1, len(sentences) + 1)],
            row_lines=None,
            lines=[sentence[0][0] for sentence in sentences],
            options=options,
            split_by="sequence" if len(sentences) > 2 else "time",
            unit="tokens",
            excerpt="\n".join(" ".join(sentence) for sentence in words[:20]),
        )

    def vocabulary(self, spec: FieldSpec, options: TaggedOptions) -> Vocabulary:
        if spec.counts:
            return super().vocabulary(spec, options)
        return Vocabulary(spec.vocabulary, "words", options.lowercase)


COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
"""Of CoNLL-U."""


def _cells(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else line.split()


def _sentences(source: Source, options: TaggedOptions, problems: Problems) -> list[list[tuple[int, str, str]]]:
    """Each sentence as (line, word, tag) of its tokens."""
    found: list[list[tuple[int, str, str]]] = []
    here: list[tuple[int, str, str]] = []
    skipped = {"ranges": 0, "empty nodes": 0}
    unused: Mapping[int, str] = {}
    for number, line in enumerate(going([*source.lines(options.encoding), ""]), 1):
        if not line.strip() or line.startswith(DOCUMENT):
            if here:
                found.append(here)
                here = []
            continue
        if options.universal and line.startswith("#"):
            continue
        cells = line.split("\t") if options.universal else _cells(line)
        if options.universal and cells and ("-" in cells[0] or "." in cells[0]) and cells[0][:1].isdigit():
            skipped["ranges" if "-" in cells[0] else "empty nodes"] += 1
            continue
        at = options.tag - 1 if options.tag > 0 else len(cells) - 1
        if len(cells) <= max(options.word - 1, at) or at == options.word - 1:
            wanted = max(options.word, options.tag, 2)
            problems.error(
                f"the line has {len(cells)} column{'s' * (len(cells) != 1)}, and column {wanted} is wanted",
                line=number,
                remedy="Write the word and its tag, separated by a tab or spaces, or set the columns.",
            )
            continue
        word, tag = cells[options.word - 1].strip(), cells[at].strip()
        if not word or not tag:
            problems.error(f"the {'tag' if word else 'word'} is empty", line=number)
            continue
        unused = unused or {place: cell for place, cell in enumerate(cells) if place not in (options.word - 1, at)}
        here.append((number, word, tag))
    for what, count in skipped.items():
        if count:
            problems.ignore(f"{count} lines of {what}", "their words stand alone" if what == "ranges" else "no words")
    if unused:
        names = [COLUMNS[n] if options.universal and n < len(COLUMNS) else str(n + 1) for n in unused]
        told = ", ".join(f"{name} ({quoted(cell, 20)})" for name, cell in zip(names, unused.values(), strict=True))
        problems.hint(f"not used: the column{'s' * (len(names) > 1)} {told}")
    return found
